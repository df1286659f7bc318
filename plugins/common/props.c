#include "plugins/common/props.h"

#include <gst/gst.h>

// "FvTrack" + "method" -> the registered type FvTrackMethod
static GType enum_type(const char *owner, const fv_option *row) {
    GString *name = g_string_new(owner);
    bool upper = true;
    for (const char *p = row->name; *p; p++) {
        if (*p != '-')
            g_string_append_c(name, upper ? g_ascii_toupper(*p) : *p);
        upper = *p == '-';
    }
    int n = 0;
    while (row->choices[n])
        n++;
    GEnumValue *values = g_new0(GEnumValue, n + 1); // belongs to the type from here on
    for (int i = 0; i < n; i++)
        values[i] = (GEnumValue){i, row->choice_helps ? row->choice_helps[i] : row->choices[i],
                                 row->choices[i]};
    GType type = g_type_from_name(name->str);
    if (!type)
        type = g_enum_register_static(name->str, values);
    gst_type_mark_as_plugin_api(type, 0);
    g_string_free(name, TRUE);
    return type;
}

static GParamSpec *param_spec(const char *owner, const fv_option *row, GParamFlags flags) {
    const char *name = row->name, *help = row->help;
    switch (row->type) {
    case FV_OPT_INT:
        return g_param_spec_int(name, name, help, (int)row->min, (int)row->max, (int)row->def,
                                flags);
    case FV_OPT_FLOAT:
        return g_param_spec_float(name, name, help, (float)row->min, (float)row->max,
                                  (float)row->def, flags);
    case FV_OPT_BOOL: return g_param_spec_boolean(name, name, help, row->def != 0, flags);
    case FV_OPT_STRING: return g_param_spec_string(name, name, help, row->def_string, flags);
    case FV_OPT_ENUM:
        return g_param_spec_enum(name, name, help, enum_type(owner, row), (int)row->def, flags);
    case FV_OPT_TIME:
        return g_param_spec_uint64(name, name, help, (guint64)row->min, (guint64)row->max,
                                   (guint64)row->def, flags);
    }
    return NULL;
}

guint fv_props_install(GObjectClass *klass, const char *type_name, const fv_prop_group *groups,
                       guint first, bool playing) {
    GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                        (playing ? (int)GST_PARAM_MUTABLE_PLAYING : (int)GST_PARAM_MUTABLE_READY);
    for (int g = 0; g < FV_PROP_GROUPS && groups[g].rows; g++)
        for (const fv_option *row = groups[g].rows; row->name; row++)
            g_object_class_install_property(klass, first++, param_spec(type_name, row, flags));
    return first;
}

static const fv_option *row_at(const fv_prop_group *groups, guint index, size_t *offset) {
    for (int g = 0; g < FV_PROP_GROUPS && groups[g].rows; g++)
        for (const fv_option *row = groups[g].rows; row->name; row++)
            if (index-- == 0) {
                *offset = groups[g].offset + row->offset;
                return row;
            }
    g_assert_not_reached();
    return NULL;
}

void fv_props_set(void *params, const fv_prop_group *groups, guint index, const GValue *value) {
    size_t offset = 0;
    const fv_option *row = row_at(groups, index, &offset);
    void *p = (char *)params + offset;
    switch (row->type) {
    case FV_OPT_INT: *(int *)p = g_value_get_int(value); break;
    case FV_OPT_FLOAT: *(float *)p = g_value_get_float(value); break;
    case FV_OPT_BOOL: *(bool *)p = g_value_get_boolean(value); break;
    case FV_OPT_STRING: *(const char **)p = g_intern_string(g_value_get_string(value)); break;
    case FV_OPT_ENUM: *(int *)p = g_value_get_enum(value); break;
    case FV_OPT_TIME: *(int64_t *)p = (int64_t)g_value_get_uint64(value); break;
    }
}

void fv_props_get(const void *params, const fv_prop_group *groups, guint index, GValue *value) {
    size_t offset = 0;
    const fv_option *row = row_at(groups, index, &offset);
    const void *p = (const char *)params + offset;
    switch (row->type) {
    case FV_OPT_INT: g_value_set_int(value, *(const int *)p); break;
    case FV_OPT_FLOAT: g_value_set_float(value, *(const float *)p); break;
    case FV_OPT_BOOL: g_value_set_boolean(value, *(const bool *)p); break;
    case FV_OPT_STRING: g_value_set_static_string(value, *(const char *const *)p); break;
    case FV_OPT_ENUM: g_value_set_enum(value, *(const int *)p); break;
    case FV_OPT_TIME: g_value_set_uint64(value, (guint64)*(const int64_t *)p); break;
    }
}

void fv_props_default(void *params, const fv_prop_group *groups) {
    for (int g = 0; g < FV_PROP_GROUPS && groups[g].rows; g++)
        fv_options_default((char *)params + groups[g].offset, groups[g].rows);
}
