/* SPDX-License-Identifier: Apache-2.0
 * What a client does with its handle besides searching (qnode/control.h): questions to the
 * coordinator, and feeds. Each runs on a fiber of its own. */
#ifndef SIM_CLIENT_ASKS_H
#define SIM_CLIENT_ASKS_H

#include "tests/sim/client.h"

/* A drawn question, about that collection if about one. */
void client_asks_question(struct sim_client *client, uint32_t collection_number);
/* Opens a feed, reads it for a while and closes it. */
void client_asks_feed(struct sim_client *client);
/* K6: no call outlives its deadline. */
void client_asks_check_time(struct sim_client *client, const char *what, uint64_t began_us,
                            uint32_t timeout_ms);

#endif
