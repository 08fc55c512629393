/* SPDX-License-Identifier: Apache-2.0
 * A message costs the bus and its ends about as much as an indexed query costs the agent. So when
 * the agents are busy anyway, threads that search the same collection in the same way share one
 * request: its queries are theirs, one after the other, and so are its hits.
 *
 * When: as long as agents have workers for it, every call goes out by itself at once. Else no more
 * requests are under way than the window (client_window.h) allows; a call that finds it full waits
 * for one of them to end, with all others that do, but not for long. It had waited at the agent
 * instead. One that finds room waits, too, for those that come back now: some milliseconds at most.
 *
 * How: a call that is let through leads: it takes along those that wait and are like it, runs one
 * search for all on its own thread, and hands out the results. Segments that no copy was found of
 * are missing whatever the queries are: the patience that showed it is not spent again. Where the
 * size of the shared request, or another's query, may be why one is missing, the result is handed
 * out only if it took all the time there was; else each searches by itself, so that nobody suffers
 * from another's query, and every error is told to its own caller. */
#include "channel/client_join.h"

#include "channel/client.h"
#include "channel/client_query.h"
#include "channel/client_result.h"
#include "channel/client_search.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUERIES_OF_CALL = 8, /* a call with more has its own: a message is not much beside them */
    DIM_MAX = 2048,      /* as with many queries */
    GATHER_US = 2000,    /* so long does the first that waits do it for others, */
    LATE_US = 8000,      /* so long one that came later, if it is the first by then, */
    HOLD_US = 20000,     /* so long any for its turn, */
    HOLD_SHARE = 8,      /* and at most that part of its time */
    TIME_LEFT_MS = 25,   /* those who shared a request differ by no more: it took all their time */
};

/* TAKEN: by a leader, under the lock. The last three are told once. */
enum join_state { JOIN_WAITS, JOIN_TAKEN, JOIN_LEADS, JOIN_DONE, JOIN_ALONE };

/* One qn_search; on its caller's stack. What it is woken by lies in its client_call, which outlives
 * it: who tells it something last may still have to wake it. */
struct join_call {
    const struct qn_search_request *asked;
    uint64_t deadline_ms;   /* by the client's clock */
    struct join_call *next; /* that waits, or that goes along with the same leader */
    struct join_call *last; /* of those that go along with it, at first itself */
    uint32_t nq;            /* of all of them */
    struct waiter *waiter;
    _Atomic int state;
    uint32_t first_query;           /* of the shared request's */
    struct qn_search_result result; /* DONE */
};

void client_joins_init(struct client_joins *joins)
{
    *joins = (struct client_joins){.window = {.size = CLIENT_CALLS_SLOTS}};
    (void)pthread_mutex_init(&joins->lock, NULL);
}

void client_joins_done(struct client_joins *joins)
{
    (void)pthread_mutex_destroy(&joins->lock);
}

static bool may_join(const struct qn_search_request *asked)
{
    return asked->nq <= QUERIES_OF_CALL && asked->dim <= DIM_MAX && asked->partition_ids == NULL &&
           asked->traceparent == NULL;
}

static bool are_alike(const struct qn_search_request *a, const struct qn_search_request *b)
{
    return a->collection_id == b->collection_id && a->dim == b->dim && a->k == b->k &&
           a->recall == b->recall && a->nprobe == b->nprobe && a->ef == b->ef &&
           a->refine == b->refine && a->copy_policy == b->copy_policy &&
           a->deadline_ms == b->deadline_ms && a->patience_ms == b->patience_ms;
}

/* Of its time. */
static uint32_t left_ms(const struct qn_client *client, const struct join_call *call)
{
    uint64_t now_ms = clock_now_ms(&client->clock);

    return call->deadline_ms > now_ms ? (uint32_t)(call->deadline_ms - now_ms) : 0;
}

/* ---- who waits, who leads: under the lock ---- */

static void append(struct client_joins *joins, struct join_call *call)
{
    call->next = NULL;
    if (joins->first == NULL)
        joins->first = call;
    else
        joins->last->next = call;
    joins->last = call;
    joins->crowd.waiting++;
    joins->crowd.queries += call->asked->nq;
}

static void clear(struct client_joins *joins)
{
    joins->first = joins->last = NULL;
    joins->crowd.waiting = joins->crowd.queries = 0;
}

/* Those that wait and are like the leader go along with it. */
static void take_along(struct client_joins *joins, struct join_call *leader)
{
    struct join_call *waiting = joins->first;

    clear(joins);
    while (waiting != NULL) {
        struct join_call *call = waiting;
        const uint32_t nq = leader->nq + call->asked->nq;
        waiting = call->next;
        if (!are_alike(leader->asked, call->asked) || nq > CLIENT_WINDOW_QUERIES ||
            (uint64_t)nq * call->asked->k > LIMIT_HITS_PER_REQUEST_MAX) {
            append(joins, call);
            continue;
        }
        atomic_store(&call->state, JOIN_TAKEN);
        call->first_query = leader->nq;
        call->next = NULL;
        leader->nq = nq;
        leader->last->next = call;
        leader->last = call;
    }
}

