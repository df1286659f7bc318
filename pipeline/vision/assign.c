#include "pipeline/vision/assign.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/vision/grow.h"

// One connected group at a time is copied into the dense part; `row`, `column` are its members'
// numbers outside.
struct fv_assign {
    int *parent, *place, *group; // rows + columns: union-find, place in the group, its number
    int *start;                  // first pair of a group
    fv_pair *sorted;
    int parent_capacity, place_capacity, group_capacity, start_capacity, sorted_capacity;
    int *row, *column;    // members
    int *row_at, *before; // row that holds a column, column before it on the path
    int row_capacity, column_capacity, row_at_capacity, before_capacity;
    double *gain, *price_row, *price_column, *distance, *reached;
    int gain_capacity, price_row_capacity, price_column_capacity, distance_capacity,
        reached_capacity;
    bool *done;
    int done_capacity;
};

#define ROOM(a, array, n) FV_GROW((a)->array, (a)->array##_capacity, n)

fv_assign *fv_assign_create(void) {
    return calloc(1, sizeof(fv_assign));
}

void fv_assign_destroy(fv_assign **a) {
    if (!*a)
        return;
    void *blocks[] = {(*a)->parent,   (*a)->place,   (*a)->group,     (*a)->start,
                      (*a)->sorted,   (*a)->row,     (*a)->column,    (*a)->row_at,
                      (*a)->before,   (*a)->gain,    (*a)->price_row, (*a)->price_column,
                      (*a)->distance, (*a)->reached, (*a)->done};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
    free(*a);
    *a = NULL;
}

