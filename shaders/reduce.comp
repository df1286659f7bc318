// Reduction over some dimensions: an invocation computes one element of the output.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

// The kinds of fv_reduce_kind in pipeline/graph/op_math.h.
const uint SUM = 0, MEAN = 1, MAX = 2, MIN = 3, PROD = 4, L1 = 5, L2 = 6, LOG_SUM = 7, LOG_SUM_EXP = 8, SUM_SQUARE = 9;

layout(constant_id = 0) const uint KIND = SUM;
layout(constant_id = 1) const uint FROM = IN_ACTIVATIONS;
layout(constant_id = 2) const uint N_KEPT = 3; // the first N_KEPT dimensions are kept, the others reduced

layout(push_constant) uniform Push { fv_push_reduce pushed; };
fv_push_reduce push;

int element(int from, uint index) {
    [[unroll]] for (int d = FV_REDUCE_DIMS - 1; d >= int(N_KEPT); d--) {
        uint i;
        index = divide(index, push.dim[d], i);
        from += int(i) * push.in_stride[d];
    }
    return from;
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
    float largest = 0;
    if (KIND == LOG_SUM_EXP) {
        largest = -3.402823466e38;
        for (uint i = 0; i < push.n_reduced_elements; i++)
            largest = max(largest, load1(FROM, uint(element(from, i))));
    }
    float r = KIND == MAX ? -3.402823466e38 : KIND == MIN ? 3.402823466e38 : KIND == PROD ? 1.0 : 0.0;
    for (uint i = 0; i < push.n_reduced_elements; i++) {
        float x = load1(FROM, uint(element(from, i)));
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
    store1(IN_ACTIVATIONS, uint(to), r);
}
