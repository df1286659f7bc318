#define _GNU_SOURCE
#include "pipeline/desc/address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fovea-config.h"
#include "pipeline/base/option.h"

typedef struct {
    const char *name;
    fv_to kind;
    bool tls;
    int port; // default; 0: has to be given
    bool built;
    const char *package, *feature; // that bring it, where it can be missing
} scheme_row;

static const scheme_row schemes[] = {
    {"unix", FV_TO_UNIX, false, 0, true, NULL, NULL},
    {"tcp", FV_TO_TCP, false, 0, true, NULL, NULL},
    {"mqtt", FV_TO_MQTT, false, 1883, FV_WITH_MQTT, "libmosquitto-dev", "mqtt"},
    {"mqtts", FV_TO_MQTT, true, 8883, FV_WITH_MQTT, "libmosquitto-dev", "mqtt"},
    {"http", FV_TO_HTTP, false, 80, FV_WITH_WEBHOOK, "libcurl4-openssl-dev", "webhook"},
    {"https", FV_TO_HTTP, true, 443, FV_WITH_WEBHOOK, "libcurl4-openssl-dev", "webhook"},
    {"kafka", FV_TO_KAFKA, false, 9092, FV_WITH_KAFKA, "librdkafka-dev", "kafka"},
    {"kafkas", FV_TO_KAFKA, true, 9093, FV_WITH_KAFKA, "librdkafka-dev", "kafka"},
    {0},
};

static bool find_scheme(const char *text, size_t n, const scheme_row **row, fv_err *err) {
    char name[32];
    if (n < sizeof name)
        memcpy(name, text, n);
    name[n < sizeof name ? n : 0] = 0;
    for (*row = schemes; (*row)->name; (*row)++)
        if (!strcasecmp((*row)->name, name))
            break;
    const char *near = fv_name_nearest(name, schemes, sizeof *schemes);
    if (!(*row)->name)
        return fv_fail(err, FV_BAD_INPUT,
                       "%s: unknown target '%.*s:'%s%s%s; known are unix, tcp, mqtt, mqtts, http, "
                       "https, kafka, kafkas; a file with a colon in its name begins with ./",
                       text, (int)(n < 64 ? n : 64), text, near ? ", did you mean '" : "",
                       near ? near : "", near ? ":'" : "");
    if (!(*row)->built)
        return fv_fail(err, FV_UNSUPPORTED,
                       "%s: this Fovea was built without %s; install %s, build with -D%s=enabled",
                       text, (*row)->feature, (*row)->package, (*row)->feature);
    return true;
}

static bool copy(char *to, size_t size, const char *from, size_t n) {
    if (n >= size)
        return false;
    memcpy(to, from, n);
    to[n] = 0;
    return true;
}

static bool parse_port(const char *text, size_t n, int *port) {
    *port = 0;
    for (size_t i = 0; i < n && *port <= 65535; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *port = 10 * *port + text[i] - '0';
    }
    return n && *port >= 1 && *port <= 65535;
}

// "host", "host:1", "[::1]:1"
static bool parse_host(fv_address *a, const char *text, size_t n, int port, fv_err *err) {
    const char *end = text + n, *colon = memrchr(text, ':', n), *host = text;
    const char *bracket = *text == '[' ? memchr(text, ']', n) : NULL;
    if (bracket && colon && colon < bracket)
        colon = NULL;
    size_t length = (size_t)((colon ? colon : end) - text);
    if (bracket)
        host++, length = (size_t)(bracket - host);
    bool odd = (*text == '[' && (!bracket || bracket + 1 != (colon ? colon : end))) ||
               (!bracket && memchr(host, ':', length));
    a->port = port;
    if (odd || !length || !copy(a->host, sizeof a->host, host, length) ||
        strcspn(a->host, " \t\"'<>\\^`{|}?#") < length)
        return fv_fail(err, FV_BAD_INPUT,
                       "%s: '%.*s' is no host; write host, host:port or [::1]:port",
                       a->text, (int)(n < 200 ? n : 200), text);
    if (colon && !parse_port(colon + 1, (size_t)(end - colon - 1), &a->port))
        return fv_fail(err, FV_BAD_INPUT, "%s: '%.*s' is no port; 1 .. 65535", a->text,
                       (int)(end - colon - 1), colon + 1);
    return a->port || fv_fail(err, FV_BAD_INPUT, "%s: the port is missing; write %.*s:PORT",
                              a->text, (int)n, text);
}

static bool parse_cluster(fv_address *a, const char *text, size_t n, int port, fv_err *err) {
    size_t used = 0;
    char all[sizeof a->host];
    for (const char *p = text, *end = text + n; p <= end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        if (!parse_host(a, p, (size_t)((comma ? comma : end) - p), port, err))
            return false;
        bool six = strchr(a->host, ':');
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s%s%s:%d", used ? "," : "",
                                 six ? "[" : "", a->host, six ? "]" : "", a->port);
        if (used >= sizeof all)
            return fv_fail(err, FV_BAD_INPUT, "%.60s...: the address is too long", a->text);
        p = (comma ? comma : end) + 1;
    }
    a->port = 0;
    memcpy(a->host, all, used + 1);
    return true;
}

