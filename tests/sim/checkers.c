/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/checkers.h"

#include "base/check.h"
#include "tests/sim/inside.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <string.h>

enum { CHECKERS_K_MAX = 1024 };

/* K1, K6 */

static bool is_same(const struct qn_hit *want, size_t want_count, const struct qn_hit *got,
                    size_t got_count)
{
    if (want_count != got_count)
        return false;
    for (size_t i = 0; i < want_count; i++)
        if (want[i].primary_key != got[i].primary_key || want[i].distance != got[i].distance)
            return false;
    return true;
}

static void fail_result(struct world *world, const struct qn_search_result *result, uint32_t query,
                        const struct qn_hit *want, size_t want_count)
{
    const struct qn_hit *got = &result->hits[(size_t)query * result->k];
    size_t got_count = result->hit_counts[query], at = 0;
    bool is_complete = result->verdict == QN_VERDICT_COMPLETE;

    while (at < want_count && at < got_count && want[at].primary_key == got[at].primary_key &&
           want[at].distance == got[at].distance)
        at++;
    world_fail(world, is_complete ? "K1" : "K6",
               "a %s answer differs from brute force: query %u, %zu hits instead of %zu; hit %zu is"
               " (%" PRId64 ", %g), should be (%" PRId64 ", %g)",
               qn_verdict_name(result->verdict), query, got_count, want_count, at,
               at < got_count ? got[at].primary_key : 0,
               at < got_count ? (double)got[at].distance : 0.0,
               at < want_count ? want[at].primary_key : 0,
               at < want_count ? (double)want[at].distance : 0.0);
}

static size_t missing_ids(const struct qn_search_result *result, int64_t *ret_ids, size_t capacity)
{
    size_t count = 0;

    for (size_t i = 0; i < result->missing_count && count < capacity; i++)
        ret_ids[count++] = result->missing[i].segment_id;
    return count;
}

static void count_result(struct world *world, const struct qn_search_result *result)
{
    struct stats *stats = &world->stats;

    stats->searches_complete += result->verdict == QN_VERDICT_COMPLETE ? 1 : 0;
    stats->searches_partial += result->verdict == QN_VERDICT_PARTIAL ? 1 : 0;
    stats->searches_unknown += result->verdict == QN_VERDICT_UNKNOWN ? 1 : 0;
    stats->searches_overlap += result->overlap ? 1 : 0;
    stats->searches_retried += result->retried_count > 0 ? 1 : 0;
}

/* The missing ones must be readable ones, each once: a PARTIAL may not hide behind strangers. */
static void check_missing(struct world *world, const struct collection *collection,
                          const struct qn_search_result *result)
{
    for (size_t i = 0; i < result->missing_count; i++) {
        int64_t id = result->missing[i].segment_id;
        bool is_known = false, is_twice = false;
        for (size_t s = 0; s < collection->segments_count; s++)
            is_known =
                is_known || (collection->segments[s].segment_id == id &&
                             collection_is_readable(collection, result->readable_version, s));
        for (size_t j = 0; j < i; j++)
            is_twice = is_twice || result->missing[j].segment_id == id;
        if (!is_known || is_twice)
            world_fail(world, "K6", "missing segment %" PRId64 " is %s", id,
                       is_known ? "named twice" : "not readable");
    }
    if (result->verdict == QN_VERDICT_PARTIAL && result->missing_count == 0)
        world_fail(world, "K6", "PARTIAL, and nothing is missing");
    if (result->verdict == QN_VERDICT_COMPLETE && result->missing_count > 0)
        world_fail(world, "K1", "COMPLETE, and segment %" PRId64 " is missing",
                   result->missing[0].segment_id);
}

