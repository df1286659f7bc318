#define _GNU_SOURCE
// plugins/publish/link_mqtt against mosquitto on loopback: outages, TLS, passwords, the will.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/publish/publisher.h"

typedef struct {
    int port, pid, subscriber;
    char folder[1024], address[200], received[1200];
} broker;

static bool has_mosquitto(void) {
    bool there = !fv_test_shell("PATH=$PATH:/usr/sbin; command -v mosquitto && command -v mosquitto_sub", NULL, 0);
    if (!there)
        fv_test_skip("mosquitto and mosquitto-clients are not installed");
    return there;
}

// `more`: lines of its configuration.
static void broker_init(broker *b, const char *more) {
    char path[1100], name[32];
    static int n;
    *b = (broker){.port = publisher_free_port()};
    snprintf(name, sizeof name, "mqtt-%d", n++);
    snprintf(b->folder, sizeof b->folder, "%s", fv_test_tmp(name));
    snprintf(b->address, sizeof b->address, "mqtt://localhost:%d/site", b->port);
    snprintf(path, sizeof path, "%s/conf", b->folder);
    FILE *f = fopen(path, "w");
    // What the subscriber has not got yet outlives the broker, too.
    fprintf(f, "listener %d\nuser root\npersistence true\npersistence_location %s/\n"
               "max_queued_messages 0\nmax_inflight_messages 0\nlog_type error\nlog_type subscribe\n%s\n",
            b->port, b->folder, more);
    fclose(f);
}

static void broker_start(broker *b) {
    char command[2400];
    snprintf(command, sizeof command,
             "env PATH=$PATH:/usr/sbin mosquitto -c %s/conf >>%s/log 2>&1", b->folder, b->folder);
    b->pid = publisher_start(command);
    snprintf(command, sizeof command,
             "for i in $(seq 600); do bash -c '</dev/tcp/localhost/%d' 2>/dev/null && exit 0; sleep 0.05; done; cat %s/log; exit 1",
             b->port, b->folder);
    char output[4000];
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_TEXT(output, "");
}

static void broker_kill(broker *b) {
    publisher_kill(b->pid, SIGTERM); // writes what subscribers wait for
}

// How often somebody has subscribed, as the broker's log has it.
static int count_subscriptions(const broker *b) {
    char command[1200], output[100];
    snprintf(command, sizeof command, "grep -c ' 1 #$' %s/log", b->folder);
    fv_test_shell(command, output, sizeof output);
    return atoi(output);
}

// Everything, a line each: "topic payload". Returns when the broker knows.
static void subscribe(broker *b, const char *options) {
    char command[4000];
    static int n;
    int before = count_subscriptions(b);
    snprintf(b->received, sizeof b->received, "%s/received-%d", b->folder, n++);
    snprintf(command, sizeof command,
             "mosquitto_sub -h localhost -p %d -t '#' -q 1 -i sub -c -F '%%t %%r %%p %%P' %s >%s 2>%s.err",
             b->port, options, b->received, b->received);
    b->subscriber = publisher_start(command);
    for (int i = 0; i < 1200 && count_subscriptions(b) == before; i++)
        usleep(50000);
    CHECK_EQUAL(count_subscriptions(b), before + 1);
}

// What has been received, once it has `part` in it or after a minute.
static char *received(broker *b, const char *part) {
    char *text = NULL;
    for (int i = 0; i < 1200; i++) {
        free(text);
        text = fv_test_read(b->received);
        if (text && strstr(text, part))
            return text;
        usleep(50000);
    }
    CHECK_CONTAINS(text, part);
    return text;
}

static void broker_finish(broker *b) {
    if (b->subscriber)
        publisher_kill(b->subscriber, SIGKILL);
    if (b->pid)
        broker_kill(b);
}

static void delivers(int version) {
    if (!has_mosquitto())
        return;
    broker b;
    broker_init(&b, "allow_anonymous true");
    broker_start(&b);
    subscribe(&b, version == FV_MQTT_5 ? "-V 5" : "");
    fv_target_params p = publisher_params(b.address);
    p.mqtt_version = version;
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 1000);
    CHECK(publisher_wait(t));
    CHECK_EQUAL(fv_target_count(t).lines, 1000);
    fv_target_destroy(&t);
    char *text = received(&b, "status 0 offline");
    CHECK_EQUAL(publisher_check(text, 1000, false), 0);
    CHECK_CONTAINS(text, "site/gate-publish-0/status 0 online");
    CHECK_CONTAINS(text, "site/gate/events 0 {\"n\":0,");
    CHECK(strstr(text, "status 0 offline") > strstr(text, "{\"n\":999,"));
    if (version == FV_MQTT_5) {
        CHECK_CONTAINS(text, "id:gate/event/7 ");
        CHECK_CONTAINS(text, "delivery:");
    }
    CHECK_TEXT(publisher_told(), "");
    free(text);
    broker_finish(&b);
}

