/* SPDX-License-Identifier: Apache-2.0
 * The coordinator around its judgement: inbox, state, sending. Everything outside comes through
 * ports, so qcoordd and the simulator run the same code.
 *
 * coordinator_poll takes what is in the inbox and what time asks for, steps the judgement, and for
 * each step first commits its rows (one transaction), then sends its messages: nothing is said that
 * is not durable. If a commit fails the coordinator stops for good (fail-stop; its supervisor
 * restarts it). */
#ifndef COORDINATOR_COORDINATOR_H
#define COORDINATOR_COORDINATOR_H

#include "base/clock.h"
#include "channel/transport.h"
#include "coordinator/state.h"
#include "segstore/manifest.h"

struct coordinator_options {
    const char *cluster;
    uint64_t boot; /* another number at each start: tells coordinators apart (PROTOCOL.md, 2) */
    uint64_t overlap_ms;     /* both copies stay in the view at least this long; 0: 1000 */
    uint64_t command_ttl_ms; /* not_after of commands, from the last report; 0: 10000 */
    /* From the view without a released collection to the release of its copies (C8);
     * 0: LIMIT_SEARCH_MS_MAX + LIMIT_RELEASE_GRACE_MS. */
    uint64_t ceased_wait_ms;
    struct transport transport; /* stays the caller's */
    struct clock clock;
    uint64_t (*wall_ms)(void *owner); /* for people; NULL: the host's */
    struct state state;               /* stays the caller's */
    /* manifest_read in production. */
    enum qn_status (*read_manifest)(void *owner, const char *folder, struct manifest **ret_manifest,
                                    struct qn_error *error);
    /* What happened, for people: a line for the log. NULL: nobody reads. */
    void (*on_note)(void *owner, bool warning, const char *text);
    void *owner; /* of wall_ms, read_manifest and on_note */
};

struct coordinator;

/* Loads the state and subscribes. It takes a new term (above its store's and above all it hears in
 * reports during the first second) before its first command. A failure to subscribe leaves a
 * coordinator that can only be closed, after the transport like any other, because the bus may know
 * it already; other failures leave NULL. Without memory the process ends: see grow.h. */
enum qn_status coordinator_open(const struct coordinator_options *options,
                                struct coordinator **ret_coordinator, struct qn_error *error);
/* Returns the time (clock, us) at which it must be called again at the latest; 0 when it stopped
 * for good (commit failed, or a higher term appeared: stepped down). coordinator_failure says why.
 */
uint64_t coordinator_poll(struct coordinator *coordinator);
/* NULL while it runs. */
const char *coordinator_failure(const struct coordinator *coordinator);
/* True when it stopped because another coordinator holds a higher term. */
bool coordinator_stepped_down(const struct coordinator *coordinator);
void coordinator_wait(struct coordinator *coordinator, uint64_t until_us);
/* Memory only: after the transport is closed (its handlers point here). NULL is fine. */
void coordinator_close(struct coordinator *coordinator);

#endif
