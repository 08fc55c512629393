/* SPDX-License-Identifier: Apache-2.0
 * The control verbs of the client library: what a coordinator says to agents, what an operator says
 * to the coordinator, and what agents report. Messages are the structs of channel/message.h: this
 * header is for C programs built in this tree; others speak PROTOCOL.md. */
#ifndef QNODE_CONTROL_H
#define QNODE_CONTROL_H

#include "channel/message.h"
#include "qnode/search.h"

/* Sends a message to a subject. Cluster and sender of the envelope are filled in; the rest is the
 * caller's. Answers to control messages come as events: see QN_FEED_EVENTS. Any thread. */
enum qn_status qn_send(struct qn_client *client, const char *subject, struct message *message,
                       struct qn_error *error);

/* Sends a request to the coordinator's API and waits for all pages of the answer. on_answer is
 * called once per page, in order; the message is valid during the call. Repeats the request until
 * timeout_ms (requests are idempotent); questions also while they are answered BUSY: a coordinator
 * that starts. NO_RESPONDERS: no coordinator is running. */
typedef void qn_on_answer(void *owner, const struct coord_answer *answer);
enum qn_status qn_coord_call(struct qn_client *client, const struct coord_request *request,
                             uint32_t timeout_ms, qn_on_answer *on_answer, void *owner,
                             struct qn_error *error);

/* A stream of decoded messages: reports, events, change infos and views as they come. */
struct qn_feed;
enum {
    QN_FEED_REPORTS = 1, /* report.* */
    QN_FEED_EVENTS = 2,  /* event.*: receipts */
    QN_FEED_QUERY = 4,   /* query.>: change infos and views */
    QN_FEED_ALL = 8,     /* whatever the bus shows of the cluster; not with others */
};

enum qn_status qn_feed_open(struct qn_client *client, unsigned what, struct qn_feed **ret_feed,
                            struct qn_error *error);
/* The next message, valid until the next call on this feed; NULL after timeout_ms without one. One
 * thread per feed. In a process forked after the feed was opened: NULL at once, also
 * once the client is reopened there. */
const struct message *qn_feed_next(struct qn_feed *feed, uint32_t timeout_ms);
/* The same with its subject, and of what cannot be decoded size and reason. */
struct qn_feed_item {
    const char *subject;
    size_t size;
    const struct message *message; /* NULL: it cannot be decoded */
    const char *trouble;           /* why; else "" */
};
/* NULL after timeout_ms; else valid until the next call on this feed. */
const struct qn_feed_item *qn_feed_next_item(struct qn_feed *feed, uint32_t timeout_ms);
/* Messages lost because the feed was full, there was no memory, they were larger than
 * LIMIT_MESSAGE_BYTES_MAX, or they could not be decoded. */
uint64_t qn_feed_dropped(const struct qn_feed *feed);
/* Before the client's close. */
void qn_feed_close(struct qn_feed *feed);

#endif
