// What a camera and a series of pictures are asked for; no camera is needed to see it.
#include "plugins/src/uri.h"

#include <libavutil/opt.h>

#include "tests/test.h"

static const char *option(const fv_uri *u, const char *key) {
    const AVDictionaryEntry *e = av_dict_get(u->options, key, NULL, 0);
    return e ? e->value : "";
}

static void a_camera_is_asked(void) {
    static const char *const uris[] = {"/dev/video7", "v4l2:///dev/video7"};
    for (int i = 0; i < 2; i++) {
        fv_uri u;
        fv_err err = {0};
        CHECK_OK(fv_uri_parse(&u, uris[i], &(fv_uri_wish){.size = "1280x720", .rate = "30000/1001", .format = "mjpeg"}, &err), err);
        CHECK_TEXT(u.url, "/dev/video7");
        CHECK(u.is_live && u.poll && !u.is_network && fv_uri_is_live(uris[i], FV_LIVE_AUTO));
        CHECK(u.format && strstr(u.format->name, "v4l2")); // libavdevice is there
        CHECK_TEXT(option(&u, "video_size"), "1280x720");
        CHECK_TEXT(option(&u, "framerate"), "30000/1001");
        CHECK_TEXT(option(&u, "input_format"), "mjpeg");
        fv_uri_finish(&u);
    }
}

// The demuxer itself knows each option by its name.
static void libavdevice_knows_the_options(void) {
    static const char *const names[] = {"video_size", "framerate", "input_format"};
    fv_uri u;
    fv_err err = {0};
    CHECK_OK(fv_uri_parse(&u, "/dev/video7", &(fv_uri_wish){0}, &err), err);
    CHECK_EQUAL(av_dict_count(u.options), 0);
    for (int i = 0; u.format && i < 3; i++)
        CHECK(av_opt_find((void *)&u.format->priv_class, names[i], NULL, 0, AV_OPT_SEARCH_FAKE_OBJ) != NULL);
    fv_uri_finish(&u);
}

static void pictures_have_a_rate(void) {
    fv_uri u;
    fv_err err = {0};
    CHECK_OK(fv_uri_parse(&u, "img_%03d.png", &(fv_uri_wish){.rate = "5"}, &err), err);
    CHECK_TEXT(option(&u, "framerate"), "5");
    fv_uri_finish(&u);
}

static void the_network_is_asked(void) {
    static const struct {
        const char *uri;
        bool tcp;
        const char *key, *value;
    } rows[] = {
        {"rtsp://h/1", true, "rtsp_transport", "tcp"},
        {"rtsp://h/1", false, "rtsp_transport", "udp"},
        {"rtsp://h/1", true, "timeout", "3000000"},
        {"http://h/1", true, "rw_timeout", "3000000"},
        {"http://h/1", true, "rtsp_transport", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fv_uri u;
        fv_err err = {0};
        CHECK_OK(fv_uri_parse(&u, rows[i].uri, &(fv_uri_wish){.tcp = rows[i].tcp, .timeout_ns = INT64_C(3000000000)}, &err), err);
        CHECK(u.is_network);
        CHECK_TEXT(option(&u, rows[i].key), rows[i].value);
        fv_uri_finish(&u);
    }
}

static void wishes_that_cannot_be(void) {
    static const struct {
        const char *uri;
        fv_uri_wish wish;
        const char *part;
    } rows[] = {
        {"in.mp4", {.size = "1280x720"}, "in.mp4: `size` can be asked of cameras only"},
        {"rtsp://a:b@c/1", {.rate = "30"}, "rtsp://***@c/1: `rate` can be asked of cameras only"},
        {"img_%03d.png", {.format = "mjpeg"}, "`format` can be asked of cameras only"},
        {"/dev/video7", {.size = "wide"}, "/dev/video7: size: 'wide' is not like 1280x720"},
        {"/dev/video7", {.rate = "fast"}, "/dev/video7: rate: 'fast' is not like 30"},
        {"/dev/video7", {.format = "M J"}, "/dev/video7: format: 'M J' is not like mjpeg"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fv_uri u;
        fv_err err;
        CHECK_FAILS(fv_uri_parse(&u, rows[i].uri, &rows[i].wish, &err), err, rows[i].part);
        CHECK_EQUAL(err.code, FV_BAD_INPUT);
        fv_uri_finish(&u);
    }
}

const fv_suite uri_suite = {"uri", (const fv_case[]){CASE(a_camera_is_asked),
                                                     CASE(libavdevice_knows_the_options),
                                                     CASE(pictures_have_a_rate),
                                                     CASE(the_network_is_asked),
                                                     CASE(wishes_that_cannot_be),
                                                     {0}}};
