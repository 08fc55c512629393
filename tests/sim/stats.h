/* SPDX-License-Identifier: Apache-2.0
 * What really happened, counted, one line per counter. A FAULT is a class of trouble: one that
 * fired in none of a thousand worlds is not tested, and fails the run. */
#ifndef SIM_STATS_H
#define SIM_STATS_H

#include <stdint.h>

#define STATS(X)                                                                                   \
    X(FACT, virtual_us, "virtual microseconds")                                                    \
    X(FACT, messages, "messages published")                                                        \
    X(FACT, delivered, "deliveries")                                                               \
    X(FAULT, lost, "lost")                                                                         \
    X(FAULT, repeated, "repeated")                                                                 \
    X(FAULT, reordered, "reordered")                                                               \
    X(FAULT, late, "held back for seconds")                                                        \
    X(FAULT, refused, "refused by a full bus")                                                     \
    X(FAULT, cut, "lost in a partition")                                                           \
    X(FAULT, cuts_one_way, "  partitions, one way")                                                \
    X(FAULT, cuts_two_way, "  partitions, both ways")                                              \
    X(FAULT, suffix_lost, "lost with the bus's newest suffix")                                     \
    X(FAULT, bus_down, "published while the bus was down")                                         \
    X(FAULT, overloaded, "delayed by an overloaded bus")                                           \
    X(FAULT, overload_refused, "refused by an overloaded bus")                                     \
    X(FAULT, flooded, "searches of a flood")                                                       \
    X(FAULT, searches_shed, "searches answered BUSY")                                              \
    X(FAULT, no_responders, "no responders")                                                       \
    X(FAULT, agent_kills, "agent kills")                                                           \
    X(FAULT, agent_kills_inside, "agent kills inside a step")                                      \
    X(FAULT, coordinator_kills, "coordinator kills")                                               \
    X(FAULT, coordinator_kills_inside, "coordinator kills inside a step")                          \
    X(FAULT, coordinator_stops, "coordinators that stopped by themselves")                         \
    X(FAULT, rivals, "second coordinators started")                                                \
    X(FAULT, rivals_restored, "  with an older state")                                             \
    X(FACT, terms_shared, "  with the term of the first one")                                      \
    X(FAULT, rogue_orders, "orders of a rogue coordinator")                                        \
    X(FAULT, forced_orders, "  by force")                                                          \
    X(FAULT, drains, "nodes drained and stopped")                                                  \
    X(FAULT, pauses, "pauses")                                                                     \
    X(FAULT, clock_jumps, "clock jumps")                                                           \
    X(FAULT, clocks_drifting, "clocks that drift")                                                 \
    X(FAULT, read_failed, "reads failed")                                                          \
    X(FAULT, read_flipped, "reads with a flipped bit")                                             \
    X(FAULT, read_short, "files cut short")                                                        \
    X(FAULT, file_missing, "files missing")                                                        \
    X(FAULT, disk_slow, "loads slowed by the disk")                                                \
    X(FAULT, map_failed, "maps failed")                                                            \
    X(FAULT, write_failed, "durable writes failed")                                                \
    X(FAULT, write_doubtful, "  and durable all the same")                                         \
    X(FAULT, commit_failed, "commits failed")                                                      \
    X(FAULT, commit_doubtful, "  and durable all the same")                                        \
    X(FAULT, heap_failed, "allocations failed")                                                    \
    X(FAULT, over_budget, "loads over the memory budget")                                          \
    X(FAULT, tasks_deferred, "tasks run later")                                                    \
    X(FAULT, tasks_refused, "tasks refused")                                                       \
    X(FACT, loads, "segments loaded")                                                              \
    X(FACT, load_failures, "loads failed")                                                         \
    X(FACT, releases, "segments released")                                                         \
    X(FACT, releases_held, "releases held")                                                        \
    X(FACT, commands_refused, "commands refused")                                                  \
    X(FACT, operator_requests, "operator requests")                                                \
    X(FACT, moves_done, "moves done")                                                              \
    X(FACT, moves_undone, "moves undone")                                                          \
    X(FACT, searches_complete, "searches COMPLETE")                                                \
    X(FACT, searches_partial, "searches PARTIAL")                                                  \
    X(FACT, searches_compared, "searches whose hits were compared")                                \
    X(FACT, searches_unknown, "searches UNKNOWN")                                                  \
    X(FACT, searches_failed, "searches without a verdict")                                         \
    X(FACT, searches_overlap, "searches in an overlap")                                            \
    X(FACT, searches_retried, "searches that asked again")                                         \
    X(FACT, client_starts, "client handles opened")                                                \
    X(FACT, questions, "questions of clients to the coordinator")                                  \
    X(FACT, questions_unanswered, "questions without an answer")                                   \
    X(FACT, feed_messages, "messages read from feeds")

enum stats_kind { STATS_FACT, STATS_FAULT };

struct stats {
#define X(kind, name, text) uint64_t name;
    STATS(X)
#undef X
};

static inline void stats_add(struct stats *sum, const struct stats *more)
{
#define X(kind, name, text) sum->name += more->name;
    STATS(X)
#undef X
}

#endif
