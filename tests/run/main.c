#include "tests/test.h"

extern const fv_suite files_suite, bad_input_suite, annotate_suite, refused_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&files_suite, &bad_input_suite, &annotate_suite, &refused_suite, NULL});
}
