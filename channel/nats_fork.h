/* SPDX-License-Identifier: Apache-2.0
 * libnats in a forked child. Its threads (timers, callbacks, the destroyer of messages) are the
 * process's, start once and are not in a child: there pings stop, no callback says that the server
 * went, and no message's memory comes back. */
#ifndef CHANNEL_NATS_FORK_H
#define CHANNEL_NATS_FORK_H

#include "qnode/types.h"

/* Before each connection is opened. In a child of a process that has used the library, the first
 * call puts the library's variables back to how they were when it was loaded, so that it starts
 * anew, with threads of its own. What the parent made with it is memory that nobody may use here.
 * FORKED: it is linked into the program, and cannot start anew. Any thread; takes no lock. */
enum qn_status nats_fork_renew(struct qn_error *error);

#endif
