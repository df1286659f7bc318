// How fvmkv, behind a muxer, learns what lies before time 0 in the sounds in front of it.
#pragma once

#include <gst/gst.h>

// A custom query upwards, from a sink pad of the muxer. fvpriming answers with the field "ns" (guint64) when its
// first buffer has passed: the time its decoder needs before time 0, by which it moved that sound.
#define FV_PRIMING_QUERY "fovea-priming"
