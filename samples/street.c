// Draws the sample clip: people walk and cars pass in a street, with their boxes and events known by
// construction.
//
//     street [--seed N] [--frames N] [--truth BOXES.csv] [--events EVENTS.csv] > clip.y4m
//     street --seed N --stills DIR COUNT        pictures (PPM) with YOLO labels, of many streets
//
// Boxes: frame,id,x,y,w,h,1,class,visibility (MOTChallenge: frames from 1, class 1 person, 3 car;
// pixels, whole figure also where it leaves the picture; visibility is the share that is seen).
// Events: frame,id,event,rule,direction as samples/street_rules.yaml names them; frame is where the
// true position passes, from 0.
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samples/figures.h"

enum { WIDTH = 640, HEIGHT = 360, FPS = 30, MAX_MOVERS = 96 };

// Where the rules of samples/street_rules.yaml lie, in pixels.
static const float gate_x = 0.62f * WIDTH, road_x = 0.45f * WIDTH, yard_x0 = 0.08f * WIDTH, yard_x1 = 0.42f * WIDTH;

typedef enum { FAR_WALK, FAR_ROAD, NEAR_ROAD, NEAR_WALK, N_LANES } lane_name;

// Rows are drawn in this order, far to near. Sizes and speeds in pixels.
static const struct {
    bool car;
    float y, y_spread, size, size_spread, speed, speed_spread, gap, way; // way 0: either
} lanes[N_LANES] = {
    [FAR_WALK] = {false, 218, 3, 64, 5, 42, 10, 3.2f, 0},
    [FAR_ROAD] = {true, 258, 1, 142, 8, 150, 25, 4.6f, -1},
    [NEAR_ROAD] = {true, 297, 1, 176, 10, 190, 30, 5.2f, 1},
    [NEAR_WALK] = {false, 332, 9, 122, 8, 78, 14, 2.9f, 0},
};

typedef struct {
    lane_name lane;
    float start, y, size, speed, way, phase; // start: seconds when it is at the edge
    float pause_at, pause;                   // x, seconds; pause 0: none
    person_look person;
    car_look car;
} mover;

typedef struct {
    mover v[MAX_MOVERS];
    int n;
    colour sky, wall, wall2, walk, road;
    float light, zoom;
    uint32_t seed;
} street;

static float margin(const mover *m) {
    return lanes[m->lane].car ? 0.6f * m->size : 0.35f * m->size;
}

static void lane_fill(street *s, lane_name lane, dice *d, float seconds) {
    float last_exit[2] = {-100, -100};
    for (float t = dice_roll(d, -4, 1.0f); t < seconds && s->n < MAX_MOVERS; t += lanes[lane].gap * dice_roll(d, 0.75f, 1.6f)) {
        mover m = {.lane = lane, .start = t, .y = lanes[lane].y + dice_roll(d, -1, 1) * lanes[lane].y_spread,
                   .size = (lanes[lane].size + dice_roll(d, -1, 1) * lanes[lane].size_spread) * s->zoom,
                   .speed = lanes[lane].speed + dice_roll(d, -1, 1) * lanes[lane].speed_spread, .phase = dice_roll(d, 0, 6.28f),
                   .way = lanes[lane].way != 0 ? lanes[lane].way : dice_roll(d, 0, 1) < 0.5f ? -1.0f : 1.0f};
        if (!lanes[lane].car && dice_roll(d, 0, 1) < 0.25f)
            m.pause_at = dice_roll(d, 0.2f, 0.36f) * WIDTH, m.pause = dice_roll(d, 1.2f, 2.4f);
        m.person = person_look_roll(d);
        m.car = car_look_roll(d);
        float leaves = t + (WIDTH + 2 * margin(&m)) / m.speed; // no overtaking among cars
        int side = m.way > 0;
        if (lanes[lane].car && leaves < last_exit[side] + 1)
            continue;
        last_exit[side] = leaves;
        s->v[s->n++] = m;
    }
}

