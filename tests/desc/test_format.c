// Every format is written beside our own records and read back by tests/formats.py, which holds it
// to its schema and to the records; and what formats say exactly, for one object.
#include "pipeline/desc/format.h"

#include <stdlib.h>

#include "pipeline/base/rule.h"
#include "pipeline/vision/mot.h"
#include "tests/desc/drive.h"
#include "tests/test.h"

static void names_are_the_rows(void) {
    for (int i = 0; i < FV_N_FORMATS; i++) {
        CHECK_TEXT(fv_format_names[i], fv_format_rows[i].name);
        CHECK(fv_format_rows[i].frame && fv_format_rows[i].says && *fv_format_helps[i]);
        CHECK(!(fv_format_rows[i].says & FV_WHAT_EVENTS) || fv_format_rows[i].events);
    }
    CHECK(!fv_format_names[FV_N_FORMATS]);
}

// Two labels of COCO and the rest not; a name that JSON, XML and '|' need escapes for.
static const fv_labels mixed = {
    4, (const char *const[]){"person", "car", "b\xc3\xa9 <\"&'|>", "bad \xff byte"}};
static const fv_labels street = {6, (const char *const[]){"person", "bicycle", "car", "motorcycle",
                                                          "bus", "truck"}};

static void read_back(const drive *d) {
    char records[1100], path[1200], command[4000], output[4000];
    const char *folder = fv_test_tmp("formats");
    snprintf(records, sizeof records, "%s/records.jsonl", folder);
    drive_write(d, FV_FORMAT_FOVEA, FV_WHAT_ALL, records);
    for (int i = 1; i < FV_N_FORMATS; i++) {
        const char *name = fv_format_names[i];
        snprintf(path, sizeof path, "%s/%s%s", folder, name, fv_format_rows[i].extension);
        drive_write(d, (fv_format)i, FV_WHAT_ALL, path);
        snprintf(command, sizeof command, "/usr/bin/python3 %s %s %s %s",
                 fv_test_source("tests/formats.py"), name, records, path);
        CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
        CHECK_CONTAINS(output, "agree");
    }
}

static void all_are_read_back(void) {
    read_back(&(drive){.frames = 130, .labels = &street, .utc_ns = FV_TIME_NONE});
}

static void odd_names_and_wall_time_are_read_back(void) {
    for (int source = FV_UTC_RTCP; source <= FV_UTC_NTP; source++)
        read_back(&(drive){.frames = 40, .labels = &mixed, .utc_ns = 1763828705000123456, .utc_source = (fv_utc_source)source});
}

static void nothing_gives_whole_documents(void) {
    char path[1200];
    for (int i = 0; i < FV_N_FORMATS; i++) {
        snprintf(path, sizeof path, "%s/none", fv_test_tmp("formats"));
        drive_write(&(drive){.labels = &street}, (fv_format)i, FV_WHAT_ALL, path);
        char *text = fv_test_read(path);
        CHECK_TEXT(text ? text : "", i == FV_FORMAT_COCO    ? "[\n]\n"
                                     : i == FV_FORMAT_ONVIF ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
                                                              "<tt:MetadataStream xmlns:tt=\"http://"
                                                              "www.onvif.org/ver10/schema\" xmlns:wsnt="
                                                              "\"http://docs.oasis-open.org/wsn/b-2\" "
                                                              "xmlns:tns1=\"http://www.onvif.org/ver10/"
                                                              "topics\">\n</tt:MetadataStream>\n"
                                                            : "");
        free(text);
    }
}

// ---- what each message says of itself -----------------------------------------------------------

typedef struct {
    int n, events;
    char (*ids)[300];
    bool twice, odd;
} heard;

