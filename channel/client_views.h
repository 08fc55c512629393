/* SPDX-License-Identifier: Apache-2.0
 * The views a client holds: the newest of each collection, whole, immutable, counted.
 *
 * The bus's threads only put messages into the inbox. Whichever thread searches next takes them out
 * (one at a time; the others go on with what they hold), decodes, joins pages, and swaps the
 * collection's snapshot. The newest (term, version) wins; pages join only within one version. A
 * change info is a hint that a newer view exists: if that view is not here after a short random
 * while, it is asked for (C8). However many threads lack a view, it is asked for once in 50 ms. */
#ifndef CHANNEL_CLIENT_VIEWS_H
#define CHANNEL_CLIENT_VIEWS_H

#include "base/arena.h"
#include "base/prng.h"
#include "base/ring.h"
#include "channel/message.h"
#include "channel/transport.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
    CLIENT_VIEWS_MAX = 1024, /* collections; the one unused longest makes room */
    CLIENT_VIEWS_INBOX_SLOTS = LIMIT_VIEW_PAGES_MAX, /* a view of the most pages, at once */
    CLIENT_VIEWS_INBOX_BYTES = 32 << 20, /* waiting to be decoded; more is lost, and asked for */
    CLIENT_VIEWS_ASK_US = 50 * 1000,
    CLIENT_VIEWS_HINT_US =
        20 * 1000, /* a hint is followed after this and as much again, and half */
    CLIENT_VIEWS_JITTER_US = 50 * 1000,
    CLIENT_VIEWS_HINT_AGAIN_US = 1000 * 1000,
};

struct client_page;

struct client_snapshot {
    struct collection_view view; /* all pages joined */
    _Atomic uint32_t references;
    struct client_page *pages;
    struct view_item *items; /* NULL: those of the only page */
};

struct client_collection;

struct client_views {
    struct ring inbox; /* of struct bus_message */
    _Atomic size_t inbox_bytes;
    _Atomic bool has_lost;      /* something of the query channel was dropped */
    _Atomic uint64_t sequence;  /* grows with each new snapshot */
    pthread_mutex_t drain_lock; /* who holds it owns the pages that are not yet joined */
    pthread_mutex_t lock;       /* of what follows; never held while decoding or sending */
    struct client_collection *collections[CLIENT_VIEWS_MAX];
    uint32_t collections_count;
    uint64_t uses_count;
    struct prng prng;
};

enum qn_status client_views_init(struct client_views *views, uint64_t seed);
/* After the transport's close. */
void client_views_done(struct client_views *views);
/* Bus thread: owns the message. */
void client_views_offer(struct client_views *views, struct bus_message *message);
/* Takes in what has arrived. */
void client_views_drain(struct client_views *views, uint64_t now_us);
/* The newest view, to be given back with client_snapshot_unref; NULL: none. */
struct client_snapshot *client_views_get(struct client_views *views, int64_t collection_id);
/* NULL is fine; returns NULL. */
struct client_snapshot *client_snapshot_unref(struct client_snapshot *snapshot);
/* The coordinator is asked for its view under this id: NOT_FOUND in answer to it is remembered
 * until it is asked again or a view comes. */
void client_views_asked(struct client_views *views, int64_t collection_id, uint64_t request_id);
/* The coordinator has no such collection, it said. */
bool client_views_is_absent(struct client_views *views, int64_t collection_id);
/* True: ask the coordinator now, nobody did lately. is_hint: only if a hint is due. */
bool client_views_should_ask(struct client_views *views, int64_t collection_id, bool is_hint,
                             uint64_t now_us);

#endif
