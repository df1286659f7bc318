// A stage for rules: 1000 x 1000 pixels; objects are 20 x 50 boxes whose bottom centre goes where
// the test draws it, so that the default hysteresis is 5 pixels. One watch at a time: watch_of
// begins anew.
#pragma once

#include "pipeline/vision/rules.h"
#include "tests/test.h"

enum { SIDE = 1000, HEIGHT = 50, MAX = 64 };

extern const fv_labels stage_labels; // car, person
extern const fv_rule door;           // a line from the left to the right, across the middle
extern const fv_rule yard;           // a square in the middle
extern float across[2][2];           // the door's points

extern fv_event seen[4096]; // what was reported so far
extern int n_seen;
extern uint64_t frame; // the next one
extern double fps;
extern int side; // of the picture; the stage is scaled into it

fv_watch *watch_of(const fv_rules *rules);
fv_object at(uint64_t id, double x, double y); // a person
void show(fv_watch *w, const fv_object *objects, int n);
void step(fv_watch *w, double x, double y);                                    // object 1 alone
void walk(fv_watch *w, double x0, double y0, double x1, double y1, int steps); // straight
int count_of(const char *event, int phase);                                    // phase -1: all
const fv_event *first_of(const char *event, fv_phase phase);
