#include "pipeline/run/progress.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 24, LINE = 400 };

void fv_progress_init(fv_progress *p, bool wanted) {
    *p = (fv_progress){.on = wanted && isatty(STDERR_FILENO)};
}

static void add_duration(char *line, double seconds) {
    size_t n = strlen(line);
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(line + n, LINE - n, "  %ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(line + n, LINE - n, "  %ld:%02ld left", s / 60, s % 60);
}

static void add_bar(char *line, double part) {
    size_t n = strlen(line);
    int full = (int)(part * BAR);
    snprintf(line + n, LINE - n, "%3d%% [%.*s%.*s] ", (int)(part * 100), full,
             "########################", BAR - full, "                        ");
}

static void add_stream(char *line, fv_meter *meter, const fv_probe *probe, const char *name) {
    fv_meter_state s = fv_meter_get(meter);
    bool known = probe->frames > 0;
    double part = known ? (double)s.frames / (double)probe->frames : 0;
    part = part > 1 ? 1 : part;
    size_t n = strlen(line);
    snprintf(line + n, LINE - n, "%s%s ", n ? "  |  " : "", name);
    if (known)
        add_bar(line, part);
    n = strlen(line);
    if (known)
        snprintf(line + n, LINE - n, "%" PRIu64 "/%" PRId64 "  %.1f fps", s.frames, probe->frames,
                 s.fps);
    else
        snprintf(line + n, LINE - n, "%" PRIu64 " frames  %.1f fps", s.frames, s.fps);
    if (known && s.fps > 0)
        add_duration(line, (1 - part) * (double)probe->frames / s.fps);
}

void fv_progress_show(fv_progress *p, fv_meter *const *meters, const fv_probe *probes,
                      const char *const *names, int n) {
    if (!p->on)
        return;
    char line[LINE] = "";
    for (int i = 0; i < n && i < 4; i++)
        add_stream(line, meters[i], &probes[i], names[i]);
    int width = (int)strlen(line);
    fprintf(stderr, "\r%s%*s", line, p->width > width ? p->width - width : 0, "");
    fflush(stderr);
    p->width = width;
}

void fv_progress_clear(fv_progress *p) {
    if (p->on && p->width)
        fprintf(stderr, "\r%*s\r", p->width, "");
    p->width = 0;
}
