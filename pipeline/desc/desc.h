// The description: what `fovea run` runs. YAML, read by the schema rows in desc.c; config/README.md
// shows every key.
//
//     fovea: 1
//     models:
//       street: {file: models/street.onnx, threshold: 0.4}
//     streams:
//       - name: gate
//         source: rtsp://camera/1
//         detect: {model: street, every: 3, classes: [person, car]}
//         track: bytetrack
//         events: rules/gate.yaml
//         overlay: {trails: true}
//         outputs:
//           - file: out/gate.mp4
//           - publish: {to: out/gate.jsonl}
//
// Paths start at the file that says them: the description's folder, the current folder for --set
// and for values that begin with ${NAME}.
#pragma once

#include "pipeline/base/rule.h"
#include "pipeline/desc/schema.h"

typedef enum { FV_CODEC_AUTO, FV_CODEC_H264, FV_CODEC_H265, FV_CODEC_VP9, FV_CODEC_MJPEG, FV_N_CODECS } fv_codec;
extern const char *const fv_codec_names[FV_N_CODECS + 1]; // "auto", "h264", ...; NULL-terminated

typedef enum { FV_BOX_MP4, FV_BOX_MATROSKA, FV_BOX_WEBM, FV_N_BOXES } fv_box_format;

// An encoded file. Its ending says the container (fv_desc_container).
typedef struct {
    fv_given given;
    const char *path;
    int codec;      // fv_codec
    int quality;    // 1 (worst) .. 100 (best)
    int bitrate;    // kbit/s; 0: by quality
    int speed;      // 0 (smallest file) .. 9 (fastest)
    int64_t key_ns; // time between key frames
    bool audio;     // pass the source's audio on
} fv_desc_file;

typedef enum { FV_OUTPUT_FILE, FV_OUTPUT_PUBLISH, FV_OUTPUT_DISPLAY, FV_N_OUTPUTS } fv_output_kind;

// Exactly one of the three is there.
typedef struct {
    fv_given given;
    fv_desc_file *file;
    fv_settings *publish; // of fvpublish
    fv_settings *display; // a window; settings of autovideosink
} fv_desc_output;

// The settings are those of the elements of the same names, with every path made whole; NULL: no
// such element.
typedef struct {
    fv_given given;
    const char *name;     // unique; default: the source's file name without its ending
    fv_settings *source;  // fvsrc; always there
    fv_settings *detect;  // fvdetect; `model` names a file, what the model's entry says is merged in
    fv_settings *track;   // fvtrack
    fv_settings *overlay; // fvoverlay
    const fv_yaml_node *events_node;
    const char *events;   // what fvevents takes as `rules`: a path, or the rules as one line; NULL: none
    const char *report;   // folder of what fvevents writes at the end; NULL: none
    fv_items outputs;     // of fv_desc_output
} fv_desc_stream;

typedef struct {
    fv_given given;
    int version;
    fv_items models;  // of fv_settings
    fv_items streams; // of fv_desc_stream
} fv_desc;

// Reads a description that is a node of `reader->yaml` and checks all that can be known without
// running: keys, values, names, files that are to be read, folders that are to be written. Mistakes
// are noted in the document; the description is usable when there are none. It lives in the
// document's arena.
void fv_desc_read(fv_desc *desc, const fv_schema_reader *reader, const fv_yaml_node *root);

// By the ending of the path: .mp4 .m4v .mov, .mkv, .webm; FV_N_BOXES for others. *known gets the
// list.
fv_box_format fv_desc_container(const char *path, const char **known);

// True for what is opened as a file or folder of this machine: no scheme, no device, no pattern of
// pictures.
bool fv_desc_is_local_file(const char *uri);
