// Bad input to `fovea annotate`: one line that says what is wrong, exit code 2, and the files that were to be
// written are as they were.
#include "tests/run/clips.h"
#include "tests/run/tiny_onnx.h"

typedef struct {
    const char *input, *options; // options: without -o and --events where they name both
    const char *parts[3];        // of the line
} row;

static const char both[] = "-o p.mp4 --events p.jsonl";

static void write_text(const char *name, const char *text) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", clips_folder(), name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void refuse(const row *r, const char *environment) {
    int code = run_shell("echo video > p.mp4; echo records > p.jsonl; %s timeout 300 \"$FOVEA\" annotate %s %s", environment,
                         r->input, r->options);
    CHECK_EQUAL(code, 2);
    CHECK_EQUAL(count_lines(run_output, ""), 1);
    for (int i = 0; i < 3 && r->parts[i]; i++)
        CHECK_CONTAINS(run_output, r->parts[i]);
    CHECK_EQUAL(run_shell("cat p.mp4 p.jsonl"), 0);
    CHECK_TEXT(run_output, "video\nrecords\n");
}

static void refuse_all(const row *rows, size_t n) {
    for (size_t i = 0; i < n; i++)
        refuse(&rows[i], "");
}

static void sources(void) {
    static const row rows[] = {
        {"missing.mp4", both, {"missing.mp4: cannot be read: No such file or directory"}},
        {"empty.mp4", both, {"empty.mp4: ", "empty, truncated"}},
        {"cut.mp4", both, {"cut.mp4: ", "empty, truncated"}},
        {"noise.mp4", both, {"noise.mp4: not a video"}},
        {"sound.mp4", both, {"sound.mp4: has no video, only sound"}},
        {"zero.mp4", both, {"zero.mp4: ", "empty"}},
        {"/tmp", both, {"/tmp: is a folder, not a file"}},
        {"http://127.0.0.1:9/x.mp4", both, {"http://127.0.0.1:9/x.mp4: connection refused"}},
        {"rtsp://me:secret@127.0.0.1:9/x", both, {"rtsp://***@127.0.0.1:9/x: connection refused"}},
        {"gopher://x", both, {"gopher://x: unknown kind of URL"}},
        {"/dev/video99", both, {"/dev/video99: no such file or device"}},
        {"v4l2://in.mp4", both, {"v4l2://in.mp4: is no camera; `fovea devices` lists what is there"}},
        {"nothing_%03d.png", both, {"nothing_%03d.png: no such file"}},
        {"lavfi:nonsense", both, {"lavfi:nonsense: "}},
    };
    refuse_all(rows, sizeof rows / sizeof rows[0]);
    CHECK_EQUAL(run_fovea("annotate '' %s", both), 2);
    CHECK_CONTAINS(run_output, "which INPUT?");
}

static void outputs(void) {
    static const row rows[] = {
        {"in.mp4", "-o nowhere/o.mp4 --events p.jsonl", {"nowhere/o.mp4: the folder nowhere is not there; make it first"}},
        {"in.mp4", "-o p.mp4 --events nowhere/e.jsonl", {"nowhere/e.jsonl: the folder nowhere is not there; make it first"}},
        {"in.mp4", "-o in.mp4/o.mp4 --events p.jsonl", {"in.mp4 is not a folder"}},
        {"in.mp4", "-o p.avi --events p.jsonl", {"p.avi: the ending says the container; known are .mp4"}},
        {"in.mp4", "-o in.mp4 --events p.jsonl", {"in.mp4 is the source; write to another file"}},
        {"file://$PWD/in.mp4", "-o $PWD/in.mp4 --events p.jsonl", {"in.mp4 is the source; write to another file"}},
        {"in.mp4", "-o p.mp4 --events p.mp4", {"p.mp4 is written by another output already"}},
        {"in.mp4", "-o folder.mp4 --events p.jsonl", {"folder.mp4: is a folder; give the name of a file"}},
        // root may do anything in /proc but make files
        {"in.mp4", "-o /proc/o.mp4 --events p.jsonl", {"/proc/o.mp4: cannot be written: "}},
        {"in.mp4", "-o p.mp4 --events /proc/e.jsonl", {"/proc/e.jsonl: cannot be written: "}},
    };
    run_shell("mkdir -p folder.mp4; md5sum in.mp4 > in.sum");
    refuse_all(rows, sizeof rows / sizeof rows[0]);
    CHECK_EQUAL(run_shell("md5sum -c in.sum"), 0);
}

