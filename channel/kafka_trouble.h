/* SPDX-License-Identifier: Apache-2.0
 * What a broker, or the way to it, refuses us: in words that say what to look at. */
#ifndef CHANNEL_KAFKA_TROUBLE_H
#define CHANNEL_KAFKA_TROUBLE_H

#include "channel/kafka.h"

/* Why no broker answers: of all that was heard since it was zeroed, what says most. */
struct kafka_obstacle {
    enum kafka_trouble_kind kind;
    char text[200]; /* of the library; empty: nothing was heard */
};

void kafka_obstacle_note(struct kafka_obstacle *obstacle, enum kafka_trouble_kind kind,
                         const char *text);
/* NOT_PERMITTED: a login was refused. CONFIG: no TLS. UNAVAILABLE: anything else. */
enum qn_status kafka_obstacle_say(const struct kafka_obstacle *obstacle,
                                  const struct kafka_options *options, struct qn_error *error);

/* NOT_PERMITTED, with words. */
enum qn_status kafka_say_no_login(const struct kafka_options *options, struct qn_error *error);
/* verb: "read" or "write". */
enum qn_status kafka_say_no_acl(const struct kafka_options *options, const char *verb,
                                const char *topic, struct qn_error *error);

#endif
