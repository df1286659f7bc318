#define _GNU_SOURCE
// plugins/publish/link_kafka against librdkafka's mock cluster, real TCP on loopback.
#include <librdkafka/rdkafka.h>
// clang-format off
#include <librdkafka/rdkafka_mock.h>
// clang-format on
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipeline/base/log.h"
#include "tests/publish/publisher.h"

int kafka_child(char **args);

enum { BROKERS = 3, PARTITIONS = 4, ROOM = 1 << 24 };

typedef struct {
    rd_kafka_t *handle, *consumer;
    rd_kafka_mock_cluster_t *mock;
    char address[600], bootstrap[500];
    pthread_t reader;   // from the beginning: the mock cluster keeps no more than its last 5 MB
    atomic_bool stop;
    atomic_int n;       // messages that were read
    int partition;      // of all: they have one key
    bool elsewhere;     // one was in another
    char *text;         // of them, "body key id\n"
    size_t size;
} cluster;

static void begin_consuming(cluster *c);

static void cluster_init(cluster *c) {
    char why[300];
    *c = (cluster){.text = calloc(1, ROOM)};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    c->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    c->mock = rd_kafka_mock_cluster_new(c->handle, BROKERS);
    rd_kafka_mock_topic_create(c->mock, "records", PARTITIONS, 1);
    snprintf(c->bootstrap, sizeof c->bootstrap, "%s", rd_kafka_mock_cluster_bootstraps(c->mock));
    snprintf(c->address, sizeof c->address, "kafka://%s/records", c->bootstrap);
    begin_consuming(c);
}

static void all_brokers(cluster *c, bool up) {
    for (int i = 1; i <= BROKERS; i++)
        up ? rd_kafka_mock_broker_set_up(c->mock, i) : rd_kafka_mock_broker_set_down(c->mock, i);
}

static size_t note(const rd_kafka_message_t *m, char *text, size_t room) {
    rd_kafka_headers_t *headers = NULL;
    const void *id = "", *delivery = "";
    size_t size = 0;
    rd_kafka_message_headers(m, &headers);
    if (headers) {
        rd_kafka_header_get_last(headers, "id", &id, &size);
        rd_kafka_header_get_last(headers, "delivery", &delivery, &size);
    }
    return (size_t)snprintf(text, room, "%.*s key=%.*s id=%s delivery=%s\n", (int)m->len,
                            (const char *)m->payload, (int)m->key_len, (const char *)m->key,
                            (const char *)id, (const char *)delivery);
}

static void *read_all(void *user) {
    cluster *c = user;
    while (!c->stop) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->consumer, 50);
        if (m && !m->err) {
            c->elsewhere |= c->n && c->partition != m->partition;
            c->partition = m->partition;
            c->size += note(m, c->text + c->size, ROOM - c->size);
            c->n++;
        }
        if (m)
            rd_kafka_message_destroy(m);
    }
    return NULL;
}

static void begin_consuming(cluster *c) {
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", c->bootstrap, why, sizeof why);
    rd_kafka_conf_set(conf, "group.id", "test", why, sizeof why);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "500", why, sizeof why);
    rd_kafka_conf_set_log_cb(conf, NULL);
    c->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, "records", i)->offset = 0; // nobody to be asked
    rd_kafka_assign(c->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    pthread_create(&c->reader, NULL, read_all, c);
}

// Into c->text: all there is, `expected` messages and what comes within a second behind them. They
// lie in one partition, in order.
static void consume(cluster *c, int expected) {
    double begun = publisher_seconds(), quiet = begun;
    for (int before = -1; publisher_seconds() < quiet + 1 || (c->n < expected && publisher_seconds() < begun + 60);) {
        if (c->n != before)
            quiet = publisher_seconds();
        before = c->n;
        usleep(20000);
    }
    c->stop = true;
    pthread_join(c->reader, NULL);
    CHECK(!c->elsewhere);
    CHECK_EQUAL(c->n, expected);
}

