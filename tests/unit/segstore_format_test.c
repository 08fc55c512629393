/* SPDX-License-Identifier: Apache-2.0
 * The header page: what is written, what is refused, and that hostile bytes do no harm. */
#include "tests/test.h"

#include "base/check.h"
#include "base/hash.h"
#include "segstore/bytes.h"
#include "segstore/verify.h"
#include "tests/unit/segstore_fixture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECKSUM_AT = 4088, SECTIONS_AT = 128, ENTRY_BYTES = 48 };

static void reseal_page(uint8_t *page)
{
    bytes_put_u64(page + CHECKSUM_AT, hash64(page, CHECKSUM_AT));
}

static void the_header_lies_as_the_document_says(void **state)
{
    struct segment_facts facts = fixture_facts(100, 3, QN_METRIC_IP);
    struct fixture_file file;

    (void)state;
    fixture_build_random(&file, &facts, 1);
    assert_memory_equal(file.bytes, "\x89QSEG\r\n\x1a", 8);
    assert_int_equal(bytes_get_u32(file.bytes + 8), 1);
    assert_int_equal(bytes_get_u64(file.bytes + 24), 7);
    assert_int_equal(bytes_get_u64(file.bytes + 32), 3);
    assert_int_equal(bytes_get_u64(file.bytes + 40), 5);
    assert_int_equal(bytes_get_u64(file.bytes + 48), 100);
    assert_int_equal(bytes_get_u32(file.bytes + 56), 3);
    assert_int_equal(bytes_get_u32(file.bytes + 60), 2);
    assert_int_equal(bytes_get_u64(file.bytes + 64), 2);
    assert_int_equal(bytes_get_u64(file.bytes + 72), 4096 + 4096);
    assert_int_equal(bytes_get_u64(file.bytes + 80), 3 * 4096);
    assert_int_equal(file.size, 3 * 4096);
    assert_int_equal(bytes_get_u32(file.bytes + SECTIONS_AT + ENTRY_BYTES), 2);
    assert_int_equal(bytes_get_u64(file.bytes + SECTIONS_AT + ENTRY_BYTES + 8), 8192);
    assert_int_equal(bytes_get_u64(file.bytes + SECTIONS_AT + ENTRY_BYTES + 16), 7 * 16 * 3 * 4);
    uint64_t piece = hash64(file.bytes + 4096, 4096);
    assert_true(bytes_get_u64(file.bytes + SECTIONS_AT + 24) == hash64(&piece, sizeof piece));
    assert_true(bytes_get_u64(file.bytes + CHECKSUM_AT) == hash64(file.bytes, CHECKSUM_AT));
    fixture_file_free(&file);
}

static void encode_and_decode_are_inverse(void **state)
{
    struct format_header header = {.facts = fixture_facts(12345, 77, QN_METRIC_COSINE)};
    struct format_header decoded;
    uint8_t page[FORMAT_PAGE_BYTES];

    (void)state;
    header.facts.segment_id = INT64_MIN;
    header.compatible_flags = 0x80000001;
    format_layout(&header, 0, 32);
    header.sections[0].checksum = 1;
    header.sections[1].checksum = UINT64_MAX;
    header.facts.content_hash = format_content_hash(&header);
    format_encode(&header, page);
    memset(&decoded, 0, sizeof decoded);
    assert_int_equal(format_decode(page, &decoded, NULL), QN_STATUS_OK);
    assert_int_equal(decoded.facts.segment_id, INT64_MIN);
    assert_int_equal(decoded.facts.rows_count, 12345);
    assert_int_equal(decoded.facts.metric, QN_METRIC_COSINE);
    assert_int_equal(decoded.facts.resident_bytes, header.facts.resident_bytes);
    assert_int_equal(decoded.compatible_flags, 0x80000001);
    assert_memory_equal(decoded.sections, header.sections, sizeof decoded.sections);
    assert_true(qn_hash_equal(&decoded.facts.content_hash, &header.facts.content_hash));
}

static void the_content_hash_names_content_and_not_place(void **state)
{
    struct segment_facts facts = fixture_facts(100, 3, QN_METRIC_L2);
    struct segment_facts moved = facts, deleted = facts, other = facts;
    struct fixture_file file;

    (void)state;
    moved.segment_id = 99;
    moved.collection_id = 98;
    deleted.delete_generation++;
    fixture_build_random(&file, &facts, 1);
    fixture_file_free(&file);
    fixture_build_random(&file, &moved, 1);
    fixture_file_free(&file);
    fixture_build_random(&file, &deleted, 1);
    fixture_file_free(&file);
    fixture_build_random(&file, &other, 2);
    fixture_file_free(&file);
    assert_true(qn_hash_equal(&facts.content_hash, &moved.content_hash));
    assert_false(qn_hash_equal(&facts.content_hash, &deleted.content_hash));
    assert_false(qn_hash_equal(&facts.content_hash, &other.content_hash));
}