static void hear(void *user, const fv_message *m) {
    heard *h = user;
    h->odd |= strlen(m->body) != m->size || strlen(m->line) != m->line_size ||
              strchr(m->line, '\n') || !*m->topic || strpbrk(m->topic, "+#") || *m->topic == '/' ||
              strcmp(m->key, "gate/north");
    for (int i = 0; i < h->n; i++)
        h->twice |= !strcmp(h->ids[i], m->id);
    h->ids = realloc(h->ids, sizeof *h->ids * (size_t)(h->n + 1));
    snprintf(h->ids[h->n++], sizeof *h->ids, "%s", m->id);
    h->events += m->is_event;
}

static void ids_are_unique_and_the_same_again(void) {
    const drive d = {.frames = 130, .labels = &street, .stream = "gate/north", .utc_ns = FV_TIME_NONE};
    for (int i = 0; i < FV_N_FORMATS; i++) {
        heard h[2] = {0};
        for (int k = 0; k < 2; k++)
            drive_say(&d, (fv_format)i, FV_WHAT_ALL, hear, &h[k]);
        CHECK(h[0].n > 0 && h[0].n == h[1].n && !h[0].twice && !h[0].odd);
        CHECK((h[0].events > 0) == (fv_format_rows[i].says > FV_WHAT_FRAMES));
        for (int k = 0; k < h[0].n && k < h[1].n; k++)
            CHECK_TEXT(h[1].ids[k], h[0].ids[k]);
        free(h[0].ids);
        free(h[1].ids);
    }
}

static void what_is_not_wanted_stays_unsaid(void) {
    const drive d = {.frames = 130, .labels = &street, .stream = "gate/north"};
    for (int i = 0; i < FV_N_FORMATS; i++) {
        heard frames = {0}, events = {0};
        drive_say(&d, (fv_format)i, FV_WHAT_FRAMES, hear, &frames);
        drive_say(&d, (fv_format)i, FV_WHAT_EVENTS, hear, &events);
        CHECK_EQUAL(frames.events, i == FV_FORMAT_SAVANT); // the end of the stream
        CHECK(frames.n > 0);
        if (i != FV_FORMAT_MOT && i != FV_FORMAT_COCO)
            CHECK_EQUAL(events.n, events.events);
        free(frames.ids);
        free(events.ids);
    }
}

// ---- whatever comes -----------------------------------------------------------------------------

// Numbers that are the same on every machine.
static unsigned dice(unsigned *seed, unsigned sides) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % sides;
}

static const fv_labels wild = {5, (const char *const[]){"", "a\tb\nc\x01", "\xed\xa0\x80\xf8\xff", "]]>",
                                                        "\xf0\x9f\x9a\x97 \xc3"}};

// Tracks come and go and come again, boxes have any place and size, texts any bytes.
static void say_anything(fv_formatter *f, unsigned seed) {
    fv_object v[6];
    fv_event e[3];
    for (uint64_t frame = 0; frame < 100; frame++) {
        fv_record r = {.stream = seed % 3 ? "a/b+#\xff" : NULL,
                       .frame = frame,
                       .pts_ns = dice(&seed, 9) ? (int64_t)frame * 400000000 : FV_TIME_NONE,
                       .utc_ns = FV_TIME_NONE,
                       .width = 64,
                       .height = 48,
                       .labels = dice(&seed, 5) ? &wild : NULL};
        int n = (int)dice(&seed, 7), n_events = (int)dice(&seed, 4);
        for (int i = 0; i < n; i++)
            v[i] = (fv_object){.box = {(float)dice(&seed, 200) - 100, (float)dice(&seed, 200) - 100,
                                       (float)dice(&seed, 99), (float)dice(&seed, 99)},
                               .score = (float)dice(&seed, 1001) / 1000,
                               .label = (int)dice(&seed, 6),
                               .id = (uint64_t)(i * 3) + dice(&seed, 3),
                               .predicted = !dice(&seed, 4)};
        for (int i = 0; i < n_events; i++) {
            e[i] = (fv_event){.id = frame * 3 + (uint64_t)i,
                              .event = fv_event_rows[dice(&seed, FV_N_EVENTS)].name,
                              .rule = wild.v[dice(&seed, 5)],
                              .phase = (fv_phase)dice(&seed, 4),
                              .has_object = n && dice(&seed, 2),
                              .value = dice(&seed, 2) ? NAN : 1.5,
                              .count = -1,
                              .frame = frame,
                              .pts_ns = r.pts_ns,
                              .utc_ns = FV_TIME_NONE};
            if (e[i].has_object)
                e[i].object = v[dice(&seed, (unsigned)n)];
        }
        r.objects = (fv_objects){n, 6, v};
        fv_formatter_frame(f, &r, e, n_events);
        if (!dice(&seed, 60))
            fv_formatter_finish(f); // a seek
    }
    fv_formatter_finish(f);
}

