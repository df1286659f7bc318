// Delivers messages through a link, from a thread of its own behind a spool on disk.
//
// ADD writes the message into the spool's file and returns; it is safe from then on against the end
// of the process, and against loss of power `spool-sync` later. It never waits for the network.
// THE THREAD takes the oldest letters, in order, and keeps them until they are settled. After a
// fault it waits 0.25 s, then twice as long each time up to `retry-max`, a quarter more or less by
// chance.
// FULL: what does not fit into `spool-max` is dropped from the old end and counted, records of
// frames before events (outbox.h); told when it begins, and in total at the end.
// THE END waits at most `linger` for what is left; the rest stays in the spool, and the next run
// with the same spool delivers it first.
#pragma once

#include "plugins/publish/link.h"

typedef struct fv_delivery fv_delivery;

fv_delivery *fv_delivery_create(const fv_link_row *row, const fv_address *address,
                                const fv_target_params *params, const fv_target_setup *setup,
                                fv_err *err);
void fv_delivery_add(fv_delivery *d, const fv_message *message);
void fv_delivery_finish(fv_delivery *d);
fv_target_counts fv_delivery_count(fv_delivery *d);
void fv_delivery_destroy(fv_delivery **d);

// The folder of the spool: `spool`, or one in $XDG_STATE_HOME/fovea/spool (default ~/.local/state)
// named after the publisher and the target.
void fv_delivery_folder(const fv_target_params *params, const char *name, char *path, size_t size);
