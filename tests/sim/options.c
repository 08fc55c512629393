/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/options.h"

static uint32_t between(struct prng *prng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)prng_below(prng, high - low + 1);
}

/* A rate in one of `of` worlds, else 0. The draw is made either way: seeds stay comparable. */
static uint32_t sometimes(struct prng *prng, uint32_t of, uint32_t low, uint32_t high)
{
    uint32_t rate = between(prng, low, high);

    return prng_below(prng, of) == 0 ? rate : 0;
}

static void draw_sizes(struct options *options, struct prng *prng)
{
    options->agents = between(prng, 3, OPTIONS_AGENTS_MAX);
    options->clients = between(prng, 1, OPTIONS_CLIENTS_MAX);
    options->collections = between(prng, 1, OPTIONS_LOADED_MAX);
    options->segments_max = between(prng, 1, OPTIONS_SEGMENTS_MAX);
    options->rows_max = between(prng, 1, 60);
    options->safety_ms = between(prng, 20000, 60000);
    options->search_every_ms = between(prng, 30, 120);
    options->move_every_ms = between(prng, 300, 1500);
    options->release_every_ms = sometimes(prng, 3, 15000, 60000);
    options->budget_percent =
        prng_below(prng, 3) == 0 ? between(prng, 60, 120) : OPTIONS_BUDGET_AMPLE_PERCENT;
}

static void draw_net(struct options *options, struct prng *prng)
{
    options->delay_max_us = prng_below(prng, 3) == 0 ? between(prng, 5000, 300000) : 1000;
    options->lost_per_mille = sometimes(prng, 2, 1, 250);
    options->repeated_per_mille = sometimes(prng, 2, 1, 200);
    options->reordered_per_mille = sometimes(prng, 2, 1, 300);
    options->late_per_mille = sometimes(prng, 3, 1, 60);
    options->refused_per_mille = sometimes(prng, 4, 1, 50);
    options->cut_every_ms = sometimes(prng, 3, 3000, 15000);
}

static void draw_late_comers(struct options *options, struct prng *prng)
{
    options->crash_every_ms = sometimes(prng, 3, 3000, 15000);
    options->overload_every_ms = sometimes(prng, 4, 3000, 15000);
    options->flood_every_ms = sometimes(prng, 20, 10000, 20000);
    options->rival_every_ms = sometimes(prng, 4, 3000, 20000);
    options->drain_every_ms = sometimes(prng, 3, 5000, 20000);
    options->clock_jump_every_ms = sometimes(prng, 4, 1000, 10000);
    options->clock_drift_ppm = sometimes(prng, 3, 100, 100000);
    options->read_short_per_mille = sometimes(prng, 3, 20, 300);
    options->file_missing_per_mille = sometimes(prng, 4, 1, 100);
    options->heap_failed_per_million = sometimes(prng, 3, 10, 5000);
    options->force_per_mille = sometimes(prng, 3, 20, 300);
}

struct options options_from(struct prng *prng)
{
    struct options options = {0};

    draw_sizes(&options, prng);
    draw_net(&options, prng);
    options.kill_agent_every_ms = sometimes(prng, 2, 2000, 15000);
    options.kill_coordinator_every_ms = sometimes(prng, 2, 1500, 12000);
    options.pause_every_ms = sometimes(prng, 3, 1000, 10000);
    options.read_failed_per_mille = sometimes(prng, 4, 1, 200);
    options.read_flipped_per_mille = sometimes(prng, 4, 1, 100);
    options.map_failed_per_mille = sometimes(prng, 4, 1, 200);
    options.write_failed_per_mille = sometimes(prng, 4, 1, 200);
    options.commit_failed_per_mille = sometimes(prng, 5, 1, 20);
    if (prng_below(prng, 3) != 0) {
        options.search_max_us = prng_below(prng, 4) == 0 ? 100000 : 3000;
        options.load_max_us = prng_below(prng, 3) == 0 ? 4000000 : 100000;
        options.full_per_mille = sometimes(prng, 4, 1, 100);
    }
    options.rogue_every_ms = sometimes(prng, 2, 500, 4000);
    options.payload_bytes = sometimes(prng, 2, 4500, 12000);
    options.edition_every_ms = sometimes(prng, 2, 100, 800);
    draw_late_comers(&options, prng);
    /* Long answers torn in transit, and answered again by an agent that has room for less. */
    if (prng_below(prng, 8) == 0) {
        options.payload_bytes = between(prng, 4500, 6000);
        options.lost_per_mille = between(prng, 100, 300);
        options.full_per_mille = between(prng, 200, 600);
        options.search_max_us = options.load_max_us = 3000;
        options.segments_max = OPTIONS_SEGMENTS_MAX;
        options.rows_max = 60;
    }
    return options;
}

