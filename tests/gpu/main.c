#include "tests/test.h"

extern const fv_suite device_suite, hazard_suite, program_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&device_suite, &hazard_suite, &program_suite, NULL});
}
