/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/origin.h"

#include "channel/subject.h"
#include <stdlib.h>
#include <string.h>

bool origin_node(const struct message *message, int64_t *ret_node_id)
{
    char *end;

    if (strncmp(message->sender, "node/", 5) != 0)
        return false;
    *ret_node_id = strtoll(message->sender + 5, &end, 10);
    return end != message->sender + 5 && *end == '\0';
}

static bool is(struct subject wanted, const char *subject)
{
    return strcmp(wanted.text, subject) == 0;
}

bool origin_is_right(const char *cluster, const char *subject, const struct message *message)
{
    int64_t node_id = 0;

    if (message_is_receipt(message->kind))
        return origin_node(message, &node_id) && is(subject_event(cluster, node_id), subject);
    switch (message->kind) {
    case MESSAGE_NODE_REPORT:
        return is(subject_report(cluster, message->node_report.node_id), subject);
    case MESSAGE_REPORT_REQUEST:
        return is(subject_announce(cluster), subject);
    case MESSAGE_COORD_REQUEST:
        return is(subject_coord(cluster), subject);
    case MESSAGE_COORD_ANSWER:
        return subject_is_reply(cluster, subject);
    case MESSAGE_COLLECTION_VIEW:
    case MESSAGE_CHANGE_INFO:
        return subject_matches(subject_query_all(cluster).text, subject);
    default:
        return false;
    }
}
