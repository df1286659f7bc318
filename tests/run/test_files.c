#define _GNU_SOURCE
// Files in, files out: frames, times, sound and rotation stay; whatever the input is like.
#include <stdlib.h>

#include "tests/run/clips.h"

static const char *const plain =
    "fovea: 1\nstreams:\n- {source: \"${INPUT}\", overlay: true, outputs: [{file: \"${OUTPUT}\"}, {publish: \"${RECORDS:-r.jsonl}\"}]}\n";

static void write_text(const char *name, const char *text) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", clips_folder(), name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static int run_plain(const char *input, const char *output) {
    write_text("plain.yaml", plain);
    return run_shell("rm -f r.jsonl %s; INPUT=%s OUTPUT=%s timeout 300 \"$FOVEA\" run plain.yaml",
                     output, input, output);
}

// The times of all packets of both files, one a line.
static void check_same_times(const char *a, const char *b, const char *kind) {
    CHECK_EQUAL(
        run_shell(
            "for f in %s %s; do ffprobe -v error -select_streams %s -show_entries packet=pts_time -of csv=p=0 $f | sort -g > $f.times; done; diff %s.times %s.times",
            a, b, kind, a, b),
        0);
    CHECK_TEXT(run_output, "");
}

static void frames_times_and_sound_stay(void) {
    static const char *const outputs[] = {"o.mp4", "o.mkv"};
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(run_plain("in.mp4", outputs[i]), 0);
        CHECK_CONTAINS(
            run_output,
            "in: 50 frames decoded = 0 inferred + 0 predicted + 50 skipped + 0 dropped\n");
        CHECK_EQUAL(count_frames(outputs[i]), 50);
        run_shell("ffprobe -v error -show_entries stream=codec_name -of csv=p=0 %s", outputs[i]);
        CHECK_TEXT(run_output, "h264\naac\n");
        check_records("r.jsonl", 50);
    }
    check_same_times("in.mp4", "o.mp4", "v");
}

static void write_silent(const char *output) {
    char text[300];
    snprintf(text, sizeof text, "fovea: 1\nstreams:\n- {source: \"${INPUT}\", detect: false, outputs: [{file: %s}]}\n", output);
    write_text("sound.yaml", text);
}

// The encoder's priming comes before time 0: the packet, its time and what a player leaves out of it.
static void sound_before_the_start_stays(void) {
    write_silent("o.mp4");
    CHECK_EQUAL(run_shell("INPUT=in.mp4 \"$FOVEA\" run sound.yaml"), 0);
    run_shell("ffprobe -v error -select_streams a -read_intervals %%+#1 -show_entries packet=pts -of csv=p=0 in.mp4");
    CHECK_CONTAINS(run_output, "-1024");
    check_same_times("in.mp4", "o.mp4", "a");
    check_same_times("in.mp4", "o.mp4", "v");
    CHECK_EQUAL(run_shell("for f in in.mp4 o.mp4; do ffmpeg -v error -i $f -vn -f s16le - | md5sum; done | sort -u | wc -l"), 0);
    CHECK_TEXT(run_output, "1\n");
    run_shell("for f in in.mp4 o.mp4; do ffprobe -v error -show_entries stream=start_time,duration -of csv=p=0 $f; done | sort -u | wc -l");
    CHECK_TEXT(run_output, "1\n");
    CHECK_EQUAL(run_shell("export INPUT=in.mp4; rm o.mp4; \"$FOVEA\" launch sound.yaml > line.sh && sh line.sh"), 0);
    check_same_times("in.mp4", "o.mp4", "a");
}

// Stream and time of each packet from the earliest stream's start; what comes before 0 is priming.
static const char *const times_from_the_start =
    "for f in %s %s; do ffprobe -v error -show_entries packet=stream_index,pts_time -of csv=p=0 $f | awk -F, '$2!=\"\"{k[++n]=$1; t[n]=$2; if (!($1 in b) || $2<b[$1]) b[$1]=$2}"
    " END {s=1e9; for (i in b) if (b[i]>=0 && b[i]<s) s=b[i]; for (i=1;i<=n;i++) printf \"%%d %%.3f\\n\", k[i], t[i]-s}' | sort -n -k1 -k2 > $f.times; done;"
    " paste %s.times %s.times | awk '$1!=$3 || $2-$4>0.0021 || $4-$2>0.0021' | head -3";

