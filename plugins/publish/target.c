#include "plugins/publish/target.h"

#include <stdlib.h>
#include <string.h>

#include "fovea-config.h"
#include "plugins/publish/delivery.h"
#include "plugins/publish/lines.h"

static const char *const mqtt_versions[] = {"3.1.1", "5", NULL};

const fv_option fv_target_options[] = {
    FV_OPTION_STRING(fv_target_params, to, "to", "-",
                     "a file, - for standard output, unix:/path, tcp://host:port, "
                     "mqtt(s)://user@host/topic, http(s)://host/path, kafka(s)://host,host/topic"),
    FV_OPTION_BOOL(fv_target_params, append, "append", false,
                   "go on at the end of a file that is there, instead of emptying it"),
    FV_OPTION_FLOAT(fv_target_params, rotate_size, "rotate-size", 0, 1e6, 0,
                    "MiB after which a file is put aside as FILE.1 and begun anew; 0: never"),
    FV_OPTION_TIME(fv_target_params, rotate_ns, "rotate-time", 0, 8760 * 3600e9, 0,
                   "after which a file is put aside and begun anew; 0: never"),
    FV_OPTION_INT(fv_target_params, keep, "keep", 0, 1000, 9,
                  "old files that stay: FILE.1 is the youngest"),
    FV_OPTION_STRING(fv_target_params, spool, "spool", "",
                     "folder where records wait for the network; unset: one in "
                     "~/.local/state/fovea/spool named after the element and the target"),
    FV_OPTION_FLOAT(fv_target_params, spool_max, "spool-max", 0.01, 1e6, 64,
                    "MiB of records that wait; when it is full the oldest are dropped and counted"),
    FV_OPTION_TIME(fv_target_params, sync_ns, "spool-sync", 0, 3600e9, 1e9,
                   "how much a loss of power may cost; the end of the process costs nothing"),
    FV_OPTION_TIME(fv_target_params, linger_ns, "linger", 0, 3600e9, 5e9,
                   "how long the end waits while nothing is taken; what is left of the network's "
                   "waits in the spool"),
    FV_OPTION_TIME(fv_target_params, retry_ns, "retry-max", 100e6, 3600e9, 30e9,
                   "longest time between two attempts"),
    FV_OPTION_TIME(fv_target_params, timeout_ns, "timeout", 100e6, 3600e9, 10e9,
                   "without an answer after which an attempt has failed"),
    FV_OPTION_STRING(fv_target_params, password_env, "password-env", "",
                     "environment variable with the password (webhook without user: bearer token)"),
    FV_OPTION_STRING(fv_target_params, password_file, "password-file", "",
                     "file whose first line is the password"),
    FV_OPTION_STRING(fv_target_params, tls_ca, "tls-ca", "",
                     "PEM file of the authorities that are trusted; unset: those of the system"),
    FV_OPTION_STRING(fv_target_params, tls_cert, "tls-cert", "", "PEM file of our certificate"),
    FV_OPTION_STRING(fv_target_params, tls_key, "tls-key", "", "PEM file of its key"),
    FV_OPTION_BOOL(fv_target_params, tls_insecure, "tls-insecure", false,
                   "take any certificate: whoever sits on the way can read and change records"),
    FV_OPTION_ENUM(fv_target_params, mqtt_version, "mqtt-version", mqtt_versions, FV_MQTT_311,
                   "of the protocol"),
    FV_OPTION_INT(fv_target_params, qos, "qos", 0, 1, 1,
                  "of MQTT: 1 waits for receipts; 0 loses what is on its way in an outage"),
    FV_OPTION_STRING(fv_target_params, client_id, "client-id", "",
                     "of MQTT and Kafka; unset: one that is unique"),
    FV_OPTION_STRING(fv_target_params, status_topic, "status-topic", "",
                     "of MQTT, retained: online, offline also when this process dies; unset: "
                     "TOPIC/ELEMENT/status (frigate: TOPIC/available)"),
    FV_OPTION_STRING(fv_target_params, hmac_env, "hmac-env", "",
                     "environment variable with the key that signs what a webhook gets"),
    FV_OPTION_STRING(fv_target_params, hmac_file, "hmac-file", "",
                     "file whose first line is that key"),
    FV_OPTION_STRING(fv_target_params, kafka_options, "kafka-options", "",
                     "more settings of librdkafka: compression.type=lz4,linger.ms=20"),
    {0},
};

#define BIT(kind) (1u << (kind))
enum {
    FILES = BIT(FV_TO_FILE),
    SECURE = BIT(FV_TO_MQTT) | BIT(FV_TO_HTTP) | BIT(FV_TO_KAFKA),
    NETWORK = SECURE | BIT(FV_TO_UNIX) | BIT(FV_TO_TCP),
};

