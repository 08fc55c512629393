/* SPDX-License-Identifier: Apache-2.0
 * What a message says, for people: the gist in one line, and what it is about, to choose by. */
#ifndef COORDINATOR_TAP_GIST_H
#define COORDINATOR_TAP_GIST_H

#include "channel/message.h"

enum { TAP_GIST_IDS = 64 };

struct tap_gist {
    char text[256];
    int64_t segment_ids[TAP_GIST_IDS]; /* the first of them */
    size_t segments_count;             /* all of them */
    size_t copies_count;               /* of a view's page */
    int64_t node_id, collection_id;    /* 0: it names none */
    bool has_status;
    enum qn_status status;
    struct qn_epoch epoch; /* of a copy or a view; 0.0: none */
};

void tap_gist(const struct message *message, struct tap_gist *ret_gist);

#endif
