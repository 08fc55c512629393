/* SPDX-License-Identifier: Apache-2.0
 * Whether a message came where only its sender may publish. What a bus protects is the subject, not
 * the names inside: a report speaks for the node of its subject, a receipt for its sender's. */
#ifndef CHANNEL_ORIGIN_H
#define CHANNEL_ORIGIN_H

#include "channel/message.h"

/* Of what coordinators and clients hear; false for other kinds. ReportRequest: of coordinators. */
bool origin_is_right(const char *cluster, const char *subject, const struct message *message);
/* The node that says it sent the message ("node/7"); false: none does. */
bool origin_node(const struct message *message, int64_t *ret_node_id);

#endif
