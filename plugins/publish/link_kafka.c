#define _GNU_SOURCE
// kafka(s)://host,host/topic by librdkafka: an idempotent producer, keyed by stream.
//
// A letter that was handed over stays with the library, which tries for ever: it is not handed over
// a second time, so that within the life of this process the cluster has it once. The first letters
// of a call are therefore those of the last one that are still on their way.
//
// Letters that an earlier process left may be in the topic already: before the first of them is
// sent the topic's tail is read (kafka_tail.h), and what is there is not sent again. The same after
// a producer had to be given up. So each is there once, a process that is killed included.
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/log.h"
#include "plugins/publish/kafka_tail.h"
#include "plugins/publish/link.h"

enum { STEP_MS = 100 };
static const int64_t hasty_ns = INT64_C(500000000); // instead of the time-out when all is down

typedef struct {
    fv_link_setup setup;
    char password[512];
    rd_kafka_t *producer; // NULL: made with the next letter
    uint64_t first;       // number of the batch's first letter; numbers are the messages' opaque
    int handed;           // of the batch
    bool settled[FV_LINK_BATCH];
    rd_kafka_resp_err_t errors[FV_LINK_BATCH];
    int32_t partitions[FV_LINK_BATCH];
    int64_t offsets[FV_LINK_BATCH];
    char why[400];        // the last error that the library told
    fv_code down;         // what it means for all brokers; FV_OK: nothing

    fv_kafka_tail tail;
    bool compared;        // what an earlier producer delivered is known
    bool given_up;        // a producer with letters on their way
} kafka_link;

// ---- callbacks: within rd_kafka_poll, in our thread; logs in any --------------------------------

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *m, void *user) {
    (void)producer;
    kafka_link *l = user;
    uint64_t i = (uint64_t)(uintptr_t)m->_private - l->first;
    if (i >= (uint64_t)l->handed)
        return;
    l->settled[i] = true;
    l->errors[i] = m->err;
    l->partitions[i] = m->err ? -1 : m->partition;
    l->offsets[i] = m->offset;
}

static const struct {
    int error;
    fv_code code;
} meanings[] = {
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, FV_IO},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, FV_BAD_INPUT},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, FV_BAD_INPUT},
};

static void on_error(rd_kafka_t *client, int code, const char *why, void *user) {
    (void)client;
    kafka_link *l = user;
    bool all = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].error == code && l->down != FV_BAD_INPUT)
            l->down = meanings[i].code;
    if (fv_link_is_tls_mistake(why))
        l->down = FV_BAD_INPUT;
    if (!all || !*l->why) // what came before says more
        snprintf(l->why, sizeof l->why, "%s", *why ? why : rd_kafka_err2str(code));
}

static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text) {
    (void)producer, (void)level;
    fv_log(FV_LOG_DEBUG, "kafka: %s: %s", facility, text);
}

// ---- settings -----------------------------------------------------------------------------------

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, fv_err *err) {
    char why[300];
    if (!value || !*value)
        return true;
    return rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK ||
           fv_fail(err, FV_BAD_INPUT, "kafka: %s", why);
}

// "name=value,name=value"
static bool set_options(rd_kafka_conf_t *conf, const char *text, fv_err *err) {
    char *copy = strdup(text ? text : ""), *rest = copy;
    bool ok = true;
    for (char *item; ok && (item = strsep(&rest, ","));) {
        item += strspn(item, " ");
        char *equals = strchr(item, '=');
        if (!*item)
            continue;
        if (equals)
            *equals++ = 0;
        ok = equals ? set(conf, item, equals, err)
                    : fv_fail(err, FV_BAD_INPUT, "kafka-options: '%s' is not name=value", item);
    }
    free(copy);
    return ok;
}

static bool set_security(const kafka_link *l, rd_kafka_conf_t *conf, fv_err *err) {
    static const char *const protocols[2][2] = {{"plaintext", "sasl_plaintext"},
                                                {"ssl", "sasl_ssl"}};
    const fv_target_params *p = l->setup.params;
    const fv_address *a = l->setup.address;
    bool ok = set(conf, "security.protocol", protocols[a->tls][*a->user != 0], err);
    if (*a->user)
        ok = ok && set(conf, "sasl.mechanism", "PLAIN", err) &&
             set(conf, "sasl.username", a->user, err) &&
             set(conf, "sasl.password", l->password, err);
    if (a->tls)
        ok = ok && set(conf, "ssl.ca.location", p->tls_ca, err) &&
             set(conf, "ssl.certificate.location", p->tls_cert, err) &&
             set(conf, "ssl.key.location", p->tls_key, err) &&
             set(conf, "enable.ssl.certificate.verification", p->tls_insecure ? "false" : "true",
                 err);
    return ok;
}

