// GStreamer's messages as Fovea's errors: one line, the kind that decides the exit code.
#pragma once

#include <gst/gst.h>

#include "pipeline/base/err.h"

// Fills err from an ERROR, WARNING or INFO message. Fovea's own elements say all in the text; of others
// the system's reason is added and the file named.
void fv_message_error(GstMessage *message, fv_err *err);
