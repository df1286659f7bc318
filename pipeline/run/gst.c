#define _GNU_SOURCE
#include "pipeline/run/gst.h"

#include <gst/gst.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "fovea-config.h"

static const char plugin_name[] = "fovea", plugin_file[] = "libgstfovea.so";

// ---- the plugin ---------------------------------------------------------------------------------

// <build>/pipeline/run/fovea -> <build>/plugins, when the plugin is there.
static char *build_folder(void) {
    g_autofree char *exe = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *here = exe ? g_path_get_dirname(exe) : NULL;
    g_autofree char *file =
        here ? g_build_filename(here, "..", "..", "plugins", plugin_file, NULL) : NULL;
    return file && !access(file, R_OK) ? g_path_get_dirname(file) : NULL;
}

static bool has_plugin(void) {
    GstPlugin *p = gst_registry_find_plugin(gst_registry_get(), plugin_name);
    if (p)
        gst_object_unref(p);
    return p;
}

bool fv_gst_init(fv_err *err) {
    g_autofree char *build = build_folder();
    GError *error = NULL;
    if (!gst_init_check(NULL, NULL, &error)) {
        fv_fail(err, FV_IO, "GStreamer does not start: %s",
                error ? error->message : "unknown reason");
        g_clear_error(&error);
        return false;
    }
    if (build && !g_getenv("GST_PLUGIN_PATH"))
        gst_registry_scan_path(gst_registry_get(), build);
    if (!has_plugin())
        gst_registry_scan_path(gst_registry_get(), FV_PLUGIN_DIR);
    return has_plugin() ||
           fv_fail(
               err, FV_BAD_INPUT,
               "the GStreamer plugin '%s' (%s) is not in %s nor in GST_PLUGIN_PATH; install Fovea, or run it through ./dev env",
               plugin_name, plugin_file, FV_PLUGIN_DIR);
}

bool fv_gst_has(const char *element) {
    GstElementFactory *f = gst_element_factory_find(element);
    if (f)
        gst_object_unref(f);
    return f;
}

// What parsers change.
static void forget_packing(GstCaps *caps) {
    static const char *const packing[] = {"stream-format", "alignment", "framed", "parsed"};
    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        for (size_t k = 0; k < G_N_ELEMENTS(packing); k++)
            gst_structure_remove_field(gst_caps_get_structure(caps, i), packing[k]);
}

bool fv_gst_takes(const char *element, const char *pad_template, const char *caps) {
    g_autoptr(GstElementFactory) f = gst_element_factory_find(element);
    g_autoptr(GstCaps) stream = gst_caps_from_string(caps);
    bool takes = false;
    if (stream)
        forget_packing(stream);
    for (const GList *l = f ? gst_element_factory_get_static_pad_templates(f) : NULL; l && stream; l = l->next) {
        GstStaticPadTemplate *pad = l->data;
        g_autoptr(GstCaps) taken = gst_static_pad_template_get_caps(pad);
        takes |= !strcmp(pad->name_template, pad_template) && gst_caps_can_intersect(taken, stream);
    }
    return takes;
}

// ---- properties as rows -------------------------------------------------------------------------

static const char *const *choices_of(fv_arena *arena, GParamSpec *spec) {
    GEnumClass *e = G_PARAM_SPEC_ENUM(spec)->enum_class;
    const char **names = FV_ARENA_NEW(arena, const char *, e->n_values + 1);
    for (guint i = 0; i < e->n_values; i++)
        names[i] = fv_arena_strdup(arena, e->values[i].value_nick);
    return names;
}

#define NUMBERS(kind, TYPE)                                    \
    (row.type = (kind), row.min = (double)TYPE(spec)->minimum, \
     row.max = (double)TYPE(spec)->maximum, row.def = (double)TYPE(spec)->default_value)

static fv_option row_of(fv_arena *arena, GParamSpec *spec, bool ours) {
    fv_option row = {.name = fv_arena_strdup(arena, spec->name),
                     .help = fv_arena_strdup(arena, g_param_spec_get_blurb(spec)),
                     .type = FV_OPT_STRING};
    GType type = G_TYPE_FUNDAMENTAL(spec->value_type);
    if (type == G_TYPE_INT)
        NUMBERS(FV_OPT_INT, G_PARAM_SPEC_INT);
    else if (type == G_TYPE_UINT)
        NUMBERS(FV_OPT_INT, G_PARAM_SPEC_UINT);
    else if (type == G_TYPE_UINT64 && ours)
        NUMBERS(FV_OPT_TIME, G_PARAM_SPEC_UINT64);
    else if (type == G_TYPE_FLOAT)
        NUMBERS(FV_OPT_FLOAT, G_PARAM_SPEC_FLOAT);
    else if (type == G_TYPE_DOUBLE)
        NUMBERS(FV_OPT_FLOAT, G_PARAM_SPEC_DOUBLE);
    else if (type == G_TYPE_BOOLEAN)
        row.type = FV_OPT_BOOL, row.max = 1, row.def = G_PARAM_SPEC_BOOLEAN(spec)->default_value;
    else if (type == G_TYPE_ENUM)
        row.type = FV_OPT_ENUM, row.choices = choices_of(arena, spec);
    return row;
}

static bool is_setting(GParamSpec *spec, GType owner) {
    return spec->owner_type == owner && spec->flags & G_PARAM_WRITABLE &&
           strcmp(spec->name, "stream") != 0;
}

const fv_option *fv_gst_rows(void *arena, const char *element) {
    GstElement *e = gst_element_factory_make(element, NULL);
    if (!e)
        return NULL;
    GstPlugin *plugin =
        gst_plugin_feature_get_plugin(GST_PLUGIN_FEATURE(gst_element_get_factory(e)));
    bool ours = plugin && !strcmp(gst_plugin_get_name(plugin), plugin_name);
    guint n_specs, n = 0;
    GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(e), &n_specs);
    fv_option *rows = FV_ARENA_NEW(arena, fv_option, n_specs + 1);
    for (guint i = 0; i < n_specs; i++)
        if (is_setting(specs[i], G_OBJECT_TYPE(e)))
            rows[n++] = row_of(arena, specs[i], ours);
    g_free(specs);
    gst_clear_object(&plugin);
    gst_object_unref(gst_object_ref_sink(e));
    return rows;
}

const char *fv_gst_property(fv_arena *arena, const fv_option *row, const char *text) {
    fv_option at_zero = *row;
    at_zero.offset = 0;
    union {
        bool flag;
        int64_t ns;
    } v;
    if (row->type == FV_OPT_BOOL && fv_option_parse(&v, &at_zero, text, NULL))
        return v.flag ? "true" : "false";
    if (row->type == FV_OPT_TIME && fv_option_parse(&v, &at_zero, text, NULL))
        return fv_arena_printf(arena, "%" PRId64, v.ns);
    return text;
}
