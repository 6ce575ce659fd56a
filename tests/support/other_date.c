/* The wall clock of another date, preloaded by `nox -s hostile`: OTHER_DATE_SECONDS from now.

   Only the wall clock is another. libfaketime 0.9.10 also changes the steady clock, and then a lock
   of Python 3.11 never times out; told to leave that clock alone, it makes time.sleep() fail. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t offset;
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *seconds = getenv("OTHER_DATE_SECONDS");
    offset = seconds ? atol(seconds) : 0;
}

static int is_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && is_wall(clock))
        now->tv_sec += offset;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (result)
        *result = found.tv_sec;
    return found.tv_sec;
}

/* The kernel waits by its own clock. A condition may also wait by the steady one, which counts from
   the start of the machine and never comes near the wall clock's seconds. */
static struct timespec as_kernel(const struct timespec *until) {
    struct timespec real = *until;
    if (real.tv_sec > 1000000000)
        real.tv_sec -= offset;
    return real;
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock, const struct timespec *restrict until
) {
    struct timespec real = as_kernel(until);
    if (!real_cond_timedwait) {
        /* Without a version, x86-64 may give the one before 2003, of another layout. */
        real_cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
        if (!real_cond_timedwait)
            real_cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    }
    return real_cond_timedwait(cond, lock, &real);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec real = as_kernel(until);
    if (!real_sem_timedwait)
        real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    return real_sem_timedwait(semaphore, &real);
}