void checkers_on_result(struct world *world, const struct qn_search_request *request,
                        const struct qn_search_result *result)
{
    struct qn_hit want[CHECKERS_K_MAX];
    int64_t missing[OPTIONS_SEGMENTS_MAX];
    int number = world_collection_number(world, request->collection_id);

    CHECK(number >= 0 && request->k <= CHECKERS_K_MAX);
    const struct collection *collection = &world->collections[number];
    count_result(world, result);
    if (result->verdict == QN_VERDICT_UNKNOWN)
        return;
    check_missing(world, collection, result);
    struct oracle_scope scope = {
        .readable_version = result->readable_version,
        .partition_ids = request->partition_ids,
        .partition_ids_count = request->partition_ids_count,
        .excluded_segment_ids = missing,
        .excluded_count = missing_ids(result, missing, COUNT_OF(missing)),
    };
    if (observer_view_is_empty(&world->observer, number, result->version))
        scope.excluded_count = SIZE_MAX;
    bool is_compared = false;
    for (uint32_t q = 0; q < request->nq && !world->is_failed; q++) {
        size_t count = scope.excluded_count == SIZE_MAX
                           ? 0
                           : oracle_search(collection, &scope, &request->queries[q * request->dim],
                                           request->k, want);
        if (!is_same(want, count, &result->hits[(size_t)q * result->k], result->hit_counts[q]))
            fail_result(world, result, q, want, count);
        is_compared = is_compared || count > 0;
    }
    world->stats.searches_compared += is_compared ? 1 : 0;
}

/* K5 */

static bool is_served_elsewhere(struct world *world, unsigned agent_number, int index)
{
    for (unsigned a = 0; a < world->options.agents; a++)
        if (a != agent_number && world->observer.agents[a].serves[index])
            return true;
    return false;
}

void checkers_on_unmap(struct process *process, int index)
{
    struct world *world = process->world;
    unsigned number = process->index - 1;
    struct observed_agent *agent = &world->observer.agents[number];

    if (index < 0 || !agent->serves[index])
        return;
    agent->serves[index] = false;
    /* Without memory it may be unable to say so. */
    if (!agent->leaves[index].is_leaving && world->stats.heap_failed == 0)
        world_fail(world, "K10", "%s gave back segment %" PRId64 " and never said Leaving",
                   process->name, world_segment_id(world, index));
    if (agent->leaves[index].is_forced) {
        world->observer.lost_by_kill_us[index] = world->timeline.now_us; /* asks nobody, either */
        return;
    }
    bool is_editors = index / OPTIONS_SEGMENTS_MAX >= (int)world->options.collections;
    if (!published_names(world, index) || (is_editors && world->is_healed) ||
        is_served_elsewhere(world, number, index) ||
        world->observer.lost_by_kill_us[index] >= agent->leaves[index].since_us)
        return;
    world_fail(world, "K5", "%s gave back the last serving copy of segment %" PRId64, process->name,
               world_segment_id(world, index));
}

void checkers_on_kill(struct process *process)
{
    observer_on_kill(process->world, process);
}

/* K3 */

void checkers_on_map(struct process *process)
{
    if (process->disk.mapped_bytes > process->world->agent_budget_bytes)
        world_fail(process->world, "K3", "%s has %" PRIu64 " bytes mapped, its budget is %" PRIu64,
                   process->name, process->disk.mapped_bytes, process->world->agent_budget_bytes);
}

void checkers_on_buried(struct process *process)
{
    if (process->disk.mapped_bytes != 0)
        world_fail(process->world, "K3", "%s is closed and %" PRIu64 " bytes are still mapped",
                   process->name, process->disk.mapped_bytes);
}

void checkers_at_rest(struct world *world)
{
    for (unsigned a = 0; a < world->options.agents; a++) {
        struct process *process = &world->processes[1 + a];
        const struct observed_agent *agent = &world->observer.agents[a];
        uint64_t reported = 0;
        for (size_t i = 0; i < agent->copies_count; i++)
            reported += agent->copies[i].mem_size;
        inside_check_rest(process);
        if (process->disk.mapped_bytes != reported || agent->ledger_bytes != reported)
            world_fail(world, "K3",
                       "%s at rest: %" PRIu64 " bytes mapped, %" PRIu64
                       " of reported copies, %" PRIu64 " in the ledger",
                       process->name, process->disk.mapped_bytes, reported, agent->ledger_bytes);
    }
}
