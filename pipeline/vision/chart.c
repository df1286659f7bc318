#include "pipeline/vision/chart.h"

#include <math.h>
#include <string.h>

enum { MAX_LINES = 8, WIDEST_BAR = 48 };
static const uint8_t ramp[][3] = {{0, 0, 0},     {43, 10, 80},   {130, 25, 110}, {205, 50, 70},
                                  {245, 120, 20}, {250, 200, 50}, {255, 255, 255}};
enum { STEPS = sizeof ramp / sizeof ramp[0] - 1 };
static const uint8_t paper[3] = {24, 26, 32}, line[3] = {58, 62, 72}, dim[3] = {60, 100, 150},
                     bright[3] = {110, 190, 255};

static void colour_of(double share, uint8_t rgb[3]) {
    double v = sqrt(fmin(1, share)) * STEPS;
    int i = v < STEPS ? (int)v : STEPS - 1;
    for (int k = 0; k < 3; k++)
        rgb[k] = (uint8_t)lround(ramp[i][k] + (v - i) * (ramp[i + 1][k] - ramp[i][k]));
}

// The cells whose middles lie before and behind `at`, and how far it is on the way to the second.
static double between(double at, int n, int cell[2]) {
    double v = fmin(n - 1, fmax(0, at * n - 0.5));
    cell[0] = (int)v;
    cell[1] = cell[0] + 1 < n ? cell[0] + 1 : cell[0];
    return v - cell[0];
}

void fv_chart_cells(const double *cells, int columns, int rows, uint8_t *rgb, int width,
                    int height) {
    double most = 0;
    for (int i = 0; i < columns * rows; i++)
        most = fmax(most, cells[i]);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int i[2], j[2];
            double a = between((x + 0.5) / width, columns, i),
                   b = between((y + 0.5) / height, rows, j);
            const double *top = cells + j[0] * columns, *low = cells + j[1] * columns;
            double v = (1 - b) * ((1 - a) * top[i[0]] + a * top[i[1]]) +
                       b * ((1 - a) * low[i[0]] + a * low[i[1]]);
            colour_of(most > 0 ? v / most : 0, rgb + 3 * (y * width + x));
        }
}

static void fill(uint8_t *rgb, int width, int x0, int x1, int y0, int y1, const uint8_t colour[3]) {
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            memcpy(rgb + 3 * (y * width + x), colour, 3);
}

static double distance_of_lines(double most) {
    static const double steps[] = {2, 2.5, 2}; // 1 2 5 10
    double step = 1;
    for (int i = 0; most / step > MAX_LINES; i++)
        step *= steps[i % 3];
    return step;
}

void fv_chart_bars(const fv_chart_bar *bars, int n, uint8_t *rgb, int width, int height) {
    double most = 1;
    for (int i = 0; i < n; i++)
        most = fmax(most, bars[i].most);
    double unit = 0.95 * height / most, step = distance_of_lines(most);
    fill(rgb, width, 0, width, 0, height, paper);
    for (double v = step; v <= most; v += step) {
        int y = height - (int)lround(v * unit);
        fill(rgb, width, 0, width, y, y + 1, line);
    }
    double wide = n > 0 ? fmin(WIDEST_BAR, (double)width / n) : 0;
    for (int i = 0; i < n; i++) {
        int x0 = (int)(i * wide), x1 = (int)((i + 1) * wide) - (wide >= 4), low = height;
        int high = low - (int)lround(bars[i].most * unit),
            mid = low - (int)lround(bars[i].mean * unit);
        fill(rgb, width, x0, x1, high, mid, dim);
        fill(rgb, width, x0, x1, mid, low, bright);
    }
}