static void anything_gives_well_formed_documents(void) {
    char path[1200], command[4000], output[2000];
    for (int i = 0; i < FV_N_FORMATS; i++) {
        snprintf(path, sizeof path, "%s/any", fv_test_tmp("formats"));
        fv_document d = {.out = fopen(path, "w"), .row = &fv_format_rows[i]};
        fv_formatter *f = fv_formatter_create((fv_format)i, FV_WHAT_ALL, fv_document_add, &d);
        fv_document_begin(&d);
        for (unsigned seed = 1; seed <= 3; seed++)
            say_anything(f, seed);
        fv_document_end(&d);
        fv_formatter_destroy(&f);
        fclose(d.out);
        snprintf(command, sizeof command, "/usr/bin/python3 %s --form %s %s",
                 fv_test_source("tests/formats.py"), fv_format_names[i], path);
        CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
        CHECK_CONTAINS(output, "well formed");
    }
}

// ---- exact texts --------------------------------------------------------------------------------

typedef struct {
    char text[8][4000], topic[8][100];
    int n;
} kept;

static void keep(void *user, const fv_message *m) {
    kept *k = user;
    if (k->n == 8)
        return;
    snprintf(k->topic[k->n], sizeof k->topic[0], "%s", m->topic);
    snprintf(k->text[k->n++], sizeof k->text[0], "%s", m->body);
}

// One car, half a second in, and the event of it.
static kept *say_one(fv_format format) {
    static kept k;
    static fv_object o = {.box = {160, 90, 320, 180},
                          .score = 0.75f,
                          .label = 2,
                          .id = 12,
                          .state = FV_STATE_CONFIRMED};
    fv_event e = {.id = 3,
                  .event = "cross",
                  .rule = "door",
                  .direction = "in",
                  .has_object = true,
                  .object = o,
                  .before = {310, 200},
                  .after = {320, 270},
                  .count = 1,
                  .value = NAN,
                  .frame = 15,
                  .pts_ns = 500000000,
                  .utc_ns = FV_TIME_NONE};
    fv_record r = {.stream = "gate",
                   .frame = 15,
                   .pts_ns = 500000000,
                   .utc_ns = FV_TIME_NONE,
                   .width = 640,
                   .height = 360,
                   .objects = {1, 1, &o},
                   .labels = &street};
    k.n = 0;
    fv_formatter *f = fv_formatter_create(format, FV_WHAT_ALL, keep, &k);
    fv_formatter_set_rate(f, 30, 1);
    fv_formatter_frame(f, &r, &e, 1);
    fv_formatter_destroy(&f);
    return &k;
}

static void one_car_for_dlstreamer(void) {
    const kept *k = say_one(FV_FORMAT_DLSTREAMER);
    CHECK_EQUAL(k->n, 1);
    CHECK_CONTAINS(k->text[0],
                   "{\"objects\":[{\"detection\":{\"bounding_box\":{\"x_min\":0.25,\"y_min\":0.25,"
                   "\"x_max\":0.75,\"y_max\":0.75},\"confidence\":0.75,\"label\":\"car\","
                   "\"label_id\":2},\"x\":160,\"w\":320,\"y\":90,\"h\":180,\"id\":12,"
                   "\"region_id\":1,\"roi_type\":\"car\",\"tripwire_crossings\":[{\"tripwire_id\":"
                   "\"door\",\"direction\":1}]}],\"resolution\":{\"width\":640,\"height\":360},"
                   "\"source\":\"gate\",\"timestamp\":500000000,\"fovea_events\":[");
}

