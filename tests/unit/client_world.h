/* SPDX-License-Identifier: Apache-2.0
 * Agents and a coordinator, played by threads on the inproc bus or another, for tests of the client
 * handle.
 *
 * Segment s of world w (its readable_version) has the hits with key s * 100 + w and distance s plus
 * the query's first number, so a result tells which segments, of which world, it is made of, and
 * whose it is. */
#ifndef TESTS_UNIT_CLIENT_WORLD_H
#define TESTS_UNIT_CLIENT_WORLD_H

#include "tests/test.h"

#include "base/ring.h"
#include "channel/message.h"
#include "channel/transport.h"
#include "qnode/control.h"
#include <pthread.h>
#include <stdatomic.h>

enum { WORLD_NODES = 4, WORLD_SEGMENTS = 12, WORLD_COLLECTION = 5, WORLD_QUERIES_MAX = 32 };

/* Plays a part on the bus: a thread that answers what comes in. */
struct actor {
    struct world *world;
    int64_t node_id; /* 0: the coordinator */
    struct transport transport;
    struct ring ring;
    struct waiter waiter;
    pthread_t thread;
};

struct world {
    char url[320];
    struct actor coordinator, agents[WORLD_NODES]; /* node ids 1 .. WORLD_NODES */
    _Atomic uint32_t holds[WORLD_NODES];           /* bit s: has segment s */
    _Atomic int64_t moved_to[WORLD_SEGMENTS];      /* agents that do not have it say MOVED there */
    _Atomic uint64_t contents[WORLD_SEGMENTS];     /* the w of its hits */
    pthread_mutex_t lock;                          /* of the view */
    struct view_item items[WORLD_SEGMENTS];
    struct view_copy copies[WORLD_SEGMENTS][2];
    uint64_t version, readable_version;
    uint32_t pages;                   /* of the view, when it is sent */
    _Atomic bool is_closing, is_mute; /* mute: the coordinator does not answer */
    _Atomic uint32_t busy_answers;    /* the coordinator says BUSY so many times */
    _Atomic uint32_t view_asks, searches;
    _Atomic uint32_t slow_us;    /* so long agents take, and say that it was waiting for a worker */
    _Atomic uint64_t asked_term; /* in the last request to the coordinator */
};

/* Every segment on node s % WORLD_NODES + 1, view 1 of world 1 (not published). */
void world_open(struct world *world, const char *name);
/* The same on the bus at the URL. */
void world_open_at(struct world *world, const char *url);
void world_close(struct world *world);
struct qn_client *world_client(struct world *world);
/* Makes the next view: places segment s on nodes a and, unless 0, b. */
void world_place(struct world *world, uint32_t segment, int64_t a, int64_t b);
/* The next view is of another world: readable_version + 1, all contents with it. */
void world_turn(struct world *world);
void world_publish(struct world *world);
/* Only says that the view has changed. */
void world_publish_hint(struct world *world);
void world_send(struct world *world, const char *subject, struct message *message);

/* One search with k = WORLD_SEGMENTS; true if it is complete and right. */
bool world_search_is_right(struct qn_client *client, uint32_t deadline_ms);

#endif
