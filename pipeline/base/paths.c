#include "pipeline/base/paths.h"

#include <stdio.h>
#include <stdlib.h>

#include "fovea-config.h"

char *fv_data_path(const char *name, char *text, size_t size) {
    const char *dir = getenv("FOVEA_DATA");
    snprintf(text, size, "%s/%s", dir && *dir ? dir : FV_DATA_DIR, name);
    return text;
}
