/* SPDX-License-Identifier: Apache-2.0
 * Calls in progress, and the way of a reply to the call that waits for it.
 *
 * A call has a slot for its time: a ring into which the bus's threads put replies, a waiter on
 * which its thread sleeps, and arenas. A request id is
 *
 *     call number (38 bits) | slot (10 bits) | request of the call (16 bits)
 *
 * and the last token of its reply subject. Slots are used again, call numbers are not: a late reply
 * finds another number in its slot and is dropped; one that slips in while the slot changes hands
 * is dropped by the new owner, who looks at the id again. So the bus's threads need no lock. */
#ifndef CHANNEL_CLIENT_CALLS_H
#define CHANNEL_CLIENT_CALLS_H

#include "base/arena.h"
#include "base/ring.h"
#include "channel/transport.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
    CLIENT_CALLS_SLOTS = 1024, /* the last one is never a call's: its ids ask for views */
    CLIENT_CALLS_VIEW_SLOT = CLIENT_CALLS_SLOTS - 1,
    CLIENT_CALLS_RING_SLOTS = 1024, /* replies not yet taken; more are lost, and asked for again */
    CLIENT_CALLS_REQUEST_BITS = 16,
    CLIENT_CALLS_SLOT_BITS = 10,
    CLIENT_CALLS_SEARCH_BYTES = 64 << 20, /* what one search may take */
};

/* How busy the agents were that a search has asked; the longest of each. */
struct client_load {
    uint32_t queue_us;  /* from its arrival until a worker began */
    uint32_t search_us; /* from then to the answer; 0: none has come */
};

struct client_call {
    _Atomic uint64_t number; /* call number | slot; 0: free */
    struct waiter waiter;
    struct ring ring; /* of struct bus_message */
    _Atomic bool is_poked;
    uint32_t slot;
    struct arena search_arena, decode_arena, encode_arena;
    struct client_load load; /* of its last search */
    struct client_call *next_free;
};

struct client_calls {
    pthread_mutex_t lock;                                    /* of all but slots */
    _Atomic(struct client_call *) slots[CLIENT_CALLS_SLOTS]; /* set once, on first use */
    uint32_t slots_count;
    struct client_call *free;
    uint64_t calls_count; /* so far: the next number */
};

void client_calls_init(struct client_calls *calls);
/* After the transport's close. */
void client_calls_done(struct client_calls *calls);
/* NULL: too many at once, or no memory; client_calls_refused says which. */
struct client_call *client_calls_take(struct client_calls *calls);
enum qn_status client_calls_refused(struct client_calls *calls, struct qn_error *error);
/* As if given back and taken again, by nobody else between: for one more search. */
void client_calls_renew(struct client_calls *calls, struct client_call *call);
void client_calls_give_back(struct client_calls *calls, struct client_call *call);
/* The first of the call's 2^16 request ids. */
uint64_t client_call_first_id(const struct client_call *call);
/* The next reply that is for this call, with its id; NULL: none. The caller releases it. */
struct bus_message *client_call_pop(struct client_call *call, uint64_t *ret_request_id);
/* Any thread: the call looks around (at views). */
void client_calls_poke_all(struct client_calls *calls);
/* Bus thread: hands the reply to its call, or drops it. */
void client_calls_route(struct client_calls *calls, struct bus_message *message);
/* 0: the subject ends in no id. */
uint64_t client_calls_id_of(const char *reply_subject);
/* True for ids that ask for views. */
bool client_calls_is_view_id(uint64_t request_id);

#endif
