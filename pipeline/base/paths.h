// Where the installation keeps what is not code.
#pragma once

#include <stddef.h>

// "models/street.onnx" -> its full path: in $FOVEA_DATA (a source tree will do) or in the folder
// that was chosen at build time. Returns text; the file need not be there.
char *fv_data_path(const char *name, char *text, size_t size);
