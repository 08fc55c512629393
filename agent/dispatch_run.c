/* SPDX-License-Identifier: Apache-2.0
 * A worker's share of a search: takes segments of its NUMA node until there is none left. */
#include "agent/dispatch_internal.h"

#include "base/check.h"
#include <stdatomic.h>
#include <string.h>

/* Segments with less work than this are scanned to the end: it takes a few milliseconds at most.
 * Longer ones are worth a copy of the top-k sets, to put back if the deadline stops them. */
enum { RUN_WHOLE_WORK = 4 << 20 };

static bool past_deadline(void *owner)
{
    const struct search_job *job = owner;

    return clock_now_us(&job->agent->options.clock) >= job->deadline_us;
}

static void init_topks(struct job_chunk *chunk)
{
    const struct search_job *job = chunk->job;

    for (uint32_t q = 0; q < job->message.search_request.nq; q++)
        topk_init(&chunk->topks[q], job->metric, job->k, chunk->storage + q * job->topk_stride);
}

static void save_topks(struct job_chunk *chunk)
{
    const struct search_job *job = chunk->job;
    uint32_t nq = job->message.search_request.nq;
    size_t topks_bytes = nq * sizeof *chunk->topks;

    memcpy(chunk->backup, chunk->topks, topks_bytes);
    memcpy(chunk->backup + topks_bytes, chunk->storage, nq * job->topk_stride);
}

static void restore_topks(struct job_chunk *chunk)
{
    const struct search_job *job = chunk->job;
    uint32_t nq = job->message.search_request.nq;
    size_t topks_bytes = nq * sizeof *chunk->topks;

    memcpy(chunk->topks, chunk->backup, topks_bytes);
    memcpy(chunk->storage, chunk->backup + topks_bytes, nq * job->topk_stride);
}

static enum qn_status search_target(struct job_chunk *chunk, const struct segment *segment)
{
    struct search_job *job = chunk->job;
    const uint32_t nq = job->message.search_request.nq;
    struct search_options options = dispatch_options(job);

    if (past_deadline(job))
        return QN_STATUS_TIMEOUT;
    if (segment->facts.rows_count == 0)
        return QN_STATUS_OK;
    options.scratch = chunk->scratch;
    if (search_work(segment, &options) * nq >= RUN_WHOLE_WORK) {
        options.stop = past_deadline;
        options.stop_owner = job;
        save_topks(chunk);
    }
    enum qn_status status = search_segment(segment, &job->queries, &options, chunk->topks);
    if (status != QN_STATUS_OK)
        restore_topks(chunk);
    return status;
}

void dispatch_leave_chunk(struct search_job *job)
{
    struct agent *agent = job->agent;

    if (atomic_fetch_sub(&job->pending, 1) != 1)
        return;
    dispatch_answer(job);
    for (uint32_t i = 0; i < job->targets_count; i++)
        segment_unpin(job->targets[i].segment);
    /* Never full: dispatch admits no more searches than the ring has room for. */
    CHECK(ring_push(&agent->events, &job->finished));
}

void dispatch_run_chunk(struct task *task)
{
    struct job_chunk *chunk = (struct job_chunk *)(void *)task;
    struct search_job *job = chunk->job;
    struct job_group *group = chunk->group;
    uint64_t none = 0;

    (void)atomic_compare_exchange_strong(&job->started_us, &none,
                                         clock_now_us(&job->agent->options.clock));
    init_topks(chunk);
    chunk->ran = true;
    for (;;) {
        uint32_t number = atomic_fetch_add(&group->next, 1);
        if (number >= group->count)
            break;
        struct job_target *target = &job->targets[job->order[group->first + number]];
        target->outcome = search_target(chunk, target->segment);
    }
    dispatch_leave_chunk(job);
}
