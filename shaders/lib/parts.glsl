// An input that lies in several places: the parts of a concatenation that was not made. The weight block lists them
// (pipeline/infer/parts.c), a vec4 each: place, low 16 bits and the rest, pitch, vectors of channels.
struct part {
    int at, pitch, vectors;
};

part find_part(uint list_at4, int i) {
    vec4 v = imageLoad(weight_texels, int(list_at4) + i);
    return part(int(v.x) + 65536 * int(v.y), int(v.z), int(v.w));
}
