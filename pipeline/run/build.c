#define _GNU_SOURCE
#include "pipeline/run/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/run/encode.h"
#include "pipeline/run/gst.h"

enum { MAX_WORDS = 65536, MAX_NOTES = 1024, SMALLEST_SIDE = 16 };

// One stream while its words are put down.
typedef struct {
    fv_words_out *words;
    fv_arena *arena;
    const fv_desc_stream *stream;
    const fv_probe *probe;
    int n_pictures; // outputs that want the drawn picture
    bool apart;     // a failure of one output must not reach another
    int n_sounds;   // outputs that want sound
    unsigned tees;  // bit i: sound i goes apart already
} builder;

static void put(builder *b, const char *word) {
    if (b->words->n < MAX_WORDS)
        b->words->v[b->words->n++] = word;
}

// Words apart by blanks, without blanks inside.
__attribute__((format(printf, 2, 3))) static void put_words(builder *b, const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    char *rest = n < 0 ? NULL : fv_arena_strdup(b->arena, text), *word;
    free(text);
    while ((word = strsep(&rest, " ")))
        if (*word)
            put(b, word);
}

static bool is_plain(const char *text) {
    return *text &&
           strspn(text,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,%@+-") ==
               strlen(text);
}

// key=value as gst-launch reads it: in quotes, with quotes and backslashes inside escaped.
static void put_property(builder *b, const char *key, const char *value) {
    if (is_plain(value)) {
        put(b, fv_arena_printf(b->arena, "%s=%s", key, value));
        return;
    }
    char *quoted = fv_arena_alloc(b->arena, 2 * strlen(value) + 1), *p = quoted;
    for (const char *v = value; *v; v++) {
        if (*v == '"' || *v == '\\')
            *p++ = '\\';
        *p++ = *v;
    }
    put(b, fv_arena_printf(b->arena, "%s=\"%s\"", key, quoted));
}

static void put_element(builder *b, const char *element, const char *what,
                        const fv_settings *settings) {
    put_words(b, "%s name=%s-%s", element, b->stream->name, what);
    const fv_option *rows = settings && settings->n ? fv_gst_rows(b->arena, element) : NULL;
    for (int i = 0; settings && i < settings->n; i++) {
        const fv_option *row = rows ? fv_option_find(rows, settings->v[i].name) : NULL;
        put_property(b, settings->v[i].name,
                     row ? fv_gst_property(b->arena, row, settings->v[i].text)
                         : settings->v[i].text);
    }
}

static const fv_desc_output *output(const builder *b, int i) {
    return (const fv_desc_output *)b->stream->outputs.v + i;
}

// ---- one file -----------------------------------------------------------------------------------

// A file keeps its shape when the source's changes midway; encoders of 4:2:0 want even sides, containers
// 16 pixels at least.
static void put_shape(builder *b) {
    int w = b->probe->width, h = b->probe->height;
    put_words(b, "videoconvertscale add-borders=true !");
    int more_w = w < SMALLEST_SIDE ? SMALLEST_SIDE - w : w % 2,
        more_h = h < SMALLEST_SIDE ? SMALLEST_SIDE - h : h % 2;
    put_words(b, "video/x-raw,format=I420,width=%d,height=%d,pixel-aspect-ratio=%d/%d%s%s !", w, h,
              b->probe->par_n, b->probe->par_d, b->probe->colorimetry ? ",colorimetry=" : "",
              b->probe->colorimetry ? b->probe->colorimetry : "");
    if (more_w || more_h)
        put_words(b, "videobox right=-%d bottom=-%d !", more_w, more_h);
}

// "audio/x-flac, ..." -> "audio/x-flac"
static void note_audio(builder *b, const fv_desc_file *file, int i, bool held, const fv_encode_fate *fate) {
    const char *caps = b->probe->audio_caps[i], *what = strrchr(file->path, '.');
    bool is_mkv = !strcmp(what, ".mkv"), is_mixed = held && fate->mixed;
    if (b->words->n_notes >= MAX_NOTES)
        return;
    const char *mixed = is_mixed ? fv_arena_printf(b->arena, "; its %d channels are mixed into %d, .webm keeps up to 8",
                                                   fate->channels, fate->mixed) : "";
    b->words->notes[b->words->n_notes++] = fv_arena_printf(
        b->arena, "%s: sound %d (%.*s) %s: %s cannot hold it%s%s", file->path, i, (int)strcspn(caps, ","), caps,
        held ? "is encoded anew" : "is left out", what, mixed,
        is_mkv || (held && !is_mixed) ? "" : is_mixed ? ", .mkv may keep all" : "; .mkv may");
}

// A pad feeds one output; more of them share it at <stream>-sound-N.
static void put_sound(builder *b, int i) {
    const char *name = b->stream->name;
    if (b->n_sounds > 1 && !(b->tees & 1u << i))
        put_words(b, "%s-source.audio_%d ! tee name=%s-sound-%d", name, i, name, i);
    b->tees |= 1u << i;
    if (b->n_sounds > 1)
        put_words(b, "%s-sound-%d. !", name, i);
    else
        put_words(b, "%s-source.audio_%d !", name, i);
}

static void put_audio(builder *b, const fv_desc_file *file, int index) {
    for (int i = 0, n = 0; file->audio && i < b->probe->n_audio; i++) {
        fv_encode_fate fate;
        const char *words = fv_encode_audio(b->arena, file, b->probe->audio_caps[i], &fate);
        if (fate.anew || !words)
            note_audio(b, file, i, words, &fate);
        if (!words)
            continue;
        put_sound(b, i);
        if (b->apart)
            put_words(b, "errorignore name=%s-branch-%d-audio-%d convert-to=ok !", b->stream->name,
                      index, i);
        put_words(b, "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 !");
        put_words(b, "%s %s-mux-%d.audio_%d", words, b->stream->name, index, n++);
    }
}

static bool put_file(builder *b, const fv_desc_file *file, int index, fv_err *err) {
    const char *encoder = fv_encode_words(b->arena, file, b->probe, err);
    if (!encoder)
        return false;
    put_shape(b);
    put_words(b, "%s %s ! queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 !",
              fv_encode_turn(b->arena, file, b->probe), encoder);
    put_words(b, "%s name=%s-mux-%d ! %s filesink name=%s-file-%d async=%s",
              fv_encode_muxer(b->arena, file), b->stream->name, index, fv_encode_index(b->arena, file, b->probe), b->stream->name,
              index, b->probe->is_live ? "false" : "true");
    put_property(b, "location", file->path);
    put_audio(b, file, index);
    return true;
}

// ---- one stream ---------------------------------------------------------------------------------

static void put_display(builder *b, const fv_settings *display, int index) {
    put_words(b, "videoconvert !");
    put_element(b, "autovideosink", fv_arena_printf(b->arena, "display-%d", index), display);
}

static bool put_picture(builder *b, int i, fv_err *err) {
    const fv_desc_output *o = output(b, i);
    if (b->n_pictures > 1)
        put_words(b, "%s-tee. !", b->stream->name);
    if (b->apart)
        put_words(b, "errorignore name=%s-branch-%d convert-to=ok ! queue max-size-buffers=4 !",
                  b->stream->name, i);
    if (o->file)
        return put_file(b, o->file, i, err);
    put_display(b, o->display, i);
    return true;
}

static bool put_pictures(builder *b, fv_err *err) {
    if (!b->n_pictures) {
        put_words(b, "fakesink name=%s-end sync=false enable-last-sample=false", b->stream->name);
        return true;
    }
    if (b->stream->overlay) {
        put_element(b, "fvoverlay", "overlay", b->stream->overlay);
        put(b, "!");
    }
    if (!b->apart)
        put_words(b, "queue max-size-buffers=4 !");
    if (b->n_pictures > 1)
        put_words(b, "tee name=%s-tee", b->stream->name);
    for (int i = 0; i < b->stream->outputs.n; i++)
        if (!output(b, i)->publish && !put_picture(b, i, err))
            return false;
    return true;
}

static void put_analysis(builder *b) {
    const fv_desc_stream *s = b->stream;
    put_element(b, "fvsrc", "source", s->source);
    put_words(b, "! queue max-size-buffers=4 !");
    if (b->probe->orientation)
        put_words(b, "videoconvert ! videoflip video-direction=auto !");
    if (s->detect) {
        put_element(b, "fvdetect", "detect", s->detect);
        put_property(b, "stream", s->name);
        put(b, "!");
    }
    if (s->track) {
        put_element(b, "fvtrack", "track", s->track);
        put(b, "!");
    }
    if (s->events || s->report) {
        put_element(b, "fvevents", "events", NULL);
        put_property(b, "rules", s->events ? s->events : "[]");
        if (s->report)
            put_property(b, "report", s->report);
        put(b, "!");
    }
    for (int i = 0; i < s->outputs.n; i++) {
        if (!output(b, i)->publish)
            continue;
        put_element(b, "fvpublish", fv_arena_printf(b->arena, "publish-%d", i),
                    output(b, i)->publish);
        put_property(b, "stream", s->name);
        put(b, "!");
    }
}

bool fv_build(fv_words_out *words, fv_arena *arena, const fv_desc *desc, const fv_probe *probes,
              fv_err *err) {
    *words = (fv_words_out){.v = fv_arena_alloc(arena, sizeof(char *) * MAX_WORDS),
                            .notes = fv_arena_alloc(arena, sizeof(char *) * MAX_NOTES)};
    for (int i = 0; i < desc->streams.n; i++) {
        const fv_desc_stream *stream = (const fv_desc_stream *)desc->streams.v + i;
        builder b = {.words = words,
                     .arena = arena,
                     .stream = stream,
                     .probe = &probes[i],
                     .apart = stream->outputs.n > 1 || desc->streams.n > 1};
        for (int k = 0; k < stream->outputs.n; k++) {
            b.n_pictures += !output(&b, k)->publish;
            b.n_sounds += output(&b, k)->file && output(&b, k)->file->audio;
        }
        put_analysis(&b);
        if (!put_pictures(&b, err))
            return false;
    }
    return true;
}

// ---- as text ------------------------------------------------------------------------------------

const char *fv_build_text(fv_arena *arena, const fv_words_out *words) {
    char *buffer = NULL;
    size_t size;
    FILE *out = open_memstream(&buffer, &size);
    for (int i = 0; i < words->n; i++)
        fprintf(out, "%s%s", i ? " " : "", words->v[i]);
    fclose(out);
    const char *text = fv_arena_strdup(arena, buffer);
    free(buffer);
    return text;
}

// In single quotes unless every letter is harmless to a shell.
static void put_quoted(FILE *out, const char *word) {
    if (strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,%@+=-") ==
        strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, 0}, out);
    fputc('\'', out);
}

const char *fv_build_shell(fv_arena *arena, const fv_words_out *words) {
    char *buffer = NULL;
    size_t size;
    FILE *out = open_memstream(&buffer, &size);
    fputs("gst-launch-1.0 -e", out);
    for (int i = 0; i < words->n; i++) {
        fputc(' ', out);
        if (!strcmp(words->v[i], "!"))
            fputc('!', out);
        else
            put_quoted(out, words->v[i]);
    }
    fclose(out);
    const char *text = fv_arena_strdup(arena, buffer);
    free(buffer);
    return text;
}
