#include "tests/test.h"

extern const fv_suite assign_suite, geometry_suite, heatmap_suite, kalman_suite, lines_suite;
extern const fv_suite mot_suite, mot_twin_suite, rules_suite, track_suite, track_hidden_suite, walks_suite;

static const fv_suite *const suites[] = {
    &assign_suite,   &geometry_suite, &heatmap_suite, &kalman_suite,       &lines_suite, &mot_suite,
    &mot_twin_suite, &rules_suite,    &track_suite,   &track_hidden_suite, &walks_suite, NULL,
};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, suites);
}
