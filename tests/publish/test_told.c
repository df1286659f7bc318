#define _GNU_SOURCE
// What is told of each bad target: one clear line, at once, and nothing is lost.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fovea-config.h"
#include "tests/publish/publisher.h"

static int lines_of(const char *text) {
    int n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

// A record for nobody: what is told.
static const char *told_of(fv_target_params *p) {
    p->linger_ns = 0;
    fv_target *t = publisher_create(p);
    publisher_add(t, 0, 1);
    publisher_wait_told("\n");
    usleep(50000); // time for a line too many
    static char text[4000];
    snprintf(text, sizeof text, "%s", publisher_told());
    CHECK_EQUAL(fv_target_count(t).waiting, 1);
    CHECK_EQUAL(fv_target_count(t).lost, 0);
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "1 records wait in the spool");
    CHECK_CONTAINS(publisher_told(), "; the next run delivers them");
    return text;
}

static void check_line(const char *text, const char *begins) {
    bool does = !strncmp(text, begins, strlen(begins));
    CHECK(does);
    CHECK_EQUAL(lines_of(text), 1);
    CHECK_CONTAINS(text, "; records wait in the spool /");
    if (!does)
        fprintf(stderr, "told \"%s\"\n", text);
}

// `!`: somebody has to put it right, and the exit code is 1.
static void nobody_there(void) {
    static const struct {
        const char *to, *line;
        bool built;
    } rows[] = {
        {"tcp://nobody.invalid:9", "tcp://nobody.invalid:9: cannot be reached: ", true},
        {"tcp://localhost:1", "tcp://localhost:1: cannot be reached: Connection refused; ", true},
        {"mqtt://nobody.invalid/x", "mqtt://nobody.invalid: cannot be reached: no such host; ", FV_WITH_MQTT},
        {"mqtt://localhost:1/x", "mqtt://localhost:1: cannot be reached: Connection refused; ", FV_WITH_MQTT},
        {"mqtts://localhost:1/x", "mqtts://localhost:1: cannot be reached: the connection was refused or closed; ", FV_WITH_MQTT},
        {"http://nobody.invalid/x", "http://nobody.invalid: Could not resolve host: nobody.invalid; ", FV_WITH_WEBHOOK},
        {"https://localhost:1/x", "https://localhost:1: Failed to connect to localhost port 1 ", FV_WITH_WEBHOOK},
        {"kafka://nobody.invalid:9092/x", "kafka://nobody.invalid:9092: nobody.invalid:9092/bootstrap: Failed to resolve ", FV_WITH_KAFKA},
        {"kafka://localhost:1/x", "kafka://localhost:1: localhost:1/bootstrap: Connect to ", FV_WITH_KAFKA},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].built)
            continue;
        fv_target_params p = publisher_params(rows[i].to);
        const char *text = told_of(&p);
        check_line(text, rows[i].line);
    }
}

// Somebody else speaks there, without TLS.
static void not_what_it_should_be(void) {
    static const struct {
        const char *scheme, *line;
        bool built;
    } rows[] = {
        {"mqtts", "! mqtts://127.0.0.1:%d: TLS failed: is it a TLS port, is the certificate trusted (tls-ca), and made for this host?; ", FV_WITH_MQTT},
        {"https", "! https://127.0.0.1:%d: ", FV_WITH_WEBHOOK},
        {"kafkas", "! kafkas://127.0.0.1:%d: ssl://127.0.0.1:%d/bootstrap: ", FV_WITH_KAFKA},
    };
    char address[100], command[300], line[300];
    int port = publisher_free_port();
    snprintf(command, sizeof command,
             "/usr/bin/python3 -m http.server --bind 127.0.0.1 %d >/dev/null 2>&1", port);
    int server = publisher_start(command);
    snprintf(command, sizeof command,
             "for i in $(seq 200); do bash -c '</dev/tcp/127.0.0.1/%d' 2>/dev/null && exit 0; "
             "sleep 0.05; done; exit 1", port);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].built)
            continue;
        snprintf(address, sizeof address, "%s://127.0.0.1:%d/x", rows[i].scheme, port);
        fv_target_params p = publisher_params(address);
        const char *text = told_of(&p);
        snprintf(line, sizeof line, rows[i].line, port, port);
        check_line(text, line);
    }
    publisher_kill(server, SIGKILL);
}

static void spools_that_are_none(void) {
    char command[2400], state[1200];
    fv_target_params p = publisher_params("tcp://localhost:1");
    const char *folder = p.spool;
    p.spool = "/proc/nowhere/spool";
    publisher_refuses(&p, "/proc/nowhere/spool/frames: the spool cannot be written: No such file or "
                          "directory; give another folder with `spool`");
    p.spool = folder;
    snprintf(state, sizeof state, "%s/events/state", folder);
    snprintf(command, sizeof command, "mkdir -p %s/events && head -c 40 /dev/zero | sed 's/^/FvS2/' > %s",
             folder, state);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    publisher_refuses(&p, "/events: another version of fovea wrote this spool; let that one deliver "
                          "it, or give another folder with `spool`");
    snprintf(command, sizeof command, "printf FvS2 | cmp -n 4 - %s", state); // it was left alone
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    snprintf(command, sizeof command, "printf 'FvS1 torn' > %s", state);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    told_of(&p); // one of ours that is torn is begun anew
}

// No room for the spool: told once, counted, and over as soon as there is room.
static void no_room_for_the_spool(void) {
    fv_target_params p = publisher_params("tcp://localhost:1");
    p.linger_ns = 0;
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 2);
    publisher_wait_told("\n"); // the outage itself
    small = (struct rlimit){400, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    publisher_add(t, 2, 20);
    setrlimit(RLIMIT_FSIZE, &old);
    publisher_add(t, 20, 22);
    const char *second = strchr(publisher_told(), '\n');
    CHECK_CONTAINS(second, "/events: File too large; records are lost until there is room\n");
    CHECK_EQUAL(lines_of(publisher_told()), 2);
    fv_target_counts c = fv_target_count(t);
    CHECK(c.lost > 0 && c.lost < 20 && c.lost + c.waiting == 22);
    uint64_t lost = c.lost;
    fv_target_destroy(&t);
    char total[100];
    snprintf(total, sizeof total, "tcp://localhost:1: %d records were dropped, %d of them events\n",
             (int)lost, (int)lost);
    CHECK_CONTAINS(publisher_told(), total);
}

const fv_suite told_suite = {"told", (const fv_case[]){CASE(nobody_there),
                                                       CASE(not_what_it_should_be),
                                                       CASE(spools_that_are_none),
                                                       CASE(no_room_for_the_spool),
                                                       {0}}};
