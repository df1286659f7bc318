#include "tests/test.h"

extern const fv_suite conformance_suite, files_suite, hostile_suite, import_suite, passes_suite,
    opsets_suite, regions_suite, shuffle_suite, sort_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv,
                        (const fv_suite *[]){&import_suite, &files_suite, &passes_suite, &shuffle_suite, &sort_suite, &opsets_suite, &regions_suite,
                                             &conformance_suite, &hostile_suite, NULL});
}
