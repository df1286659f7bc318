#include "pipeline/graph/onnx.h"

#include <stdarg.h>
#include <string.h>

static const Fovea__Onnx__Attribute *find_in(Fovea__Onnx__Attribute *const *list, size_t n,
                                             const char *name) {
    for (size_t i = 0; i < n; i++)
        if (list[i]->name && !strcmp(list[i]->name, name))
            return list[i];
    return NULL;
}

// Follows a reference to the attribute of the call, and of its call, and so on.
static const Fovea__Onnx__Attribute *find(const fv_attrs *a, const char *name) {
    const Fovea__Onnx__Attribute *p = find_in(a->node->attribute, a->node->n_attribute, name);
    for (const fv_caller *c = a->caller; p && p->ref_attr_name && *p->ref_attr_name; c = c->outer) {
        const char *wanted = p->ref_attr_name;
        if (!c)
            return NULL;
        p = find_in(c->node->attribute, c->node->n_attribute, wanted);
        if (!p)
            return find_in(c->function->attribute_proto, c->function->n_attribute_proto, wanted);
    }
    return p;
}

int64_t fv_attrs_opset(const fv_attrs *a) {
    return a->opset;
}

int fv_attrs_variant(const fv_attrs *a) {
    return a->op->variant;
}

bool fv_attr_has(const fv_attrs *a, const char *name) {
    return find(a, name);
}

void fv_attr_refuse(fv_attrs *a, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!a->err->code)
        fv_fail(a->err, FV_UNSUPPORTED, "%s", text);
}

int64_t fv_attr_long(fv_attrs *a, const char *name, int64_t def) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    return p && p->has_i ? p->i : def;
}

static int checked(fv_attrs *a, const char *name, int64_t v, int lo, int hi) {
    if (v >= lo && v <= hi)
        return (int)v;
    fv_attr_refuse(a, "attribute '%s' is %lld; supported is %d to %d", name, (long long)v, lo, hi);
    return lo;
}

int fv_attr_int(fv_attrs *a, const char *name, int def, int lo, int hi) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    return p && p->has_i ? checked(a, name, p->i, lo, hi) : def;
}

float fv_attr_float(fv_attrs *a, const char *name, float def) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    return p && p->has_f ? p->f : def;
}

const char *fv_attr_text(fv_attrs *a, const char *name, const char *def) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    return p && p->has_s ? fv_arena_strndup(a->arena, p->s.len ? (char *)p->s.data : "", p->s.len)
                         : def;
}

int fv_attr_choice(fv_attrs *a, const char *name, int def, const char *const *choices) {
    const char *text = fv_attr_text(a, name, NULL);
    if (!text)
        return def;
    for (int i = 0; choices[i]; i++)
        if (!strcmp(choices[i], text))
            return i;
    fv_attr_refuse(a, "attribute '%s' is '%.40s', which is not supported", name, text);
    return def;
}

static int bounded(fv_attrs *a, const char *name, size_t n, int max) {
    if (n <= (size_t)max)
        return (int)n;
    fv_attr_refuse(a, "attribute '%s' has %zu values; supported are %d", name, n, max);
    return 0;
}

int fv_attr_longs(fv_attrs *a, const char *name, int64_t *v, int max) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    int n = p ? bounded(a, name, p->n_ints, max) : 0;
    for (int i = 0; i < n; i++)
        v[i] = p->ints[i];
    return n;
}

int fv_attr_ints(fv_attrs *a, const char *name, int *v, int max, int lo, int hi) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    int n = p ? bounded(a, name, p->n_ints, max) : 0;
    for (int i = 0; i < n; i++)
        v[i] = checked(a, name, p->ints[i], lo, hi);
    return n;
}

int fv_attr_floats(fv_attrs *a, const char *name, float *v, int max) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    int n = p ? bounded(a, name, p->n_floats, max) : 0;
    for (int i = 0; i < n; i++)
        v[i] = p->floats[i];
    return n;
}

static bool numbers_tensor(fv_attrs *a, fv_tensor *t, fv_dtype dtype, const void *data, size_t n,
                           bool scalar) {
    *t = (fv_tensor){.dtype = dtype, .n_dims = scalar ? 0 : 1, .dim = {(int64_t)n}};
    t->data = fv_arena_memdup(a->arena, data, n * fv_dtype_size(dtype));
    return true;
}

static bool spelled_tensor(fv_attrs *a, fv_tensor *t) {
    const Fovea__Onnx__Attribute *p;
    if ((p = find(a, "value_int")) && p->has_i)
        return numbers_tensor(a, t, FV_I64, &p->i, 1, true);
    if ((p = find(a, "value_float")) && p->has_f)
        return numbers_tensor(a, t, FV_F32, &p->f, 1, true);
    if ((p = find(a, "value_ints")))
        return numbers_tensor(a, t, FV_I64, p->ints, p->n_ints, false);
    if ((p = find(a, "value_floats")))
        return numbers_tensor(a, t, FV_F32, p->floats, p->n_floats, false);
    return false;
}

bool fv_attr_tensor(fv_attrs *a, const char *name, fv_tensor *t) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    if (!p || !p->t)
        return spelled_tensor(a, t);
    if (fv_onnx_is_packed(p->t)) {
        fv_attr_refuse(a, "attribute '%s' is of type %s, which is supported for initialisers only", name,
                       fv_onnx_dtype_text(p->t->data_type));
        return false;
    }
    return fv_onnx_tensor(p->t, a->externals, a->arena, a->max_bytes, t, a->err);
}

// Opset < 6 spells the type as text.
static int dtype_number(const Fovea__Onnx__Attribute *p) {
    if (p->has_i)
        return p->i > 0 && p->i < 64 ? (int)p->i : 0;
    return p->has_s && p->s.len == 5 && !memcmp(p->s.data, "FLOAT", 5) ? 1 : 0;
}

fv_dtype fv_attr_dtype(fv_attrs *a, const char *name, fv_dtype def) {
    const Fovea__Onnx__Attribute *p = find(a, name);
    fv_dtype dtype = p ? fv_onnx_dtype(dtype_number(p)) : def;
    if (dtype == FV_N_DTYPES)
        fv_attr_refuse(a, "attribute '%s' asks for type %s, which is not supported", name,
                       fv_onnx_dtype_text(dtype_number(p)));
    return dtype == FV_N_DTYPES ? def : dtype;
}

void *fv_attr_memdup(fv_attrs *a, const void *data, size_t size) {
    return fv_arena_memdup(a->arena, data, size);
}
