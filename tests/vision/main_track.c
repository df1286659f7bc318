#include "tests/test.h"

extern const fv_suite kalman_suite, assign_suite, track_suite, mot_suite, geometry_suite, rules_suite, heatmap_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&kalman_suite, &assign_suite, &track_suite, &mot_suite, &geometry_suite, &rules_suite, &heatmap_suite, NULL});
}
