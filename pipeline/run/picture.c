#include "pipeline/run/picture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/common/draw.h"

static bool make_folder(const char *dir, fv_err *err) {
    struct stat info;
    if (!mkdir(dir, 0777) || (!stat(dir, &info) && S_ISDIR(info.st_mode)))
        return true;
    return fv_fail(err, FV_BAD_INPUT, "%s: cannot be made: %s", dir, strerror(errno));
}

// "photos/bus.jpg" -> "<dir>/bus.png"
static void name_for(const char *dir, const char *path, char *name, size_t size) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path,
               *dot = strrchr(base, '.');
    snprintf(name, size, "%s/%.*s.png", dir,
             dot && dot > base ? (int)(dot - base) : (int)strlen(base), base);
}

bool fv_picture_draw(fv_image *image, const fv_objects *objects, const fv_labels *labels,
                     const char *dir, const char *path, fv_err *err) {
    char name[4096];
    fv_draw_style style;
    fv_options_default(&style, fv_draw_options);
    style.tentative = true;
    style.scores = true;
    if (!make_folder(dir, err))
        return false;
    fv_drawer *drawer = fv_drawer_create(&style, err);
    if (!drawer)
        return false;
    fv_record record = {.stream = path,
                        .pts_ns = FV_TIME_NONE,
                        .utc_ns = FV_TIME_NONE,
                        .width = image->width,
                        .height = image->height,
                        .objects = *objects,
                        .labels = labels};
    fv_drawer_draw(drawer, &image->frame, &record, NULL, 0);
    fv_drawer_destroy(&drawer);
    name_for(dir, path, name, sizeof name);
    return fv_image_save(image, name, err);
}
