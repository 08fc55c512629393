/* SPDX-License-Identifier: Apache-2.0
 * Searches that wait for a place at the executor, and how they become batches. Node thread.
 *
 * There are places for as many batches as there are workers, and for half as many more, so that a
 * worker that is through finds the next one ready. What comes while all are taken waits here. When
 * a place is free, the first one that waits takes it, with others that are searched on the same
 * segments in the same way: one pass over the segment, one wake-up of a worker and one write to the
 * bus serve them all. Nobody waits for others to come: with places free, a search goes at once. */
#include "agent/dispatch_internal.h"

#include "base/check.h"
#include <stdatomic.h>

enum {
    JOIN_QUERIES_MAX = 16, /* of a batch of several searches */
    JOIN_LOOK_MAX = 64,    /* how many of those that wait are looked at */
};

void dispatch_wait(struct search_job *job)
{
    struct agent *agent = job->agent;

    job->next_joined = NULL;
    if (agent->waiting_first == NULL)
        agent->waiting_first = job;
    else
        agent->waiting_last->next_joined = job;
    agent->waiting_last = job;
    agent->waiting_queries += job->message.search_request.nq;
}

/* The node before it in the list is `previous`, NULL if it is the first. */
static void stop_waiting(struct search_job *job, struct search_job *previous)
{
    struct agent *agent = job->agent;

    if (previous == NULL)
        agent->waiting_first = job->next_joined;
    else
        previous->next_joined = job->next_joined;
    if (agent->waiting_last == job)
        agent->waiting_last = previous;
    job->next_joined = NULL;
    agent->waiting_queries -= job->message.search_request.nq;
}

/* The same rows looked at in the same way, whatever the queries. */
static bool are_alike(const struct search_job *a, const struct search_job *b)
{
    const struct search_request *left = &a->message.search_request;
    const struct search_request *right = &b->message.search_request;

    if (a->targets_count != b->targets_count || a->k != b->k || left->recall != right->recall ||
        left->nprobe != right->nprobe || left->ef != right->ef || left->refine != right->refine)
        return false;
    for (uint32_t i = 0; i < a->targets_count; i++)
        if (a->targets[i].segment != b->targets[i].segment)
            return false;
    return true;
}

static unsigned places_free(const struct agent *agent)
{
    const struct executor *executor = &agent->options.executor;
    unsigned workers = executor->ops->concurrency(executor->self, EXECUTOR_LANE_SEARCH) *
                       agent->options.numa_count;
    unsigned places = workers + (workers + 1) / 2;

    return places > agent->batches_in_flight ? places - agent->batches_in_flight : 0;
}

bool dispatch_is_full(const struct agent *agent)
{
    return places_free(agent) == 0;
}

/* Takes the first that waits, and those like it up to that many queries. */
static struct search_batch *gather(struct agent *agent, uint64_t queries_max)
{
    struct search_job *first = agent->waiting_first, *last = first, *previous = NULL, *next;
    struct search_batch *batch = &first->own;
    unsigned looked = 0;

    stop_waiting(first, NULL);
    batch->jobs = first;
    batch->nq = first->message.search_request.nq;
    first->first_query = 0;
    for (struct search_job *job = agent->waiting_first; job != NULL && looked < JOIN_LOOK_MAX;
         job = next, looked++) {
        uint64_t nq = (uint64_t)batch->nq + job->message.search_request.nq;
        next = job->next_joined;
        if (nq > queries_max || nq * job->k > LIMIT_HITS_PER_REQUEST_MAX ||
            !are_alike(first, job)) {
            previous = job;
            continue;
        }
        stop_waiting(job, previous);
        job->first_query = batch->nq;
        batch->nq = (uint32_t)nq;
        last->next_joined = job;
        last = job;
    }
    return batch;
}

static void count_searches(struct search_job *job)
{
    struct agent *agent = job->agent;

    for (uint32_t i = 0; i < job->targets_count; i++) {
        struct holding *holding =
            holdings_find(agent->holdings, job->targets[i].segment->facts.segment_id);
        CHECK(holding != NULL);
        holding->searches++;
    }
}

/* From the first submit on, the batch is not ours. Its chunks and their number are copied before.
 */
static void submit(struct search_batch *batch)
{
    struct agent *agent = batch->agent;
    const struct executor *executor = &agent->options.executor;
    struct job_chunk *chunks = batch->chunks;
    unsigned chunks_count = batch->chunks_count;

    agent->batches_in_flight++;
    agent->chunks_in_flight += chunks_count;
    for (struct search_job *job = batch->jobs; job != NULL; job = job->next_joined)
        count_searches(job);
    atomic_store(&batch->pending, chunks_count);
    if (dispatch_is_short(batch) &&
        executor->ops->is_idle(executor->self, EXECUTOR_LANE_SEARCH, chunks[0].group->numa_node)) {
        dispatch_run_chunk(&chunks[0].task);
        return;
    }
    for (unsigned i = 0; i < chunks_count; i++)
        if (!executor->ops->submit(executor->self, EXECUTOR_LANE_SEARCH, chunks[i].group->numa_node,
                                   &chunks[i].task))
            dispatch_leave_chunk(batch); /* its pending place is ours until then */
}

/* Back to the front, in their order. */
static void wait_again(struct agent *agent, struct search_job *jobs)
{
    struct search_job *last = jobs;

    agent->waiting_queries += jobs->message.search_request.nq;
    for (; last->next_joined != NULL; last = last->next_joined)
        agent->waiting_queries += last->next_joined->message.search_request.nq;
    last->next_joined = agent->waiting_first;
    if (agent->waiting_first == NULL)
        agent->waiting_last = last;
    agent->waiting_first = jobs;
}

/* What does not fit together may fit one by one. */
static void begin(struct search_batch *batch)
{
    struct search_job *first = batch->jobs, *others = first->next_joined;

    if (dispatch_plan(batch) == QN_STATUS_OK) {
        submit(batch);
        return;
    }
    if (others != NULL) {
        wait_again(first->agent, others);
        first->next_joined = NULL;
        batch->nq = first->message.search_request.nq;
        if (dispatch_plan(batch) == QN_STATUS_OK) {
            submit(batch);
            return;
        }
    }
    first->batch = NULL;
    dispatch_answer_status(first, QN_STATUS_BUSY, "no memory left for this search");
    dispatch_drop(first);
}

bool dispatch_waiting(struct agent *agent)
{
    bool began = false;
    unsigned places;

    while (agent->waiting_first != NULL && (places = places_free(agent)) > 0) {
        uint64_t share = (agent->waiting_queries + places - 1) / places;
        begin(gather(agent, share < JOIN_QUERIES_MAX ? share : JOIN_QUERIES_MAX));
        began = true;
    }
    return began;
}
