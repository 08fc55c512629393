/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parallel.h"

#include "base/thread.h"
#include <sched.h>
#include <stdatomic.h>

enum { THREADS_MAX = 256 };

struct loop {
    size_t total, step;
    void (*run)(void *owner, size_t first, size_t count);
    void *owner;
    _Atomic size_t next;
};

unsigned parallel_cores(void)
{
    cpu_set_t allowed;

    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 1)
        return 1;
    return (unsigned)CPU_COUNT(&allowed);
}

static void *work(void *owner)
{
    struct loop *loop = owner;

    for (;;) {
        size_t first = atomic_fetch_add(&loop->next, loop->step);
        if (first >= loop->total)
            return NULL;
        loop->run(loop->owner, first,
                  loop->total - first < loop->step ? loop->total - first : loop->step);
    }
}

void parallel_for(unsigned threads, size_t total, size_t step,
                  void (*run)(void *owner, size_t first, size_t count), void *owner)
{
    struct loop loop = {.total = total, .step = step, .run = run, .owner = owner};
    pthread_t others[THREADS_MAX];
    unsigned others_count = 0;

    while (others_count + 1 < threads && others_count < THREADS_MAX &&
           (size_t)(others_count + 1) * step < total &&
           thread_start(&others[others_count], "build", work, &loop, NULL) == QN_STATUS_OK)
        others_count++;
    (void)work(&loop);
    for (unsigned i = 0; i < others_count; i++)
        (void)pthread_join(others[i], NULL);
}
