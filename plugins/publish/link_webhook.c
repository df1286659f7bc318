#define _GNU_SOURCE
// http(s)://host/path by libcurl: one POST a letter, one after the other.
//
//     Content-Type: of the format
//     X-Fovea-Id: of the record, the same when it is played again
//     X-Fovea-Topic: as MQTT has it, STREAM/events
//     X-Fovea-Signature: sha256=<HMAC-SHA256 of the body, hex>, with hmac-env or hmac-file
//     X-Fovea-Delivery: unique, the same when it is delivered again
//
// 2xx is a receipt. 400, 413, 414, 415 and 422 refuse this record for ever. Anything else (also a
// redirect, which is not followed), a time-out, a broken connection: again later, Retry-After at
// the earliest.
#include <curl/curl.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/publish/link.h"

typedef struct {
    fv_link_setup setup;
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    char password[512], key[512];
} webhook_link;

static int watch_stop(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a, (void)b, (void)c, (void)d;
    return *((webhook_link *)user)->setup.stop;
}

static size_t ignore(char *text, size_t size, size_t n, void *user) {
    (void)text, (void)user;
    return size * n;
}

static void close_link(void *link) {
    webhook_link *l = link;
    if (l->curl)
        curl_easy_cleanup(l->curl);
    explicit_bzero(l->password, sizeof l->password);
    explicit_bzero(l->key, sizeof l->key);
    free(l);
}

static bool read_files(webhook_link *l, fv_err *err) {
    const fv_target_params *p = l->setup.params;
    return fv_link_secret(l->password, sizeof l->password, "password", p->password_env,
                          p->password_file, err) &&
           fv_link_secret(l->key, sizeof l->key, "hmac", p->hmac_env, p->hmac_file, err) &&
           fv_link_file("tls-ca", p->tls_ca, err) && fv_link_file("tls-cert", p->tls_cert, err) &&
           fv_link_file("tls-key", p->tls_key, err);
}