/* Who to wake: what the call was may be gone by then. */
static struct waiter *tell(struct join_call *call, enum join_state state)
{
    struct waiter *waiter = call->waiter;

    atomic_store(&call->state, state);
    return waiter;
}

/* It waits no more. */
static void take_out(struct client_joins *joins, const struct join_call *mine)
{
    struct join_call *call = joins->first, *next;

    clear(joins);
    for (; call != NULL; call = next) {
        next = call->next;
        if (call != mine)
            append(joins, call);
    }
}

/* It leads a request. */
static void begin(struct client_joins *joins, struct join_call *leader)
{
    take_out(joins, leader);
    leader->next = NULL;
    joins->crowd.running++;
}

/* If a request may go now, the first that waits leads it, and takes the others along. Who to wake,
 * without the lock, which it wants next; NULL: nobody. */
static struct waiter *let_through(struct client_joins *joins)
{
    struct join_call *call = joins->first;

    if (call == NULL || !client_window_is_open(&joins->window, &joins->crowd))
        return NULL;
    begin(joins, call);
    return tell(call, JOIN_LEADS);
}

static void wake(struct waiter *waiter)
{
    if (waiter != NULL)
        waiter_wake(waiter);
}

/* ---- the shared request ---- */

/* NULL: no memory. */
static float *join_queries(const struct join_call *leader)
{
    const uint32_t dim = leader->asked->dim;
    float *queries = malloc((size_t)leader->nq * dim * sizeof *queries);

    for (const struct join_call *call = leader; queries != NULL && call != NULL; call = call->next)
        memcpy(queries + (size_t)call->first_query * dim, call->asked->queries,
               (size_t)call->asked->nq * dim * sizeof *queries);
    return queries;
}

/* all: NULL if the shared search failed. After this the others' calls are theirs again. */
static void hand_out(const struct qn_client *client, struct join_call *leader,
                     const struct qn_search_result *all)
{
    struct join_call *call = leader, *next;

    for (; call != NULL; call = next) {
        bool is_for_it =
            all != NULL && (client_result_suits_all(all) || left_ms(client, call) <= TIME_LEFT_MS);
        next = call->next;
        bool is_done = is_for_it && client_result_share(all, call->first_query, call->asked->nq,
                                                        &call->result) == QN_STATUS_OK;
        if (call == leader)
            atomic_store(&call->state, is_done ? JOIN_DONE : JOIN_ALONE);
        else
            wake(tell(call, is_done ? JOIN_DONE : JOIN_ALONE));
    }
}

/* With the time that the one with the least has left. */
static struct qn_search_request shared_request(const struct qn_client *client,
                                               const struct join_call *leader, const float *queries)
{
    struct qn_search_request request = *leader->asked;
    uint32_t least_ms = UINT32_MAX;

    for (const struct join_call *call = leader; call != NULL; call = call->next) {
        uint32_t ms = left_ms(client, call);
        least_ms = ms < least_ms ? ms : least_ms;
    }
    request.queries = queries;
    request.nq = leader->nq;
    request.deadline_ms = least_ms > 0 ? least_ms : 1;
    return request;
}

static void search_shared(struct qn_client *client, struct client_call *call,
                          struct join_call *leader)
{
    float *queries = join_queries(leader);
    struct qn_search_result all;

    if (queries == NULL) {
        hand_out(client, leader, NULL);
        return;
    }
    struct qn_search_request request = shared_request(client, leader, queries);
    enum qn_status status = client_query_run(client, call, &request, &all, NULL);
    hand_out(client, leader, status == QN_STATUS_OK ? &all : NULL);
    if (status == QN_STATUS_OK)
        qn_search_result_done(&all);
    free(queries);
}

/* ---- one call ---- */

/* False: it still waits when the time is over. */
static bool is_told_by(const struct qn_client *client, struct join_call *mine, uint64_t until_us)
{
    for (;;) {
        uint32_t ticket = waiter_prepare(mine->waiter);
        uint64_t now_us = clock_now_us(&client->clock);
        bool is_told = atomic_load(&mine->state) != JOIN_WAITS;
        if (is_told || now_us >= until_us) {
            waiter_cancel(mine->waiter);
            return is_told;
        }
        waiter_wait(mine->waiter, ticket, until_us - now_us);
    }
}

/* Taken along by a leader: that one's word is near, and comes by all our deadlines. */
static void wait_for_word(struct join_call *mine)
{
    for (;;) {
        uint32_t ticket = waiter_prepare(mine->waiter);
        if (atomic_load(&mine->state) >= JOIN_LEADS) {
            waiter_cancel(mine->waiter);
            return;
        }
        waiter_wait(mine->waiter, ticket, WAITER_FOREVER);
    }
}

