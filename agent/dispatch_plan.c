/* SPDX-License-Identifier: Apache-2.0
 * How a search is spread: its segments by NUMA node, each node's on as many chunks as there are
 * workers, segments and work for. Chunks of a node share its segments by a counter, so that the
 * load balances itself whatever the segments' sizes. */
#include "agent/dispatch_internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAN_SHORT_BYTES = 1 << 20, /* vectors x queries below this: the node thread does it */
    PLAN_CHUNK_WORK = 4 << 20,  /* multiply-adds that are worth waking a worker for */
    PLAN_ALIGNMENT = 64,        /* chunks do not share cache lines */
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

static uint64_t work_of(const struct search_job *job, const struct segment *segment)
{
    const struct search_options options = dispatch_options(job);

    return search_work(segment, &options) * job->message.search_request.nq;
}

static void add_group(struct search_job *job, unsigned numa_node, uint32_t *filled)
{
    struct job_group *group = &job->groups[job->groups_count];

    *group = (struct job_group){.numa_node = numa_node, .first = *filled};
    for (uint32_t i = 0; i < job->targets_count; i++) {
        const struct segment *segment = job->targets[i].segment;
        if (segment->numa_node != numa_node)
            continue;
        job->order[(*filled)++] = i;
        group->work += work_of(job, segment);
    }
    group->count = *filled - group->first;
    if (group->count > 0)
        job->groups_count++;
}

static bool group_targets(struct search_job *job)
{
    unsigned numa_count = job->agent->options.numa_count;
    uint32_t filled = 0;

    job->groups_count = 0;
    job->groups = arena_calloc(&job->arena, numa_count, sizeof *job->groups);
    if (job->groups == NULL)
        return false;
    for (unsigned i = 0; i < numa_count && filled < job->targets_count; i++)
        add_group(job, i, &filled);
    return filled == job->targets_count;
}

static void choose_chunks(struct search_job *job)
{
    const struct executor *executor = &job->agent->options.executor;
    uint64_t workers = executor->ops->concurrency(executor->self, EXECUTOR_LANE_SEARCH);

    job->chunks_count = 0;
    for (unsigned i = 0; i < job->groups_count; i++) {
        struct job_group *group = &job->groups[i];
        uint64_t chunks = 1 + group->work / PLAN_CHUNK_WORK;
        if (chunks > workers)
            chunks = workers;
        if (chunks > group->count)
            chunks = group->count;
        if (chunks > PLAN_CHUNKS_PER_NUMA_NODE)
            chunks = PLAN_CHUNKS_PER_NUMA_NODE;
        group->chunks_count = chunks > 0 ? (unsigned)chunks : 1;
        job->chunks_count += group->chunks_count;
    }
}

static void choose_one_chunk_each(struct search_job *job)
{
    for (unsigned i = 0; i < job->groups_count; i++)
        job->groups[i].chunks_count = 1;
    job->chunks_count = job->groups_count;
}

static size_t topks_bytes(const struct search_job *job)
{
    return align_up(job->message.search_request.nq * sizeof(struct topk));
}

static size_t storage_bytes(const struct search_job *job)
{
    return align_up(job->message.search_request.nq * job->topk_stride);
}

/* Top-k sets, their storage, the backup of both, and what the searches want. */
static size_t chunk_bytes(const struct search_job *job)
{
    return align_up(sizeof(struct job_chunk)) + 2 * (topks_bytes(job) + storage_bytes(job)) +
           job->search_bytes;
}

static size_t hits_bytes(const struct search_job *job)
{
    return align_up((size_t)job->message.search_request.nq * job->k * sizeof(struct qn_hit));
}

static size_t counts_bytes(const struct search_job *job)
{
    return align_up(job->message.search_request.nq * sizeof(uint32_t));
}

static size_t queries_bytes(const struct search_job *job)
{
    const struct search_request *request = &job->message.search_request;

    return align_up(search_queries_bytes(request->dim, request->nq));
}

