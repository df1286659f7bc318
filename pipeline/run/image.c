#include "pipeline/run/image.h"

#include <errno.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATIENCE_SECONDS = 30 };

static bool is_readable(const char *path, fv_err *err) {
    struct stat info;
    FILE *f = fopen(path, "rb");
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be read: %s", path, g_strerror(errno));
    bool file = !fstat(fileno(f), &info) && S_ISREG(info.st_mode);
    fclose(f);
    if (!file)
        return fv_fail(err, FV_BAD_INPUT, "%s: is no file; name pictures", path);
    return info.st_size || fv_fail(err, FV_BAD_INPUT, "%s: the file is empty", path);
}

// What the pipeline says is wrong, else `what`.
static bool fail_with_bus(GstElement *pipeline, const char *path, const char *what, fv_err *err) {
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;
    if (message)
        gst_message_parse_error(message, &error, NULL);
    fv_fail(err, FV_BAD_INPUT, "%s: %s%s%s", path, what, error ? ": " : "", error ? error->message : "");
    g_clear_error(&error);
    if (message)
        gst_message_unref(message);
    gst_object_unref(bus);
    return false;
}

static bool image_alloc(fv_image *image, int width, int height, fv_err *err) {
    *image = (fv_image){.width = width, .height = height, .pixels = malloc((size_t)width * (size_t)height * 3)};
    image->frame = (fv_frame){.format = FV_RGB, .width = width, .height = height, .stride = {width * 3},
                              .plane = {image->pixels}};
    return image->pixels || fv_fail(err, FV_MEMORY, "out of memory for a picture of %dx%d", width, height);
}

static bool copy_sample(fv_image *image, GstSample *sample, fv_err *err) {
    GstVideoInfo info;
    GstVideoFrame frame;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
        !image_alloc(image, GST_VIDEO_INFO_WIDTH(&info), GST_VIDEO_INFO_HEIGHT(&info), err) ||
        !gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ))
        return false;
    size_t row = (size_t)image->width * 3;
    for (int y = 0; y < image->height; y++)
        memcpy(image->pixels + (size_t)y * row,
               (const uint8_t *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) + (size_t)y * (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0), row);
    gst_video_frame_unmap(&frame);
    return true;
}

static GstElement *parse(const char *text, fv_err *err) {
    GError *error = NULL;
    gst_init(NULL, NULL);
    GstElement *pipeline = gst_parse_launch(text, &error);
    if (error)
        fv_fail(err, FV_UNSUPPORTED, "GStreamer: %s; `fovea doctor` says which package is missing", error->message);
    if (error && pipeline)
        gst_clear_object(&pipeline);
    g_clear_error(&error);
    return pipeline;
}

static void set_location(GstElement *pipeline, const char *name, const char *path) {
    GstElement *file = gst_bin_get_by_name(GST_BIN(pipeline), name);
    g_object_set(file, "location", path, NULL);
    gst_object_unref(file);
}

static void stop(GstElement *pipeline) {
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

bool fv_image_load(fv_image *image, const char *path, fv_err *err) {
    *image = (fv_image){0};
    if (!is_readable(path, err))
        return false;
    GstElement *pipeline = parse("filesrc name=file ! decodebin ! videoflip video-direction=auto ! videoconvert ! "
                                 "video/x-raw,format=RGB ! appsink name=out sync=false", err);
    if (!pipeline)
        return false;
    set_location(pipeline, "file", path);
    GstElement *out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    GstSample *sample = NULL;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_signal_emit_by_name(out, "try-pull-sample", (guint64)PATIENCE_SECONDS * GST_SECOND, &sample);
    bool ok = sample ? copy_sample(image, sample, err) : fail_with_bus(pipeline, path, "is no picture that can be decoded", err);
    if (sample)
        gst_sample_unref(sample);
    gst_object_unref(out);
    stop(pipeline);
    return ok;
}

static void push_picture(const fv_image *image, GstElement *in) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, (guint)image->width, (guint)image->height);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
    for (int y = 0; y < image->height; y++)
        gst_buffer_fill(buffer, (gsize)y * (gsize)GST_VIDEO_INFO_PLANE_STRIDE(&info, 0),
                        image->pixels + (size_t)y * (size_t)image->width * 3, (gsize)image->width * 3);
    GstCaps *caps = gst_video_info_to_caps(&info);
    GstFlowReturn flow;
    g_object_set(in, "caps", caps, "format", GST_FORMAT_TIME, NULL);
    g_signal_emit_by_name(in, "push-buffer", buffer, &flow);
    g_signal_emit_by_name(in, "end-of-stream", &flow);
    gst_caps_unref(caps);
    gst_buffer_unref(buffer);
}

bool fv_image_save(const fv_image *image, const char *path, fv_err *err) {
    GstElement *pipeline = parse("appsrc name=in ! videoconvert ! pngenc snapshot=false ! filesink name=file", err);
    if (!pipeline)
        return false;
    set_location(pipeline, "file", path);
    GstElement *in = gst_bin_get_by_name(GST_BIN(pipeline), "in");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    push_picture(image, in);
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *end = gst_bus_timed_pop_filtered(bus, PATIENCE_SECONDS * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    bool ok = end && GST_MESSAGE_TYPE(end) == GST_MESSAGE_EOS;
    if (!ok)
        fv_fail(err, FV_IO, "%s: the picture cannot be written", path);
    if (end)
        gst_message_unref(end);
    gst_object_unref(bus);
    gst_object_unref(in);
    stop(pipeline);
    return ok;
}

void fv_image_finish(fv_image *image) {
    free(image->pixels);
    *image = (fv_image){0};
}
