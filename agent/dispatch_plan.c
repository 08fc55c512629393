/* SPDX-License-Identifier: Apache-2.0
 * How a batch of searches is spread: its segments by NUMA node, each node's on as many chunks as
 * there are workers, segments and work for. Chunks of a node share its segments by a counter, so
 * that the load balances itself whatever the segments' sizes. The many queries of a batch on one
 * segment alone are shared by the workers that have nothing else to do. */
#include "agent/dispatch_internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAN_SHORT_BYTES = 1 << 20,  /* vectors x queries below this: the node thread does it */
    PLAN_CHUNK_WORK = 4 << 20,   /* multiply-adds that are worth waking a worker for */
    PLAN_SLICE_WORK = 512 << 10, /* the same for a share of one segment's queries */
    PLAN_ALIGNMENT = 64,         /* chunks do not share cache lines */
    PLAN_CHUNKS_PER_NUMA_NODE = 256,
};

static const float recall_default = 0.95F; /* of who asks for none */

static size_t align_up(size_t bytes)
{
    return (bytes + PLAN_ALIGNMENT - 1) & ~(size_t)(PLAN_ALIGNMENT - 1);
}

struct search_options dispatch_options(const struct search_job *job)
{
    const struct search_request *request = &job->message.search_request;

    return (struct search_options){.k = job->k,
                                   .recall = request->recall > 0 ? request->recall : recall_default,
                                   .nprobe = request->nprobe,
                                   .ef = request->ef,
                                   .refine = request->refine};
}

static uint64_t work_of(const struct search_batch *batch, const struct segment *segment)
{
    const struct search_options options = dispatch_options(batch->jobs);

    return search_work(segment, &options) * batch->nq;
}

static void add_group(struct search_batch *batch, unsigned numa_node, uint32_t *filled)
{
    const struct search_job *first = batch->jobs;
    struct job_group *group = &batch->groups[batch->groups_count];

    *group = (struct job_group){.numa_node = numa_node, .first = *filled};
    for (uint32_t i = 0; i < first->targets_count; i++) {
        const struct segment *segment = first->targets[i].segment;
        if (segment->numa_node != numa_node)
            continue;
        batch->order[(*filled)++] = i;
        group->work += work_of(batch, segment);
    }
    group->count = *filled - group->first;
    if (group->count > 0)
        batch->groups_count++;
}

static bool group_targets(struct search_batch *batch)
{
    struct search_job *first = batch->jobs;
    unsigned numa_count = batch->agent->options.numa_count;
    uint32_t filled = 0;

    batch->groups_count = 0;
    batch->groups = arena_calloc(&first->arena, numa_count, sizeof *batch->groups);
    batch->order = arena_alloc(&first->arena, first->targets_count * sizeof *batch->order);
    if (batch->groups == NULL || batch->order == NULL)
        return false;
    for (unsigned i = 0; i < numa_count && filled < first->targets_count; i++)
        add_group(batch, i, &filled);
    return filled == first->targets_count;
}

/* Only of one target: a search that ends before all slices do covers nothing, so that no hit of a
 * segment is told which is not covered. */
static uint32_t slices_for(struct search_batch *batch, const struct job_group *group,
                           uint64_t workers)
{
    const struct search_job *first = batch->jobs;
    const struct search_options options = dispatch_options(first);
    const struct agent *agent = batch->agent;
    const uint64_t all = workers * agent->options.numa_count, busy = agent->chunks_in_flight;

    batch->slice_queries = search_slice_queries(first->targets[0].segment, &options);
    uint64_t slices = batch->nq / batch->slice_queries;
    if (first->targets_count != 1 || slices < 2 || all < busy + 2)
        return 1;
    if (slices > all - busy)
        slices = all - busy;
    if (slices > workers)
        slices = workers;
    if (slices > 1 + group->work / PLAN_SLICE_WORK)
        slices = 1 + group->work / PLAN_SLICE_WORK;
    return (uint32_t)slices;
}

