#define _GNU_SOURCE
// Every kind of sound into every container: none hangs, the sound is there with its channels and its length, or it is
// said that it is left out.
#include <stdlib.h>

#include "tests/run/clips.h"

// `codecs` in .mp4, .mkv, .webm, with the number of channels where it is another; "" is left out.
static const struct {
    const char *codec, *ending;
    int channels;
    const char *codecs[3];
} rows[] = {
    {"pcm_s8", "mov", 1, {"aac", "pcm_u8", "opus"}},
    {"pcm_f32be", "mov", 6, {"aac", "pcm_f32le", "opus"}},
    {"pcm_f64be", "mov", 1, {"aac", "pcm_f64le", "opus"}},
    {"pcm_u24be", "nut", 2, {"aac", "pcm_s24le", "opus"}},
    {"pcm_s16le", "mkv", 4, {"aac", "pcm_s16le", "opus"}},
    {"pcm_s16le", "mkv", 7, {"aac 6", "pcm_s16le", "opus"}}, // AAC's encoder knows no seven
    {"pcm_alaw", "mov", 1, {"aac", "pcm_alaw", "opus"}},
    {"pcm_alaw", "mov", 6, {"", "", ""}}, // nothing here decodes more than two
    {"alac", "mov", 2, {"alac", "aac", "opus"}},
    {"alac", "mov", 6, {"aac", "aac", "opus"}},
    {"aac", "mp4", 6, {"aac", "aac", "opus"}},
    {"mp2", "ts", 2, {"mp3", "mp2", "opus"}}, // one object type in an MP4 for all layers
    {"libmp3lame", "mp4", 1, {"mp3", "mp3", "opus"}},
    {"ac3", "mkv", 6, {"ac3", "ac3", "opus"}},
    {"eac3", "mkv", 6, {"aac", "eac3", "opus"}},
    {"dca", "mkv", 6, {"aac", "dts", "opus"}},
    {"libopus", "mkv", 6, {"opus", "opus", "opus"}},
    {"libopus", "mp4", 8, {"opus", "opus", "opus"}},
    {"libvorbis", "mkv", 6, {"aac", "vorbis", "vorbis"}},
    {"flac", "mkv", 6, {"aac", "flac", "opus"}},
};
static const char *const endings[] = {"mp4", "mkv", "webm"};

static void make(const char *file, size_t i) {
    CHECK_EQUAL(run_shell("[ -s %s ] || ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=5:d=1 -f lavfi -i sine=d=1:r=48000 "
                          "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a %s -ac %d -strict -2 %s",
                          file, rows[i].codec, rows[i].channels, file), 0);
}

static void write_into(const char *in, const char *out) {
    CHECK_EQUAL(run_shell("echo '{fovea: 1, streams: [{source: \"${I}\", detect: false, outputs: [{file: \"${O}\"}]}]}' > pair.yaml;"
                          " rm -f %s; I=%s O=%s timeout -s KILL 300 \"$FOVEA\" run pair.yaml", out, in, out), 0);
}

static void check_pair(const char *in, size_t i, int k) {
    char out[16], codec[32] = "", expected[32] = "";
    int channels = rows[i].channels, found = 0;
    snprintf(out, sizeof out, "p.%s", endings[k]);
    write_into(in, out);
    CHECK(*rows[i].codecs[k] || strstr(run_output, "sound 0") != NULL);
    CHECK_EQUAL(count_frames(out), 5);
    sscanf(rows[i].codecs[k], "%31s %d", expected, &channels);
    run_shell("ffprobe -v error -select_streams a -show_entries stream=codec_name,channels -of csv=p=0 %s | tr ',' ' '", out);
    sscanf(run_output, "%31s %d", codec, &found);
    CHECK_TEXT(codec, expected);
    if (!*expected)
        return;
    CHECK_EQUAL(found, channels);
    run_shell("ffmpeg -v error -i %s -vn -ac 1 -ar 8000 -f s16le - 2>/dev/null | wc -c", out);
    int is_long = abs(atoi(run_output) - 16000) < 1200; // a second, and what encoders add at both ends
    CHECK(is_long);
    if (!is_long)
        fprintf(stderr, "%s to %s: %s", in, out, run_output);
}

static void all_pairs(void) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char in[64];
        snprintf(in, sizeof in, "pair-%s-%d.%s", rows[i].codec, rows[i].channels, rows[i].ending);
        make(in, i);
        for (int k = 0; k < 3; k++)
            check_pair(in, i, k);
    }
}

