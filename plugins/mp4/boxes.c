#include "plugins/mp4/boxes.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_BOXES = 100000, MAX_DEPTH = 8, MATRIX_BYTES = 36 };

const char *const fv_orientation_names[FV_N_ORIENTATIONS + 1] = {
    "rotate-0",      "rotate-90",      "rotate-180",      "rotate-270",
    "flip-rotate-0", "flip-rotate-90", "flip-rotate-180", "flip-rotate-270",
};

// The 2x2 part of the matrix {a, b, c, d}: x' = a x + c y, y' = b x + d y, y downwards.
static const int matrices[FV_N_ORIENTATIONS][4] = {
    [FV_UPRIGHT] = {1, 0, 0, 1},
    [FV_ROTATE_90] = {0, 1, -1, 0},
    [FV_ROTATE_180] = {-1, 0, 0, -1},
    [FV_ROTATE_270] = {0, -1, 1, 0},
    [FV_FLIP] = {-1, 0, 0, 1},
    [FV_FLIP_ROTATE_90] = {0, 1, 1, 0},
    [FV_FLIP_ROTATE_180] = {1, 0, 0, -1},
    [FV_FLIP_ROTATE_270] = {0, -1, -1, 0},
};

// A box's content, and what is known around it.
typedef struct {
    uint8_t *data;
    size_t size;
} span;

typedef struct {
    fv_orientation orientation;
    unsigned encoded, n_sounds;
    int budget, depth;
    span movie, track, edits, times, offsets; // contents: mvhd; tkhd, elst, stts and ctts of the trak that is walked
    uint32_t scale; // its media's, a second
    bool is_picture;
    uint32_t longest; // track, as patched
} walker;

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

// ---- the boxes that matter ----------------------------------------------------------------------

static void read_movie(walker *w, span s) {
    if (s.size >= 32 && s.data[0] == 0) // version 1 has 64-bit times, in files of many hours
        w->movie = s;
}

// 16.16 fixed point, the last column 2.30. The shift brings the turned picture back to the origin.
static void put_matrix(uint8_t *p, const int m[4], uint32_t width, uint32_t height) {
    memset(p, 0, MATRIX_BYTES);
    put32(p, (uint32_t)(m[0] * 0x10000));
    put32(p + 4, (uint32_t)(m[1] * 0x10000));
    put32(p + 12, (uint32_t)(m[2] * 0x10000));
    put32(p + 16, (uint32_t)(m[3] * 0x10000));
    put32(p + 24, (m[0] < 0 ? width : 0) + (m[2] < 0 ? height : 0));
    put32(p + 28, (m[1] < 0 ? width : 0) + (m[3] < 0 ? height : 0));
    put32(p + 32, 0x40000000);
}

// Only pictures have a size.
static void patch_track(walker *w, span s) {
    size_t matrix = s.size && s.data[0] == 1 ? 52 : 40; // version 1 has 64-bit times
    w->is_picture = false;
    if (s.size < matrix + MATRIX_BYTES + 8)
        return;
    w->track = s;
    uint32_t width = be32(s.data + matrix + MATRIX_BYTES),
             height = be32(s.data + matrix + MATRIX_BYTES + 4);
    w->is_picture = width && height;
    if (w->is_picture && w->orientation != FV_UPRIGHT)
        put_matrix(s.data + matrix, matrices[w->orientation], width, height);
}

static void read_edits(walker *w, span s) {
    if (s.size >= 8 && s.data[0] == 0)
        w->edits = s;
}

static void shorten(uint8_t *duration, uint32_t by) {
    uint32_t old = be32(duration);
    put32(duration, old > by ? old - by : 0);
}

// The last edit begins behind the priming, but its length and the track's count it in.
static void patch_edits(walker *w, span media) {
    size_t n = w->edits.size ? be32(w->edits.data + 4) : 0;
    uint32_t scale = media.size >= 24 && media.data[0] == 0 ? be32(media.data + 12) : 0;
    w->scale = scale;
    if (w->is_picture || !n || n > (w->edits.size - 8) / 12 || !scale || !w->movie.size ||
        !w->track.size || w->track.data[0] != 0)
        return;
    uint8_t *last = w->edits.data + 8 + 12 * (n - 1);
    bool is_encoded = w->n_sounds < FV_MP4_MAX_SOUNDS && w->encoded & 1u << w->n_sounds;
    if (is_encoded && !be32(last + 4) && be32(last))
        put32(last + 4, FV_MP4_PRIMING);
    uint32_t priming = be32(last + 4);
    if (priming > INT32_MAX)
        return;
    uint32_t by = (uint32_t)(((uint64_t)priming * be32(w->movie.data + 12) + scale / 2) / scale);
    shorten(last, by);
    shorten(w->track.data + 20, by);
}

static void read_times(walker *w, span s) {
    w->times = s;
}

static void patch_offsets(walker *w, span s) {
    w->offsets = s;
    size_t n = s.size >= 8 ? be32(s.data + 4) : 0;
    for (size_t i = 0; !w->is_picture && i < n && 16 + 8 * i <= s.size; i++)
        put32(s.data + 12 + 8 * i, 0);
}

// A list of runs {count, value} behind version, flags and the number of runs.
typedef struct {
    span list;
    size_t at; // of the run
    uint32_t left;
} runs;

static bool next_run(runs *r) {
    for (r->at += 8; !r->left && r->at + 8 <= r->list.size; r->at += r->left ? 0 : 8)
        r->left = be32(r->list.data + r->at);
    return r->left;
}

