/* SPDX-License-Identifier: Apache-2.0
 * The arrays of a graph: what is damaged is refused by name; a vector has the same code alone and
 * in a tile; principal directions are orthonormal whatever rows there are. */
#include "tests/test.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/prng.h"
#include "segstore/graph_space.h"
#include "segstore/kernels/kernels.h"
#include "segstore/principal.h"
#include "segstore/search.h"
#include "tests/unit/segstore_index_fixture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NQ = 30, ROWS = 500, DIM = 10, PROJECTED = 5 };

static struct pair make_pair(enum qn_metric metric, uint32_t projected)
{
    struct index_options options = {
        .kind = INDEX_GRAPH, .graph = {.degree = 8, .projected = projected}, .threads = 1};

    return pair_make(&(struct segment_facts){.metric = metric, .dim = DIM, .rows_count = ROWS},
                     pair_rows(ROWS, DIM, 6), NQ, &options);
}

struct damage {
    size_t at;
    uint32_t value;
    const char *text;
};

/* Each of them alone, on a copy. */
static void assert_refused(const struct pair *pair, const struct damage *damages, size_t count)
{
    const uint64_t bytes = pair->built.section_bytes;
    uint8_t *copy = aligned_alloc(SECTION_ALIGNMENT, bytes);
    struct qn_error error;
    struct index index;

    assert_non_null(copy);
    for (size_t i = 0; i < count; i++) {
        memcpy(copy, pair->built.section, bytes);
        memcpy(copy + damages[i].at, &damages[i].value, 4);
        memset(&error, 0, sizeof error);
        assert_int_equal(index_open(copy, bytes, &pair->flat.facts, &index, &error),
                         QN_STATUS_CORRUPT);
        if (strstr(error.text, damages[i].text) == NULL)
            print_message("%zu: %s\n", i, error.text);
        assert_non_null(strstr(error.text, damages[i].text));
    }
    free(copy);
}

static void a_damaged_header_is_refused(void **state)
{
    static const struct damage damages[] = {
        {8, 0, "section index: degree 0, 5 directions, 7 entries, 500 rows"},
        {8, 257, "degree 257"},
        {8, 9, "its shape says"},
        {12, 11, "11 directions"},
        {12, 0xffffffff, "4294967295 directions"},
        {12, 0, "its shape says"},
        {16, 0, "0 entries"},
        {16, 501, "501 entries"},
        {16, 4097, "4097 entries"},
        {24, 1, "its shape says"},
        {28, 1, "its shape says"},
        {32, 61, "61 calibrations"},
        {36, 0, "step 0"},
        {36, 0xbf800000, "step -1"},
        {36, 0x7fc00000, "step nan"},
        {36, 0x7f800000, "step inf"},
        {40, 0xbf800000, "longest row -1"},
        {40, 0x7fc00000, "longest row nan"},
        {40, 0x7f800000, "longest row inf"},
        {64, 0, "calibration 0"},
        {68, 0x7fc00000, "calibration 0"},
        {72, 0, "calibration 0"},
        {76, 0, "calibration 0"},
    };
    struct pair pair = make_pair(QN_METRIC_IP, PROJECTED);

    (void)state;
    assert_int_equal(pair.indexed.index.graph.shape.entries, 7);
    assert_true(pair.indexed.index.calibrations_count > 0);
    assert_refused(&pair, damages, COUNT_OF(damages));
    pair_free(&pair);
}

static size_t place_of(const struct pair *pair, const void *value)
{
    return (size_t)((const uint8_t *)value - (const uint8_t *)pair->built.section);
}

static void damaged_arrays_are_refused(void **state)
{
    struct pair pair = make_pair(QN_METRIC_L2, PROJECTED);
    const struct graph_section *graph = &pair.indexed.index.graph;
    const struct damage damages[] = {
        {place_of(&pair, &graph->links[0]), ROWS, "row 0 has a link to row 500"},
        {place_of(&pair, &graph->links[ROWS * 8 - 1]), UINT32_MAX,
         "row 499 has a link to row 4294967295"},
        {place_of(&pair, &graph->codes[0]), 128, "row 0: code 128"},
        {place_of(&pair, &graph->codes[ROWS * 32 - 4]), 0xff000000, "row 499: code 255"},
        {place_of(&pair, &graph->directions[3]), 0x7f800000, "directions: value 3 is not finite"},
        {place_of(&pair, &graph->directions[DIM * 16 - 1]), 0x7fc00000,
         "directions: value 159 is not finite"},
        {place_of(&pair, &graph->centres[0]), 0xff800000, "centres: value 0 is not finite"},
        {place_of(&pair, &graph->centres[31]), 0x7fc00000, "centres: value 31 is not finite"},
    };

    (void)state;
    assert_int_equal(graph->code_dims, 32);
    assert_refused(&pair, damages, COUNT_OF(damages));
    pair_free(&pair);
}

static void a_section_of_another_length_is_refused(void **state)
{
    struct pair pair = make_pair(QN_METRIC_L2, 0);
    struct segment_facts facts = pair.flat.facts;
    const uint64_t bytes = pair.built.section_bytes;
    struct qn_error error = {0};
    struct index index;

    (void)state;
    assert_int_equal(index_open(pair.built.section, 1023, &facts, &index, &error),
                     QN_STATUS_CORRUPT);
    assert_string_equal(error.text, "section index: 1023 bytes");
    assert_int_equal(index_open(pair.built.section, bytes - 64, &facts, &index, &error),
                     QN_STATUS_CORRUPT);
    facts.rows_count++;
    assert_int_equal(index_open(pair.built.section, bytes, &facts, &index, &error),
                     QN_STATUS_CORRUPT);
    assert_non_null(strstr(error.text, "its shape says"));
    facts.rows_count = (UINT64_C(1) << 31) + 1; /* more than a walk can name */
    assert_int_equal(index_open(pair.built.section, bytes, &facts, &index, &error),
                     QN_STATUS_CORRUPT);
    assert_non_null(strstr(error.text, "2147483649 rows"));
    pair_free(&pair);
}

