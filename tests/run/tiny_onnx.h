// ONNX files of one node, written byte by byte (onnx.proto3), for tests of bad input.
#pragma once

#include <stdbool.h>

// One node `name` of `op` from input "images" (1x3x8x8) to output "out", float32.
bool tiny_onnx_write(const char *path, const char *op, const char *name);
