// Where the installation keeps what is not code; whether two paths are one.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// "models/street.onnx" -> its full path: in $FOVEA_DATA (a source tree will do) or in the folder
// that was chosen at build time. Returns text; the file need not be there.
char *fv_data_path(const char *name, char *text, size_t size);

// By any way (a link, ./ or .. in between), and also where nothing is there yet but the folder
// around it. `a` may be a file:// address.
bool fv_path_same_file(const char *a, const char *b);
bool fv_path_same_folder(const char *a, const char *b); // slashes at the end do not matter
