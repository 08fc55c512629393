/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "tests/test.h"
#include <string.h>

static void the_cap_is_exact(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    assert_non_null(arena_alloc(&arena, 4000));
    assert_non_null(arena_alloc(&arena, 96));
    assert_null(arena_alloc(&arena, 1));
    assert_int_equal(arena.taken_bytes, 4096);
    assert_null(arena_alloc(&arena, 4097));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
    arena_done(&arena);
}

static void allocations_are_aligned_and_apart(void **state)
{
    struct arena arena;
    unsigned char *all[200];

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        all[i] = arena_alloc(&arena, 1 + i * 7);
        assert_non_null(all[i]);
        assert_int_equal((uintptr_t)all[i] % 16, 0);
        memset(all[i], (int)i, 1 + i * 7);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < 1 + i * 7; j++)
            assert_int_equal(all[i][j], i);
    arena_done(&arena);
}

static void a_reset_gives_all_but_the_first_chunk_back(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 3; round++) {
        assert_non_null(arena_alloc(&arena, 100));
        size_t first_bytes = arena.taken_bytes;
        assert_non_null(arena_alloc(&arena, 500 << 10));
        assert_true(arena.taken_bytes > 500 << 10);
        arena_reset(&arena);
        assert_int_equal(arena.taken_bytes, first_bytes);
    }
    arena_done(&arena);
    assert_int_equal(arena.taken_bytes, 0);
}

static void zeroed_memory_is_zeroed_when_used_again(void **state)
{
    struct arena arena;
    static const unsigned char zeros[64];

    (void)state;
    arena_init(&arena, 4096);
    memset(arena_alloc(&arena, 64), 0xff, 64);
    arena_reset(&arena);
    assert_memory_equal(arena_calloc(&arena, 4, 16), zeros, 64);
    arena_done(&arena);
}

static void a_copied_text_ends(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    assert_string_equal(arena_strndup(&arena, "segment", 3), "seg");
    assert_string_equal(arena_strndup(&arena, "", 0), "");
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cap_is_exact),
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(a_reset_gives_all_but_the_first_chunk_back),
        cmocka_unit_test(zeroed_memory_is_zeroed_when_used_again),
        cmocka_unit_test(a_copied_text_ends),
    };

    return cmocka_run_group_tests_name("base_arena", tests, NULL, NULL);
}
