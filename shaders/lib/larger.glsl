// Of the largest so far and x, if that is there, the larger: what is not a number is left out. Not max(), which a CPU
// driver takes apart into several instructions.
vec4 larger(vec4 most, vec4 x, bool there) {
    bvec4 more = greaterThan(x, most);
    return mix(most, x, bvec4(there && more.x, there && more.y, there && more.z, there && more.w));
}
