/* SPDX-License-Identifier: Apache-2.0
 * One line of the trace about a message. */
#ifndef SIM_DESCRIBE_H
#define SIM_DESCRIBE_H

#include "channel/message.h"

/* Cut to capacity. */
void describe_message(const struct message *message, char *ret_text, size_t capacity);

#endif
