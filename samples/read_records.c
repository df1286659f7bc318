// Fovea's records in an element of one's own: a GStreamer element behind ours that reads the
// metadata of each frame, and a program that listens to the bus.
//
//     read_records VIDEO RULES.yaml [MODEL.onnx]
//
// prints a record a frame, as fvpublish writes it, and a line for each event that came over the
// bus.
// In a tree of your own: cc read_records.c $(pkg-config --cflags --libs fovea gstreamer-base-1.0)
#include <gst/base/gstbasetransform.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/desc/record.h"
#include "plugins/common/frame_meta.h"

// ---- the element: the video passes untouched ----------------------------------------------------

typedef struct {
    GstBaseTransform base;
} RecordReader;
typedef struct {
    GstBaseTransformClass base;
} RecordReaderClass;

GType record_reader_get_type(void);
G_DEFINE_TYPE(RecordReader, record_reader, GST_TYPE_BASE_TRANSFORM)

static GstFlowReturn read_frame(GstBaseTransform *base, GstBuffer *buffer) {
    const fv_frame_meta *m = fv_frame_meta_read(buffer);
    GstClockTime t = gst_segment_to_stream_time(&base->segment, GST_FORMAT_TIME,
                                                GST_BUFFER_PTS(buffer));
    if (!m)
        return GST_FLOW_OK;
    fv_record record =
        fv_frame_meta_record(m, GST_CLOCK_TIME_IS_VALID(t) ? (int64_t)t : FV_TIME_NONE);
    char *line = fv_record_frame_json(&record);
    puts(line ? line : "");
    free(line);
    for (int i = 0; i < m->n_events; i++) {
        line = fv_record_event_json(&record, &m->events[i]);
        puts(line ? line : "");
        free(line);
    }
    return GST_FLOW_OK;
}

static void record_reader_class_init(RecordReaderClass *class) {
    static GstStaticPadTemplate sink =
        GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
    static GstStaticPadTemplate src =
        GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    gst_element_class_add_static_pad_template(element, &sink);
    gst_element_class_add_static_pad_template(element, &src);
    gst_element_class_set_static_metadata(element, "Record reader", "Filter/Metadata/Video",
                                          "Prints what Fovea knows of each frame", "you");
    GST_BASE_TRANSFORM_CLASS(class)->transform_ip = read_frame;
}

static void record_reader_init(RecordReader *reader) {
    gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(reader), TRUE);
}

// ---- the program --------------------------------------------------------------------------------

static void print_event(const GstStructure *s) {
    guint64 object = 0, pts = 0;
    gst_structure_get(s, "pts", G_TYPE_UINT64, &pts, NULL);
    printf("bus: %.2f s: %s: %s %s", (double)pts / 1e9, gst_structure_get_string(s, "rule"),
           gst_structure_get_string(s, "event"), gst_structure_get_string(s, "phase"));
    if (gst_structure_get_uint64(s, "object-id", &object))
        printf(" of %s %" G_GUINT64_FORMAT, gst_structure_get_string(s, "label"), object);
    puts("");
}

// Until the end of the stream; returns the exit code.
static int watch(GstElement *pipeline) {
    GstBus *bus = gst_element_get_bus(pipeline);
    for (int code = -1;;) {
        GstMessage *m = gst_bus_timed_pop_filtered(
            bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
        const GstStructure *s = gst_message_get_structure(m);
        GError *error = NULL;
        if (GST_MESSAGE_TYPE(m) == GST_MESSAGE_EOS)
            code = 0;
        if (GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR) {
            gst_message_parse_error(m, &error, NULL);
            fprintf(stderr, "read_records: error: %s\n", error->message);
            g_error_free(error);
            code = 1;
        }
        if (s && gst_structure_has_name(s, "fovea-event"))
            print_event(s);
        gst_message_unref(m);
        if (code >= 0) {
            gst_object_unref(bus);
            return code;
        }
    }
}

static void set_text(GstElement *pipeline, const char *element, const char *name,
                     const char *value) {
    GstElement *e = gst_bin_get_by_name(GST_BIN(pipeline), element);
    g_object_set(e, name, value, NULL);
    gst_object_unref(e);
}

int main(int argc, char **argv) {
    GError *error = NULL;
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: read_records VIDEO RULES.yaml [MODEL.onnx]\n");
        return 2;
    }
    gst_init(NULL, NULL);
    gst_element_register(NULL, "recordreader", GST_RANK_NONE, record_reader_get_type());
    GstElement *pipeline = gst_parse_launch(
        "fvsrc name=source ! fvdetect name=detect every=2 ! fvtrack ! fvevents name=events "
        "stream=gate ! recordreader ! fakesink", &error);
    if (!pipeline || error) {
        fprintf(stderr, "read_records: error: %s\n", error->message);
        g_clear_error(&error);
        return 1;
    }
    set_text(pipeline, "source", "uri", argv[1]);
    set_text(pipeline, "events", "rules", argv[2]);
    if (argc == 4)
        set_text(pipeline, "detect", "model", argv[3]);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    int code = watch(pipeline);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return code;
}
