#include "pipeline/detect/labels.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABELS = 65536 };

static const char *const coco[] = {
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack",
    "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball",
    "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket",
    "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair",
    "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote",
    "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
};
const fv_labels fv_labels_coco = {sizeof coco / sizeof *coco, coco};

static const char *const face[] = {"face"};
const fv_labels fv_labels_face = {1, face};

// One quoted text; `*at` is moved behind it. A backslash keeps the next letter.
static char *quoted(const char **at, fv_arena *arena) {
    char quote = *(*at)++;
    const char *end = *at;
    while (*end && *end != quote)
        end += *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return NULL;
    char *text = fv_arena_alloc(arena, (size_t)(end - *at) + 1);
    for (size_t n = 0; *at < end; (*at)++) {
        *at += **at == '\\' && (*at)[1];
        text[n++] = **at;
    }
    *at = end + 1;
    return text;
}

static int count_names(const char *text) { // no more than the colons and commas allow
    int n = 1;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

fv_labels fv_labels_from_metadata(const char *text, fv_arena *arena) {
    fv_labels none = {0};
    if (!text || (*text != '{' && *text != '['))
        return none;
    int room = count_names(text), top = 0;
    long number = -1;
    struct name {
        long number;
        const char *text;
    } *names = FV_ARENA_NEW(arena, struct name, room);
    int n = 0;
    for (const char *at = text + 1; *at;) {
        if (isdigit((unsigned char)*at)) {
            char *end;
            number = strtol(at, &end, 10);
            at = end;
        } else if (*at == '\'' || *at == '"') {
            const char *name = quoted(&at, arena);
            number = *text == '[' ? n : number;
            if (!name || n == room || number < 0 || number >= MAX_LABELS)
                return none;
            names[n++] = (struct name){number, name};
            top = number + 1 > top ? (int)number + 1 : top;
            number = -1;
        } else {
            at++;
        }
    }
    const char **v = FV_ARENA_NEW(arena, const char *, top + 1);
    for (int i = 0; i < n; i++)
        v[names[i].number] = names[i].text;
    for (int i = 0; i < top; i++)
        v[i] = v[i] ? v[i] : fv_arena_printf(arena, "class %d", i);
    return (fv_labels){top, v};
}
