// Optimal assignment: of the pairs offered, chooses those with the highest total gain, each row and
// each column once at most. Rows and columns may stay alone; pairs that are not offered are never
// chosen. Exact.
//
// How: the offered pairs fall apart into connected groups (objects far from each other share no
// pair); each group is solved by shortest augmenting paths with dual prices (Kuhn 1955, Munkres
// 1957; in the form of Jonker and Volgenant 1987), O(n^3) in the group's size. 1,000 objects that
// touch only their neighbours cost little more than 1,000 small problems.
//
//     gain = IoU                   the highest total overlap
//     gain = limit - cost          lowest total cost, where being alone costs `limit` a pair
//     gain = 1000 + IoU            as many matches as possible, of these the highest overlap
//
// Deterministic: equal totals are decided by the order of rows, columns and pairs.
// Thread-safety: one fv_assign belongs to one thread at a time.
#pragma once

typedef struct {
    int row, column;
    double gain; // pairs with gain <= 0 are left out
} fv_pair;

typedef struct fv_assign
    fv_assign; // working memory; grows to the largest problem seen, then allocates no more

fv_assign *fv_assign_create(void);
// A pair may be offered once only. `column_of_row` (rows) gets the column or -1; `row_of_column`
// (columns, may be NULL) the inverse. Returns how many pairs were chosen. `pairs` is reordered.
int fv_assign_solve(fv_assign *a, fv_pair *pairs, int n, int rows, int columns, int *column_of_row,
                    int *row_of_column);
void fv_assign_destroy(fv_assign **a);
