/* SPDX-License-Identifier: Apache-2.0
 * Pins and draining, the store's table, and placement. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/prng.h"
#include "segstore/store.h"
#include "tests/unit/segstore_fixture.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static void count_drained(void *owner, struct segment *segment)
{
    (void)segment;
    (void)atomic_fetch_add((_Atomic int *)owner, 1);
}

static struct segment *bare_segment(int64_t segment_id)
{
    struct segment *segment = calloc(1, sizeof *segment);

    assert_non_null(segment);
    segment->facts.segment_id = segment_id;
    segment->facts.resident_bytes = 4096;
    return segment;
}

static void draining_without_readers_ends_at_once(void **state)
{
    struct segment *segment = bare_segment(1);
    _Atomic int drained = 0;

    (void)state;
    segment_drain(segment, count_drained, &drained);
    assert_int_equal(drained, 1);
    segment_free(segment);
}

static void draining_waits_for_the_last_reader(void **state)
{
    struct segment *segment = bare_segment(1);
    _Atomic int drained = 0;

    (void)state;
    segment_pin(segment);
    segment_pin(segment);
    assert_int_equal(segment_pins_count(segment), 2);
    segment_drain(segment, count_drained, &drained);
    segment_unpin(segment);
    assert_int_equal(drained, 0);
    assert_int_equal(segment_pins_count(segment), 1);
    segment_unpin(segment);
    assert_int_equal(drained, 1);
    segment_free(segment);
}

static void an_undrained_segment_serves_again(void **state)
{
    struct segment *segment = bare_segment(1);
    _Atomic int drained = 0;

    (void)state;
    segment_pin(segment);
    segment_drain(segment, count_drained, &drained);
    assert_false(segment_undrain(segment)); /* its reader had not left: no news will come */
    segment_pin(segment);
    segment_unpin(segment);
    segment_unpin(segment);
    assert_int_equal(drained, 0);
    segment_drain(segment, count_drained, &drained);
    assert_int_equal(drained, 1);
    assert_true(segment_undrain(segment)); /* the news has come */
    segment_pin(segment);
    segment_unpin(segment);
    segment_drain(segment, count_drained, &drained);
    assert_int_equal(drained, 2);
    segment_free(segment);
}

struct readers {
    struct segment *segment;
    _Atomic int to_unpin;
};

static void *unpin_all(void *owner)
{
    struct readers *readers = owner;

    for (;;) {
        int left = atomic_load(&readers->to_unpin);
        if (left < 0)
            return NULL;
        if (left > 0 && atomic_compare_exchange_strong(&readers->to_unpin, &left, left - 1))
            segment_unpin(readers->segment);
    }
}

static void the_last_of_many_readers_reports_exactly_once(void **state)
{
    struct readers readers = {.segment = bare_segment(1)};
    _Atomic int drained = 0;
    pthread_t threads[3];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, unpin_all, &readers), 0);
    for (int round = 1; round <= 300; round++) {
        for (int i = 0; i < 5; i++) {
            segment_pin(readers.segment);
            (void)atomic_fetch_add(&readers.to_unpin, 1);
        }
        segment_drain(readers.segment, count_drained, &drained);
        while (atomic_load(&drained) < round) {
        }
        assert_int_equal(segment_pins_count(readers.segment), 0);
        assert_int_equal(drained, round);
        assert_true(segment_undrain(readers.segment));
    }
    atomic_store(&readers.to_unpin, -1);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    segment_free(readers.segment);
}

static void the_store_finds_what_it_holds_and_nothing_else(void **state)
{
    enum { IDS = 3000 };
    struct store *store = store_new();
    static bool held[IDS];
    struct prng prng;
    size_t count = 0;

    (void)state;
    assert_non_null(store);
    prng_init(&prng, 4);
    for (int step = 0; step < 40000; step++) {
        /* Ids that are far apart and collide in their low bits. */
        uint64_t number = prng_below(&prng, IDS);
        int64_t id = ((int64_t)number - IDS / 2) * (1 << 20);
        struct segment *segment = store_find(store, id);
        assert_int_equal(segment != NULL, held[number]);
        if (segment != NULL) {
            assert_int_equal(segment->facts.segment_id, id);
            assert_ptr_equal(store_remove(store, id), segment);
            free(segment);
        } else {
            assert_null(store_remove(store, id));
            assert_true(store_insert(store, bare_segment(id)));
        }
        count = held[number] ? count - 1 : count + 1;
        held[number] = !held[number];
        assert_int_equal(store_count(store), count);
        assert_int_equal(store_resident_bytes(store), 4096 * count);
    }
    size_t cursor = 0, seen = 0;
    while (store_next(store, &cursor) != NULL)
        seen++;
    assert_int_equal(seen, count);
    store_free(store);
}

static void a_full_store_refuses(void **state)
{
    struct store *store = store_new();

    (void)state;
    assert_non_null(store);
    for (int64_t id = 0; id < LIMIT_SEGMENTS_PER_NODE_MAX; id++)
        assert_true(store_insert(store, bare_segment(id)));
    struct segment *extra = bare_segment(-1);
    assert_false(store_insert(store, extra));
    free(extra);
    assert_null(store_find(store, -1));
    store_free(store);
    assert_null(store_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draining_without_readers_ends_at_once),
        cmocka_unit_test(draining_waits_for_the_last_reader),
        cmocka_unit_test(an_undrained_segment_serves_again),
        cmocka_unit_test(the_last_of_many_readers_reports_exactly_once),
        cmocka_unit_test(the_store_finds_what_it_holds_and_nothing_else),
        cmocka_unit_test(a_full_store_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
