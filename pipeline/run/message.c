#define _GNU_SOURCE
#include "pipeline/run/message.h"

#include <string.h>

// Kinds that are the user's input, not a failure while running.
static const struct {
    GQuark (*domain)(void);
    int code;
    fv_code kind;
} kinds[] = {
    {gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND, FV_BAD_INPUT},
    {gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, FV_BAD_INPUT},
    {gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_WRITE, FV_BAD_INPUT},
    {gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ_WRITE, FV_BAD_INPUT},
    {gst_resource_error_quark, GST_RESOURCE_ERROR_SETTINGS, FV_BAD_INPUT},
    {gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_AUTHORIZED, FV_BAD_INPUT},
    {gst_stream_error_quark, GST_STREAM_ERROR_TYPE_NOT_FOUND, FV_BAD_INPUT},
    {gst_stream_error_quark, GST_STREAM_ERROR_WRONG_TYPE, FV_BAD_INPUT},
    {gst_stream_error_quark, GST_STREAM_ERROR_CODEC_NOT_FOUND, FV_UNSUPPORTED},
    {gst_stream_error_quark, GST_STREAM_ERROR_NOT_IMPLEMENTED, FV_UNSUPPORTED},
    {gst_core_error_quark, GST_CORE_ERROR_MISSING_PLUGIN, FV_BAD_INPUT},
};

static fv_code kind_of(const GError *error) {
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (error->domain == kinds[i].domain() && error->code == kinds[i].code)
            return kinds[i].kind;
    return FV_IO;
}

static bool is_ours(GstObject *source) {
    GstElementFactory *f =
        GST_IS_ELEMENT(source) ? gst_element_get_factory(GST_ELEMENT(source)) : NULL;
    return f && g_str_has_prefix(GST_OBJECT_NAME(f), "fv");
}

// What the system said, in the debug text, as GStreamer's elements write it.
static char *reason(const char *debug) {
    static const char *const before[] = {"system error: ", "Error while writing to file descriptor "};
    for (size_t i = 0; debug && i < G_N_ELEMENTS(before); i++) {
        const char *p = strstr(debug, before[i]);
        if (!p)
            continue;
        p += strlen(before[i]);
        p += i ? strcspn(p, " ") + 1 : 0; // the number of the descriptor
        return g_strndup(p, strcspn(p, "\n"));
    }
    return NULL;
}

static char *location(GstObject *source) {
    char *path = NULL;
    if (source && g_object_class_find_property(G_OBJECT_GET_CLASS(source), "location"))
        g_object_get(source, "location", &path, NULL);
    return path;
}

static void one_line(char *text) {
    g_strdelimit(text, "\r\n", ' ');
    g_strchomp(text);
}

void fv_message_error(GstMessage *message, fv_err *err) {
    GError *error = NULL;
    g_autofree char *debug = NULL;
    GstObject *source = GST_MESSAGE_SRC(message);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING)
        gst_message_parse_warning(message, &error, &debug);
    else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_INFO)
        gst_message_parse_info(message, &error, &debug);
    else
        gst_message_parse_error(message, &error, &debug);
    g_autofree char *path = location(source), *why = reason(debug);
    bool full = g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    bool torn = full || g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE);
    if (is_ours(source))
        fv_fail(err, kind_of(error), "%s", error->message);
    else if (path)
        fv_fail(err, torn ? FV_BAD_INPUT : kind_of(error), "%s: %s%s", path,
                full  ? "No space left on device"
                : why ? why
                      : error->message,
                torn ? "; the file is broken off there; make room and run again" : "");
    else
        fv_fail(err, kind_of(error), "%s: %s%s%s", source ? GST_OBJECT_NAME(source) : "pipeline",
                error->message, why ? ": " : "", why ? why : "");
    one_line(err->text);
    g_error_free(error);
}