// How many messages the mock cluster has thrown away at the old end.
static int64_t thrown_away(cluster *c) {
    int64_t low = 0, high = 0;
    rd_kafka_query_watermark_offsets(c->consumer, "records", c->partition, &low, &high, 5000);
    return low;
}

static void cluster_finish(cluster *c) {
    if (!c->stop) {
        c->stop = true;
        pthread_join(c->reader, NULL);
    }
    rd_kafka_consumer_close(c->consumer);
    rd_kafka_destroy(c->consumer);
    rd_kafka_mock_cluster_destroy(c->mock);
    rd_kafka_destroy(c->handle);
    free(c->text);
}

static void keyed_and_in_order(void) {
    cluster c;
    cluster_init(&c);
    fv_target_params p = publisher_params(c.address);
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 5000);
    fv_target_finish(t);
    CHECK_EQUAL(fv_target_count(t).lines, 5000);
    fv_target_destroy(&t);
    consume(&c, 5000);
    CHECK_EQUAL(publisher_check(c.text, 5000, false), 0);
    CHECK_CONTAINS(c.text, "key=gate id=gate/event/77 delivery=");
    CHECK_TEXT(publisher_told(), "");
    cluster_finish(&c);
}

// FOVEA_OUTAGE (seconds, default 3), all brokers, under load: everything comes, in order, once. They
// die with no answer owed: the mock cluster would keep a set that is sent again beside the first (see
// answers_get_lost for that).
static void an_outage_under_load(void) {
    int seconds = getenv("FOVEA_OUTAGE") ? atoi(getenv("FOVEA_OUTAGE")) : 3, n = 0;
    cluster c;
    cluster_init(&c);
    fv_target_params p = publisher_params(c.address);
    p.timeout_ns = 1000000000;
    p.linger_ns = 60000000000;
    fv_target *t = publisher_create(&p);
    publisher_add_slowly(t, 0, 500, 1000), n = 500;
    CHECK(publisher_wait(t));
    all_brokers(&c, false);
    n = publisher_add_for(t, n, seconds);
    CHECK(fv_target_count(t).waiting > 100);
    all_brokers(&c, true);
    publisher_add_slowly(t, n, n + 500, 1000), n += 500;
    fv_target_finish(t);
    fv_target_counts counts = fv_target_count(t);
    CHECK(counts.lines == (uint64_t)n && !counts.lost && !counts.waiting);
    fv_target_destroy(&t);
    consume(&c, n);
    CHECK_EQUAL(publisher_check(c.text, n, false), 0); // never twice
    fprintf(stderr, "kafka: all brokers away for %d s: %d messages, none twice; the mock cluster threw %" PRId64 " away since\n",
            seconds, n, thrown_away(&c));
    CHECK_CONTAINS(publisher_told(), "records wait in the spool");
    CHECK_CONTAINS(publisher_told(), "takes records again after");
    CHECK(!strstr(publisher_told(), "!"));
    cluster_finish(&c);
}

