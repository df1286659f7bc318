#include "samples/figures.h"

#include <math.h>

float dice_roll(dice *d, float lo, float hi) {
    d->state ^= d->state << 13, d->state ^= d->state >> 17, d->state ^= d->state << 5; // Marsaglia 2003
    return lo + (hi - lo) * (float)(d->state >> 8) / 16777216.0f;
}

static colour pick(dice *d, const colour *row, int n) {
    colour c = row[(int)dice_roll(d, 0, (float)n - 0.001f)];
    float k = dice_roll(d, 0.85f, 1.12f);
    return (colour){fminf(c.r * k, 1), fminf(c.g * k, 1), fminf(c.b * k, 1)};
}

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

person_look person_look_roll(dice *d) {
    static const colour skins[] = {{.93f, .76f, .65f}, {.80f, .60f, .46f}, {.58f, .40f, .29f}, {.38f, .26f, .19f}};
    static const colour hairs[] = {{.10f, .08f, .07f}, {.28f, .18f, .11f}, {.55f, .41f, .22f}, {.62f, .60f, .58f}};
    static const colour tops[] = {{.65f, .14f, .14f}, {.16f, .27f, .50f}, {.82f, .80f, .76f}, {.14f, .15f, .17f},
                                  {.22f, .42f, .27f}, {.80f, .62f, .20f}, {.45f, .30f, .48f}, {.50f, .52f, .55f}};
    static const colour trousers[] = {{.13f, .16f, .27f}, {.10f, .10f, .11f}, {.42f, .37f, .30f}, {.27f, .30f, .36f}};
    static const colour shoes[] = {{.08f, .07f, .07f}, {.75f, .74f, .72f}, {.35f, .22f, .14f}};
    return (person_look){
        .skin = pick(d, skins, COUNT(skins)), .hair = pick(d, hairs, COUNT(hairs)), .top = pick(d, tops, COUNT(tops)),
        .legs = pick(d, trousers, COUNT(trousers)), .shoes = pick(d, shoes, COUNT(shoes)), .bag = pick(d, tops, COUNT(tops)),
        .girth = dice_roll(d, 0.88f, 1.2f), .coat = dice_roll(d, 0, 1) < 0.35f ? 0.13f : 0.02f,
        .hair_length = dice_roll(d, 0, 1) < 0.4f ? 0.07f : 0.0f,
        .has_bag = dice_roll(d, 0, 1) < 0.3f, .bare_arms = dice_roll(d, 0, 1) < 0.35f,
    };
}

static colour darker(colour c, float k) {
    return (colour){c.r * k, c.g * k, c.b * k};
}

// One leg: thigh, shin, shoe. `swing` in radians, positive forward.
static void leg_paint(brush *b, const person_look *l, float x, float hip, float h, float way, float swing, float bend, float k) {
    float kx = x + way * 0.245f * h * sinf(swing), ky = hip + 0.245f * h * cosf(swing);
    float fx = kx + way * 0.235f * h * sinf(swing - bend), fy = ky + 0.235f * h * cosf(swing - bend);
    paint_limb(b, x, hip, kx, ky, 0.056f * h * l->girth, 0.043f * h, darker(l->legs, k));
    paint_limb(b, kx, ky, fx, fy, 0.042f * h, 0.028f * h, darker(l->legs, k));
    paint_limb(b, fx, fy, fx + way * 0.07f * h, fy + 0.008f * h, 0.022f * h, 0.018f * h, darker(l->shoes, k));
}

static void arm_paint(brush *b, const person_look *l, float x, float y, float h, float way, float swing, float k) {
    float ex = x + way * 0.165f * h * sinf(swing), ey = y + 0.165f * h * cosf(swing);
    float wx = ex + way * 0.15f * h * sinf(swing + 0.35f), wy = ey + 0.15f * h * cosf(swing + 0.35f);
    paint_limb(b, x, y, ex, ey, 0.036f * h, 0.029f * h, darker(l->top, k));
    paint_limb(b, ex, ey, wx, wy, 0.027f * h, 0.021f * h, darker(l->bare_arms ? l->skin : l->top, k));
    paint_limb(b, wx, wy, wx, wy + 0.012f * h, 0.022f * h, 0.02f * h, darker(l->skin, k));
}

