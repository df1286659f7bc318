#define _GNU_SOURCE
// mqtt(s)://user@host:port/topic by libmosquitto, MQTT 3.1.1 or 5, driven from the delivery's
// thread.
//
// Each connection is a fresh client with a clean session: what has no receipt (QoS 1) comes again
// from the spool, in order. A receipt that was lost makes a duplicate; the letter's `delivery`
// (user property of MQTT 5) tells. Birth "online" and will "offline" are retained in the status
// topic.
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "plugins/publish/link.h"

enum { KEEPALIVE_S = 30, STEP_MS = 50, GOODBYE_MS = 1000 };

typedef enum { APART, CALLING, CONNECTED, REFUSED, BROKEN } phase;

typedef struct {
    fv_link_setup setup;
    char id[64], password[512];
    struct mosquitto *client; // NULL: apart
    phase phase;
    int code;                 // why it is refused or broken

    int mids[FV_LINK_BATCH], n_sent; // of the batch
    bool settled[FV_LINK_BATCH];
    int answers[FV_LINK_BATCH];      // reason codes; below 0: the library's error, it never left
} mqtt_link;

static bool is_v5(const mqtt_link *l) {
    return l->setup.params->mqtt_version == FV_MQTT_5;
}

static const char *text_or_null(const char *text) {
    return text && *text ? text : NULL;
}

// ---- callbacks: all within mosquitto_loop, in our thread ----------------------------------------

static void on_connect(struct mosquitto *client, void *user, int code) {
    (void)client;
    mqtt_link *l = user;
    l->code = code;
    l->phase = code ? REFUSED : CONNECTED;
}

static void on_disconnect(struct mosquitto *client, void *user, int code) {
    (void)client;
    mqtt_link *l = user;
    if (l->phase != REFUSED) {
        l->phase = BROKEN;
        l->code = code;
    }
}

static void on_publish(struct mosquitto *client, void *user, int mid, int answer,
                       const mosquitto_property *properties) {
    (void)client, (void)properties;
    mqtt_link *l = user;
    for (int i = 0; i < l->n_sent; i++) {
        if (l->mids[i] != mid || l->settled[i])
            continue;
        l->settled[i] = true;
        l->answers[i] = answer;
        return;
    }
}

// ---- opening ------------------------------------------------------------------------------------

static bool read_files(const fv_target_params *p, char *password, size_t size, fv_err *err) {
    if (!fv_link_secret(password, size, "password", p->password_env, p->password_file, err))
        return false;
    if (!text_or_null(p->tls_cert) != !text_or_null(p->tls_key))
        return fv_fail(err, FV_BAD_INPUT, "tls-cert and tls-key belong together; give both");
    return fv_link_file("tls-ca", p->tls_ca, err) && fv_link_file("tls-cert", p->tls_cert, err) &&
           fv_link_file("tls-key", p->tls_key, err);
}

static void choose_id(mqtt_link *l) {
    unsigned char random[6] = {0};
    const char *given = text_or_null(l->setup.params->client_id);
    if (getrandom(random, sizeof random, 0) < 0)
        random[0] = (unsigned char)errno;
    if (given)
        snprintf(l->id, sizeof l->id, "%s", given);
    else
        snprintf(l->id, sizeof l->id, "fovea-%02x%02x%02x%02x%02x%02x", random[0], random[1],
                 random[2], random[3], random[4], random[5]);
}

static void *open_link(const fv_link_setup *setup, fv_err *err) {
    mqtt_link *l = calloc(1, sizeof *l);
    l->setup = *setup;
    choose_id(l);
    if (!read_files(setup->params, l->password, sizeof l->password, err)) {
        free(l);
        return NULL;
    }
    mosquitto_lib_init();
    return l;
}

// ---- the connection -----------------------------------------------------------------------------

static void part(mqtt_link *l) {
    if (l->client)
        mosquitto_destroy(l->client);
    l->client = NULL;
    l->phase = APART;
}

// The library's sentences end with a full stop, ours go on.
static bool fail_with(fv_link_fault *fault, fv_code code, const char *what, int error) {
    const char *why = error == MOSQ_ERR_ERRNO ? strerror(errno)
                      : error == MOSQ_ERR_EAI ? "no such host"
                                              : mosquitto_strerror(error);
    return fv_fail(&fault->err, code, "%s: %.*s", what, (int)strcspn(why, "."), why);
}

static bool fail_tls(fv_link_fault *fault) {
    return fv_fail(&fault->err, FV_BAD_INPUT, "TLS failed: is it a TLS port, is the certificate "
                   "trusted (tls-ca), and made for this host?");
}