static void choose_chunks(struct search_batch *batch)
{
    const struct executor *executor = &batch->agent->options.executor;
    uint64_t workers = executor->ops->concurrency(executor->self, EXECUTOR_LANE_SEARCH);

    batch->chunks_count = 0;
    for (unsigned i = 0; i < batch->groups_count; i++) {
        struct job_group *group = &batch->groups[i];
        uint64_t chunks = 1 + group->work / PLAN_CHUNK_WORK;
        group->slices_count = slices_for(batch, group, workers);
        if (chunks > workers)
            chunks = workers;
        if (chunks > group->count)
            chunks = group->count;
        if (group->slices_count > 1)
            chunks = group->slices_count;
        if (chunks > PLAN_CHUNKS_PER_NUMA_NODE)
            chunks = PLAN_CHUNKS_PER_NUMA_NODE;
        group->chunks_count = chunks > 0 ? (unsigned)chunks : 1;
        batch->chunks_count += group->chunks_count;
    }
}

static void choose_one_chunk_each(struct search_batch *batch)
{
    for (unsigned i = 0; i < batch->groups_count; i++)
        batch->groups[i].chunks_count = batch->groups[i].slices_count = 1;
    batch->chunks_count = batch->groups_count;
}

static size_t topks_bytes(const struct search_batch *batch)
{
    return align_up(batch->nq * sizeof(struct topk));
}

static size_t storage_bytes(const struct search_batch *batch)
{
    return align_up(batch->nq * batch->topk_stride);
}

/* Top-k sets, their storage, and the backup of both. */
static size_t sets_bytes(const struct search_batch *batch)
{
    return 2 * (topks_bytes(batch) + storage_bytes(batch));
}

static bool is_sliced(const struct search_batch *batch)
{
    return batch->groups[0].slices_count > 1;
}

static size_t chunks_bytes(const struct search_batch *batch)
{
    const size_t sets_count = is_sliced(batch) ? 1 : batch->chunks_count;

    return sets_count * sets_bytes(batch) +
           batch->chunks_count * (align_up(sizeof(struct job_chunk)) + batch->search_bytes);
}

static size_t hits_bytes(const struct search_batch *batch)
{
    return align_up((size_t)batch->nq * batch->k * sizeof(struct qn_hit));
}

static size_t counts_bytes(const struct search_batch *batch)
{
    return align_up(batch->nq * sizeof(uint32_t));
}

static uint32_t dim_of(const struct search_batch *batch)
{
    return batch->jobs->message.search_request.dim;
}

static size_t rows_bytes(const struct search_batch *batch)
{
    if (batch->jobs->next_joined == NULL)
        return 0; /* they stay where they were decoded */
    return align_up((size_t)batch->nq * dim_of(batch) * sizeof(float));
}

static size_t queries_bytes(const struct search_batch *batch)
{
    return align_up(search_queries_bytes(dim_of(batch), batch->nq));
}

static size_t scratch_bytes(const struct search_batch *batch)
{
    return rows_bytes(batch) + queries_bytes(batch) + hits_bytes(batch) + counts_bytes(batch) +
           chunks_bytes(batch);
}

static unsigned char *lay_sets(const struct search_batch *batch, struct job_chunk *chunk,
                               unsigned char *place)
{
    chunk->topks = (struct topk *)(void *)place;
    chunk->storage = place + topks_bytes(batch);
    chunk->backup = chunk->storage + storage_bytes(batch);
    for (uint32_t q = 0; q < batch->nq; q++)
        topk_init(&chunk->topks[q], batch->jobs->metric, batch->k,
                  chunk->storage + q * batch->topk_stride);
    return place + sets_bytes(batch);
}

static unsigned char *lay_chunk(struct search_batch *batch, struct job_chunk *chunk,
                                unsigned char *place)
{
    const struct job_chunk *first = &batch->chunks[0];

    if (chunk != first && is_sliced(batch)) {
        *chunk = *first;
    } else {
        *chunk = (struct job_chunk){.task = {dispatch_run_chunk}, .batch = batch};
        place = lay_sets(batch, chunk, place);
    }
    chunk->scratch = place;
    return place + batch->search_bytes;
}

