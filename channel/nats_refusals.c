/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/nats_refusals.h"

#include <stdio.h>
#include <string.h>

void nats_refusals_init(struct nats_refusals *refusals)
{
    memset(refusals, 0, sizeof *refusals);
    (void)pthread_mutex_init(&refusals->lock, NULL);
}

void nats_refusals_done(struct nats_refusals *refusals)
{
    (void)pthread_mutex_destroy(&refusals->lock);
}

bool nats_refusal_parse(const char *text, struct nats_refusal *ret_refusal)
{
    static const char publish[] = "permissions violation for publish to ";
    static const char subscribe[] = "permissions violation for subscription to ";
    const char *subject;
    bool is_subscription = strncasecmp(text, subscribe, strlen(subscribe)) == 0;

    if (strncasecmp(text, publish, strlen(publish)) == 0)
        subject = text + strlen(publish);
    else if (is_subscription)
        subject = text + strlen(subscribe);
    else
        return false;
    subject += strspn(subject, "\"' ");
    size_t bytes = strcspn(subject, "\"' ");
    if (bytes == 0 || bytes >= sizeof ret_refusal->subject)
        return false;
    *ret_refusal = (struct nats_refusal){.is_subscription = is_subscription};
    memcpy(ret_refusal->subject, subject, bytes);
    return true;
}

static struct nats_refusal *find(struct nats_refusals *refusals, const char *subject)
{
    for (size_t i = 0; i < NATS_REFUSALS_MAX; i++)
        if (strcmp(refusals->rows[i].subject, subject) == 0)
            return &refusals->rows[i];
    return NULL;
}

void nats_refusals_add(struct nats_refusals *refusals, const struct nats_refusal *refusal)
{
    (void)pthread_mutex_lock(&refusals->lock);
    struct nats_refusal *row = find(refusals, refusal->subject);
    if (row == NULL) {
        row = &refusals->rows[refusals->next];
        refusals->next = (refusals->next + 1) % NATS_REFUSALS_MAX;
    }
    *row = *refusal;
    (void)pthread_mutex_unlock(&refusals->lock);
}

bool nats_refusals_find(struct nats_refusals *refusals, const char *subject, uint64_t since_ms,
                        struct nats_refusal *ret_refusal)
{
    (void)pthread_mutex_lock(&refusals->lock);
    const struct nats_refusal *row = find(refusals, subject);
    bool is_found = row != NULL && row->subject[0] != '\0' && row->at_ms >= since_ms;
    if (is_found)
        *ret_refusal = *row;
    (void)pthread_mutex_unlock(&refusals->lock);
    return is_found;
}
