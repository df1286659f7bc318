#define _GNU_SOURCE
// Formats end to end on the sample clip, read back by tests/formats.py and our own readers.
#include <stdlib.h>

#include "pipeline/desc/format.h"
#include "tests/run/clips.h"

// Files of config/formats.yaml, in the order of fv_format_rows.
static const char *const files[FV_N_FORMATS] = {
    "formats.jsonl",         "formats.dlstreamer.jsonl", "formats.deepstream.jsonl",
    "formats.savant.jsonl",  "formats.frigate.jsonl",    "formats.onvif.xml",
    "formats.mot.txt",       "formats.coco.json"};

// The ready description on the sample clip, with rules that cause every kind of event.
static void the_sample_in_every_format(void) {
    CHECK_EQUAL(run_shell("INPUT=%s timeout 300 \"$FOVEA\" run %s --set "
                          "streams.formats.source.frames=150 --set streams.formats.detect.every=5 "
                          "--set streams.formats.events=%s",
                          fv_test_source("samples/street.mp4"),
                          fv_test_source("config/formats.yaml"),
                          fv_test_source("config/rules/every-key.yaml")),
                0);
    for (int i = 1; i < FV_N_FORMATS; i++) {
        CHECK_EQUAL(run_shell("/usr/bin/python3 %s %s %s %s", fv_test_source("tests/formats.py"),
                              fv_format_names[i], files[FV_FORMAT_FOVEA], files[i]),
                    0);
        CHECK_CONTAINS(run_output, ": 150 frames, ");
        CHECK(!strstr(run_output, " 0 objects") && !strstr(run_output, " 0 events"));
    }
}

// What format=mot wrote is a result for `fovea eval mot`: against itself it is perfect.
static void tracks_are_scored(void) {
    run_shell("mkdir -p street/gt && awk -F, -v OFS=, '{print $1, $2, $3, $4, $5, $6, 1, 1, 1}' "
              "formats.mot.txt > street/gt/gt.txt && cp formats.mot.txt street.txt");
    CHECK_EQUAL(run_fovea("eval mot --gt street --result street.txt --json"), 0);
    CHECK_CONTAINS(run_output, "\"mota\":1.000000,");
    CHECK_CONTAINS(run_output, "\"fp\":0");
}

static void stored_tracks_give_the_same_events(void) {
    const char *rules = fv_test_source("config/rules/every-key.yaml");
    CHECK_EQUAL(run_fovea("events --tracks formats.jsonl --rules %s --format onvif -o events.xml",
                          rules),
                0);
    CHECK_EQUAL(run_shell("xmllint --noout --nonet --schema %s events.xml",
                          fv_test_source("config/schema/onvif.xsd")),
                0);
    // Stored boxes are rounded, and so a value may differ in its last digit.
    run_shell("for f in formats.onvif.xml events.xml; do grep '^<tt:Event>' $f | "
              "sed 's|<tt:SimpleItem Name=.Value.[^>]*>||' > $f.events; done; "
              "test -s events.xml.events && cmp formats.onvif.xml.events events.xml.events");
    CHECK_TEXT(run_output, "");
    CHECK_EQUAL(run_fovea("events --tracks formats.jsonl --rules %s --format frigate", rules), 0);
    CHECK_CONTAINS(run_output, "{\"topic\":\"events\",\"payload\":{\"type\":\"new\",");
    CHECK_EQUAL(run_fovea("events --tracks formats.jsonl --rules %s --format coco", rules), 2);
    CHECK_CONTAINS(run_output, "format coco has no place for events");
}

static void stored_tracks_without_a_size_need_it(void) {
    run_shell("printf 'rules:\n- {zone: yard}\n' > yard.yaml");
    CHECK_EQUAL(run_fovea("events --tracks formats.mot.txt --rules yard.yaml --format dlstreamer"),
                2);
    CHECK_CONTAINS(run_output, "format dlstreamer needs it: give --size WIDTHxHEIGHT");
    CHECK_EQUAL(run_fovea("events --tracks formats.mot.txt --rules yard.yaml --format dlstreamer "
                          "--size 640x360"),
                0);
    CHECK_CONTAINS(run_output, "\"zone_violations\":[\"yard\"]");
}

