/* SPDX-License-Identifier: Apache-2.0
 * A call of the library that sleeps on a waiter is a paused fiber and an event on the timeline. A
 * wake moves the event forward: the thread has its turn a little later, as by a scheduler, so that
 * calls which are woken at once go on in any order. Nothing but an event resumes a fiber.
 *
 * The library is linked as it is in production. A wrapped symbol is one that its objects import:
 * what waiter.c calls in itself is not, hence waiter_wait_until is wrapped, too. Agents and the
 * coordinator never sleep here (they are polled); that they wake waiters, nobody hears. */
#include "tests/sim/seams.h"

#include "base/check.h"
#include "base/waiter.h"
#include "channel/codec.h"
#include "tests/sim/clock.h"
#include "tests/sim/world.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum {
    SEAMS_TURN_US = 20,        /* from a wake-up to the turn, at most */
    SEAMS_BUSY_US = 20000,     /* the same, when other threads have the core */
    SEAMS_BUSY_IN = 128,       /* one of so many turns */
    SEAMS_READS_MAX = 1000000, /* of the clock in one turn: no time passes, it spins */
    SEAMS_ROUSE_US = 60000000, /* the longest deadline of a search */
    SEAMS_FINISH_TURNS_MAX = 1000000,
};

struct seams_call {
    struct seams_call *next;
    struct fiber *fiber;
    struct process *process;
    struct prng *prng;
    const struct waiter *waiter; /* it sleeps on */
    uint64_t turns_count;        /* ever: events of an older turn are stale */
    uint64_t turn_at_us;         /* the next one; UINT64_MAX: none is planned */
};

/* There is one thread and one world at a time; calls are used again and never freed: events that
 * outlive them look at turns_count. */
static struct seams_call *calls, *free_calls;
static struct seams_call *running; /* on its fiber, now */
static struct process *opening;    /* its client is being opened */
static struct prng *opening_prng;
static uint64_t reads_count; /* of a client's clock, in this turn */

/* Calls and their turns */

static void retire(struct seams_call *call)
{
    struct seams_call **link = &calls;

    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    call->next = free_calls;
    free_calls = call;
}

/* run: its first turn. */
static void have_turn(struct seams_call *call, fiber_run *run, void *owner)
{
    CHECK(running == NULL);
    call->waiter = NULL;
    call->turns_count++;
    call->turn_at_us = UINT64_MAX;
    reads_count = 0;
    running = call;
    if (run != NULL)
        fiber_start(call->fiber, run, owner);
    else
        fiber_resume(call->fiber);
    running = NULL;
    if (fiber_is_at_rest(call->fiber))
        retire(call);
}

static void fire_turn(void *owner, uint64_t tag)
{
    struct seams_call *call = owner;

    if (call->waiter != NULL && call->turns_count == tag)
        have_turn(call, NULL, NULL);
}

/* Of a thread that could run now. */
static uint64_t draw_wait_us(struct seams_call *call)
{
    bool is_busy = prng_below(call->prng, SEAMS_BUSY_IN) == 0;

    return 1 + prng_below(call->prng, is_busy ? SEAMS_BUSY_US : SEAMS_TURN_US);
}

static void plan_turn(struct seams_call *call, uint64_t after_us)
{
    struct timeline *timeline = &call->process->world->timeline;

    if (timeline->now_us + after_us >= call->turn_at_us)
        return;
    call->turn_at_us = timeline->now_us + after_us;
    timeline_at(timeline, call->turn_at_us, fire_turn, call, call->turns_count);
}

static struct seams_call *new_call(void)
{
    struct seams_call *call = free_calls;

    if (call != NULL) {
        free_calls = call->next;
        return call;
    }
    call = calloc(1, sizeof *call);
    CHECK(call != NULL);
    call->fiber = fiber_new();
    return call;
}

void seams_call(struct process *process, struct prng *prng, fiber_run *run, void *owner)
{
    struct seams_call *call = new_call();

    call->process = process;
    call->prng = prng;
    call->next = calls;
    calls = call;
    have_turn(call, run, owner);
}

static struct seams_call *next_call(const struct process *process)
{
    struct seams_call *next = NULL;

    for (struct seams_call *call = calls; call != NULL; call = call->next)
        if (call->process == process && (next == NULL || call->turn_at_us < next->turn_at_us))
            next = call;
    return next;
}

/* K6: nothing but a wake would end its sleep. Waiters may wake for no reason, and then it is late.
 */
static void rouse(struct seams_call *call)
{
    world_fail(call->process->world, "K6", "a call of %s sleeps, and has no deadline",
               call->process->name);
    call->turn_at_us = call->process->world->timeline.now_us + SEAMS_ROUSE_US;
}

