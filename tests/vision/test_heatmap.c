#include "pipeline/vision/heatmap.h"

#include <stdlib.h>

#include "tests/test.h"

static const char *const names[] = {"car", "fork, \"lift\""};
static const fv_labels labels = {2, names};

static fv_object standing(uint64_t id, int label, float x, float y) {
    return (fv_object){.box = {x - 5, y - 20, 10, 20},
                       .label = label,
                       .id = id,
                       .score = 1,
                       .state = FV_STATE_CONFIRMED};
}

// 70 s at 2 frames a second: a car stands at the middle of the picture's left edge, another comes
// in the second minute.
static void run(fv_heatmap *h) {
    fv_event cross = {.event = "cross",
                      .rule = "door",
                      .direction = "in",
                      .phase = FV_PHASE_MOMENT},
             update = cross;
    update.phase = FV_PHASE_UPDATE;
    for (int frame = 0; frame < 140; frame++) {
        fv_object o[] = {standing(7, 0, 0, 180), standing(0, 0, 300, 180), standing(9, 0, 640, 360),
                         standing(3, 1, -50, 900)};
        fv_record r = {.stream = "s",
                       .frame = (uint64_t)frame,
                       .pts_ns = (int64_t)frame * 500000000,
                       .width = 640,
                       .height = 360,
                       .labels = &labels,
                       .objects = {frame < 130 ? 2 : 4, 4, o}};
        fv_event e[] = {cross, update};
        fv_heatmap_add(h, &r, e, frame % 50 == 0 ? 2 : 0);
    }
}

static double number_at(const char *csv, int row, int column) {
    const char *p = csv;
    for (int i = 0; p && i < row; i++)
        p = strchr(p, '\n') + 1;
    for (int i = 0; p && i < column; i++)
        p = strchr(p, ',') + 1;
    return p ? atof(p) : NAN;
}

static void seconds_add_up(void) {
    char folder[512], path[700];
    fv_err err = {0};
    fv_heatmap *h = fv_heatmap_create();
    run(h);
    snprintf(folder, sizeof folder, "%s/report", fv_test_tmp("heatmap"));
    CHECK_OK(fv_heatmap_write(h, folder, &err), err);
    CHECK_OK(fv_heatmap_write(h, folder, &err), err); // again, into what is there
    snprintf(path, sizeof path, "%s/heatmap-car.csv", folder);
    char *csv = fv_test_read(path);
    CHECK_NEAR(number_at(csv, FV_HEATMAP_ROWS / 2, 0), 69.5, 1e-9);
    CHECK_NEAR(number_at(csv, FV_HEATMAP_ROWS - 1, FV_HEATMAP_COLUMNS - 1), 5,
               1e-9); // at the corner: the last cell
    CHECK_NEAR(number_at(csv, 0, 0), 0, 0);
    free(csv);
    snprintf(path, sizeof path, "%s/occupancy.csv", folder);
    csv = fv_test_read(path);
    CHECK_CONTAINS(csv, "0,car,1.000,1,1\n");
    CHECK_CONTAINS(csv, "1,car,1.500,2,1\n");
    CHECK_CONTAINS(csv, "1,\"fork, \"\"lift\"\"\",0.500,1,1\n");
    free(csv);
    snprintf(path, sizeof path, "%s/events.csv", folder);
    csv = fv_test_read(path);
    CHECK_TEXT(csv, "minute,rule,event,direction,count\n0,door,cross,in,3\n");
    free(csv);
    fv_heatmap_destroy(&h);
}

// An independent reader: size and, of each place (x y), the colour.
static void check_picture(const char *folder, const char *name, const char *places,
                          const char *expected) {
    char command[1400], output[300];
    snprintf(command, sizeof command,
             "python3 -c \"import zlib,struct; d=open('%s/%s','rb').read(); "
             "assert d[:8]==b'\\x89PNG\\r\\n\\x1a\\n'; p=8; z=b''\n"
             "while p<len(d):\n n,t=struct.unpack('>I4s',d[p:p+8]); c=d[p+8:p+8+n]; assert "
             "struct.unpack('>I',d[p+8+n:p+12+n])[0]==zlib.crc32(t+c); p+=12+n\n"
             " if t==b'IHDR': w,h=struct.unpack('>II',c[:8])\n if t==b'IDAT': z+=c\n"
             "r=zlib.decompress(z); assert len(r)==h*(3*w+1); "
             "print(w,h,*(r[y*(3*w+1)+1+3*x:][:3].hex() for x,y in [%s]))\"",
             folder, name, places);
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_TEXT(output, expected);
}

// The car's cell is all but white in its middle, half as much is orange, nothing above it black; its bars have
// a mean of 1 and 1.5 and a most of 1 and 2.
static void pictures_are_png(void) {
    char folder[512];
    fv_heatmap *h = fv_heatmap_create();
    fv_err err = {0};
    run(h);
    snprintf(folder, sizeof folder, "%s/report", fv_test_tmp("heatmap-png"));
    CHECK_OK(fv_heatmap_write(h, folder, &err), err);
    check_picture(folder, "heatmap-car.png", "(0,222),(0,216),(0,208),(400,100)",
                  "768 432 fef8e5 f79920 000000 000000\n");
    check_picture(folder, "occupancy-car.png",
                  "(10,130),(10,120),(60,100),(60,40),(60,5),(400,100)",
                  "768 240 6ebeff 181a20 6ebeff 3c6496 181a20 181a20\n");
    CHECK_FAILS(fv_heatmap_write(h, "/nonexistent/report", &err), err, "/nonexistent/report");
    fv_heatmap_destroy(&h);
    fv_heatmap_destroy(&h);
}

// Heat maps have the picture's shape; more minutes than there are columns: the last ones.
static void pictures_have_the_pictures_shape(void) {
    char folder[512];
    fv_heatmap *h = fv_heatmap_create();
    fv_err err = {0};
    fv_object o = standing(1, 0, 320, 240);
    fv_record r = {
        .stream = "s", .width = 640, .height = 480, .labels = &labels, .objects = {1, 1, &o}};
    for (int minute = 0; minute < 1000; minute++) {
        r.pts_ns = minute * INT64_C(60000000000);
        r.objects.n = minute >= 232 && minute < 616;
        fv_heatmap_add(h, &r, NULL, 0);
    }
    snprintf(folder, sizeof folder, "%s/report", fv_test_tmp("heatmap-shape"));
    CHECK_OK(fv_heatmap_write(h, folder, &err), err);
    check_picture(folder, "heatmap-car.png", "(0,0)", "768 576 000000\n");
    check_picture(folder, "occupancy-car.png", "(0,200),(383,200),(384,200)",
                  "768 240 6ebeff 6ebeff 181a20\n");
    fv_heatmap_destroy(&h);
}

const fv_suite heatmap_suite = {
    "heatmap", (const fv_case[]){CASE(seconds_add_up), CASE(pictures_are_png),
                                 CASE(pictures_have_the_pictures_shape), {0}}};
