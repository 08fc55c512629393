/* SPDX-License-Identifier: Apache-2.0
 * The search path of the node thread.
 *
 * A search is a job: taken here, decoded into the job's own arena (so the request lives as long as
 * the search and nothing is copied), checked, its segments pinned. Then it waits for a place at the
 * executor (dispatch_join.c); those that wait for the same segments with the same options are
 * searched together, as one batch, and answered each for itself. The batch's scratch is reserved in
 * the ledger, its chunks are given to the executor, and from the first submit on the batch and its
 * jobs belong to the workers. `pending` counts chunks that are not through; whoever takes it to
 * zero (a worker, or the node thread for a chunk that the full lane refused) is alone with the
 * batch: it merges the chunks' top-k sets, encodes, publishes, unpins, and posts `finished` to the
 * events ring. After that push all of it belongs to the node thread again, which alone touches the
 * ledger and the idle list.
 *
 *     node thread                  workers                         node thread
 *     decode check pin wait join > chunk chunk chunk               |
 *                                  last: merge answer unpin -----> give scratch back
 *
 * What may not happen: a worker that touches the batch after dispatch_leave_chunk, the node thread
 * that touches it between submit and `finished`, a pin after the segment drains (node_find's state
 * is asked in the same turn), an answer that claims a segment whose scan did not end.
 *
 * Exactness. A chunk keeps the top-k sets as they were before each long segment; when the deadline
 * stops the scan, they are put back. So the hits are always exactly the best of the covered
 * segments, never a mixture with half a segment. Where the queries are searched slice by slice, the
 * sets of one slice may hold hits of a segment that another slice did not get through: only batches
 * of one segment are cut, which then cover nothing and tell no hit.
 *
 * Scratch. Every batch reserves what it takes. A node that is full to the last byte would refuse
 * all searches for ever; so one search at a time, if it is the only one, may run on the headroom
 * that the budget leaves beside the ledger (memory.h). */
#include "agent/dispatch_internal.h"

#include "agent/life.h"
#include "base/check.h"
#include "base/log.h"
#include "channel/codec.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char room[] = "agent";

static struct search_job *job_take(struct agent *agent)
{
    struct search_job *job = agent->idle_jobs;

    if (job != NULL) {
        agent->idle_jobs = job->next;
        agent->idle_jobs_count--;
        return job;
    }
    job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->agent = agent;
    job->own.agent = agent;
    job->own.finished.kind = AGENT_EVENT_SEARCHED;
    arena_init(&job->arena, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&job->encoded, AGENT_ENCODE_ARENA_BYTES);
    return job;
}

static void job_free(struct search_job *job)
{
    arena_done(&job->arena);
    arena_done(&job->encoded);
    free(job);
}

/* A reset arena keeps its first chunk, which a large request may have made large. */
static void arena_shrink(struct arena *arena)
{
    arena_reset(arena);
    if (arena->taken_bytes > AGENT_JOB_KEPT_BYTES)
        arena_done(arena);
}

static void job_give(struct agent *agent, struct search_job *job)
{
    if (agent->idle_jobs_count >= AGENT_JOBS_KEPT) {
        job_free(job);
        return;
    }
    arena_shrink(&job->arena);
    arena_shrink(&job->encoded);
    job->next = agent->idle_jobs;
    agent->idle_jobs = job;
    agent->idle_jobs_count++;
}

static void job_begin(struct search_job *job)
{
    struct agent *agent = job->agent;

    job->term = node_term(agent->node);
    job->received_us = clock_now_us(&agent->options.clock);
    job->k = 0;
    job->targets_count = job->refused_count = 0;
    job->metric = QN_METRIC_UNSPECIFIED;
    job->batch = NULL;
    job->request_bytes = 0;
}

static void unpin_all(struct search_job *job)
{
    for (uint32_t i = 0; i < job->targets_count; i++)
        segment_unpin(job->targets[i].segment);
    job->targets_count = 0;
}

/* Nothing was submitted: the job never left the node thread. */
static void refuse(struct search_job *job, enum qn_status status, const char *text)
{
    unpin_all(job);
    dispatch_answer_status(job, status, text);
}

