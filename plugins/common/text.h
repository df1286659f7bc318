// Text of any language (Pango) as coverage masks, laid out once per text and size: what repeats
// from frame to frame, words, ids, percentages, comes from a cache.
// Thread-safety: one fv_text per thread.
#pragma once

#include <stdint.h>

typedef struct fv_text fv_text;

// Coverage of one line of text. `height` depends on the font and size alone, so that texts line up.
typedef struct {
    int width, height, stride; // pixels, bytes
    uint8_t *alpha;
} fv_text_mask;

// `font` as Pango writes it, without a size ("Sans Bold"). Missing fonts are replaced by others.
fv_text *fv_text_create(const char *font);

// Valid until 512 other texts were asked for. `size_px` is the height of the font's em.
const fv_text_mask *fv_text_get(fv_text *t, const char *utf8, int size_px);

void fv_text_destroy(fv_text **t);