static void a_hostile_field_is_refused_by_name(void **state)
{
    static const struct {
        size_t at, bytes;
        uint64_t value;
        enum qn_status status;
        const char *words;
    } cases[] = {
        {8, 4, 2, QN_STATUS_UNSUPPORTED, "format version 2"},
        {12, 4, 8192, QN_STATUS_CORRUPT, "header bytes 8192"},
        {16, 4, 1, QN_STATUS_UNSUPPORTED, "unknown incompatible flags 00000001"},
        {48, 8, 101, QN_STATUS_CORRUPT, "primary_keys has"},
        {48, 8, UINT64_MAX, QN_STATUS_CORRUPT, "rows"},
        {48, 8, UINT64_C(1) << 40, QN_STATUS_CORRUPT, "primary_keys has"},
        {56, 4, 0, QN_STATUS_CORRUPT, "dim 0"},
        {56, 4, 32769, QN_STATUS_CORRUPT, "dim 32769"},
        {56, 4, UINT32_MAX, QN_STATUS_CORRUPT, "dim"},
        {60, 4, 0, QN_STATUS_UNSUPPORTED, "metric 0"},
        {60, 4, 4, QN_STATUS_UNSUPPORTED, "metric 4"},
        {64, 8, 3, QN_STATUS_CORRUPT, "content hash"},
        {72, 8, 4096, QN_STATUS_CORRUPT, "resident bytes"},
        {80, 8, UINT64_MAX, QN_STATUS_CORRUPT, "file"},
        {88, 4, 0, QN_STATUS_CORRUPT, "0 sections"},
        {88, 4, 1, QN_STATUS_CORRUPT, "1 sections"},
        {88, 4, 33, QN_STATUS_CORRUPT, "33 sections"},
        {88, 4, 3, QN_STATUS_CORRUPT, "section 2 at 0"},
        {92, 4, 8, QN_STATUS_CORRUPT, "8 rows per block"},
        {96, 1, 0x5a, QN_STATUS_CORRUPT, "content hash"},
        {SECTIONS_AT, 4, 2, QN_STATUS_CORRUPT, "vectors has"},
        {SECTIONS_AT, 4, 9, QN_STATUS_UNSUPPORTED, "section kind 9 (unknown)"},
        {SECTIONS_AT, 4, 5, QN_STATUS_UNSUPPORTED, "section kind 5 (deletes)"},
        {SECTIONS_AT + 4, 4, 0, QN_STATUS_CORRUPT, "primary_keys is not resident"},
        {SECTIONS_AT + 8, 8, 8192, QN_STATUS_CORRUPT, "section 0 at 8192"},
        {SECTIONS_AT + 8, 8, UINT64_MAX, QN_STATUS_CORRUPT, "section 0 at"},
        {SECTIONS_AT + 16, 8, UINT64_MAX, QN_STATUS_CORRUPT, "section 0 at"},
        {SECTIONS_AT + 16, 8, 799, QN_STATUS_CORRUPT, "primary_keys has 799"},
        {SECTIONS_AT + 24, 8, 1, QN_STATUS_CORRUPT, "content hash"},
    };
    struct segment_facts facts = fixture_facts(100, 3, QN_METRIC_L2);
    struct fixture_file file;

    (void)state;
    fixture_build_random(&file, &facts, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t page[FORMAT_PAGE_BYTES];
        uint8_t value[8];
        struct format_header header;
        struct qn_error error = {0};
        memcpy(page, file.bytes, sizeof page);
        bytes_put_u64(value, cases[i].value);
        memcpy(page + cases[i].at, value, cases[i].bytes);
        reseal_page(page);
        assert_int_equal(format_decode(page, &header, &error), cases[i].status);
        assert_true(strncmp(error.text, "section header: ", 16) == 0);
        if (strstr(error.text, cases[i].words) == NULL)
            fail_msg("case %zu: %s", i, error.text);
    }
    fixture_file_free(&file);
}

/* Random damage under a valid header checksum: decode gives a status, and what it accepts is sane.
 */
static void hostile_headers_do_no_harm(void **state)
{
    struct segment_facts facts = fixture_facts(100, 3, QN_METRIC_L2);
    struct fixture_file file;
    struct prng prng;

    (void)state;
    fixture_build_random(&file, &facts, 1);
    prng_init(&prng, 11);
    for (int round = 0; round < 100000; round++) {
        uint8_t page[FORMAT_PAGE_BYTES];
        struct format_header header;
        memcpy(page, file.bytes, sizeof page);
        for (uint64_t flips = 1 + prng_below(&prng, 6); flips > 0; flips--) {
            size_t at = 8 + prng_below(&prng, SECTIONS_AT + 3 * ENTRY_BYTES);
            page[at] = prng_below(&prng, 3) == 0 ? 0xff : (uint8_t)prng_next(&prng);
        }
        reseal_page(page);
        if (format_decode(page, &header, NULL) != QN_STATUS_OK)
            continue;
        assert_true(header.facts.dim == 3 && header.facts.rows_count == 100);
        assert_int_equal(header.file_bytes, file.size);
    }
    fixture_file_free(&file);
}

