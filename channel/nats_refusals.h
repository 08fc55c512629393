/* SPDX-License-Identifier: Apache-2.0
 * What a NATS server refused us lately. The server says so at any time after the fact, in words:
 * this is where the words are kept until somebody asks. Bounded: the oldest goes. */
#ifndef CHANNEL_NATS_REFUSALS_H
#define CHANNEL_NATS_REFUSALS_H

#include "base/limits.h"
#include "qnode/types.h"
#include <pthread.h>

enum { NATS_REFUSALS_MAX = 64 };

struct nats_refusal {
    char subject[LIMIT_SUBJECT_BYTES];
    bool is_subscription;
    uint64_t at_ms;
};

struct nats_refusals {
    pthread_mutex_t lock;
    struct nats_refusal rows[NATS_REFUSALS_MAX];
    size_t next;
};

void nats_refusals_init(struct nats_refusals *refusals);
void nats_refusals_done(struct nats_refusals *refusals);

/* Pure. text: `Permissions Violation for Publish to "a.b"`. False: something else. */
bool nats_refusal_parse(const char *text, struct nats_refusal *ret_refusal);
/* Any thread. A refusal of the same subject takes the place of the earlier one. */
void nats_refusals_add(struct nats_refusals *refusals, const struct nats_refusal *refusal);
/* Any thread. The subject was refused at since_ms or later. */
bool nats_refusals_find(struct nats_refusals *refusals, const char *subject, uint64_t since_ms,
                        struct nats_refusal *ret_refusal);

#endif