static void a_tile_gives_the_bits_of_each_query(void **state)
{
    struct search_queries queries;

    (void)state;
    for (uint32_t projected = 1; projected <= DIM; projected += DIM - 1) {
        struct pair pair = make_pair(QN_METRIC_COSINE, projected);
        const struct graph_section *graph = &pair.indexed.index.graph;
        const size_t floats = graph_space_floats(graph);
        void *tiles = malloc(search_queries_bytes(DIM, NQ));
        float *products = aligned_alloc(64, graph_space_tile_floats(graph) * sizeof *products);
        float *alone = malloc(floats * sizeof *alone), *of_tile = malloc(floats * sizeof *of_tile);

        assert_true(tiles && products && alone && of_tile);
        search_queries_init(&queries, DIM, NQ, pair.queries, tiles);
        for (uint32_t i = 0; i < NQ; i++) {
            const uint32_t lane = i % KERNEL_TILE_QUERIES;
            if (lane == 0)
                graph_space_tile(graph, queries.tiles + (size_t)i * DIM, products);
            graph_space_query(graph, pair.queries + (size_t)i * DIM, alone);
            graph_space_of_tile(graph, products, lane, of_tile);
            assert_memory_equal(of_tile, alone, graph->code_dims * sizeof *alone);
        }
        free(tiles);
        free(products);
        free(alone);
        free(of_tile);
        pair_free(&pair);
    }
}

/* Rows that differ only along some of the axes. */
struct spread {
    uint32_t first, axes;
    float mean, scale;
};

static float *spread_rows(const struct spread *spread, size_t count, uint32_t dim)
{
    float *rows = malloc(count * dim * sizeof *rows);
    struct prng prng;

    assert_non_null(rows);
    prng_init(&prng, 3);
    for (size_t i = 0; i < count * dim; i++) {
        const uint32_t d = (uint32_t)(i % dim);
        const bool is_axis = d >= spread->first && d < spread->first + spread->axes;
        rows[i] = spread->scale *
                  (spread->mean + (is_axis ? (float)(d + 1) * (float)prng_normal(&prng) : 0));
    }
    return rows;
}

static double dot_of(const float *blocks, uint32_t dim, uint32_t a, uint32_t b)
{
    double sum = 0;

    for (uint32_t d = 0; d < dim; d++)
        sum += (double)blocks[((size_t)(a / 16) * dim + d) * 16 + a % 16] *
               (double)blocks[((size_t)(b / 16) * dim + d) * 16 + b % 16];
    return sum;
}

static void principal_directions_are_orthonormal(void **state)
{
    enum { SAMPLE = 300, WIDE = 20 };
    static const struct spread spreads[] = {
        {0, WIDE, 1, 1}, {5, 3, 1, 1}, {0, 1, 0, 1}, {WIDE - 2, 2, 5, 1}, {0, 0, 2, 1},
    };
    static const uint32_t counts[] = {1, 8, 17, WIDE};
    float mean[WIDE], found[2][2 * WIDE * 16];

    (void)state;
    for (size_t s = 0; s < COUNT_OF(spreads); s++)
        for (size_t c = 0; c < COUNT_OF(counts); c++) {
            float *rows = spread_rows(&spreads[s], SAMPLE, WIDE);
            for (uint32_t d = 0; d < WIDE; d++)
                mean[d] = spreads[s].mean;
            memset(found, 0, sizeof found);
            for (unsigned t = 0; t < 2; t++)
                assert_int_equal(principal_directions(&(struct principal){.rows = rows,
                                                                          .rows_count = SAMPLE,
                                                                          .dim = WIDE,
                                                                          .count = counts[c],
                                                                          .seed = s,
                                                                          .threads = 1 + 3 * t},
                                                      mean, found[t], NULL),
                                 QN_STATUS_OK);
            assert_memory_equal(found[0], found[1], sizeof found[0]);
            for (uint32_t a = 0; a < counts[c]; a++)
                for (uint32_t b = 0; b <= a; b++)
                    assert_true(fabs(dot_of(found[0], WIDE, a, b) - (a == b)) < 1e-5);
            free(rows);
        }
}

/* Of the axis that varies most, at any scale that floats have. */
static void a_code_tells_of_the_widest_direction(void **state)
{
    static const float scales[] = {1, 1e-30F, 1e30F};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(scales); i++) {
        struct index_options options = {.kind = INDEX_GRAPH, .graph.projected = 1, .threads = 1};
        struct pair pair = pair_make(
            &(struct segment_facts){.metric = QN_METRIC_L2, .dim = DIM, .rows_count = ROWS},
            spread_rows(&(struct spread){4, 1, 1, scales[i]}, ROWS, DIM), NQ, &options);
        const float *directions = pair.indexed.index.graph.directions;
        for (uint32_t d = 0; d < DIM; d++)
            assert_true(fabs(fabs((double)directions[d * 16]) - (d == 4)) < 1e-3);
        pair_free(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_header_is_refused),
        cmocka_unit_test(damaged_arrays_are_refused),
        cmocka_unit_test(a_section_of_another_length_is_refused),
        cmocka_unit_test(a_tile_gives_the_bits_of_each_query),
        cmocka_unit_test(principal_directions_are_orthonormal),
        cmocka_unit_test(a_code_tells_of_the_widest_direction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