void options_heal(struct options *options)
{
    struct options drawn = *options;

    *options = (struct options){
        .agents = drawn.agents,
        .clients = drawn.clients,
        .collections = drawn.collections,
        .segments_max = drawn.segments_max,
        .rows_max = drawn.rows_max,
        .safety_ms = drawn.safety_ms,
        .search_every_ms = drawn.search_every_ms,
        .payload_bytes = drawn.payload_bytes,
        .budget_percent = drawn.budget_percent,
        .delay_max_us = 1000,
        .search_max_us = drawn.search_max_us == 0 ? 0 : 3000,
        .load_max_us = drawn.load_max_us == 0 ? 0 : 100000,
    };
}

void options_print(const struct options *o, FILE *out)
{
    (void)fprintf(out,
                  "  sizes   %u agents, %u clients, %u collections, <= %u segments, <= %u rows\n",
                  o->agents, o->clients, o->collections, o->segments_max, o->rows_max);
    (void)fprintf(out,
                  "  steps   %u ms safe, search/%u ms, move/%u ms, release/%u ms, budget %u %%, "
                  "rogue/%u ms (forced %u per mille), edition/%u ms, drain/%u ms\n",
                  o->safety_ms, o->search_every_ms, o->move_every_ms, o->release_every_ms,
                  o->budget_percent, o->rogue_every_ms, o->force_per_mille, o->edition_every_ms,
                  o->drain_every_ms);
    (void)fprintf(out,
                  "  net     delay <= %u us, lost %u, repeated %u, reordered %u, late %u,"
                  " refused %u per mille, payload %u,\n          cut/%u ms, crash/%u ms,"
                  " overload/%u ms, flood/%u ms\n",
                  o->delay_max_us, o->lost_per_mille, o->repeated_per_mille, o->reordered_per_mille,
                  o->late_per_mille, o->refused_per_mille, o->payload_bytes, o->cut_every_ms,
                  o->crash_every_ms, o->overload_every_ms, o->flood_every_ms);
    (void)fprintf(out,
                  "  kills   agent/%u ms, coordinator/%u ms, pause/%u ms, rival/%u ms, clocks"
                  " jump/%u ms, drift <= %u ppm\n",
                  o->kill_agent_every_ms, o->kill_coordinator_every_ms, o->pause_every_ms,
                  o->rival_every_ms, o->clock_jump_every_ms, o->clock_drift_ppm);
    (void)fprintf(out,
                  "  disk    read failed %u, flipped %u, short %u, missing %u, map failed %u,"
                  " write failed %u,\n          commit failed %u per mille, heap %u per million\n",
                  o->read_failed_per_mille, o->read_flipped_per_mille, o->read_short_per_mille,
                  o->file_missing_per_mille, o->map_failed_per_mille, o->write_failed_per_mille,
                  o->commit_failed_per_mille, o->heap_failed_per_million);
    (void)fprintf(out, "  tasks   search <= %u us, load <= %u us (0: inline), full %u per mille\n",
                  o->search_max_us, o->load_max_us, o->full_per_mille);
}
