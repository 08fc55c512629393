/* SPDX-License-Identifier: Apache-2.0
 * Views in JetStream: the texts of the few requests that we make of it (JetStream's wire API, ADR-1
 * and ADR-31 of nats-io/nats-architecture-and-design). Pure.
 *
 * One stream a cluster, `qnode-<cluster>-views`, keeps the newest message of each subject
 * `qnode.<cluster>.query.*.*` (a page of a view); the server fills it from what is published
 * anyway. Readers take what is in it by direct gets: no consumer is made, nothing has to be cleaned
 * up. */
#ifndef CHANNEL_NATS_VIEWS_H
#define CHANNEL_NATS_VIEWS_H

#include "base/limits.h"
#include "qnode/types.h"

enum { NATS_VIEWS_TEXT_BYTES = 1024 };

struct nats_views {
    char pages[LIMIT_SUBJECT_BYTES];  /* qnode.demo.query.*.* */
    char stream[LIMIT_SUBJECT_BYTES]; /* qnode-demo-views */
    char get[LIMIT_SUBJECT_BYTES];    /* subjects of the API */
    char create[LIMIT_SUBJECT_BYTES];
    char info[LIMIT_SUBJECT_BYTES];
    char update[LIMIT_SUBJECT_BYTES];
};

/* pattern: `qnode.<cluster>.query.` and more, with a wildcard. False: its messages are not
 * retained.
 */
bool nats_views_of(const char *pattern, struct nats_views *ret_views);
/* To be sent to create. */
void nats_views_stream_text(const struct nats_views *views, char ret_text[NATS_VIEWS_TEXT_BYTES]);
/* To be sent to update if another configuration is there: info is what the server says of it. What
 * retaining needs is ours; the rest (replicas, placement, bytes, ...) is the operator's and stays.
 * *ret_text: malloc; NULL: it will do as it is. CORRUPT, NO_MEMORY. */
enum qn_status nats_views_amend(const struct nats_views *views, const char *info, size_t size,
                                char **ret_text, struct qn_error *error);
/* The first page whose number in the stream is at least sequence. */
void nats_views_get_text(const struct nats_views *views, uint64_t sequence,
                         char ret_text[NATS_VIEWS_TEXT_BYTES]);
/* What create or update was answered. CONFLICT: the stream is there with another configuration;
 * UNSUPPORTED: no JetStream for us; else its trouble. */
enum qn_status nats_views_check_answer(const char *text, size_t size, struct qn_error *error);

#endif
