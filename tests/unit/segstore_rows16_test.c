/* SPDX-License-Identifier: Apache-2.0
 * Segments whose rows are halves: what is written is loaded to the byte, every search gives the
 * bits of the same rows as floats, and damage is named. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "segstore/half.h"
#include "segstore/kernels/kernels.h"
#include "segstore/verify.h"
#include "segstore/writer.h"
#include "tests/unit/segstore_fixture.h"
#include "tests/unit/segstore_index_fixture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NQ = 11, ROWS = 600, DIM = 21 };

/* The same rows three times: flat, with an index, and with that index and as halves. */
struct world {
    struct pair pair;
    struct fixture_file file;
    struct fixture_port port;
    struct segment_facts facts;
    struct segment *loaded;
};

static float *rounded_rows(uint64_t rows_count, uint32_t dim)
{
    float *rows = pair_rows(rows_count, dim, 5);

    assert_int_equal(half_round(rows, rows_count * dim), rows_count * dim);
    return rows;
}

static void world_make(struct world *world, enum qn_metric metric, enum index_kind kind)
{
    const struct index_options options = {.kind = kind, .ivf.code_bits = 4, .threads = 2};
    struct qn_error error = {0};

    *world = (struct world){.facts = fixture_facts(ROWS, DIM, metric)};
    world->pair = pair_make(&world->facts, rounded_rows(ROWS, DIM), NQ, &options);
    const struct writer_index index = {.bytes = world->pair.built.section,
                                       .size = world->pair.built.section_bytes,
                                       .row_bits = 16};
    fixture_build_indexed(&world->file, &world->facts, index, world->pair.ordered_keys,
                          world->pair.ordered);
    world->port = (struct fixture_port){.file = &world->file, .fail_at = -1};
    world->loaded = fixture_load(&world->port, &world->facts, &error);
    if (world->loaded == NULL)
        fail_msg("%s", error.text);
}

static void world_free(struct world *world)
{
    segment_free(world->loaded);
    assert_int_equal(world->port.mapped_bytes, 0);
    fixture_file_free(&world->file);
    pair_free(&world->pair);
}

static void assert_same(const struct world *world, const struct segment *expected_of,
                        struct search_options options)
{
    struct found expected = pair_search(&world->pair, expected_of, options);
    struct found found = pair_search(&world->pair, world->loaded, options);

    found_assert_same(&found, &expected, world->pair.nq);
    found_free(&expected);
    found_free(&found);
}

static void it_is_loaded_as_it_was_written(void **state)
{
    struct files files;
    struct format_header header;
    struct world world;

    (void)state;
    world_make(&world, QN_METRIC_L2, INDEX_IVF);
    files = fixture_files(&world.port);
    assert_int_equal(verify_file(&files, "memory.qseg", &header, NULL), QN_STATUS_OK);
    assert_int_equal(header.sections[1].kind, 7);
    assert_string_equal(format_kind_name(7), "rows16");
    assert_int_equal(header.sections[1].flags, FORMAT_SECTION_RESIDENT);
    assert_int_equal(header.sections[1].bytes, ROWS * DIM * 2);
    assert_int_equal(format_values_kind(&header), FORMAT_KIND_ROWS16);
    assert_int_equal(format_row_bits(&header), 16);
    /* What is admitted is what is mapped. */
    assert_int_equal(world.port.mapped_bytes, header.facts.resident_bytes);
    assert_int_equal(header.facts.resident_bytes,
                     format_padded(ROWS * 8) + format_padded(ROWS * DIM * 2) +
                         format_padded(world.pair.built.section_bytes));
    assert_true(world.loaded->rows == NULL && world.loaded->blocks == NULL);
    for (size_t i = 0; i < (size_t)ROWS * DIM; i++)
        assert_true(half_to_float(world.loaded->rows16[i]) == world.pair.ordered[i]);
    world_free(&world);
}

