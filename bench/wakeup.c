/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/wakeup.h"

#include "base/thread.h"
#include "base/waiter.h"
#include "bench/roundtrip.h"
#include <sched.h>
#include <stdatomic.h>

struct side {
    struct waiter waiter;
    _Atomic uint32_t turns; /* so many times it was woken */
};

struct pair {
    struct side ping, pong;
    uint32_t count;
    cpu_set_t allowed;
};

/* On the first (0) or the last (1) core that this process may use. */
static void pin(const cpu_set_t *allowed, int side)
{
    cpu_set_t one;
    size_t chosen = CPU_SETSIZE;

    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, allowed) && (chosen == CPU_SETSIZE || side == 1))
            chosen = cpu;
    if (chosen == CPU_SETSIZE)
        return;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    (void)sched_setaffinity(0, sizeof one, &one); /* of this thread; refused: measured as it is */
}

static void wait_for_turn(struct side *side, uint32_t turn)
{
    while (atomic_load(&side->turns) < turn) {
        uint32_t ticket = waiter_prepare(&side->waiter);
        if (atomic_load(&side->turns) < turn)
            waiter_wait(&side->waiter, ticket, WAITER_FOREVER);
        else
            waiter_cancel(&side->waiter);
    }
}

static void give_turn(struct side *side)
{
    (void)atomic_fetch_add(&side->turns, 1);
    waiter_wake(&side->waiter);
}

static void *pong_run(void *owner)
{
    struct pair *pair = owner;

    pin(&pair->allowed, 1);
    for (uint32_t turn = 1; turn <= pair->count; turn++) {
        wait_for_turn(&pair->pong, turn);
        give_turn(&pair->ping);
    }
    return NULL;
}

enum qn_status wakeup_measure(uint32_t count, struct histogram *wake_ns, struct qn_error *error)
{
    struct pair pair = {.count = count};
    pthread_t thread;

    CPU_ZERO(&pair.allowed);
    (void)sched_getaffinity(0, sizeof pair.allowed, &pair.allowed);
    waiter_init(&pair.ping.waiter);
    waiter_init(&pair.pong.waiter);
    enum qn_status status = thread_start(&thread, "pong", pong_run, &pair, error);
    if (status != QN_STATUS_OK)
        return status;
    pin(&pair.allowed, 0);
    for (uint32_t turn = 1; turn <= count; turn++) {
        uint64_t began_ns = roundtrip_now_ns();
        give_turn(&pair.pong);
        wait_for_turn(&pair.ping, turn);
        histogram_add(wake_ns, (roundtrip_now_ns() - began_ns) / 2);
    }
    (void)sched_setaffinity(0, sizeof pair.allowed, &pair.allowed);
    (void)pthread_join(thread, NULL);
    return QN_STATUS_OK;
}