static void head_paint(brush *b, const person_look *l, float x, float y, float h, float way) {
    paint_limb(b, x, y + 0.10f * h, x + way * 0.004f * h, y + 0.05f * h, 0.03f * h, 0.03f * h, darker(l->skin, 0.85f));
    paint_limb(b, x - way * 0.012f * h, y - 0.008f * h, x - way * 0.02f * h, y + l->hair_length * h, 0.058f * h, 0.045f * h, l->hair);
    paint_limb(b, x + way * 0.012f * h, y, x + way * 0.016f * h, y + 0.03f * h, 0.05f * h, 0.042f * h, l->skin);
    paint_limb(b, x - way * 0.02f * h, y - 0.028f * h, x + way * 0.02f * h, y - 0.034f * h, 0.046f * h, 0.03f * h, l->hair);
}

void person_paint(brush *b, const person_look *l, float x, float y, float h, float way, float phase, float stride) {
    float s = sinf(phase) * stride, bob = 0.012f * h * fabsf(cosf(phase)) * stride;
    float hip = y - 0.505f * h - bob, shoulder = y - 0.80f * h - bob, lean = way * 0.018f * h * stride;
    float bend_a = 0.12f + 0.55f * fmaxf(0, cosf(phase)) * stride, bend_b = 0.12f + 0.55f * fmaxf(0, -cosf(phase)) * stride;
    arm_paint(b, l, x + lean, shoulder + 0.02f * h, h, way, 0.5f * s, 0.7f);
    leg_paint(b, l, x, hip, h, way, -0.46f * s, bend_b, 0.72f);
    leg_paint(b, l, x, hip, h, way, 0.46f * s, bend_a, 1);
    if (l->has_bag)
        paint_limb(b, x - way * 0.09f * h, shoulder + 0.05f * h, x - way * 0.09f * h, shoulder + 0.2f * h, 0.055f * h, 0.06f * h, l->bag);
    paint_limb(b, x + lean, shoulder + 0.035f * h, x, hip + l->coat * h, 0.085f * h * l->girth,
               (0.078f + 0.25f * l->coat) * h * l->girth, l->top);
    arm_paint(b, l, x + lean, shoulder + 0.02f * h, h, way, -0.5f * s, 0.93f);
    head_paint(b, l, x + lean * 1.4f, y - 0.915f * h - bob, h, way);
}

// Outlines in units of the car's length, x from the tail to the nose, y up from the ground.
typedef struct {
    float body[12][2];
    int n_body;
    float glass[2][4][2]; // rear and front side window
    float height;
} car_body;

static const car_body bodies[] = {
    {{{.01f, .09f}, {0, .20f}, {.03f, .235f}, {.16f, .25f}, {.29f, .345f}, {.56f, .35f}, {.70f, .255f}, {.93f, .225f}, {.99f, .18f}, {1, .09f}}, 10,
     {{{.20f, .25f}, {.30f, .33f}, {.42f, .335f}, {.42f, .25f}}, {{.44f, .25f}, {.44f, .335f}, {.55f, .335f}, {.66f, .255f}}}, .35f},
    {{{.01f, .10f}, {0, .24f}, {.06f, .38f}, {.12f, .40f}, {.52f, .40f}, {.70f, .28f}, {.93f, .25f}, {.99f, .20f}, {1, .10f}}, 9,
     {{{.09f, .27f}, {.13f, .375f}, {.36f, .38f}, {.36f, .27f}}, {{.385f, .27f}, {.385f, .38f}, {.51f, .38f}, {.655f, .28f}}}, .40f},
    {{{.01f, .10f}, {0, .25f}, {.04f, .40f}, {.10f, .43f}, {.60f, .43f}, {.74f, .30f}, {.95f, .26f}, {1, .20f}, {1, .10f}}, 9,
     {{{.06f, .29f}, {.10f, .40f}, {.36f, .405f}, {.36f, .29f}}, {{.385f, .29f}, {.385f, .405f}, {.585f, .405f}, {.69f, .295f}}}, .43f},
};

