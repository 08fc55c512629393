/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/client_window.h"

enum {
    WINDOW_MIN = 2,      /* one under way, one in the agent's queue */
    QUEUE_SHORT_US = 40, /* to be waiting for: an idle worker wakes up in less */
    QUEUE_LONG_US = 80,
    CALM_ENOUGH = 32,
};

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
