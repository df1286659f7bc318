#include "plugins/common/text.h"

#include <pango/pangocairo.h>

enum { CACHE = 1024 };

typedef struct {
    char *text;
    int size;
    uint64_t used;
    fv_text_mask mask;
} entry;

struct fv_text {
    PangoFontMap *fonts;
    PangoContext *context;
    PangoLayout *layout;
    PangoFontDescription *font;
    GHashTable *entries; // of entry *, key and value
    uint64_t clock;
};

static guint entry_hash(gconstpointer p) {
    const entry *e = p;
    return g_str_hash(e->text) * 31 + (guint)e->size;
}

static gboolean entry_equal(gconstpointer a, gconstpointer b) {
    const entry *x = a, *y = b;
    return x->size == y->size && g_str_equal(x->text, y->text);
}

static void entry_free(gpointer p) {
    entry *e = p;
    g_free(e->text);
    g_free(e->mask.alpha);
    g_free(e);
}

fv_text *fv_text_create(const char *font) {
    fv_text *t = g_new0(fv_text, 1);
    t->fonts = pango_cairo_font_map_new();
    t->context = pango_font_map_create_context(t->fonts);
    t->layout = pango_layout_new(t->context);
    t->font = pango_font_description_from_string(font);
    t->entries = g_hash_table_new_full(entry_hash, entry_equal, entry_free, NULL);
    pango_layout_set_single_paragraph_mode(t->layout, TRUE);
    return t;
}

static void rasterise(fv_text *t, entry *e) {
    int width, height;
    char *valid = g_utf8_make_valid(e->text, -1);
    pango_font_description_set_absolute_size(t->font, (double)e->size * PANGO_SCALE);
    pango_layout_set_font_description(t->layout, t->font);
    pango_layout_set_text(t->layout, valid, -1);
    pango_layout_get_pixel_size(t->layout, &width, &height);
    g_free(valid);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, MAX(width, 1),
                                                          MAX(height, 1));
    cairo_t *cairo = cairo_create(surface);
    pango_cairo_show_layout(cairo, t->layout);
    cairo_surface_flush(surface);
    int stride = cairo_image_surface_get_stride(surface);
    e->mask = (fv_text_mask){
        width, height, stride,
        g_memdup2(cairo_image_surface_get_data(surface), (gsize)stride * (gsize)MAX(height, 1))};
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
}

static gboolean is_old(gpointer key, gpointer value, gpointer user) {
    (void)value;
    return ((entry *)key)->used + CACHE / 2 < *(uint64_t *)user;
}

const fv_text_mask *fv_text_get(fv_text *t, const char *utf8, int size_px) {
    entry *e = g_hash_table_lookup(t->entries, &(entry){.text = (char *)utf8, .size = size_px});
    t->clock++;
    if (!e) {
        if (g_hash_table_size(t->entries) >= CACHE)
            g_hash_table_foreach_remove(t->entries, is_old, &t->clock);
        e = g_new0(entry, 1);
        e->text = g_strdup(utf8);
        e->size = size_px;
        rasterise(t, e);
        g_hash_table_add(t->entries, e);
    }
    e->used = t->clock;
    return &e->mask;
}

void fv_text_destroy(fv_text **t) {
    if (!t || !*t)
        return;
    g_hash_table_destroy((*t)->entries);
    pango_font_description_free((*t)->font);
    g_object_unref((*t)->layout);
    g_object_unref((*t)->context);
    g_object_unref((*t)->fonts);
    g_free(*t);
    *t = NULL;
}