static int root(int *parent, int i) {
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

// Numbers the groups and sorts the pairs by group, in the order in which the groups first show up.
// Returns how many.
static int split(fv_assign *a, const fv_pair *pairs, int n, int rows, int columns) {
    ROOM(a, parent, rows + columns);
    ROOM(a, group, rows + columns);
    ROOM(a, start, n + 2);
    ROOM(a, sorted, n);
    for (int i = 0; i < rows + columns; i++)
        a->parent[i] = i, a->group[i] = -1;
    for (int i = 0; i < n; i++) {
        int r = root(a->parent, pairs[i].row), c = root(a->parent, rows + pairs[i].column);
        a->parent[r > c ? r : c] = r < c ? r : c;
    }
    int groups = 0;
    memset(a->start, 0, sizeof a->start[0] * (size_t)(n + 2));
    for (int i = 0; i < n; i++) {
        int r = root(a->parent, pairs[i].row);
        if (a->group[r] < 0)
            a->group[r] = groups++;
        a->start[a->group[r] + 2]++;
    }
    for (int g = 0; g < groups; g++)
        a->start[g + 2] += a->start[g + 1];
    for (int i = 0; i < n; i++)
        a->sorted[a->start[a->group[root(a->parent, pairs[i].row)] + 1]++] = pairs[i];
    return groups;
}

// Copies a group into the dense part; gain 0 stands where no pair was offered.
static void gather(fv_assign *a, const fv_pair *pairs, int n, int rows, int *n_rows,
                   int *n_columns) {
    int r = 0, c = 0;
    ROOM(a, row, n);
    ROOM(a, column, n);
    for (int i = 0; i < n; i++) {
        int row = pairs[i].row, column = pairs[i].column;
        if (a->place[row] < 0)
            a->place[row] = r, a->row[r++] = row;
        if (a->place[rows + column] < 0)
            a->place[rows + column] = c, a->column[c++] = column;
    }
    ROOM(a, gain, r * c);
    memset(a->gain, 0, sizeof a->gain[0] * (size_t)r * (size_t)c);
    for (int i = 0; i < n; i++)
        a->gain[a->place[pairs[i].row] * c + a->place[rows + pairs[i].column]] = pairs[i].gain;
    *n_rows = r;
    *n_columns = c;
}

// The columns of the path that ends in `last` change hands; the first of them goes to row `first`.
static void augment(fv_assign *a, int last, int first) {
    for (int c = last; c >= 0; c = a->before[c])
        a->row_at[c] = a->before[c] < 0 ? first : a->row_at[a->before[c]];
}

// Gives row `first` a column, or lets it or a row on its path stay alone, whichever costs least.
// Costs are -gain; staying alone costs 0 and its price is never above 0, so a row that stays alone
// stays so.
static void place_row(fv_assign *a, int first, int columns) {
    double so_far = 0, alone = INFINITY;
    int row = first, column = -1, alone_column = -1;
    for (int c = 0; c < columns; c++)
        a->distance[c] = INFINITY, a->done[c] = false, a->before[c] = -2;
    double *distance = a->distance;
    for (;;) {
        if (so_far - a->price_row[row] < alone)
            alone = so_far - a->price_row[row], alone_column = column;
        int best = -1;
        for (int c = 0; c < columns; c++) {
            double gain = a->gain[row * columns + c];
            double d = so_far - gain - a->price_row[row] - a->price_column[c];
            if (gain > 0 && !a->done[c] && d < distance[c])
                distance[c] = d, a->before[c] = column;
            if (!a->done[c] && distance[c] < INFINITY && (best < 0 || distance[c] < distance[best]))
                best = c;
        }
        if (best < 0 || alone <= distance[best])
            break;
        so_far = distance[best];
        column = best;
        a->done[best] = true;
        if (a->row_at[best] < 0)
            break;
        row = a->row_at[best];
    }
    bool frees = column < 0 || a->row_at[column] >= 0; // the path ends with a row that stays alone
    double end = frees ? alone : so_far;
    a->price_row[first] += end;
    for (int c = 0; c < columns; c++)
        if (a->done[c] && distance[c] < end) {
            a->price_column[c] += distance[c] - end;
            if (a->row_at[c] >= 0)
                a->price_row[a->row_at[c]] += end - distance[c];
        }
    augment(a, frees ? alone_column : column, first);
}

static void solve_group(fv_assign *a, int rows, int columns) {
    ROOM(a, row_at, columns);
    ROOM(a, before, columns);
    ROOM(a, distance, columns);
    ROOM(a, done, columns);
    ROOM(a, price_row, rows);
    ROOM(a, price_column, columns);
    for (int c = 0; c < columns; c++)
        a->row_at[c] = -1, a->price_column[c] = 0;
    for (int r = 0; r < rows; r++) {
        double best = 0;
        for (int c = 0; c < columns; c++)
            best = fmax(best, a->gain[r * columns + c]);
        a->price_row[r] = -best;
    }
    for (int r = 0; r < rows; r++)
        place_row(a, r, columns);
}

static int drop_worthless(fv_pair *pairs, int n) {
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (pairs[i].gain > 0)
            pairs[kept++] = pairs[i];
    return kept;
}

int fv_assign_solve(fv_assign *a, fv_pair *pairs, int n, int rows, int columns, int *column_of_row,
                    int *row_of_column) {
    for (int r = 0; r < rows; r++)
        column_of_row[r] = -1;
    for (int c = 0; row_of_column && c < columns; c++)
        row_of_column[c] = -1;
    n = drop_worthless(pairs, n);
    int groups = n ? split(a, pairs, n, rows, columns) : 0, chosen = 0;
    ROOM(a, place, rows + columns);
    for (int i = 0; i < rows + columns; i++)
        a->place[i] = -1;
    for (int g = 0, from = 0; g < groups; from = a->start[++g]) {
        int n_rows, n_columns;
        gather(a, a->sorted + from, a->start[g + 1] - from, rows, &n_rows, &n_columns);
        solve_group(a, n_rows, n_columns);
        for (int c = 0; c < n_columns; c++) {
            if (a->row_at[c] < 0)
                continue;
            column_of_row[a->row[a->row_at[c]]] = a->column[c];
            if (row_of_column)
                row_of_column[a->column[c]] = a->row[a->row_at[c]];
            chosen++;
        }
    }
    return chosen;
}
