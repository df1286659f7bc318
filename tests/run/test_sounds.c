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
    run_shell("echo '{fovea: 1, streams: [{source: \"${I}\", detect: false, outputs: [{file: \"${O}\"}]}]}' > pair.yaml");
}

static void check_pair(const char *in, size_t i, int k) {
    char out[16], codec[32] = "", expected[32] = "";
    int channels = rows[i].channels, found = 0;
    snprintf(out, sizeof out, "p.%s", endings[k]);
    CHECK_EQUAL(run_shell("rm -f %s; I=%s O=%s timeout -s KILL 120 \"$FOVEA\" run pair.yaml", out, in, out), 0);
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
    CHECK_EQUAL(run_shell("I=fr.mkv O=p.mp4 timeout 120 \"$FOVEA\" run pair.yaml"), 0);
    run_shell("for c in FL FR FC BL BR; do ffmpeg -v info -i p.mp4 -vn -af pan=mono\\|c0=$c,volumedetect -f null - 2>&1 |"
              " sed -n \"s/.*max_volume: -\\([0-9]*\\).*/$c \\1/p\"; done | awk '$2<30{print $1}'");
    CHECK_TEXT(run_output, "FR\n");
}

static const fv_suite sounds_suite = {
    "sounds", (const fv_case[]){CASE(all_pairs), CASE(channels_of_opus_keep_their_places), {0}}};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&sounds_suite, NULL});
}