static bool set_producer(rd_kafka_conf_t *conf, fv_err *err) {
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return set(conf, "enable.idempotence", "true", err) && // acks=all, order kept across retries
           set(conf, "message.timeout.ms", "0", err) &&    // for ever: the spool is behind it
           set(conf, "partitioner", "murmur2_random", err); // as Java's client
}

static bool set_consumer(rd_kafka_conf_t *conf, fv_err *err) {
    return set(conf, "enable.partition.eof", "true", err) &&
           set(conf, "auto.offset.reset", "earliest", err) &&
           set(conf, "isolation.level", "read_uncommitted", err); // past others' transactions
}

static bool set_all(kafka_link *l, rd_kafka_type_t type, rd_kafka_conf_t *conf, fv_err *err) {
    const char *id = l->setup.params->client_id;
    rd_kafka_conf_set_opaque(conf, l);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    return set(conf, "bootstrap.servers", l->setup.address->host, err) &&
           set(conf, "client.id", id && *id ? id : "fovea", err) &&
           (type == RD_KAFKA_PRODUCER ? set_producer(conf, err) : set_consumer(conf, err)) &&
           set(conf, "reconnect.backoff.max.ms", "2000", err) && set_security(l, conf, err) &&
           set_options(conf, l->setup.params->kafka_options, err);
}

static rd_kafka_t *make_client(kafka_link *l, rd_kafka_type_t type, fv_err *err) {
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *client = NULL;
    if (set_all(l, type, conf, err) && !(client = rd_kafka_new(type, conf, why, sizeof why)))
        fv_fail(err, FV_BAD_INPUT, "kafka: %s", why);
    if (!client)
        rd_kafka_conf_destroy(conf);
    return client;
}

static bool make_producer(kafka_link *l, fv_err *err) {
    l->producer = make_client(l, RD_KAFKA_PRODUCER, err);
    return l->producer;
}

// ---- from start to end --------------------------------------------------------------------------

