#define _GNU_SOURCE
#include "plugins/publish/outbox.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/publish/segment.h"

enum { FRAMES, EVENTS, N_LANES };
static const char *const lane_names[N_LANES] = {"frames", "events"};

// A record: flags, the other lane's next number (u64, little endian), then topic, key, id and mime,
// each with its NUL, then the body.
enum { HEAD = 9, IS_RETAINED = 1 };

struct fv_outbox {
    uint64_t bytes_max;
    fv_spool *lanes[N_LANES];
    uint64_t begun[N_LANES]; // number of the first record that this process adds
    uint8_t lane_of[FV_LINK_BATCH];
};

// The records of one lane that a take has in hand.
typedef struct {
    fv_spool_record v[FV_LINK_BATCH];
    fv_letter letters[FV_LINK_BATCH];
    uint64_t after[FV_LINK_BATCH]; // comes behind the other lane's records below this number
    int n, at;
} hand;

// ---- records ------------------------------------------------------------------------------------

static bool read_record(const fv_outbox *o, int lane, hand *h, int i) {
    const fv_spool_record *r = &h->v[i];
    const char *texts[4], *p = r->body + HEAD, *end = r->body + r->size;
    for (int k = 0; k < 4; k++) {
        const char *nul = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
        if (!nul)
            return false;
        texts[k] = p;
        p = nul + 1;
    }
    h->after[i] = fv_segment_get(r->body + 1, 8);
    h->letters[i] = (fv_letter){.topic = texts[0],
                                .key = texts[1],
                                .id = texts[2],
                                .mime = texts[3],
                                .body = p,
                                .size = (size_t)(end - p),
                                .is_event = lane == EVENTS,
                                .retain = r->body[0] & IS_RETAINED,
                                .resumed = r->number < o->begun[lane]};
    snprintf(h->letters[i].delivery, sizeof h->letters[i].delivery, "%s-%c%" PRIu64,
             fv_spool_id(o->lanes[EVENTS]), lane_names[lane][0], r->number);
    return true;
}

// What is no record of ours ends the hand; at its beginning it is passed over.
static void fill_hand(fv_outbox *o, int lane, hand *h) {
    h->at = h->n = 0;
    int n = fv_spool_take(o->lanes[lane], h->v, FV_LINK_BATCH, FV_LINK_BATCH_BYTES);
    while (h->n < n && read_record(o, lane, h, h->n))
        h->n++;
    if (n && !h->n) {
        fv_spool_ack(o->lanes[lane], 1);
        fill_hand(o, lane, h);
    }
}

static uint64_t first_number(const fv_outbox *o, int lane, const hand *h) {
    uint64_t first, end;
    if (h->at < h->n)
        return h->v[h->at].number;
    fv_spool_numbers(o->lanes[lane], &first, &end);
    return first;
}

// The lane whose record is next; -1: it is not in hand.
static int next_lane(const fv_outbox *o, const hand *hands) {
    for (int lane = 0; lane < N_LANES; lane++) {
        const hand *h = &hands[lane];
        if (h->at < h->n && first_number(o, !lane, &hands[!lane]) >= h->after[h->at])
            return lane;
    }
    return -1;
}

int fv_outbox_take(fv_outbox *o, fv_letter *letters) {
    hand *hands = malloc(sizeof *hands * N_LANES);
    int n = 0;
    for (int lane = 0; lane < N_LANES; lane++)
        fill_hand(o, lane, &hands[lane]);
    for (int lane; n < FV_LINK_BATCH && (lane = next_lane(o, hands)) >= 0;) {
        o->lane_of[n] = (uint8_t)lane;
        letters[n++] = hands[lane].letters[hands[lane].at++];
    }
    free(hands);
    return n;
}

void fv_outbox_ack(fv_outbox *o, int n) {
    int of[N_LANES] = {0};
    for (int i = 0; i < n; i++)
        of[o->lane_of[i]]++;
    memmove(o->lane_of, o->lane_of + n, FV_LINK_BATCH - (size_t)n);
    for (int lane = 0; lane < N_LANES; lane++)
        fv_spool_ack(o->lanes[lane], of[lane]);
}

// ---- adding -------------------------------------------------------------------------------------

static uint64_t end_of(const fv_outbox *o, int lane) {
    uint64_t first, end;
    fv_spool_numbers(o->lanes[lane], &first, &end);
    return end;
}

// Records of frames have what events leave. Returns how much that is.
static uint64_t share(fv_outbox *o, uint64_t more_events) {
    uint64_t events = fv_spool_bound(o->lanes[EVENTS], o->bytes_max) + more_events;
    uint64_t rest = events < o->bytes_max ? o->bytes_max - events : 0;
    fv_spool_bound(o->lanes[FRAMES], rest);
    return rest;
}

bool fv_outbox_add(fv_outbox *o, const fv_message *m, const fv_format_row *f, bool lines,
                   fv_err *err) {
    int lane = m->is_event ? EVENTS : FRAMES;
    uint8_t head[HEAD] = {m->retain ? IS_RETAINED : 0};
    fv_segment_put(head + 1, end_of(o, !lane), 8);
    const struct iovec parts[] = {
        {head, HEAD},
        {(void *)m->topic, strlen(m->topic) + 1},
        {(void *)m->key, strlen(m->key) + 1},
        {(void *)m->id, strlen(m->id) + 1},
        {(void *)f->mime, strlen(f->mime) + 1},
        {(void *)f->open, strlen(f->open)},
        {(void *)(lines ? m->line : m->body), lines ? m->line_size : m->size},
        {(void *)f->close, strlen(f->close)}};
    const int n = sizeof parts / sizeof parts[0];
    uint64_t total = FV_SEGMENT_HEAD;
    for (int i = 0; i < n; i++)
        total += parts[i].iov_len;
    uint64_t rest = share(o, lane == EVENTS ? total : 0);
    bool gives_way = lane == FRAMES && total > rest && total <= o->bytes_max;
    return fv_spool_add(o->lanes[lane], parts, n, gives_way ? NULL : err);
}

// ---- from start to end --------------------------------------------------------------------------

fv_outbox *fv_outbox_open(const char *folder, uint64_t bytes_max, fv_err *err) {
    fv_outbox *o = calloc(1, sizeof *o);
    char path[PATH_MAX];
    o->bytes_max = bytes_max;
    for (int lane = 0; o && lane < N_LANES; lane++) {
        snprintf(path, sizeof path, "%s/%s", folder, lane_names[lane]);
        o->lanes[lane] = fv_spool_open(path, &(fv_spool_params){bytes_max, 0}, err);
        if (o->lanes[lane])
            o->begun[lane] = end_of(o, lane);
        else
            fv_outbox_close(&o);
    }
    return o;
}

void fv_outbox_sync(fv_outbox *o) {
    for (int lane = 0; lane < N_LANES; lane++)
        fv_spool_sync(o->lanes[lane]);
}

fv_outbox_counts fv_outbox_count(fv_outbox *o) {
    fv_spool_counts f = fv_spool_count(o->lanes[FRAMES]), e = fv_spool_count(o->lanes[EVENTS]);
    return (fv_outbox_counts){.waiting = f.waiting + e.waiting,
                              .dropped = f.dropped + e.dropped,
                              .dropped_events = e.dropped,
                              .damaged = f.damaged + e.damaged};
}

void fv_outbox_close(fv_outbox **outbox) {
    fv_outbox *o = outbox ? *outbox : NULL;
    if (!o)
        return;
    for (int lane = 0; lane < N_LANES; lane++)
        fv_spool_close(&o->lanes[lane]);
    free(o);
    *outbox = NULL;
}
