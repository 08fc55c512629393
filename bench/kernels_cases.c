/* SPDX-License-Identifier: Apache-2.0
 * One run is what a search does at a time: a tile of blocks, 16 rows that are computed exactly, the
 * links of a row. Who looks at rows that lie anywhere in memory asks for them beforehand, as
 * searches do. */
#include "bench/kernels_cases.h"

#include "base/check.h"
#include "base/limits.h"
#include <assert.h>
#include <float.h>
#include <stdalign.h>

enum {
    BLOCK_FLOATS = CASE_DIM * LIMIT_BLOCK_ROWS,
    CHUNK_BLOCKS = FIELD_CHUNK_BYTES / (BLOCK_FLOATS * sizeof(float)),
    FEW_QUERIES = 4,
    STEP_BLOCKS = 4, /* whose sums are kept at a time */
    STEP_SUMS = STEP_BLOCKS * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS,
    SIEVES = 16,           /* in a run */
    CODE_STEP_BLOCKS = 32, /* of codes that are compared at a time */
    LINKS = 32,            /* of a row of a graph */
    LINKS_AHEAD = 3 * LINKS,
    POOL_CAPACITY = 128,
    WALK_ROWS = 2048, /* met on the way through a graph */
};

static const float *floats(const struct kernel_field *field)
{
    return (const float *)(const void *)field->memory;
}

/* ---- floats -------------------------------------------------------------------------------- */

static struct case_work run_job(struct kernel_field *field,
                                void (*distances)(const struct kernel_job *job),
                                const struct kernel_case *what)
{
    float ret[FEW_QUERIES * CHUNK_BLOCKS * LIMIT_BLOCK_ROWS];

    distances(&(struct kernel_job){
        .queries = floats(field),
        .blocks = field_chunk(field, what->place, FIELD_CHUNK_BYTES),
        .dim = CASE_DIM,
        .queries_count = what->size,
        .blocks_count = CHUNK_BLOCKS,
        .ret_distances = ret,
    });
    return (struct case_work){.bytes = FIELD_CHUNK_BYTES,
                              .madds = what->size * CHUNK_BLOCKS * BLOCK_FLOATS};
}

static struct case_work run_l2(struct kernel_field *field, const struct kernels *kernels,
                               const struct kernel_case *what)
{
    return run_job(field, kernels->l2, what);
}

static struct case_work run_ip(struct kernel_field *field, const struct kernels *kernels,
                               const struct kernel_case *what)
{
    return run_job(field, kernels->ip, what);
}

/* Bounds that no row passes, as when a search has its nearest. */
static void fill_bounds(float bounds[KERNEL_TILE_QUERIES])
{
    for (size_t i = 0; i < KERNEL_TILE_QUERIES; i++)
        bounds[i] = FLT_MAX;
}

static struct case_work run_tile(struct kernel_field *field, const struct kernels *kernels,
                                 const struct kernel_case *what)
{
    const float *blocks = field_chunk(field, what->place, FIELD_CHUNK_BYTES);
    alignas(64) float sums[STEP_SUMS];
    float bounds[KERNEL_TILE_QUERIES];
    uint32_t passed = 0;

    fill_bounds(bounds);
    for (size_t block = 0; block < CHUNK_BLOCKS; block += STEP_BLOCKS)
        passed |= kernels->tile(&(struct kernel_tile){
            .queries = floats(field),
            .blocks = blocks + block * BLOCK_FLOATS,
            .block_floats = BLOCK_FLOATS,
            .dims = CASE_DIM,
            .blocks_count = STEP_BLOCKS,
            .is_first = true,
            .sums = sums,
            .bounds = bounds,
        });
    CHECK(passed == 0);
    return (struct case_work){.bytes = FIELD_CHUNK_BYTES,
                              .madds = (size_t)KERNEL_TILE_QUERIES * CHUNK_BLOCKS * BLOCK_FLOATS};
}

/* The sums of a tile's step. */
static struct case_work run_sieve(struct kernel_field *field, const struct kernels *kernels,
                                  const struct kernel_case *what)
{
    const float *terms = field_chunk(field, what->place, FIELD_CHUNK_BYTES),
                *sums = terms + CASE_DIM;
    float bounds[KERNEL_TILE_QUERIES];
    uint16_t masks[KERNEL_TILE_QUERIES];

    fill_bounds(bounds);
    for (size_t i = 0; i < SIEVES; i++)
        for (size_t block = 0; block < STEP_BLOCKS; block++) {
            kernels->sieve(&(struct kernel_sieve){
                .sums = sums + block * KERNEL_TILE_QUERIES * LIMIT_BLOCK_ROWS,
                .terms = terms + block * LIMIT_BLOCK_ROWS,
                .bounds = bounds,
                .ret_masks = masks,
            });
            CHECK(masks[0] == 0);
        }
    return (struct case_work){.bytes = SIEVES * STEP_SUMS * sizeof(float)};
}

