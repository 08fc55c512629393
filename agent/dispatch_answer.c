/* SPDX-License-Identifier: Apache-2.0
 * From finished chunks to bytes on the bus. Every part of an answer carries what it covers with the
 * epochs, so that a client never joins parts of two answers; part 0 carries the refusals too. */
#include "agent/dispatch_internal.h"

#include "agent/reduce.h"
#include "base/log.h"
#include "channel/codec.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

static const char room[] = "agent";

/* Tags and lengths of the three lists of hits, and two bytes by which the body's length may grow.
 */
enum { ANSWER_LISTS_BYTES = 3 * (1 + 5) + 2, SLOW_SEARCH_US = 100000 };

static void fill_envelope(const struct search_job *job, struct message *message)
{
    const struct agent *agent = job->agent;

    message->cluster = agent->cluster;
    message->sender = agent->sender;
    message->boot = agent->state.boot;
    message->term = job->term;
    message->request_id = job->message.request_id;
    message->traceparent = job->message.traceparent;
    message->reply_to = "";
    message->kind = MESSAGE_SEARCH_ANSWER;
}

static void publish(struct search_job *job, struct message *message)
{
    const struct transport *transport = &job->agent->options.search_transport;
    struct qn_error error = {0};
    const uint8_t *bytes;
    size_t size;

    fill_envelope(job, message);
    arena_reset(&job->encoded);
    if (codec_encode(message, &job->encoded, &bytes, &size, &error) != QN_STATUS_OK) {
        LOG_WARNING(room, "cannot encode a search answer: %s", error.text);
        return;
    }
    enum qn_status status =
        transport->ops->publish(transport->self, job->message.reply_to, NULL, bytes, size);
    if (status != QN_STATUS_OK)
        LOG_DEBUG(room, "publish on %s: %s", job->message.reply_to, qn_status_text(status));
}

void dispatch_answer_status(struct search_job *job, enum qn_status status, const char *text)
{
    struct message message = {
        .search_answer = {.status = status, .text = text, .parts = 1},
    };

    if (job->message.reply_to[0] != '\0')
        publish(job, &message);
}

/* The job's share of what the batch has found, merged: its hits, from *ret_hits on. */
static void reduce(struct search_job *job, const struct qn_hit **ret_hits, size_t *ret_hits_count)
{
    const struct search_batch *batch = job->batch;
    uint32_t nq = job->message.search_request.nq, first = job->first_query;
    struct qn_hit *hits = batch->hits + (size_t)first * batch->k;
    struct topk *best = batch->chunks[0].topks + first;

    for (unsigned i = 1; i < batch->chunks_count; i++)
        if (batch->chunks[i].topks + first != best)
            reduce_merge(best, batch->chunks[i].topks + first, nq);
    *ret_hits_count = reduce_collect(best, nq, batch->hit_counts + first, hits);
    *ret_hits = hits;
}

enum qn_status dispatch_outcome(const struct search_job *job, const struct job_target *target)
{
    if (atomic_load(&target->searched) == job->message.search_request.nq)
        return QN_STATUS_OK;
    return (enum qn_status)atomic_load(&target->outcome);
}

/* Fills covered, epochs and refusals; false when there is no memory for them. */
static bool fill_coverage(struct search_job *job, struct search_answer *answer)
{
    size_t covered_bytes = (job->message.search_request.segments_count + 7) / 8;
    uint8_t *covered = arena_calloc(&job->arena, covered_bytes, 1);
    struct qn_epoch *epochs = arena_calloc(&job->arena, job->targets_count + 1, sizeof *epochs);

    if (covered == NULL || epochs == NULL)
        return false;
    for (uint32_t i = 0; i < job->targets_count; i++) {
        const struct job_target *target = &job->targets[i];
        enum qn_status outcome = dispatch_outcome(job, target);
        if (outcome == QN_STATUS_OK) {
            covered[target->index / 8] |= (uint8_t)(1u << target->index % 8);
            epochs[answer->epochs_count++] = target->epoch;
        } else {
            job->refused[job->refused_count++] =
                (struct refusal){.index = target->index, .status = outcome};
        }
    }
    answer->covered = covered;
    answer->covered_bytes = covered_bytes;
    answer->epochs = epochs;
    answer->refused = job->refused;
    answer->refused_count = job->refused_count;
    return true;
}

static void fill_timings(struct search_job *job, struct search_answer *answer)
{
    uint64_t now_us = clock_now_us(&job->agent->options.clock);
    uint64_t started_us = job->batch == NULL ? 0 : atomic_load(&job->batch->started_us);

    if (started_us == 0)
        started_us = now_us;
    answer->queue_us = (uint32_t)(started_us - job->received_us);
    answer->search_us = (uint32_t)(now_us - started_us);
}

