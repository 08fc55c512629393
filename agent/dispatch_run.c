/* SPDX-License-Identifier: Apache-2.0
 * A worker's share of a batch: takes segments of its NUMA node until there is none left, or slices
 * of the queries on the only one. Each job of a batch keeps its own deadline: one that is over ends
 * that job on that segment, no other. */
#include "agent/dispatch_internal.h"

#include "base/check.h"
#include <stdatomic.h>
#include <string.h>

/* Segments with less work than this are scanned to the end: it takes a few milliseconds at most.
 * Longer ones are worth a copy of the top-k sets, to put back if the deadline stops them. */
enum { RUN_WHOLE_WORK = 4 << 20 };

/* Some queries of a batch, one after the other, as they are searched at once. */
struct slice {
    struct job_chunk *chunk;
    const struct search_queries *queries;
    uint32_t first_query;
    const struct search_job *jobs; /* whose deadlines count */
    bool is_one;                   /* the first of jobs alone */
};

static bool past_deadline(const struct search_job *job)
{
    return clock_now_us(&job->agent->options.clock) >= job->deadline_us;
}

static bool any_past_deadline(void *owner)
{
    const struct slice *slice = owner;
    uint64_t now_us = clock_now_us(&slice->jobs->agent->options.clock);

    for (const struct search_job *job = slice->jobs; job != NULL; job = job->next_joined)
        if (now_us >= job->deadline_us)
            return true;
        else if (slice->is_one)
            return false;
    return false;
}

/* Of the slice alone: what others of the batch have found stays as it is. */
static void save_topks(const struct slice *slice)
{
    const struct job_chunk *chunk = slice->chunk;
    const struct search_batch *batch = chunk->batch;
    size_t first = slice->first_query, nq = slice->queries->nq;
    unsigned char *storage = chunk->backup + batch->nq * sizeof *chunk->topks;

    memcpy(chunk->backup + first * sizeof *chunk->topks, chunk->topks + first,
           nq * sizeof *chunk->topks);
    memcpy(storage + first * batch->topk_stride, chunk->storage + first * batch->topk_stride,
           nq * batch->topk_stride);
}

static void restore_topks(const struct slice *slice)
{
    const struct job_chunk *chunk = slice->chunk;
    const struct search_batch *batch = chunk->batch;
    size_t first = slice->first_query, nq = slice->queries->nq;
    const unsigned char *storage = chunk->backup + batch->nq * sizeof *chunk->topks;

    memcpy(chunk->topks + first, chunk->backup + first * sizeof *chunk->topks,
           nq * sizeof *chunk->topks);
    memcpy(chunk->storage + first * batch->topk_stride, storage + first * batch->topk_stride,
           nq * batch->topk_stride);
}

/* Anything but OK leaves the top-k sets as they were. */
static enum qn_status search_slice(struct slice *slice, const struct segment *segment)
{
    struct job_chunk *chunk = slice->chunk;
    struct search_options options = dispatch_options(slice->jobs);
    bool is_long;

    if (segment->facts.rows_count == 0)
        return QN_STATUS_OK;
    options.scratch = chunk->scratch;
    is_long = search_work(segment, &options) * slice->queries->nq >= RUN_WHOLE_WORK;
    if (is_long) {
        options.stop = any_past_deadline;
        options.stop_owner = slice;
        save_topks(slice);
    }
    enum qn_status status =
        search_segment(segment, slice->queries, &options, chunk->topks + slice->first_query);
    if (status != QN_STATUS_OK && is_long)
        restore_topks(slice);
    return status;
}

/* What the job has of the slice's queries, by their numbers in the batch; from == to: none. */
struct share {
    uint32_t from, to;
};

static struct share share_of(const struct slice *slice, const struct search_job *job)
{
    const uint32_t first = slice->first_query, end = first + slice->queries->nq;
    const uint32_t job_end = job->first_query + job->message.search_request.nq;
    struct share share = {.from = job->first_query > first ? job->first_query : first,
                          .to = job_end < end ? job_end : end};

