#define _GNU_SOURCE
// plugins/publish/link_kafka against librdkafka's mock cluster, real TCP on loopback.
#include <librdkafka/rdkafka.h>
// clang-format off
#include <librdkafka/rdkafka_mock.h>
// clang-format on
#include <stdlib.h>
#include <unistd.h>

#include "tests/publish/publisher.h"

enum { BROKERS = 3, PARTITIONS = 4, ROOM = 1 << 24 };

typedef struct {
    rd_kafka_t *handle, *consumer;
    rd_kafka_mock_cluster_t *mock;
    char address[600], bootstrap[500];
    char *text; // what was consumed, "body key id\n"
} cluster;

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
}

static void all_brokers(cluster *c, bool up) {
    for (int i = 1; i <= BROKERS; i++)
        up ? rd_kafka_mock_broker_set_up(c->mock, i) : rd_kafka_mock_broker_set_down(c->mock, i);
}

static void begin_consuming(cluster *c) {
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", c->bootstrap, why, sizeof why);
    rd_kafka_conf_set(conf, "group.id", "test", why, sizeof why);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof why);
    rd_kafka_conf_set_log_cb(conf, NULL);
    c->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, "records", i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(c->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
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

// All partitions to their ends. All messages have one key: they lie in one partition, in order.
static void consume(cluster *c) {
    int ends = 0, partition = -1;
    size_t n = 0;
    begin_consuming(c);
    for (double end = publisher_seconds() + 20; ends < PARTITIONS && publisher_seconds() < end;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->consumer, 200);
        if (m && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ends++;
        if (m && !m->err) {
            CHECK(partition < 0 || partition == m->partition);
            partition = m->partition;
            n += note(m, c->text + n, ROOM - n);
        }
        if (m)
            rd_kafka_message_destroy(m);
    }
    CHECK_EQUAL(ends, PARTITIONS);
}

static void cluster_finish(cluster *c) {
    if (c->consumer) {
        rd_kafka_consumer_close(c->consumer);
        rd_kafka_destroy(c->consumer);
    }
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
    consume(&c);
    CHECK_EQUAL(publisher_check(c.text, 5000, false), 0);
    CHECK_CONTAINS(c.text, "key=gate id=gate/event/77 delivery=");
    CHECK_TEXT(publisher_told(), "");
    cluster_finish(&c);
}

// FOVEA_OUTAGE (seconds, default 3), all brokers, under load: everything comes, in order, once. The
// mock cluster keeps the last 5 MB, so a long outage has fewer messages a second.
static void an_outage_under_load(void) {
    int seconds = getenv("FOVEA_OUTAGE") ? atoi(getenv("FOVEA_OUTAGE")) : 3, n = 0;
    cluster c;
    cluster_init(&c);
    fv_target_params p = publisher_params(c.address);
    p.timeout_ns = 1000000000;
    p.linger_ns = 60000000000;
    fv_target *t = publisher_create(&p);
    publisher_add_slowly(t, 0, 500, 1000), n = 500;
    all_brokers(&c, false);
    for (double begun = publisher_seconds(); publisher_seconds() - begun < seconds; n += 10)
        publisher_add_slowly(t, n, n + 10, seconds > 10 ? 3000 : 1000);
    CHECK(fv_target_count(t).waiting > 100);
    all_brokers(&c, true);
    publisher_add_slowly(t, n, n + 500, 1000), n += 500;
    fv_target_finish(t);
    fv_target_counts counts = fv_target_count(t);
    CHECK(counts.lines == (uint64_t)n && !counts.lost && !counts.waiting);
    fv_target_destroy(&t);
    consume(&c);
    CHECK_EQUAL(publisher_check(c.text, n, false), 0); // never twice
    fprintf(stderr, "kafka: all brokers away for %d s: %d messages, none twice\n", seconds, n);
    CHECK_CONTAINS(publisher_told(), "records wait in the spool");
    CHECK_CONTAINS(publisher_told(), "takes records again after");
    CHECK(!strstr(publisher_told(), "!"));
    cluster_finish(&c);
}

// Requests that fail, leaders that change: nothing is lost, doubled or out of order. (That a broker
// drops what came twice the mock cluster cannot show; `settings` shows that the producer is
// idempotent.)
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
    consume(&c);
    CHECK_EQUAL(publisher_check(c.text, 1000, false), 0);
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
    consume(&c);
    CHECK_EQUAL(publisher_check(c.text, 120, false), 0);
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
    publisher_wait(t, 10);
    CHECK_EQUAL(fv_target_count(t).lost, 1);
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "refuses record large: Broker: Message size too large");
    consume(&c);
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
                                                         CASE(the_next_run_delivers),
                                                         CASE(too_large),
                                                         CASE(settings),
                                                         {0}}};
