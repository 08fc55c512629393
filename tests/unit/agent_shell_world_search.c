/* SPDX-License-Identifier: Apache-2.0
 * Segments with known rows, and what searches over them must give. */
#include "base/check.h"
#include "base/prng.h"
#include "segstore/rows.h"
#include "segstore/topk.h"
#include "segstore/writer.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

float *world_make_rows(uint64_t seed, size_t count)
{
    struct prng prng;
    float *rows = malloc((count + 1) * sizeof *rows);

    assert_non_null(rows);
    prng_init(&prng, seed);
    for (size_t i = 0; i < count; i++)
        rows[i] = (float)prng_normal(&prng);
    return rows;
}

struct world_segment *world_make_segment(struct world *world, int64_t segment_id, uint32_t rows,
                                         uint32_t dim, enum qn_metric metric)
{
    struct world_segment *segment = calloc(1, sizeof *segment);
    struct segment_facts facts = {.segment_id = segment_id,
                                  .collection_id = WORLD_COLLECTION,
                                  .partition_id = 1,
                                  .rows_count = rows,
                                  .dim = dim,
                                  .metric = metric};
    struct qn_error error = {0};

    assert_non_null(segment);
    segment->rows = world_make_rows((uint64_t)segment_id, (size_t)rows * dim);
    segment->primary_keys = calloc(rows + 1, sizeof *segment->primary_keys);
    for (uint32_t i = 0; i < rows; i++)
        segment->primary_keys[i] = segment_id * 1000000 + i;
    (void)snprintf(segment->path, sizeof segment->path, "%s/%" PRId64 ".qseg", world->folder,
                   segment_id);
    if (writer_write_file(segment->path, &facts, segment->primary_keys, segment->rows,
                          &segment->facts, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    for (uint32_t i = 0; i < rows; i++)
        (void)rows_prepare(metric, dim, segment->rows + (size_t)i * dim, NULL);
    return segment;
}

void world_free_segment(struct world_segment *segment)
{
    free(segment->rows);
    free(segment->primary_keys);
    free(segment);
}

void world_load(struct world *world, const struct world_segment *segment, uint64_t version)
{
    struct segment_load_info info = {
        .segment_id = segment->facts.segment_id,
        .collection_id = segment->facts.collection_id,
        .partition_id = segment->facts.partition_id,
        .replica = "a",
        .path = segment->path,
        .content_hash = segment->facts.content_hash,
        .mem_size = segment->facts.resident_bytes,
        .num_rows = segment->facts.rows_count,
        .epoch = {WORLD_TERM, version},
        .state = QN_SEGMENT_SEALED,
    };

    world_send(world, "control",
               (struct message){.kind = MESSAGE_LOAD_SEGMENTS,
                                .reply_to = "",
                                .load_segments = {.segments = &info, .segments_count = 1}});
    world_run(world);
}

void world_load_well(struct world *world, const struct world_segment *segment, uint64_t version)
{
    const struct message *message;

    world_load(world, segment, version);
    message = world->options.executor == WORLD_THREADS ? world_await(world, MESSAGE_SEGMENT_LOADED)
                                                       : world_take(world, MESSAGE_SEGMENT_LOADED);
    if (message == NULL) {
        message = world_take(world, MESSAGE_LOAD_FAILED);
        fail_msg("%s", message == NULL ? "nothing heard" : message->load_failed.text);
        return;
    }
    assert_int_equal(message->segment_loaded.segment_id, segment->facts.segment_id);
    assert_int_equal(message->segment_loaded.bytes, segment->facts.resident_bytes);
}

void world_release(struct world *world, int64_t segment_id, uint64_t version)
{
    struct segment_release release = {.segment_id = segment_id,
                                      .epoch = {WORLD_TERM, version},
                                      .ground = GROUND_FORCE,
                                      .operator_name = "test"};

    world_send(world, "control",
               (struct message){.kind = MESSAGE_RELEASE_SEGMENTS,
                                .reply_to = "",
                                .release_segments = {.segments = &release, .segments_count = 1}});
    world_run(world);
}

/* ---- searches -------------------------------------------------------------------------------- */

static struct message search_message(const struct world_search *search, uint64_t request_id)
{
    return (struct message){.kind = MESSAGE_SEARCH_REQUEST,
                            .sender = "client/1",
                            .request_id = request_id,
                            .search_request = {.collection_id = WORLD_COLLECTION,
                                               .k = search->k,
                                               .nq = search->nq,
                                               .dim = search->dim,
                                               .metric = search->metric,
                                               .queries = search->queries,
                                               .segment_ids = search->segment_ids,
                                               .segments_count = search->segments_count,
                                               .deadline_ms = search->deadline_ms}};
}

const float world_query[8] = {1, 2, 3, 4, 5, 6, 7, 8};

struct world_search world_small_search(size_t segments_count)
{
    static const int64_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8};

    return (struct world_search){.k = 3,
                                 .nq = 1,
                                 .dim = 8,
                                 .metric = QN_METRIC_L2,
                                 .queries = world_query,
                                 .segment_ids = ids,
                                 .segments_count = segments_count};
}

const struct search_answer *world_answer_of(struct world *world, uint64_t request_id)
{
    const struct message *message = world_take(world, MESSAGE_SEARCH_ANSWER);

    assert_non_null(message);
    assert_int_equal(message->request_id, request_id);
    assert_string_equal(message->sender, "node/7");
    return &message->search_answer;
}

size_t world_encode_search(const struct world_search *search, uint64_t request_id,
                           uint8_t *ret_bytes, size_t capacity)
{
    struct message message = search_message(search, request_id);
    struct arena arena;
    const uint8_t *bytes;
    size_t size;

    arena_init(&arena, 16 << 20);
    world_encode(&message, &arena, &bytes, &size);
    assert_true(size <= capacity);
    memcpy(ret_bytes, bytes, size);
    arena_done(&arena);
    return size;
}

uint64_t world_search(struct world *world, const struct world_search *search)
{
    uint64_t request_id = ++world->requests_count;

    world_send(world, "search", search_message(search, request_id));
    world_run(world);
    return request_id;
}

static float distance(enum qn_metric metric, const float *query, const float *row, uint32_t dim)
{
    float sum = 0;

    for (uint32_t i = 0; i < dim; i++) {
        float t = query[i] - row[i];
        sum = metric == QN_METRIC_L2 ? fmaf(t, t, sum) : fmaf(query[i], row[i], sum);
    }
    return sum;
}

void world_truth(const struct world_search *search, struct world_segment *const *segments,
                 size_t segments_count, struct qn_hit *ret_hits, uint32_t *ret_counts)
{
    void *storage = malloc(topk_bytes(search->k));
    float *query = malloc(search->dim * sizeof *query);

    for (uint32_t q = 0; q < search->nq; q++) {
        struct topk topk;
        topk_init(&topk, search->metric, search->k, storage);
        memcpy(query, search->queries + (size_t)q * search->dim, search->dim * sizeof *query);
        (void)rows_prepare(search->metric, search->dim, query, NULL);
        for (size_t s = 0; s < segments_count; s++)
            for (uint64_t i = 0; i < segments[s]->facts.rows_count; i++)
                topk_push(&topk, (struct qn_hit){segments[s]->primary_keys[i],
                                                 distance(search->metric, query,
                                                          segments[s]->rows + i * search->dim,
                                                          search->dim)});
        topk_sort(&topk);
        memcpy(ret_hits + (size_t)q * search->k, topk.hits, topk.count * sizeof *ret_hits);
        ret_counts[q] = topk.count;
    }
    free(query);
    free(storage);
}

bool world_covers(const struct search_answer *answer, size_t index)
{
    return index / 8 < answer->covered_bytes && (answer->covered[index / 8] >> index % 8 & 1);
}

static void expect_part(const struct world_search *search, const struct search_answer *answer,
                        const struct qn_hit *hits, const uint32_t *counts, bool *seen)
{
    const struct qn_hit *hit = answer->hits;

    for (size_t i = 0; i < answer->hit_counts_count; i++) {
        size_t q = answer->first_query + i;
        assert_true(q < search->nq);
        assert_false(seen[q]);
        seen[q] = true;
        assert_int_equal(answer->hit_counts[i], counts[q]);
        for (uint32_t j = 0; j < counts[q]; j++, hit++) {
            assert_int_equal(hit->primary_key, hits[q * search->k + j].primary_key);
            assert_true(hit->distance == hits[q * search->k + j].distance);
        }
    }
}

uint32_t world_expect_truth(struct world *world, const struct world_search *search,
                            struct world_segment *const *segments, size_t segments_count)
{
    struct qn_hit *hits = calloc((size_t)search->nq * search->k, sizeof *hits);
    uint32_t *counts = calloc(search->nq, sizeof *counts);
    bool *seen = calloc(search->nq, sizeof *seen);
    uint32_t parts = 1;

    world_truth(search, segments, segments_count, hits, counts);
    for (uint32_t part = 0; part < parts; part++) {
        const struct message *message = world_take(world, MESSAGE_SEARCH_ANSWER);
        assert_non_null(message);
        assert_string_equal(message->search_answer.text, "");
        assert_int_equal(message->search_answer.status, QN_STATUS_OK);
        assert_int_equal(message->search_answer.part, part);
        parts = message->search_answer.parts;
        expect_part(search, &message->search_answer, hits, counts, seen);
    }
    for (uint32_t q = 0; q < search->nq; q++)
        assert_true(seen[q]);
    free(hits);
    free(counts);
    free(seen);
    return parts;
}