static street street_roll(uint32_t seed, float seconds, bool varied) {
    static const colour skies[] = {{.68f, .78f, .88f}, {.80f, .82f, .84f}, {.90f, .80f, .70f}, {.45f, .52f, .62f}};
    static const colour walls[] = {{.68f, .56f, .46f}, {.60f, .58f, .55f}, {.74f, .70f, .62f}, {.52f, .40f, .36f}};
    dice d = {seed * 2654435761u | 1};
    street s = {.seed = seed, .light = 1, .zoom = 1, .sky = skies[0], .wall = walls[0], .wall2 = walls[2],
                .walk = {.62f, .60f, .57f}, .road = {.33f, .33f, .345f}};
    for (int i = 0; i < 16; i++)
        dice_roll(&d, 0, 1);
    if (varied) {
        s.light = dice_roll(&d, 0.55f, 1.12f);
        s.zoom = dice_roll(&d, 0.7f, 1.15f);
        s.sky = skies[(int)dice_roll(&d, 0, 3.99f)];
        s.wall = walls[(int)dice_roll(&d, 0, 3.99f)];
        s.wall2 = walls[(int)dice_roll(&d, 0, 3.99f)];
        s.road = colour_mix(s.road, s.walk, dice_roll(&d, 0, 0.5f));
    }
    for (lane_name lane = 0; lane < N_LANES; lane++)
        lane_fill(&s, lane, &d, seconds);
    return s;
}

// Middle x of a mover at a time; `moved` gets the pixels walked so far, which drive the stride.
static float mover_x(const mover *m, float t, float *moved) {
    float edge = m->way > 0 ? -margin(m) : WIDTH + margin(m), s = (t - m->start) * m->speed;
    float to_pause = m->pause > 0 ? fabsf(m->pause_at - edge) : 1e9f;
    if (s > to_pause)
        s = fmaxf(to_pause, s - m->pause * m->speed);
    *moved = s;
    return edge + m->way * s;
}

static bool mover_paused(const mover *m, float t) {
    float moved, later;
    mover_x(m, t, &moved);
    mover_x(m, t + 0.02f, &later);
    return later <= moved;
}

static void background_paint(picture *p, const street *s) {
    brush b = brush_begin(p, 0, s->light);
    paint_rectangle(&b, 0, 0, WIDTH, 130, s->sky, 0.25f);
    dice d = {s->seed * 77u + 13};
    for (float x = -20; x < WIDTH;) {
        float w = dice_roll(&d, 90, 170), top = dice_roll(&d, 8, 70);
        colour wall = colour_mix(s->wall, s->wall2, dice_roll(&d, 0, 1));
        paint_rectangle(&b, x, top, x + w, 206, wall, 0.25f);
        for (float wy = top + 12; wy < 150; wy += 34)
            for (float wx = x + 10; wx < x + w - 18; wx += 27) {
                float lit = dice_roll(&d, 0, 1);
                paint_rectangle(&b, wx - 1.5f, wy - 1.5f, wx + 15.5f, wy + 21.5f, colour_mix(wall, (colour){1, 1, 1}, 0.25f), 0);
                paint_rectangle(&b, wx, wy, wx + 14, wy + 20, lit < 0.12f ? (colour){.93f, .84f, .60f} : (colour){.25f, .30f, .36f}, 0.5f);
            }
        float door = x + dice_roll(&d, 0.15f, 0.7f) * w;
        paint_rectangle(&b, door, 160, door + 22, 206, colour_mix(wall, (colour){.1f, .07f, .05f}, 0.7f), 0.2f);
        x += w;
    }
    paint_rectangle(&b, 0, 204, WIDTH, 228, s->walk, -0.1f);
    paint_rectangle(&b, 0, 227, WIDTH, 231, colour_mix(s->walk, (colour){1, 1, 1}, 0.3f), 0);
    paint_rectangle(&b, 0, 231, WIDTH, 304, s->road, -0.2f);
    for (float x = -30; x < WIDTH; x += 74)
        paint_polygon(&b, (const float[][2]){{x, 267}, {x + 36, 267}, {x + 33, 270}, {x - 3, 270}}, 4, 0, (colour){.82f, .82f, .78f}, 0);
    paint_rectangle(&b, 0, 302, WIDTH, 308, colour_mix(s->walk, (colour){1, 1, 1}, 0.25f), 0);
    paint_rectangle(&b, 0, 308, WIDTH, HEIGHT, s->walk, -0.15f);
    for (float x = -200; x < WIDTH + 200; x += 46)
        paint_limb(&b, x, 308, 320 + (x - 320) * 1.22f, HEIGHT, 0.5f, 0.7f, colour_mix(s->walk, (colour){0, 0, 0}, 0.22f));
    paint_limb(&b, 0, 330, WIDTH, 330, 0.5f, 0.5f, colour_mix(s->walk, (colour){0, 0, 0}, 0.18f));
}

typedef struct {
    float x, y, w, h, visibility;
    bool present;
} truth;