// Which targets have an option; what is not here all have.
static const struct {
    const char *name;
    unsigned kinds;
    const char *of;
} belongs[] = {
    {"append", FILES, "a file"},
    {"rotate-size", FILES, "a file"},
    {"rotate-time", FILES, "a file"},
    {"keep", FILES, "a file"},
    {"spool", NETWORK, "a target on the network"},
    {"spool-max", NETWORK, "a target on the network"},
    {"spool-sync", NETWORK, "a target on the network"},
    {"retry-max", NETWORK, "a target on the network"},
    {"timeout", NETWORK, "a target on the network"},
    {"password-env", SECURE, "mqtt, webhook and kafka"},
    {"password-file", SECURE, "mqtt, webhook and kafka"},
    {"tls-ca", SECURE, "mqtt, webhook and kafka"},
    {"tls-cert", SECURE, "mqtt, webhook and kafka"},
    {"tls-key", SECURE, "mqtt, webhook and kafka"},
    {"tls-insecure", SECURE, "mqtt, webhook and kafka"},
    {"mqtt-version", BIT(FV_TO_MQTT), "mqtt"},
    {"qos", BIT(FV_TO_MQTT), "mqtt"},
    {"client-id", BIT(FV_TO_MQTT) | BIT(FV_TO_KAFKA), "mqtt and kafka"},
    {"status-topic", BIT(FV_TO_MQTT), "mqtt"},
    {"hmac-env", BIT(FV_TO_HTTP), "a webhook"},
    {"hmac-file", BIT(FV_TO_HTTP), "a webhook"},
    {"kafka-options", BIT(FV_TO_KAFKA), "kafka"},
};

static const fv_link_row *const links[FV_N_TO] = {
    [FV_TO_UNIX] = &fv_link_socket,
    [FV_TO_TCP] = &fv_link_socket,
#if FV_WITH_MQTT
    [FV_TO_MQTT] = &fv_link_mqtt,
#endif
#if FV_WITH_WEBHOOK
    [FV_TO_HTTP] = &fv_link_webhook,
#endif
#if FV_WITH_KAFKA
    [FV_TO_KAFKA] = &fv_link_kafka,
#endif
};

struct fv_target {
    fv_lines *lines; // one of both
    fv_delivery *delivery;
};

// ---- options ------------------------------------------------------------------------------------

static size_t size_of(const fv_option *o) {
    static const size_t sizes[] = {[FV_OPT_INT] = sizeof(int),
                                   [FV_OPT_FLOAT] = sizeof(float),
                                   [FV_OPT_BOOL] = sizeof(bool),
                                   [FV_OPT_ENUM] = sizeof(int),
                                   [FV_OPT_TIME] = sizeof(int64_t)};
    return sizes[o->type];
}

static bool is_default(const fv_target_params *p, const fv_option *o) {
    fv_target_params defaults = {0};
    fv_options_default(&defaults, fv_target_options);
    const char *a = (const char *)p + o->offset, *b = (const char *)&defaults + o->offset;
    if (o->type != FV_OPT_STRING)
        return !memcmp(a, b, size_of(o));
    const char *text = *(const char *const *)a;
    return !text || !*text;
}

static bool check_options(const fv_target_params *p, const fv_address *a, fv_err *err) {
    bool secure = a->tls || a->kind != FV_TO_MQTT;
    for (size_t i = 0; i < sizeof belongs / sizeof belongs[0]; i++)
        if (!(belongs[i].kinds & BIT(a->kind)) &&
            !is_default(p, fv_option_find(fv_target_options, belongs[i].name)))
            return fv_fail(err, FV_BAD_INPUT, "%s: `%s` is for %s; leave it out", p->to,
                           belongs[i].name, belongs[i].of);
    bool any_tls = (p->tls_ca && *p->tls_ca) || (p->tls_cert && *p->tls_cert) || p->tls_insecure;
    return secure || !any_tls ||
           fv_fail(err, FV_BAD_INPUT, "%s: TLS is asked for with mqtts://", p->to);
}

// ---- the target ---------------------------------------------------------------------------------

fv_target *fv_target_create(const fv_target_params *p, const fv_target_setup *setup, fv_err *err) {
    fv_address a;
    if (!p->to || !*p->to) {
        fv_fail(err, FV_BAD_INPUT,
                "`to` is empty; give a file, - for standard output, or an address");
        return NULL;
    }
    if (!fv_address_parse(&a, p->to, err) || !check_options(p, &a, err))
        return NULL;
    fv_target *t = calloc(1, sizeof *t);
    if (links[a.kind])
        t->delivery = fv_delivery_create(links[a.kind], &a, p, setup, err);
    else
        t->lines = fv_lines_create(&a, p, setup, err);
    if (!t->delivery && !t->lines)
        fv_target_destroy(&t);
    return t;
}

void fv_target_add(fv_target *t, const fv_message *message) {
    if (t->lines)
        fv_lines_add(t->lines, message);
    else
        fv_delivery_add(t->delivery, message);
}

void fv_target_finish(fv_target *t) {
    if (t->lines)
        fv_lines_finish(t->lines);
    else
        fv_delivery_finish(t->delivery);
}

fv_target_counts fv_target_count(fv_target *t) {
    return t->lines ? fv_lines_count(t->lines) : fv_delivery_count(t->delivery);
}

void fv_target_destroy(fv_target **t) {
    if (!t || !*t)
        return;
    fv_lines_destroy(&(*t)->lines);
    fv_delivery_destroy(&(*t)->delivery);
    free(*t);
    *t = NULL;
}
