// The loop on pipelines that can never end by themselves: it ends them, in one line.
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipeline/run/gst.h"
#include "pipeline/run/loop.h"
#include "tests/run/clips.h"

static const char *said;

static void path_of_said(char *path, size_t size) {
    snprintf(path, size, "%s/said", clips_folder());
}

// Exit code; what was printed is in `said`.
static int run(const char *words) {
    char path[1200];
    path_of_said(path, sizeof path);
    fv_desc_stream stream = {.name = "t"};
    fv_desc desc = {.streams = {.v = &stream, .n = 1}};
    fv_probe probe = {0};
    fflush(stderr);
    int before = dup(2);
    CHECK(freopen(path, "w", stderr) != NULL);
    setvbuf(stderr, NULL, _IONBF, 0);
    int code = fv_loop_run(&(fv_loop_params){
        .desc = &desc, .probes = &probe, .words = &(fv_words_out){.v = &words, .n = 1}});
    fflush(stderr);
    dup2(before, 2);
    close(before);
    static char *text;
    g_free(text);
    said = text = fv_test_read(path);
    return code;
}

static void a_link_that_fails_ends_the_run(void) {
    char words[2400];
    run_shell("ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:d=1 -f lavfi -i sine=d=1 -c:v libx264 -c:a pcm_s8 s8.mov");
    snprintf(words, sizeof words, "fvsrc name=t-source uri=%s/s8.mov ! x264enc ! m.video_0 "
             "t-source.audio_0 ! m.audio_0 matroskamux name=m ! fakesink name=t-end", clips_folder());
    CHECK_EQUAL(run(words), 1);
    CHECK_CONTAINS(said, "fovea: error: what the source gives does not fit behind it (failed delayed linking ");
    CHECK_EQUAL(count_lines(said, "error"), 1);
}

static gboolean interrupt(gpointer user) {
    (void)user;
    raise(SIGTERM);
    return G_SOURCE_REMOVE;
}

// Once the first signal has been heard.
static gboolean interrupt_again(gpointer user) {
    char path[1200];
    path_of_said(path, sizeof path);
    char *text = fv_test_read(path);
    bool was_heard = text && strstr(text, "finishing files");
    free(text);
    return was_heard ? interrupt(user) : G_SOURCE_CONTINUE;
}

// A muxer waits for sound that never comes.
static void a_signal_ends_what_stands_still(void) {
    char words[2400];
    snprintf(words, sizeof words, "fvsrc name=t-source uri=%s/in.mp4 ! x264enc ! m.video_0 "
             "appsrc caps=audio/x-alaw,rate=8000,channels=1 format=time ! m.audio_0 matroskamux name=m ! fakesink name=t-end", clips_folder());
    double began = fv_test_seconds();
    g_timeout_add(500, interrupt, NULL);
    CHECK_EQUAL(run(words), 1);
    CHECK_CONTAINS(said, "fovea: note: finishing files");
    CHECK_CONTAINS(said, "fovea: error: nothing moves any more");
    CHECK(fv_test_seconds() - began < 20);
    began = fv_test_seconds();
    g_timeout_add(500, interrupt, NULL);
    g_timeout_add(400, interrupt_again, NULL);
    CHECK_EQUAL(run(words), 1);
    CHECK_CONTAINS(said, "fovea: error: stopped at once");
    CHECK(fv_test_seconds() - began < 5);
}

static const fv_suite loop_suite = {
    "loop", (const fv_case[]){CASE(a_link_that_fails_ends_the_run), CASE(a_signal_ends_what_stands_still), {0}}};

int main(int argc, char **argv) {
    fv_err err = {0};
    alarm(400); // a hang is a failure
    fv_gst_init(&err);
    return fv_test_main(argc, argv, (const fv_suite *[]){&loop_suite, NULL});
}
