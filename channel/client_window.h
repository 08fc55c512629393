/* SPDX-License-Identifier: Apache-2.0
 * How many requests of one handle may be under way. Answers say how long their searches had waited
 * for a worker. While there was none to wait for, the window stays open: sharing would line queries
 * up behind each other. When searches wait, it closes step by step; when for a while none waits, it
 * opens by a step.
 *
 * Below its size a request goes once a fair share of the calls has come together for it, or as many
 * as one can carry: those who were served by one request come back one after the other, and the
 * first of them would go alone. Pure. */
#ifndef CHANNEL_CLIENT_WINDOW_H
#define CHANNEL_CLIENT_WINDOW_H

#include "channel/client_calls.h"

struct client_window {
    unsigned size;
    unsigned calm; /* searches in a row that waited for no worker */
};

enum { CLIENT_WINDOW_QUERIES = 32 }; /* of a shared request */

/* The calls of a handle that share requests: all of them, those that wait to be sent with their
 * queries, and requests under way. */
struct client_crowd {
    unsigned calls, waiting, queries, running;
};

/* A request may go now, if any call waits. */
bool client_window_is_open(const struct client_window *window, const struct client_crowd *crowd);
/* It may go without its fair share, too. */
bool client_window_has_room(const struct client_window *window, const struct client_crowd *crowd);

/* Learns from a search with that load, `running` being under way with it. */
void client_window_note(struct client_window *window, unsigned running,
                        const struct client_load *load);

#endif
