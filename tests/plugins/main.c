#include <gst/gst.h>

#include "tests/test.h"

extern const fv_suite draw_suite, element_suite, fvevents_suite, fvsrc_suite, fvsrc_decoder_suite,
    fvtrack_suite, meta_suite, mkv_suite, mp4_suite, uri_suite, camera_suite, pipeline_suite,
    publish_suite;

static const fv_suite *const suites[] = {
    &camera_suite,
    &draw_suite,
    &element_suite,
    &fvevents_suite,
    &fvsrc_suite,
    &fvsrc_decoder_suite,
    &fvtrack_suite,
    &meta_suite,
    &mkv_suite,
    &mp4_suite,
    &pipeline_suite,
    &publish_suite,
    &uri_suite,
    NULL,
};

int main(int argc, char **argv) {
    gst_init(NULL, NULL);
    return fv_test_main(argc, argv, suites);
}