static void sound_of_every_kind(void) {
    static const char *const rows[][2] = {{"late.ts", "o.mp4"}, {"mp3.mp4", "o.mp4"},  {"opus.mkv", "o.mp4"},
                                          {"mp2.ts", "o.mp4"},  {"aac.mkv", "o.mkv"}, {"two.mp4", "o.mp4"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *in = rows[i][0], *out = rows[i][1];
        write_silent(out);
        CHECK_EQUAL(run_shell("rm -f o.*; INPUT=%s \"$FOVEA\" run sound.yaml", in), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        CHECK_EQUAL(run_shell(times_from_the_start, in, out, in, out), 0);
#pragma GCC diagnostic pop
        CHECK_TEXT(run_output, "");
        run_shell("wc -l < %s.times", out);
        CHECK(atoi(run_output) > 60);
    }
}

// As it is where the container can hold it, else encoded anew, and said so. Nothing is lost without a word.
static void sound_that_a_container_cannot_hold(void) {
    static const struct {
        const char *input, *output, *codec, *note;
    } rows[] = {
        {"flac.mkv", "o.mkv", "flac\n", NULL},
        {"vorbis.mkv", "o.mkv", "vorbis\n", NULL},
        {"six.mov", "o.mkv", "pcm_s24be\n", NULL},
        {"bytes.mov", "o.mkv", "pcm_u8\n", NULL}, // signed samples become unsigned ones
        {"alac.mov", "o.mp4", "aac\n", "o.mp4: sound 0 (audio/x-alac) is encoded anew"}, // two channels, not six
        {"alac.mov", "o.mkv", "aac\n", "o.mkv: sound 0 (audio/x-alac) is encoded anew"},
        {"flac.mkv", "o.mp4", "aac\n", "fovea: note: o.mp4: sound 0 (audio/x-flac) is encoded anew: .mp4 cannot hold it\n"},
        {"vorbis.mkv", "o.mp4", "aac\n", "o.mp4: sound 0 (audio/x-vorbis) is encoded anew"},
        {"six.mov", "o.mp4", "aac\n", "o.mp4: sound 0 (audio/x-raw) is encoded anew: .mp4 cannot hold it\n"},
        // Matroska does not say where the loudspeakers are: of eight they are the usual places, of sixteen there are none.
        {"eight.mkv", "o.mp4", "aac\n", "fovea: note: o.mp4: sound 0 (audio/x-raw) is encoded anew: .mp4 cannot hold it; its 8 channels"
                                      " are mixed into 6, .webm keeps up to 8, .mkv may keep all\n"},
        {"eight.mkv", "o.webm", "opus\n", "o.webm: sound 0 (audio/x-raw) is encoded anew: .webm cannot hold it\n"},
        {"sixteen.mkv", "o.mkv", "pcm_s16le\n", NULL},
        {"sixteen.mkv", "o.mp4", "", "o.mp4: sound 0 (audio/x-raw) is left out: .mp4 cannot hold it; .mkv may"},
        {"in.mp4", "o.webm", "opus\n", "o.webm: sound 0 (audio/mpeg) is encoded anew"},
        {"wma.mkv", "o.mp4", "", "fovea: warning: wma.mkv: sound 0 is left out, wmav2 is not known here"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_silent(rows[i].output);
        CHECK_EQUAL(run_shell("rm -f o.*; INPUT=%s timeout 300 \"$FOVEA\" run sound.yaml", rows[i].input), 0);
        CHECK_EQUAL(count_lines(run_output, "sound 0"), rows[i].note != NULL);
        if (rows[i].note)
            CHECK_CONTAINS(run_output, rows[i].note);
        run_shell("ffprobe -v error -select_streams a -show_entries stream=codec_name -of csv=p=0 %s", rows[i].output);
        CHECK_TEXT(run_output, rows[i].codec);
        run_shell("for f in %s %s; do ffmpeg -v error -i $f -vn -ac 1 -ar 8000 -f s16le - 2>/dev/null | wc -c; done", rows[i].input, rows[i].output);
        int before = 0, after = 0;
        sscanf(run_output, "%d %d", &before, &after);
        CHECK(!*rows[i].codec || (before > 15000 && abs(after - before) < 1000)); // of 16000
    }
    // What the encoder puts before the first sample is before time 0, and the sound in its place: 500 ms of silence stay 500 ms.
    CHECK_EQUAL(run_shell("ffmpeg -v error -y -i flac.mkv -af adelay=500 -t 1 -c:v copy -c:a flac beep.mkv"), 0);
    write_silent("o.mp4");
    CHECK_EQUAL(run_shell("INPUT=beep.mkv \"$FOVEA\" run sound.yaml"), 0);
    run_shell("ffprobe -v error -select_streams a -read_intervals %%+#1 -show_entries packet=pts -of csv=p=0 o.mp4");
    CHECK_CONTAINS(run_output, "-1024");
    for (int i = 0; i < 2; i++) {
        double silence = 0;
        run_shell("ffmpeg -i %s -vn -af silencedetect=-30dB:d=0.1 -f null - 2>&1 | grep -o 'silence_end: [0-9.]*'", i ? "o.mp4" : "beep.mkv");
        sscanf(run_output, "silence_end: %lf", &silence);
        CHECK(silence > 0.49 && silence < 0.51);
    }
    write_silent("o.mkv");
    CHECK_EQUAL(run_shell("INPUT=flac.mkv \"$FOVEA\" run sound.yaml; for f in flac.mkv o.mkv; do ffmpeg -v error -i $f -vn -f s16le - | md5sum; done"
                          " 2>&1 | grep -o '^[0-9a-f]\\{32\\}' | sort -u | wc -l"), 0);
    CHECK_TEXT(run_output + strlen(run_output) - 2, "1\n"); // lossless: the same samples
}

// Opus of more than two channels is several streams in one packet: their number and order come along, packets unchanged.
static void opus_of_six_channels_stays(void) {
    static const char *const outputs[] = {"o.mkv", "o.mp4", "o.webm"};
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        write_silent(outputs[i]);
        CHECK_EQUAL(run_shell("rm -f o.*; INPUT=around.mkv \"$FOVEA\" run sound.yaml"), 0);
        run_shell("ffprobe -v error -select_streams a -show_entries stream=codec_name,channels,channel_layout -of csv=p=0 %s", outputs[i]);
        CHECK_TEXT(run_output, "opus,6,5.1\n");
        CHECK_EQUAL(run_shell("for f in around.mkv %s; do ffmpeg -v error -i $f -map 0:a -c copy -f data - | md5sum; done | sort -u | wc -l;"
                              " ffmpeg -v error -i %s -f null - 2>&1", outputs[i], outputs[i]), 0);
        CHECK_TEXT(run_output, "1\n");
    }
}

// However a picture is stored, it is detected, drawn and recorded as it is shown: the same records, byte for byte, from
// pictures without loss.
static void turned_pictures_are_seen_upright(void) {
    static const struct {
        int rotate;
        const char *filter;
    } rows[] = {{90, "transpose=1"}, {180, "hflip,vflip"}, {270, "transpose=2"}};
    // Colours are said: where they are not, they are guessed by the height of what is stored.
    const char *lossless = "-c:v libx264 -qp 0 -preset ultrafast -colorspace bt709 -color_primaries bt709 -color_trc bt709";
    CHECK_EQUAL(run_shell("ffmpeg -v error -y -i %s -an -frames:v 4 %s up.mp4", fv_test_source("samples/street.mp4"), lossless), 0);
    CHECK_EQUAL(run_fovea("annotate up.mp4 -o u.mp4 --events u.jsonl"), 0);
    CHECK_EQUAL(run_shell("grep -c '\"label\":' u.jsonl"), 0);
    CHECK_EQUAL(atoi(run_output), 4);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQUAL(run_shell("ffmpeg -v error -y -i up.mp4 -vf %s %s lying.mp4 && ffmpeg -v error -y -i lying.mp4 -c copy "
                              "-metadata:s:v:0 rotate=%d stored.mp4", rows[i].filter, lossless, rows[i].rotate), 0);
        // What is shown, which is the test's own ground, is the upright clip.
        CHECK_EQUAL(run_shell("for f in up stored; do ffmpeg -v error -y -i $f.mp4 -f rawvideo $f.raw; done; cmp up.raw stored.raw"), 0);
        CHECK_EQUAL(run_fovea("annotate stored.mp4 -o t.mp4 --events t.jsonl"), 0);
        CHECK_EQUAL(run_shell("sed 's/\"stored\"/\"up\"/' t.jsonl | cmp - u.jsonl"), 0);
        // So are the drawn boxes, but for what the encoder loses.
        CHECK_EQUAL(run_shell("for f in u t; do ffmpeg -v error -y -i $f.mp4 -frames:v 1 -pix_fmt gray -f rawvideo $f.gray; done; cmp -l u.gray t.gray"
                              " | awk 'function o(s,i,n){for(i=1;i<=length(s);i++)n=n*8+substr(s,i,1);return n} {d=o($2)-o($3); if (d>60||d<-60) n++} END {print n+0}'"), 0);
        CHECK(atoi(run_output) < 20);
    }
}

static void uneven_times_stay(void) {
    CHECK_EQUAL(run_plain("vfr.mp4", "o.mp4"), 0);
    CHECK(count_frames("o.mp4") > 15);
    check_same_times("vfr.mp4", "o.mp4", "v");
}

// In the index of an MP4; elsewhere the picture is turned. As a printed line does it, too.
static void rotation_stays(void) {
    const char *rotation = "ffprobe -v error -select_streams v -show_entries stream_side_data=rotation -of csv=p=0 %s | tr -dc '0-9-'";
    char expected[32];
    run_shell(rotation, "turned.mp4");
    snprintf(expected, sizeof expected, "%.31s", run_output);
    CHECK(!strcmp(expected, "-90") || !strcmp(expected, "90"));
    CHECK_EQUAL(run_plain("turned.mp4", "o.mp4"), 0);
    run_shell(rotation, "o.mp4");
    CHECK_TEXT(run_output, expected);
    CHECK_EQUAL(run_shell("export INPUT=turned.mp4 OUTPUT=o.mp4; rm o.mp4; \"$FOVEA\" launch plain.yaml > line.sh && sh line.sh"), 0);
    run_shell(rotation, "o.mp4");
    CHECK_TEXT(run_output, expected);
    CHECK_EQUAL(run_plain("turned.mp4", "o.mkv"), 0);
    run_shell("for f in turned.mp4 o.mkv; do ffmpeg -v error -y -i $f -frames:v 1 -pix_fmt gray -s 24x32 -f rawvideo $f.gray; done;"
              " cmp -l turned.mp4.gray o.mkv.gray | awk 'function o(s,i,n){for(i=1;i<=length(s);i++)n=n*8+substr(s,i,1);return n} {d=o($2)-o($3); if (d>24||d<-24) n++} END {print n+0}'");
    CHECK(atoi(run_output) < 24); // of 768 pixels
}

static void sizes_of_every_kind(void) {
    static const struct {
        const char *file;
        int frames, width, height;
    } rows[] = {{"one.mkv", 5, 16, 16},
                {"odd.mkv", 5, 178, 100},
                {"big.mp4", 3, 4096, 2160},
                {"change.ts", 50, 320, 240}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char expected[64];
        CHECK_EQUAL(run_plain(rows[i].file, "o.mp4"), 0);
        CHECK_EQUAL(count_frames("o.mp4"), rows[i].frames);
        snprintf(expected, sizeof expected, "%d,%d\n", rows[i].width, rows[i].height);
        run_shell(
            "ffprobe -v error -select_streams v -show_entries stream=width,height -of csv=p=0 o.mp4");
        CHECK_TEXT(run_output, expected);
        check_records("r.jsonl", rows[i].frames);
    }
}

static void every_container_and_codec(void) {
    write_text(
        "codec.yaml",
        "fovea: 1\nstreams:\n- {source: {uri: in.mp4, frames: 5}, outputs: [{file: a.webm}, {file: {path: b.mkv, codec: mjpeg}}, {file: {path: c.mov, audio: no, bitrate: 500}}]}\n");
    CHECK_EQUAL(run_fovea("run codec.yaml"), 0);
    CHECK_EQUAL(count_frames("a.webm"), 5);
    CHECK_EQUAL(count_frames("b.mkv"), 5);
    CHECK_EQUAL(count_frames("c.mov"), 5);
    run_shell(
        "for f in a.webm b.mkv c.mov; do ffprobe -v error -show_entries stream=codec_name -of csv=p=0 $f; done | tr '\\n' ' '");
    CHECK_TEXT(run_output, "vp9 opus mjpeg aac h264 ");
}

// Two files share the sound of one source.
static void two_files_with_sound(void) {
    write_text("both.yaml", "fovea: 1\nstreams:\n- {source: two.mp4, detect: false, outputs: [{file: o1.mp4}, {file: o2.mkv}]}\n");
    CHECK_EQUAL(run_fovea("run both.yaml"), 0);
    run_shell("for f in two.mp4 o1.mp4 o2.mkv; do ffprobe -v error -count_packets -show_entries stream=codec_name,nb_read_packets -of csv=p=0 $f | tr -d ',\\n' ; echo; done | sort -u | wc -l");
    CHECK_TEXT(run_output, "1\n");
}

static void the_printed_line_does_the_same(void) {
    write_text("plain.yaml", plain);
    CHECK_EQUAL(
        run_shell(
            "export INPUT=in.mp4 OUTPUT='with blank.mp4'; \"$FOVEA\" launch plain.yaml > line.sh && sh line.sh"),
        0);
    CHECK_EQUAL(count_frames("'with blank.mp4'"), 50);
    check_records("r.jsonl", 50);
}

static void several_streams_and_set(void) {
    write_text(
        "two.yaml",
        "fovea: 1\nstreams:\n- {name: a, source: in.mp4, outputs: [{publish: a.jsonl}]}\n- {name: b, source: vfr.mp4, outputs: [{publish: b.jsonl}]}\n");
    CHECK_EQUAL(
        run_fovea(
            "run two.yaml --set streams.a.source.frames=7 --set streams.b.outputs.0.publish=c.jsonl"),
        0);
    CHECK_CONTAINS(run_output, "a: 7 frames decoded");
    CHECK_CONTAINS(run_output, "b: ");
    check_records("a.jsonl", 7);
    CHECK_EQUAL(run_shell("test ! -e b.jsonl && test -s c.jsonl"), 0);
}

// Nothing but records on standard output; the bar is for terminals only.
static void records_on_standard_output(void) {
    write_text(
        "out.yaml",
        "fovea: 1\nstreams:\n- {source: {uri: in.mp4, frames: 3}, outputs: [{publish: '-'}]}\n");
    CHECK_EQUAL(
        run_shell(
            "\"$FOVEA\" run out.yaml 2> err.txt > s.jsonl; grep -c . s.jsonl; grep -c %% err.txt"),
        1);
    CHECK_TEXT(run_output, "3\n0\n");
    check_records("s.jsonl", 3);
}

// The bar is for terminals: `script` is one.
static void a_bar_on_a_terminal(void) {
    write_text("bar.yaml", "fovea: 1\nstreams:\n- {name: bar, source: {uri: in.mp4, frames: 20}, "
                           "detect: false, outputs: [{file: bar.mp4}]}\n");
    if (run_shell("command -v script")) {
        fv_test_skip("no `script` here");
        return;
    }
    CHECK_EQUAL(run_shell("script -qec '\"$FOVEA\" run bar.yaml' /dev/null | tr '\\r' '\\n'"), 0);
    CHECK_CONTAINS(run_output, "% [");
    CHECK_CONTAINS(run_output, "/20  ");
    CHECK_CONTAINS(run_output, "bar: 20 frames decoded");
}

const fv_suite files_suite = {"files", (const fv_case[]){CASE(frames_times_and_sound_stay),
                                                         CASE(sound_before_the_start_stays),
                                                         CASE(sound_of_every_kind),
                                                         CASE(sound_that_a_container_cannot_hold),
                                                         CASE(opus_of_six_channels_stays),
                                                         CASE(uneven_times_stay),
                                                         CASE(rotation_stays),
                                                         CASE(turned_pictures_are_seen_upright),
                                                         CASE(sizes_of_every_kind),
                                                         CASE(every_container_and_codec),
                                                         CASE(two_files_with_sound),
                                                         CASE(the_printed_line_does_the_same),
                                                         CASE(several_streams_and_set),
                                                         CASE(a_bar_on_a_terminal),
                                                         CASE(records_on_standard_output),
                                                         {0}}};
