/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_calls.h"

#include "base/check.h"
#include "base/error.h"
#include "channel/client_search.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(CLIENT_SEARCH_IDS == 1 << CLIENT_CALLS_REQUEST_BITS, "a call has ids for a search");
static_assert(CLIENT_CALLS_SLOTS == 1 << CLIENT_CALLS_SLOT_BITS, "a slot fits its bits");

void client_calls_init(struct client_calls *calls)
{
    memset(calls, 0, sizeof *calls);
    CHECK(pthread_mutex_init(&calls->lock, NULL) == 0);
    calls->calls_count = 1;
}

static void drain(struct client_call *call)
{
    struct bus_message *message;

    while ((message = ring_pop(&call->ring)) != NULL)
        message->release(message);
}

static void call_free(struct client_call *call)
{
    drain(call);
    ring_done(&call->ring);
    arena_done(&call->search_arena);
    arena_done(&call->decode_arena);
    arena_done(&call->encode_arena);
    free(call);
}

void client_calls_done(struct client_calls *calls)
{
    for (uint32_t i = 0; i < calls->slots_count; i++)
        call_free(atomic_load(&calls->slots[i]));
    (void)pthread_mutex_destroy(&calls->lock);
}

static struct client_call *call_new(uint32_t slot)
{
    size_t alignment = _Alignof(struct client_call);
    struct client_call *call = aligned_alloc(alignment, sizeof *call);

    if (call == NULL)
        return NULL;
    memset(call, 0, sizeof *call);
    waiter_init(&call->waiter);
    if (ring_init(&call->ring, CLIENT_CALLS_RING_SLOTS, &call->waiter) != QN_STATUS_OK) {
        free(call);
        return NULL;
    }
    call->slot = slot;
    arena_init(&call->search_arena, CLIENT_CALLS_SEARCH_BYTES);
    arena_init(&call->decode_arena, LIMIT_DECODE_ARENA_BYTES);
    arena_init(&call->encode_arena, LIMIT_DECODE_ARENA_BYTES);
    return call;
}

static struct client_call *take_locked(struct client_calls *calls)
{
    struct client_call *call = calls->free;

    if (call != NULL) {
        calls->free = call->next_free;
        return call;
    }
    if (calls->slots_count == CLIENT_CALLS_VIEW_SLOT)
        return NULL;
    call = call_new(calls->slots_count);
    if (call != NULL)
        atomic_store(&calls->slots[calls->slots_count++], call);
    return call;
}

static void begin(struct client_call *call, uint64_t number)
{
    drain(call);
    atomic_store(&call->is_poked, false);
    atomic_store(&call->number, number << CLIENT_CALLS_SLOT_BITS | call->slot);
}

static void end(struct client_call *call)
{
    atomic_store(&call->number, 0);
    drain(call);
    arena_reset(&call->search_arena);
    arena_reset(&call->decode_arena);
    arena_reset(&call->encode_arena);
}

struct client_call *client_calls_take(struct client_calls *calls)
{
    (void)pthread_mutex_lock(&calls->lock);
    struct client_call *call = take_locked(calls);
    uint64_t number = calls->calls_count++;
    (void)pthread_mutex_unlock(&calls->lock);
    if (call != NULL)
        begin(call, number);
    return call;
}

void client_calls_renew(struct client_calls *calls, struct client_call *call)
{
    end(call);
    (void)pthread_mutex_lock(&calls->lock);
    uint64_t number = calls->calls_count++;
    (void)pthread_mutex_unlock(&calls->lock);
    begin(call, number);
}

enum qn_status client_calls_refused(struct client_calls *calls, struct qn_error *error)
{
    (void)pthread_mutex_lock(&calls->lock);
    bool is_full = calls->slots_count == CLIENT_CALLS_VIEW_SLOT;
    (void)pthread_mutex_unlock(&calls->lock);
    if (is_full)
        return error_set(error, QN_STATUS_BUSY, "%d calls are running on this client",
                         CLIENT_CALLS_VIEW_SLOT);
    return error_set(error, QN_STATUS_NO_MEMORY, "no memory for another call on this client");
}

void client_calls_give_back(struct client_calls *calls, struct client_call *call)
{
    end(call);
    (void)pthread_mutex_lock(&calls->lock);
    call->next_free = calls->free;
    calls->free = call;
    (void)pthread_mutex_unlock(&calls->lock);
}

uint64_t client_call_first_id(const struct client_call *call)
{
    return atomic_load(&call->number) << CLIENT_CALLS_REQUEST_BITS;
}

struct bus_message *client_call_pop(struct client_call *call, uint64_t *ret_request_id)
{
    struct bus_message *message;

    while ((message = ring_pop(&call->ring)) != NULL) {
        *ret_request_id = client_calls_id_of(message->subject);
        if (*ret_request_id >> CLIENT_CALLS_REQUEST_BITS == atomic_load(&call->number))
            return message;
        message->release(message);
    }
    return NULL;
}

void client_calls_poke_all(struct client_calls *calls)
{
    for (uint32_t i = 0; i < CLIENT_CALLS_VIEW_SLOT; i++) {
        struct client_call *call = atomic_load(&calls->slots[i]);
        if (call == NULL)
            return;
        if (atomic_load(&call->number) == 0)
            continue;
        atomic_store(&call->is_poked, true);
        waiter_wake(&call->waiter);
    }
}

void client_calls_route(struct client_calls *calls, struct bus_message *message)
{
    uint64_t number = client_calls_id_of(message->subject) >> CLIENT_CALLS_REQUEST_BITS;
    struct client_call *call = atomic_load(&calls->slots[number % CLIENT_CALLS_SLOTS]);

    if (call == NULL || number == 0 || atomic_load(&call->number) != number ||
        message->size > LIMIT_MESSAGE_BYTES_MAX || !ring_push(&call->ring, message))
        message->release(message);
}

uint64_t client_calls_id_of(const char *reply_subject)
{
    const char *token = strrchr(reply_subject, '.');
    uint64_t id = 0;

    for (token = token == NULL ? "" : token + 1; *token != '\0'; token++) {
        if (*token < '0' || *token > '9' || id > (UINT64_MAX - 9) / 10)
            return 0;
        id = id * 10 + (uint64_t)(*token - '0');
    }
    return id;
}

bool client_calls_is_view_id(uint64_t request_id)
{
    return (request_id >> CLIENT_CALLS_REQUEST_BITS) % CLIENT_CALLS_SLOTS == CLIENT_CALLS_VIEW_SLOT;
}
