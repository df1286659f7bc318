// What happens to a file that nobody trusts: loaded, optimised and, when it is small, run. Shared
// by the mutation tests and the fuzzer.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Returns whether the bytes are a model that loads. Must neither crash nor hang nor take more than
// the memory it is given.
int hostile_try(const uint8_t *data, size_t size);
