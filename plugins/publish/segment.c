#define _GNU_SOURCE
#include "plugins/publish/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PARTS = 8, SEARCH_BYTES = 1 << 16 };

static const char mark[4] = {'F', 'v', 'R', '1'};

uint32_t fv_crc32(uint32_t crc, const void *data, size_t n) {
    static const uint32_t nibbles[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *p = data;
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc = crc >> 4 ^ nibbles[(crc ^ p[i]) & 15];
        crc = crc >> 4 ^ nibbles[(crc ^ (uint32_t)p[i] >> 4) & 15];
    }
    return ~crc;
}

void fv_segment_put(void *to, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)(v >> 8 * i);
}

uint64_t fv_segment_get(const void *from, int bytes) {
    const uint8_t *p = from;
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static ssize_t write_parts(int fd, off_t at, const struct iovec *parts, int n) {
    ssize_t w;
    do
        w = pwritev(fd, parts, n, at);
    while (w < 0 && errno == EINTR);
    return w;
}

// What pwritev leaves over (a full disk, a limit) is tried once more, which tells why.
static bool write_record(int fd, off_t at, struct iovec *parts, int n, size_t total) {
    ssize_t w = write_parts(fd, at, parts, n);
    if (w < 0 || (size_t)w == total)
        return w >= 0;
    size_t done = (size_t)w;
    for (int i = 0; i < n; i++) {
        size_t skip = done < parts[i].iov_len ? done : parts[i].iov_len;
        done -= skip;
        parts[i].iov_base = (char *)parts[i].iov_base + skip;
        parts[i].iov_len -= skip;
    }
    ssize_t rest = write_parts(fd, at + w, parts, n);
    if (rest >= 0 && (size_t)(w + rest) < total)
        errno = ENOSPC;
    return rest >= 0 && (size_t)(w + rest) == total;
}

bool fv_segment_append(int fd, off_t end, uint64_t number, const struct iovec *parts, int n,
                       size_t total) {
    uint8_t head[FV_SEGMENT_HEAD];
    struct iovec all[MAX_PARTS + 1] = {{head, sizeof head}};
    uint32_t crc = 0;
    for (int i = 0; i < n && i < MAX_PARTS; i++) {
        all[i + 1] = parts[i];
        crc = fv_crc32(crc, parts[i].iov_base, parts[i].iov_len);
    }
    memcpy(head, mark, sizeof mark);
    fv_segment_put(head + 4, total, 4);
    fv_segment_put(head + 8, number, 8);
    fv_segment_put(head + 16, crc, 4);
    fv_segment_put(head + 20, fv_crc32(0, head, 20), 4);
    if (write_record(fd, end, all, n + 1, sizeof head + total))
        return true;
    int why = errno;
    if (ftruncate(fd, end))
        why = errno;
    errno = why;
    return false;
}

static bool read_at(int fd, off_t offset, void *to, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)to + done, n - done, offset + (off_t)done);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool read_record(int fd, off_t offset, off_t size, fv_segment_record *r) {
    uint8_t head[FV_SEGMENT_HEAD];
    if (offset + FV_SEGMENT_HEAD > size || !read_at(fd, offset, head, sizeof head) ||
        memcmp(head, mark, sizeof mark) != 0 ||
        fv_segment_get(head + 20, 4) != fv_crc32(0, head, 20))
        return false;
    size_t n = fv_segment_get(head + 4, 4);
    if (n > FV_SEGMENT_BODY_MAX || offset + FV_SEGMENT_HEAD + (off_t)n > size)
        return false;
    if (n + 1 > r->room) {
        r->room = 2 * n + 1;
        r->body = realloc(r->body, r->room);
    }
    if (!read_at(fd, offset + FV_SEGMENT_HEAD, r->body, n) ||
        fv_crc32(0, r->body, n) != fv_segment_get(head + 16, 4))
        return false;
    r->body[n] = 0;
    r->size = n;
    r->number = fv_segment_get(head + 8, 8);
    r->offset = offset;
    return true;
}

// The next place from `offset` on that looks like a head; `size` when there is none.
static off_t search(int fd, off_t offset, off_t size, char *text) {
    while (offset + FV_SEGMENT_HEAD <= size) {
        ssize_t n = pread(fd, text, SEARCH_BYTES, offset);
        if (n < (ssize_t)sizeof mark)
            return size;
        const char *found = memmem(text, (size_t)n, mark, sizeof mark);
        if (found)
            return offset + (found - text);
        offset += n - (ssize_t)sizeof mark + 1;
    }
    return size;
}

bool fv_segment_read(int fd, off_t offset, off_t size, fv_segment_record *record) {
    if (read_record(fd, offset, size, record))
        return true;
    char *text = malloc(SEARCH_BYTES);
    bool found = false;
    while (!found && (offset = search(fd, offset + 1, size, text)) < size)
        found = read_record(fd, offset, size, record);
    free(text);
    return found;
}

off_t fv_segment_next(const fv_segment_record *record) {
    return record->offset + FV_SEGMENT_HEAD + (off_t)record->size;
}