static void one_car_for_deepstream(void) {
    const kept *k = say_one(FV_FORMAT_DEEPSTREAM);
    CHECK_EQUAL(k->n, 2);
    CHECK_TEXT(k->text[0], "{\"version\":\"4.0\",\"id\":\"15\",\"@timestamp\":"
                           "\"1970-01-01T00:00:00.500Z\",\"sensorId\":\"gate\",\"objects\":"
                           "[\"12|160.00|90.00|480.00|270.00|car\"]}");
    CHECK_CONTAINS(k->text[1], "\"objects\":[\"12|160.00|90.00|480.00|270.00|car\"],\"event\":"
                               "{\"id\":\"3\",\"type\":\"cross\"},\"analyticsModule\":{\"id\":"
                               "\"door\",");
    CHECK_TEXT(k->topic[1], "gate/events");
}

static void one_car_for_savant(void) {
    const kept *k = say_one(FV_FORMAT_SAVANT);
    CHECK_EQUAL(k->n, 1);
    CHECK_CONTAINS(k->text[0],
                   "{\"source_id\":\"gate\",\"pts\":500000000,\"dts\":null,\"duration\":null,"
                   "\"framerate\":\"30/1\",\"width\":640,\"height\":360,\"codec\":null,"
                   "\"keyframe\":true,\"metadata\":{\"objects\":[{\"model_name\":\"fovea\","
                   "\"label\":\"car\",\"object_id\":12,\"bbox\":{\"xc\":320.0,\"yc\":180.0,"
                   "\"width\":320.0,\"height\":180.0,\"angle\":0.0},\"confidence\":0.75,"
                   "\"attributes\":[{\"element_name\":\"door\",\"name\":\"cross\",\"value\":\"in\","
                   "\"confidence\":null}],");
}

static void one_car_for_onvif(void) {
    const kept *k = say_one(FV_FORMAT_ONVIF);
    CHECK_EQUAL(k->n, 2);
    CHECK_TEXT(k->text[0],
               "<tt:VideoAnalytics><tt:Frame UtcTime=\"1970-01-01T00:00:00.500000Z\" Source=\"gate\">"
               "<tt:Object ObjectId=\"12\"><tt:Appearance><tt:Shape><tt:BoundingBox "
               "left=\"-0.500000\" top=\"0.500000\" right=\"0.500000\" bottom=\"-0.500000\"/>"
               "<tt:CenterOfGravity x=\"0.000000\" y=\"0.000000\"/></tt:Shape><tt:Class><tt:Type "
               "Likelihood=\"0.7500\">Vehicle</tt:Type></tt:Class><tt:VehicleInfo><tt:Type "
               "Likelihood=\"0.7500\">Car</tt:Type></tt:VehicleInfo></tt:Appearance></tt:Object>"
               "</tt:Frame></tt:VideoAnalytics>");
    CHECK_TEXT(k->text[1],
               "<tt:Event><wsnt:NotificationMessage><wsnt:Topic "
               "Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">"
               "tns1:RuleEngine/LineDetector/Crossed</wsnt:Topic><wsnt:Message><tt:Message "
               "UtcTime=\"1970-01-01T00:00:00.500000Z\"><tt:Source><tt:SimpleItem "
               "Name=\"VideoSourceConfigurationToken\" Value=\"gate\"/><tt:SimpleItem "
               "Name=\"VideoAnalyticsConfigurationToken\" Value=\"fovea\"/><tt:SimpleItem "
               "Name=\"Rule\" Value=\"door\"/></tt:Source><tt:Data><tt:SimpleItem Name=\"ObjectId\" "
               "Value=\"12\"/><tt:SimpleItem Name=\"ClassTypes\" Value=\"Vehicle\"/><tt:SimpleItem "
               "Name=\"Direction\" Value=\"in\"/></tt:Data></tt:Message></wsnt:Message>"
               "</wsnt:NotificationMessage></tt:Event>");
}

