#define _GNU_SOURCE
#include "tests/hostile/targets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/graph/hostile.h"
#include "tests/test.h"

static void copy(FILE *to, const char *source) {
    char *text = fv_test_read(fv_test_source(source));
    fputs(text ? text : "", to);
    free(text);
}

static void seed_card(FILE *to) {
    fputs("input: {size: [416, 256], fit: letterbox-top-left, pad: 114, channels: bgr, layout: nchw, mean: [1, 2, 3], "
          "std: 255}\nhead: {family: yolo-anchors, anchors: [[12, 18], [37, 49]], strides: [16, 32], classes: 3}\n"
          "labels: [person, car, bus]\nthreshold: 0.3\niou-threshold: 0.5\nexclusive: [car, bus]\nprecision: fp32\n",
          to);
}

static void seed_desc(FILE *to) {
    fputs("fovea: 1\nmodels:\n  street: {file: /proc/self/exe, threshold: 0.4}\nstreams:\n  - name: gate\n"
          "    source: {uri: &cam rtsp://camera/1, transport: tcp, timeout: 10s}\n"
          "    detect: {model: street, every: 3, classes: [person, car]}\n    track: bytetrack\n"
          "    events: {rules: [{line: door, points: [[0.1, 0.6], [0.9, 0.6]]}]}\n    overlay: {trails: true}\n"
          "    outputs:\n      - publish: {to: -}\n      - display: {}\n  - {source: *cam, name: \"${NOT_SET:-two}\", outputs: [{publish: \"-\"}]}\n",
          to);
}

static void seed_rules(FILE *to) {
    copy(to, "config/rules/every-key.yaml");
}

static void seed_set(FILE *to) {
    fputs("streams.gate.detect.every=2\nmodels.street={file: a.onnx, threshold: 0.4}\nstreams.0.track=sort",
          to);
}

static void seed_address(FILE *to) {
    fputs("mqtt://user@host:1883/base/topic\nhttps://[::1]:80/path?q=1\nkafka://a:9092,b:9092/topic\n"
          "unix:/run/x.sock\ntcp://host:9000\n-\nout/gate.jsonl\n",
          to);
}

static void seed_names(FILE *to) {
    fputs("{0: 'person', 2: \"driver's cab\", 1: 'a\\'b, c'}\nbike \r\n\n", to);
}

static void seed_records(FILE *to) {
    fputs("{\"schema\":\"fovea/1\",\"type\":\"frame\",\"stream\":\"gate\",\"frame\":2,\"pts_ns\":80000000,"
          "\"utc\":\"2026-07-14T14:44:44.592000Z\",\"utc_source\":\"ntp\",\"width\":640,\"height\":360,"
          "\"inference\":\"inferred\",\"objects\":[{\"id\":1,\"label\":\"person\",\"label_id\":1,\"score\":0.5,"
          "\"box\":[1.5,2,30,40],\"box_norm\":[0.1,0.1,0.1,0.1],\"state\":\"confirmed\",\"predicted\":false,\"age\":2}]}\n"
          "{\"schema\":\"fovea/1\",\"type\":\"event\",\"id\":1,\"event\":\"cross\"}\n\n",
          to);
}

static void seed_mot(FILE *to) {
    fputs("1,1,100.5,20,30,80,1,1,0.9\n1,2,300,20.25,30,80,0,8,1\n2,1,102,21,30,80,1,1,0.9\n2,2,301,20,30,80,1,2,1\n",
          to);
}

// A model of one node: y = relu(x), as bytes of the wire format.
static void seed_onnx(FILE *to) {
    static const uint8_t model[] = {
        0x08, 0x08, 0x12, 0x00, 0x3a, 0x3b, 0x0a, 0x0c, 0x0a, 0x01, 0x78, 0x12, 0x01, 0x79, 0x22, 0x04,
        0x52, 0x65, 0x6c, 0x75, 0x12, 0x01, 0x67, 0x5a, 0x13, 0x0a, 0x01, 0x78, 0x12, 0x0e, 0x0a, 0x0c,
        0x08, 0x01, 0x12, 0x08, 0x0a, 0x02, 0x08, 0x01, 0x0a, 0x02, 0x08, 0x04, 0x62, 0x13, 0x0a, 0x01,
        0x79, 0x12, 0x0e, 0x0a, 0x0c, 0x08, 0x01, 0x12, 0x08, 0x0a, 0x02, 0x08, 0x01, 0x0a, 0x02, 0x08,
        0x04, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x0d};
    fwrite(model, 1, sizeof model, to);
}

const hostile_target hostile_targets[] = {
    {"onnx", seed_onnx, hostile_try},
    {"card", seed_card, hostile_take_card},
    {"desc", seed_desc, hostile_take_desc},
    {"rules", seed_rules, hostile_take_rules},
    {"set", seed_set, hostile_take_set},
    {"address", seed_address, hostile_take_address},
    {"names", seed_names, hostile_take_names},
    {"records", seed_records, hostile_take_records},
    {"mot", seed_mot, hostile_take_mot},
    {"npy", hostile_seed_npy, hostile_take_npy},
    {"mp4", hostile_seed_mp4, hostile_take_mp4},
    {"spool", hostile_seed_spool, hostile_take_spool},
    {"tune", hostile_seed_tune, hostile_take_tune},
    {0},
};

const hostile_target *hostile_target_find(const char *name) {
    for (const hostile_target *t = hostile_targets; t->name; t++)
        if (!strcmp(t->name, name))
            return t;
    return NULL;
}

const char *hostile_file(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[32];
    if (fd < 0)
        fd = memfd_create("hostile", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    return path;
}
