#define _GNU_SOURCE
#include "tests/run/clips.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

char run_output[16384];

static const char *const recipes =
    "set -e; exec 2>&1; f='ffmpeg -v error -y'; x='-c:v libx264 -preset ultrafast -pix_fmt yuv420p'\n"
    "$f -f lavfi -i testsrc2=s=320x240:r=25:d=2 -f lavfi -i sine=d=2 $x -g 10 -c:a aac in.mp4\n"
    "$f -i in.mp4 -an -vf \"select='not(mod(n,7))+not(mod(n,3))'\" -vsync vfr $x vfr.mp4\n"
    "$f -i in.mp4 -c copy -metadata:s:v:0 rotate=90 turned.mp4\n"
    "$f -f lavfi -i testsrc2=s=320x240:r=25:d=1 $x a.ts; $f -f lavfi -i testsrc2=s=192x108:r=25:d=1 $x b.ts; cat a.ts b.ts > change.ts\n"
    "$f -i in.mp4 -c copy -movflags +faststart fast.mp4; head -c $(($(stat -c %s fast.mp4) / 2)) fast.mp4 > half.mp4\n"
    "$f -i in.mp4 -an -c copy whole.mkv; head -c $(($(stat -c %s whole.mkv) / 2)) whole.mkv > half.mkv\n"
    "head -c 20000 in.mp4 > cut.mp4; : > empty.mp4; seq 99999 | gzip -n | tail -c 5000 > noise.mp4\n"
    "$f -f lavfi -i sine=d=1 -c:a aac sound.mp4\n"
    "$f -f lavfi -i testsrc2=d=1 $x -frames:v 0 zero.mp4 || true\n"
    "$f -f rawvideo -s 1x1 -r 5 -pix_fmt rgb24 -i /dev/zero -frames:v 5 -c:v ffv1 -pix_fmt bgr0 one.mkv\n"
    "$f -f lavfi -i testsrc2=r=5:d=1 -vf scale=177:99 -c:v ffv1 -pix_fmt yuv420p odd.mkv\n"
    "$f -f lavfi -i testsrc2=s=4096x2160:r=5:d=0.6 $x big.mp4\n"
    "s='-f lavfi -i testsrc2=s=160x120:r=25:d=1 -f lavfi -i sine=d=1:r=48000'; $f $s $x -c:a aac -output_ts_offset 5 late.ts\n"
    "$f $s $x -c:a libmp3lame mp3.mp4; $f $s $x -c:a libopus opus.mkv; $f $s $x -c:a mp2 mp2.ts\n"
    "$f $s $x -c:a aac aac.mkv; $f $s $x -map 0 -map 1 -map 1 -c:a:0 aac -c:a:1 ac3 two.mp4\n"
    "$f $s $x -c:a flac flac.mkv; $f $s $x -c:a libvorbis vorbis.mkv; $f $s $x -ac 6 -c:a pcm_s24be six.mov; $f $s $x -c:a wmav2 wma.mkv\n"
    "$f $s $x -c:a pcm_s8 bytes.mov; $f $s $x -ac 6 -c:a alac alac.mov\n"
    "$f $s $x -ac 8 -c:a pcm_s16le eight.mkv; $f $s $x -ac 16 -c:a pcm_s16le sixteen.mkv\n"
    "$f $s $x -filter_complex '[1:a]pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0[a]' -map 0 -map [a] -c:a libopus -mapping_family 1 around.mkv\n";

const char *clips_folder(void) {
    static char folder[1100];
    if (folder[0])
        return folder;
    snprintf(folder, sizeof folder, "%s", fv_test_tmp("clips"));
    char command[8192];
    snprintf(command, sizeof command, "cd %s\n%s", folder, recipes);
    if (fv_test_shell(command, run_output, sizeof run_output))
        fprintf(stderr, "clips cannot be made: %s\n", run_output);
    return folder;
}

static int run_in_folder(const char *before, const char *format, va_list args) {
    char command[8192], text[6000];
    vsnprintf(text, sizeof text, format, args);
    snprintf(command, sizeof command, "cd %s && %s%s", clips_folder(), before, text);
    return fv_test_shell(command, run_output, sizeof run_output);
}

int run_fovea(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int code = run_in_folder("timeout 300 \"$FOVEA\" ", format, args);
    va_end(args);
    return code;
}

int run_shell(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int code = run_in_folder("", format, args);
    va_end(args);
    return code;
}

int count_lines(const char *text, const char *part) {
    int n = 0;
    for (const char *line = text; line && *line;) {
        const char *end = strchrnul(line, '\n'), *found = strstr(line, part);
        n += found && found < end;
        line = *end ? end + 1 : NULL;
    }
    return n;
}

int count_frames(const char *file) {
    int n = -1;
    if (!run_shell(
            "ffprobe -v error -count_frames -select_streams v:0 -show_entries stream=nb_read_frames -of csv=p=0 %s",
            file))
        sscanf(run_output, "%d", &n);
    return n;
}

void check_records(const char *file, int lines) {
    char expected[64];
    snprintf(expected, sizeof expected, "%d lines follow the schema", lines);
    CHECK_EQUAL(run_shell("/usr/bin/python3 %s %s %s", fv_test_source("tests/schema.py"),
                          fv_test_source("config/schema/record.schema.json"), file),
                0);
    CHECK_CONTAINS(run_output, expected);
}
