/* SPDX-License-Identifier: Apache-2.0
 * The ring among threads, and the waiter that its consumers sleep on. */
#include "base/check.h"
#include "base/clock.h"
#include "base/ring.h"
#include "tests/test.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void a_full_ring_refuses_and_an_empty_one_gives_nothing(void **state)
{
    struct ring ring;
    int items[8];

    (void)state;
    assert_int_equal(ring_init(&ring, 4, NULL), QN_STATUS_OK);
    for (int round = 0; round < 10; round++) {
        assert_null(ring_pop(&ring));
        for (int i = 0; i < 4; i++)
            assert_true(ring_push(&ring, &items[i]));
        assert_false(ring_push(&ring, &items[4]));
        assert_int_equal(ring_count(&ring), 4);
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(ring_pop(&ring), &items[i]);
        assert_int_equal(ring_count(&ring), 0);
    }
    ring_done(&ring);
}

enum { PRODUCERS = 3, CONSUMERS = 3, PER_PRODUCER = 50000, SLOTS = 64 };

/* Items are numbers: producer << 32 | sequence, plus 1 so that none is NULL. */
struct crowd {
    struct ring ring;
    struct waiter waiter;
    atomic_uint_fast64_t taken;
    atomic_uchar seen[PRODUCERS][PER_PRODUCER];
    atomic_bool out_of_order;
};

struct producer {
    struct crowd *crowd;
    uint64_t number;
};

static void *produce(void *owner)
{
    struct producer *producer = owner;

    for (uint64_t i = 0; i < PER_PRODUCER; i++)
        while (!ring_push(&producer->crowd->ring,
                          (void *)(uintptr_t)((producer->number << 32 | i) + 1)))
            (void)usleep(50);
    return NULL;
}

static int crowd_ready(void *owner)
{
    struct crowd *crowd = owner;

    return ring_count(&crowd->ring) > 0 || atomic_load(&crowd->taken) == PRODUCERS * PER_PRODUCER;
}

static void *consume(void *owner)
{
    struct crowd *crowd = owner;
    int64_t last[PRODUCERS] = {-1, -1, -1};

    while (atomic_load(&crowd->taken) < PRODUCERS * PER_PRODUCER) {
        void *item = ring_pop(&crowd->ring);
        if (item == NULL) {
            (void)waiter_wait_until(&crowd->waiter, crowd_ready, crowd, WAITER_FOREVER);
            continue;
        }
        uint64_t word = (uint64_t)(uintptr_t)item - 1;
        int64_t sequence = (int64_t)(word & UINT32_MAX);
        if (sequence <= last[word >> 32])
            atomic_store(&crowd->out_of_order, true);
        last[word >> 32] = sequence;
        atomic_fetch_add(&crowd->seen[word >> 32][sequence], 1);
        if (atomic_fetch_add(&crowd->taken, 1) + 1 == PRODUCERS * PER_PRODUCER)
            waiter_wake(&crowd->waiter);
    }
    return NULL;
}

static void each_item_is_taken_once_and_a_producers_items_in_order(void **state)
{
    struct crowd *crowd = aligned_alloc(64, (sizeof *crowd + 63) / 64 * 64);
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS + CONSUMERS];

    (void)state;
    assert_non_null(crowd);
    *crowd = (struct crowd){.out_of_order = false};
    waiter_init(&crowd->waiter);
    assert_int_equal(ring_init(&crowd->ring, SLOTS, &crowd->waiter), QN_STATUS_OK);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, consume, crowd), 0);
    for (uint64_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){crowd, i};
        assert_int_equal(pthread_create(&threads[CONSUMERS + i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < PRODUCERS; i++)
        for (size_t j = 0; j < PER_PRODUCER; j++)
            assert_int_equal(crowd->seen[i][j], 1);
    assert_false(crowd->out_of_order);
    ring_done(&crowd->ring);
    free(crowd);
}

/* ---- waiter ---- */

static int never(void *owner)
{
    (void)owner;
    return 0;
}

static void waiting_ends_with_its_deadline(void **state)
{
    struct waiter waiter;
    struct clock clock = clock_monotonic();
    uint64_t start_us = clock_now_us(&clock);

    (void)state;
    waiter_init(&waiter);
    assert_false(waiter_wait_until(&waiter, never, NULL, start_us + 20000));
    assert_true(clock_now_us(&clock) >= start_us + 20000);
    assert_true(clock_now_us(&clock) < start_us + 2000000);
    assert_int_equal(waiter.sleepers, 0);
}

struct sleeper {
    struct waiter waiter;
    atomic_bool ready;
};

static int sleeper_ready(void *owner)
{
    struct sleeper *sleeper = owner;

    return atomic_load(&sleeper->ready);
}

static void *wake_later(void *owner)
{
    struct sleeper *sleeper = owner;

    (void)usleep(30000);
    atomic_store(&sleeper->ready, true);
    waiter_wake(&sleeper->waiter);
    return NULL;
}

static void a_sleeper_is_woken(void **state)
{
    struct sleeper sleeper = {.ready = false};
    struct clock clock = clock_monotonic();
    uint64_t start_us = clock_now_us(&clock);
    pthread_t thread;

    (void)state;
    waiter_init(&sleeper.waiter);
    assert_int_equal(pthread_create(&thread, NULL, wake_later, &sleeper), 0);
    assert_true(waiter_wait_until(&sleeper.waiter, sleeper_ready, &sleeper, start_us + 10000000));
    assert_true(clock_now_us(&clock) < start_us + 5000000);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_wake_between_prepare_and_wait_is_not_lost(void **state)
{
    struct waiter waiter;
    struct clock clock = clock_monotonic();

    (void)state;
    waiter_init(&waiter);
    uint32_t ticket = waiter_prepare(&waiter);
    waiter_wake(&waiter);
    uint64_t start_us = clock_now_us(&clock);
    waiter_wait(&waiter, ticket, 10000000);
    assert_true(clock_now_us(&clock) < start_us + 5000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_ring_refuses_and_an_empty_one_gives_nothing),
        cmocka_unit_test(each_item_is_taken_once_and_a_producers_items_in_order),
        cmocka_unit_test(waiting_ends_with_its_deadline),
        cmocka_unit_test(a_sleeper_is_woken),
        cmocka_unit_test(a_wake_between_prepare_and_wait_is_not_lost),
    };

    return cmocka_run_group_tests_name("base_ring", tests, NULL, NULL);
}