// Tracks that were not seen for two seconds are deleted, once; who comes back can be deleted again.
static void onvif_tells_who_has_gone(void) {
    static const struct {
        double seconds;
        uint64_t ids[2];
        const char *gone;
    } rows[] = {
        {0, {7, 8}, NULL},
        {1, {8}, NULL},
        {1.9, {0}, NULL},
        {2, {0}, "<tt:ObjectTree><tt:Delete ObjectId=\"7\"/></tt:ObjectTree></tt:Frame>"},
        {2.5, {9}, NULL},
        {4.6, {7}, "</tt:Object><tt:ObjectTree><tt:Delete ObjectId=\"8\"/><tt:Delete ObjectId=\"9\"/></tt:ObjectTree></tt:Frame>"},
        {7, {0}, "<tt:ObjectTree><tt:Delete ObjectId=\"7\"/></tt:ObjectTree></tt:Frame>"},
        {20, {0}, NULL},
    };
    kept k = {0};
    fv_formatter *f = fv_formatter_create(FV_FORMAT_ONVIF, FV_WHAT_ALL, keep, &k);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fv_object v[2] = {{.box = {1, 2, 3, 4}, .id = rows[i].ids[0]}, {.box = {1, 2, 3, 4}, .id = rows[i].ids[1]}};
        int n = (rows[i].ids[0] > 0) + (rows[i].ids[1] > 0);
        fv_record r = {.stream = "gate", .pts_ns = (int64_t)(rows[i].seconds * 1e9), .utc_ns = FV_TIME_NONE,
                       .width = 640, .height = 360, .objects = {n, n, v}};
        k.n = 0;
        fv_formatter_frame(f, &r, NULL, 0);
        CHECK_EQUAL(k.n, 1);
        if (rows[i].gone)
            CHECK_CONTAINS(k.text[0], rows[i].gone);
        CHECK_EQUAL(strstr(k.text[0], "Delete") != NULL, rows[i].gone != NULL);
    }
    fv_formatter_destroy(&f);
}

// A property that changes: true at the start, false at the end, which comes behind the last frame with its own time.
static void onvif_tells_what_lasts(void) {
    static kept k;
    fv_event e[] = {{.event = "dwell", .rule = "yard", .phase = FV_PHASE_START, .count = -1, .value = NAN,
                     .pts_ns = 500000000, .utc_ns = FV_TIME_NONE},
                    {.event = "overcrowding", .rule = "yard", .phase = FV_PHASE_END, .count = -1, .value = NAN,
                     .pts_ns = 700000000, .utc_ns = FV_TIME_NONE}};
    fv_record r = {.stream = "gate", .pts_ns = FV_TIME_NONE, .utc_ns = FV_TIME_NONE, .width = 64, .height = 36};
    k.n = 0;
    fv_formatter *f = fv_formatter_create(FV_FORMAT_ONVIF, FV_WHAT_ALL, keep, &k);
    for (int i = 0; i < 2; i++)
        fv_formatter_events(f, &r, &e[i], 1);
    fv_formatter_destroy(&f);
    CHECK_EQUAL(k.n, 2);
    CHECK_CONTAINS(k.text[0], "UtcTime=\"1970-01-01T00:00:00.500000Z\" PropertyOperation=\"Changed\"");
    CHECK_CONTAINS(k.text[0], "Name=\"State\" Value=\"true\"");
    CHECK_CONTAINS(k.text[1], "UtcTime=\"1970-01-01T00:00:00.700000Z\" PropertyOperation=\"Changed\"");
    CHECK_CONTAINS(k.text[1], "Name=\"State\" Value=\"false\"");
    CHECK(!strstr(k.text[1], "\"Count\""));
}

