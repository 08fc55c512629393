/* SPDX-License-Identifier: Apache-2.0
 * What the stage gives to production code: the inproc bus behind a thin port that can fail, the
 * coordinator's state behind another, and time that passes only when everybody waits. The client
 * library takes its clock, its bus and its sleep by name, so the linker leads those here too. */
#ifndef SWEEP_PORTS_H
#define SWEEP_PORTS_H

#include "base/clock.h"
#include "channel/transport.h"
#include "coordinator/state.h"
#include "tests/sim/sweep/fault.h"

enum { PORTS_PAYLOAD_BYTES = 10000 }; /* a search fits, its answer comes in parts */

/* Runs what is due and lets time pass to until_us at most, or to the next thing that is due. */
typedef void ports_pass(void *owner, uint64_t until_us);

/* Time starts anew; pass is called when the client library sleeps. */
void ports_begin(ports_pass *pass, void *owner);
struct clock ports_clock(void);
uint64_t ports_now_us(void);
void ports_set_now_us(uint64_t now_us);
/* Handed to a handler since ports_begin. */
uint64_t ports_messages_count(void);

/* A connection whose publishes and subscribes can fail, and whose handlers run as the party. */
enum qn_status ports_open_bus(enum fault_party party, struct transport *ret_transport,
                              struct qn_error *error);

/* Rows go to `real`, unless the commit fails. One at a time. */
struct state ports_state(struct state real);
/* Remembers nothing. */
struct state ports_forgetful_state(void);

#endif
