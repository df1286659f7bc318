// pipeline/desc/address: what `to` may say.
#include "pipeline/desc/address.h"
#include "fovea-config.h"
#include "tests/test.h"

static void well_formed(void) {
    static const struct {
        const char *text;
        fv_to kind;
        bool tls, built;
        const char *user, *host;
        int port;
        const char *path, *shown;
    } rows[] = {
        {"out/a.jsonl", FV_TO_FILE, 0, 1, "", "", 0, "out/a.jsonl", "out/a.jsonl"},
        {"./a:b", FV_TO_FILE, 0, 1, "", "", 0, "./a:b", "./a:b"},
        {"-", FV_TO_STDOUT, 0, 1, "", "", 0, "", "standard output"},
        {"unix:/run/f.sock", FV_TO_UNIX, 0, 1, "", "", 0, "/run/f.sock", "unix:/run/f.sock"},
        {"unix:///run/f.sock", FV_TO_UNIX, 0, 1, "", "", 0, "/run/f.sock", "unix:/run/f.sock"},
        {"tcp://localhost:9000", FV_TO_TCP, 0, 1, "", "localhost", 9000, "", "tcp://localhost:9000"},
        {"tcp://[::1]:9000", FV_TO_TCP, 0, 1, "", "::1", 9000, "", "tcp://[::1]:9000"},
        {"mqtt://broker", FV_TO_MQTT, 0, FV_WITH_MQTT, "", "broker", 1883, "", "mqtt://broker"},
        {"MQTTS://me@broker/a/b", FV_TO_MQTT, 1, FV_WITH_MQTT, "me", "broker", 8883, "a/b",
         "mqtts://broker"},
        {"mqtt://a@b@c:99/t", FV_TO_MQTT, 0, FV_WITH_MQTT, "a@b", "c", 99, "t", "mqtt://c:99"},
        {"https://h/services/T0/secret?x=1", FV_TO_HTTP, 1, FV_WITH_WEBHOOK, "", "h", 443,
         "services/T0/secret?x=1", "https://h"},
        {"http://[fe80::1]/p", FV_TO_HTTP, 0, FV_WITH_WEBHOOK, "", "fe80::1", 80, "p",
         "http://[fe80::1]"},
        {"kafka://a,b:1,[::1]/t.x", FV_TO_KAFKA, 0, FV_WITH_KAFKA, "", "a:9092,b:1,[::1]:9092", 0,
         "t.x", "kafka://a:9092,b:1,[::1]:9092"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fv_address a;
        fv_err err = {0};
        char shown[200];
        bool ok = fv_address_parse(&a, rows[i].text, &err);
        if (!rows[i].built) {
            CHECK(!ok && err.code == FV_UNSUPPORTED && strstr(err.text, "=enabled"));
            continue;
        }
        CHECK_OK(ok, err);
        CHECK(a.kind == rows[i].kind && a.tls == rows[i].tls && a.port == rows[i].port);
        CHECK_TEXT(a.user, rows[i].user);
        CHECK_TEXT(a.host, rows[i].host);
        CHECK_TEXT(a.path, rows[i].path);
        CHECK_TEXT(fv_address_show(&a, shown, sizeof shown), rows[i].shown);
    }
}

static void refused(void) {
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"mqt://b", "unknown target 'mqt:', did you mean 'mqtt:'; known"},
        {"ftp2gether://b", "known are unix, tcp, mqtt"},
        {"out:1", "begins with ./"},
        {"tcp:host:1", "write tcp://host"},
        {"tcp://host", "the port is missing; write host:PORT"},
        {"tcp://host:70000", "'70000' is no port"},
        {"tcp://host:", "'' is no port"},
        {"tcp://host:12x", "'12x' is no port"},
        {"tcp://:12", "is no host"},
        {"tcp://::1:12", "is no host"},
        {"tcp://[::1:12", "is no host"},
        {"tcp://[::1]x:12", "is no host"},
        {"tcp://a b:12", "is no host"},
        {"tcp://host:1/x", "nothing more"},
        {"unix:", "the path of the socket is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fv_address a;
        fv_err err;
        CHECK_FAILS(fv_address_parse(&a, rows[i].text, &err), err, rows[i].part);
    }
    fv_address a;
    fv_err err;
    char text[3000] = "unix:/";
    memset(text + 6, 'x', 120);
    CHECK_FAILS(fv_address_parse(&a, text, &err), err, "at most 107 bytes");
    memset(text + 6, 'x', sizeof text - 7);
    CHECK(!fv_address_parse(&a, text, &err) && !fv_address_parse(&a, text + 5, &err));
}

static void of_brokers(void) {
    fv_address a;
    fv_err err;
    if (FV_WITH_MQTT) {
        CHECK_FAILS(fv_address_parse(&a, "mqtt://b/a/+/c", &err), err, "has no + or #");
        CHECK_FAILS(fv_address_parse(&a, "mqtt://b/a/", &err), err, "does not end in /");
        CHECK_FAILS(fv_address_parse(&a, "mqtt://me:hunter2@b/a", &err), err, "`password-file`");
        CHECK(!strstr(err.text, "hunter2"));
    }
    if (FV_WITH_KAFKA) {
        CHECK_FAILS(fv_address_parse(&a, "kafka://b", &err), err, "write kafka://host:port/topic");
        CHECK_FAILS(fv_address_parse(&a, "kafka://b/a b", &err), err, "'a b' is no topic");
        CHECK_FAILS(fv_address_parse(&a, "kafka://b,,c/t", &err), err, "is no host");
        char text[3000] = "kafka://";
        for (int i = 0; i < 500; i++)
            strcat(text, "host,");
        CHECK_FAILS(fv_address_parse(&a, strcat(text, "b/t"), &err), err, "too long");
    }
}

const fv_suite address_suite = {
    "address", (const fv_case[]){CASE(well_formed), CASE(refused), CASE(of_brokers), {0}}};
