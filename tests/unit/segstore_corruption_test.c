/* SPDX-License-Identifier: Apache-2.0
 * A flipped byte anywhere, or a file of any other length, is found; verify and the loader name the
 * section in the same words. */
#include "tests/test.h"

#include "base/check.h"
#include "base/error.h"
#include "segstore/verify.h"
#include "tests/unit/segstore_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAMAGES = 300, ROWS = 5000, DIM = 160 };

struct world {
    struct fixture_file file;
    struct segment_facts facts;
    struct format_header header;
    struct fixture_port port;
};

static int world_open(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    CHECK(world != NULL);
    world->facts = fixture_facts(ROWS, DIM, QN_METRIC_L2);
    fixture_build_random(&world->file, &world->facts, 1);
    CHECK(format_decode(world->file.bytes, &world->header, NULL) == QN_STATUS_OK);
    world->port = (struct fixture_port){.file = &world->file, .fail_at = -1};
    *state = world;
    return 0;
}

static int world_close(void **state)
{
    struct world *world = *state;

    fixture_file_free(&world->file);
    free(world);
    return 0;
}

/* The section that a byte of the file belongs to. */
static const char *section_at(const struct world *world, uint64_t offset)
{
    const char *name = "header";

    for (uint32_t i = 0; i < world->header.sections_count; i++)
        if (offset >= world->header.sections[i].offset)
            name = format_kind_name(world->header.sections[i].kind);
    return name;
}

static void assert_refused(struct world *world, const char *section)
{
    struct files files = fixture_files(&world->port);
    struct format_header header;
    struct qn_error verified = {0}, loaded = {0};
    char words[64];

    (void)snprintf(words, sizeof words, "memory.qseg: section %s: ", section);
    assert_int_equal(verify_file(&files, "memory.qseg", &header, &verified), QN_STATUS_CORRUPT);
    if (strncmp(verified.text, words, strlen(words)) != 0)
        fail_msg("%s does not begin with %s", verified.text, words);
    assert_null(fixture_load(&world->port, &world->facts, &loaded));
    assert_int_equal(loaded.status, verified.status);
    assert_string_equal(loaded.text, verified.text);
    assert_int_equal(world->port.open_count, 0);
    assert_int_equal(world->port.mapped_bytes, 0);
}

static void the_whole_file_is_good(void **state)
{
    struct world *world = *state;
    struct files files = fixture_files(&world->port);
    struct format_header header;

    assert_true(world->file.size > 3 << 20); /* several pieces */
    assert_int_equal(verify_file(&files, "memory.qseg", &header, NULL), QN_STATUS_OK);
    struct segment *segment = fixture_load(&world->port, &world->facts, NULL);
    assert_non_null(segment);
    segment_free(segment);
}

static void flip(struct world *world, uint64_t at, uint8_t bits)
{
    world->file.bytes[at] ^= bits;
    assert_refused(world, section_at(world, at));
    world->file.bytes[at] ^= bits;
}

static void a_flipped_byte_anywhere_is_found(void **state)
{
    struct world *world = *state;
    struct prng prng;

    prng_init(&prng, 2024);
    for (int i = 0; i < DAMAGES; i++) {
        uint64_t at = prng_below(&prng, world->file.size);
        flip(world, at, (uint8_t)(1 + prng_below(&prng, 255)));
    }
}

/* Random places rarely meet the small sections: header, keys, padding. */
static void a_flipped_byte_of_header_keys_or_padding_is_found(void **state)
{
    struct world *world = *state;
    struct prng prng;

    prng_init(&prng, 2025);
    for (int i = 0; i < DAMAGES; i++)
        flip(world, prng_below(&prng, world->header.sections[1].offset),
             (uint8_t)(1 + prng_below(&prng, 255)));
    for (uint32_t i = 0; i < world->header.sections_count; i++) {
        const struct format_section *section = &world->header.sections[i];
        uint64_t end = section->offset + format_padded(section->bytes);
        flip(world, section->offset, 1);
        flip(world, section->offset + section->bytes - 1, 128);
        flip(world, end - 1, 1);
    }
    flip(world, 0, 1);
    flip(world, 4095, 1);
}

static void a_cut_file_is_found_at_any_length(void **state)
{
    struct world *world = *state;
    uint64_t whole = world->file.size;
    struct prng prng;

    prng_init(&prng, 2026);
    for (int i = 0; i < DAMAGES; i++) {
        world->file.size = prng_below(&prng, i % 3 == 0 ? 60000 : whole);
        assert_refused(world, section_at(world, world->file.size));
    }
    for (uint64_t size = 0; size < 4; size++) {
        world->file.size = size * 4096;
        assert_refused(world, section_at(world, world->file.size));
    }
    world->file.size = whole - 1;
    assert_refused(world, "vectors");
    world->file.size = whole;
}

static void trailing_bytes_are_found(void **state)
{
    struct world *world = *state;
    struct files files = fixture_files(&world->port);
    struct format_header header;
    struct qn_error error = {0};

    CHECK(world->file.capacity >= world->file.size + 4096);
    world->file.size += 4096;
    assert_refused(world, "vectors");
    world->file.size -= 4095;
    assert_refused(world, "vectors");
    assert_int_equal(verify_file(&files, "memory.qseg", &header, &error), QN_STATUS_CORRUPT);
    assert_non_null(strstr(error.text, "vectors: 1 bytes follow the end of the file's"));
    world->file.size -= 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_file_is_good),
        cmocka_unit_test(a_flipped_byte_anywhere_is_found),
        cmocka_unit_test(a_flipped_byte_of_header_keys_or_padding_is_found),
        cmocka_unit_test(a_cut_file_is_found_at_any_length),
        cmocka_unit_test(trailing_bytes_are_found),
    };

    return cmocka_run_group_tests(tests, world_open, world_close);
}