static void delivers_311(void) {
    delivers(FV_MQTT_311);
}

static void delivers_5(void) {
    delivers(FV_MQTT_5);
}

static void qos_0(void) {
    if (!has_mosquitto())
        return;
    broker b;
    broker_init(&b, "allow_anonymous true");
    broker_start(&b);
    subscribe(&b, "");
    fv_target_params p = publisher_params(b.address);
    p.qos = 0;
    p.status_topic = "there/now";
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 100);
    fv_target_destroy(&t);
    char *text = received(&b, "there/now 0 offline");
    CHECK_EQUAL(publisher_check(text, 100, false), 0);
    free(text);
    broker_finish(&b);
}

// A record that can never be published is counted, and holds up nobody.
static void a_topic_that_is_none(void) {
    if (!has_mosquitto())
        return;
    broker b;
    broker_init(&b, "allow_anonymous true");
    broker_start(&b);
    subscribe(&b, "");
    fv_target_params p = publisher_params(b.address);
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 5);
    fv_target_add(t, &(fv_message){.topic = "a/+/b", .key = "gate", .id = "odd", .body = "x", .size = 1,
                                   .line = "x", .line_size = 1});
    publisher_add(t, 5, 10);
    CHECK(publisher_wait(t));
    fv_target_counts c = fv_target_count(t);
    CHECK(c.lost == 1 && c.lines == 10);
    fv_target_destroy(&t);
    char *text = received(&b, "status 0 offline");
    CHECK_EQUAL(publisher_check(text, 10, false), 0);
    CHECK_CONTAINS(publisher_told(), "refuses record odd: Invalid function arguments provided");
    free(text);
    broker_finish(&b);
}

// FOVEA_OUTAGE (seconds, default 2) under load: everything comes, in order, at least once, and whoever
// looks at the status topic knows that we are there again.
static void an_outage(broker *b, fv_target_params *p, const char *name) {
    int seconds = getenv("FOVEA_OUTAGE") ? atoi(getenv("FOVEA_OUTAGE")) : 2, n = 0;
    p->retry_ns = 1000000000;
    fv_target *t = publisher_create(p);
    publisher_add_slowly(t, n, n + 500, 1000), n += 500;
    broker_kill(b);
    n = publisher_add_for(t, n, seconds);
    CHECK_EQUAL(fv_target_count(t).waiting > 100, 1);
    broker_start(b);
    publisher_add_slowly(t, n, n + 500, 1000), n += 500;
    CHECK(publisher_wait(t));
    fv_target_counts c = fv_target_count(t);
    CHECK(c.lines == (uint64_t)n && !c.lost);
    fv_target_destroy(&t);
    char last[32];
    snprintf(last, sizeof last, "{\"n\":%d,", n - 1);
    char *text = received(b, last);
    int extra = publisher_check(text, n, true);
    fprintf(stderr, "%s: broker away for %d s: %d messages, %d twice\n", name, seconds, n, extra);
    CHECK(strstr(strstr(text, "{\"n\":450,"), "status 0 online") != NULL); // for the second time
    CHECK_CONTAINS(publisher_told(), "records wait in the spool");
    CHECK_CONTAINS(publisher_told(), "takes records again after");
    CHECK(!strstr(publisher_told(), "!"));
    free(text);
}

static void an_outage_under_load(void) {
    if (!has_mosquitto())
        return;
    broker b;
    broker_init(&b, "allow_anonymous true");
    broker_start(&b);
    subscribe(&b, "");
    fv_target_params p = publisher_params(b.address);
    an_outage(&b, &p, "mqtt 3.1.1");
    broker_finish(&b);
}

