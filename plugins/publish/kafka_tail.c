#define _GNU_SOURCE
#include "plugins/publish/kafka_tail.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/publish/link.h"
#include "plugins/publish/segment.h"

enum { HEAD = 16, STEP_MS = 100, ASK_MS = 1000, SETTLE_MS = 500, PARTITIONS_MAX = 1 << 20 };
static const char mark[4] = {'F', 'v', 'K', '1'};

void fv_kafka_tail_init(fv_kafka_tail *t, const char *folder, const char *topic) {
    *t = (fv_kafka_tail){.topic = topic};
    snprintf(t->path, sizeof t->path, "%s/kafka", folder);
}

void fv_kafka_tail_finish(fv_kafka_tail *t) {
    free(t->v);
    free(t->seen);
    *t = (fv_kafka_tail){0};
}

// ---- marks --------------------------------------------------------------------------------------

static void resize(fv_kafka_tail *t, int n) {
    t->v = realloc(t->v, sizeof *t->v * (size_t)(n ? n : 1));
    for (; t->n < n; t->n++)
        t->v[t->n] = 0;
    t->n = n;
}

static uint32_t topic_sum(const fv_kafka_tail *t) {
    return fv_crc32(0, t->topic, strlen(t->topic));
}

// False: there is no file, or it is of another topic. A file that is torn says nothing of where we
// were: all partitions from their beginning.
bool fv_kafka_tail_read(fv_kafka_tail *t) {
    uint8_t head[HEAD];
    int fd = open(t->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool whole = pread(fd, head, HEAD, 0) == HEAD && !memcmp(head + 4, mark, sizeof mark);
    bool other = whole && fv_segment_get(head + 8, 4) != topic_sum(t);
    size_t n = whole ? fv_segment_get(head + 12, 4) : 0;
    uint8_t *body = n && n < PARTITIONS_MAX ? malloc(8 * n) : NULL;
    whole = body && pread(fd, body, 8 * n, HEAD) == (ssize_t)(8 * n) &&
            fv_segment_get(head, 4) == fv_crc32(fv_crc32(0, head + 4, HEAD - 4), body, 8 * n);
    resize(t, whole ? (int)n : 0);
    for (int i = 0; i < t->n; i++)
        t->v[i] = (int64_t)fv_segment_get(body + 8 * i, 8);
    free(body);
    close(fd);
    return !other;
}

void fv_kafka_tail_write(fv_kafka_tail *t) {
    size_t size = HEAD + 8 * (size_t)t->n;
    uint8_t *bytes = t->changed ? calloc(1, size) : NULL;
    int fd = bytes ? open(t->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        memcpy(bytes + 4, mark, sizeof mark);
        fv_segment_put(bytes + 8, topic_sum(t), 4);
        fv_segment_put(bytes + 12, (uint64_t)t->n, 4);
        for (int i = 0; i < t->n; i++)
            fv_segment_put(bytes + HEAD + 8 * i, (uint64_t)t->v[i], 8);
        fv_segment_put(bytes, fv_crc32(0, bytes + 4, size - 4), 4);
        t->changed = pwrite(fd, bytes, size, 0) != (ssize_t)size;
        close(fd);
    }
    free(bytes);
}

void fv_kafka_tail_note(fv_kafka_tail *t, int32_t partition, int64_t offset) {
    if (partition < 0 || offset < 0)
        return;
    if (partition >= t->n)
        resize(t, partition + 1);
    t->v[partition] = offset + 1;
    t->changed = true;
}

static bool is_silence(rd_kafka_resp_err_t error) {
    return error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

// False: it is over; a call to the library that is asked again in between lasts ASK_MS.
static bool ask_again(rd_kafka_t *client, rd_kafka_resp_err_t error, const fv_kafka_patience *p,
                      int64_t begun_ns) {
    rd_kafka_poll(client, 0);
    return is_silence(error) && !*p->stop && !*p->down &&
           fv_link_now_ns() - begun_ns < p->timeout_ns;
}

static bool fail(const fv_kafka_tail *t, rd_kafka_resp_err_t error, fv_err *err) {
    bool is_ours = error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                   error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    return is_silence(error) ? fv_fail(err, FV_IO, "does not answer")
                             : fv_fail(err, is_ours ? FV_BAD_INPUT : FV_IO, "topic %s: %s",
                                       t->topic, rd_kafka_err2str(error));
}

static bool count_partitions(const fv_kafka_tail *t, rd_kafka_t *client,
                             const fv_kafka_patience *patience, int *n, fv_err *err) {
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, t->topic, NULL);
    int64_t begun = fv_link_now_ns();
    rd_kafka_resp_err_t error;
    const struct rd_kafka_metadata *m = NULL;
    do
        error = rd_kafka_metadata(client, 0, handle, &m, ASK_MS);
    while (ask_again(client, error, patience, begun));
    if (!error)
        error = m->topic_cnt == 1 ? m->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *n = error ? 0 : m->topics[0].partition_cnt;
    if (m)
        rd_kafka_metadata_destroy(m);
    rd_kafka_topic_destroy(handle);
    return !error || fail(t, error, err);
}

bool fv_kafka_tail_measure(fv_kafka_tail *t, rd_kafka_t *client, const fv_kafka_patience *patience,
                           fv_err *err) {
    int n;
    if (!count_partitions(t, client, patience, &n, err))
        return false;
    resize(t, n);
    for (int i = 0; i < n; i++) {
        int64_t low, high, begun = fv_link_now_ns();
        rd_kafka_resp_err_t error;
        do
            error = rd_kafka_query_watermark_offsets(client, t->topic, i, &low, &high, ASK_MS);
        while (ask_again(client, error, patience, begun));
        if (error)
            return fail(t, error, err);
        t->v[i] = high;
    }
    t->changed = true;
    return true;
}

// ---- looking ------------------------------------------------------------------------------------

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

static void see(fv_kafka_tail *t, const rd_kafka_message_t *m, const char *prefix) {
    rd_kafka_headers_t *headers;
    const void *delivery;
    size_t size, n = strlen(prefix);
    if (rd_kafka_message_headers(m, &headers) ||
        rd_kafka_header_get_last(headers, "delivery", &delivery, &size) ||
        size >= sizeof *t->seen || size < n || memcmp(delivery, prefix, n) != 0)
        return;
    if (!(t->n_seen & (t->n_seen + 1))) // room for 2^k - 1 is used up
        t->seen = realloc(t->seen, sizeof *t->seen * 2 * (size_t)(t->n_seen + 1));
    snprintf(t->seen[t->n_seen++], sizeof *t->seen, "%.*s", (int)size, (const char *)delivery);
}

static bool is_forbidden(rd_kafka_resp_err_t error) {
    return error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
}

typedef struct {
    const char *prefix;
    const fv_kafka_patience *patience;
    int64_t settled_ns; // the end of a partition counts from then on
} look;

// From t->v[partition] to the end.
static bool read_partition(fv_kafka_tail *t, rd_kafka_topic_t *topic, int partition,
                           const look *how, fv_err *err) {
    int64_t heard = fv_link_now_ns();
    bool at_end = false;
    while (!*how->patience->stop) {
        rd_kafka_message_t *m = rd_kafka_consume(topic, partition, STEP_MS);
        rd_kafka_resp_err_t error = m ? m->err : RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (!error)
            see(t, m, how->prefix);
        if (m)
            rd_kafka_message_destroy(m);
        at_end = error && (at_end || error == RD_KAFKA_RESP_ERR__PARTITION_EOF);
        if (is_forbidden(error))
            return fv_fail(err, FV_UNSUPPORTED, "%s", rd_kafka_err2str(error));
        if (at_end && fv_link_now_ns() >= how->settled_ns)
            return true;
        if (!error || at_end)
            heard = fv_link_now_ns();
        if (fv_link_now_ns() - heard > how->patience->timeout_ns)
            return fv_fail(err, FV_IO, "topic %s cannot be read", t->topic);
    }
    return false;
}

bool fv_kafka_tail_look(fv_kafka_tail *t, rd_kafka_t *consumer, const char *prefix,
                        const fv_kafka_patience *patience, fv_err *err) {
    look how = {prefix, patience, fv_link_now_ns() + SETTLE_MS * INT64_C(1000000)};
    int n;
    if (!count_partitions(t, consumer, patience, &n, err))
        return false;
    resize(t, n > t->n ? n : t->n);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, t->topic, NULL);
    bool ok = true;
    t->n_seen = 0;
    free(t->seen);
    t->seen = NULL;
    for (int i = 0; i < n && ok; i++) {
        ok = !rd_kafka_consume_start(topic, i, t->v[i]) && read_partition(t, topic, i, &how, err);
        rd_kafka_consume_stop(topic, i);
    }
    rd_kafka_topic_destroy(topic);
    if (t->n_seen)
        qsort(t->seen, (size_t)t->n_seen, sizeof *t->seen, by_text);
    return ok;
}

bool fv_kafka_tail_has(const fv_kafka_tail *t, const char *delivery) {
    return t->n_seen && bsearch(delivery, t->seen, (size_t)t->n_seen, sizeof *t->seen, by_text);
}
