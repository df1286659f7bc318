// fvpriming and fvmkv: sound before time 0 in a container without times below 0.
#include <gst/check/gstharness.h>
#include <stdlib.h>

#include "plugins/mkv/priming.h"
#include "plugins/mkv/tracks.h"
#include "tests/test.h"

// A header as matroskamux writes it, of sizes that it fills in later: EBML, Segment, Tracks with a picture and two sounds.
static const uint8_t header[] =
    "\x1a\x45\xdf\xa3\x83\x42\x86\x81" "\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" "\x16\x54\xae\x6b\xba"
    "\xae\x8f\xd7\x81\x01\x83\x81\x01\x53\x6e\x86" "Video\0"
    "\xae\x01\0\0\0\0\0\0\x0f\xd7\x81\x02\x83\x81\x02\x53\x6e\x86" "Audio\0"
    "\xae\x8f\xd7\x81\x03\x83\x81\x02\x53\x6e\x86" "Audio";
enum { TRACKS = 20, NAMES = 3 };
static const size_t names[NAMES] = {33, 57, 74};
static const uint64_t delays[2] = {21333333, 0x123456789a};

static void every_sound_says_its_delay(void) {
    static const uint8_t first[] = {0x56, 0xaa, 0x86, 0, 0, 0x01, 0x45, 0x85, 0x55}, second[] = {0x56, 0xaa, 0x86, 0, 0x12, 0x34, 0x56, 0x78, 0x9a};
    uint8_t data[sizeof header];
    for (int from = 0; from <= TRACKS; from += TRACKS) {
        memcpy(data, header, sizeof data);
        CHECK_EQUAL(fv_mkv_delays_patch(data + from, sizeof data - (size_t)from, delays, 2), 2);
        CHECK(!memcmp(data, header, names[1]));
        CHECK(!memcmp(data + names[1], first, sizeof first));
        CHECK(!memcmp(data + names[2], second, sizeof second));
        CHECK_EQUAL(fv_mkv_delays_patch(data, sizeof data, delays, 2), 0); // they are said already
    }
    memcpy(data, header, sizeof data);
    CHECK_EQUAL(fv_mkv_delays_patch(data, sizeof data, (uint64_t[]){0, 5}, 2), 1);
    CHECK(!memcmp(data, header, names[2]));
    CHECK_EQUAL(fv_mkv_delays_patch(data, sizeof data, delays, 0), 0);
}

static void torn_and_hostile_headers(void) {
    for (size_t n = 0; n < sizeof header; n++) {
        uint8_t *part = malloc(n + !n);
        memcpy(part, header, n);
        CHECK_EQUAL(fv_mkv_delays_patch(part, n, delays, 2), n >= names[1] + 9 ? 1 : 0);
        free(part);
    }
    for (size_t at = 0; at < sizeof header; at++)
        for (int v = 0; v < 256; v += 5) {
            uint8_t *bent = malloc(sizeof header);
            memcpy(bent, header, sizeof header);
            bent[at] = (uint8_t)v;
            CHECK(fv_mkv_delays_patch(bent, sizeof header, delays, 2) <= 2);
            free(bent);
        }
}

static uint64_t ask(GstHarness *h) {
    guint64 ns = 1;
    GstQuery *query = gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(FV_PRIMING_QUERY));
    CHECK(gst_pad_peer_query(h->sinkpad, query));
    gst_structure_get_uint64(gst_query_get_structure(query), "ns", &ns);
    gst_query_unref(query);
    return ns;
}

// The first packet is decoded `lead` before the segment and presented with it; the times that go on are those of decoding.
static void packets_move_by_what_comes_before_time_0(void) {
    static const struct {
        const char *element;
        int lead_ms, moved_ms;
        uint64_t said;
    } rows[] = {{"fvpriming", 23, 23, 23000000}, {"fvpriming", 0, 0, 0}, {"fvpriming samples=800", 0, 0, 100000000}, {"fvpriming samples=800", 40, 40, 40000000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        GstHarness *h = gst_harness_new_parse(rows[i].element);
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        segment.start = segment.position = GST_SECOND;
        gst_harness_set_src_caps_str(h, "audio/mpeg, mpegversion=(int)4, rate=(int)8000");
        CHECK(gst_harness_push_event(h, gst_event_new_segment(&segment)));
        for (int k = 0; k < 3; k++) {
            GstBuffer *b = gst_buffer_new_allocate(NULL, 4, NULL);
            GST_BUFFER_DTS(b) = GST_SECOND + (GstClockTime)(k * 50) * GST_MSECOND - (GstClockTime)rows[i].lead_ms * GST_MSECOND;
            GST_BUFFER_PTS(b) = MAX(GST_BUFFER_DTS(b), GST_SECOND);
            CHECK_EQUAL(gst_harness_push(h, b), GST_FLOW_OK);
            b = gst_harness_pull(h);
            CHECK_EQUAL(GST_BUFFER_PTS(b), GST_SECOND + (GstClockTime)(k * 50 + rows[i].moved_ms - rows[i].lead_ms) * GST_MSECOND);
            gst_buffer_unref(b);
        }
        CHECK_EQUAL(ask(h), rows[i].said);
        gst_harness_teardown(h);
    }
}

static void all_else_passes(void) {
    GstHarness *h = gst_harness_new_parse("fvmkv");
    gst_harness_set_src_caps_str(h, "video/x-matroska");
    static const struct {
        const void *data;
        size_t size;
    } rows[] = {{header, sizeof header}, {"\xa3\x81", 2}, {"", 0}}; // of no muxer that could be asked
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        GstBuffer *in = rows[i].size ? gst_buffer_new_memdup(rows[i].data, rows[i].size) : gst_buffer_new();
        CHECK_EQUAL(gst_harness_push(h, in), GST_FLOW_OK);
        GstBuffer *out = gst_harness_pull(h);
        CHECK_EQUAL(gst_buffer_get_size(out), rows[i].size);
        CHECK_EQUAL(gst_buffer_memcmp(out, 0, rows[i].data, rows[i].size), 0);
        gst_buffer_unref(out);
    }
    gst_harness_teardown(h);
}

const fv_suite mkv_suite = {"mkv", (const fv_case[]){CASE(every_sound_says_its_delay),
                                                     CASE(torn_and_hostile_headers),
                                                     CASE(packets_move_by_what_comes_before_time_0),
                                                     CASE(all_else_passes),
                                                     {0}}};
