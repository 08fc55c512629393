/* SPDX-License-Identifier: Apache-2.0
 * One world, from one seed, in one thread.
 *
 * A world is a coordinator (at times two), a few agents, a few clients and an operator on a bus.
 * Agents and coordinator are the production code whole (agent.h, coordinator.h), clients are the
 * client library whole, on fibers (seams.c); they know each other only through encoded bytes on
 * net.c. What they need from outside they get through the four ports and the coordinator's state
 * port, and behind each port stands a file of this folder: net.c, disk.c, clock.c, executor.c,
 * state_memory.c; heap.c stands before malloc. Checkers see what is published, what is mapped and
 * what is durable; inside.c alone looks into a process.
 *
 * Time is a heap of events (timeline.c). Whatever happens, happens in an event: a delivery, a turn
 * of a process, a task of an executor, a search, a move, a kill. The same seed gives the same
 * events in the same order; everything random is drawn from the world's own generators, one for
 * each part, so that a change in one part leaves the others' draws alone. Every step leaves a line
 * in the trace; its hash tells whether two lives were the same.
 *
 * A life: birth (sizes and rates are drawn, segments written by the production writer); safety
 * (faults are on); healing, after which the world must settle within WORLD_CONVERGE_MS (K4); calm
 * (calm.c: moves and searches with nothing in their way); death (every mapped byte comes back).
 *
 * A kill -9 cuts the ports of a process at once (process.c), also in the middle of a step: between
 * a commit and the message that follows it, between two messages, before an unmapping. The code
 * that still runs then talks to nobody. */
#include "tests/sim/world.h"

#include "base/check.h"
#include "tests/sim/calm.h"
#include "tests/sim/habits.h"
#include "tests/sim/rival.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORLD_CONVERGE_MS = 300000, /* a collection takes 61 s to cease, and that may come twice */
    WORLD_LOOK_MS = 500,        /* how often the healed world is looked at */
    WORLD_INSIST_MS = 21000,    /* longer than the net holds a message back */
    WORLD_SEARCHES_AT_REST = 4, /* per client and collection */
    WORLD_LAST_SEARCHES_MS = 12000,
    WORLD_LAST_LOSS_PER_MILLE = 30, /* eight tries in five seconds: all lost once in 10^10 */
};

void world_fail(struct world *world, const char *checker, const char *format, ...)
{
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    trace_line(&world->trace, "! %s: %s", checker, text);
    if (world->is_failed)
        return;
    world->is_failed = true;
    (void)snprintf(world->failure, sizeof world->failure, "%s at %.6f s: %s", checker,
                   (double)world->timeline.now_us / 1e6, text);
}

int world_collection_number(const struct world *world, int64_t collection_id)
{
    for (uint32_t c = 0; c < world->collections_count; c++)
        if (world->collections[c].collection_id == collection_id)
            return (int)c;
    return -1;
}

int world_segment_index(const struct world *world, int64_t segment_id)
{
    for (uint32_t c = 0; c < world->collections_count; c++)
        for (size_t s = 0; s < world->collections[c].segments_count; s++)
            if (world->collections[c].segments[s].segment_id == segment_id)
                return (int)(c * OPTIONS_SEGMENTS_MAX + s);
    return -1;
}

int64_t world_segment_id(const struct world *world, int index)
{
    return world->collections[index / OPTIONS_SEGMENTS_MAX]
        .segments[index % OPTIONS_SEGMENTS_MAX]
        .segment_id;
}

const struct collection_segment *world_image(const struct world *world, int64_t handle)
{
    CHECK(handle >= 0);
    return &world->collections[handle / OPTIONS_SEGMENTS_MAX]
                .segments[handle % OPTIONS_SEGMENTS_MAX];
}

int64_t world_find_image(const struct world *world, const char *path,
                         const struct collection_segment **ret_segment)
{
    for (uint32_t c = 0; c < world->collections_count; c++)
        for (size_t s = 0; s < world->collections[c].segments_count; s++) {
            const struct collection_segment *segment = &world->collections[c].segments[s];
            if (strcmp(segment->path, path) != 0 || segment->state != QN_SEGMENT_SEALED)
                continue;
            *ret_segment = segment;
            return (int64_t)(c * OPTIONS_SEGMENTS_MAX + s);
        }
    return -1;
}