static void drop_producer(kafka_link *l) {
    if (!l->producer)
        return;
    l->given_up |= l->handed > 0;
    l->compared = false;
    l->handed = 0; // reports of what is purged mean nothing any more
    rd_kafka_purge(l->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(l->producer, STEP_MS);
    rd_kafka_destroy(l->producer);
    l->producer = NULL;
}

static void close_link(void *link) {
    kafka_link *l = link;
    drop_producer(l);
    fv_kafka_tail_write(&l->tail);
    fv_kafka_tail_finish(&l->tail);
    explicit_bzero(l->password, sizeof l->password);
    free(l);
}

static void *open_link(const fv_link_setup *setup, fv_err *err) {
    const fv_target_params *p = setup->params;
    kafka_link *l = calloc(1, sizeof *l);
    l->setup = *setup;
    fv_kafka_tail_init(&l->tail, setup->folder, setup->address->path);
    if (fv_link_secret(l->password, sizeof l->password, "password", p->password_env,
                       p->password_file, err) &&
        fv_link_file("tls-ca", p->tls_ca, err) && fv_link_file("tls-cert", p->tls_cert, err) &&
        fv_link_file("tls-key", p->tls_key, err) && make_producer(l, err))
        return l;
    close_link(l);
    return NULL;
}

// ---- what is there already ----------------------------------------------------------------------

// False: try again later. Without the right to read, letters are sent once more rather than never.
static bool look(kafka_link *l, const char *delivery, const fv_kafka_patience *patience,
                 fv_err *err) {
    rd_kafka_t *consumer = make_client(l, RD_KAFKA_CONSUMER, err);
    char prefix[sizeof((fv_letter *)0)->delivery];
    snprintf(prefix, sizeof prefix, "%.*s-", (int)strcspn(delivery, "-"), delivery);
    if (!consumer)
        return false;
    bool ok = fv_kafka_tail_look(&l->tail, consumer, prefix, patience, err);
    rd_kafka_destroy(consumer);
    if (ok || err->code != FV_UNSUPPORTED)
        return ok;
    fv_log(FV_LOG_WARN, "kafka: topic %s may not be read (%s): what an earlier process delivered "
           "may come twice; allow `Read`", l->tail.topic, err->text);
    *err = (fv_err){0};
    return true;
}

static bool compare(kafka_link *l, const fv_letter *oldest, fv_link_fault *fault) {
    const fv_kafka_patience patience = {l->setup.params->timeout_ns, l->setup.stop, &l->down};
    bool may_be_there = oldest->resumed || l->given_up;
    if (l->compared)
        return true;
    if (may_be_there && fv_kafka_tail_read(&l->tail))
        l->compared = look(l, oldest->delivery, &patience, &fault->err);
    else
        l->compared = fv_kafka_tail_measure(&l->tail, l->producer, &patience, &fault->err);
    rd_kafka_poll(l->producer, 0); // why, in more words
    if (!l->compared && fault->err.code == FV_IO && *l->why)
        fv_fail(&fault->err, l->down ? l->down : FV_IO, "%s", l->why);
    if (!l->compared)
        return false;
    fv_kafka_tail_write(&l->tail);
    l->given_up = false;
    return true;
}

// ---- letters ------------------------------------------------------------------------------------

static rd_kafka_resp_err_t hand_over(kafka_link *l, const fv_letter *letter) {
    uintptr_t number = (uintptr_t)(l->first + (uint64_t)l->handed);
    l->settled[l->handed] = fv_kafka_tail_has(&l->tail, letter->delivery);
    l->partitions[l->handed] = -1;
    l->errors[l->handed] = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (l->settled[l->handed]) {
        l->handed++;
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t error = rd_kafka_producev(
        l->producer, RD_KAFKA_V_TOPIC(l->setup.address->path),
        RD_KAFKA_V_KEY(letter->key, strlen(letter->key)),
        RD_KAFKA_V_VALUE((void *)letter->body, letter->size),
        RD_KAFKA_V_HEADER("id", letter->id, strlen(letter->id)),
        RD_KAFKA_V_HEADER("delivery", letter->delivery, strlen(letter->delivery)),
        RD_KAFKA_V_HEADER("topic", letter->topic, strlen(letter->topic)),
        RD_KAFKA_V_HEADER("content-type", letter->mime, strlen(letter->mime)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE((void *)number),
        RD_KAFKA_V_END);
    if (!error || error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        l->errors[l->handed] = error;
        l->settled[l->handed] = error != 0;
        l->handed++;
    }
    return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? RD_KAFKA_RESP_ERR_NO_ERROR : error;
}

static bool is_final(rd_kafka_resp_err_t error) {
    return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           error == RD_KAFKA_RESP_ERR_INVALID_MSG || error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
           error == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

// The first letters that have their report. False: the producer gave one up that must not be lost.
static bool collect(kafka_link *l, const fv_letter *letters, int *done, fv_link_fault *fault) {
    for (; *done < l->handed && l->settled[*done]; ++*done) {
        rd_kafka_resp_err_t error = l->errors[*done];
        if (is_final(error))
            l->setup.refused(l->setup.user, &letters[*done], rd_kafka_err2str(error));
        else if (error)
            return fv_fail(&fault->err, FV_BAD_INPUT, "gave up a record: %s",
                           rd_kafka_err2str(error));
    }
    return true;
}

// The batch's first `done` letters are settled: the others are first next time.
static void shift(kafka_link *l, int done) {
    int left = l->handed - done;
    for (int i = 0; i < done; i++)
        fv_kafka_tail_note(&l->tail, l->partitions[i], l->offsets[i]);
    memmove(l->partitions, l->partitions + done, sizeof *l->partitions * (size_t)left);
    memmove(l->offsets, l->offsets + done, sizeof *l->offsets * (size_t)left);
    memmove(l->settled, l->settled + done, sizeof *l->settled * (size_t)left);
    memmove(l->errors, l->errors + done, sizeof *l->errors * (size_t)left);
    l->handed = left;
    l->first += (uint64_t)done;
}

static bool converse(kafka_link *l, const fv_letter *letters, int n, int *done,
                     fv_link_fault *fault) {
    int64_t moved = fv_link_now_ns();
    while (*done < n && !*l->setup.stop) {
        rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
        while (l->handed < n && !error)
            error = hand_over(l, &letters[l->handed]);
        if (error && error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return fv_fail(&fault->err, FV_BAD_INPUT, "%s", rd_kafka_err2str(error));
        rd_kafka_poll(l->producer, STEP_MS);
        int before = *done;
        if (!collect(l, letters, done, fault))
            return false;
        if (*done > before) {
            moved = fv_link_now_ns();
            l->down = FV_OK;
            *l->why = 0;
        }
        if (fv_link_now_ns() - moved > (l->down ? hasty_ns : l->setup.params->timeout_ns)) {
            fv_fail(&fault->err, l->down ? l->down : FV_IO, "%s",
                    *l->why ? l->why : "does not answer");
            return true; // the library goes on trying
        }
    }
    return true;
}

static int send_letters(void *link, const fv_letter *letters, int n, fv_link_fault *fault) {
    kafka_link *l = link;
    int done = 0;
    fault->wait_ns = 1; // of what the library does not try by itself
    fv_kafka_tail_write(&l->tail); // the spool knows of what it notes
    if (!l->producer && !make_producer(l, &fault->err))
        return 0;
    if (!compare(l, &letters[0], fault))
        return 0;
    fault->wait_ns = 0;
    bool works = converse(l, letters, n, &done, fault);
    shift(l, done);
    if (!works) {
        drop_producer(l);
        fault->wait_ns = 1;
    }
    return done;
}

const fv_link_row fv_link_kafka = {
    .keeps_trying = true, .open = open_link, .send = send_letters, .close = close_link};
