#define _GNU_SOURCE
// What people do wrong and what goes wrong: one clear line, the right exit code, nothing lost.
#include <stdlib.h>
#include <unistd.h>

#include "tests/run/clips.h"

static const char *model(void) {
    static char path[1100];
    const char *shared = fv_test_shared("models/FastestDet.onnx");
    snprintf(path, sizeof path, "%s", shared ? shared : "");
    return shared ? path : NULL;
}

static void write_text(const char *name, const char *text) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", clips_folder(), name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void run_source(const char *source, int expected, const char *part) {
    write_text("bad.yaml",
               "fovea: 1\nstreams:\n- {source: \"${INPUT}\", outputs: [{file: \"bad.mp4\"}]}\n");
    int code =
        run_shell("echo precious > bad.mp4; INPUT=%s timeout 300 \"$FOVEA\" run bad.yaml", source);
    CHECK_ERROR(code, expected, part);
    run_shell("cat bad.mp4");
    CHECK_TEXT(run_output, "precious\n"); // no output was opened
}

static void sources_that_are_no_video(void) {
    static const struct {
        const char *source, *part;
    } rows[] = {
        {"missing.mp4", "missing.mp4: cannot be read: No such file or directory"},
        {"empty.mp4", "empty.mp4: not a video that can be read"},
        {"cut.mp4", "cut.mp4: not a video that can be read"},
        {"noise.mp4", "noise.mp4: not a video that can be read"},
        {"sound.mp4", "sound.mp4: has no video"},
        {"zero.mp4", "zero.mp4: "},
        {"/tmp", "/tmp: is a folder, not a file"},
        {"http://127.0.0.1:9/x.mp4", "connection refused"},
        {"rtsp://127.0.0.1:9/x", "connection refused"},
        {"/dev/video99", "/dev/video99: no such file or device"},
        {"bad.yaml", "bad.yaml: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        run_source(rows[i].source, 2, rows[i].part);
}

// What is there is annotated, and the end is told.
static void files_that_are_cut_short(void) {
    static const char *const files[] = {"half.mp4", "half.mkv"};
    for (int i = 0; i < 2; i++) {
        write_text(
            "cut.yaml",
            "fovea: 1\nstreams:\n- {source: \"${INPUT}\", outputs: [{file: cut-out.mp4}]}\n");
        CHECK_EQUAL(run_shell("INPUT=%s timeout 300 \"$FOVEA\" run cut.yaml", files[i]), 2);
        CHECK_EQUAL(count_lines(run_output, "the file is cut short"), 1);
        int frames = count_frames("cut-out.mp4");
        CHECK(frames > 5 && frames < 45);
    }
}

static void descriptions_with_mistakes(void) {
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"fovea: 1\nstreams: [\n", "wrong.yaml:3:1: error: "},
        {"fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{publish: {to: a, fromat: fovea}}]}\n",
         "wrong.yaml:3:48: error: unknown key 'fromat', did you mean 'format'?"},
        {"fovea: 1\nstreams:\n- {source: in.mp4, track: {confirm-hits: [1, 2]}, outputs: [{publish: a}]}\n",
         "is not a whole number"},
        {"fovea: 1\nstreams:\n- {source: {uri: in.mp4, threads: 9999}, outputs: [{publish: a}]}\n",
         "wrong.yaml:3:35: error: threads: 9999 is out of range, allowed is 0 to 256"},
        {"fovea: 1\nstreams:\n- {source: in.mp4, detect: none.onnx, outputs: [{publish: a}]}\n",
         "none.onnx: cannot be read: No such file or directory"},
        {"fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{file: nowhere/o.mp4}]}\n",
         "the folder nowhere is not there; make it first"},
        {"fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{publish: in.mp4/o.jsonl}]}\n",
         "in.mp4/o.jsonl: in.mp4 is not a folder"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_text("wrong.yaml", rows[i].text);
        int code = run_fovea("check wrong.yaml");
        CHECK_EQUAL(code, 2);
        CHECK_CONTAINS(run_output, rows[i].part);
        CHECK_CONTAINS(run_output, "^\n");
        CHECK_EQUAL(run_fovea("run wrong.yaml"), 2);
    }
    CHECK_EQUAL(run_fovea("check missing.yaml"), 2);
    CHECK_TEXT(run_output, "missing.yaml: error: cannot be read: No such file or directory\n");
}

static void wrong_command_lines(void) {
    static const struct {
        const char *arguments, *part;
    } rows[] = {
        {"annotate", "which INPUT?"},
        {"annotate in.mp4", "give -o OUT.mp4"},
        {"annotate in.mp4 -o o.mp4 --thrshold 1",
         "unknown option --thrshold, did you mean --threshold"},
        {"annotate in.mp4 -o o.mp4 --threshold 7",
         "--threshold 7: error: threshold: 7 is out of range"},
        {"annotate in.mp4 -o o.avi", "the ending says the container"},
        {"annotate in.mp4 -o in.mp4", "is the source; write to another file"},
        {"annotate in.mp4 -o", "lacks its value"},
        {"run", "which description?"},
        {"run a.yaml b.yaml", "one description"},
        {"check x.yaml --set", "--set needs KEY=VALUE"},
        {"chekc x.yaml", "did you mean 'check'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQUAL(run_fovea("%s", rows[i].arguments), 2);
        CHECK_CONTAINS(run_output, rows[i].part);
    }
}

static void models_that_cannot_be_used(void) {
    const char *good = model();
    write_text("text.onnx", "this is not a model\n");
    CHECK_ERROR(run_fovea("annotate in.mp4 -o m.mp4 --model text.onnx"), 2, "text.onnx: ");
    if (!good)
        return;
    CHECK_EQUAL(run_shell("head -c 50000 %s > torn.onnx", good), 0);
    CHECK_ERROR(run_fovea("annotate in.mp4 -o m.mp4 --model torn.onnx"), 2, "torn.onnx: ");
    CHECK_ERROR(
        run_shell(
            "echo precious > m.mp4; VK_ICD_FILENAMES=/nonexistent \"$FOVEA\" annotate in.mp4 -o m.mp4 --model %s",
            good),
        2, "install mesa-vulkan-drivers");
    run_shell("cat m.mp4");
    CHECK_TEXT(run_output, "precious\n");
}

static void a_full_disk(void) {
    if (geteuid() ||
        run_shell("mkdir -p small && mount -t tmpfs -o size=100k tmpfs small && umount small")) {
        fv_test_skip("no small disk can be mounted here");
        return;
    }
    write_text(
        "full.yaml",
        "fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{file: {path: \"${V}\", quality: 100}}, {publish: \"${R}\"}]}\n");
    int code = run_shell(
        "mount -t tmpfs -o size=100k tmpfs small; V=small/o.mp4 R=r.jsonl \"$FOVEA\" run full.yaml; c=$?; umount small; exit $c");
    CHECK_ERROR(code, 2, "fovea: error: small/o.mp4: No space left on device");
    CHECK_CONTAINS(run_output, "in: 50 frames decoded");
    check_records("r.jsonl", 50); // the other output went on
    code = run_shell(
        "mount -t tmpfs -o size=4k tmpfs small; V=o.mp4 R=small/r.jsonl \"$FOVEA\" run full.yaml; c=$?; cp small/r.jsonl part.jsonl; umount small; exit $c");
    CHECK_EQUAL(code, 2);
    CHECK_EQUAL(count_lines(run_output, "error: small/r.jsonl: No space left on device"), 1);
    CHECK_EQUAL(count_frames("o.mp4"), 50);
    run_shell("wc -l < part.jsonl");
    check_records("part.jsonl", atoi(run_output));
}

// Files are whole whichever way a run is told to end; a lost terminal is told twice, by the kernel and by the shell.
static void interrupted(void) {
    static const char *const ends[] = {"kill -INT $p", "kill -TERM $p", "kill -HUP $p; sleep 0.02; kill -HUP $p"};
    write_text(
        "long.yaml",
        "fovea: 1\nstreams:\n- {source: {uri: in.mp4, loop: true}, outputs: [{file: long.mp4}, {publish: long.jsonl}]}\n");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char command[400];
        snprintf(command, sizeof command, "rm -f long.*4 long.jsonl; \"$FOVEA\" run long.yaml & p=$!; "
                 "until [ -s long.jsonl ]; do sleep 0.1; done; %s; wait $p", ends[i]);
        CHECK_EQUAL(run_shell(command), 0);
        CHECK_EQUAL(strstr(run_output, "finishing files") != NULL, i < 2);
        int frames = count_frames("long.mp4");
        CHECK(frames > 0);
        check_records("long.jsonl", frames);
    }
}

// In a start-up, while pads of sound are still to come: the file has the first picture and its sound.
static void interrupted_in_a_start_up(void) {
    write_text("soon.yaml", "fovea: 1\nstreams:\n- {source: {uri: in.mp4, loop: true}, outputs: [{file: \"${F}\"}]}\n");
    static const char *const files[] = {"soon.mp4", "soon.mkv"};
    for (size_t i = 0; i < 4; i++) {
        const char *file = files[i % 2];
        CHECK_EQUAL(run_shell("rm -f soon.m??; F=%s \"$FOVEA\" run soon.yaml & p=$!; until [ -e %s ]; do sleep 0.01; done; "
                              "kill -INT $p; wait $p", file, file), 0);
        CHECK_CONTAINS(run_output, "finishing files");
        CHECK(count_frames(file) > 0);
    }
}

// The second time ends at once: the file ends where it is, what was there of it plays, and that is said.
// (Finishing lasts a second: the encoder holds some forty pictures back. Once it has been said, it is interrupted.)
static void interrupted_twice(void) {
    write_text("twice.yaml", "fovea: 1\nstreams:\n- {source: {uri: \"lavfi:testsrc2=s=1280x720\"}, detect: false, outputs: [{file: {path: \"${F}\", speed: 4}}]}\n");
    static const char *const files[] = {"twice.mp4", "twice.mkv"};
    for (size_t i = 0; i < 2; i++) {
        run_shell("rm -f twice.m?? twice.code; { F=%s \"$FOVEA\" run twice.yaml 2> twice.txt & echo $! > twice.pid; wait $!; echo $? > twice.code; } > out.txt 2>&1 &"
                  " until ffmpeg -v quiet -i %s -frames:v 1 -f null -; do sleep 0.2; done; kill -INT $(cat twice.pid);"
                  " until grep -q finishing twice.txt; do sleep 0.02; done", files[i], files[i]);
        double begun = fv_test_seconds();
        CHECK_EQUAL(run_shell("kill -INT $(cat twice.pid); until [ -s twice.code ]; do sleep 0.05; done; cat twice.txt; exit $(cat twice.code)"), 1);
        CHECK(fv_test_seconds() - begun < 5);
        CHECK_CONTAINS(run_output, "finishing files; once more stops at once\n");
        CHECK_EQUAL(count_lines(run_output, "error: stopped at once; files that were being written are not finished"), 1);
        CHECK(count_frames(files[i]) > 0);
    }
}

static void nohup_goes_on(void) {
    write_text("slow.yaml", "fovea: 1\nstreams:\n- {source: {uri: in.mp4, realtime: true}, outputs: [{publish: slow.jsonl}]}\n");
    CHECK_EQUAL(run_shell("rm -f slow.jsonl; nohup \"$FOVEA\" run slow.yaml & p=$!; "
                          "until [ -s slow.jsonl ]; do sleep 0.1; done; kill -HUP $p; wait $p"), 0);
    const char *dropped = strstr(run_output, " dropped"); // on a machine that stood still half a second
    CHECK_CONTAINS(run_output, "in: 50 frames decoded = ");
    while (dropped && dropped > run_output && dropped[-1] != ' ')
        dropped--;
    check_records("slow.jsonl", 50 - (dropped ? atoi(dropped) : 0));
}

// The reader goes away in the middle: told once, the file is whole.
static void a_closed_pipe(void) {
    write_text(
        "pipe.yaml",
        "fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{publish: '-'}, {file: pipe.mp4}]}\n");
    run_shell("{ \"$FOVEA\" run pipe.yaml; echo code $?; } 2> err.txt | head -1 > one.txt; true");
    CHECK_EQUAL(count_frames("pipe.mp4"), 50);
    check_records("one.txt", 1);
}

static void every_command_says_how_it_is_used(void) {
    static const char *const commands[] = {"annotate", "run", "check", "launch", "detect", "infer", "model", "eval", "eval det",
                                           "eval mot", "track", "events", "bench", "devices", "doctor"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        CHECK_EQUAL(run_fovea("%s --help", commands[i]), 0);
        CHECK_CONTAINS(run_output, "usage: fovea ");
    }
    run_fovea("annotate --help");
    CHECK_CONTAINS(run_output, "--threshold   lowest score");
}

const fv_suite bad_input_suite = {"bad-input", (const fv_case[]){CASE(sources_that_are_no_video),
                                                                 CASE(files_that_are_cut_short),
                                                                 CASE(descriptions_with_mistakes),
                                                                 CASE(wrong_command_lines),
                                                                 CASE(every_command_says_how_it_is_used),
                                                                 CASE(models_that_cannot_be_used),
                                                                 CASE(a_full_disk),
                                                                 CASE(interrupted), CASE(interrupted_in_a_start_up),
                                                                 CASE(interrupted_twice),
                                                                 CASE(nohup_goes_on),
                                                                 CASE(a_closed_pipe),
                                                                 {0}}};
