#include "pipeline/graph/onnx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIN_BUDGET = 64 << 20, BUDGET_PER_BYTE = 8, HEADER = 16 };
#define MAX_FILE ((size_t)2 << 30) // protobuf's own limit

static void *budget_alloc(void *user, size_t size) {
    fv_budget *b = user;
    if (size > b->left)
        return NULL;
    size_t *p = malloc(size + HEADER);
    if (!p)
        return NULL;
    b->left -= size;
    *p = size;
    return (char *)p + HEADER;
}

static void budget_free(void *user, void *data) {
    if (!data)
        return;
    fv_budget *b = user;
    size_t *p = (size_t *)((char *)data - HEADER);
    b->left += *p;
    free(p);
}

void fv_budget_init(fv_budget *b, size_t file_size) {
    *b = (fv_budget){
        .allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = b},
        .left = MIN_BUDGET + BUDGET_PER_BYTE * file_size,
    };
}

static bool map_file(fv_mapping *m, int fd, const char *path, fv_err *err) {
    struct stat info;
    if (fstat(fd, &info))
        return fv_fail(err, FV_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return fv_fail(err, FV_BAD_INPUT,
                       "%s: is not a file; give the .onnx file your trainer exports", path);
    if (info.st_size == 0)
        return fv_fail(err, FV_BAD_INPUT, "%s: is empty; give the .onnx file your trainer exports",
                       path);
    if ((size_t)info.st_size > MAX_FILE)
        return fv_fail(err, FV_UNSUPPORTED, "%s: is larger than 2 GiB", path);
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return fv_fail(err, FV_IO, "%s: cannot be mapped: %s", path, strerror(errno));
    *m = (fv_mapping){.data = data, .size = (size_t)info.st_size};
    return true;
}

bool fv_mapping_open(fv_mapping *m, const char *path, fv_err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fv_fail(err, errno == ENOENT || errno == ENOTDIR ? FV_BAD_INPUT : FV_IO, "%s: %s",
                       path, strerror(errno));
    bool ok = map_file(m, fd, path, err);
    close(fd);
    return ok;
}

void fv_mapping_close(fv_mapping *m) {
    if (m->data)
        munmap(m->data, m->size);
    *m = (fv_mapping){0};
}

Fovea__Onnx__Model *fv_onnx_unpack(const void *data, size_t size, fv_budget *b, fv_err *err) {
    fv_budget_init(b, size);
    Fovea__Onnx__Model *m = fovea__onnx__model__unpack(&b->allocator, size, data);
    if (m && m->graph && (m->graph->n_node || m->graph->n_output))
        return m;
    if (m)
        fovea__onnx__model__free_unpacked(m, &b->allocator);
    fv_fail(err, FV_BAD_INPUT,
            "not an ONNX model, or a truncated one; give the .onnx file your trainer exports");
    return NULL;
}

bool fv_onnx_is_standard(const char *domain) {
    return !domain || !*domain || !strcmp(domain, "ai.onnx");
}

int64_t fv_onnx_opset(Fovea__Onnx__OperatorSet *const *set, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (fv_onnx_is_standard(set[i]->domain))
            return set[i]->version;
    return 1;
}

const Fovea__Onnx__Function *fv_onnx_function(const Fovea__Onnx__Model *m,
                                              const Fovea__Onnx__Node *call) {
    const char *domain = call->domain ? call->domain : "", *name = call->op_type ? call->op_type : "";
    for (size_t i = 0; i < m->n_functions; i++) {
        const Fovea__Onnx__Function *f = m->functions[i];
        if (f->name && !strcmp(f->name, name) && !strcmp(f->domain ? f->domain : "", domain))
            return f;
    }
    return NULL;
}
