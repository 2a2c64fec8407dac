/* Answers for names that end in ".example.com" from the file NAMES, so that a test has its own resolver: each line is a
 * name and the addresses that it has in turn, one for each question. Connections to 10.77.0.0/16 reach this machine, so
 * that a test has a private network. All connections by IP are noted in the file CONNECTS: the address as it was asked
 * for, and the port.
 * Built and preloaded by tests/faults/test_dispatch.py: cc -shared -fPIC -o names.so names.c */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_uint asked;

/* The address that the name has this time; 0 if the file does not name it. */
static int address_of(const char *name, char *address, size_t size) {
    const char *path = getenv("NAMES");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[512];
    int found = 0;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *rest, *words[16];
        int count = 0;
        for (char *word = strtok_r(line, " \n", &rest); word && count < 16; word = strtok_r(NULL, " \n", &rest))
            words[count++] = word;
        if (count > 1 && !strcmp(words[0], name)) {
            snprintf(address, size, "%s", words[1 + atomic_fetch_add(&asked, 1) % (unsigned)(count - 1)]);
            found = 1;
        }
    }
    if (file) fclose(file);
    return found;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    char address[64];
    const char *end = node ? strstr(node, ".example.com") : NULL;
    if (end && !end[strlen(".example.com")]) {
        if (!address_of(node, address, sizeof address)) return EAI_NONAME;
        return next(address, service, hints, result);
    }
    return next(node, service, hints, result);
}

static void note(const struct sockaddr *to) {
    const char *path = getenv("CONNECTS");
    char address[64], line[96];
    int port = 0;
    if (!path) return;
    if (to->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)to;
        inet_ntop(AF_INET, &four->sin_addr, address, sizeof address);
        port = ntohs(four->sin_port);
    } else if (to->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)to;
        inet_ntop(AF_INET6, &six->sin6_addr, address, sizeof address);
        port = ntohs(six->sin6_port);
    } else {
        return;
    }
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    int size = snprintf(line, sizeof line, "%s %d\n", address, port);
    if (write(file, line, (size_t)size) < 0) { /* the test misses it */ }
    close(file);
}

int connect(int fd, const struct sockaddr *to, socklen_t size) {
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    struct sockaddr_in here;
    note(to);
    if (to->sa_family == AF_INET) {
        memcpy(&here, to, sizeof here);
        if ((ntohl(here.sin_addr.s_addr) >> 16) == ((10u << 8) | 77u)) {
            here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return next(fd, (const struct sockaddr *)&here, sizeof here);
        }
    }
    return next(fd, to, size);
}
