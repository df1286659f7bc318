// Clips that the run tests make by ffmpeg, and the command on them.
#pragma once

#include "tests/test.h"

// A folder of this test program with tiny clips in it, made on the first call:
//     in.mp4      320x240, 25 frames a second, 2 s, one beep
//     vfr.mp4     frames at uneven times
//     turned.mp4  in.mp4, to be turned by 90 degrees
//     change.ts   320x240, then 192x108
//     half.mp4, half.mkv, cut.mp4 (its index is missing), empty.mp4, noise.mp4, sound.mp4, zero.mp4
//     late.ts     160x120, 1 s, begins at 5 s, with AAC; mp3.mp4, opus.mkv, mp2.ts, aac.mkv, two.mp4 (AAC and
//                 AC-3): the same with other sound
//     flac.mkv, vorbis.mkv, six.mov (six channels of 24-bit PCM), wma.mkv: more of these
//     around.mkv  with Opus of 5.1, four streams
//     one.mkv     1x1; odd.mkv 177x99; big.mp4 4096x2160, 3 frames
const char *clips_folder(void);

// `fovea ARGUMENTS` in that folder, the arguments as printf. What it printed is in run_output.
extern char run_output[16384];
int run_fovea(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Any shell command in that folder; its output is in run_output.
int run_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Exit code, and one line that begins with "fovea" and holds `part`.
#define CHECK_ERROR(code, expected, part)                                                          \
    do {                                                                                           \
        CHECK_EQUAL(code, expected);                                                               \
        CHECK_CONTAINS(run_output, part);                                                          \
        CHECK_EQUAL(count_lines(run_output, "error:"), 1);                                         \
    } while (0)

// Lines that hold `part`.
int count_lines(const char *text, const char *part);

// Frames of the first video stream as ffprobe decodes them; -1 when the file does not play.
int count_frames(const char *file);

// Every line of the file against config/schema/record.schema.json; `lines` of them.
void check_records(const char *file, int lines);
