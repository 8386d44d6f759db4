/* The reference of make bench: how little a server of streams can do.
 *
 *     reference PORT
 *
 * One thread serves 127.0.0.1. GET opens a stream, and POST sends its body as an event to
 * all streams: the event is encoded once, and written by one write() a subscriber. There
 * are no tokens, no history, no queues and no heartbeats. A subscriber whose socket is
 * full loses the event.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 1 << 17, MAX_REQUEST = 1 << 16 };

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
static const char NO_CONTENT[] = "HTTP/1.1 204 No Content\r\n\r\n";

static int streams[MAX_FD];         /* the descriptors of all streams */
static int stream_count;
static int place[MAX_FD];           /* 1 + a stream's place in streams, or 0 */
static char request[MAX_REQUEST];
static char chunk[MAX_REQUEST + 100];
static long event_count;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* drop closes a connection, and puts the last stream in the place of its stream. */
static void drop(int fd) {
    if (place[fd]) {
        int last = streams[--stream_count];
        streams[place[fd] - 1] = last;
        place[last] = place[fd];
        place[fd] = 0;
    }
    close(fd);
}

static void open_stream(int fd) {
    if (place[fd] || write(fd, STREAM_HEAD, sizeof STREAM_HEAD - 1) < 0) {
        drop(fd);
        return;
    }
    streams[stream_count++] = fd;
    place[fd] = stream_count;
}

/* broadcast writes an event to all streams. */
static void broadcast(const char *body, int length) {
    static char frame[MAX_REQUEST + 64];
    int frame_length = snprintf(frame, sizeof frame, "id: %ld\ndata: %.*s\n\n", ++event_count, length, body);
    int chunk_length = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", frame_length, frame);
    for (int i = 0; i < stream_count; i++)
        if (write(streams[i], chunk, chunk_length) < 0 && errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
            perror("write");
}

/* read_rest reads what is missing of a body. It waits, because clients send at once. */
static int read_rest(int fd, int have, int wanted) {
    while (have < wanted && wanted < MAX_REQUEST) {
        int n = read(fd, request + have, wanted - have);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n <= 0)
            return 0;
        have += n;
    }
    return have == wanted;
}

static void handle(int fd) {
    int n = read(fd, request, sizeof request - 1);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(fd);
        return;
    }
    request[n] = 0;
    if (!strncmp(request, "GET ", 4)) {
        open_stream(fd);
        return;
    }
    char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "content-length:");
    if (!end || !length || length > end) {
        drop(fd);
        return;
    }
    int head = end + 4 - request, body = atoi(length + 15);
    if (!read_rest(fd, n, head + body)) {
        drop(fd);
        return;
    }
    broadcast(request + head, body);
    if (write(fd, NO_CONTENT, sizeof NO_CONTENT - 1) < 0)
        drop(fd);
}

static void accept_all(int epoll, int listener) {
    for (;;) {
        int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
            fail("epoll_ctl");
    }
}

static int listen_on(int port) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (void *)&address, sizeof address) || listen(fd, 4096))
        fail("listen");
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = listen_on(atoi(argv[1])), epoll = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[512];
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e))
        fail("epoll");
    for (;;) {
        int n = epoll_wait(epoll, events, 512, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                handle(events[i].data.fd);
    }
}
