#include "pipeline/run/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *path_of(const fv_desc_output *o) {
    const fv_setting *to = o->publish ? fv_settings_find(o->publish, "to") : NULL;
    const char *path = o->file ? o->file->path : to ? to->text : NULL;
    bool is_file = path && strcmp(path, "-") != 0 && !strstr(path, "://");
    return is_file ? path : NULL;
}

// A pipe without a reader is one that may come.
static bool try_open(const char *path, fv_err *err) {
    bool is_new = access(path, F_OK) != 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);
    if (fd < 0 && errno != ENXIO)
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (is_new)
        unlink(path);
    return true;
}

bool fv_output_try(const fv_desc *desc, fv_err *err) {
    for (int i = 0; i < desc->streams.n; i++) {
        const fv_desc_stream *stream = (const fv_desc_stream *)desc->streams.v + i;
        for (int k = 0; k < stream->outputs.n; k++) {
            const char *path = path_of((const fv_desc_output *)stream->outputs.v + k);
            if (path && !try_open(path, err))
                return false;
        }
    }
    return true;
}
