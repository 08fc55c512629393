/* SPDX-License-Identifier: Apache-2.0
 * One search from its first request to its verdict.
 *
 * Every step sets the time, notes what happened, and then settles: is it over (all items settled,
 * or the deadline)? May idle items be asked (client_plan.c)? Is the coordinator to be asked for the
 * view? The driver takes the actions afterwards. Steps never fail: without memory an item ends as
 * missing with the reason NO_MEMORY, and the verdict says so.
 *
 * Time: a request that gets no answer is sent again under its id after 100 ms (agents may answer
 * twice; the second answer finds its request closed). At the second silence it is doubtful: its
 * items look for another copy, but its answer still counts if it comes. Agents are given the time
 * that is left less a margin, so that their answers are here before the deadline is.
 *
 * The verdict is about one readable_version: the one of the view that the search began on, or began
 * again on. Nothing here remembers anything across that border except which nodes were tried. */
#include "channel/client_search.h"

#include "base/check.h"
#include "channel/client_plan.h"
#include "channel/client_result.h"
#include <string.h>

enum { MARGIN_MAX_MS = 20 };

static uint64_t min_ms(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint32_t max_us(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static bool add_partitions(struct client_search *search)
{
    const struct qn_search_request *asked = &search->asked;

    if (asked->partition_ids == NULL)
        return true;
    if (!client_table_init(&search->partitions, search->arena, asked->partition_ids_count))
        return false;
    for (size_t i = 0; i < asked->partition_ids_count; i++)
        if (!client_table_add(&search->partitions, search->arena, asked->partition_ids[i], 0))
            return false;
    return true;
}

static void finish(struct client_search *search)
{
    search->is_done = true;
    search->asks_view = false;
    search->queue_first = search->queue_last = NULL;
}

static uint64_t ask_view_at_ms(const struct client_search *search)
{
    if (!search->wants_view)
        return UINT64_MAX;
    if (search->view_asks == 0)
        return search->now_ms;
    uint32_t doublings = search->view_asks < 8 ? search->view_asks - 1 : 8;
    return search->asked_view_ms +
           min_ms((uint64_t)CLIENT_PLAN_ASK_VIEW_MS << doublings, CLIENT_PLAN_ASK_VIEW_MAX_MS);
}

/* The end of every step. */
static void settle(struct client_search *search)
{
    if (search->is_done)
        return;
    if (search->now_ms >= search->deadline_ms || search->failure != QN_STATUS_OK) {
        finish(search);
        return;
    }
    if (search->has_view && search->idle_count > 0 && search->plan_at_ms <= search->now_ms)
        client_plan_run(search);
    if (search->has_view && search->settled_count == search->items_count) {
        finish(search);
        return;
    }
    if (ask_view_at_ms(search) > search->now_ms)
        return;
    search->asks_view = true;
    search->wants_view = !search->has_view;
    search->asked_view_ms = search->now_ms;
    search->view_asks++;
}

static void take_view(struct client_search *search, const struct collection_view *view)
{
    bool is_same = search->has_view && view->readable_version == search->readable_version;

    if (search->has_view && qn_epoch_compare(view->version, search->view_version) <= 0)
        return;
    search->has_view = true;
    search->view_version = view->version;
    search->wants_view = false;
    search->view_asks = 0;
    if (is_same) {
        client_view_place(search, view);
        return;
    }
    search->plan_at_ms = search->now_ms;
    if (view->dim != 0 && view->dim != search->asked.dim)
        search->failure = QN_STATUS_INVALID;
    else if (!client_view_begin(search, view))
        search->failure = QN_STATUS_NO_MEMORY;
}

struct client_search *client_search_new(struct arena *arena,
                                        const struct qn_search_request *request,
                                        const struct collection_view *view,
                                        uint64_t first_request_id, uint64_t now_ms)
{
    struct client_search *search = arena_calloc(arena, 1, sizeof *search);
    uint64_t budget_ms =
        request->deadline_ms == 0 ? CLIENT_SEARCH_DEADLINE_MS : request->deadline_ms;

    CHECK(request->nq >= 1 && request->nq <= LIMIT_QUERIES_PER_REQUEST_MAX);
    CHECK(request->k >= 1 && request->k <= LIMIT_K_MAX);
    CHECK((uint64_t)request->nq * request->k <= LIMIT_HITS_PER_REQUEST_MAX);
    if (search == NULL)
        return NULL;
    budget_ms = min_ms(budget_ms, LIMIT_SEARCH_MS_MAX);
    search->arena = arena;
    search->asked = *request;
    search->first_request_id = first_request_id;
    search->now_ms = search->started_ms = now_ms;
    search->deadline_ms = now_ms + budget_ms;
    search->margin_ms = (uint32_t)min_ms(budget_ms / 20, MARGIN_MAX_MS);
    search->plan_at_ms = search->silent_at_ms = UINT64_MAX;
    if (!client_unite_init(&search->unite, arena, request->nq, request->k) ||
        !add_partitions(search))
        return NULL;
    search->wants_view = true;
    if (view != NULL && view->collection_id == request->collection_id)
        take_view(search, view);
    if (search->failure == QN_STATUS_NO_MEMORY)
        return NULL;
    settle(search);
    return search;
}

void client_search_on_view(struct client_search *search, const struct collection_view *view,
                           uint64_t now_ms)
{
    search->now_ms = now_ms;
    if (!search->is_done && view->collection_id == search->asked.collection_id)
        take_view(search, view);
    settle(search);
}

void client_search_on_absent(struct client_search *search, uint64_t now_ms)
{
    search->now_ms = now_ms;
    if (!search->is_done && !search->has_view) {
        search->is_absent = true;
        finish(search);
    }
    settle(search);
}

/* NULL: unknown, of an older view, or over. */
static struct client_request *find_open(struct client_search *search, uint64_t request_id)
{
    uint64_t index = request_id - search->first_request_id;

    if (search->is_done || index >= search->requests_count)
        return NULL;
    struct client_request *request = search->requests[index];
    return request->is_open ? request : NULL;
}

void client_search_on_answer(struct client_search *search, uint64_t request_id,
                             const struct search_answer *answer, uint64_t now_ms)
{
    struct client_request *request = find_open(search, request_id);

    search->now_ms = now_ms;
    if (request != NULL) {
        search->queue_us = max_us(search->queue_us, answer->queue_us);
        search->search_us = max_us(search->search_us, answer->search_us);
        client_answer_take(search, request, answer);
    }
    settle(search);
}

void client_search_load(const struct client_search *search, uint32_t *ret_queue_us,
                        uint32_t *ret_search_us)
{
    *ret_queue_us = search->queue_us;
    *ret_search_us = search->search_us;
}

void client_search_on_no_responders(struct client_search *search, uint64_t request_id,
                                    uint64_t now_ms)
{
    struct client_request *request = find_open(search, request_id);
    struct search_answer nobody = {.status = QN_STATUS_NO_RESPONDERS, .parts = 1};

    search->now_ms = now_ms;
    if (request != NULL) {
        request->node->lost_until_ms = now_ms + CLIENT_PLAN_LOST_MS;
        client_answer_take(search, request, &nobody);
    }
    settle(search);
}

static bool is_needed(const struct client_request *request)
{
    for (size_t i = 0; i < request->count; i++)
        if (!client_item_is_settled(request->places[i]->item))
            return true;
    return false;
}

static void on_silence(struct client_search *search, struct client_request *request)
{
    if (!is_needed(request)) {
        client_plan_close(search, request);
        return;
    }
    if (++request->silences >= 2) {
        request->node->is_silent = true;
        client_plan_doubt(search, request);
    }
    client_plan_queue(search, request);
}

/* Looks for silent requests, and takes those that are over out of the list. */
static void look_for_silence(struct client_search *search)
{
    struct client_request **link = &search->open;

    search->silent_at_ms = UINT64_MAX;
    while (*link != NULL) {
        struct client_request *request = *link;
        if (request->is_open && request->silent_at_ms <= search->now_ms)
            on_silence(search, request);
        if (!request->is_open) {
            *link = request->next_open;
            continue;
        }
        search->silent_at_ms = min_ms(search->silent_at_ms, request->silent_at_ms);
        link = &request->next_open;
    }
}

void client_search_on_tick(struct client_search *search, uint64_t now_ms)
{
    search->now_ms = now_ms;
    if (!search->is_done && search->silent_at_ms <= now_ms)
        look_for_silence(search);
    settle(search);
}

uint64_t client_search_wake_ms(const struct client_search *search)
{
    uint64_t wake_ms = min_ms(search->deadline_ms, search->silent_at_ms);

    if (search->is_done)
        return search->now_ms;
    if (search->idle_count > 0)
        wake_ms = min_ms(wake_ms, search->plan_at_ms);
    return min_ms(wake_ms, ask_view_at_ms(search));
}

static uint32_t agent_deadline_ms(const struct client_search *search)
{
    uint64_t left_ms = search->deadline_ms - search->now_ms;

    return left_ms > search->margin_ms ? (uint32_t)left_ms - search->margin_ms : 1;
}

/* NULL: none. A request that was answered meanwhile need not go out. */
static struct client_request *next_to_send(struct client_search *search)
{
    struct client_request *request = search->queue_first;

    while (request != NULL) {
        search->queue_first = request->next_queued;
        request->is_queued = false;
        if (request->is_open)
            break;
        request = search->queue_first;
    }
    return request;
}

bool client_search_next(struct client_search *search, struct client_search_action *ret_action)
{
    struct client_request *request = next_to_send(search);

    *ret_action = (struct client_search_action){.kind = CLIENT_SEARCH_DONE};
    if (request != NULL) {
        search->sent_count++;
        search->retried_count += request->is_repeat;
        request->is_repeat = true;
        ret_action->kind = CLIENT_SEARCH_SEND;
        ret_action->node_id = request->node->node_id;
        ret_action->request_id = request->id;
        ret_action->request = (struct search_request){.collection_id = search->asked.collection_id,
                                                      .k = search->asked.k,
                                                      .nq = search->asked.nq,
                                                      .dim = search->asked.dim,
                                                      .metric = search->metric,
                                                      .queries = search->asked.queries,
                                                      .segment_ids = request->segment_ids,
                                                      .segments_count = request->count,
                                                      .deadline_ms = agent_deadline_ms(search),
                                                      .recall = search->asked.recall,
                                                      .nprobe = search->asked.nprobe,
                                                      .ef = search->asked.ef,
                                                      .refine = search->asked.refine};
        return true;
    }
    if (search->asks_view) {
        search->asks_view = false;
        ret_action->kind = CLIENT_SEARCH_ASK_VIEW;
        return true;
    }
    bool is_news = search->is_done && !search->is_done_told;
    search->is_done_told = search->is_done;
    return is_news;
}

static void list_missing(const struct client_search *search, struct qn_search_result *result)
{
    for (uint32_t i = 0; i < search->items_count; i++) {
        const struct client_item *item = &search->items[i];
        if (!item->is_covered)
            result->missing[result->missing_count++] =
                (struct qn_missing_segment){.segment_id = item->segment_id,
                                            .reason = item->reason,
                                            .node_id = item->asked_last};
    }
}

static void copy_hits(const struct client_unite *unite, struct qn_search_result *result)
{
    for (uint32_t i = 0; i < unite->nq; i++) {
        size_t at = (size_t)i * unite->k;
        result->hit_counts[i] = unite->counts[i];
        memcpy(result->hits + at, unite->hits + at, unite->counts[i] * sizeof *result->hits);
    }
}

enum qn_status client_search_result(struct client_search *search,
                                    struct qn_search_result *ret_result)
{
    uint32_t nq = search->asked.nq, k = search->asked.k;
    uint32_t missing_count = search->items_count - search->covered_count;

    CHECK(search->is_done);
    if (search->failure != QN_STATUS_OK)
        return search->failure;
    struct qn_search_result result = {.version = search->begun_version,
                                      .readable_version = search->readable_version,
                                      .nq = nq,
                                      .k = k,
                                      .segments_count = search->items_count,
                                      .requests_count = search->sent_count,
                                      .retried_count = search->retried_count,
                                      .overlap = search->has_overlap,
                                      .took_us = (search->now_ms - search->started_ms) * 1000};
    if (!search->has_view)
        result.reason = search->is_absent ? QN_STATUS_NOT_FOUND : QN_STATUS_NO_VIEW;
    else
        result.verdict = missing_count == 0 ? QN_VERDICT_COMPLETE : QN_VERDICT_PARTIAL;
    if (client_result_room(&result, missing_count) != QN_STATUS_OK)
        return QN_STATUS_NO_MEMORY;
    copy_hits(&search->unite, &result);
    list_missing(search, &result);
    *ret_result = result;
    return QN_STATUS_OK;
}
