/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/nats_message.h"

#include <stdlib.h>

struct nats_message {
    struct bus_message message; /* first: release() finds the rest */
    natsMsg *received;
};

static void release_message(struct bus_message *message)
{
    struct nats_message *nats_message = (struct nats_message *)message;

    natsMsg_Destroy(nats_message->received);
    free(nats_message);
}

struct bus_message nats_message_view(natsMsg *received)
{
    return (struct bus_message){.subject = natsMsg_GetSubject(received),
                                .bytes = (const uint8_t *)natsMsg_GetData(received),
                                .size = (size_t)natsMsg_GetDataLength(received),
                                .no_responders = natsMsg_IsNoResponders(received),
                                .release = release_message};
}

struct bus_message *nats_message_wrap(natsMsg *received)
{
    struct nats_message *wrapped = malloc(sizeof *wrapped);

    if (wrapped == NULL) {
        natsMsg_Destroy(received);
        return NULL;
    }
    *wrapped = (struct nats_message){.message = nats_message_view(received), .received = received};
    return &wrapped->message;
}
