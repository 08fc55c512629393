/* SPDX-License-Identifier: Apache-2.0
 * How much of a list fits a message, and that what is measured is what is sent. */
#include "tests/test.h"

#include "channel/codec.h"
#include "channel/paging.h"
#include "tests/golden/samples.h"

struct list {
    const size_t *bytes; /* of each item */
    size_t head_bytes, questions_count;
};

static size_t size(void *owner, size_t count)
{
    struct list *list = owner;
    size_t bytes = list->head_bytes;

    list->questions_count++;
    for (size_t i = 0; i < count; i++)
        bytes += list->bytes[i];
    return bytes;
}

static void what_is_measured_is_what_is_sent(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < SAMPLES_COUNT; i++) {
        struct message message = samples_at(i);
        const uint8_t *bytes;
        size_t encoded_bytes;
        arena_reset(&arena);
        assert_int_equal(codec_encode(&message, &arena, &bytes, &encoded_bytes, NULL), 0);
        assert_int_equal(codec_size(&message, &arena), encoded_bytes);
    }
    arena_done(&arena);
}

static void pages_are_full_and_never_too_long(void **state)
{
    static size_t bytes[4096];

    (void)state;
    for (size_t i = 0; i < 4096; i++)
        bytes[i] = 90 + i % 7;
    for (size_t most = 200; most < 20000; most += 37) {
        struct list list = {.bytes = bytes, .head_bytes = 100};
        size_t count = paging_fit(4096, most, size, &list);
        assert_true(list.questions_count < 10);
        assert_true(count >= 1 && size(&list, count) <= most);
        assert_true(size(&list, count + 2 + count / 16) > most);
    }
}

static void an_item_that_does_not_fit_has_a_page_of_its_own(void **state)
{
    const size_t bytes[] = {500, 10, 10};
    struct list list = {.bytes = bytes};

    (void)state;
    assert_int_equal(paging_fit(3, 100, size, &list), 1);
    assert_int_equal(paging_fit(3, 520, size, &list), 3);
    assert_int_equal(paging_fit(0, 520, size, &list), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_measured_is_what_is_sent),
        cmocka_unit_test(pages_are_full_and_never_too_long),
        cmocka_unit_test(an_item_that_does_not_fit_has_a_page_of_its_own),
    };

    return cmocka_run_group_tests_name("channel_paging", tests, NULL, NULL);
}