static void log_slow(const struct search_job *job, const struct search_answer *answer)
{
    const struct message *asked = &job->message;

    if ((uint64_t)answer->queue_us + answer->search_us < SLOW_SEARCH_US)
        return;
    LOG_DEBUG(room,
              "slow search %" PRIu64 " of %s: %zu segments, queue %" PRIu32 " us, search %" PRIu32
              " us, traceparent %s",
              asked->request_id, asked->sender, asked->search_request.segments_count,
              answer->queue_us, answer->search_us,
              asked->traceparent[0] == '\0' ? "none" : asked->traceparent);
}

static size_t part_bytes(const struct search_job *job)
{
    const struct transport *transport = &job->agent->options.search_transport;
    size_t max_payload = transport->ops->max_payload(transport->self);

    return max_payload < LIMIT_ANSWER_PART_BYTES ? max_payload : LIMIT_ANSWER_PART_BYTES;
}

/* What a part takes beside its hits, at most. */
static size_t measure(struct search_job *job, const struct search_answer *whole,
                      size_t refused_count)
{
    struct message message = {.search_answer = *whole};
    struct search_answer *answer = &message.search_answer;

    answer->part = answer->parts = answer->first_query = UINT32_MAX;
    answer->hit_counts_count = answer->hits_count = 0;
    answer->refused_count = refused_count;
    fill_envelope(job, &message);
    arena_reset(&job->encoded);
    return codec_size(&message, &job->encoded);
}

static void publish_parts(struct search_job *job, const struct search_answer *whole)
{
    size_t plain_bytes = measure(job, whole, 0);
    struct reduce_room room_in_part = {
        .part_bytes = part_bytes(job),
        .envelope_bytes = plain_bytes + ANSWER_LISTS_BYTES,
        .head_bytes = measure(job, whole, whole->refused_count) - plain_bytes,
    };
    uint32_t nq = (uint32_t)whole->hit_counts_count;
    struct reduce_part *parts = arena_alloc(&job->arena, (nq + 1) * sizeof *parts);
    size_t parts_count = 0;

    if (parts != NULL && plain_bytes < room_in_part.part_bytes)
        parts_count = reduce_parts(whole->hit_counts, nq, &room_in_part, parts);
    if (parts_count == 0) {
        dispatch_answer_status(job, parts == NULL ? QN_STATUS_BUSY : QN_STATUS_UNSUPPORTED,
                               "the hits of one query do not fit a message of this bus");
        return;
    }
    for (uint32_t i = 0; i < parts_count; i++) {
        struct message message = {.search_answer = *whole};
        struct search_answer *answer = &message.search_answer;
        answer->part = i;
        answer->parts = (uint32_t)parts_count;
        answer->first_query = parts[i].first_query;
        answer->hit_counts = whole->hit_counts + parts[i].first_query;
        answer->hit_counts_count = parts[i].queries_count;
        answer->hits = whole->hits + parts[i].first_hit;
        answer->hits_count = parts[i].hits_count;
        answer->refused_count = i == 0 ? whole->refused_count : 0;
        publish(job, &message);
    }
}

/* Nothing is covered though there was something to search: the answer as a whole says why. */
static enum qn_status status_of(const struct search_job *job, const struct search_answer *answer)
{
    if (answer->epochs_count > 0)
        return QN_STATUS_OK;
    for (uint32_t i = 0; i < job->targets_count; i++)
        if (dispatch_outcome(job, &job->targets[i]) == QN_STATUS_TIMEOUT)
            return QN_STATUS_TIMEOUT;
    return job->targets_count > 0 ? QN_STATUS_BUSY : QN_STATUS_OK;
}

void dispatch_answer(struct search_job *job)
{
    struct search_answer answer = {.text = ""};
    const struct qn_hit *hits = NULL;
    size_t hits_count = 0;

    if (job->message.reply_to[0] == '\0')
        return;
    if (!fill_coverage(job, &answer)) {
        dispatch_answer_status(job, QN_STATUS_BUSY, "no memory left for this search");
        return;
    }
    answer.status = status_of(job, &answer);
    if (answer.status != QN_STATUS_OK)
        answer.text = answer.status == QN_STATUS_TIMEOUT ? "no segment was searched in time"
                                                         : "the queue of searches is full";
    if (answer.epochs_count > 0) {
        reduce(job, &hits, &hits_count);
        answer.hit_counts = job->batch->hit_counts + job->first_query;
        answer.hit_counts_count = job->message.search_request.nq;
        answer.hits = hits;
        answer.hits_count = hits_count;
    }
    fill_timings(job, &answer);
    log_slow(job, &answer);
    publish_parts(job, &answer);
}