/* It has waited for others, or for its turn: does it go without? */
static bool goes_now(struct client_joins *joins, struct join_call *mine, bool has_waited_enough)
{
    (void)pthread_mutex_lock(&joins->lock);
    bool goes = atomic_load(&mine->state) == JOIN_WAITS &&
                (has_waited_enough || client_window_has_room(&joins->window, &joins->crowd));
    if (goes) {
        begin(joins, mine);
        take_along(joins, mine); /* whose time may be over, too */
    }
    (void)pthread_mutex_unlock(&joins->lock);
    return goes;
}

/* True: it may lead. False: another has led, and state says what came of it. */
static bool enter(struct qn_client *client, struct join_call *mine)
{
    struct client_joins *joins = &client->joins;
    const uint64_t share_us = (uint64_t)left_ms(client, mine) * 1000 / HOLD_SHARE;
    const uint64_t hold_us = share_us < HOLD_US ? share_us : (uint64_t)HOLD_US;

    (void)pthread_mutex_lock(&joins->lock);
    joins->crowd.calls++;
    append(joins, mine);
    bool is_first = joins->first == mine;
    struct waiter *leader = let_through(joins);
    (void)pthread_mutex_unlock(&joins->lock);
    wake(leader);
    if (atomic_load(&mine->state) == JOIN_LEADS)
        return true;
    const uint64_t began_us = clock_now_us(&client->clock);
    for (uint64_t us = is_first ? GATHER_US : LATE_US;; us *= 2) {
        bool is_last = us >= hold_us;
        if (is_told_by(client, mine, began_us + (is_last ? hold_us : us)))
            break;
        if (goes_now(joins, mine, is_last))
            return true;
    }
    wait_for_word(mine);
    return atomic_load(&mine->state) == JOIN_LEADS;
}

static void leave(struct client_joins *joins, const struct client_load *load)
{
    (void)pthread_mutex_lock(&joins->lock);
    client_window_note(&joins->window, joins->crowd.running, load);
    joins->crowd.running--;
    struct waiter *leader = let_through(joins);
    (void)pthread_mutex_unlock(&joins->lock);
    wake(leader);
}

/* It is none of the crowd any more: those who wait may be the fair share of what is left. */
static void go_home(struct client_joins *joins)
{
    (void)pthread_mutex_lock(&joins->lock);
    joins->crowd.calls--;
    struct waiter *leader = let_through(joins);
    (void)pthread_mutex_unlock(&joins->lock);
    wake(leader);
}

/* In what time is left. */
static enum qn_status search_own(struct qn_client *client, struct client_call *call,
                                 struct join_call *mine, struct qn_error *error)
{
    struct qn_search_request request = *mine->asked;
    uint32_t ms = left_ms(client, mine);

    request.deadline_ms = ms > 0 ? ms : 1;
    return client_query_run(client, call, &request, &mine->result, error);
}

static enum qn_status lead(struct qn_client *client, struct client_call *call,
                           struct join_call *mine, struct qn_error *error)
{
    enum qn_status status = QN_STATUS_OK;
    struct client_joins *joins = &client->joins;

    (void)pthread_mutex_lock(&joins->lock);
    take_along(joins, mine);
    struct waiter *leader = let_through(joins); /* of those that are not like it */
    (void)pthread_mutex_unlock(&joins->lock);
    wake(leader);
    if (mine->next != NULL) {
        search_shared(client, call, mine);
    } else {
        status = search_own(client, call, mine, error);
        atomic_store(&mine->state, JOIN_DONE);
    }
    leave(joins, &call->load);
    return status;
}

enum qn_status client_join_search(struct qn_client *client, struct client_call *call,
                                  const struct qn_search_request *request,
                                  struct qn_search_result *ret_result, struct qn_error *error)
{
    uint32_t budget_ms =
        request->deadline_ms == 0 ? CLIENT_SEARCH_DEADLINE_MS : request->deadline_ms;
    uint64_t started_us = clock_now_us(&client->clock);
    struct join_call mine = {.asked = request,
                             .deadline_ms = started_us / 1000 + budget_ms,
                             .last = &mine,
                             .nq = request->nq,
                             .waiter = &call->waiter};
    enum qn_status status = QN_STATUS_OK;

    if (!may_join(request))
        return client_query_run(client, call, request, ret_result, error);
    call->load = (struct client_load){0};
    if (enter(client, &mine))
        status = lead(client, call, &mine, error);
    go_home(&client->joins);
    if (atomic_load(&mine.state) == JOIN_ALONE) {
        client_calls_renew(&client->calls, call); /* a shared search may have been on it */
        status = search_own(client, call, &mine, error);
    }
    if (status != QN_STATUS_OK)
        return status;
    mine.result.took_us = clock_now_us(&client->clock) - started_us;
    *ret_result = mine.result;
    return QN_STATUS_OK;
}