static void mover_paint(picture *p, const street *s, int i, float t, truth *out) {
    const mover *m = &s->v[i];
    float moved, x = mover_x(m, t, &moved);
    *out = (truth){0};
    if (moved < 0 || moved > WIDTH + 2 * margin(m))
        return;
    brush b = brush_begin(p, (uint16_t)(i + 1), s->light);
    if (lanes[m->lane].car) {
        paint_shadow(p, x, m->y, 0.56f * m->size, 0.05f * m->size, 0.55f);
        car_paint(&b, &m->car, x, m->y, m->size, m->way, m->way * moved / (0.068f * m->size));
    } else {
        paint_shadow(p, x + 0.12f * m->size, m->y + 1, 0.30f * m->size, 0.045f * m->size, 0.45f);
        person_paint(&b, &m->person, x, m->y - 0.022f * m->size, m->size, m->way, m->phase + moved / (0.145f * m->size), mover_paused(m, t) ? 0 : 1);
    }
    *out = (truth){b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0, (float)b.covered, true};
}

// Draws a moment; fills truth[i] for each mover.
static void street_paint(picture *p, const picture *empty, const street *s, float t, truth *all) {
    memcpy(p->pixel, empty->pixel, sizeof(colour) * WIDTH * HEIGHT);
    memset(p->owner, 0, sizeof(uint16_t) * WIDTH * HEIGHT);
    for (int i = 0; i < s->n; i++)
        mover_paint(p, s, i, t, &all[i]);
    int seen[MAX_MOVERS + 1] = {0};
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        seen[p->owner[i]]++;
    for (int i = 0; i < s->n; i++) {
        float w = fminf(all[i].x + all[i].w, WIDTH) - fmaxf(all[i].x, 0), h = fminf(all[i].y + all[i].h, HEIGHT) - fmaxf(all[i].y, 0);
        float in_picture = w > 0 && h > 0 && all[i].present ? w * h / (all[i].w * all[i].h) : 0;
        all[i].visibility = in_picture > 0 && all[i].visibility > 0 ? in_picture * (float)seen[i + 1] / all[i].visibility : 0;
    }
}

// Sensor noise, then BT.601 limited range with 2x2 chroma.
static void frame_write(const picture *p, dice *d, FILE *out) {
    static uint8_t y[WIDTH * HEIGHT], u[WIDTH * HEIGHT / 4], v[WIDTH * HEIGHT / 4];
    static float cb[WIDTH * HEIGHT], cr[WIDTH * HEIGHT];
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        colour c = p->pixel[i];
        float noise = 0.012f * (dice_roll(d, -1, 1) + dice_roll(d, -1, 1));
        float luma = fminf(fmaxf(0.299f * c.r + 0.587f * c.g + 0.114f * c.b + noise, 0), 1);
        y[i] = (uint8_t)lrintf(16 + 219 * luma);
        cb[i] = 0.564f * (c.b - (luma - noise)), cr[i] = 0.713f * (c.r - (luma - noise));
    }
    for (int j = 0; j < HEIGHT / 2; j++)
        for (int i = 0; i < WIDTH / 2; i++) {
            int k = 2 * j * WIDTH + 2 * i;
            float sb = cb[k] + cb[k + 1] + cb[k + WIDTH] + cb[k + WIDTH + 1], sr = cr[k] + cr[k + 1] + cr[k + WIDTH] + cr[k + WIDTH + 1];
            u[j * WIDTH / 2 + i] = (uint8_t)lrintf(fminf(fmaxf(128 + 56 * sb, 16), 240));
            v[j * WIDTH / 2 + i] = (uint8_t)lrintf(fminf(fmaxf(128 + 56 * sr, 16), 240));
        }
    fputs("FRAME\n", out);
    fwrite(y, 1, sizeof y, out);
    fwrite(u, 1, sizeof u, out);
    fwrite(v, 1, sizeof v, out);
}

static void boxes_write(const street *s, const truth *all, int frame, FILE *out) {
    for (int i = 0; i < s->n; i++)
        if (all[i].visibility > 0)
            fprintf(out, "%d,%d,%.1f,%.1f,%.1f,%.1f,1,%d,%.3f\n", frame + 1, i + 1, all[i].x, all[i].y, all[i].w, all[i].h,
                    lanes[s->v[i].lane].car ? 3 : 1, all[i].visibility);
}

// A border at `border` on a lane: passing it is `names[way]` of `rule`.
typedef struct {
    lane_name lane, lane2;
    float border;
    const char *rule, *right, *left, *direction_right, *direction_left;
} border_row;