// A publisher that is killed: the broker tells for it.
static void the_will(void) {
    if (!has_mosquitto())
        return;
    broker b;
    broker_init(&b, "allow_anonymous true");
    broker_start(&b);
    subscribe(&b, "");
    fv_target_params p = publisher_params(b.address);
    pid_t child = fork();
    if (!child) {
        fv_target *t = publisher_create(&p);
        publisher_add(t, 0, 3);
        publisher_wait(t);
        pause();
    }
    char *text = received(&b, "{\"n\":2,");
    CHECK_CONTAINS(text, "status 0 online");
    CHECK(!strstr(text, "offline"));
    free(text);
    publisher_kill(child, SIGKILL);
    text = received(&b, "status 0 offline");
    free(text);
    publisher_kill(b.subscriber, SIGKILL);
    subscribe(&b, ""); // who comes later is told, too: retained
    fv_test_shell("true", NULL, 0);
    b.subscriber = (publisher_kill(b.subscriber, SIGKILL), 0);
    subscribe(&b, "-i late -c");
    free(received(&b, "status 1 offline"));
    broker_finish(&b);
}

// ---- TLS and passwords --------------------------------------------------------------------------

// An authority of our own, a certificate for localhost, one for a client, an authority of somebody
// else.
static void make_certificates(const char *folder) {
    char command[4000], output[4000];
    snprintf(command, sizeof command,
             "cd %s && export RANDFILE=$PWD/rnd && for ca in ca other; do "
             "openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -out $ca.pem -days 2 -subj /CN=$ca || exit 1; done\n"
             "for who in localhost client wrong; do "
             "openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj /CN=$who && "
             "printf 'subjectAltName=DNS:%%s\\n' $who > ext && "
             "openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $who.pem -days 2 -extfile ext || exit 1; done",
             folder);
    int code = fv_test_shell(command, output, sizeof output);
    CHECK_EQUAL(code, 0);
    if (code)
        fputs(output, stderr);
}

static void an_outage_of_5_with_tls(void) {
    if (!has_mosquitto())
        return;
    static char ca[1100], address[100];
    const char *d = fv_test_tmp("mqtt-outage");
    broker b;
    char more[4000], options[1200];
    snprintf(ca, sizeof ca, "%s/ca.pem", d);
    snprintf(more, sizeof more, "allow_anonymous true\ncertfile %s/localhost.pem\nkeyfile %s/localhost.key", d, d);
    make_certificates(d);
    broker_init(&b, more);
    broker_start(&b);
    snprintf(options, sizeof options, "-V 5 --cafile %s", ca);
    subscribe(&b, options);
    snprintf(address, sizeof address, "mqtts://localhost:%d/site", b.port);
    fv_target_params p = publisher_params(address);
    p.mqtt_version = FV_MQTT_5;
    p.tls_ca = ca;
    an_outage(&b, &p, "mqtt 5 with TLS");
    broker_finish(&b);
}

static void tls(void) {
    if (!has_mosquitto())
        return;
    static char ca[1100], cert[1100], key[1100], other[1100], address[100];
    broker b;
    char more[4000];
    const char *d = fv_test_tmp("mqtt");
    snprintf(more, sizeof more,
             "allow_anonymous true\ncafile %s/ca.pem\ncertfile %s/localhost.pem\nkeyfile %s/localhost.key\n"
             "require_certificate true\n", d, d, d);
    snprintf(ca, sizeof ca, "%s/ca.pem", d);
    snprintf(other, sizeof other, "%s/other.pem", d);
    snprintf(cert, sizeof cert, "%s/client.pem", d);
    snprintf(key, sizeof key, "%s/client.key", d);
    make_certificates(d);
    broker_init(&b, more);
    broker_start(&b);
    char options[3600];
    snprintf(options, sizeof options, "--cafile %s --cert %s --key %s", ca, cert, key);
    subscribe(&b, options);
    snprintf(address, sizeof address, "mqtts://localhost:%d/site", b.port);
    fv_target_params p = publisher_params(address);
    p.tls_ca = ca, p.tls_cert = cert, p.tls_key = key;
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 300);
    CHECK(publisher_wait(t));
    broker_kill(&b); // and TLS again after an outage
    publisher_add(t, 300, 400);
    publisher_wait_told("records wait in the spool");
    broker_start(&b);
    CHECK(publisher_wait(t));
    fv_target_destroy(&t);
    char *text = received(&b, "{\"n\":399,");
    publisher_check(text, 400, true);
    free(text);
    p = publisher_params(address); // an authority that did not sign it
    p.linger_ns = 0;
    p.tls_ca = other, p.tls_cert = cert, p.tls_key = key;
    t = publisher_create(&p);
    publisher_add(t, 0, 1);
    publisher_wait_told("TLS");
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "! mqtts://localhost");
    CHECK_CONTAINS(publisher_told(), "1 records wait in the spool");
    snprintf(address, sizeof address, "mqtts://127.0.0.1:%d/site", b.port); // not its name
    p.tls_ca = ca;
    t = publisher_create(&p);
    publisher_wait_told("TLS");
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "1 records wait in the spool");
    p.tls_insecure = true; // asked for: any certificate will do
    p.linger_ns = 30000000000;
    t = publisher_create(&p);
    fv_target_destroy(&t);
    CHECK_TEXT(publisher_told(), "");
    p.tls_key = "";
    publisher_refuses(&p, "tls-cert and tls-key belong together");
    p = publisher_params(address);
    p.tls_ca = "/nowhere/ca.pem";
    publisher_refuses(&p, "tls-ca: /nowhere/ca.pem: No such file or directory");
    p = publisher_params("mqtt://localhost/x");
    p.tls_ca = ca;
    publisher_refuses(&p, "TLS is asked for with mqtts://");
    broker_finish(&b);
}

