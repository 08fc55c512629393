/* SPDX-License-Identifier: Apache-2.0
 * Which copy is asked for which segment, and in which request.
 *
 * A run of the plan looks at the idle items only. For each it ranks the places that may be asked
 * now: nodes that answer before silent ones, places that did not refuse before those that did,
 * those that the newest view lists, the preferred replica, and then the node with less in this
 * plan. The best one is asked; under policy ALL also every other copy of the same replica (a
 * hand-off is on, and the first answer counts). Chosen places are hung on their node, and each
 * node's list is cut into requests by count and by bytes.
 *
 * An item with no place that may be asked now waits: for its earliest place, for another view, or
 * for an answer of a doubtful request. An item whose places are all final is final too. */
#include "channel/client_plan.h"

#include "base/check.h"

static uint64_t min_ms(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t doubled_ms(uint64_t first_ms, uint32_t times, uint64_t max_ms)
{
    return times > 16 ? max_ms : min_ms(first_ms << times, max_ms);
}

static bool is_spent(const struct client_place *place)
{
    return place->is_final || place->node->requests_count >= CLIENT_SEARCH_TRIES_MAX;
}

static uint64_t askable_at_ms(const struct client_place *place)
{
    uint64_t at_ms = place->not_before_ms;

    if (is_spent(place) || place->is_open)
        return UINT64_MAX;
    return at_ms > place->node->lost_until_ms ? at_ms : place->node->lost_until_ms;
}

/* Smaller is better. */
static uint64_t rank(const struct client_search *search, const struct client_place *place)
{
    uint64_t refusals = place->refusals < 255 ? place->refusals : 255;

    return (uint64_t)place->node->is_silent << 62 | refusals << 48 |
           (uint64_t)!place->is_listed << 41 |
           (uint64_t)(place->replica != search->replica_preferred) << 40 |
           place->node->chosen_count;
}

static struct client_place *best_place(const struct client_search *search,
                                       const struct client_item *item)
{
    struct client_place *best = NULL;

    for (struct client_place *place = item->places; place != NULL; place = place->next)
        if (askable_at_ms(place) <= search->now_ms &&
            (best == NULL || rank(search, place) < rank(search, best)))
            best = place;
    return best;
}

static void hang_on_node(struct client_node **chosen, struct client_place *place)
{
    struct client_node *node = place->node;

    place->next_chosen = NULL;
    if (node->chosen_first == NULL) {
        node->chosen_first = place;
        node->next_chosen = *chosen;
        *chosen = node;
    } else {
        node->chosen_last->next_chosen = place;
    }
    node->chosen_last = place;
    node->chosen_count++;
}

static void make_final(struct client_search *search, struct client_item *item)
{
    item->is_final = true;
    search->settled_count++;
    search->idle_count--;
}

static bool is_absent_at(const struct client_place *place)
{
    return !place->is_open &&
           (place->said == QN_STATUS_NO_RESPONDERS || place->said == QN_STATUS_NOT_HERE);
}

/* When the item is given up, if by then still no place may have it. */
static uint64_t patience_ends_ms(const struct client_search *search, struct client_item *item)
{
    uint32_t patience_ms =
        search->asked.patience_ms == 0 ? CLIENT_PLAN_PATIENCE_MS : search->asked.patience_ms;
    bool is_absent = true;

    for (struct client_place *place = item->places; place != NULL; place = place->next)
        is_absent = is_absent && is_absent_at(place);
    if (!is_absent) {
        item->absent_since_ms = 0;
        return UINT64_MAX;
    }
    if (item->absent_since_ms == 0)
        item->absent_since_ms = search->now_ms;
    return item->absent_since_ms + patience_ms;
}

/* Nothing can be asked now: when, and does a newer view help? */
static void wait_for_place(struct client_search *search, struct client_item *item)
{
    bool is_hopeless = item->places_count > 0;
    uint64_t at_ms = patience_ends_ms(search, item);

    if (at_ms <= search->now_ms) {
        make_final(search, item);
        return;
    }

    for (struct client_place *place = item->places; place != NULL; place = place->next) {
        is_hopeless = is_hopeless && is_spent(place) && !place->is_open;
        at_ms = min_ms(at_ms, askable_at_ms(place));
        search->wants_view |= place->said == QN_STATUS_NOT_HERE;
    }
    if (is_hopeless) {
        make_final(search, item);
        return;
    }
    if (item->places_count == 0) {
        search->wants_view = true;
        at_ms = min_ms(at_ms, search->now_ms + CLIENT_PLAN_RETRY_MS);
    }
    search->plan_at_ms = min_ms(search->plan_at_ms, at_ms);
}

static void choose_places(struct client_search *search, struct client_item *item,
                          struct client_node **chosen)
{
    struct client_place *best = best_place(search, item);

    if (best == NULL) {
        wait_for_place(search, item);
        return;
    }
    if (!is_absent_at(best))
        item->absent_since_ms = 0;
    hang_on_node(chosen, best);
    if (search->asked.copy_policy != QN_COPY_POLICY_ALL)
        return;
    for (struct client_place *place = item->places; place != NULL; place = place->next)
        if (place != best && place->replica == best->replica && place->is_listed &&
            askable_at_ms(place) <= search->now_ms)
            hang_on_node(chosen, place);
}

static size_t segments_per_request(const struct client_search *search)
{
    size_t queries_bytes = (size_t)search->asked.nq * search->asked.dim * sizeof(float);
    size_t fixed_bytes = queries_bytes + CLIENT_PLAN_ENVELOPE_BYTES;
    size_t room = LIMIT_MESSAGE_BYTES_MAX > fixed_bytes
                      ? (LIMIT_MESSAGE_BYTES_MAX - fixed_bytes) / sizeof(int64_t)
                      : 1;

    if (room > LIMIT_SEGMENTS_PER_REQUEST_MAX)
        return LIMIT_SEGMENTS_PER_REQUEST_MAX;
    return room == 0 ? 1 : room;
}

static bool grow_requests(struct client_search *search)
{
    uint32_t capacity = search->requests_capacity == 0 ? 64 : search->requests_capacity * 2;
    struct client_request **requests = arena_calloc(search->arena, capacity, sizeof *requests);

    if (requests == NULL)
        return false;
    for (uint32_t i = 0; i < search->requests_count; i++)
        requests[i] = search->requests[i];
    search->requests = requests;
    search->requests_capacity = capacity;
    return true;
}

/* NULL: no memory, or no ids left. */
static struct client_request *request_new(struct client_search *search, size_t count)
{
    if (search->requests_count == CLIENT_SEARCH_IDS)
        return NULL;
    if (search->requests_count == search->requests_capacity && !grow_requests(search))
        return NULL;
    struct client_request *request = arena_calloc(search->arena, 1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->places = arena_alloc(search->arena, count * sizeof *request->places);
    request->segment_ids = arena_alloc(search->arena, count * sizeof *request->segment_ids);
    if (request->places == NULL || request->segment_ids == NULL)
        return NULL;
    request->id = search->first_request_id + search->requests_count;
    search->requests[search->requests_count++] = request;
    return request;
}

static void open_place(struct client_search *search, struct client_request *request,
                       struct client_place *place)
{
    struct client_item *item = place->item;

    request->places[request->count] = place;
    request->segment_ids[request->count++] = item->segment_id;
    request->is_repeat |= item->asked_last != 0 && item->trusted_count == 0;
    place->is_open = true;
    if (item->trusted_count++ == 0)
        search->idle_count--;
    item->reason = QN_STATUS_TIMEOUT;
    item->asked_last = place->node->node_id;
}

/* Memory or ids are exhausted: what was chosen and no other request asks is given up, and says so.
 */
static void give_up(struct client_search *search, struct client_place *place)
{
    for (; place != NULL; place = place->next_chosen) {
        if (!client_item_is_idle(place->item))
            continue;
        place->item->reason = QN_STATUS_NO_MEMORY;
        make_final(search, place->item);
    }
}

static void ask_node(struct client_search *search, struct client_node *node)
{
    size_t per_request = segments_per_request(search);
    size_t left_count = node->chosen_count;
    struct client_place *place = node->chosen_first;

    while (left_count > 0) {
        size_t count = left_count < per_request ? left_count : per_request;
        struct client_request *request = request_new(search, count);
        if (request == NULL) {
            give_up(search, place);
            break;
        }
        request->node = node;
        request->is_open = true;
        for (size_t i = 0; i < count; i++, place = place->next_chosen)
            open_place(search, request, place);
        request->next_open = search->open;
        search->open = request;
        client_plan_queue(search, request);
        left_count -= count;
    }
    node->chosen_first = node->chosen_last = NULL;
    node->chosen_count = 0;
}

void client_plan_run(struct client_search *search)
{
    struct client_node *chosen = NULL;

    search->plan_at_ms = UINT64_MAX;
    for (uint32_t i = 0; i < search->items_count; i++)
        if (client_item_is_idle(&search->items[i]))
            choose_places(search, &search->items[i], &chosen);
    for (struct client_node *node = chosen; node != NULL; node = node->next_chosen)
        ask_node(search, node);
}

/* First after 100 ms, again after 100, then doubling: an agent under load is not buried in repeats.
 */
static uint64_t silence_ms(const struct client_request *request)
{
    uint32_t doublings = request->silences > 1 ? request->silences - 1 : 0;

    return doubled_ms(CLIENT_SEARCH_RESEND_MS, doublings, CLIENT_PLAN_SILENCE_MAX_MS);
}

void client_plan_queue(struct client_search *search, struct client_request *request)
{
    request->silent_at_ms = search->now_ms + silence_ms(request);
    search->silent_at_ms = min_ms(search->silent_at_ms, request->silent_at_ms);
    if (request->is_queued || request->node->requests_count >= CLIENT_SEARCH_TRIES_MAX)
        return;
    request->is_queued = true;
    request->node->requests_count++;
    request->next_queued = NULL;
    if (search->queue_first == NULL)
        search->queue_first = request;
    else
        search->queue_last->next_queued = request;
    search->queue_last = request;
}

static void distrust(struct client_search *search, struct client_item *item)
{
    CHECK(item->trusted_count > 0);
    item->trusted_count--;
    if (client_item_is_idle(item)) {
        search->idle_count++;
        search->plan_at_ms = search->now_ms;
    }
}

void client_plan_doubt(struct client_search *search, struct client_request *request)
{
    if (request->is_doubtful)
        return;
    request->is_doubtful = true;
    for (size_t i = 0; i < request->count; i++)
        distrust(search, request->places[i]->item);
}

void client_plan_close(struct client_search *search, struct client_request *request)
{
    client_plan_doubt(search, request);
    request->is_open = false;
    for (size_t i = 0; i < request->count; i++)
        request->places[i]->is_open = false;
    if (request->parts == NULL)
        return;
    request->parts->next_free = search->parts_free;
    search->parts_free = request->parts;
    request->parts = NULL;
}

void client_plan_cover(struct client_search *search, struct client_item *item)
{
    if (item->is_covered)
        return;
    if (client_item_is_idle(item))
        search->idle_count--;
    if (!item->is_final)
        search->settled_count++;
    item->is_covered = true;
    search->covered_count++;
}

static void follow_move(struct client_search *search, const struct client_place *from,
                        int64_t node_id)
{
    struct client_place *to = client_view_add_place(search, from->item, node_id, from->replica);

    search->wants_view = true;
    if (to != NULL && to->said == QN_STATUS_OK)
        to->is_listed = true; /* as good as listed: the node itself says so */
}

void client_plan_refuse(struct client_search *search, struct client_place *place,
                        const struct refusal *refusal)
{
    struct client_item *item = place->item;
    uint64_t wait_ms =
        doubled_ms(CLIENT_PLAN_RETRY_MS, place->refusals / 4, CLIENT_PLAN_RETRY_MAX_MS);

    place->said = refusal->status == QN_STATUS_OK ? QN_STATUS_INCOMPLETE : refusal->status;
    if (item->trusted_count == 0) {
        item->reason = place->said;
        item->asked_last = place->node->node_id;
    }
    switch (place->said) {
    case QN_STATUS_MOVED:
        if (refusal->moved_to == 0 || refusal->moved_to == place->node->node_id)
            place->said = QN_STATUS_NOT_HERE;
        else
            follow_move(search, place, refusal->moved_to);
        break;
    case QN_STATUS_NOT_HERE:
        break;
    case QN_STATUS_NO_RESPONDERS:
        wait_ms = CLIENT_PLAN_LOST_MS;
        search->wants_view = true;
        break;
    case QN_STATUS_UNSUPPORTED:
    case QN_STATUS_INVALID:
    case QN_STATUS_NOT_PERMITTED:
        place->is_final = true;
        break;
    default:
        wait_ms = doubled_ms(CLIENT_PLAN_BUSY_MS, place->refusals, CLIENT_PLAN_BUSY_MAX_MS);
        break;
    }
    place->refusals++;
    place->not_before_ms = search->now_ms + wait_ms;
    if (client_item_is_idle(item))
        search->plan_at_ms = search->now_ms;
}
