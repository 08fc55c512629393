/* SPDX-License-Identifier: Apache-2.0
 * A message of libnats as one of ours. */
#ifndef CHANNEL_NATS_MESSAGE_H
#define CHANNEL_NATS_MESSAGE_H

#include "channel/transport.h"
#include <nats/nats.h>

/* Points into the library's message, which stays its holder's: not to be released. */
struct bus_message nats_message_view(natsMsg *received);
/* Takes the library's message; NULL: out of memory. */
struct bus_message *nats_message_wrap(natsMsg *received);

#endif