/* Adds a third section; returns its header, encoded into the file. */
static struct format_header add_section(struct fixture_file *file, uint32_t kind, uint32_t flags)
{
    struct format_header header;

    assert_int_equal(format_decode(file->bytes, &header, NULL), QN_STATUS_OK);
    header.sections[2] = (struct format_section){
        .kind = kind, .flags = flags, .offset = header.file_bytes, .bytes = 5000};
    header.sections_count = 3;
    header.file_bytes += 8192;
    if (flags & FORMAT_SECTION_RESIDENT)
        header.facts.resident_bytes += 8192;
    file->bytes = realloc(file->bytes, header.file_bytes);
    assert_non_null(file->bytes);
    memset(file->bytes + file->size, 0x33, header.file_bytes - file->size);
    file->size = header.file_bytes;
    fixture_reseal(file, &header);
    return header;
}

static void unknown_sections_are_skipped_when_they_say_so(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags < 4; flags++) {
        struct segment_facts facts = fixture_facts(100, 3, QN_METRIC_L2);
        struct fixture_file file;
        struct fixture_port port = {.file = &file, .fail_at = -1};
        struct qn_error error = {0};
        fixture_build_random(&file, &facts, 1);
        struct format_header header = add_section(&file, 1234, flags);
        struct segment *segment = fixture_load(&port, &header.facts, &error);
        if (flags & FORMAT_SECTION_SKIPPABLE) {
            assert_non_null(segment);
            assert_int_equal(port.mapped_bytes, header.facts.resident_bytes);
            assert_int_equal(segment->primary_keys[99], 99);
            segment_free(segment);
        } else {
            assert_null(segment);
            assert_int_equal(error.status, QN_STATUS_UNSUPPORTED);
        }
        assert_int_equal(port.mapped_bytes, 0);
        fixture_file_free(&file);
    }
}

static void verify_checks_sections_that_are_not_loaded(void **state)
{
    struct segment_facts facts = fixture_facts(100, 3, QN_METRIC_L2);
    struct fixture_file file;
    struct fixture_port port = {.file = &file, .fail_at = -1};
    struct files files = fixture_files(&port);
    struct qn_error error = {0};

    (void)state;
    fixture_build_random(&file, &facts, 1);
    struct format_header header = add_section(&file, 3, FORMAT_SECTION_SKIPPABLE);
    assert_int_equal(verify_file(&files, "memory.qseg", &header, &error), QN_STATUS_OK);
    file.bytes[file.size - 1] ^= 1;
    assert_int_equal(verify_file(&files, "memory.qseg", &header, &error), QN_STATUS_CORRUPT);
    assert_true(strncmp(error.text, "memory.qseg: section scalar_columns: checksum ", 46) == 0);
    segment_free(fixture_load(&port, &header.facts, NULL)); /* what it serves is whole */
    fixture_file_free(&file);
}

static void values_that_are_not_finite_are_found_by_row(void **state)
{
    static const uint32_t bits[] = {0x7fc00000, 0xff800000, 0x7f800001};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        struct segment_facts facts = fixture_facts(40000, 9, QN_METRIC_L2); /* two pieces */
        struct fixture_file file;
        struct fixture_port port = {.file = &file, .fail_at = -1};
        struct files files = fixture_files(&port);
        struct format_header header;
        struct qn_error verified = {0}, loaded = {0};
        fixture_build_random(&file, &facts, 1);
        assert_int_equal(format_decode(file.bytes, &header, NULL), QN_STATUS_OK);
        uint64_t row = 35000 + 7 * i, value = 2 + i;
        uint64_t index = row / 16 * 16 * 9 + value * 16 + row % 16;
        bytes_put_u32(file.bytes + header.sections[1].offset + 4 * index, bits[i]);
        fixture_reseal(&file, &header);
        assert_int_equal(verify_file(&files, "memory.qseg", &header, &verified), QN_STATUS_CORRUPT);
        char words[100];
        (void)snprintf(words, sizeof words,
                       "memory.qseg: section vectors: row %d: value %d is not finite", (int)row,
                       (int)value);
        assert_string_equal(verified.text, words);
        assert_null(fixture_load(&port, &header.facts, &loaded));
        assert_string_equal(loaded.text, words);
        assert_int_equal(port.mapped_bytes, 0);
        fixture_file_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_lies_as_the_document_says),
        cmocka_unit_test(encode_and_decode_are_inverse),
        cmocka_unit_test(the_content_hash_names_content_and_not_place),
        cmocka_unit_test(a_hostile_field_is_refused_by_name),
        cmocka_unit_test(hostile_headers_do_no_harm),
        cmocka_unit_test(unknown_sections_are_skipped_when_they_say_so),
        cmocka_unit_test(verify_checks_sections_that_are_not_loaded),
        cmocka_unit_test(values_that_are_not_finite_are_found_by_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