static void one_car_for_mot_and_coco(void) {
    const kept *k = say_one(FV_FORMAT_MOT);
    CHECK_EQUAL(k->n, 1);
    CHECK_TEXT(k->text[0], "16,12,160.00,90.00,320.00,180.00,0.75,-1,-1,-1");
    k = say_one(FV_FORMAT_COCO);
    CHECK_EQUAL(k->n, 1);
    CHECK_TEXT(k->text[0], "{\"image_id\":15,\"category_id\":3,\"bbox\":[160.0,90.0,320.0,180.0],"
                           "\"score\":0.75,\"track_id\":12}");
}

static int coco_category(const fv_labels *names, int label) {
    kept k = {.n = 0};
    fv_object o = {.box = {1, 2, 3, 4}, .label = label};
    fv_record r = {.stream = "gate", .width = 9, .height = 9, .objects = {1, 1, &o},
                   .labels = names};
    fv_formatter *f = fv_formatter_create(FV_FORMAT_COCO, FV_WHAT_ALL, keep, &k);
    fv_formatter_frame(f, &r, NULL, 0);
    fv_formatter_destroy(&f);
    const char *at = strstr(k.text[0], "\"category_id\":");
    return at ? atoi(at + 14) : -1;
}

// The official numbers have gaps; a model with a class of its own counts its classes from 1.
static void coco_categories(void) {
    const fv_labels odd = {3, (const char *const[]){"toothbrush", "stop sign", "bus"}},
                    own = {2, (const char *const[]){"person", "drone"}};
    CHECK_EQUAL(coco_category(&odd, 0), 90);
    CHECK_EQUAL(coco_category(&odd, 1), 13);
    CHECK_EQUAL(coco_category(&odd, 2), 6);
    CHECK_EQUAL(coco_category(&own, 0), 1);
    CHECK_EQUAL(coco_category(&own, 1), 2);
    CHECK_EQUAL(coco_category(NULL, 4), 5);
}

// The reader of `fovea eval mot` and `fovea events` takes what format=mot writes.
static void mot_is_read_by_our_own_reader(void) {
    char path[1200];
    fv_err err = {0};
    fv_mot_rows rows;
    snprintf(path, sizeof path, "%s/tracks.txt", fv_test_tmp("formats"));
    drive_write(&(drive){.frames = 20, .labels = &street}, FV_FORMAT_MOT, FV_WHAT_ALL, path);
    CHECK_OK(fv_mot_read(path, &rows, &err), err);
    CHECK_EQUAL(rows.n, 20 + 19 + 18);
    CHECK_EQUAL(rows.v[0].frame, 1);
    CHECK_EQUAL(rows.v[0].id, 1);
    CHECK_EQUAL(rows.v[0].class_id, FV_MOT_NO_CLASS);
    fv_mot_finish(&rows);
}

const fv_suite format_suite = {"format", (const fv_case[]){CASE(names_are_the_rows),
                                                           CASE(all_are_read_back),
                                                           CASE(odd_names_and_wall_time_are_read_back),
                                                           CASE(nothing_gives_whole_documents),
                                                           CASE(ids_are_unique_and_the_same_again),
                                                           CASE(what_is_not_wanted_stays_unsaid),
                                                           CASE(anything_gives_well_formed_documents),
                                                           CASE(one_car_for_dlstreamer),
                                                           CASE(one_car_for_deepstream),
                                                           CASE(one_car_for_savant),
                                                           CASE(one_car_for_onvif),
                                                           CASE(onvif_tells_who_has_gone),
                                                           CASE(onvif_tells_what_lasts),
                                                           CASE(one_car_for_mot_and_coco),
                                                           CASE(coco_categories),
                                                           CASE(mot_is_read_by_our_own_reader),
                                                           {0}}};