void seams_finish(struct process *process)
{
    struct timeline *timeline = &process->world->timeline;
    struct seams_call *call;

    for (uint32_t turns = 0; (call = next_call(process)) != NULL; turns++) {
        CHECK(turns < SEAMS_FINISH_TURNS_MAX);
        if (call->turn_at_us == UINT64_MAX)
            rouse(call);
        if (timeline->now_us < call->turn_at_us)
            timeline->now_us = call->turn_at_us;
        have_turn(call, NULL, NULL);
    }
}

/* Sleeping and waking */

void __wrap_waiter_wait(struct waiter *waiter, uint32_t ticket, uint64_t timeout_us);
void __wrap_waiter_wake(struct waiter *waiter);
int __wrap_waiter_wait_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                             uint64_t deadline_us);

void __wrap_waiter_wait(struct waiter *waiter, uint32_t ticket, uint64_t timeout_us)
{
    struct seams_call *call = running;

    CHECK(call != NULL); /* the world itself would sleep */
    if (atomic_load(&waiter->sequence) == ticket && timeout_us > 0) {
        call->waiter = waiter;
        if (timeout_us != WAITER_FOREVER)
            plan_turn(call, timeout_us + draw_wait_us(call));
        fiber_pause();
    }
    waiter_cancel(waiter);
}

void __wrap_waiter_wake(struct waiter *waiter)
{
    if (atomic_load(&waiter->sleepers) == 0)
        return;
    (void)atomic_fetch_add(&waiter->sequence, 1);
    for (struct seams_call *call = calls; call != NULL; call = call->next)
        if (call->waiter == waiter)
            plan_turn(call, draw_wait_us(call));
}

int __wrap_waiter_wait_until(struct waiter *waiter, int (*ready)(void *owner), void *owner,
                             uint64_t deadline_us)
{
    CHECK(running != NULL);
    struct clock clock = sim_clock_of(running->process);
    uint64_t now_us;

    while (!ready(owner) && (now_us = clock_now_us(&clock)) < deadline_us)
        __wrap_waiter_wait(waiter, waiter_prepare(waiter),
                           deadline_us == WAITER_FOREVER ? WAITER_FOREVER : deadline_us - now_us);
    return ready(owner);
}

/* Clock, bus, randomness: of the process whose client is being opened */

struct clock __real_clock_monotonic(void);
struct clock __wrap_clock_monotonic(void);
enum qn_status __wrap_transport_open(const char *url, const char *name, uint64_t connect_ms,
                                     struct transport *ret_transport, struct qn_error *error);
ssize_t __real_getrandom(void *bytes, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);

static uint64_t client_now_us(void *self)
{
    struct clock clock = sim_clock_of(self);

    CHECK(++reads_count < SEAMS_READS_MAX);
    return clock_now_us(&clock);
}

struct clock __wrap_clock_monotonic(void)
{
    if (opening == NULL)
        return __real_clock_monotonic();
    return (struct clock){.now_us = client_now_us, .self = opening};
}

enum qn_status __wrap_transport_open(const char *url, const char *name, uint64_t connect_ms,
                                     struct transport *ret_transport, struct qn_error *error)
{
    (void)name;
    (void)connect_ms;
    (void)error;
    CHECK(opening != NULL && strcmp(url, "sim://world") == 0);
    *ret_transport = net_transport(opening);
    return QN_STATUS_OK;
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
    if (opening == NULL)
        return __real_getrandom(bytes, size, flags);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)prng_below(opening_prng, 256);
    return (ssize_t)size;
}

enum qn_status seams_open(struct process *process, struct prng *prng, struct qn_client **ret_client)
{
    struct qn_client_options options = {.url = "sim://world", .cluster = WORLD_CLUSTER};

    opening = process;
    opening_prng = prng;
    enum qn_status status = qn_client_open(&options, ret_client, NULL);
    opening = NULL;
    return status;
}

/* K7: what the library is asked to send can be encoded. */

enum qn_status __real_codec_encode(const struct message *message, struct arena *arena,
                                   const uint8_t **ret_bytes, size_t *ret_size,
                                   struct qn_error *error);
enum qn_status __wrap_codec_encode(const struct message *message, struct arena *arena,
                                   const uint8_t **ret_bytes, size_t *ret_size,
                                   struct qn_error *error);

enum qn_status __wrap_codec_encode(const struct message *message, struct arena *arena,
                                   const uint8_t **ret_bytes, size_t *ret_size,
                                   struct qn_error *error)
{
    enum qn_status status = __real_codec_encode(message, arena, ret_bytes, ret_size, error);

    if (status != QN_STATUS_OK && running != NULL)
        world_fail(running->process->world, "K7", "%s cannot encode %s: %s", running->process->name,
                   message_kind_name(message->kind), qn_status_name(status));
    return status;
}