enum qn_status world_read_manifest(struct world *world, const char *folder,
                                   struct manifest **ret_manifest, struct qn_error *error)
{
    for (uint32_t c = 0; c < world->options.collections; c++)
        if (strcmp(world->collections[c].folder, folder) == 0) {
            *ret_manifest = collection_manifest(&world->collections[c]);
            return QN_STATUS_OK;
        }
    (void)snprintf(error->text, sizeof error->text, "%s: no such folder", folder);
    return error->status = QN_STATUS_NOT_FOUND;
}

/* Birth */

static void add_process(struct world *world, enum process_kind kind)
{
    unsigned index = world->processes_count++;

    CHECK(index < NET_PROCESSES_MAX);
    process_init(&world->processes[index], world, kind, index);
}

static void add_processes(struct world *world)
{
    add_process(world, PROCESS_COORDINATOR);
    for (uint32_t a = 0; a < world->options.agents; a++)
        add_process(world, PROCESS_AGENT);
    for (uint32_t c = 0; c < world->options.clients; c++) {
        add_process(world, PROCESS_CLIENT);
        sim_client_init(&world->clients[c], world, &world->processes[world->processes_count - 1]);
    }
    add_process(world, PROCESS_OPERATOR);
    operator_init(&world->operator, world, &world->processes[world->processes_count - 1]);
    add_process(world, PROCESS_COORDINATOR);
    world->leader = &world->processes[0];
    world->rival = &world->processes[world->processes_count - 1];
    world->rival->is_retired = true;
    state_memory_init(&world->backup, world->rival);
    for (unsigned i = 0; i <= world->options.agents; i++)
        process_plan_start(&world->processes[i], prng_below(&world->prng_life, 500000));
}

/* Whatever fragments, three agents can hold everything; a tight one has no room for the scratch of
 * more than one search. */
static uint64_t budget_bytes(const struct world *world)
{
    uint64_t resident_bytes = 0, edited_bytes = 0, largest_bytes = 0;

    for (uint32_t c = 0; c < world->collections_count; c++)
        for (size_t s = 0; s < world->collections[c].segments_count; s++) {
            uint64_t bytes = world->collections[c].segments[s].resident_bytes;
            resident_bytes += c < world->options.collections ? bytes : 0;
            edited_bytes += c < world->options.collections ? 0 : bytes;
            largest_bytes = bytes > largest_bytes ? bytes : largest_bytes;
        }
    if (world->options.budget_percent >= OPTIONS_BUDGET_AMPLE_PERCENT)
        return 4 * resident_bytes + edited_bytes + (8 << 20);
    return resident_bytes * world->options.budget_percent / 100 + edited_bytes + 2 * largest_bytes +
           4096;
}

static void give_birth(struct world *world, uint64_t seed, bool is_traced)
{
    struct prng prng;

    *world = (struct world){.seed = seed};
    prng_init(&prng, seed);
    world->options = options_from(&prng);
    prng_init(&world->prng_net, prng_next(&prng));
    prng_init(&world->prng_disk, prng_next(&prng));
    prng_init(&world->prng_life, prng_next(&prng));
    prng_init(&world->prng_operator, prng_next(&prng));
    prng_init(&world->prng_search, prng_next(&prng));
    prng_init(&world->prng_heap, prng_next(&prng));
    timeline_init(&world->timeline);
    trace_init(&world->trace, &world->timeline, is_traced);
    net_init(&world->net, world);
    observer_init(&world->observer);
    world->collections_count =
        world->options.collections + (world->options.edition_every_ms > 0 ? 1 : 0);
    for (uint32_t c = 0; c < world->collections_count; c++)
        collection_make(&world->collections[c], c, &world->options, &prng);
    world->agent_budget_bytes = budget_bytes(world);
    if (is_traced)
        options_print(&world->options, stdout);
    add_processes(world);
    habits_plan(world);
}

void world_live_until(struct world *world, uint64_t until_us)
{
    while (!world->is_failed && timeline_step(&world->timeline, until_us))
        continue;
}

/* Liveness */

static void heal(struct world *world)
{
    trace_line(&world->trace, "* healed: no faults from here on");
    world->is_healed = true;
    options_heal(&world->options);
    net_heal(&world->net);
    rival_settle(world);
    operator_settle(&world->operator);
    for (unsigned i = 0; i < world->processes_count; i++) {
        struct process *process = &world->processes[i];
        process->calls_left = -1;
        process->paused_until_us = 0;
        process_clock_drift(process, 0);
        if (process->is_alive)
            process_wake(process);
        else
            process_plan_start(process, 100000);
    }
}