/* Their queries one after the other. */
static const float *join_rows(struct search_batch *batch, unsigned char *place)
{
    const uint32_t dim = dim_of(batch);
    float *rows = (float *)(void *)place;

    if (batch->jobs->next_joined == NULL)
        return batch->jobs->message.search_request.queries;
    for (const struct search_job *job = batch->jobs; job != NULL; job = job->next_joined) {
        const struct search_request *request = &job->message.search_request;
        memcpy(rows + (size_t)job->first_query * dim, request->queries,
               (size_t)request->nq * dim * sizeof(float));
    }
    return rows;
}

static void lay_scratch(struct search_batch *batch)
{
    unsigned char *place = batch->scratch;
    const float *rows = join_rows(batch, place);
    unsigned chunk = 0;

    place += rows_bytes(batch);
    search_queries_init(&batch->queries, dim_of(batch), batch->nq, rows, place);
    place += queries_bytes(batch);
    batch->hits = (struct qn_hit *)(void *)place;
    place += hits_bytes(batch);
    batch->hit_counts = (uint32_t *)(void *)place;
    place += counts_bytes(batch);
    batch->chunks = (struct job_chunk *)(void *)place;
    place += batch->chunks_count * align_up(sizeof(struct job_chunk));
    for (unsigned i = 0; i < batch->chunks_count; i++)
        place = lay_chunk(batch, &batch->chunks[i], place);
    for (unsigned i = 0; i < batch->groups_count; i++)
        for (unsigned j = 0; j < batch->groups[i].chunks_count; j++)
            batch->chunks[chunk++].group = &batch->groups[i];
}

/* Reserves for all chunks, else for one per NUMA node, else goes on the headroom if alone. */
static bool reserve(struct search_batch *batch)
{
    struct agent *agent = batch->agent;

    batch->scratch_bytes = scratch_bytes(batch);
    if (node_reserve_scratch(agent->node, batch->scratch_bytes))
        return true;
    choose_one_chunk_each(batch);
    batch->scratch_bytes = scratch_bytes(batch);
    if (node_reserve_scratch(agent->node, batch->scratch_bytes))
        return true;
    batch->scratch_bytes = 0;
    return agent->searches_in_flight == 1;
}

static size_t search_bytes(const struct search_batch *batch)
{
    const struct search_job *first = batch->jobs;
    const struct search_options options = dispatch_options(first);
    size_t most = 0;

    for (uint32_t i = 0; i < first->targets_count; i++) {
        size_t bytes = search_scratch_bytes(first->targets[i].segment, &options, batch->nq);
        most = bytes > most ? bytes : most;
    }
    return align_up(most);
}

enum qn_status dispatch_plan(struct search_batch *batch)
{
    batch->k = batch->jobs->k;
    batch->chunks_count = 0;
    atomic_store(&batch->started_us, 0);
    batch->search_bytes = search_bytes(batch);
    batch->topk_stride = (topk_bytes(batch->k) + 15) & ~(size_t)15;
    if (!group_targets(batch))
        return QN_STATUS_BUSY;
    choose_chunks(batch);
    if (!reserve(batch))
        return QN_STATUS_BUSY;
    batch->scratch = aligned_alloc(PLAN_ALIGNMENT, scratch_bytes(batch));
    if (batch->scratch == NULL) {
        if (batch->scratch_bytes > 0)
            node_release_scratch(batch->agent->node, batch->scratch_bytes);
        return QN_STATUS_BUSY;
    }
    lay_scratch(batch);
    for (struct search_job *job = batch->jobs; job != NULL; job = job->next_joined)
        job->batch = batch;
    return QN_STATUS_OK;
}

bool dispatch_is_short(const struct search_batch *batch)
{
    return batch->chunks_count == 1 && batch->groups[0].work < PLAN_SHORT_BYTES / sizeof(float);
}
