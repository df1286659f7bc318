// Encoded audio passes as it is; this says its caps.
#pragma once

#include <gst/gst.h>
#include <libavformat/avformat.h>

// NULL for a codec that has no row in the table.
GstCaps *fv_sound_caps(const AVStream *stream);
