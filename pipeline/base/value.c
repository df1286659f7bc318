#include "pipeline/base/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    size_t size;
    const char *name;
} dtypes[FV_N_DTYPES] = {
    [FV_F32] = {4, "float32"}, [FV_F16] = {2, "float16"}, [FV_F64] = {8, "float64"},
    [FV_I64] = {8, "int64"},   [FV_I32] = {4, "int32"},   [FV_I16] = {2, "int16"},
    [FV_I8] = {1, "int8"},     [FV_U64] = {8, "uint64"},  [FV_U32] = {4, "uint32"},
    [FV_U16] = {2, "uint16"},  [FV_U8] = {1, "uint8"},    [FV_BOOL] = {1, "bool"},
};

const fv_pixels_row fv_pixels_rows[FV_N_PIXELS] = {
    [FV_I420] = {"I420", 3, {{1, 0, 0}, {1, 1, 1}, {1, 1, 1}}, -1, -1, -1},
    [FV_NV12] = {"NV12", 2, {{1, 0, 0}, {2, 1, 1}}, -1, -1, -1},
    [FV_RGB] = {"RGB", 1, {{3, 0, 0}}, 0, 1, 2},
    [FV_RGBA] = {"RGBA", 1, {{4, 0, 0}}, 0, 1, 2},
    [FV_BGR] = {"BGR", 1, {{3, 0, 0}}, 2, 1, 0},
    [FV_BGRA] = {"BGRA", 1, {{4, 0, 0}}, 2, 1, 0},
    [FV_GRAY8] = {"GRAY8", 1, {{1, 0, 0}}, -1, -1, -1},
};

const char *const fv_state_names[FV_N_STATES] = {"detected", "tentative", "confirmed", "lost"};
const char *const fv_precision_names[] = {"auto", "fp32", "fp16", NULL};
const char *const fv_utc_source_names[FV_N_UTC_SOURCES] = {"none", "file", "arrival", "rtcp", "ntp"};
const char *const fv_inference_names[FV_N_INFERENCES] = {"inferred", "predicted", "skipped"};
const char *const fv_phase_names[FV_N_PHASES] = {"moment", "start", "update", "end"};
const char *const fv_drop_names[FV_N_DROPS] = {"qos", "queue", "decode", "flush", "error"};

size_t fv_dtype_size(fv_dtype dtype) {
    return dtypes[dtype].size;
}

const char *fv_dtype_name(fv_dtype dtype) {
    return dtypes[dtype].name;
}

int64_t fv_tensor_count(const fv_tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        n *= t->dim[i];
    return n;
}

size_t fv_tensor_bytes(const fv_tensor *t) {
    return (size_t)fv_tensor_count(t) * fv_dtype_size(t->dtype);
}

char *fv_tensor_shape_text(const fv_tensor *t, char *text, size_t size) {
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < t->n_dims && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? "x" : "", (long long)t->dim[i]);
    if (!t->n_dims)
        snprintf(text, size, "scalar");
    return text;
}

fv_fit fv_fit_compute(const fv_input *input, int source_width, int source_height, float par) {
    float w = (float)source_width, h = (float)source_height;
    if (input->fit == FV_FIT_STRETCH)
        return (fv_fit){(float)input->width / w, (float)input->height / h, 0, 0};
    float scale = fminf((float)input->width / (w * par), (float)input->height / h);
    float fitted_w = fmaxf(1, roundf(w * par * scale)), fitted_h = fmaxf(1, roundf(h * scale));
    bool centred = input->fit == FV_FIT_LETTERBOX;
    return (fv_fit){
        .scale_x = fitted_w / w,
        .scale_y = fitted_h / h,
        .offset_x = centred ? floorf(((float)input->width - fitted_w) / 2) : 0,
        .offset_y = centred ? floorf(((float)input->height - fitted_h) / 2) : 0,
    };
}

float fv_box_iou(fv_box a, fv_box b) {
    float w = fminf(a.x + a.w, b.x + b.w) - fmaxf(a.x, b.x);
    float h = fminf(a.y + a.h, b.y + b.h) - fmaxf(a.y, b.y);
    if (w <= 0 || h <= 0)
        return 0;
    return w * h / (a.w * a.h + b.w * b.h - w * h);
}

static float hundredths(float v) {
    return (float)(round((double)v * 100) / 100);
}

fv_box fv_box_round(fv_box b) {
    return (fv_box){hundredths(b.x), hundredths(b.y), hundredths(b.w), hundredths(b.h)};
}

fv_box fv_box_clip(fv_box box, float width, float height) {
    float x0 = fminf(fmaxf(box.x, 0), width), x1 = fminf(fmaxf(box.x + box.w, 0), width);
    float y0 = fminf(fmaxf(box.y, 0), height), y1 = fminf(fmaxf(box.y + box.h, 0), height);
    return (fv_box){x0, y0, x1 - x0, y1 - y0};
}

const char *fv_label_get(const fv_labels *labels, int label) {
    static _Thread_local char text[32];
    if (labels && label >= 0 && label < labels->n)
        return labels->v[label];
    snprintf(text, sizeof text, "class %d", label);
    return text;
}

bool fv_ledger_balances(const fv_ledger *ledger) {
    return ledger->decoded ==
           ledger->inferred + ledger->predicted + ledger->skipped + fv_ledger_dropped(ledger);
}

uint64_t fv_ledger_dropped(const fv_ledger *ledger) {
    uint64_t n = 0;
    for (int i = 0; i < FV_N_DROPS; i++)
        n += ledger->dropped[i];
    return n;
}

bool fv_precision_parse(const char *text, fv_precision *precision, fv_err *err) {
    for (int i = 0; fv_precision_names[i]; i++)
        if (!strcmp(text, fv_precision_names[i])) {
            *precision = (fv_precision)i;
            return true;
        }
    return fv_fail(err, FV_BAD_INPUT, "precision '%s': auto, fp32 or fp16", text);
}
