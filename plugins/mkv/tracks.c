#include "plugins/mkv/tracks.h"

#include <stdbool.h>

enum {
    ID_SEGMENT = 0x18538067,
    ID_TRACKS = 0x1654AE6B,
    ID_TRACK = 0xAE,
    ID_TRACK_TYPE = 0x83,
    ID_NAME = 0x536E,
    ID_CODEC_DELAY = 0x56AA,
    TYPE_SOUND = 2,
    DELAY_BYTES = 6, // 78 hours
    DELAY_HEAD = 3,  // id and size
};

typedef struct {
    uint32_t id;
    uint8_t *head, *data;
    size_t size; // of the content that is there
} part;

typedef struct {
    const uint64_t *ns;
    int n, n_sounds, n_changed;
} wish;

// A number of as many bytes as its first one says; 0: none is here.
static int number(const uint8_t *p, size_t left, bool with_mark, uint64_t *value) {
    int n = 1;
    while (n <= 8 && left && !(p[0] & 0x80 >> (n - 1)))
        n++;
    if (n > 8 || (size_t)n > left)
        return 0;
    *value = with_mark ? p[0] : p[0] & (0x7f >> (n - 1));
    bool unknown = (p[0] & (0x7f >> (n - 1))) == 0x7f >> (n - 1);
    for (int i = 1; i < n; i++) {
        *value = *value << 8 | p[i];
        unknown = unknown && p[i] == 0xff;
    }
    if (unknown && !with_mark)
        *value = UINT64_MAX;
    return n;
}

// The element that begins at *at, which goes behind it. A size that is not known or not there ends with the data.
static bool next(uint8_t *data, size_t size, size_t *at, part *p) {
    uint64_t id, length;
    if (*at >= size)
        return false;
    int a = number(data + *at, size - *at, true, &id);
    int b = a && a <= 4 ? number(data + *at + a, size - *at - (size_t)a, false, &length) : 0;
    if (!b)
        return false;
    size_t begin = *at + (size_t)a + (size_t)b, left = size - begin;
    *p = (part){(uint32_t)id, data + *at, data + begin, length < left ? (size_t)length : left};
    *at = begin + p->size;
    return true;
}

static void put_delay(const part *name, uint64_t ns) {
    uint8_t *p = name->head;
    p[0] = ID_CODEC_DELAY >> 8;
    p[1] = ID_CODEC_DELAY & 0xff;
    p[2] = 0x80 | DELAY_BYTES;
    for (int i = 0; i < DELAY_BYTES; i++)
        p[DELAY_HEAD + i] = (uint8_t)(ns >> 8 * (DELAY_BYTES - 1 - i));
}

static void change_track(part track, wish *w) {
    part p, name = {0};
    uint64_t type = 0;
    bool has_delay = false;
    for (size_t at = 0; next(track.data, track.size, &at, &p);) {
        if (p.id == ID_TRACK_TYPE && p.size == 1)
            type = p.data[0];
        if (p.id == ID_NAME && p.data + p.size == p.head + DELAY_HEAD + DELAY_BYTES)
            name = p;
        has_delay |= p.id == ID_CODEC_DELAY;
    }
    int i = type == TYPE_SOUND ? w->n_sounds++ : w->n;
    if (i >= w->n || !w->ns[i] || has_delay || !name.head)
        return;
    put_delay(&name, w->ns[i]);
    w->n_changed++;
}

static void change_tracks(part tracks, wish *w) {
    part p;
    for (size_t at = 0; next(tracks.data, tracks.size, &at, &p);)
        if (p.id == ID_TRACK)
            change_track(p, w);
}

int fv_mkv_delays_patch(uint8_t *data, size_t size, const uint64_t *ns, int n) {
    wish w = {.ns = ns, .n = n};
    part p;
    for (size_t at = 0; next(data, size, &at, &p);) {
        if (p.id == ID_TRACKS)
            change_tracks(p, &w);
        if (p.id == ID_SEGMENT)
            at = (size_t)(p.data - data); // go on inside
    }
    return w.n_changed;
}
