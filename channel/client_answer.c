/* SPDX-License-Identifier: Apache-2.0
 * Judges an answer. It counts whole or not at all: when all its parts are in, the hits are united
 * and the covered segments are done (C4).
 *
 * An agent may answer the same request twice (the bus repeated it, or we did), and the two answers
 * may cover different segments: between them a copy was loaded or released. Part 0 of the one with
 * part 1 of the other would claim segments whose hits are missing. So each part of a long answer
 * must carry `covered`, and only parts that cover the same go together; a part of another answer
 * starts the collection anew. Equal coverage means equal content: a segment's bytes never change.
 *
 * A peer's answer is never CHECKed: what does not fit its request counts as refused INVALID. */
#include "channel/client_plan.h"
#include <string.h>

/* What an answer says of its request's segments. */
struct verdicts {
    const uint8_t *covered; /* NULL: none */
    const struct refusal *refused;
    size_t refused_count;
    enum qn_status otherwise; /* neither covered nor refused: out of time, or forgotten */
};

static bool is_covered(const uint8_t *bitmap, size_t index)
{
    return bitmap[index / 8] >> (index % 8) & 1;
}

static bool covers_any(const uint8_t *bitmap, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_covered(bitmap, i))
            return true;
    return false;
}

/* The hits behind these; an answer without hits has no array to step over. */
static const struct qn_hit *hits_after(const struct qn_hit *hits, uint32_t count)
{
    return count == 0 ? hits : hits + count;
}

static bool are_hits_valid(const struct client_search *search, const struct search_answer *answer)
{
    const struct qn_hit *hits = answer->hits;
    size_t left_count = answer->hits_count;

    for (size_t i = 0; i < answer->hit_counts_count; i++) {
        uint32_t count = answer->hit_counts[i];
        if (count > search->asked.k || count > left_count ||
            !client_unite_is_sorted(search->metric, hits, count))
            return false;
        hits = hits_after(hits, count);
        left_count -= count;
    }
    return left_count == 0;
}

static bool are_refusals_valid(const struct client_request *request,
                               const struct search_answer *answer)
{
    for (size_t i = 0; i < answer->refused_count; i++)
        if (answer->refused[i].index >= request->count)
            return false;
    return true;
}

/* Does the part fit its request? */
static bool is_valid(const struct client_search *search, const struct client_request *request,
                     const struct search_answer *answer)
{
    uint32_t nq = search->asked.nq;

    if (answer->parts == 0 || answer->part >= answer->parts || answer->parts > nq + 1 ||
        answer->covered_bytes != (request->count + 7) / 8)
        return false;
    if (answer->first_query > nq || answer->hit_counts_count > nq - answer->first_query)
        return false;
    if (!are_refusals_valid(request, answer))
        return false;
    if (!covers_any(answer->covered, request->count))
        return answer->hits_count == 0;
    return are_hits_valid(search, answer);
}

/* Whether there is anything new in it: if not, its hits need not be united. */
static bool covers_news(const struct client_request *request, const uint8_t *covered)
{
    for (size_t i = 0; i < request->count; i++)
        if (is_covered(covered, i) && !request->places[i]->item->is_covered)
            return true;
    return false;
}

/* Closes the request: covered segments are done, the others are refused, each with its own reason
 * if the answer has one, else with this. */
static void settle(struct client_search *search, struct client_request *request,
                   const struct verdicts *verdicts)
{
    struct refusal otherwise = {.status = verdicts->otherwise};

    for (size_t i = 0; verdicts->covered != NULL && i < request->count; i++)
        if (is_covered(verdicts->covered, i))
            client_plan_cover(search, request->places[i]->item);
    client_plan_close(search, request);
    for (size_t i = 0; i < verdicts->refused_count; i++) {
        uint32_t index = verdicts->refused[i].index;
        struct client_place *place = request->places[index];
        request->places[index] = NULL;
        if (place != NULL && !client_item_is_settled(place->item))
            client_plan_refuse(search, place, &verdicts->refused[i]);
    }
    for (size_t i = 0; i < request->count; i++)
        if (request->places[i] != NULL && !client_item_is_settled(request->places[i]->item))
            client_plan_refuse(search, request->places[i], &otherwise);
}

static void refuse_all(struct client_search *search, struct client_request *request,
                       enum qn_status status)
{
    settle(search, request, &(struct verdicts){.otherwise = status});
}

static void take_whole(struct client_search *search, struct client_request *request,
                       const struct search_answer *answer)
{
    const struct qn_hit *hits = answer->hits;
    bool is_news = covers_news(request, answer->covered);

    if (is_news && answer->hit_counts_count != search->asked.nq) {
        refuse_all(search, request, QN_STATUS_INVALID);
        return;
    }
    for (uint32_t i = 0; is_news && i < search->asked.nq; i++) {
        client_unite_add(&search->unite, search->metric, i, hits, answer->hit_counts[i]);
        hits = hits_after(hits, answer->hit_counts[i]);
    }
    settle(search, request,
           &(struct verdicts){.covered = answer->covered,
                              .refused = answer->refused,
                              .refused_count = answer->refused_count,
                              .otherwise = QN_STATUS_INCOMPLETE});
}

