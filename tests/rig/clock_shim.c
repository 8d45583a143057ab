/* A host's clock for one process: what CLOCK_REALTIME, the kernel's word on NTP and the boot id say is the test's.
 *
 * LD_PRELOAD=clock_shim.so LONGWATCH_CLOCK=FILE: FILE is mapped; see tests/rig/clock_shim.py for its fields.
 * CLOCK_BOOTTIME and CLOCK_MONOTONIC are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct host {
    int64_t offset_ns;   /* added to the wall clock */
    int64_t rate_times;  /* beyond 1: how many times too fast it runs, since base_ns of CLOCK_BOOTTIME */
    int64_t base_ns;
    int64_t synchronised;
    char boot_id[64];    /* a path; empty: the host's own */
};

static volatile struct host *host(void) {
    static volatile struct host *mapped;
    if (!mapped) {
        const char *path = getenv("LONGWATCH_CLOCK");
        int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0) return NULL;
        void *at = mmap(NULL, sizeof(struct host), PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (at == MAP_FAILED) return NULL;
        mapped = at;
    }
    return mapped;
}

static int64_t shift_ns(void) {
    volatile struct host *h = host();
    if (!h) return 0;
    int64_t shift = h->offset_ns;
    if (h->rate_times) {
        struct timespec up;
        syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &up);
        shift += ((int64_t)up.tv_sec * 1000000000 + up.tv_nsec - h->base_ns) * h->rate_times;
    }
    return shift;
}

int clock_gettime(clockid_t id, struct timespec *ts) {
    int result = (int)syscall(SYS_clock_gettime, id, ts);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + shift_ns();
        ts->tv_sec = ns / 1000000000;
        ts->tv_nsec = ns % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    struct timespec ts;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out) *out = ts.tv_sec;
    return ts.tv_sec;
}

int adjtimex(struct timex *t) {
    int state = (int)syscall(SYS_adjtimex, t);
    volatile struct host *h = host();
    if (!h || state < 0) return state;
    t->status = h->synchronised ? t->status & ~STA_UNSYNC : t->status | STA_UNSYNC;
    return h->synchronised ? TIME_OK : TIME_ERROR;
}

static const char *redirected(const char *path) {
    volatile struct host *h = host();
    if (h && h->boot_id[0] && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) return (const char *)h->boot_id;
    return path;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat(AT_FDCWD, redirected(path), flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat(AT_FDCWD, redirected(path), flags | O_LARGEFILE, mode);
}
