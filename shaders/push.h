// Push constants of every kernel: the same text for GLSL and C, so that both sides always agree.
// At most 128 bytes each. Offsets count floats (`_at`) or vec4 (`_at4`) from the start of a block.
#ifndef FV_PUSH_H
#define FV_PUSH_H

#ifdef __STDC__
#include <stdint.h>
#include <sys/types.h> // uint
#define FV_PUSH_ARRAY(type, name, n) type name[n]
#else
#define FV_PUSH_ARRAY(type, name, n) type name[n]
#endif

#define FV_COPY_DIMS 6

// copy.comp: out[i] = in[i] over FV_COPY_DIMS dimensions with their own strides (floats) on both
// sides. Positions from `valid` on along dimension `valid_dim` are written as `fill`.
struct fv_push_copy {
    uint in_at, out_at, count;
    uint valid_dim, valid;
    float fill;
    FV_PUSH_ARRAY(uint, dim, FV_COPY_DIMS);
    FV_PUSH_ARRAY(int, in_stride, FV_COPY_DIMS);
    FV_PUSH_ARRAY(int, out_stride, FV_COPY_DIMS);
};

#endif