static bool parse_user(fv_address *a, const char *text, size_t n, fv_err *err) {
    if (memchr(text, ':', n))
        return fv_fail(err, FV_BAD_INPUT,
                       "a password in the address of a target can be read by everybody who lists "
                       "processes; leave it out and give `password-env` or `password-file`");
    return copy(a->user, sizeof a->user, text, n) ||
           fv_fail(err, FV_BAD_INPUT, "%s: the user's name is too long", a->text);
}

// ---- what each kind asks for --------------------------------------------------------------------

static bool check_unix(const fv_address *a, fv_err *err) {
    if (!*a->path)
        return fv_fail(err, FV_BAD_INPUT, "%s: the path of the socket is missing; write unix:/path",
                       a->text);
    return strlen(a->path) < 108 ||
           fv_fail(err, FV_BAD_INPUT, "%s: the path of a socket has at most 107 bytes", a->text);
}

static bool check_tcp(const fv_address *a, fv_err *err) {
    return (!*a->path && !*a->user) ||
           fv_fail(err, FV_BAD_INPUT, "%s: write tcp://host:port, nothing more", a->text);
}

static bool check_mqtt(const fv_address *a, fv_err *err) {
    size_t n = strlen(a->path);
    return (!strpbrk(a->path, "+#") && (!n || a->path[n - 1] != '/')) ||
           fv_fail(err, FV_BAD_INPUT,
                   "%s: '%s' cannot be published to: a topic has no + or # and does not end in /",
                   a->text, a->path);
}

static bool check_kafka(const fv_address *a, fv_err *err) {
    size_t n = strlen(a->path);
    return (n && n < 250 && strspn(a->path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789._-") == n) ||
           fv_fail(err, FV_BAD_INPUT,
                   "%s: '%s' is no topic; write kafka://host:port/topic, letters, digits, . _ -",
                   a->text, a->path);
}

static bool check_nothing(const fv_address *a, fv_err *err) {
    (void)a, (void)err;
    return true;
}

static bool (*const checks[FV_N_TO])(const fv_address *, fv_err *) = {
    [FV_TO_FILE] = check_nothing, [FV_TO_STDOUT] = check_nothing, [FV_TO_UNIX] = check_unix,
    [FV_TO_TCP] = check_tcp,      [FV_TO_MQTT] = check_mqtt,      [FV_TO_HTTP] = check_nothing,
    [FV_TO_KAFKA] = check_kafka};

static bool parse_network(fv_address *a, const scheme_row *row, const char *rest, fv_err *err) {
    if (strncmp(rest, "//", 2) != 0)
        return fv_fail(err, FV_BAD_INPUT, "%s: write %s://host", a->text, row->name);
    rest += 2;
    size_t n = strcspn(rest, "/");
    const char *at = memrchr(rest, '@', n), *path = rest + n + (rest[n] == '/');
    if (at && !parse_user(a, rest, (size_t)(at - rest), err))
        return false;
    if (at)
        n -= (size_t)(at + 1 - rest), rest = at + 1;
    if (!(row->kind == FV_TO_KAFKA ? parse_cluster : parse_host)(a, rest, n, row->port, err))
        return false;
    return copy(a->path, sizeof a->path, path, strlen(path)) ||
           fv_fail(err, FV_BAD_INPUT, "%.60s...: the address is too long", a->text);
}

bool fv_address_parse(fv_address *a, const char *text, fv_err *err) {
    *a = (fv_address){.kind = FV_TO_FILE, .text = text};
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    const scheme_row *row;
    if (!strcmp(text, "-")) {
        a->kind = FV_TO_STDOUT;
        return true;
    }
    if (n < 2 || text[n] != ':')
        return copy(a->path, sizeof a->path, text, strlen(text)) ||
               fv_fail(err, FV_BAD_INPUT, "the path of a file of records is too long");
    if (!find_scheme(text, n, &row, err))
        return false;
    a->kind = row->kind;
    a->tls = row->tls;
    const char *rest = text + n + 1;
    if (row->kind == FV_TO_UNIX) {
        rest += strncmp(rest, "//", 2) ? 0 : 2;
        if (!copy(a->path, sizeof a->path, rest, strlen(rest)))
            return fv_fail(err, FV_BAD_INPUT, "the path of a socket has at most 107 bytes");
    } else if (!parse_network(a, row, rest, err)) {
        return false;
    }
    return checks[a->kind](a, err);
}

const char *fv_address_show(const fv_address *a, char *text, size_t size) {
    bool six = a->kind != FV_TO_KAFKA && strchr(a->host, ':');
    const scheme_row *row = schemes;
    while (row->name && (row->kind != a->kind || row->tls != a->tls))
        row++;
    if (!row->name)
        snprintf(text, size, "%s", a->kind == FV_TO_STDOUT ? "standard output" : a->path);
    else if (a->kind == FV_TO_UNIX)
        snprintf(text, size, "unix:%s", a->path);
    else if (a->port && a->port != row->port)
        snprintf(text, size, "%s://%s%s%s:%d", row->name, six ? "[" : "", a->host, six ? "]" : "",
                 a->port);
    else
        snprintf(text, size, "%s://%s%s%s", row->name, six ? "[" : "", a->host, six ? "]" : "");
    return text;
}
