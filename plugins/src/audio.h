// An audio pad of fvsrc with a thread and a queue of its own: encoded sound is small, so it never
// makes the pictures wait, whatever comes after it: an encoder that looks two seconds ahead, a
// muxer that takes both in turn. (Two sinks behind a live source still want a queue for the
// pictures.) Thread-safety: put, flow, flush and resume belong to the task that reads; the pad's
// own task pushes.
#pragma once

#include <gst/gst.h>
#include <stdbool.h>

typedef struct fv_audio fv_audio;

// A pad of `parent`, active, not yet added to it. The functions are those of the video pad.
fv_audio *fv_audio_create(GstElement *parent, GstPadTemplate *pad_template, const char *name,
                          GstPad *like);
GstPad *fv_audio_pad(const fv_audio *a);

// Queues a buffer or a serialised event (takes it). Blocks only when 16384 of them wait (minutes of
// sound that nobody takes). What the pad's last push returned comes back.
GstFlowReturn fv_audio_put(fv_audio *a, GstMiniObject *item);

// Throws away what waits and makes put return at once; the pad's task rests when stop returns.
void fv_audio_stop(fv_audio *a);
void fv_audio_start(fv_audio *a);

// Takes the pad off its element.
void fv_audio_destroy(fv_audio **a);
