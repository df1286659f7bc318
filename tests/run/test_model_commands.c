// detect, infer, model, eval det, devices, doctor as a user types them.
#include <stdarg.h>
#include <stdlib.h>

#include "tests/run/tiny_onnx.h"
#include "tests/test.h"

static char output[1 << 20];

// Runs `"$FOVEA" <arguments>`, output in `output`; returns the exit code.
static int fovea(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int fovea(const char *format, ...) {
    char command[8192];
    int n = snprintf(command, sizeof command, "\"$FOVEA\" ");
    va_list args;
    va_start(args, format);
    vsnprintf(command + n, sizeof command - (size_t)n, format, args);
    va_end(args);
    return fv_test_shell(command, output, sizeof output);
}

static int lines(const char *text) {
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static const char *write_file(const char *dir, const char *name, const char *text) {
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

static const char *make_picture(const char *dir, int w, int h) {
    static char path[600];
    char command[1200];
    snprintf(path, sizeof path, "%s/%dx%d.png", dir, w, h);
    snprintf(command, sizeof command,
             "gst-launch-1.0 -q videotestsrc num-buffers=1 ! "
             "video/x-raw,format=RGB,width=%d,height=%d ! pngenc ! filesink location=%s",
             w, h, path);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    return path;
}

static void one_clear_line(const char *says) {
    CHECK_CONTAINS(output, says);
    CHECK_EQUAL(lines(output), 1);
}

static void models_that_are_none(void) {
    const char *dir = fv_test_tmp("models");
    char picture[600];
    snprintf(picture, sizeof picture, "%s", make_picture(dir, 16, 16));
    static const char *const commands[] = {"detect --model", "model", "infer --out-dir /tmp"};
    for (int i = 0; i < 3; i++) {
        const char *last = i == 0 ? picture : "";
        CHECK_EQUAL(fovea("%s /nonexistent.onnx %s", commands[i], last), 2);
        one_clear_line("/nonexistent.onnx");
        CHECK_EQUAL(fovea("%s %s %s", commands[i], write_file(dir, "empty.onnx", ""), last), 2);
        one_clear_line("empty.onnx");
        CHECK_EQUAL(fovea("%s %s %s", commands[i],
                          write_file(dir, "text.onnx", "this is no model\n"), last),
                    2);
        one_clear_line("text.onnx");
        CHECK_EQUAL(fovea("%s %s %s", commands[i], dir, last), 2);
        one_clear_line(dir);
    }
}

static void truncated_model(void) {
    const char *dir = fv_test_tmp("cut"), *whole = fv_test_shared("models/FastestDet.onnx");
    char command[1200];
    if (!whole)
        return;
    snprintf(command, sizeof command, "head -c 500000 %s > %s/cut.onnx", whole, dir);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    CHECK_EQUAL(fovea("model %s/cut.onnx", dir), 2);
    one_clear_line("cut.onnx");
}

static void unsupported_op_is_named(void) {
    char path[600];
    snprintf(path, sizeof path, "%s/odd.onnx", fv_test_tmp("odd"));
    CHECK(tiny_onnx_write(path, "Frobnicate", "middle"));
    CHECK_EQUAL(fovea("model %s", path), 2);
    CHECK_CONTAINS(output, "unsupported Frobnicate (node 'middle')");
    CHECK_EQUAL(fovea("detect --model %s %s", path, make_picture(fv_test_tmp("odd"), 8, 8)), 2);
    one_clear_line("Frobnicate");
    CHECK_CONTAINS(output, "middle");
}

static void unknown_head_shows_the_card(void) {
    char path[600], picture[600];
    const char *dir = fv_test_tmp("relu");
    snprintf(path, sizeof path, "%s/relu.onnx", dir);
    snprintf(picture, sizeof picture, "%s", make_picture(dir, 8, 8));
    CHECK(tiny_onnx_write(path, "Relu", "r"));
    CHECK_EQUAL(fovea("detect --model %s %s", path, picture), 2);
    one_clear_line("out 1x3x8x8");
    CHECK_CONTAINS(output, "head: {family: yolov8, classes: 80}");
    CHECK_EQUAL(fovea("model %s", path), 0); // it can be looked at and run all the same
    CHECK_CONTAINS(output, "head        none");
    write_file(dir, "relu.yaml", "head: {family: yolov9000}\n");
    CHECK_EQUAL(fovea("detect --model %s %s", path, picture), 2);
    one_clear_line("yolov9000");
}

static void bad_arguments(void) {
    CHECK_EQUAL(fovea("detect"), 2);
    CHECK_CONTAINS(output, "which pictures?");
    CHECK_EQUAL(fovea("detect --treshold 0.5 x.jpg"), 2);
    CHECK_CONTAINS(output, "did you mean --threshold");
    CHECK_EQUAL(fovea("detect --threshold 7 x.jpg"), 2);
    CHECK_EQUAL(fovea("infer"), 2);
    CHECK_EQUAL(fovea("eval det"), 2);
    CHECK_CONTAINS(output, "--images");
    CHECK_EQUAL(fovea("eval det --images /nonexistent --labels /tmp"), 2);
    CHECK_EQUAL(fovea("detect --help"), 0);
    CHECK_CONTAINS(output, "--iou-threshold");
    CHECK_EQUAL(
        fv_test_shell("FOVEA_DATA=/nonexistent \"$FOVEA\" detect x.jpg", output, sizeof output), 2);
    one_clear_line("default detector is not installed at /nonexistent/models/street.onnx");
}

static void vulkan_missing(void) {
    const char *model = fv_test_shared("models/FastestDet.onnx");
    if (!model)
        return;
    char command[2000];
    snprintf(command, sizeof command,
             "VK_ICD_FILENAMES=/nonexistent \"$FOVEA\" detect --model %s %s", model,
             make_picture(fv_test_tmp("vk"), 8, 8));
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 2);
    one_clear_line("mesa-vulkan-drivers");
    CHECK_EQUAL(
        fv_test_shell("VK_ICD_FILENAMES=/nonexistent \"$FOVEA\" devices", output, sizeof output),
        2);
    CHECK_CONTAINS(output, "mesa-vulkan-drivers");
    CHECK_EQUAL(
        fv_test_shell("VK_ICD_FILENAMES=/nonexistent \"$FOVEA\" doctor", output, sizeof output), 1);
    CHECK_CONTAINS(output, "mesa-vulkan-drivers");
}

static void pictures_of_any_size(void) {
    const char *model = fv_test_shared("models/FastestDet.onnx");
    if (!model)
        return;
    const char *dir = fv_test_tmp("sizes");
    char small[600], large[600];
    snprintf(small, sizeof small, "%s", make_picture(dir, 1, 1));
    snprintf(large, sizeof large, "%s", make_picture(dir, 4096, 2160));
    CHECK_EQUAL(fovea("detect --json --model %s %s %s", model, small, large), 0);
    CHECK_CONTAINS(output, "\"width\":1,\"height\":1,");
    CHECK_CONTAINS(output, "\"width\":4096,\"height\":2160,");
    CHECK_EQUAL(lines(output), 2);
    // a bad picture between good ones: named, the others done, exit code 2
    CHECK_EQUAL(
        fovea("detect --json --model %s %s /nonexistent.jpg %s %s", model, small, dir, small), 2);
    CHECK_EQUAL(count(output, "\"schema\""), 2);
    CHECK_CONTAINS(output, "/nonexistent.jpg: cannot be read");
    CHECK_CONTAINS(output, "is no file");
}

static void bus_and_four_persons(void) {
    const char *model = fv_test_shared("models/yolov8n_640.onnx"),
               *picture = fv_test_shared("images/bus.jpg");
    if (!model || !picture)
        return;
    const char *dir = fv_test_tmp("draw");
    CHECK_EQUAL(fovea("detect --json --model %s --draw %s %s", model, dir, picture), 0);
    CHECK_EQUAL(lines(output), 1);
    CHECK_EQUAL(count(output, "\"label\":\"bus\""), 1);
    CHECK_EQUAL(count(output, "\"label\":\"person\""), 4);
    CHECK_CONTAINS(output, "\"inference\":\"inferred\"");
    CHECK_EQUAL(fovea("detect --model %s --classes bus %s/bus.png", model, dir),
                0); // what was drawn is a picture
    CHECK_CONTAINS(output, "1 object,");
    CHECK_EQUAL(fovea("detect --model %s --classes buss %s", model, picture), 2);
    one_clear_line("did you mean 'bus'");
}

static void tensors_in_and_out(void) {
    const char *model = fv_test_shared("models/FastestDet.onnx");
    if (!model)
        return;
    const char *dir = fv_test_tmp("infer");
    char text[3000];
    snprintf(text, sizeof text,
             "D=%s M=%s; /usr/bin/python3 -c \"import numpy as n; n.save('$D/x.npy', "
             "n.random.RandomState(1).rand(1,3,352,352).astype('f4'))\" && "
             "\"$FOVEA\" infer $M --in input.1=$D/x.npy --out-dir $D/gpu && \"$FOVEA\" infer $M "
             "--in $D/x.npy --out-dir $D/ref --device reference && "
             "/usr/bin/python3 -c \"import numpy as n; a=n.load('$D/gpu/758.npy'); "
             "b=n.load('$D/ref/758.npy'); "
             "print(a.shape, abs(a-b).max()/abs(b).max() < 1e-4)\"",
             dir, model);
    if (fv_test_shell("/usr/bin/python3 -c 'import numpy'", NULL, 0)) {
        fv_test_skip("no NumPy");
        return;
    }
    CHECK_EQUAL(fv_test_shell(text, output, sizeof output), 0);
    CHECK_CONTAINS(output, "(1, 85, 22, 22) True");
    CHECK_EQUAL(fovea("infer %s --in data=%s/x.npy --out-dir %s", model, dir, dir), 2);
    one_clear_line("no input 'data'");
    CHECK_EQUAL(fovea("infer %s --out-dir %s", model, dir), 2);
    one_clear_line("give --in input.1=FILE.npy");
    CHECK_EQUAL(fovea("infer %s --in %s/gpu/758.npy --out-dir %s", model, dir, dir), 2);
    one_clear_line("wants 1x3x352x352");
}

// samples/detect_image.c, built beside the command: the library without GStreamer.
static void sample_program(void) {
    const char *model = fv_test_shared("models/FastestDet.onnx");
    const char *picture = fv_test_shared("images/bus.jpg"), *dir = fv_test_tmp("sample");
    char command[2000];
    if (!model || !picture)
        return;
    snprintf(command, sizeof command,
             "ffmpeg -v error -i %s %s/bus.ppm && "
             "\"$(dirname \"$FOVEA\")/../../samples/detect_image\" %s %s/bus.ppm",
             picture, dir, model, dir);
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_EQUAL(count(output, "bus 0."), 1);
    CHECK(count(output, "person 0.") >= 4);
    snprintf(command, sizeof command, "\"$(dirname \"$FOVEA\")/../../samples/detect_image\" %s %s",
             model, picture);
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 2);
    one_clear_line("cannot be read as PPM");
}

static void model_in_words(void) {
    const char *model = fv_test_shared("models/yolox_nano.onnx");
    if (!model)
        return;
    CHECK_EQUAL(fovea("model %s", model), 0);
    CHECK_CONTAINS(output, "images  float32 1x3x416x416");
    CHECK_CONTAINS(output, "output  float32 1x3549x85");
    CHECK_CONTAINS(output, "head        yolox (output 1x3549x85");
    CHECK_CONTAINS(output, "80 classes, strides 8, 16, 32");
    CHECK_CONTAINS(output, "letterboxed top left with pad 114, BGR");
    CHECK_CONTAINS(output, "dispatches");
    CHECK_CONTAINS(output, "MMAC a frame");
}

static double number_after(const char *key) {
    const char *at = strstr(output, key);
    return at ? strtod(at + strlen(key), NULL) : NAN;
}

// eval/REFERENCE.md; FastestDet because it is quick, yolox for the other way to fit a picture.
static void mean_precision_as_the_reference(void) {
    static const struct {
        const char *model;
        double map50;
    } rows[] = {{"models/FastestDet.onnx", 0.3900}, {"models/yolox_nano.onnx", 0.5116}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *model = fv_test_shared(rows[i].model), *data = fv_test_shared("eval/coco64");
        if (!model || !data)
            return;
        CHECK_EQUAL(fovea("eval det --json --model %s --images %s/images --labels %s/labels", model,
                          data, data),
                    0);
        CHECK_NEAR(number_after("\"map50\":"), rows[i].map50, 0.005);
        CHECK_EQUAL(number_after("\"images\":"), 64);
    }
}

// The numbers of the labels are another list's than the model's; its zebras are nobody's.
static void classes_are_matched_by_name(void) {
    const char *dir = fv_test_tmp("names");
    char command[2048];
    snprintf(command, sizeof command,
             "ffmpeg -v error -ss 3 -i %s -frames:v 1 %s/a.png && awk -F, '$1 == 91 && $9 > 0.9 "
             "{print ($8 == 1 ? 3 : 0), ($3 + $5 / 2) / 640, ($4 + $6 / 2) / 360, $5 / 640, $6 / 360} "
             "END {print 1, 0.5, 0.5, 0.1, 0.1}' %s >%s/a.txt",
             fv_test_source("samples/street.mp4"), dir, fv_test_source("samples/street_boxes.csv"), dir);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    const char *names = write_file(dir, "names", "Car\nzebra\ntruck\nperson\n");
    CHECK_EQUAL(fovea("eval det --json --images %s --labels %s --names %s", dir, dir, names), 0);
    CHECK(number_after("\"label\":\"person\",\"labels\":") >= 2);
    CHECK(number_after("\"label\":\"car\",\"labels\":") >= 1);
    CHECK(number_after("\"map50\":") > 0.6);
    names = write_file(dir, "names", "Car\nzebra\n");
    CHECK_EQUAL(fovea("eval det --images %s --labels %s --names %s", dir, dir, names), 2);
    one_clear_line("class 3, but");
}

const fv_suite model_commands_suite = {"model_commands", (const fv_case[]){
    CASE(models_that_are_none), CASE(truncated_model), CASE(unsupported_op_is_named),
    CASE(unknown_head_shows_the_card), CASE(bad_arguments), CASE(vulkan_missing),
    CASE(pictures_of_any_size), CASE(bus_and_four_persons), CASE(tensors_in_and_out),
    CASE(sample_program), CASE(model_in_words), CASE(mean_precision_as_the_reference), CASE(classes_are_matched_by_name), {0}}};