// samples/read_records.c, an element behind ours: what it reads in the metadata is what fvpublish
// writes, and every event came over the bus too.
static void an_element_behind_ours_reads_the_same(void) {
    const char *rules = fv_test_source("samples/street_rules.yaml");
    CHECK_EQUAL(run_shell("ffmpeg -v error -y -t 5 -i %s -c copy street5.mp4 && "
                          "timeout 300 \"$(dirname \"$FOVEA\")/../../samples/read_records\" street5.mp4 %s >read.txt 2>&1",
                          fv_test_source("samples/street.mp4"), rules),
                0);
    CHECK_EQUAL(run_shell("timeout 300 gst-launch-1.0 -q fvsrc uri=street5.mp4 ! fvdetect every=2 ! fvtrack ! fvevents rules=%s stream=gate ! fvpublish to=read.jsonl ! fakesink",
                          rules),
                0);
    CHECK_EQUAL(run_shell("grep '^{' read.txt | diff - read.jsonl"), 0);
    CHECK_EQUAL(run_shell("test $(grep -c '\"type\":\"frame\"' read.txt) -gt 100"), 0);
    CHECK_EQUAL(run_shell("test $(grep -c '^bus: ' read.txt) -gt 3 && test $(grep -c '^bus: ' read.txt) = $(grep -c '\"type\":\"event\"' read.jsonl)"),
                0);
    CHECK_EQUAL(run_shell("grep -q '^bus: [0-9.]* s: road: cross moment of car [0-9]*$' read.txt"), 0);
}

// `command` runs until `file` has more than three frames, and then gets Ctrl-C.
static void interrupt(const char *command, const char *file) {
    CHECK_EQUAL(run_shell("{ %s & pid=$!; n=0; until test $(grep -c Frame %s) -gt 3 || "
                          "test $n -gt 3000; do sleep 0.1; n=$((n + 1)); done 2>/dev/null; kill -INT $pid; wait $pid; "
                          "test $n -lt 3000; }",
                          command, file),
                0);
    CHECK_EQUAL(run_shell("xmllint --noout --nonet --schema %s %s",
                          fv_test_source("config/schema/onvif.xsd"), file),
                0);
}

// What has an end in the file has it.
static void an_interrupted_file_is_whole(void) {
    run_shell("printf 'fovea: 1\\nstreams:\\n- {name: s, source: {uri: %s, realtime: true}, "
              "outputs: [{publish: {to: cut.json, format: coco}}, {publish: {to: cut.xml, format: "
              "onvif}}]}\\n' > cut.yaml",
              fv_test_source("samples/street.mp4"));
    interrupt("\"$FOVEA\" run cut.yaml --quiet", "cut.xml");
    CHECK_EQUAL(run_shell("/usr/bin/python3 -c 'import json; json.load(open(\"cut.json\"))'"), 0);
}

// Without -e there is no end of stream, only a stop.
static void an_interrupted_gst_launch_leaves_a_whole_list(void) {
    char command[2000];
    snprintf(command, sizeof command,
             "gst-launch-1.0 -q fvsrc uri=%s realtime=true ! fvpublish to=stop.xml format=onvif ! "
             "fakesink",
             fv_test_source("samples/street.mp4"));
    interrupt(command, "stop.xml");
}

static void gst_launch_writes_a_list(void) {
    CHECK_EQUAL(run_shell("timeout 300 gst-launch-1.0 -q fvsrc uri=%s frames=30 ! fvdetect every=10 ! "
                          "fvtrack ! fvpublish to=launch.json format=coco ! fakesink && "
                          "/usr/bin/python3 -c 'import json; print(len(json.load(open("
                          "\"launch.json\"))) > 30)'",
                          fv_test_source("samples/street.mp4")),
                0);
    CHECK_TEXT(run_output, "True\n");
}

static void annotate_takes_a_format(void) {
    CHECK_EQUAL(run_fovea("annotate %s -o o.mp4 --frames 10 --events e.jsonl --format dlstreamer "
                          "--quiet",
                          fv_test_source("samples/street.mp4")),
                0);
    CHECK_EQUAL(run_shell("/usr/bin/python3 %s --form dlstreamer e.jsonl && grep -c person e.jsonl",
                          fv_test_source("tests/formats.py")),
                0);
    CHECK_TEXT(run_output, "dlstreamer: well formed\n10\n");
}

static void wrong_uses_are_told(void) {
    CHECK_EQUAL(run_fovea("annotate in.mp4 -o o.mp4 --format onvif"), 2);
    CHECK_CONTAINS(run_output, "--format is that of --events; give --events FILE");
    CHECK(run_shell("gst-launch-1.0 -q videotestsrc num-buffers=1 ! fvpublish to=x.json "
                    "format=mot what=events ! fakesink") != 0);
    CHECK_CONTAINS(run_output, "format mot has no place for events");
    run_shell("gst-inspect-1.0 fvpublish");
    for (int i = 0; i < FV_N_FORMATS; i++)
        CHECK_CONTAINS(run_output, fv_format_helps[i]);
}

const fv_suite formats_suite = {"formats",
                                (const fv_case[]){CASE(the_sample_in_every_format),
                                                  CASE(tracks_are_scored),
                                                  CASE(stored_tracks_give_the_same_events),
                                                  CASE(stored_tracks_without_a_size_need_it),
                                                  CASE(an_interrupted_file_is_whole),
                                                  CASE(gst_launch_writes_a_list),
                                                  CASE(an_interrupted_gst_launch_leaves_a_whole_list),
                                                  CASE(annotate_takes_a_format),
                                                  CASE(an_element_behind_ours_reads_the_same),
                                                  CASE(wrong_uses_are_told),
                                                  {0}}};
