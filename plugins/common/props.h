// Option rows (pipeline/base/option.h) as GObject properties: what the core documents, gst-inspect
// shows.
//
//     FV_OPT_INT, _FLOAT, _BOOL, _STRING -> int, float, boolean, string
//     FV_OPT_ENUM -> an enum type named after the element and the option, nicks = choices,
//                    names = choice_helps where the row has them
//     FV_OPT_TIME -> guint64, nanoseconds, as GStreamer counts time
//
// Strings are interned: params can be copied like plain data, and a text is valid for ever.
// Thread-safety: none of its own; the element holds its object lock.
#pragma once

#include <glib-object.h>
#include <stdbool.h>

#include "pipeline/base/option.h"

// One table and where its params lie in the element's params.
typedef struct {
    const fv_option *rows;
    size_t offset;
} fv_prop_group;

enum { FV_PROP_GROUPS = 4 }; // an element's tables; the first with NULL rows ends them

// Installs every row; ids are first, first + 1, ... in the order of the rows. Returns the next free
// id. `playing` says that a running element takes new values from its next frame on.
guint fv_props_install(GObjectClass *klass, const char *type_name, const fv_prop_group *groups,
                       guint first, bool playing);

// Property `index` (id - first) to and from `params`.
void fv_props_set(void *params, const fv_prop_group *groups, guint index, const GValue *value);
void fv_props_get(const void *params, const fv_prop_group *groups, guint index, GValue *value);

void fv_props_default(void *params, const fv_prop_group *groups);
