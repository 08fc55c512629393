/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_window.h"

enum {
    WINDOW_MIN = 2,      /* one under way, one in the agent's queue */
    QUEUE_SHORT_US = 40, /* to be waiting for: an idle worker wakes up in less */
    QUEUE_LONG_US = 80,
    CALM_ENOUGH = 32,
};

bool client_window_has_room(const struct client_window *window, const struct client_crowd *crowd)
{
    return crowd->running < window->size;
}

bool client_window_is_open(const struct client_window *window, const struct client_crowd *crowd)
{
    return client_window_has_room(window, crowd) &&
           (crowd->running == 0 || crowd->queries >= CLIENT_WINDOW_QUERIES ||
            crowd->waiting >= crowd->calls / window->size);
}

void client_window_note(struct client_window *window, unsigned running,
                        const struct client_load *load)
{
    if (load->queue_us > QUEUE_LONG_US + load->search_us / 8) {
        unsigned used = window->size < running ? window->size : running;
        window->size = used > WINDOW_MIN ? used - 1 : WINDOW_MIN;
        window->calm = 0;
    } else if (load->queue_us > QUEUE_SHORT_US + load->search_us / 32) {
        window->calm = 0;
    } else if (++window->calm >= CALM_ENOUGH) {
        window->size += window->size < CLIENT_CALLS_SLOTS;
        window->calm = 0;
    }
}