static struct case_work run_l2_pairs(struct kernel_field *field, const struct kernels *kernels,
                                     const struct kernel_case *what)
{
    const float *blocks = field_chunk(field, what->place, FIELD_CHUNK_BYTES);
    float ret[KERNEL_PAIRS * LIMIT_BLOCK_ROWS];

    for (size_t first = 0; first < CHUNK_BLOCKS / KERNEL_PAIRS; first++) {
        struct kernel_pairs pairs = {.dim = CASE_DIM, .ret_distances = ret};
        for (size_t i = 0; i < KERNEL_PAIRS; i++) {
            pairs.queries[i] = floats(field) + i * CASE_DIM;
            pairs.blocks[i] = blocks + (i * CHUNK_BLOCKS / KERNEL_PAIRS + first) * BLOCK_FLOATS;
        }
        kernels->l2_pairs(&pairs);
    }
    return (struct case_work){.bytes = FIELD_CHUNK_BYTES, .madds = CHUNK_BLOCKS * BLOCK_FLOATS};
}

/* ---- rows that lie anywhere ---------------------------------------------------------------- */

static struct case_work run_rows(struct kernel_field *field,
                                 void (*distances)(const struct kernel_rows *rows),
                                 const struct kernel_case *what)
{
    const size_t row_bytes = what->size, rows_count = field_place_bytes(what->place) / row_bytes;
    float ret[LIMIT_BLOCK_ROWS];
    struct kernel_rows job = {
        .rows_count = LIMIT_BLOCK_ROWS,
        .query = floats(field),
        .dim = CASE_DIM,
        .ret_distances = ret,
    };

    if (what->place == PLACE_MEMORY)
        field_prefetch(field, row_bytes, LIMIT_BLOCK_ROWS, LIMIT_BLOCK_ROWS);
    for (size_t i = 0; i < LIMIT_BLOCK_ROWS; i++)
        job.rows[i] = field->memory + field_row(field, rows_count, i) * row_bytes;
    distances(&job);
    field_advance(field, LIMIT_BLOCK_ROWS);
    return (struct case_work){.bytes = LIMIT_BLOCK_ROWS * row_bytes,
                              .madds = LIMIT_BLOCK_ROWS * CASE_DIM};
}

static struct case_work run_l2_rows(struct kernel_field *field, const struct kernels *kernels,
                                    const struct kernel_case *what)
{
    return run_rows(field, kernels->l2_rows, what);
}

static struct case_work run_ip_rows(struct kernel_field *field, const struct kernels *kernels,
                                    const struct kernel_case *what)
{
    return run_rows(field, kernels->ip_rows, what);
}

static struct case_work run_l2_rows16(struct kernel_field *field, const struct kernels *kernels,
                                      const struct kernel_case *what)
{
    return run_rows(field, kernels->l2_rows16, what);
}

static struct case_work run_ip_rows16(struct kernel_field *field, const struct kernels *kernels,
                                      const struct kernel_case *what)
{
    return run_rows(field, kernels->ip_rows16, what);
}

/* ---- codes and graphs ---------------------------------------------------------------------- */

/* The scales of a few blocks lie behind their codes. */
static struct case_work run_codes(struct kernel_field *field,
                                  void (*codes)(const struct kernel_codes *codes),
                                  size_t block_bytes, const struct kernel_case *what)
{
    const size_t scales_bytes = LIMIT_BLOCK_ROWS * sizeof(float);
    const size_t step_bytes = CODE_STEP_BLOCKS * (block_bytes + scales_bytes);
    const size_t bytes = FIELD_CHUNK_BYTES / step_bytes * step_bytes;
    const unsigned char *chunk = field_chunk(field, what->place, bytes);
    struct kernel_code_query queries[KERNEL_CODE_QUERIES];
    float estimates[KERNEL_CODE_QUERIES][CODE_STEP_BLOCKS * LIMIT_BLOCK_ROWS];
    uint16_t masks[KERNEL_CODE_QUERIES][CODE_STEP_BLOCKS];

    for (size_t q = 0; q < what->size; q++)
        queries[q] = (struct kernel_code_query){
            .codes = (const int8_t *)field->memory + q * CASE_DIM,
            .scale = 1,
            .bound = FLT_MAX,
            .ret_estimates = estimates[q],
            .ret_masks = masks[q],
        };
    for (size_t at = 0; at < bytes; at += step_bytes)
        codes(&(struct kernel_codes){
            .codes = chunk + at,
            .scales = (const float *)(const void *)(chunk + at + CODE_STEP_BLOCKS * block_bytes),
            .dims = CASE_DIM,
            .blocks_count = CODE_STEP_BLOCKS,
            .queries_count = what->size,
            .queries = queries,
        });
    const size_t rows = bytes / step_bytes * CODE_STEP_BLOCKS * LIMIT_BLOCK_ROWS * what->size;
    return (struct case_work){.bytes = bytes, .madds = rows * CASE_DIM, .rows = rows};
}

