// The cells of a head's outputs that can become objects, brought back in the order of their numbers. Three stages:
// MARK tests the cells of one part, LIST (one workgroup) gives the marked ones their places, BRING copies the
// rows of one part, an invocation an element.
#version 450
#extension GL_GOOGLE_include_directive : enable
#define LOCAL 256
#include "lib/bind.glsl"

const uint MARK = 0, LIST = 1, BRING = 2;
layout(constant_id = 0) const uint STAGE = MARK;
layout(constant_id = 1) const uint ROOM = 1; // rows that are brought back at most
layout(constant_id = 2) const uint ROW = 1;  // floats of a row

// The roles of pipeline/base/candidates.h.
const uint SCORES = 0, GATE = 1, RIVALS = 2;

layout(push_constant) uniform Push { fv_push_candidates pushed; };
fv_push_candidates push;

shared uint counts[LOCAL];

float cell(uint role, uint i, uint k) {
    return load1(IN_ACTIVATIONS, uint(int(push.at[role]) + int(i) * push.cell[role] + int(k) * push.channel[role]));
}

float largest(uint role, uint i) {
    float best = uintBitsToFloat(0xff800000u);
    for (uint k = 0; k < push.c[role]; k++)
        best = max(best, cell(role, i, k));
    return best;
}

// A number as two that float16 holds exactly.
void write_number(uint at, uint n) {
    store1(IN_ACTIVATIONS, at, float(n >> 10));
    store1(IN_ACTIVATIONS, at + 1, float(n & 1023));
}

uint read_number(uint at) {
    return uint(load1(IN_ACTIVATIONS, at)) << 10 | uint(load1(IN_ACTIVATIONS, at + 1));
}

void mark(uint i) {
    if (i >= push.n)
        return;
    float rival = push.c[RIVALS] > 0 ? largest(RIVALS, i) : 0;
    bool out_of_reach = largest(SCORES, i) - rival < push.least_score;
    if (push.c[GATE] > 0)
        out_of_reach = out_of_reach || cell(GATE, i, 0) < push.least_gate;
    store1(IN_ACTIVATIONS, push.scratch_at + push.first + i, out_of_reach ? 0 : 1);
}

// Behind the marks: how many, then their numbers.
void list(uint lane) {
    uint share = (push.total + LOCAL - 1) / LOCAL, begin = lane * share, end = min(begin + share, push.total), n = 0;
    for (uint i = begin; i < end; i++)
        n += uint(load1(IN_ACTIVATIONS, push.scratch_at + i));
    counts[lane] = n;
    barrier();
    uint place = 0, list_at = push.scratch_at + push.total;
    for (uint k = 0; k < lane; k++)
        place += counts[k];
    if (lane == LOCAL - 1) {
        write_number(list_at, place + n);
        store1(IN_READBACK, push.out_at, float(place + n));
    }
    for (uint i = begin; i < end && place < ROOM; i++)
        if (load1(IN_ACTIVATIONS, push.scratch_at + i) > 0) {
            write_number(list_at + 2 + 2 * place, i);
            store1(IN_READBACK, push.out_at + 1 + place, float(i));
            place++;
        }
}

void bring(uint id) {
    uint k, slot = divide(id, ROW, k), list_at = push.scratch_at + push.total;
    if (slot >= min(ROOM, read_number(list_at)))
        return;
    uint to = push.out_at + 1 + ROOM + id;
    uint i = read_number(list_at + 2 + 2 * slot) - push.first; // of an earlier part: beyond n
    if (i >= push.n)
        return;
    [[unroll]] for (uint role = 0; role < FV_CANDIDATE_MATRICES; role++) {
        if (k < push.c[role]) {
            store1(IN_READBACK, to, cell(role, i, k));
            return;
        }
        k -= push.c[role];
    }
}

void main() {
    push = pushed;
    if (STAGE == MARK)
        mark(flat_id());
    else if (STAGE == LIST)
        list(gl_LocalInvocationID.x);
    else
        bring(flat_id());
}
