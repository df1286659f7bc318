#include "tests/test.h"

extern const fv_suite formats_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&formats_suite, NULL});
}
