#include "tests/test.h"

extern const fv_suite head_suite, head_yolo_suite, head_grid_suite, nms_suite, ap_suite;

int main(int argc, char **argv) {
    return fv_test_main(argc, argv,
                        (const fv_suite *[]){&head_suite, &head_yolo_suite, &head_grid_suite,
                                             &nms_suite, &ap_suite, NULL});
}