static void refuse_segment(struct search_job *job, uint32_t index)
{
    struct refusal *refusal = &job->refused[job->refused_count++];
    int64_t segment_id = job->message.search_request.segment_ids[index];

    *refusal = (struct refusal){.index = index, .status = QN_STATUS_NOT_HERE};
    if (node_moved_to(job->agent->node, segment_id, &refusal->moved_to))
        refusal->status = QN_STATUS_MOVED;
}

/* The segment if it may be searched now. */
static struct segment *searchable(struct search_job *job, int64_t segment_id,
                                  struct qn_epoch *ret_epoch)
{
    const struct node_copy *copy = node_find(job->agent->node, segment_id);

    if (copy == NULL || copy->collection_id != job->message.search_request.collection_id ||
        !life_answers_searches(copy->state))
        return NULL;
    *ret_epoch = copy->epoch;
    return store_find(job->agent->store, segment_id);
}

/* INVALID with the segment and both values in the text, if it is not what the request is about. */
static enum qn_status check_fits(const struct search_request *request,
                                 const struct segment_facts *facts, char *ret_text,
                                 size_t text_bytes)
{
    if (facts->dim != request->dim)
        (void)snprintf(ret_text, text_bytes, "segment %" PRId64 ": dim %" PRIu32 ", asked %" PRIu32,
                       facts->segment_id, facts->dim, request->dim);
    else if (facts->metric != request->metric)
        (void)snprintf(ret_text, text_bytes, "segment %" PRId64 ": metric %s, asked %s",
                       facts->segment_id, qn_metric_name(facts->metric),
                       qn_metric_name(request->metric));
    else
        return QN_STATUS_OK;
    return QN_STATUS_INVALID;
}

/* Pins what can be searched, lists what cannot. */
static enum qn_status pin_targets(struct search_job *job, char *ret_text, size_t text_bytes)
{
    const struct search_request *request = &job->message.search_request;

    for (uint32_t i = 0; i < request->segments_count; i++) {
        struct qn_epoch epoch;
        struct segment *segment = searchable(job, request->segment_ids[i], &epoch);
        if (segment == NULL) {
            refuse_segment(job, i);
            continue;
        }
        enum qn_status status = check_fits(request, &segment->facts, ret_text, text_bytes);
        if (status != QN_STATUS_OK)
            return status;
        segment_pin(segment);
        struct job_target *target = &job->targets[job->targets_count++];
        *target = (struct job_target){.index = i, .segment = segment, .epoch = epoch};
        atomic_init(&target->searched, 0);
        atomic_init(&target->outcome, QN_STATUS_BUSY);
    }
    return QN_STATUS_OK;
}