// When the last picture ends, in units of the media; pictures are shown `offset` after they are decoded.
static int64_t end_of_pictures(const walker *w) {
    runs times = {w->times, 0, 0}, offsets = {w->offsets, 0, 0};
    const uint64_t most = 1ull << 60;
    uint64_t decoded = 0;
    int64_t end = 0;
    while ((times.left || next_run(&times)) && (offsets.left || next_run(&offsets))) {
        uint32_t n = times.left < offsets.left ? times.left : offsets.left;
        uint64_t step = (uint64_t)n * be32(times.list.data + times.at + 4);
        if (step > most || (decoded += step) > most)
            return 0;
        int64_t shown = (int64_t)decoded + (int32_t)be32(offsets.list.data + offsets.at + 4);
        end = shown > end ? shown : end;
        times.left -= n, offsets.left -= n;
    }
    return end;
}

// The edit's length is that of all pictures one after another; where times have gaps, the last ones lie
// behind it and would not be shown.
static void lengthen_edit(walker *w) {
    size_t n = w->edits.size ? be32(w->edits.data + 4) : 0;
    if (!w->is_picture || !n || n > (w->edits.size - 8) / 12 || !w->scale || !w->movie.size ||
        !w->track.size || w->track.data[0] != 0)
        return;
    uint8_t *last = w->edits.data + 8 + 12 * (n - 1);
    int64_t shown = end_of_pictures(w) - (int64_t)be32(last + 4), second = be32(w->movie.data + 12);
    if (shown <= 0 || shown > (1ll << 60) / (second + 1) || be32(last + 4) > INT32_MAX)
        return;
    int64_t length = (shown * second + w->scale - 1) / w->scale, old = be32(last);
    int64_t track = be32(w->track.data + 20) + length - old;
    if (length <= old || length > UINT32_MAX || track > UINT32_MAX)
        return;
    put32(last, (uint32_t)length);
    put32(w->track.data + 20, (uint32_t)track);
}

static void swap(uint8_t *p, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        uint8_t old = p[i];
        p[i] = p[n - 1 - i];
        p[n - 1 - i] = old;
    }
}

// Opus' header stands in an MP4 with its highest byte first, elsewhere with its lowest: version, channels,
// pre-skip, rate, gain. mp4mux up to 1.22 leaves it as it is: a rate that is less when read the other way is read so.
static void patch_opus(walker *w, span s) {
    (void)w;
    if (s.size < 11)
        return;
    uint32_t rate = be32(s.data + 4);
    if (rate <= __builtin_bswap32(rate))
        return;
    swap(s.data + 2, 2);
    swap(s.data + 4, 4);
    swap(s.data + 8, 2);
}

// ---- walking -------------------------------------------------------------------------------------

static void walk(walker *w, span boxes);

static void walk_track(walker *w, span s) {
    w->track = w->edits = w->times = w->offsets = (span){0};
    w->scale = 0;
    walk(w, s);
    lengthen_edit(w);
    w->n_sounds += !w->is_picture;
    uint32_t length = w->track.size && w->track.data[0] == 0 ? be32(w->track.data + 20) : 0;
    w->longest = length > w->longest ? length : w->longest;
}

// Boxes behind what is of a fixed size.
static void walk_behind(walker *w, span s, size_t head) {
    if (s.size > head)
        walk(w, (span){s.data + head, s.size - head});
}

static void walk_entries(walker *w, span s) {
    walk_behind(w, s, 8);
}

static void walk_sound(walker *w, span s) {
    walk_behind(w, s, 28);
}

static const struct {
    char name[5];
    void (*visit)(walker *w, span content);
} rows[] = {
    {"mvhd", read_movie}, {"trak", walk_track}, {"tkhd", patch_track}, {"edts", walk}, {"elst", read_edits},
    {"mdia", walk},       {"mdhd", patch_edits}, {"minf", walk},       {"stbl", walk}, {"stts", read_times}, {"ctts", patch_offsets},
    {"stsd", walk_entries}, {"Opus", walk_sound}, {"dOps", patch_opus},
};

// The content of the box that begins at `data`; its whole length in *length, 0 for a torn one.
static span open_box(uint8_t *data, size_t size, size_t *length) {
    size_t head = 8;
    uint64_t n = size >= 8 ? be32(data) : 0;
    if (n == 1 && size >= 16) {
        n = (uint64_t)be32(data + 8) << 32 | be32(data + 12);
        head = 16;
    }
    *length = n >= head && n <= size ? (size_t)n : 0;
    return *length ? (span){data + head, *length - head} : (span){0};
}

static void walk(walker *w, span boxes) {
    size_t length;
    w->depth++;
    for (size_t at = 0; at < boxes.size && w->depth < MAX_DEPTH && --w->budget > 0; at += length) {
        span content = open_box(boxes.data + at, boxes.size - at, &length);
        if (!length)
            break;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (!memcmp(boxes.data + at + 4, rows[i].name, 4))
                rows[i].visit(w, content);
    }
    w->depth--;
}

size_t fv_mp4_index_size(const uint8_t *data, size_t size) {
    size_t length;
    if (size < 8 || memcmp(data + 4, "moov", 4) != 0)
        return 0;
    open_box((uint8_t *)data, size, &length);
    return length;
}

void fv_mp4_index_patch(uint8_t *data, size_t size, fv_orientation orientation, unsigned encoded) {
    walker w = {.orientation = orientation, .encoded = encoded, .budget = MAX_BOXES};
    size_t length;
    walk(&w, open_box(data, size, &length));
    if (w.movie.size && w.longest)
        put32(w.movie.data + 16, w.longest);
}