static void passwords(void) {
    if (!has_mosquitto())
        return;
    static char address[100], file[1100];
    broker b;
    char more[1200], command[3000];
    const char *d = fv_test_tmp("mqtt");
    snprintf(command, sizeof command, "cd %s && touch pw && chmod 600 pw && mosquitto_passwd -b pw me 'sec ret' && printf 'sec ret\\n' > secret",
             d);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    snprintf(more, sizeof more, "allow_anonymous false\npassword_file %s/pw\n", d);
    broker_init(&b, more);
    broker_start(&b);
    subscribe(&b, "-u me -P 'sec ret'");
    snprintf(address, sizeof address, "mqtt://me@localhost:%d/site", b.port);
    snprintf(file, sizeof file, "%s/secret", d);
    for (int version = FV_MQTT_311; version <= FV_MQTT_5; version++) {
        fv_target_params p = publisher_params(address);
        p.mqtt_version = version;
        p.linger_ns = 0;
        setenv("FOVEA_TEST_PASSWORD", "wrong", 1);
        p.password_env = "FOVEA_TEST_PASSWORD";
        fv_target *t = publisher_create(&p);
        publisher_add(t, 0, 5);
        publisher_wait_told("refuses the connection: ");
        fv_target_destroy(&t);
        CHECK_CONTAINS(publisher_told(), "! mqtt://localhost");
        CHECK(!strstr(publisher_told(), "wrong"));
        p.password_env = "";
        p.password_file = file; // put right: what waited goes
        p.linger_ns = 30000000000;
        t = publisher_create(&p);
        fv_target_destroy(&t);
        CHECK_TEXT(publisher_told(), "");
        p.password_env = "FOVEA_TEST_PASSWORD";
        publisher_refuses(&p, "are both given");
        p.password_file = "";
        unsetenv("FOVEA_TEST_PASSWORD");
        publisher_refuses(&p, "password-env: the environment variable FOVEA_TEST_PASSWORD is not set");
    }
    char *text = received(&b, "status 0 offline");
    CHECK_CONTAINS(text, "{\"n\":4,");
    free(text);
    broker_finish(&b);
}

// A crash between two runs: the spool of the dead is delivered by its successor.
static void killed_and_started_again(void) {
    if (!has_mosquitto())
        return;
    broker b;
    broker_init(&b, "allow_anonymous true");
    broker_start(&b);
    subscribe(&b, "");
    fv_target_params p = publisher_params(b.address);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (!child) {
            fv_target *t = publisher_create(&p);
            publisher_add(t, 2000 * i, 2000 * i + 2000);
            kill(getpid(), SIGKILL);
        }
        int status;
        waitpid(child, &status, 0);
    }
    fv_target *t = publisher_create(&p);
    publisher_add(t, 6000, 6010);
    CHECK(publisher_wait(t));
    fv_target_destroy(&t);
    char *text = received(&b, "{\"n\":6009,");
    publisher_check(text, 6010, true);
    free(text);
    broker_finish(&b);
}

const fv_suite mqtt_suite = {"mqtt", (const fv_case[]){CASE(delivers_311),
                                                       CASE(delivers_5),
                                                       CASE(qos_0),
                                                       CASE(a_topic_that_is_none),
                                                       CASE(an_outage_under_load),
                                                       CASE(an_outage_of_5_with_tls),
                                                       CASE(the_will),
                                                       CASE(tls),
                                                       CASE(passwords),
                                                       CASE(killed_and_started_again),
                                                       {0}}};
