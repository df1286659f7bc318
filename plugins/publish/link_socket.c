#define _GNU_SOURCE
// unix:/path and tcp://host:port: a line a letter. A line is delivered when the other side has it:
// tcp, when its kernel has acknowledged it; unix, when it has been read. After an outage lines that
// were not come again on the new connection, from their beginning.
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugins/publish/link.h"

enum { STEP_MS = 50 };

typedef struct {
    fv_link_setup setup;
    int fd;
    bool counts_bytes; // SIOCOUTQ is exact: tcp; of a unix socket only 0 means something
    char *text;        // lines of the batch
    size_t room;
    size_t ends[FV_LINK_BATCH];
} socket_link;

static void *open_link(const fv_link_setup *setup, fv_err *err) {
    (void)err;
    socket_link *l = calloc(1, sizeof *l);
    l->setup = *setup;
    l->fd = -1;
    l->counts_bytes = setup->address->kind == FV_TO_TCP;
    return l;
}

static void hang_up(socket_link *l) {
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static void close_link(void *link) {
    socket_link *l = link;
    hang_up(l);
    free(l->text);
    free(l);
}

// ---- connecting ---------------------------------------------------------------------------------

static int socket_error(int fd) {
    int error = 0;
    socklen_t n = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) ? errno : error;
}

// 0, or an errno.
static int finish_connecting(socket_link *l) {
    int64_t deadline = fv_link_now_ns() + l->setup.params->timeout_ns;
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};
    while (fv_link_now_ns() < deadline && !*l->setup.stop)
        if (poll(&p, 1, STEP_MS) > 0)
            return socket_error(l->fd);
    return ETIMEDOUT;
}

static int connect_to(socket_link *l, int family, const struct sockaddr *address, socklen_t size) {
    l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int why = l->fd < 0 ? errno : 0;
    if (!why && connect(l->fd, address, size))
        why = errno == EINPROGRESS ? finish_connecting(l) : errno;
    if (why)
        hang_up(l);
    return why;
}

static int connect_unix(socket_link *l) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.107s", l->setup.address->path);
    return connect_to(l, AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

static int connect_tcp(socket_link *l, const char **text) {
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *all = NULL;
    snprintf(port, sizeof port, "%d", l->setup.address->port);
    int failed = getaddrinfo(l->setup.address->host, port, &hints, &all), why = EHOSTUNREACH;
    *text = failed ? gai_strerror(failed) : NULL;
    for (struct addrinfo *a = all; a && l->fd < 0; a = a->ai_next)
        why = connect_to(l, a->ai_family, a->ai_addr, a->ai_addrlen);
    if (all)
        freeaddrinfo(all);
    if (!why && !failed)
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return failed ? EHOSTUNREACH : why;
}

static bool call(socket_link *l, fv_link_fault *fault) {
    const char *text = NULL;
    if (l->fd >= 0)
        return true;
    int why = l->counts_bytes ? connect_tcp(l, &text) : connect_unix(l);
    return !why ||
           fv_fail(&fault->err, FV_IO, "cannot be reached: %s", text ? text : strerror(why));
}

// ---- sending ------------------------------------------------------------------------------------

static size_t gather(socket_link *l, const fv_letter *letters, int n) {
    size_t size = 0;
    for (int i = 0; i < n; i++)
        l->ends[i] = size += letters[i].size + 1;
    if (size > l->room)
        l->text = realloc(l->text, l->room = size);
    for (int i = 0; i < n; i++) {
        memcpy(l->text + l->ends[i] - letters[i].size - 1, letters[i].body, letters[i].size);
        l->text[l->ends[i] - 1] = '\n';
    }
    return size;
}

// What the other side says is of no interest, but must not fill its buffers.
static void listen_a_little(int fd) {
    char nothing[4096];
    while (recv(fd, nothing, sizeof nothing, MSG_DONTWAIT) > 0)
        continue;
}

// How many of the `written` bytes the other side has for certain. The error is asked for after the
// count: of a connection that has broken the queue is empty too.
static bool received(const socket_link *l, size_t written, size_t *certain) {
    int queued = 0;
    bool known = !ioctl(l->fd, SIOCOUTQ, &queued);
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};
    int error = socket_error(l->fd);
    if (error || (poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP))) {
        errno = error ? error : EPIPE;
        return false;
    }
    if (known && (l->counts_bytes || !queued))
        *certain = written - ((size_t)queued < written ? (size_t)queued : written);
    return true;
}

static bool write_some(const socket_link *l, size_t *written, size_t size) {
    if (*written == size)
        return true;
    ssize_t w = send(l->fd, l->text + *written, size - *written, MSG_NOSIGNAL | MSG_DONTWAIT);
    *written += w > 0 ? (size_t)w : 0;
    return w >= 0 || errno == EAGAIN || errno == EINTR;
}

// Until all is received, nothing has moved for `timeout`, or it breaks. Returns the certain bytes.
static size_t converse(socket_link *l, size_t size, fv_link_fault *fault) {
    size_t written = 0, certain = 0, before = 0;
    int64_t moved = fv_link_now_ns();
    int pause = 1;
    while (certain < size && !*l->setup.stop) {
        if (!write_some(l, &written, size) || !received(l, written, &certain)) {
            fv_fail(&fault->err, FV_IO, "has hung up: %s", strerror(errno));
            return certain;
        }
        listen_a_little(l->fd);
        if (written + certain > before) {
            before = written + certain;
            moved = fv_link_now_ns();
            pause = 1;
        } else if (fv_link_now_ns() - moved > l->setup.params->timeout_ns) {
            fv_fail(&fault->err, FV_IO, "does not read");
            return certain;
        }
        struct pollfd p = {.fd = l->fd, .events = written < size ? POLLOUT : 0};
        if (certain < size)
            poll(&p, 1, pause);
        pause = pause < STEP_MS ? 2 * pause : STEP_MS;
    }
    return certain;
}

static int send_letters(void *link, const fv_letter *letters, int n, fv_link_fault *fault) {
    socket_link *l = link;
    if (!call(l, fault))
        return 0;
    size_t size = gather(l, letters, n), certain = converse(l, size, fault);
    if (certain < size)
        hang_up(l);
    int settled = 0;
    while (settled < n && l->ends[settled] <= certain)
        settled++;
    return settled;
}

const fv_link_row fv_link_socket = {
    .lines = true, .open = open_link, .send = send_letters, .close = close_link};
