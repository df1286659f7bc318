#include "pipeline/vision/assign.h"

#include <stdint.h>
#include <stdlib.h>

#include "tests/test.h"

static uint32_t seed;

static double random01(void) {
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24);
}

// Every way to give rows a column or none: the slow twin.
static double best_by_trying(double gain[7][7], int rows, int columns, int row, unsigned used) {
    if (row == rows)
        return 0;
    double best = best_by_trying(gain, rows, columns, row + 1, used);
    for (int c = 0; c < columns; c++)
        if (!(used >> c & 1) && gain[row][c] > 0)
            best = fmax(best, gain[row][c] +
                                  best_by_trying(gain, rows, columns, row + 1, used | 1u << c));
    return best;
}

static void one_random_problem(fv_assign *a) {
    int rows = (int)(random01() * 7), columns = (int)(random01() * 7), n = 0;
    double gain[7][7] = {{0}}, density = random01();
    fv_pair pairs[49];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            if (random01() < density) {
                gain[r][c] = random01() < 0.2 ? 0.5
                                              : random01() - 0.1; // ties and worthless pairs too
                pairs[n++] = (fv_pair){r, c, gain[r][c]};
            }
    int column_of_row[7], row_of_column[7], used = 0;
    int chosen = fv_assign_solve(a, pairs, n, rows, columns, column_of_row, row_of_column);
    double total = 0;
    for (int r = 0; r < rows; r++) {
        int c = column_of_row[r];
        if (c < 0)
            continue;
        CHECK(gain[r][c] > 0 && row_of_column[c] == r && !(used >> c & 1));
        used |= 1 << c;
        total += gain[r][c];
        chosen--;
    }
    CHECK_EQUAL(chosen, 0);
    CHECK_NEAR(total, best_by_trying(gain, rows, columns, 0, 0), 1e-9);
}

static void as_good_as_trying_everything(void) {
    fv_assign *a = fv_assign_create();
    seed = 7;
    for (int i = 0; i < 3000; i++)
        one_random_problem(a);
    fv_assign_destroy(&a);
    CHECK(!a);
}

static void better_than_greedy(void) {
    fv_assign *a = fv_assign_create();
    fv_pair pairs[] = {{0, 0, 0.9}, {0, 1, 0.8}, {1, 0, 0.8}};
    int column[2];
    CHECK_EQUAL(fv_assign_solve(a, pairs, 3, 2, 2, column, NULL), 2);
    CHECK(column[0] == 1 && column[1] == 0);
    fv_pair low[] = {{0, 0, 0.9},
                     {0, 1, 0.3},
                     {1, 0, 0.4}}; // now one good match is worth more than two poor ones
    CHECK_EQUAL(fv_assign_solve(a, low, 3, 2, 2, column, NULL), 1);
    CHECK(column[0] == 0 && column[1] == -1);
    fv_pair many[] = {{0, 0, 1000.9}, {0, 1, 1000.3}, {1, 0, 1000.4}}; // as many as possible
    CHECK_EQUAL(fv_assign_solve(a, many, 3, 2, 2, column, NULL), 2);
    fv_assign_destroy(&a);
}

static void large_problems_stay_exact(void) { // a known best: the diagonal of a shuffled matrix
    enum { N = 300 };
    fv_assign *a = fv_assign_create();
    fv_pair *pairs = malloc(sizeof *pairs * N * N);
    int column[N], n = 0;
    seed = 11;
    for (int r = 0; r < N; r++)
        for (int c = 0; c < N; c++)
            pairs[n++] = (fv_pair){r, c, (r * 7 + 3) % N == c ? 1 : random01() * 0.4};
    CHECK_EQUAL(fv_assign_solve(a, pairs, n, N, N, column, NULL), N);
    for (int r = 0; r < N; r++)
        CHECK(column[r] == (r * 7 + 3) % N);
    free(pairs);
    fv_assign_destroy(&a);
}

const fv_suite assign_suite = {"assign", (const fv_case[]){CASE(as_good_as_trying_everything),
                                                           CASE(better_than_greedy),
                                                           CASE(large_problems_stay_exact),
                                                           {0}}};