/* ret_ms: how long it took. is_calm: no late message of a faulty time is on its way any more. */
static void await_convergence(struct world *world, bool is_calm, uint64_t *ret_ms)
{
    uint64_t healed_us = world->timeline.now_us, insisted_us = 0;
    uint64_t limit_us = healed_us + UINT64_C(1000) * WORLD_CONVERGE_MS;
    char why[256] = "nothing was looked at";

    *ret_ms = 0;
    while (!world->is_failed && world->timeline.now_us < limit_us) {
        world_live_until(world, world->timeline.now_us + UINT64_C(1000) * WORLD_LOOK_MS);
        uint64_t since_us = world->timeline.now_us - healed_us;
        if (since_us - insisted_us >= UINT64_C(1000) * WORLD_INSIST_MS) {
            insisted_us = since_us;
            operator_insist(&world->operator);
        }
        if ((insisted_us == 0 && !is_calm) || !checkers_is_converged(world, why, sizeof why))
            continue;
        *ret_ms = since_us / 1000;
        trace_line(&world->trace, "* settled after %" PRIu64 " ms", *ret_ms);
        return;
    }
    world_fail(world, "K4", "after %d ms without faults: %s", WORLD_CONVERGE_MS, why);
}

static void search_at_rest(struct world *world)
{
    for (uint32_t c = 0; c < world->options.clients; c++) {
        world->clients[c].must_complete = true;
        for (uint32_t i = 0; i < WORLD_SEARCHES_AT_REST * world->options.collections; i++)
            if (world->operator.wants_loaded[i % world->options.collections])
                sim_client_begin(&world->clients[c], i % world->options.collections);
    }
    world_live_until(world, world->timeline.now_us + UINT64_C(1000) * WORLD_LAST_SEARCHES_MS);
    for (uint32_t c = 0; c < world->options.clients; c++)
        if (world->clients[c].searches != NULL)
            world_fail(world, "K4", "a search in the healed world never ends");
}

/* Death */

/* All serve, the bus loses a few messages: five seconds must do. */
static void search_through_loss(struct world *world)
{
    world->options.lost_per_mille = WORLD_LAST_LOSS_PER_MILLE;
    search_at_rest(world);
    world->options.lost_per_mille = 0;
}

static void die(struct world *world)
{
    world->is_over = true;
    for (uint32_t c = 0; c < world->options.clients; c++)
        sim_client_done(&world->clients[c]);
    operator_done(&world->operator);
    for (unsigned i = 0; i < world->processes_count; i++)
        process_done(&world->processes[i]);
    state_memory_done(&world->backup);
    net_done(&world->net);
    observer_done(&world->observer);
    for (uint32_t c = 0; c < world->collections_count; c++)
        collection_done(&world->collections[c]);
    timeline_done(&world->timeline);
}

void world_live(uint64_t seed, bool is_traced, struct world_outcome *ret_outcome)
{
    struct world *world = malloc(sizeof *world);
    uint64_t calm_ms;

    CHECK(world != NULL);
    *ret_outcome = (struct world_outcome){.is_failed = false};
    give_birth(world, seed, is_traced);
    world_live_until(world, UINT64_C(1000) * world->options.safety_ms);
    if (!world->is_failed) {
        heal(world);
        await_convergence(world, false, &ret_outcome->converged_ms);
    }
    if (!world->is_failed)
        calm_live(world);
    if (!world->is_failed)
        await_convergence(world, true, &calm_ms);
    if (!world->is_failed)
        search_at_rest(world);
    if (!world->is_failed)
        search_through_loss(world);
    if (!world->is_failed)
        world_live_until(world, world->timeline.now_us + 3000000);
    if (!world->is_failed)
        checkers_at_rest(world);
    world->stats.virtual_us = world->timeline.now_us;
    die(world);
    ret_outcome->is_failed = world->is_failed;
    memcpy(ret_outcome->failure, world->failure, sizeof world->failure);
    ret_outcome->trace_hash = world->trace.hash;
    ret_outcome->trace_lines = world->trace.lines_count;
    ret_outcome->stats = world->stats;
    ret_outcome->agents = world->options.agents;
    ret_outcome->moves = world->leader->state.moves_done;
    free(world);
}
