#define _GNU_SOURCE
// A peer that takes the connection and then says nothing: nobody waits for it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fovea-config.h"
#include "tests/publish/publisher.h"

static const struct {
    const char *to, *why;
    bool built;
} rows[] = {
    {"tcp://127.0.0.1:%d", "does not read", true},
    {"mqtt://127.0.0.1:%d/x", "does not answer", FV_WITH_MQTT},
    {"mqtts://127.0.0.1:%d/x", "does not answer", FV_WITH_MQTT},
    {"http://127.0.0.1:%d/x", " timed out after ", FV_WITH_WEBHOOK},
    {"https://127.0.0.1:%d/x", " timed out after ", FV_WITH_WEBHOOK},
    {"kafka://127.0.0.1:%d/x", "does not answer", FV_WITH_KAFKA},
};

// Connections are made by the kernel and stay in its queue. Little is taken in: tcp must stall, too.
static int stalled_peer(int *port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){1024}, sizeof(int));
    *port = publisher_free_port();
    a.sin_port = htons((uint16_t)*port);
    CHECK_EQUAL(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQUAL(listen(fd, 100), 0);
    return fd;
}

// Adding never waits, the end no longer than `linger`, and nothing is lost.
static void nobody_waits_for_it(void) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int port, peer = stalled_peer(&port);
        char address[100];
        snprintf(address, sizeof address, rows[i].to, port);
        fv_target_params p = publisher_params(address);
        p.timeout_ns = 700000000;
        p.linger_ns = 200000000;
        p.spool_max = 4;
        if (!rows[i].built)
            continue;
        fv_target *t = publisher_create(&p);
        double longest = 0, begun = publisher_seconds(), quick = 0;
        int n = 0;
        for (; publisher_seconds() - begun < 0.5; n++) {
            double before = fv_test_seconds();
            publisher_add(t, n, n + 1);
            double took = fv_test_seconds() - before;
            longest = took > longest ? took : longest;
            quick += took < 0.005;
            usleep(200);
        }
        CHECK(quick > 0.95 * n);  // the others waited for a processor,
        CHECK(longest < 0.6);     // none for the time-out
        publisher_wait_told(rows[i].why);
        fv_target_counts c = fv_target_count(t);
        CHECK(c.lost == 0 && c.lines + c.waiting == (uint64_t)n);
        double end = fv_test_seconds();
        fv_target_destroy(&t);
        end = fv_test_seconds() - end;
        CHECK(end < 2.5);
        CHECK_CONTAINS(publisher_told(), "; the next run delivers them");
        fprintf(stderr, "%s stalls: %d messages, adding one took %.2f ms at most, the end %.2f s\n", address,
                n, longest * 1000, end);
        close(peer);
    }
}

const fv_suite stalled_suite = {"stalled", (const fv_case[]){CASE(nobody_waits_for_it), {0}}};