// The places of six channels of Opus: a tone in one of them comes out of that one.
static void channels_of_opus_keep_their_places(void) {
    CHECK_EQUAL(run_shell("ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=5:d=1 -f lavfi -i sine=d=1:r=48000 -c:v libx264 -preset ultrafast "
                          "-af 'pan=5.1|FR=c0' -c:a libopus -mapping_family 1 -strict -2 fr.mkv"), 0);
    write_into("fr.mkv", "p.mp4");
    run_shell("for c in FL FR FC BL BR; do ffmpeg -v info -i p.mp4 -vn -af pan=mono\\|c0=$c,volumedetect -f null - 2>&1 |"
              " sed -n \"s/.*max_volume: -\\([0-9]*\\).*/$c \\1/p\"; done | awk '$2<30{print $1}'");
    CHECK_TEXT(run_output, "FR\n");
}

// The times of the first packets of each sound.
static void check_first(const char *file, int sound, const char *times) {
    run_shell("ffprobe -v error -select_streams a:%d -show_entries packet=pts_time -of csv=p=0 %s | tr -d ',' | head -3 | tr '\\n' ' '", sound, file);
    CHECK_TEXT(run_output, times);
}

// Every packet and its time are there, and what is decoded of them is the same to the sample.
static void sound_before_time_0_stays_in_matroska(void) {
    write_into("in.mp4", "p.mkv"); // 44100 a second
    check_first("p.mkv", 0, "-0.023000 0.000000 0.023000 ");
    CHECK_EQUAL(run_shell("ffmpeg -v error -i in.mp4 -vn -f s16le - | md5sum > in.sum; ffmpeg -v error -i p.mkv -vn -af atrim=start_sample=1024 -f s16le - |"
                          " md5sum | diff - in.sum"), 0);
    run_shell("for f in in.mp4 p.mkv; do ffprobe -v error -select_streams v -show_entries packet=pts_time -of csv=p=0 $f | sort -g; done | sort | uniq -c | awk '$1!=2'");
    CHECK_TEXT(run_output, "");
    write_into("p.mkv", "q.mkv"); // and again
    check_first("q.mkv", 0, "-0.023000 0.000000 0.023000 ");
    write_into("p.mkv", "q.mp4");
    CHECK_EQUAL(run_shell("ffmpeg -v error -i q.mp4 -vn -f s16le - | head -c 170000 | md5sum > q.sum;"
                          " ffmpeg -v error -i in.mp4 -vn -f s16le - | head -c 170000 | md5sum | diff - q.sum"), 0);
    write_into("two.mp4", "p.mkv"); // each sound has its own: AAC and AC-3
    check_first("p.mkv", 0, "-0.021000 0.000000 0.022000 ");
    check_first("p.mkv", 1, "-0.005000 0.027000 0.059000 ");
    write_into("mp3.mp4", "p.mkv");
    check_first("p.mkv", 0, "-0.023000 0.001000 0.025000 ");
}

// An encoder's priming is before time 0: where a tone begins in the input, it begins in the output.
static void encoded_sound_is_in_its_place_in_matroska(void) {
    CHECK_EQUAL(run_shell("ffmpeg -v error -y -i alac.mov -c:v copy -af adelay=500:all=1 -t 1 -c:a alac beep.mov"), 0);
    write_into("beep.mov", "p.mkv");
    check_first("p.mkv", 0, "-0.021000 0.000000 0.022000 ");
    run_shell("ffmpeg -copyts -i p.mkv -vn -af silencedetect=-30dB:d=0.1 -f null - 2>&1 | grep -o 'silence_end: [0-9.]*'");
    double end = 0;
    sscanf(run_output, "silence_end: %lf", &end);
    CHECK(end > 0.495 && end < 0.505);
}

// Its last packet is longer than the sound, which the file says.
static void opus_ends_where_it_ended(void) {
    static const char *const pairs[][2] = {{"ends.mkv", "p.mkv"}, {"ends.mkv", "p.webm"}, {"ends.mp4", "p.mkv"}};
    CHECK_EQUAL(run_shell("for e in mkv mp4; do ffmpeg -v error -y -i alac.mov -c:v copy -ac 2 -t 0.99 -c:a libopus ends.$e || exit 1; done"), 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        write_into(pairs[i][0], pairs[i][1]);
        run_shell("ffmpeg -v error -i %s -vn -ac 1 -f s16le - | wc -c", pairs[i][1]);
        CHECK(abs(atoi(run_output) / 2 - 47520) <= 48); // a millisecond
        CHECK_EQUAL(run_shell("for f in %s %s; do ffprobe -v error -select_streams a -show_entries packet=size -of csv=p=0 $f | tr -d ,; echo; done | sort | uniq -c |"
                              " awk '$1%%2'", pairs[i][0], pairs[i][1]), 0);
        CHECK_TEXT(run_output, ""); // no packet is lost
    }
}

static const fv_suite sounds_suite = {
    "sounds", (const fv_case[]){CASE(all_pairs), CASE(channels_of_opus_keep_their_places),
                                CASE(sound_before_time_0_stays_in_matroska),
                                CASE(encoded_sound_is_in_its_place_in_matroska), CASE(opus_ends_where_it_ended), {0}}};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&sounds_suite, NULL});
}
