// The rows of plugin.c's table: one element each, described in plugins/<folder>/.
#pragma once

#include "plugins/common/element.h"

bool fv_src_register(GstPlugin *plugin); // fvsrc
bool fv_mp4_register(GstPlugin *plugin); // fvmp4
bool fv_mkv_register(GstPlugin *plugin); // fvmkv
bool fv_priming_register(GstPlugin *plugin); // fvpriming
extern const fv_element_row fv_detect_element;
extern const fv_element_row fv_track_element;
extern const fv_element_row fv_events_element;
extern const fv_element_row fv_overlay_element;
extern const fv_element_row fv_publish_element;