/* By tiles of queries and one by one, by the index and without it. */
static void every_search_has_the_bits_of_the_same_rows_as_floats(void **state)
{
    static const enum qn_metric metrics[] = {QN_METRIC_L2, QN_METRIC_IP};
    static const enum index_kind kinds[] = {INDEX_IVF, INDEX_GRAPH};
    struct world world;

    (void)state;
    for (size_t m = 0; m < COUNT_OF(metrics); m++)
        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
            world_make(&world, metrics[m], kinds[i]);
            for (uint32_t nq = 1; nq <= NQ; nq += NQ - 1) {
                const uint32_t all = world.pair.nq;
                world.pair.nq = nq;
                assert_same(&world, &world.pair.flat, (struct search_options){.k = 40});
                for (uint32_t effort = 1; effort <= 64; effort *= 8)
                    assert_same(&world, &world.pair.indexed,
                                (struct search_options){
                                    .k = 10, .nprobe = effort, .ef = effort, .refine = 37});
                assert_same(&world, &world.pair.indexed,
                            (struct search_options){.k = 10, .recall = 0.9F});
                world.pair.nq = all;
            }
            world_free(&world);
        }
}

static void every_kernel_finds_the_same(void **state)
{
    const struct kernels *tables[8];
    size_t tables_count = kernels_supported(tables, COUNT_OF(tables));
    struct world world;

    (void)state;
    world_make(&world, QN_METRIC_L2, INDEX_IVF);
    for (size_t t = 0; t < tables_count; t++) {
        assert_int_equal(kernels_choose(tables[t]->name, NULL), QN_STATUS_OK);
        assert_same(&world, &world.pair.flat, (struct search_options){.k = 10});
        assert_same(&world, &world.pair.indexed,
                    (struct search_options){.k = 10, .nprobe = 9, .refine = 50});
    }
    assert_int_equal(kernels_choose(NULL, NULL), QN_STATUS_OK);
    world_free(&world);
}

/* By verify and by the loader, in the same words. */
static void assert_refused(struct fixture_port *port, const struct segment_facts *facts,
                           const char *words)
{
    struct files files = fixture_files(port);
    struct format_header header;
    struct qn_error verified = {0}, loaded = {0};

    assert_int_equal(verify_file(&files, "memory.qseg", &header, &verified), QN_STATUS_CORRUPT);
    if (strncmp(verified.text, words, strlen(words)) != 0)
        fail_msg("%s, expected %s", verified.text, words);
    assert_null(fixture_load(port, facts, &loaded));
    assert_string_equal(loaded.text, verified.text);
    assert_int_equal(port->mapped_bytes, 0);
}

static void damage_is_named(void **state)
{
    static const uint16_t bad[] = {0x7c00, 0xfc00, 0x7e01};
    enum { MANY = 30000 }; /* several pieces */
    struct segment_facts facts = fixture_facts(MANY, DIM, QN_METRIC_L2);
    static const uint8_t section[64];
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};
    struct format_header header;
    char words[100];

    (void)state;
    float *rows = rounded_rows(MANY, DIM);
    fixture_build_indexed(&file, &facts, (struct writer_index){section, sizeof section, 16}, NULL,
                          rows);
    assert_int_equal(format_decode(file.bytes, &header, NULL), QN_STATUS_OK);
    const uint64_t rows_at = header.sections[1].offset;
    for (uint64_t i = 0; i < 50; i++) {
        const uint64_t at = rows_at + i * (format_padded(MANY * DIM * 2) - 1) / 49;
        file.bytes[at] ^= 4;
        assert_refused(&port, &facts, "memory.qseg: section rows16: checksum ");
        file.bytes[at] ^= 4;
    }
    for (uint64_t i = 0; i < COUNT_OF(bad); i++) {
        const uint64_t row = i * 14997, value = 3 + i;
        uint8_t *place = file.bytes + rows_at + (row * DIM + value) * 2, kept[2];
        memcpy(kept, place, 2);
        memcpy(place, &bad[i], 2);
        fixture_reseal(&file, &header);
        (void)snprintf(words, sizeof words,
                       "memory.qseg: section rows16: row %d: value %d is not finite", (int)row,
                       (int)value);
        assert_refused(&port, &header.facts, words);
        memcpy(place, kept, 2);
    }
    fixture_file_free(&file);
    free(rows);
}

