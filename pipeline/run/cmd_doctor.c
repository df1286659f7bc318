#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/base/paths.h"
#include "pipeline/gpu/gpu.h"
#include "pipeline/run/cmd.h"

// What somebody may need, and the Debian package that brings it.
typedef struct {
    const char *element, *for_what, *package;
} need;

static const need needs[] = {
    {"fvdetect", "the detector in pipelines", "the fovea plugin; is GST_PLUGIN_PATH right?"},
    {"fvsrc", "reading files, URLs and cameras", "the fovea plugin; is GST_PLUGIN_PATH right?"},
    {"fvtrack", "tracking", "the fovea plugin; is GST_PLUGIN_PATH right?"},
    {"fvevents", "lines, zones and rules", "the fovea plugin; is GST_PLUGIN_PATH right?"},
    {"fvoverlay", "drawing", "the fovea plugin; is GST_PLUGIN_PATH right?"},
    {"fvpublish", "records and events", "the fovea plugin; is GST_PLUGIN_PATH right?"},
    {"appsink", "pictures", "gstreamer1.0-plugins-base"},
    {"decodebin", "pictures and gst-launch lines", "gstreamer1.0-plugins-base"},
    {"videoconvert", "conversions between raw formats", "gstreamer1.0-plugins-base"},
    {"jpegdec", "JPEG pictures", "gstreamer1.0-plugins-good"},
    {"jpegparse", "JPEG pictures, upright", "gstreamer1.0-plugins-bad"},
    {"avdec_mjpeg", "JPEG pictures as libjpeg decodes them", "gstreamer1.0-libav"},
    {"pngenc", "annotated pictures", "gstreamer1.0-plugins-good"},
    {"mp4mux", "MP4 files", "gstreamer1.0-plugins-good"},
    {"videoflip", "upright pictures", "gstreamer1.0-plugins-good"},
    {"x264enc", "H.264 encoding", "gstreamer1.0-plugins-ugly"},
    {"h264parse", "H.264 streams", "gstreamer1.0-plugins-bad"},
    {"avdec_h264", "H.264 in gst-launch lines", "gstreamer1.0-libav"},
};

static int say(bool good, const char *what, const char *remedy) {
    printf("%s %s%s%s\n", good ? "ok     " : "missing", what, good ? "" : ": ", good ? "" : remedy);
    return good ? 0 : 1;
}

static int check_vulkan(void) {
    fv_gpu_info list[16];
    fv_err err = {0};
    char text[600];
    int n = fv_gpu_list(list, 16, &err), usable = 0;
    for (int i = 0; i < n; i++)
        usable += !list[i].reason[0];
    if (n < 0)
        return say(false, "Vulkan", err.text);
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "Vulkan device %d, %s", i, list[i].caps.name);
        say(!list[i].reason[0], text, list[i].reason);
    }
    return usable ? 0
                  : say(false, "a Vulkan device that can be used",
                        "apt-get install mesa-vulkan-drivers");
}

static int check_elements(void) {
    int missing = 0;
    char text[256];
    gst_init(NULL, NULL);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        GstElementFactory *factory = gst_element_factory_find(needs[i].element);
        snprintf(text, sizeof text, "%s, for %s", needs[i].element, needs[i].for_what);
        missing += say(factory, text, needs[i].package);
        if (factory)
            gst_object_unref(factory);
    }
    return missing;
}

static int check_files(void) {
    char path[4096], text[4200];
    fv_data_path("models/street.onnx", path, sizeof path);
    snprintf(text, sizeof text, "the default detector, %s", path);
    return say(!access(path, R_OK), text, "install it, or name a model everywhere");
}

static int check_cache(void) {
    char dir[4096], text[4200];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    snprintf(dir, sizeof dir, "%s%s",
             cache && *cache ? cache
             : home          ? home
                             : "",
             cache && *cache ? "" : "/.cache");
    snprintf(text, sizeof text, "the cache folder %s", dir);
    mkdir(dir, 0777);
    return say(!access(dir, W_OK), text,
               "set XDG_CACHE_HOME to a folder that can be written, or every start is slow");
}

int fv_cmd_doctor(int argc, char **argv) {
    if (fv_cmd_help("doctor", argc, argv))
        return 0;
    if (argc > 1)
        return fv_cmd_usage("doctor", "takes no arguments");
    int missing = check_vulkan() + check_elements() + check_files() + check_cache();
    printf(missing ? "%d missing\n" : "nothing is missing\n", missing);
    return missing ? 1 : 0;
}
