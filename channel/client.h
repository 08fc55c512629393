/* SPDX-License-Identifier: Apache-2.0
 * Inside of the client library: what a handle holds. Only client*.c include it. */
#ifndef CHANNEL_CLIENT_H
#define CHANNEL_CLIENT_H

#include "base/clock.h"
#include "channel/client_calls.h"
#include "channel/client_join.h"
#include "channel/client_views.h"
#include "channel/subject.h"
#include "qnode/control.h"
#include <unistd.h>

enum { CLIENT_FEEDS_MAX = 64, CLIENT_ID_BYTES = 8 };

/* The handle. Its own threads: none. The bus's threads only hand messages over (client_calls.h,
 * client_views.h, client_feed.c); everything else runs on the threads that call. */
struct qn_client {
    struct client_calls calls;
    struct client_views views;
    struct client_joins joins;
    pid_t pid; /* of the process that opened it, or opened it again */
    uint32_t connect_ms;
    char *url, *cluster;
    char id[2 * CLIENT_ID_BYTES + 1]; /* hex */
    char sender[LIMIT_NAME_BYTES];
    char traceparent[TRACEPARENT_BYTES]; /* of requests that bring none; empty: none */
    struct transport transport;
    struct clock clock;
    _Atomic uint64_t view_asks_count;
    pthread_mutex_t feeds_lock; /* of what follows */
    struct qn_feed *feeds[CLIENT_FEEDS_MAX];
    unsigned feeds_subscribed; /* QN_FEED_* that the bus delivers to us */
};

/* FORKED, with both process ids in the text, in a child of the process that opened it. The
 * first thing that every public call does: it takes no lock. */
enum qn_status client_check_fork(const struct qn_client *client, struct qn_error *error);
/* Fills cluster and sender, encodes into the arena (which it resets) and publishes. */
enum qn_status client_publish(struct qn_client *client, struct arena *arena,
                              const struct subject *subject, struct message *message,
                              struct qn_error *error);

/* NOT_PERMITTED, with words, if the bus server refused us the subject since the time
 * (client->clock, ms); asks the server, so at most a second. */
enum qn_status client_check_refused(struct qn_client *client, const struct subject *subject,
                                    uint64_t since_ms, struct qn_error *error);

/* client_feed.c: bus thread; copies the message for each feed that wants it. */
void client_feed_offer(struct qn_client *client, unsigned what, const struct bus_message *message);

#endif