/* The kinds of sections as a header may not have them. */
static void headers_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        uint32_t kinds[4], sections_count;
        const char *words;
    } cases[] = {
        {{1, 7}, 2, "there are either vectors, or rows and an index"},
        {{1, 7, 4, 6}, 4, "there are either vectors, or rows and an index"},
        {{1, 7, 4, 2}, 4, "there are either vectors, or rows and an index"},
        {{1, 7, 7, 4}, 4, "section kind 7 stands twice"},
        {{7, 4}, 2, "primary_keys or vectors is missing"},
        {{1, 4}, 2, "primary_keys or vectors is missing"},
        {{1, 8, 4}, 3, "section kind 8 (unknown) is not supported"},
    };
    static const uint64_t bytes[] = {0, 5 * 8, 16 * 3 * 4, 0, 64, 0, 5 * 3 * 4, 5 * 3 * 2, 64};

    (void)state;
    for (size_t i = 0; i <= COUNT_OF(cases) + 1; i++) {
        struct format_header header = {.facts = fixture_facts(5, 3, QN_METRIC_L2)}, decoded;
        uint8_t page[FORMAT_PAGE_BYTES];
        struct qn_error error = {0};
        const char *words = "section header: rows16 has 60 bytes, rows and dim say 30";
        format_layout(&header, 64, 16);
        if (i < COUNT_OF(cases)) {
            words = cases[i].words;
            header.sections_count = cases[i].sections_count;
            header.file_bytes = FORMAT_PAGE_BYTES;
            for (uint32_t s = 0; s < header.sections_count; s++) {
                header.sections[s] = (struct format_section){.kind = cases[i].kinds[s],
                                                             .flags = FORMAT_SECTION_RESIDENT,
                                                             .offset = header.file_bytes,
                                                             .bytes = bytes[cases[i].kinds[s]]};
                header.file_bytes += FORMAT_PAGE_BYTES;
            }
            header.facts.resident_bytes = header.file_bytes - FORMAT_PAGE_BYTES;
        } else if (i == COUNT_OF(cases)) {
            header.sections[1].bytes = 60;
        } else {
            header.sections[1].flags = FORMAT_SECTION_SKIPPABLE;
            words = "section header: rows16 is not resident";
        }
        header.facts.content_hash = format_content_hash(&header);
        format_encode(&header, page);
        assert_int_not_equal(format_decode(page, &decoded, &error), QN_STATUS_OK);
        if (strstr(error.text, words) == NULL)
            fail_msg("case %zu: %s", i, error.text);
    }
}

static enum qn_status write_nowhere(void *self, uint64_t offset, const void *bytes, size_t size,
                                    struct qn_error *error)
{
    (void)self, (void)offset, (void)bytes, (void)size, (void)error;
    return QN_STATUS_OK;
}

static void the_writer_takes_halves_only(void **state)
{
    static const float bad[] = {0.1F, 65536, 1e-9F, (float)INFINITY, (float)-NAN};
    static const uint8_t section[64];
    const int64_t keys[] = {1, 2};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct segment_facts facts = fixture_facts(2, 3, QN_METRIC_L2);
        struct writer_sink sink = {.write_at = write_nowhere};
        struct writer *writer = NULL;
        struct qn_error error = {0};
        const float rows[] = {1, 2, 3, 4, 5, bad[i]};
        assert_int_equal(writer_open_indexed(&facts,
                                             (struct writer_index){section, sizeof section, 16},
                                             sink, &writer, &error),
                         QN_STATUS_OK);
        assert_int_equal(writer_append(writer, keys, rows, 2, &error), QN_STATUS_INVALID);
        assert_string_equal(error.text, "row 1: value 2 is no half float");
        writer_free(writer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_loaded_as_it_was_written),
        cmocka_unit_test(every_search_has_the_bits_of_the_same_rows_as_floats),
        cmocka_unit_test(every_kernel_finds_the_same),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(headers_that_make_no_sense_are_refused),
        cmocka_unit_test(the_writer_takes_halves_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
