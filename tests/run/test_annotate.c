// The one-liner on real footage, and the descriptions that are shipped.
#include "tests/run/clips.h"

static void real_footage(void) {
    char video[1100], model[1100];
    const char *v = fv_test_shared("video/canersu_highway.mp4"),
               *m = v ? fv_test_shared("models/yolox_nano.onnx") : NULL;
    if (!m)
        return;
    snprintf(video, sizeof video, "%s", v);
    snprintf(model, sizeof model, "%s", m);
    CHECK_EQUAL(
        run_fovea("annotate %s -o a.mp4 --events a.jsonl --model %s --frames 12", video, model), 0);
    CHECK_CONTAINS(
        run_output,
        "canersu_highway: 12 frames decoded = 12 inferred + 0 predicted + 0 skipped + 0 dropped\n");
    CHECK_CONTAINS(run_output, "objects: car ");
    CHECK_EQUAL(count_frames("a.mp4"), 12);
    check_records("a.jsonl", 12);
    CHECK_EQUAL(
        run_shell("grep -c '\"id\":[0-9].*\"label\":\"car\".*\"state\":\"confirmed\"' a.jsonl"), 0);
    CHECK(run_output[0] > '5' || run_output[1] != '\n'); // cars with ids on most frames
    CHECK_EQUAL(
        run_fovea(
            "annotate %s -o b.mp4 --events b.jsonl --model %s --frames 12 --every 3 --track sort --classes car,bus",
            video, model),
        0);
    CHECK_CONTAINS(run_output,
                   "12 frames decoded = 4 inferred + 8 predicted + 0 skipped + 0 dropped\n");
    check_records("b.jsonl", 12);
    CHECK_EQUAL(run_shell("! grep -v '\"label\":\"car\"' b.jsonl | grep '\"label\"'"), 0);
}

static void same_bytes_every_time(void) {
    const char *m = fv_test_shared("models/FastestDet.onnx");
    if (!m)
        return;
    char model[1100];
    snprintf(model, sizeof model, "%s", m);
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(
            run_fovea(
                "annotate in.mp4 -o s%d.mp4 --events s%d.jsonl --threshold 0.05 --frames 20 --model %s",
                i, i, model),
            0);
    CHECK_EQUAL(run_shell("cmp s0.jsonl s1.jsonl"), 0);
}

// What the source dropped because nobody could follow (plain C, a large input) is in the ledger, and its numbers are missing in the records.
static void late_frames_are_counted(void) {
    int decoded, inferred, dropped, qos;
    CHECK_EQUAL(run_shell("echo 'input: {size: [832, 512]}' > large.yaml; echo '{fovea: 1, streams: [{name: late, source: {uri: in.mp4, realtime: true},"
                          " detect: {device: reference, card: large.yaml, late: keep, slots: 1}, outputs: [{publish: late.jsonl}]}]}' > late.yaml; timeout 300 \"$FOVEA\" run late.yaml"), 0);
    CHECK_EQUAL(sscanf(run_output, "late: %d frames decoded = %d inferred + 0 predicted + 0 skipped + %d dropped (qos %d)",
                       &decoded, &inferred, &dropped, &qos), 4);
    CHECK_EQUAL(decoded, 50);
    CHECK_EQUAL(inferred + dropped, decoded);
    CHECK(dropped > 0 && dropped == qos);
    check_records("late.jsonl", inferred);
    run_shell("sed 's/.*\"frame\":\\([0-9]*\\).*\"pts_ns\":\\([0-9]*\\).*/\\1 \\2/' late.jsonl | awk '{d = $2 - p - ($1 - n) * 40000000; if (NR > 1 && d*d > 1e14) print; n = $1; p = $2}'");
    CHECK_TEXT(run_output, ""); // a number for every 40 ms
}

// Every description under config/, and the rules they name.
static void shipped_descriptions(void) {
    CHECK_EQUAL(run_shell("for f in %s/*.yaml; do INPUT=in.mp4 A=in.mp4 B=vfr.mp4 \"$FOVEA\" check "
                          "$f || exit 1; done",
                          fv_test_source("config")),
                0);
    CHECK_EQUAL(count_lines(run_output, "no mistakes"), 8);
}

// annotate.yaml shows each property of each element.
static void every_key_is_shown(void) {
    CHECK_EQUAL(
        run_shell(
            "for e in fvsrc fvdetect fvtrack fvoverlay fvpublish; do gst-inspect-1.0 $e | sed -n '/^Element Properties/,/^Element Signals/s/^  \\([a-z-]*\\) *:.*/\\1/p'; done"
            " | grep -vxE 'name|parent|qos|stats|stream' | sort -u > keys.txt; test $(wc -l < keys.txt) -gt 40"
            " && for k in $(cat keys.txt); do grep -q \"^[ #]*[- ]*$k:\" %s || echo $k is not shown; done",
            fv_test_source("config/annotate.yaml")),
        0);
    CHECK_TEXT(run_output, "");
}

// As it is: the sample clip, the detector that comes with Fovea; and as gst-launch-1.0 runs it.
static void the_ready_description_runs(void) {
    const char *config = fv_test_source("config/annotate.yaml");
    const char *ten = "--set streams.annotate.source.frames=10";
    CHECK_EQUAL(run_shell("rm -f annotated.*; \"$FOVEA\" run %s %s", config, ten), 0);
    CHECK_EQUAL(count_frames("annotated.mp4"), 10);
    check_records("annotated.jsonl", 10);
    CHECK_EQUAL(
        run_shell("rm -f annotated.*; \"$FOVEA\" launch %s %s > l.sh && sh l.sh", config, ten), 0);
    CHECK_EQUAL(count_frames("annotated.mp4"), 10);
    check_records("annotated.jsonl", 10);
}

const fv_suite annotate_suite = {"annotate", (const fv_case[]){CASE(real_footage),
                                                               CASE(same_bytes_every_time),
                                                               CASE(late_frames_are_counted),
                                                               CASE(shipped_descriptions),
                                                               CASE(every_key_is_shown),
                                                               CASE(the_ready_description_runs),
                                                               {0}}};
