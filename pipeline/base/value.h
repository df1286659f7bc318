// The nouns that cross module borders. Plain structs; no module owns another's types.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

// ---- tensors -----------------------------------------------------------------------------------

#define FV_MAX_DIMS 8

typedef enum {
    FV_F32, FV_F16, FV_F64, FV_I64, FV_I32, FV_I16, FV_I8, FV_U64, FV_U32, FV_U16, FV_U8, FV_BOOL,
    FV_N_DTYPES
} fv_dtype;

// A dense row-major tensor, the last dimension innermost. n_dims 0 is a scalar (one element).
// Who owns `name` and `data` is said by the function that hands the tensor out.
typedef struct {
    const char *name;
    fv_dtype dtype;
    int n_dims;
    int64_t dim[FV_MAX_DIMS];
    void *data;
} fv_tensor;

size_t fv_dtype_size(fv_dtype dtype);          // bytes of one element
const char *fv_dtype_name(fv_dtype dtype);     // "float32", "int64", ... as ONNX and NumPy say
int64_t fv_tensor_count(const fv_tensor *t);   // elements; 1 for a scalar
size_t fv_tensor_bytes(const fv_tensor *t);
// "1x3x416x416" into `text`; returns text.
char *fv_tensor_shape_text(const fv_tensor *t, char *text, size_t size);

// ---- pictures ----------------------------------------------------------------------------------

// The raw formats that every element accepts. FV_RGBA and FV_BGRA also stand for the forms whose
// fourth byte is padding (RGBx, BGRx).
typedef enum { FV_I420, FV_NV12, FV_RGB, FV_RGBA, FV_BGR, FV_BGRA, FV_GRAY8, FV_N_PIXELS } fv_pixels;

// Coefficients of Y'CbCr -> R'G'B' (ITU-R BT.601, BT.709, BT.2020 non-constant luminance).
typedef enum { FV_BT601, FV_BT709, FV_BT2020 } fv_matrix;

// One row per fv_pixels: planes, and per plane the bytes of a pixel and the log2 subsampling.
typedef struct {
    const char *name;   // as GStreamer spells it
    int n_planes;
    struct { uint8_t pixel_bytes, sub_x, sub_y; } plane[3];
    int8_t r, g, b;     // byte positions of the colours in a packed pixel, -1 where there are none
} fv_pixels_row;
extern const fv_pixels_row fv_pixels_rows[FV_N_PIXELS];

// A picture in somebody else's memory. `stride` in bytes. A plane with subsampling has
// (width + 1) >> sub_x columns, and rows likewise.
typedef struct {
    fv_pixels format;
    int width, height; // pixels
    int stride[3];
    uint8_t *plane[3];
    fv_matrix matrix;  // YUV formats only
    bool full_range;   // YUV and gray: 0..255 instead of 16..235
} fv_frame;

// ---- network input and its inverse ---------------------------------------------------------------

typedef enum {
    FV_FIT_STRETCH,            // width and height scaled apart
    FV_FIT_LETTERBOX,          // one scale, picture centred, rest padded
    FV_FIT_LETTERBOX_TOP_LEFT, // one scale, picture in the corner, rest padded right and below
} fv_fit_mode;

typedef enum {
    FV_FILTER_BILINEAR, // four samples around each pixel, also when shrinking (OpenCV's INTER_LINEAR)
    FV_FILTER_AREA,     // when shrinking, the mean over the pixel's footprint (OpenCV's INTER_AREA)
} fv_filter;

// What the network wants to see: value[c] = (pixel[c] - mean[c]) * scale[c], pixel 0..255,
// c in the network's channel order. `width` and `height` are 0 until the graph's shape is known.
typedef struct {
    int width, height;
    fv_fit_mode fit;
    fv_filter filter;
    float pad;           // pixel value 0..255 of the padding
    bool bgr;            // channel 0 is blue
    bool nhwc;           // channels innermost instead of NCHW
    float mean[3], scale[3];
} fv_input;

// network = source * scale + offset, in pixels; its inverse brings boxes back.
typedef struct {
    float scale_x, scale_y, offset_x, offset_y;
} fv_fit;

// The fit of a source picture (pixels; `par` = pixel aspect ratio, width / height of one pixel)
// into the network's input. Scaled sizes are rounded to whole pixels, as the trainers do.
fv_fit fv_fit_compute(const fv_input *input, int source_width, int source_height, float par);

// ---- objects -----------------------------------------------------------------------------------

// Pixels of the source frame; x, y = top left corner; may reach outside the picture.
typedef struct {
    float x, y, w, h;
} fv_box;

float fv_box_iou(fv_box a, fv_box b);                     // 0..1; 0 for empty boxes
fv_box fv_box_clip(fv_box box, float width, float height); // into the picture
fv_box fv_box_round(fv_box box); // to hundredths of a pixel, as records are written

