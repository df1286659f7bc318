#include "tests/test.h"

extern const fv_suite arena_suite, err_suite, option_suite, value_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&arena_suite, &err_suite, &option_suite, &value_suite, NULL});
}