// Requests that fail, leaders that change: nothing is lost, doubled or out of order.
static void errors_in_between(void) {
    cluster c;
    cluster_init(&c);
    fv_target_params p = publisher_params(c.address);
    fv_target *t = publisher_create(&p);
    for (int i = 0; i < 10; i++) {
        rd_kafka_mock_push_request_errors(c.mock, 0 /* Produce */, 2,
                                          i % 2 ? RD_KAFKA_RESP_ERR__TRANSPORT
                                                : RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                          RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
        for (int k = 0; k < PARTITIONS; k++)
            rd_kafka_mock_partition_set_leader(c.mock, "records", k, i % BROKERS + 1);
        publisher_add_slowly(t, 100 * i, 100 * i + 100, 1000);
    }
    fv_target_finish(t);
    CHECK_EQUAL(fv_target_count(t).waiting, 0);
    fv_target_destroy(&t);
    consume(&c, 1000);
    CHECK_EQUAL(publisher_check(c.text, 1000, false), 0);
    cluster_finish(&c);
}

// What librdkafka says of each set of messages that it sends.
typedef struct {
    char text[ROOM];
    atomic_int messages; // that have left, those sent again counted again
} sent_sets;

static void take_sets(void *user, fv_log_level level, const char *text) {
    (void)level;
    sent_sets *sets = user;
    size_t n = strlen(sets->text);
    const char *set = strstr(text, "Produce MessageSet with ");
    if (!set || n + strlen(text) + 2 >= ROOM)
        return;
    sprintf(sets->text + n, "%s\n", text);
    sets->messages += atoi(set + strlen("Produce MessageSet with "));
}

// The brokers take the records, and die before they say so: what is sent again has the producer and
// the sequence numbers of the first time, by which a broker knows it. (The mock cluster does not
// look at them and keeps both, so that the test sees that it came.)
static void answers_get_lost(void) {
    cluster c;
    sent_sets *sets = calloc(1, sizeof *sets);
    char pid[60] = "", of[60];
    int repeated = 0, last = 0, id, sequence;
    cluster_init(&c);
    fv_log_set(FV_LOG_DEBUG, take_sets, sets);
    fv_target_params p = publisher_params(c.address);
    p.kafka_options = "debug=msg";
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 10);
    CHECK(publisher_wait(t));
    for (int b = 1; b <= BROKERS; b++)
        rd_kafka_mock_broker_set_rtt(c.mock, b, 8000);
    publisher_add(t, 10, 11); // one set, whenever the publisher's thread looks
    for (double begun = publisher_seconds(); sets->messages < 11 && publisher_seconds() < begun + 60;)
        usleep(20000);
    for (double begun = fv_test_seconds(); fv_test_seconds() < begun + 0.5;) // to the brokers
        usleep(20000);
    all_brokers(&c, false);
    for (int b = 1; b <= BROKERS; b++)
        rd_kafka_mock_broker_set_rtt(c.mock, b, 0);
    all_brokers(&c, true);
    publisher_add(t, 11, 20);
    CHECK(publisher_wait(t));
    fv_target_destroy(&t);
    fv_log_set(FV_LOG_WARN, NULL, NULL);
    for (const char *line = sets->text; (line = strstr(line, "MsgId ")); line++) {
        CHECK_EQUAL(sscanf(line, "MsgId %d, BaseSeq %d, PID%59[^}]", &id, &sequence, of), 3);
        CHECK(!*pid || !strcmp(pid, of));
        CHECK_EQUAL(sequence, id - 1);
        repeated += id <= last;
        last = id;
        snprintf(pid, sizeof pid, "%s", of);
    }
    CHECK(repeated > 0);
    consume(&c, 21);
    CHECK_EQUAL(publisher_check(c.text, 20, true), 1);
    free(sets);
    cluster_finish(&c);
}

// What waits at the end goes with the next run.
static void the_next_run_delivers(void) {
    cluster c;
    cluster_init(&c);
    all_brokers(&c, false);
    fv_target_params p = publisher_params(c.address);
    p.linger_ns = 100000000;
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 100);
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "100 records wait in the spool");
    all_brokers(&c, true);
    p.linger_ns = 30000000000;
    t = publisher_create(&p);
    publisher_add(t, 100, 120);
    fv_target_destroy(&t);
    CHECK_TEXT(publisher_told(), "");
    consume(&c, 120);
    CHECK_EQUAL(publisher_check(c.text, 120, false), 0);
    cluster_finish(&c);
}

static void ignore(void *user, bool grave, const fv_err *err) {
    (void)user, (void)grave, (void)err;
}