static void events_write(const street *s, int frame, FILE *out) {
    static const border_row rows[] = {
        {NEAR_WALK, NEAR_WALK, gate_x, "gate", "cross", "cross", "right", "left"},
        {FAR_ROAD, NEAR_ROAD, road_x, "road", "cross", "cross", "right", "left"},
        {NEAR_WALK, NEAR_WALK, yard_x0, "yard", "enter", "leave", "", ""},
        {NEAR_WALK, NEAR_WALK, yard_x1, "yard", "leave", "enter", "", ""},
    };
    for (int i = 0; i < s->n; i++)
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
            const border_row *r = &rows[k];
            float moved, before = mover_x(&s->v[i], (float)(frame - 1) / FPS, &moved), after = mover_x(&s->v[i], (float)frame / FPS, &moved);
            if ((s->v[i].lane != r->lane && s->v[i].lane != r->lane2) || (before < r->border) == (after < r->border) || frame == 0)
                continue;
            bool right = after > before;
            fprintf(out, "%d,%d,%s,%s,%s\n", frame, i + 1, right ? r->right : r->left, r->rule, right ? r->direction_right : r->direction_left);
        }
}

static void still_write(const picture *p, const street *s, const truth *all, const char *folder, int index) {
    char path[512];
    snprintf(path, sizeof path, "%s/%05d.ppm", folder, index);
    FILE *out = fopen(path, "wb");
    fprintf(out, "P6 %d %d 255\n", WIDTH, HEIGHT);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const float c[3] = {p->pixel[i].r, p->pixel[i].g, p->pixel[i].b};
        for (int k = 0; k < 3; k++)
            fputc((int)lrintf(255 * fminf(fmaxf(c[k], 0), 1)), out);
    }
    fclose(out);
    snprintf(path, sizeof path, "%s/%05d.txt", folder, index);
    out = fopen(path, "w");
    for (int i = 0; i < s->n; i++) {
        float x0 = fmaxf(all[i].x, 0), y0 = fmaxf(all[i].y, 0), x1 = fminf(all[i].x + all[i].w, WIDTH), y1 = fminf(all[i].y + all[i].h, HEIGHT);
        if (all[i].visibility > 0.25f)
            fprintf(out, "%d %.5f %.5f %.5f %.5f\n", lanes[s->v[i].lane].car ? 2 : 0, (x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT,
                    (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT);
    }
    fclose(out);
}

static picture picture_create(void) {
    picture p = {WIDTH, HEIGHT, calloc(WIDTH * HEIGHT, sizeof(colour)), calloc(WIDTH * HEIGHT, sizeof(uint16_t))};
    if (!p.pixel || !p.owner)
        abort();
    return p;
}

static void stills(uint32_t seed, const char *folder, int count, picture *p, picture *empty) {
    truth all[MAX_MOVERS];
    for (int i = 0; i < count; i++) {
        street s = street_roll(seed + (uint32_t)i, 20, true);
        background_paint(empty, &s);
        street_paint(p, empty, &s, 2 + (float)(i * 37 % 170) / 10, all);
        still_write(p, &s, all, folder, i);
    }
}

static void clip(uint32_t seed, int frames, FILE *boxes, FILE *events, picture *p, picture *empty) {
    truth all[MAX_MOVERS];
    street s = street_roll(seed, (float)frames / FPS, false);
    dice noise = {seed + 99};
    background_paint(empty, &s);
    printf("YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n", WIDTH, HEIGHT, FPS);
    for (int frame = 0; frame < frames; frame++) {
        street_paint(p, empty, &s, (float)frame / FPS, all);
        frame_write(p, &noise, stdout);
        if (boxes)
            boxes_write(&s, all, frame, boxes);
        if (events)
            events_write(&s, frame, events);
    }
}

static const char *argument(int argc, char **argv, const char *name, int offset) {
    for (int i = 1; i + offset < argc; i++)
        if (!strcmp(argv[i], name))
            return argv[i + offset];
    return NULL;
}

static FILE *open_output(const char *path) {
    FILE *f = path ? fopen(path, "w") : NULL;
    if (path && !f) {
        perror(path);
        exit(1);
    }
    return f;
}

int main(int argc, char **argv) {
    const char *seed = argument(argc, argv, "--seed", 1), *frames = argument(argc, argv, "--frames", 1);
    picture p = picture_create(), empty = picture_create();
    uint32_t n = seed ? (uint32_t)strtoul(seed, NULL, 10) : 1;
    if (argument(argc, argv, "--stills", 2)) {
        stills(n, argument(argc, argv, "--stills", 1), atoi(argument(argc, argv, "--stills", 2)), &p, &empty);
    } else {
        FILE *boxes = open_output(argument(argc, argv, "--truth", 1)), *events = open_output(argument(argc, argv, "--events", 1));
        clip(n, frames ? atoi(frames) : 600, boxes, events, &p, &empty);
        if (boxes)
            fclose(boxes);
        if (events)
            fclose(events);
    }
    free(p.pixel), free(p.owner), free(empty.pixel), free(empty.owner);
    return 0;
}
