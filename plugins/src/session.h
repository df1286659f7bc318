// A live source that is open, on its way from one fvsrc to another: a camera may let itself be opened only once.
//
// Who wants to know what a source holds before it builds a pipeline sets a GstContext of this type on an fvsrc,
// runs it up to its first frame and takes it down to READY. A live fvsrc then leaves its reader in the context
// (gst_element_get_context); the next fvsrc on which that context is set goes on with it instead of opening its
// uri. Frames that came in between are old and thrown away. Nobody takes it: it is closed with the last reference.
#pragma once

#include <gst/gst.h>

#include "plugins/src/reader.h"

#define FV_SESSION_CONTEXT "fovea.source"

typedef struct {
    fv_reader *reader;
    int64_t pts_ns;       // of the last frame
    gint64 since_us;      // monotonic time at which reading stopped
} fv_session;

// Was a context of the type set on the element?
bool fv_session_is_wanted(GstElement *element);

// Leaves what is in `session` in the element's context; *session is empty then.
void fv_session_leave(GstElement *element, fv_session *session);

// What was left there, at most once; false: nothing.
bool fv_session_take(GstElement *element, fv_session *session);