car_look car_look_roll(dice *d) {
    static const colour paints[] = {{.62f, .10f, .11f}, {.12f, .20f, .42f}, {.78f, .79f, .80f}, {.13f, .13f, .14f},
                                    {.45f, .47f, .50f}, {.20f, .36f, .30f}, {.88f, .87f, .84f}, {.72f, .55f, .22f}};
    return (car_look){.paint = pick(d, paints, COUNT(paints)), .kind = (int)dice_roll(d, 0, COUNT(bodies) - 0.001f),
                      .stretch = dice_roll(d, 0.94f, 1.08f)};
}

static void place(float (*to)[2], const float (*from)[2], int n, float x, float y, float length, float way, float tall) {
    for (int i = 0; i < n; i++) {
        to[i][0] = x + way * (from[i][0] - 0.5f) * length;
        to[i][1] = y - from[i][1] * length * tall;
    }
}

static void wheel_paint(brush *b, float x, float y, float r, float turn) {
    paint_limb(b, x, y - r, x, y - r, r * 1.18f, r * 1.18f, (colour){.05f, .05f, .055f});
    paint_limb(b, x, y - r, x, y - r, r, r, (colour){.11f, .11f, .115f});
    paint_limb(b, x, y - r, x, y - r, r * 0.62f, r * 0.62f, (colour){.62f, .63f, .65f});
    for (int i = 0; i < 5; i++) {
        float a = turn + (float)i * 1.2566f;
        paint_limb(b, x, y - r, x + 0.55f * r * cosf(a), y - r + 0.55f * r * sinf(a), r * 0.08f, r * 0.08f, (colour){.3f, .3f, .32f});
    }
}

void car_paint(brush *b, const car_look *l, float x, float y, float length, float way, float turn) {
    const car_body *body = &bodies[l->kind];
    float v[12][2], r = 0.068f * length;
    place(v, body->body, body->n_body, x, y, length, way, l->stretch);
    paint_polygon(b, v, body->n_body, 0.012f * length, l->paint, 0.55f);
    static const float sill[4][2] = {{.02f, .085f}, {.98f, .085f}, {.98f, .12f}, {.02f, .12f}};
    place(v, sill, 4, x, y, length, way, 1);
    paint_polygon(b, v, 4, 1, darker(l->paint, 0.45f), 0);
    for (int i = 0; i < 2; i++) {
        place(v, body->glass[i], 4, x, y, length, way, l->stretch);
        paint_polygon(b, v, 4, 0.004f * length, (colour){.20f, .25f, .30f}, 0.9f);
    }
    static const float door[2] = {.43f, .64f};
    for (int i = 0; i < 2; i++) {
        float dx = x + way * (door[i] - 0.5f) * length;
        paint_limb(b, dx, y - 0.12f * length, dx - way * 0.01f * length, y - 0.24f * length, 0.4f, 0.4f, darker(l->paint, 0.55f));
    }
    float nose = x + way * 0.475f * length, tail = x - way * 0.48f * length;
    paint_limb(b, nose, y - 0.185f * length, nose - way * 0.03f * length, y - 0.19f * length, 0.014f * length, 0.012f * length, (colour){1, .97f, .86f});
    paint_limb(b, tail, y - 0.205f * length, tail, y - 0.18f * length, 0.012f * length, 0.012f * length, (colour){.8f, .10f, .08f});
    wheel_paint(b, x - way * 0.30f * length, y, r, turn);
    wheel_paint(b, x + way * 0.31f * length, y, r, turn);
}