    if (share.to < share.from)
        share.to = share.from;
    return share;
}

static enum qn_status search_alone(const struct slice *slice, const struct search_job *job,
                                   struct share share, const struct segment *segment)
{
    struct search_queries own =
        search_queries_part(slice->queries, share.from - slice->first_query, share.to - share.from);
    struct slice part = {.chunk = slice->chunk,
                         .queries = &own,
                         .first_query = share.from,
                         .jobs = job,
                         .is_one = true};

    return past_deadline(job) ? QN_STATUS_TIMEOUT : search_slice(&part, segment);
}

static void search_share(const struct slice *slice, struct search_job *job, uint32_t number,
                         bool is_searched)
{
    struct job_target *target = &job->targets[number];
    struct share share = share_of(slice, job);
    enum qn_status status = QN_STATUS_OK;

    if (share.from == share.to)
        return;
    if (!is_searched)
        status = search_alone(slice, job, share, target->segment);
    if (status == QN_STATUS_OK)
        (void)atomic_fetch_add(&target->searched, share.to - share.from);
    else
        atomic_store(&target->outcome, status);
}

/* All jobs at once; one by one if some deadline is over, or is before the segment is through. */
static void search_target(struct slice *slice, uint32_t target)
{
    struct search_batch *batch = slice->chunk->batch;
    const struct segment *segment = batch->jobs->targets[target].segment;
    bool together = batch->jobs->next_joined != NULL && !any_past_deadline(slice) &&
                    search_slice(slice, segment) == QN_STATUS_OK;

    for (struct search_job *job = batch->jobs; job != NULL; job = job->next_joined)
        search_share(slice, job, target, together);
}

/* The number-th of count slices. */
static void search_in_slice(struct job_chunk *chunk, uint32_t target, uint32_t number,
                            uint32_t count)
{
    const struct search_batch *batch = chunk->batch;
    const uint64_t unit = batch->slice_queries, units = (batch->nq + unit - 1) / unit;
    const uint32_t from = (uint32_t)(units * number / count * unit);
    const uint32_t to =
        number + 1 == count ? batch->nq : (uint32_t)(units * (number + 1) / count * unit);
    const struct search_queries queries = search_queries_part(&batch->queries, from, to - from);
    struct slice slice = {
        .chunk = chunk, .queries = &queries, .first_query = from, .jobs = batch->jobs};

    search_target(&slice, target);
}

static void end_job(struct search_job *job)
{
    dispatch_answer(job);
    for (uint32_t i = 0; i < job->targets_count; i++)
        segment_unpin(job->targets[i].segment);
}

void dispatch_leave_chunk(struct search_batch *batch)
{
    struct agent *agent = batch->agent;

    if (atomic_fetch_sub(&batch->pending, 1) != 1)
        return;
    transport_cork(&agent->options.search_transport);
    for (struct search_job *job = batch->jobs; job != NULL; job = job->next_joined)
        end_job(job);
    transport_uncork(&agent->options.search_transport);
    /* Never full: dispatch admits no more searches than the ring has room for. */
    CHECK(ring_push(&agent->events, &batch->finished));
}

void dispatch_run_chunk(struct task *task)
{
    struct job_chunk *chunk = (struct job_chunk *)(void *)task;
    struct search_batch *batch = chunk->batch;
    struct job_group *group = chunk->group;
    uint64_t none = 0;

    (void)atomic_compare_exchange_strong(&batch->started_us, &none,
                                         clock_now_us(&batch->agent->options.clock));
    for (;;) {
        uint32_t number = atomic_fetch_add(&group->next, 1);
        if (number >= group->count * group->slices_count)
            break;
        search_in_slice(chunk, batch->order[group->first + number / group->slices_count],
                        number % group->slices_count, group->slices_count);
    }
    dispatch_leave_chunk(batch);
}
