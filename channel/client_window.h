/* SPDX-License-Identifier: Apache-2.0
 * How many requests of one handle may be under way. Answers say how long their searches had waited
 * for a worker. While there was none to wait for, the window stays open: sharing would line queries
 * up behind each other. When searches wait, it closes step by step; when for a while none waits, it
 * opens by a step. Pure. */
#ifndef CHANNEL_CLIENT_WINDOW_H
#define CHANNEL_CLIENT_WINDOW_H

#include "channel/client_calls.h"

struct client_window {
    unsigned size;
    unsigned calm; /* searches in a row that waited for no worker */
};

/* Learns from a search with that load, `running` being under way with it. */
void client_window_note(struct client_window *window, unsigned running,
                        const struct client_load *load);

#endif