static bool set_tls(mqtt_link *l, fv_link_fault *fault) {
    const fv_target_params *p = l->setup.params;
    if (!l->setup.address->tls)
        return true;
    const char *ca = text_or_null(p->tls_ca);
    if (!ca)
        mosquitto_int_option(l->client, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    int error = mosquitto_tls_set(l->client, ca, ca ? NULL : "/etc/ssl/certs",
                                  text_or_null(p->tls_cert), text_or_null(p->tls_key), NULL);
    if (!error)
        error = mosquitto_tls_insecure_set(l->client, p->tls_insecure);
    if (!error && p->tls_insecure)
        error = mosquitto_tls_opts_set(l->client, 0, NULL, NULL);
    return !error || fail_with(fault, FV_BAD_INPUT, "TLS cannot be set up", error);
}

static bool make_client(mqtt_link *l, fv_link_fault *fault) {
    const fv_link_setup *s = &l->setup;
    if (!(l->client = mosquitto_new(l->id, true, l)))
        return fail_with(fault, FV_MEMORY, "no client", MOSQ_ERR_ERRNO);
    mosquitto_int_option(l->client, MOSQ_OPT_PROTOCOL_VERSION,
                         is_v5(l) ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    mosquitto_int_option(l->client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set(l->client, on_connect);
    mosquitto_disconnect_callback_set(l->client, on_disconnect);
    mosquitto_publish_v5_callback_set(l->client, on_publish);
    int error = mosquitto_will_set(l->client, s->status_topic, 7, "offline", s->params->qos, true);
    if (!error && (*s->address->user || *l->password))
        error = mosquitto_username_pw_set(l->client, s->address->user, text_or_null(l->password));
    if (error)
        return fail_with(fault, FV_BAD_INPUT, "`status-topic` or user", error);
    return set_tls(l, fault);
}

// One round of the library; false when the connection is gone.
static bool step(mqtt_link *l, int wait_ms, fv_link_fault *fault) {
    int error = mosquitto_loop(l->client, wait_ms, 1);
    if (l->phase == REFUSED) // of a wrong password the broker tells, then it hangs up
        return fv_fail(&fault->err, FV_BAD_INPUT, "refuses the connection: %s",
                       is_v5(l) ? mosquitto_reason_string(l->code)
                                : mosquitto_connack_string(l->code));
    if (error == MOSQ_ERR_TLS)
        return fail_tls(fault);
    if (error || l->phase == BROKEN)
        return fail_with(fault, FV_IO, "connection lost", error ? error : l->code);
    return true;
}

// libmosquitto 2.0.11 does not notice that a TLS connection was refused before it began.
static bool is_open(const mqtt_link *l, fv_link_fault *fault) {
    struct pollfd p = {.fd = mosquitto_socket(l->client), .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    if (p.fd < 0 || poll(&p, 1, 0) <= 0 || !(p.revents & (POLLERR | POLLHUP)))
        return true;
    getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return fv_fail(&fault->err, FV_IO, "cannot be reached: %s",
                   error ? strerror(error) : "the connection was refused or closed");
}

static bool call(mqtt_link *l, fv_link_fault *fault) {
    const fv_address *a = l->setup.address;
    int64_t deadline = fv_link_now_ns() + l->setup.params->timeout_ns;
    if (l->phase == CONNECTED)
        return true;
    part(l);
    if (!make_client(l, fault))
        return false;
    l->phase = CALLING;
    int error = mosquitto_connect_async(l->client, a->host, a->port, KEEPALIVE_S);
    if (error)
        return error == MOSQ_ERR_TLS ? fail_tls(fault)
                                     : fail_with(fault, FV_IO, "cannot be reached", error);
    while (l->phase != CONNECTED) {
        if (!step(l, STEP_MS, fault) || (l->phase == CALLING && !is_open(l, fault)))
            return false;
        if (*l->setup.stop || fv_link_now_ns() > deadline)
            return fv_fail(&fault->err, FV_IO, "does not answer");
    }
    mosquitto_publish(l->client, NULL, l->setup.status_topic, 6, "online", l->setup.params->qos,
                      true);
    return true;
}

// ---- letters ------------------------------------------------------------------------------------

static mosquitto_property *properties_of(const mqtt_link *l, const fv_letter *letter) {
    mosquitto_property *p = NULL;
    if (!is_v5(l))
        return NULL;
    mosquitto_property_add_string(&p, MQTT_PROP_CONTENT_TYPE, letter->mime);
    mosquitto_property_add_string_pair(&p, MQTT_PROP_USER_PROPERTY, "id", letter->id);
    mosquitto_property_add_string_pair(&p, MQTT_PROP_USER_PROPERTY, "delivery", letter->delivery);
    return p;
}

static bool is_hopeless(int error) {
    return error == MOSQ_ERR_INVAL || error == MOSQ_ERR_PAYLOAD_SIZE ||
           error == MOSQ_ERR_MALFORMED_UTF8 || error == MOSQ_ERR_OVERSIZE_PACKET ||
           error == MOSQ_ERR_RETAIN_NOT_SUPPORTED;
}

// False: the connection is gone.
static bool publish(mqtt_link *l, const fv_letter *letter, fv_link_fault *fault) {
    char topic[1600];
    const char *base = l->setup.address->path;
    int i = l->n_sent++;
    l->settled[i] = false;
    l->answers[i] = 0;
    snprintf(topic, sizeof topic, "%s%s%s", base, *base ? "/" : "", letter->topic);
    mosquitto_property *properties = properties_of(l, letter);
    int error = mosquitto_publish_v5(l->client, &l->mids[i], topic, (int)letter->size, letter->body,
                                     l->setup.params->qos, letter->retain, properties);
    mosquitto_property_free_all(&properties);
    if (!is_hopeless(error))
        return !error || fail_with(fault, FV_IO, "connection lost", error);
    l->mids[i] = 0;
    l->settled[i] = true;
    l->answers[i] = -error;
    return true;
}

// MQTT 5 says what it did. What no later attempt changes is refused; what an administrator can
// change waits.
static bool accept_answer(mqtt_link *l, const fv_letter *letter, int answer, fv_link_fault *fault) {
    if (answer >= 0 && answer < 0x80)
        return true;
    if (answer > 0 && answer != MQTT_RC_TOPIC_NAME_INVALID && answer != MQTT_RC_PACKET_TOO_LARGE &&
        answer != MQTT_RC_PAYLOAD_FORMAT_INVALID)
        return fv_fail(&fault->err, FV_BAD_INPUT, "refuses a record: %s",
                       mosquitto_reason_string(answer));
    l->setup.refused(l->setup.user, letter,
                     answer < 0 ? mosquitto_strerror(-answer) : mosquitto_reason_string(answer));
    return true;
}

static int send_letters(void *link, const fv_letter *letters, int n, fv_link_fault *fault) {
    mqtt_link *l = link;
    int sent = 0, done = 0;
    bool ok = call(l, fault);
    l->n_sent = 0;
    while (ok && sent < n)
        ok = publish(l, &letters[sent++], fault);
    int64_t moved = fv_link_now_ns();
    while (ok && done < n && !*l->setup.stop) {
        ok = step(l, STEP_MS, fault);
        for (; done < n && l->settled[done]; done++, moved = fv_link_now_ns())
            if (!accept_answer(l, &letters[done], l->answers[done], fault))
                goto out;
        if (ok && done < n && fv_link_now_ns() - moved > l->setup.params->timeout_ns)
            ok = fv_fail(&fault->err, FV_IO, "gives no receipts");
    }
out:
    l->n_sent = 0;
    if (done < n)
        part(l); // a client that is thrown away gives no receipts of its own later
    return done;
}

static bool idle(void *link, fv_link_fault *fault) {
    mqtt_link *l = link;
    if (call(l, fault) && step(l, 0, fault))
        return true;
    part(l);
    return false;
}

// "offline" by ourselves: a will is for those who die.
static void close_link(void *link) {
    mqtt_link *l = link;
    fv_link_fault fault = {0};
    if (l->phase == CONNECTED) {
        int64_t deadline = fv_link_now_ns() + GOODBYE_MS * INT64_C(1000000);
        l->n_sent = 1;
        l->settled[0] = false;
        bool ok = !mosquitto_publish(l->client, &l->mids[0], l->setup.status_topic, 7, "offline",
                                     l->setup.params->qos, true);
        while (ok && !l->settled[0] && fv_link_now_ns() < deadline)
            ok = step(l, STEP_MS, &fault);
        if (ok)
            mosquitto_disconnect(l->client);
    }
    part(l);
    mosquitto_lib_cleanup();
    explicit_bzero(l->password, sizeof l->password);
    free(l);
}

const fv_link_row fv_link_mqtt = {
    .open = open_link, .send = send_letters, .idle = idle, .close = close_link};
