#include <gst/gst.h>

#include "tests/test.h"

extern const fv_suite element_suite, meta_suite, fvtrack_suite;

int main(int argc, char **argv) {
    gst_init(NULL, NULL);
    return fv_test_main(argc, argv, (const fv_suite *[]){&element_suite, &meta_suite, &fvtrack_suite, NULL});
}
