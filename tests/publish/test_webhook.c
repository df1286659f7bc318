#define _GNU_SOURCE
// plugins/publish/link_webhook against a server that is often unwell (webhook_server.py).
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/publish/publisher.h"

static char address[200], log_path[1100], key_path[1100], folder[1024];
static int port, server;

static void serve(const char *mode, const char *tls) {
    char command[4000];
    snprintf(command, sizeof command, "/usr/bin/python3 %s %d %s 'k e y' %s %s",
             fv_test_source("tests/publish/webhook_server.py"), port, log_path, mode, tls);
    server = publisher_start(command);
    snprintf(command, sizeof command,
             "for i in $(seq 200); do bash -c '</dev/tcp/127.0.0.1/%d' 2>/dev/null && exit 0; sleep 0.05; done; exit 1",
             port);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
}

static void go_away(void) {
    publisher_kill(server, SIGKILL);
}

static fv_target_params begin(const char *scheme, const char *user) {
    static int n;
    char name[32], command[2400];
    snprintf(name, sizeof name, "webhook-%d", n++);
    snprintf(folder, sizeof folder, "%s", fv_test_tmp(name));
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    snprintf(key_path, sizeof key_path, "%s/key", folder);
    snprintf(command, sizeof command, "echo 'k e y' > %s; : > %s", key_path, log_path);
    fv_test_shell(command, NULL, 0);
    port = publisher_free_port();
    snprintf(address, sizeof address, "%s://%s127.0.0.1:%d/hook?token=secret", scheme, user, port);
    fv_target_params p = publisher_params(address);
    p.hmac_file = key_path;
    return p;
}

static char *taken(void) {
    return fv_test_read(log_path);
}

static void signed_and_in_order(void) {
    fv_target_params p = begin("http", "");
    serve("well", "");
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 300);
    fv_target_destroy(&t);
    char *text = taken();
    CHECK_EQUAL(publisher_check(text, 300, false), 0);
    CHECK_CONTAINS(text, "id=gate/event/299 delivery=");
    CHECK_CONTAINS(text, "topic=gate/events");
    CHECK_CONTAINS(text, "auth=None");
    CHECK(!strstr(text, "bad signature"));
    CHECK_TEXT(publisher_told(), "");
    free(text);
    p.hmac_file = ""; // the server does not take what is not signed: 400 is final, and counted
    t = publisher_create(&p);
    publisher_add(t, 0, 2);
    publisher_wait(t);
    CHECK_EQUAL(fv_target_count(t).lost, 2);
    CHECK_EQUAL(fv_target_count(t).lines, 0);
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "refuses record gate/event/0: HTTP 400; it is lost");
    CHECK(!strstr(publisher_told(), "secret"));
    go_away();
}

// 500, 429, time-outs, resets before and after the record was taken.
static void an_unwell_server(void) {
    fv_target_params p = begin("http", "");
    p.timeout_ns = 1000000000;
    p.retry_ns = 100000000;
    p.linger_ns = 40000000000;
    serve("unwell", "");
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 60);
    fv_target_destroy(&t);
    char *text = taken();
    int extra = publisher_check(text, 60, true);
    CHECK(extra >= 2 && extra <= 20); // those whose receipt got lost, with the same delivery
    CHECK(!strstr(text, "bad signature"));
    char *twice = strstr(text, "delivery="), command[1300], output[100];
    CHECK(twice != NULL);
    snprintf(command, sizeof command, "grep -o 'delivery=[^ ]*' %s | sort -u | wc -l", log_path);
    fv_test_shell(command, output, sizeof output);
    CHECK_EQUAL(atoi(output), 60);
    CHECK(!strstr(publisher_told(), "!"));
    free(text);
    go_away();
}

