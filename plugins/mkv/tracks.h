// The `Tracks` of a Matroska file (RFC 8794 and RFC 9559), changed in place.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { FV_MKV_MAX_SOUNDS = 16 };

// Gives each track of sound its CodecDelay: what its decoder makes before time 0, which players take off the times
// of all blocks. ns[i] is that of the i-th track of sound; 0: none. There is room for it where matroskamux wrote the
// track's Name ("Audio" and a zero), which goes. `data` begins with an element: the file's header, its Segment or its
// Tracks. Returns the number of tracks changed. What is torn or unknown is left alone.
int fv_mkv_delays_patch(uint8_t *data, size_t size, const uint64_t *ns, int n);
