#include "tests/test.h"

extern const fv_suite candidates_suite, detector_suite, load_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&candidates_suite, &detector_suite, &load_suite, NULL});
}