static void away_for_a_while(void) {
    int seconds = getenv("FOVEA_OUTAGE") ? atoi(getenv("FOVEA_OUTAGE")) : 2, n = 0;
    fv_target_params p = begin("http", "");
    p.retry_ns = 1000000000;
    p.linger_ns = 60000000000;
    serve("well", "");
    fv_target *t = publisher_create(&p);
    publisher_add_slowly(t, 0, 100, 1000), n = 100;
    go_away();
    n = publisher_add_for(t, n, seconds);
    serve("well", "");
    publisher_add_slowly(t, n, n + 100, 1000), n += 100;
    fv_target_destroy(&t);
    char *text = taken();
    int extra = publisher_check(text, n, true);
    CHECK(!strstr(text, "bad signature"));
    fprintf(stderr, "webhook: server away for %d s: %d messages, %d twice\n", seconds, n, extra);
    CHECK(!strstr(publisher_told(), "!"));
    free(text);
    go_away();
}

static void picky(void) {
    fv_target_params p = begin("http", "");
    serve("picky", "");
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 100);
    publisher_wait(t);
    fv_target_counts c = fv_target_count(t);
    CHECK(c.lost == 10 && c.lines == 90 && c.waiting == 0);
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "! http://127.0.0.1");
    CHECK_CONTAINS(publisher_told(), "refuses record gate/event/3: HTTP 422");
    CHECK_CONTAINS(publisher_told(), "refused 10 records");
    go_away();
}

// What a person has to put right is told as such, and records wait.
static void put_right_by_people(void) {
    static const char *const codes[] = {"HTTP 401", "HTTP 404", "HTTP 302"};
    for (int i = 0; i < 3; i++) {
        fv_target_params p = begin("http", "");
        p.linger_ns = 0;
        serve(strchr(codes[i], ' ') + 1, "");
        fv_target *t = publisher_create(&p);
        publisher_add(t, 0, 2);
        publisher_wait_told(codes[i]);
        fv_target_destroy(&t);
        CHECK_CONTAINS(publisher_told(), "! http://127.0.0.1");
        CHECK_CONTAINS(publisher_told(), "2 records wait in the spool");
        char *text = taken();
        CHECK_TEXT(text, "");
        free(text);
        go_away();
    }
}

static void passwords(void) {
    setenv("FOVEA_TEST_PASSWORD", "open sesame", 1);
    fv_target_params p = begin("http", "ali@");
    p.password_env = "FOVEA_TEST_PASSWORD";
    serve("well", "");
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 1);
    fv_target_destroy(&t);
    go_away();
    char *text = taken();
    CHECK_CONTAINS(text, "auth=Basic YWxpOm9wZW4gc2VzYW1l\n"); // ali:open sesame
    free(text);
    p = begin("http", "");
    p.password_env = "FOVEA_TEST_PASSWORD";
    serve("well", "");
    t = publisher_create(&p);
    publisher_add(t, 0, 1);
    fv_target_destroy(&t);
    go_away();
    text = taken();
    CHECK_CONTAINS(text, "auth=Bearer open sesame\n");
    free(text);
    p.hmac_file = "/nowhere/key";
    publisher_refuses(&p, "hmac-file: /nowhere/key: No such file or directory");
}

static void tls(void) {
    static char ca[1100];
    char command[4000], certificate[2300];
    fv_target_params p = begin("https", "");
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=x "
             "-addext subjectAltName=IP:127.0.0.1 2>/dev/null", folder);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    snprintf(certificate, sizeof certificate, "%s/c.pem %s/k.pem", folder, folder);
    snprintf(ca, sizeof ca, "%s/c.pem", folder);
    serve("well", certificate);
    p.linger_ns = 0;
    fv_target *t = publisher_create(&p); // the system's authorities did not sign it
    publisher_add(t, 0, 5);
    publisher_wait_told("certificate");
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "! https://127.0.0.1");
    p.tls_ca = ca;
    p.linger_ns = 30000000000;
    t = publisher_create(&p);
    fv_target_destroy(&t);
    CHECK_TEXT(publisher_told(), "");
    char *text = taken();
    CHECK_EQUAL(publisher_check(text, 5, false), 0);
    free(text);
    go_away();
}

const fv_suite webhook_suite = {"webhook", (const fv_case[]){CASE(signed_and_in_order),
                                                             CASE(an_unwell_server),
                                                             CASE(away_for_a_while),
                                                             CASE(picky),
                                                             CASE(put_right_by_people),
                                                             CASE(passwords),
                                                             CASE(tls),
                                                             {0}}};