static struct case_work run_codes4(struct kernel_field *field, const struct kernels *kernels,
                                   const struct kernel_case *what)
{
    return run_codes(field, kernels->codes4, CASE_DIM * LIMIT_BLOCK_ROWS / 2, what);
}

static struct case_work run_codes8(struct kernel_field *field, const struct kernels *kernels,
                                   const struct kernel_case *what)
{
    return run_codes(field, kernels->codes8, CASE_DIM * LIMIT_BLOCK_ROWS, what);
}

static struct case_work run_points(struct kernel_field *field, const struct kernels *kernels,
                                   const struct kernel_case *what)
{
    const size_t rows_count = field_place_bytes(what->place) / what->size;
    uint32_t rows[LINKS], distances[LINKS];

    if (what->place == PLACE_MEMORY)
        field_prefetch(field, what->size, LINKS_AHEAD, LINKS);
    for (size_t i = 0; i < LINKS; i++)
        rows[i] = field_row(field, rows_count, i);
    kernels->points(&(struct kernel_points){
        .codes = field->memory,
        .query = field->memory,
        .dims = what->size,
        .rows = rows,
        .rows_count = LINKS,
        .ret_distances = distances,
    });
    field_advance(field, LINKS);
    return (struct case_work){.rows = LINKS, .bytes = LINKS * what->size};
}

/* A walk through a graph; each row is as likely to be the nearest as any other. */
static struct case_work run_pool_offer(struct kernel_field *field, const struct kernels *kernels,
                                       const struct kernel_case *what)
{
    const uint32_t *found = (const uint32_t *)field_chunk(field, what->place, FIELD_CHUNK_BYTES) +
                            field->order_at % (FIELD_CHUNK_BYTES / sizeof(uint32_t));
    uint32_t arrays[4][POOL_CAPACITY + KERNEL_POOL_PAD] = {{0}};
    struct kernel_pool pool = {.distances = arrays[0],
                               .spare_distances = arrays[1],
                               .rows = arrays[2],
                               .spare_rows = arrays[3],
                               .capacity = POOL_CAPACITY};

    for (size_t i = 0; i < POOL_CAPACITY + KERNEL_POOL_PAD; i++)
        arrays[0][i] = arrays[1][i] = INT32_MAX;
    for (size_t first = 0; first < WALK_ROWS; first += LINKS)
        (void)kernels->pool_offer(&(struct kernel_offer){
            .pool = &pool,
            .distances = found + first,
            .rows = field->order + field->order_at + first,
            .rows_count = LINKS,
        });
    field_advance(field, WALK_ROWS);
    return (struct case_work){.rows = WALK_ROWS};
}

/* ---- values that follow each other --------------------------------------------------------- */

/* Row by row to the same place. */
static struct case_work run_widen(struct kernel_field *field, const struct kernels *kernels,
                                  const struct kernel_case *what)
{
    const uint16_t *halves = field_chunk(field, what->place, FIELD_CHUNK_BYTES);
    float wide[CASE_DIM];

    for (size_t at = 0; at < FIELD_CHUNK_BYTES / sizeof *halves; at += CASE_DIM)
        kernels->widen(halves + at, CASE_DIM, wide);
    return (struct case_work){.bytes = FIELD_CHUNK_BYTES};
}

static struct case_work run_finite_prefix(struct kernel_field *field, const struct kernels *kernels,
                                          const struct kernel_case *what)
{
    const size_t count = FIELD_CHUNK_BYTES / sizeof(float);

    CHECK(kernels->finite_prefix(field_chunk(field, what->place, FIELD_CHUNK_BYTES), count) ==
          count);
    return (struct case_work){.bytes = FIELD_CHUNK_BYTES};
}

