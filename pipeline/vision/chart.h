// Numbers as pictures: cells as colours, minutes as bars. RGB, rows from the top; no text in them,
// the numbers stand in the CSV files beside them.
// Thread-safety: functions of their arguments.
#pragma once

#include <stdint.h>

// Black (0) over violet, red and yellow to white (the largest), between the cells' middles blended.
// The colour follows the square root: a few who stood still must not hide where many walked.
// `cells`: rows * columns, none negative.
void fv_chart_cells(const double *cells, int columns, int rows, uint8_t *rgb, int width,
                    int height);

typedef struct {
    double mean;
    int most;
} fv_chart_bar;

// A bar a minute from the left, bright up to the mean, dim up to the most. Lines lie at every 1, 2,
// 5, 10, 20, ... so that there are eight of them at most.
void fv_chart_bars(const fv_chart_bar *bars, int n, uint8_t *rgb, int width, int height);
