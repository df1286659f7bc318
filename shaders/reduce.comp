// Reduction over some dimensions: an invocation computes one element of the output, with VECTOR four channels.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

// The kinds of fv_reduce_kind in pipeline/graph/op_math.h.
const uint SUM = 0, MEAN = 1, MAX = 2, MIN = 3, PROD = 4, L1 = 5, L2 = 6, LOG_SUM = 7, LOG_SUM_EXP = 8, SUM_SQUARE = 9;

layout(constant_id = 0) const uint KIND = SUM;
layout(constant_id = 1) const uint FROM = IN_ACTIVATIONS;
layout(constant_id = 2) const uint N_KEPT = 3; // the first N_KEPT dimensions are kept,
layout(constant_id = 3) const uint N_DIMS = 4; // those up to here reduced

#ifdef VECTOR
#define NUMBER vec4
#else
#define NUMBER float
#endif

layout(push_constant) uniform Push { fv_push_reduce pushed; };
fv_push_reduce push;

NUMBER element(int from, uint index) {
    [[unroll]] for (int d = int(N_DIMS) - 1; d > int(N_KEPT); d--) {
        uint i;
        index = divide(index, push.dim[d], i);
        from += int(i) * push.in_stride[d];
    }
    if (N_KEPT < N_DIMS)
        from += int(index) * push.in_stride[N_KEPT];
#ifdef VECTOR
    return load4(FROM, uint(from) >> 2);
#else
    return load1(FROM, uint(from));
#endif
}

void main() {
    push = pushed;
    uint rest = flat_id();
    if (rest >= push.count)
        return;
    int from = int(push.in_at), to = int(push.out_at);
    [[unroll]] for (int d = int(N_KEPT) - 1; d >= 0; d--) {
        uint i;
        rest = divide(rest, push.dim[d], i);
        from += int(i) * push.in_stride[d];
        to += int(i) * push.out_stride[d];
    }
    NUMBER largest = NUMBER(0);
    if (KIND == LOG_SUM_EXP) {
        largest = NUMBER(-3.402823466e38);
        for (uint i = 0; i < push.n_reduced_elements; i++)
            largest = max(largest, element(from, i));
    }
    NUMBER r = NUMBER(KIND == MAX ? -3.402823466e38 : KIND == MIN ? 3.402823466e38 : KIND == PROD ? 1.0 : 0.0);
    for (uint i = 0; i < push.n_reduced_elements; i++) {
        NUMBER x = element(from, i);
        if (KIND == MAX)
            r = max(r, x);
        else if (KIND == MIN)
            r = min(r, x);
        else if (KIND == PROD)
            r *= x;
        else if (KIND == L1)
            r += abs(x);
        else if (KIND == L2 || KIND == SUM_SQUARE)
            r += x * x;
        else if (KIND == LOG_SUM_EXP)
            r += exp(x - largest);
        else
            r += x;
    }
    if (KIND == MEAN)
        r *= push.scale;
    else if (KIND == L2)
        r = sqrt(r);
    else if (KIND == LOG_SUM || KIND == LOG_SUM_EXP)
        r = log(r) + largest;
#ifdef VECTOR
    for (int k = 0; k < 4; k++)
        store1(IN_ACTIVATIONS, uint(to + k * push.channel_stride), r[k]);
#else
    store1(IN_ACTIVATIONS, uint(to), r);
#endif
}