// A process of its own (see main_net.c): ADDRESS SPOOL FROM SECONDS. Adds messages from FROM on, one
// every 200 us, kills itself after so many seconds, in the middle of whatever its other thread does;
// leaves the next number in SPOOL.next.
int kafka_child(char **args) {
    const fv_target_setup setup = {"gate-publish-0", &fv_format_rows[FV_FORMAT_FOVEA], ignore, NULL};
    fv_target_params p = publisher_params(args[0]);
    fv_err err = {0};
    p.spool = args[1];
    fv_target *t = fv_target_create(&p, &setup, &err);
    int n = atoi(args[2]);
    if (!t)
        return 1;
    double end = publisher_seconds() + atof(args[3]);
    do
        publisher_add_slowly(t, n, n + 10, 200), n += 10;
    while (publisher_seconds() < end);
    char path[1200];
    snprintf(path, sizeof path, "%s.next", args[1]);
    FILE *f = fopen(path, "w");
    fprintf(f, "%d", n);
    fclose(f);
    return raise(SIGKILL);
}

// Killed under load, six times: all is there once, in order. The brokers take 5 ms for an answer, so
// that there is always something on its way.
static void killed_and_started_again(void) {
    cluster c;
    cluster_init(&c);
    for (int i = 1; i <= BROKERS; i++)
        rd_kafka_mock_broker_set_rtt(c.mock, i, 5);
    fv_target_params p = publisher_params(c.address);
    int n = 0;
    for (int i = 0; i < 6; i++) {
        char command[4000], *next;
        snprintf(command, sizeof command, "/proc/%d/exe child %s %s %d %g; cat %s.next", getpid(), c.address,
                 p.spool, n, 0.9 + i * 0.037, p.spool);
        next = calloc(1, 4000);
        fv_test_shell(command, next, 4000);
        char *line = strrchr(next, '\n');
        int now = atoi(line ? line + 1 : next);
        CHECK(now > n);
        n = now;
        free(next);
    }
    p.linger_ns = 30000000000;
    fv_target *t = publisher_create(&p);
    publisher_add(t, n, n + 10), n += 10;
    fv_target_destroy(&t);
    CHECK_TEXT(publisher_told(), "");
    consume(&c, n);
    CHECK_EQUAL(publisher_check(c.text, n, false), 0);
    fprintf(stderr, "kafka: killed six times under load: %d messages, none twice\n", n);
    cluster_finish(&c);
}

static void too_large(void) {
    cluster c;
    cluster_init(&c);
    fv_target_params p = publisher_params(c.address);
    p.kafka_options = "message.max.bytes=1000, linger.ms=1";
    fv_target *t = publisher_create(&p);
    char *body = malloc(2001);
    memset(body, 'x', 2000);
    body[2000] = 0;
    publisher_add(t, 0, 3);
    fv_target_add(t, &(fv_message){.topic = "t", .key = "gate", .id = "large", .body = body,
                                   .size = 2000, .line = body, .line_size = 2000});
    publisher_add(t, 3, 6);
    publisher_wait(t);
    CHECK_EQUAL(fv_target_count(t).lost, 1);
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "refuses record large: Broker: Message size too large");
    consume(&c, 6);
    CHECK_EQUAL(publisher_check(c.text, 6, false), 0);
    free(body);
    cluster_finish(&c);
}

static void settings(void) {
    fv_target_params p = publisher_params("kafka://localhost:1/records");
    p.linger_ns = 0;
    p.kafka_options = "no.such=1";
    publisher_refuses(&p, "kafka: No such configuration property: \"no.such\"");
    p.kafka_options = "linger.ms";
    publisher_refuses(&p, "kafka-options: 'linger.ms' is not name=value");
    p.kafka_options = "acks=1"; // not with an idempotent producer
    publisher_refuses(&p, "`acks` must be set to `all` when `enable.idempotence` is true");
    p.kafka_options = "";
    p.tls_ca = "/nowhere/ca.pem";
    publisher_refuses(&p, "tls-ca: /nowhere/ca.pem: No such file or directory");
}

const fv_suite kafka_suite = {"kafka", (const fv_case[]){CASE(keyed_and_in_order),
                                                         CASE(an_outage_under_load),
                                                         CASE(errors_in_between),
                                                         CASE(answers_get_lost),
                                                         CASE(the_next_run_delivers),
                                                         CASE(killed_and_started_again),
                                                         CASE(too_large),
                                                         CASE(settings),
                                                         {0}}};