static void set_identity(webhook_link *l) {
    const fv_link_setup *s = &l->setup;
    if (*s->address->user) {
        curl_easy_setopt(l->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(l->curl, CURLOPT_USERNAME, s->address->user);
        curl_easy_setopt(l->curl, CURLOPT_PASSWORD, l->password);
    } else if (*l->password) {
        curl_easy_setopt(l->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(l->curl, CURLOPT_XOAUTH2_BEARER, l->password);
    }
    if (s->params->tls_ca && *s->params->tls_ca)
        curl_easy_setopt(l->curl, CURLOPT_CAINFO, s->params->tls_ca);
    if (s->params->tls_cert && *s->params->tls_cert)
        curl_easy_setopt(l->curl, CURLOPT_SSLCERT, s->params->tls_cert);
    if (s->params->tls_key && *s->params->tls_key)
        curl_easy_setopt(l->curl, CURLOPT_SSLKEY, s->params->tls_key);
    curl_easy_setopt(l->curl, CURLOPT_SSL_VERIFYPEER, s->params->tls_insecure ? 0L : 1L);
    curl_easy_setopt(l->curl, CURLOPT_SSL_VERIFYHOST, s->params->tls_insecure ? 0L : 2L);
}

// The address without its user, which must not reach a proxy or a log.
static bool set_url(webhook_link *l) {
    const fv_address *a = l->setup.address;
    bool six = strchr(a->host, ':');
    char *url;
    if (asprintf(&url, "%s://%s%s%s:%d/%s", a->tls ? "https" : "http", six ? "[" : "", a->host,
                 six ? "]" : "", a->port, a->path) < 0)
        return false;
    CURLcode code = curl_easy_setopt(l->curl, CURLOPT_URL, url);
    free(url);
    return code == CURLE_OK;
}

static void *open_link(const fv_link_setup *setup, fv_err *err) {
    webhook_link *l = calloc(1, sizeof *l);
    l->setup = *setup;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!read_files(l, err)) {
        close_link(l);
        return NULL;
    }
    l->curl = curl_easy_init();
    long timeout_ms = (long)(setup->params->timeout_ns / 1000000);
    if (!l->curl || !set_url(l)) {
        close_link(l);
        fv_fail(err, FV_BAD_INPUT, "%s: libcurl cannot use it", setup->address->host);
        return NULL;
    }
    curl_easy_setopt(l->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(l->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(l->curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, l->error);
    curl_easy_setopt(l->curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(l->curl, CURLOPT_XFERINFOFUNCTION, watch_stop);
    curl_easy_setopt(l->curl, CURLOPT_XFERINFODATA, l);
    curl_easy_setopt(l->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(l->curl, CURLOPT_USERAGENT, "fovea");
    set_identity(l);
    return l;
}

// A value of a header has no control characters.
static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value) {
    char line[1200];
    snprintf(line, sizeof line, "%s: %s", name, value);
    for (char *p = line; *p; p++)
        *p = (unsigned char)*p < ' ' || *p == 127 ? '_' : *p;
    return curl_slist_append(list, line);
}

static struct curl_slist *headers_of(const webhook_link *l, const fv_letter *letter) {
    struct curl_slist *list = add_header(NULL, "Content-Type", letter->mime);
    list = add_header(list, "X-Fovea-Id", letter->id);
    list = add_header(list, "X-Fovea-Topic", letter->topic);
    list = add_header(list, "X-Fovea-Delivery", letter->delivery);
    if (*l->key) {
        g_autofree char *sum =
            g_compute_hmac_for_data(G_CHECKSUM_SHA256, (const guchar *)l->key, strlen(l->key),
                                    (const guchar *)letter->body, letter->size);
        g_autofree char *value = g_strdup_printf("sha256=%s", sum);
        list = add_header(list, "X-Fovea-Signature", value);
    }
    return curl_slist_append(list, "Expect:"); // no round trip before the body
}

static bool is_final(long status) {
    static const long codes[] = {400, 413, 414, 415, 422};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (status == codes[i])
            return true;
    return false;
}

// What a person has to change: keys, addresses.
static bool is_configuration(const webhook_link *l, CURLcode code, long status) {
    return (code != CURLE_OK && fv_link_is_tls_mistake(l->error)) ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_CERTPROBLEM || (status >= 300 && status < 400) || status == 401 ||
           status == 403 || status == 404 || status == 405;
}

static bool judge(webhook_link *l, const fv_letter *letter, CURLcode code, fv_link_fault *fault) {
    long status = 0;
    curl_off_t after = 0;
    char why[32];
    curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(l->curl, CURLINFO_RETRY_AFTER, &after);
    snprintf(why, sizeof why, "HTTP %ld", status);
    if (code == CURLE_OK && status >= 200 && status < 300)
        return true;
    if (code == CURLE_OK && is_final(status)) {
        l->setup.refused(l->setup.user, letter, why);
        return true;
    }
    int64_t longest = l->setup.params->retry_ns, asked = after * INT64_C(1000000000);
    fault->wait_ns = asked < longest ? asked : longest;
    return fv_fail(&fault->err, is_configuration(l, code, status) ? FV_BAD_INPUT : FV_IO,
                   "%s",
                   code == CURLE_OK ? why : *l->error ? l->error : curl_easy_strerror(code));
}

static int send_letters(void *link, const fv_letter *letters, int n, fv_link_fault *fault) {
    webhook_link *l = link;
    for (int i = 0; i < n; i++) {
        struct curl_slist *headers = headers_of(l, &letters[i]);
        *l->error = 0;
        curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS, letters[i].body);
        curl_easy_setopt(l->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)letters[i].size);
        CURLcode code = curl_easy_perform(l->curl);
        bool ok = judge(l, &letters[i], code, fault);
        curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, NULL);
        curl_slist_free_all(headers);
        if (!ok || *l->setup.stop)
            return i + ok;
    }
    return n;
}

const fv_link_row fv_link_webhook = {.open = open_link, .send = send_letters, .close = close_link};