/* ---- all of them --------------------------------------------------------------------------- */

enum { FLOATS = CASE_DIM * sizeof(float), HALVES = CASE_DIM * sizeof(uint16_t) };

const struct kernel_case kernel_cases[] = {
    {"l2", "1 query", PLACE_MEMORY, UNIT_GBYTES, BOUND_READ, run_l2, 1},
    {"l2", "4 queries", PLACE_L2, UNIT_GMADDS, BOUND_FMA, run_l2, FEW_QUERIES},
    {"ip", "1 query", PLACE_MEMORY, UNIT_GBYTES, BOUND_READ, run_ip, 1},
    {"ip", "4 queries", PLACE_L2, UNIT_GMADDS, BOUND_FMA, run_ip, FEW_QUERIES},
    {"tile", "12 queries", PLACE_L2, UNIT_GMADDS, BOUND_FMA, run_tile, 0},
    {"sieve", "12 queries", PLACE_L1, UNIT_GBYTES, BOUND_READ, run_sieve, 0},
    {"l2_pairs", "4 pairs", PLACE_L2, UNIT_GMADDS, BOUND_READ, run_l2_pairs, 0},
    {"l2_rows", "16 rows", PLACE_MEMORY, UNIT_GBYTES, BOUND_ROWS, run_l2_rows, FLOATS},
    {"l2_rows", "16 rows", PLACE_L2, UNIT_GBYTES, BOUND_READ, run_l2_rows, FLOATS},
    {"ip_rows", "16 rows", PLACE_MEMORY, UNIT_GBYTES, BOUND_ROWS, run_ip_rows, FLOATS},
    {"ip_rows", "16 rows", PLACE_L2, UNIT_GBYTES, BOUND_READ, run_ip_rows, FLOATS},
    {"l2_rows16", "16 rows", PLACE_MEMORY, UNIT_GBYTES, BOUND_ROWS, run_l2_rows16, HALVES},
    {"l2_rows16", "16 rows", PLACE_L2, UNIT_GBYTES, BOUND_READ, run_l2_rows16, HALVES},
    {"ip_rows16", "16 rows", PLACE_MEMORY, UNIT_GBYTES, BOUND_ROWS, run_ip_rows16, HALVES},
    {"ip_rows16", "16 rows", PLACE_L2, UNIT_GBYTES, BOUND_READ, run_ip_rows16, HALVES},
    {"widen", "a row", PLACE_MEMORY, UNIT_GBYTES, BOUND_READ, run_widen, 0},
    {"widen", "a row", PLACE_L2, UNIT_GBYTES, BOUND_READ, run_widen, 0},
    {"codes4", "1 query", PLACE_MEMORY, UNIT_GBYTES, BOUND_READ, run_codes4, 1},
    {"codes4", "1 query", PLACE_L2, UNIT_NS_CODE, BOUND_FMA_BYTES, run_codes4, 1},
    {"codes4", "4 queries", PLACE_L2, UNIT_NS_CODE, BOUND_FMA_BYTES, run_codes4, 4},
    {"codes8", "1 query", PLACE_MEMORY, UNIT_GBYTES, BOUND_READ, run_codes8, 1},
    {"codes8", "1 query", PLACE_L2, UNIT_NS_CODE, BOUND_FMA_BYTES, run_codes8, 1},
    {"codes8", "4 queries", PLACE_L2, UNIT_NS_CODE, BOUND_FMA_BYTES, run_codes8, 4},
    {"points", "64 bytes", PLACE_MEMORY, UNIT_NS_CODE, BOUND_ROWS, run_points, 64},
    {"points", "64 bytes", PLACE_L2, UNIT_NS_CODE, BOUND_READ, run_points, 64},
    {"points", "128 bytes", PLACE_MEMORY, UNIT_NS_CODE, BOUND_ROWS, run_points, 128},
    {"points", "128 bytes", PLACE_L2, UNIT_NS_CODE, BOUND_READ, run_points, 128},
    {"pool_offer", "of 128", PLACE_L2, UNIT_NS_ROW, BOUND_NONE, run_pool_offer, 0},
    {"finite_prefix", "128 KiB", PLACE_MEMORY, UNIT_GBYTES, BOUND_READ, run_finite_prefix, 0},
    {"finite_prefix", "128 KiB", PLACE_L2, UNIT_GBYTES, BOUND_READ, run_finite_prefix, 0},
};

const size_t kernel_cases_count = COUNT_OF(kernel_cases);

static_assert(COUNT_OF(kernel_cases) <= CASES_MAX, "there is room for the figures of each");
