/* Delays each sync by the milliseconds in the file SLOW_SYNCS.
 * Built and preloaded by tests/faults/conftest.py: cc -shared -fPIC -o disk.so disk.c */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
    char text[32] = {0};
    const char *path = getenv("SLOW_SYNCS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    long milliseconds = size > 0 ? atol(text) : 0;
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    if (milliseconds > 0) nanosleep(&pause, NULL);
}

int fsync(int file) {
    wait_for_disk();
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    wait_for_disk();
    return (int)syscall(SYS_fdatasync, file);
}
