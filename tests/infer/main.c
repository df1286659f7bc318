#include "tests/infer/compare.h"
#include "tests/test.h"

extern const fv_suite conformance_suite, conv_suite, fused_suite, half_suite, tune_suite, models_suite, ops_suite, parts_suite,
    preprocess_suite, session_suite, view_suite;

int main(int argc, char **argv) {
    int rc = fv_test_main(argc, argv, (const fv_suite *[]){&preprocess_suite, &view_suite, &conv_suite, &half_suite, &tune_suite,
                                                               &ops_suite, &fused_suite, &parts_suite, &session_suite,
                                                               &conformance_suite, &models_suite, NULL});
    fv_compare_finish();
    return rc;
}
