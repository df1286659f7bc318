// libFuzzer target of the importer: meson setup build-fuzz -Dfuzz=true (with clang), then
// build-fuzz/tests/graph/fuzz-onnx -rss_limit_mb=1024 -timeout=25 CORPUS
// A corpus: the model.onnx files of libonnx-testdata under any names, and small real models.
#include "tests/graph/hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    hostile_try(data, size);
    return 0;
}
