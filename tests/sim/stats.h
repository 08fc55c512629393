/* SPDX-License-Identifier: Apache-2.0
 * What really happened, counted: a fault class that never fires is not tested. One line per
 * counter.
 */
#ifndef SIM_STATS_H
#define SIM_STATS_H

#include <stdint.h>

#define STATS(X)                                                                                   \
    X(virtual_us, "virtual microseconds")                                                          \
    X(messages, "messages published")                                                              \
    X(delivered, "deliveries")                                                                     \
    X(lost, "lost")                                                                                \
    X(repeated, "repeated")                                                                        \
    X(reordered, "reordered")                                                                      \
    X(late, "held back for seconds")                                                               \
    X(refused, "refused by a full bus")                                                            \
    X(cut, "lost in a partition")                                                                  \
    X(no_responders, "no responders")                                                              \
    X(agent_kills, "agent kills")                                                                  \
    X(agent_kills_inside, "agent kills inside a step")                                             \
    X(coordinator_kills, "coordinator kills")                                                      \
    X(coordinator_kills_inside, "coordinator kills inside a step")                                 \
    X(coordinator_stops, "coordinators that stopped by themselves")                                \
    X(rogue_orders, "orders of a rogue coordinator")                                               \
    X(pauses, "pauses")                                                                            \
    X(read_failed, "reads failed")                                                                 \
    X(read_flipped, "reads with a flipped bit")                                                    \
    X(map_failed, "maps failed")                                                                   \
    X(write_failed, "durable writes failed")                                                       \
    X(commit_failed, "commits failed")                                                             \
    X(tasks_deferred, "tasks run later")                                                           \
    X(tasks_refused, "tasks refused")                                                              \
    X(loads, "segments loaded")                                                                    \
    X(load_failures, "loads failed")                                                               \
    X(releases, "segments released")                                                               \
    X(releases_held, "releases held")                                                              \
    X(commands_refused, "commands refused")                                                        \
    X(operator_requests, "operator requests")                                                      \
    X(moves_done, "moves done")                                                                    \
    X(moves_undone, "moves undone")                                                                \
    X(copies_forgotten, "copies left of a forgotten edition (G1)")                                 \
    X(searches_complete, "searches COMPLETE")                                                      \
    X(searches_partial, "searches PARTIAL")                                                        \
    X(searches_unknown, "searches UNKNOWN")                                                        \
    X(searches_failed, "searches without a verdict")                                               \
    X(searches_overlap, "searches in an overlap")                                                  \
    X(searches_retried, "searches that asked again")                                               \
    X(client_starts, "client handles opened")                                                      \
    X(questions, "questions of clients to the coordinator")                                        \
    X(questions_unanswered, "questions without an answer")                                         \
    X(feed_messages, "messages read from feeds")

struct stats {
#define X(name, text) uint64_t name;
    STATS(X)
#undef X
};

static inline void stats_add(struct stats *sum, const struct stats *more)
{
#define X(name, text) sum->name += more->name;
    STATS(X)
#undef X
}

#endif
