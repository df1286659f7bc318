// The things that move in the drawn street.
#pragma once

#include "samples/paint.h"

typedef struct {
    uint32_t state;
} dice;

float dice_roll(dice *d, float lo, float hi);

// Looks, fixed at birth.
typedef struct {
    colour skin, hair, top, legs, shoes, bag;
    float girth, coat, hair_length;
    int has_bag, bare_arms;
} person_look;

typedef struct {
    colour paint;
    int kind; // row of the body table: saloon, hatchback, estate
    float stretch;
} car_look;

person_look person_look_roll(dice *d);
car_look car_look_roll(dice *d);

// Feet at (x, y), `height` pixels tall, walking `way` (+1 right, -1 left), `phase` of the stride in
// radians; `stride` 0 stands, 1 walks.
void person_paint(brush *b, const person_look *look, float x, float y, float height, float way, float phase, float stride);

// Wheels on y, middle at x, `length` pixels long, `turn` of the wheels in radians.
void car_paint(brush *b, const car_look *look, float x, float y, float length, float way, float turn);