typedef enum {
    FV_STATE_DETECTED,  // no tracker has seen it
    FV_STATE_TENTATIVE, // too young: no id, enters no count
    FV_STATE_CONFIRMED,
    FV_STATE_LOST,      // not seen now, position predicted
    FV_N_STATES
} fv_state;
extern const char *const fv_state_names[FV_N_STATES]; // "detected", "tentative", ...

#define FV_N_KEYPOINTS 5

typedef struct {
    fv_box box;
    float score;        // 0..1
    int label;          // index into the model's labels
    uint64_t id;        // 0: none. Ids start at 1 and are never used again within a stream
    fv_state state;
    bool predicted;     // the box comes from the motion model, not from a detection
    int age;            // frames since the track began
    int detection;      // index of the detection in this frame's input to the tracker, -1: none
    int n_keypoints;    // faces: eyes, nose, mouth corners
    float keypoint[FV_N_KEYPOINTS][2]; // source pixels
} fv_object;

// The caller owns `v`, room for `capacity`; functions that fill it keep the best by score.
typedef struct {
    int n, capacity;
    fv_object *v;
} fv_objects;

// Class names; v[i] is class i. Whoever hands it out owns it.
typedef struct {
    int n;
    const char *const *v;
} fv_labels;

// "class 7" stands in for a name that is missing; valid until the next call in this thread.
const char *fv_label_get(const fv_labels *labels, int label);

// Numbers on the device: float32, float16, or the better of the two (infer/infer.h).
typedef enum { FV_PRECISION_AUTO, FV_PRECISION_FP32, FV_PRECISION_FP16 } fv_precision;
extern const char *const fv_precision_names[]; // "auto", "fp32", "fp16", NULL
bool fv_precision_parse(const char *text, fv_precision *precision, fv_err *err);

// ---- time and records ------------------------------------------------------------------------------

#define FV_TIME_NONE INT64_MIN

typedef enum { FV_UTC_NONE, FV_UTC_FILE, FV_UTC_ARRIVAL, FV_UTC_RTCP, FV_UTC_NTP, FV_N_UTC_SOURCES } fv_utc_source;
extern const char *const fv_utc_source_names[FV_N_UTC_SOURCES]; // "none", "file", "arrival", ...

typedef enum { FV_INFERRED, FV_PREDICTED, FV_SKIPPED, FV_N_INFERENCES } fv_inference;
extern const char *const fv_inference_names[FV_N_INFERENCES]; // "inferred", "predicted", "skipped"

// What is known of one frame.
typedef struct {
    const char *stream;
    uint64_t frame;          // 0, 1, 2, ... as decoded
    int64_t pts_ns;          // stream time, or FV_TIME_NONE
    int64_t utc_ns;          // Unix epoch, or FV_TIME_NONE
    fv_utc_source utc_source;
    int width, height;       // pixels
    fv_inference inference;
    fv_objects objects;
    const fv_labels *labels;
} fv_record;

typedef enum { FV_PHASE_MOMENT, FV_PHASE_START, FV_PHASE_UPDATE, FV_PHASE_END, FV_N_PHASES } fv_phase;
extern const char *const fv_phase_names[FV_N_PHASES];

// Something that a rule saw. Texts belong to the rules and live as long as they do.
typedef struct {
    uint64_t id;             // unique within the stream, the same from start to end
    const char *event;       // "cross", "enter", "leave", "dwell", "overcrowding", ...
    const char *rule;        // the rule's name
    const char *direction;   // lines: "in"/"out" or the names that the rule gives; else NULL
    fv_phase phase;
    bool has_object;
    fv_object object;
    float before[2], after[2]; // anchor point before and after, source pixels; NAN where unknown
    int64_t count;           // objects inside, crossings so far, ...; -1 where it has no meaning
    double value;            // seconds of dwell, speed, ...; NAN where it has no meaning
    uint64_t frame;
    int64_t pts_ns, utc_ns;
} fv_event;

// ---- the ledger --------------------------------------------------------------------------------

typedef enum { FV_DROP_QOS, FV_DROP_QUEUE, FV_DROP_DECODE, FV_DROP_FLUSH, FV_DROP_ERROR, FV_N_DROPS } fv_drop;
extern const char *const fv_drop_names[FV_N_DROPS];

// Per stream; always balances: decoded = inferred + predicted + skipped + sum of dropped.
typedef struct {
    uint64_t decoded, inferred, predicted, skipped, dropped[FV_N_DROPS];
} fv_ledger;

bool fv_ledger_balances(const fv_ledger *ledger);
uint64_t fv_ledger_dropped(const fv_ledger *ledger); // over all reasons