static size_t scratch_bytes(const struct search_job *job)
{
    return queries_bytes(job) + hits_bytes(job) + counts_bytes(job) +
           job->chunks_count * chunk_bytes(job);
}

static unsigned char *lay_chunk(struct search_job *job, struct job_chunk *chunk,
                                unsigned char *place)
{
    *chunk = (struct job_chunk){.task = {dispatch_run_chunk}, .job = job};
    chunk->topks = (struct topk *)(void *)place;
    place += topks_bytes(job);
    chunk->storage = place;
    place += storage_bytes(job);
    chunk->backup = place;
    place += topks_bytes(job) + storage_bytes(job);
    chunk->scratch = place;
    return place + job->search_bytes;
}

static void lay_scratch(struct search_job *job)
{
    const struct search_request *request = &job->message.search_request;
    unsigned char *place = job->scratch;
    unsigned chunk = 0;

    search_queries_init(&job->queries, request->dim, request->nq, request->queries, place);
    place += queries_bytes(job);
    job->hits = (struct qn_hit *)(void *)place;
    place += hits_bytes(job);
    job->hit_counts = (uint32_t *)(void *)place;
    place += counts_bytes(job);
    job->chunks = (struct job_chunk *)(void *)place;
    place += job->chunks_count * align_up(sizeof(struct job_chunk));
    for (unsigned i = 0; i < job->chunks_count; i++)
        place = lay_chunk(job, &job->chunks[i], place);
    for (unsigned i = 0; i < job->groups_count; i++)
        for (unsigned j = 0; j < job->groups[i].chunks_count; j++)
            job->chunks[chunk++].group = &job->groups[i];
}

/* Reserves for all chunks, else for one per NUMA node, else goes on the headroom if alone. */
static bool reserve(struct search_job *job)
{
    struct agent *agent = job->agent;
    uint64_t request_bytes = job->arena.taken_bytes;

    job->scratch_bytes = request_bytes + scratch_bytes(job);
    if (node_reserve_scratch(agent->node, job->scratch_bytes))
        return true;
    choose_one_chunk_each(job);
    job->scratch_bytes = request_bytes + scratch_bytes(job);
    if (node_reserve_scratch(agent->node, job->scratch_bytes))
        return true;
    job->scratch_bytes = 0;
    return agent->searches_in_flight == 0;
}

static uint32_t needed_k(const struct search_job *job)
{
    uint32_t asked = job->message.search_request.k;
    uint64_t rows_count = 0;

    for (uint32_t i = 0; i < job->targets_count; i++)
        rows_count += job->targets[i].segment->facts.rows_count;
    if (rows_count >= asked)
        return asked;
    return rows_count > 0 ? (uint32_t)rows_count : 1;
}

static size_t search_bytes(const struct search_job *job)
{
    const struct search_options options = dispatch_options(job);
    size_t most = 0;

    for (uint32_t i = 0; i < job->targets_count; i++) {
        size_t bytes =
            search_scratch_bytes(job->targets[i].segment, &options, job->message.search_request.nq);
        most = bytes > most ? bytes : most;
    }
    return align_up(most);
}

enum qn_status dispatch_plan(struct search_job *job)
{
    job->k = needed_k(job);
    job->search_bytes = search_bytes(job);
    job->topk_stride = (topk_bytes(job->k) + 15) & ~(size_t)15;
    if (!group_targets(job))
        return QN_STATUS_BUSY;
    choose_chunks(job);
    if (!reserve(job))
        return QN_STATUS_BUSY;
    job->scratch = aligned_alloc(PLAN_ALIGNMENT, scratch_bytes(job));
    if (job->scratch == NULL) {
        if (job->scratch_bytes > 0)
            node_release_scratch(job->agent->node, job->scratch_bytes);
        return QN_STATUS_BUSY;
    }
    lay_scratch(job);
    return QN_STATUS_OK;
}

bool dispatch_is_short(const struct search_job *job)
{
    return job->chunks_count == 1 && job->groups[0].work < PLAN_SHORT_BYTES / sizeof(float);
}