static struct client_parts *take_free_parts(struct client_search *search)
{
    struct client_parts *parts = search->parts_free;
    uint32_t nq = search->asked.nq;

    if (parts != NULL) {
        search->parts_free = parts->next_free;
        return parts;
    }
    parts = arena_alloc(search->arena, sizeof *parts);
    if (parts == NULL)
        return NULL;
    parts->counts = arena_alloc(search->arena, nq * sizeof *parts->counts);
    parts->hits = arena_alloc(search->arena, (size_t)nq * search->asked.k * sizeof *parts->hits);
    return parts->counts == NULL || parts->hits == NULL ? NULL : parts;
}

static void begin_parts(struct client_search *search, struct client_parts *parts,
                        const struct search_answer *answer)
{
    parts->parts = answer->parts;
    parts->parts_in = parts->queries_in = 0;
    parts->refused = NULL;
    parts->refused_count = 0;
    memset(parts->seen, 0, sizeof parts->seen);
    memcpy(parts->covered, answer->covered, answer->covered_bytes);
    memset(parts->counts, 0xff, search->asked.nq * sizeof *parts->counts);
}

static bool add_refused(struct client_search *search, struct client_parts *parts,
                        const struct search_answer *answer)
{
    size_t bytes = answer->refused_count * sizeof *answer->refused;

    if (answer->refused_count == 0 || parts->refused_count > 0)
        return true;
    struct refusal *copy = arena_alloc(search->arena, bytes);
    if (copy == NULL)
        return false;
    parts->refused = memcpy(copy, answer->refused, bytes);
    parts->refused_count = answer->refused_count;
    return true;
}

/* False: it answers a query that another part answered. */
static bool add_hits(const struct client_search *search, struct client_parts *parts,
                     const struct search_answer *answer)
{
    const struct qn_hit *hits = answer->hits;

    for (size_t i = 0; i < answer->hit_counts_count; i++) {
        size_t query = answer->first_query + i;
        uint32_t count = answer->hit_counts[i];
        if (parts->counts[query] != UINT32_MAX)
            return false;
        parts->counts[query] = count;
        if (count > 0)
            memcpy(parts->hits + query * search->asked.k, hits, count * sizeof *hits);
        hits = hits_after(hits, count);
        parts->queries_in++;
    }
    parts->seen[answer->part / 8] |= (uint8_t)(1u << answer->part % 8);
    parts->parts_in++;
    return true;
}

static void take_all_parts(struct client_search *search, struct client_request *request)
{
    struct client_parts *parts = request->parts;
    bool is_news = covers_news(request, parts->covered);

    if (is_news && parts->queries_in != search->asked.nq) {
        refuse_all(search, request, QN_STATUS_INVALID);
        return;
    }
    for (uint32_t i = 0; is_news && i < search->asked.nq; i++)
        client_unite_add(&search->unite, search->metric, i,
                         parts->hits + (size_t)i * search->asked.k, parts->counts[i]);
    settle(search, request,
           &(struct verdicts){.covered = parts->covered,
                              .refused = parts->refused,
                              .refused_count = parts->refused_count,
                              .otherwise = QN_STATUS_INCOMPLETE});
}

/* Without memory the part is lost, and the silence rule asks again: others may be done by then. */
static void take_part(struct client_search *search, struct client_request *request,
                      const struct search_answer *answer)
{
    if (request->parts == NULL) {
        request->parts = take_free_parts(search);
        if (request->parts == NULL)
            return;
        begin_parts(search, request->parts, answer);
    }
    struct client_parts *parts = request->parts;
    if (parts->parts != answer->parts ||
        memcmp(parts->covered, answer->covered, answer->covered_bytes) != 0)
        begin_parts(search, parts, answer);
    if (is_covered(parts->seen, answer->part) || !add_refused(search, parts, answer))
        return;
    if (!add_hits(search, parts, answer))
        refuse_all(search, request, QN_STATUS_INVALID);
    else if (parts->parts_in == parts->parts)
        take_all_parts(search, request);
}

/* Nothing was searched. Some segments may have a reason of their own, such as MOVED. */
static void take_refusal(struct client_search *search, struct client_request *request,
                         const struct search_answer *answer)
{
    bool is_detailed = are_refusals_valid(request, answer);

    settle(search, request,
           &(struct verdicts){.refused = answer->refused,
                              .refused_count = is_detailed ? answer->refused_count : 0,
                              .otherwise = answer->status});
}

void client_answer_take(struct client_search *search, struct client_request *request,
                        const struct search_answer *answer)
{
    request->node->is_silent = false;
    if (answer->status != QN_STATUS_OK)
        take_refusal(search, request, answer);
    else if (!is_valid(search, request, answer))
        refuse_all(search, request, QN_STATUS_INVALID);
    else if (answer->parts == 1)
        take_whole(search, request, answer);
    else
        take_part(search, request, answer);
}
