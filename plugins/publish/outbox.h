// Messages that wait for a link, in the order in which they were added: two spools on disk, one for
// events and one for records of frames.
//
// FULL: when what waits would be more than bytes_max, records of frames are dropped, the oldest
// first; events only when there are no such records left.
// ORDER: a record carries the number that the other spool's next record had when it was added, so
// that the two are merged as they came, after a crash too.
// THE FOLDER holds a spool each in events/ and frames/; see spool.h for what outlives what.
// Thread-safety: one thread adds while another takes and acknowledges; count and sync from any.
#pragma once

#include "plugins/publish/link.h"
#include "plugins/publish/spool.h"

typedef struct fv_outbox fv_outbox;

typedef struct {
    uint64_t waiting;                 // not delivered, those of the last take included
    uint64_t dropped, dropped_events; // by this process; all, and the events of them
    uint64_t damaged;                 // that were there and cannot be read
} fv_outbox_counts;

fv_outbox *fv_outbox_open(const char *folder, uint64_t bytes_max, fv_err *err);

// False: the message is lost (and counted), err says why. `mime`, `open` and `close` are the
// format's. `lines`: the message's line is the body.
bool fv_outbox_add(fv_outbox *o, const fv_message *message, const fv_format_row *format, bool lines,
                   fv_err *err);

// The oldest, at most FV_LINK_BATCH; the same ones, with others behind them, until they are
// acknowledged. Texts are valid until then. 0: nothing waits.
int fv_outbox_take(fv_outbox *o, fv_letter *letters);
void fv_outbox_ack(fv_outbox *o, int n); // the first n of what take gave are settled

void fv_outbox_sync(fv_outbox *o);
fv_outbox_counts fv_outbox_count(fv_outbox *o);
void fv_outbox_close(fv_outbox **o);