static void options(void) {
    static const row rows[] = {
        {"in.mp4", "-o p.mp4 --events p.jsonl --threshold 7", {"--threshold 7: error: threshold: 7 is out of range, allowed is 0 to 1"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --threshold abc", {"--threshold abc: error: ", "'abc' is not a number"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --frames -3", {"--frames -3: error: frames: -3 is out of range"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --track magic", {"'magic' is not one of sort, bytetrack, ocsort"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --codec vp9", {".mp4 cannot hold vp9"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --classes zebra,unicorn", {"the model has no class '"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --labels none.names", {"none.names: cannot be read: No such file"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --card none.yaml", {"none.yaml: cannot be read: No such file"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --rules none.yaml", {"none.yaml: ", "cannot be read: No such file"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --device nonesuch", {"device 'nonesuch': no such device; there are "}},
    };
    refuse_all(rows, sizeof rows / sizeof rows[0]);
}

static void models(void) {
    static const row rows[] = {
        {"in.mp4", "-o p.mp4 --events p.jsonl --model missing.onnx", {"missing.onnx: cannot be read: No such file"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --model folder.mp4", {"folder.mp4: is a folder, not a file"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --model empty.onnx", {"empty.onnx: is empty"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --model text.onnx", {"text.onnx: not an ONNX model, or a truncated one"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --model torn.onnx", {"torn.onnx: not an ONNX model, or a truncated one"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --model odd.onnx", {"odd.onnx: ", "Frobnicate", "'middle'"}},
        {"in.mp4", "-o p.mp4 --events p.jsonl --model relu.onnx", {"relu.onnx: ", "out 1x3x8x8", "head: {family: yolov8, classes: 80}"}},
    };
    char path[1200];
    run_shell("mkdir -p folder.mp4; : > empty.onnx; echo this is not a model > text.onnx; head -c 100000 %s > torn.onnx",
              fv_test_source("models/street.onnx"));
    snprintf(path, sizeof path, "%s/odd.onnx", clips_folder());
    CHECK(tiny_onnx_write(path, "Frobnicate", "middle"));
    snprintf(path, sizeof path, "%s/relu.onnx", clips_folder());
    CHECK(tiny_onnx_write(path, "Relu", "r"));
    refuse_all(rows, sizeof rows / sizeof rows[0]);
    refuse(&(row){"in.mp4", both, {"no Vulkan device; install mesa-vulkan-drivers"}}, "VK_ICD_FILENAMES=/nonexistent");
    refuse(&(row){"in.mp4", both, {"default detector is not installed at /nonexistent/"}}, "FOVEA_DATA=/nonexistent");
}

static void rules(void) {
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"rules: [\n", "rules.yaml:2:1: error: "},
        {"rules:\n- {lin: gate, points: [[0, 0], [1, 1]]}\n", "did you mean 'line'?"},
        {"rules:\n- {line: gate, points: 7}\n", "rules.yaml:2:"},
        {"rules:\n- {zone: yard, points: [[0, 0], [1, 1], [0, 1]], dwell: -3}\n", "dwell"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_text("rules.yaml", rows[i].text);
        CHECK_EQUAL(run_shell("echo video > p.mp4; \"$FOVEA\" annotate in.mp4 -o p.mp4 --rules rules.yaml"), 2);
        CHECK_CONTAINS(run_output, rows[i].part);
        CHECK_EQUAL(run_shell("cat p.mp4"), 0);
        CHECK_TEXT(run_output, "video\n");
    }
}

// /dev/full has no room, whoever writes.
static void no_room(void) {
    run_shell("ln -sf /dev/full full.mp4; ln -sf /dev/full full.jsonl; rm -f p.mp4 p.jsonl");
    CHECK_EQUAL(run_fovea("annotate in.mp4 -o full.mp4 --events p.jsonl --frames 30"), 2);
    CHECK_EQUAL(count_lines(run_output, "error:"), 1);
    CHECK_CONTAINS(run_output, "full.mp4: No space left on device; the file is broken off there; make room and run again");
    check_records("p.jsonl", 30); // the other output went on
    CHECK_EQUAL(run_fovea("annotate in.mp4 -o p.mp4 --events full.jsonl --frames 30"), 2);
    CHECK_CONTAINS(run_output, "full.jsonl: No space left on device; records wait for room");
    CHECK_CONTAINS(run_output, "in: broke off full.jsonl: 0 records; 30 could not be written");
    CHECK(!strstr(run_output, "wrote full.jsonl"));
    CHECK_EQUAL(count_frames("p.mp4"), 30);
    CHECK_EQUAL(run_shell("rm -f p.mp4; ulimit -f 20; timeout 300 \"$FOVEA\" annotate in.mp4 -o p.mp4"), 2);
    CHECK_CONTAINS(run_output, "p.mp4: File too large; the file is broken off there");
    CHECK_CONTAINS(run_output, "in: broke off p.mp4");
}

const fv_suite refused_suite = {"refused", (const fv_case[]){CASE(sources),
                                                             CASE(outputs),
                                                             CASE(options),
                                                             CASE(models),
                                                             CASE(rules),
                                                             CASE(no_room),
                                                             {0}}};