static bool take_tables(struct search_job *job)
{
    size_t count = job->message.search_request.segments_count;

    job->targets = arena_alloc(&job->arena, count * sizeof *job->targets);
    job->refused = arena_alloc(&job->arena, count * sizeof *job->refused);
    return job->targets != NULL && job->refused != NULL;
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

/* While it waits, too, it takes memory. */
static bool reserve_request(struct search_job *job)
{
    struct agent *agent = job->agent;
    uint64_t bytes = job->arena.taken_bytes;

    if (node_reserve_scratch(agent->node, bytes))
        job->request_bytes = bytes;
    else if (agent->searches_in_flight > 0)
        return false;
    return true;
}

/* True if the job was handed over; else it is answered, or none is wanted. */
static bool dispatch(struct search_job *job)
{
    const struct search_request *request = &job->message.search_request;
    struct agent *agent = job->agent;
    struct qn_error error = {0};
    char text[160];

    uint64_t deadline_ms = request->deadline_ms;
    if (deadline_ms == 0 || deadline_ms > LIMIT_SEARCH_MS_MAX)
        deadline_ms = LIMIT_SEARCH_MS_MAX;
    job->deadline_us = job->received_us + deadline_ms * 1000;
    if (agent->searches_in_flight >= LIMIT_TASK_SLOTS || !take_tables(job)) {
        refuse(job, QN_STATUS_BUSY, "too many searches at once");
        return false;
    }
    enum qn_status status = pin_targets(job, text, sizeof text);
    if (status != QN_STATUS_OK) {
        refuse(job, status, text);
        return false;
    }
    agent->searches_total++;
    if (job->targets_count == 0) {
        dispatch_answer(job);
        return false;
    }
    job->metric = request->metric;
    /* The queries lie in our arena: they are normalised where they are. */
    status = search_prepare_queries(request->metric, request->dim, request->nq,
                                    (float *)request->queries, &error);
    if (status != QN_STATUS_OK) {
        refuse(job, QN_STATUS_INVALID, error.text);
        return false;
    }
    if (!reserve_request(job)) {
        refuse(job, QN_STATUS_BUSY, "no memory left for this search");
        return false;
    }
    job->k = needed_k(job);
    agent->searches_in_flight++;
    dispatch_activate(job);
    dispatch_wait(job);
    return true;
}

static bool decode(struct search_job *job, const struct bus_message *message)
{
    struct agent *agent = job->agent;
    struct qn_error error = {0};

    if (codec_decode(message->bytes, message->size, &job->arena, &job->message, &error) ==
        QN_STATUS_OK)
        return agent_admits(agent, INBOX_SEARCH, &job->message);
    LOG_DEBUG(room, "refused a message on %s: %s", message->subject, error.text);
    if (job->message.kind == MESSAGE_SEARCH_REQUEST &&
        agent_admits(agent, INBOX_SEARCH, &job->message))
        dispatch_answer_status(job, QN_STATUS_INVALID, error.text);
    else
        (void)atomic_fetch_add(&agent->dropped_total, 1);
    return false;
}

void dispatch_receive(struct agent *agent, struct bus_message *message, bool shed)
{
    struct search_job *job = job_take(agent);
    bool handed_over = false;

    if (job == NULL) {
        (void)atomic_fetch_add(&agent->dropped_total, 1);
        message->release(message);
        return;
    }
    job_begin(job);
    if (!decode(job, message) || dispatch_is_active(agent, &job->message))
        ; /* answered, dropped, or being worked on: its answer is for the repeat too */
    else if (agent_lacks(&job->message))
        refuse(job, QN_STATUS_UNSUPPORTED, "needs a feature unknown to this build");
    else if (shed)
        refuse(job, QN_STATUS_BUSY, "the search inbox is more than half full");
    else
        handed_over = dispatch(job);
    message->release(message);
    if (!handed_over)
        job_give(agent, job);
}

static void job_end(struct search_job *job)
{
    struct agent *agent = job->agent;

    CHECK(agent->searches_in_flight > 0);
    agent->searches_in_flight--;
    dispatch_deactivate(job);
    if (job->request_bytes > 0)
        node_release_scratch(agent->node, job->request_bytes);
    job_give(agent, job);
}

void dispatch_drop(struct search_job *job)
{
    unpin_all(job);
    job_end(job);
}

void dispatch_finished(struct agent *agent, struct agent_event *event)
{
    struct search_batch *batch = CONTAINER_OF(event, struct search_batch, finished);
    struct search_job *first = batch->jobs, *job = first->next_joined;

    CHECK(agent->batches_in_flight > 0);
    agent->batches_in_flight--;
    agent->chunks_in_flight -= batch->chunks_count;
    if (batch->scratch_bytes > 0)
        node_release_scratch(agent->node, batch->scratch_bytes);
    free(batch->scratch);
    while (job != NULL) {
        struct search_job *next = job->next_joined;
        job_end(job);
        job = next;
    }
    job_end(first); /* the batch lives in it */
}

void dispatch_close(struct agent *agent)
{
    struct search_job *job;

    while ((job = agent->waiting_first) != NULL) { /* nobody is there to be answered any more */
        agent->waiting_first = job->next_joined;
        dispatch_drop(job);
    }
    CHECK(agent->searches_in_flight == 0);
    while (agent->idle_jobs != NULL) {
        struct search_job *job = agent->idle_jobs;
        agent->idle_jobs = job->next;
        job_free(job);
    }
}
