// An input that lies in several places: the parts of a concatenation that was not made. The weight block lists them
// (pipeline/infer/parts.c), two vec4 each, of digits of base 2048, which float16 has exactly: three of the place, one that
// is 0, two of the vectors of channels, two of the pitch.
struct part {
    int at, pitch, vectors;
};

part find_part(uint list_at4, int i) {
    ivec4 a = ivec4(imageLoad(weight_texels, int(list_at4) + 2 * i)), b = ivec4(imageLoad(weight_texels, int(list_at4) + 2 * i + 1));
    return part(a.x + 2048 * (a.y + 2048 * a.z), b.z + 2048 * b.w, b.x + 2048 * b.y);
}
