/* SPDX-License-Identifier: Apache-2.0
 * qnode-sim: lives worlds, one seed after the other, and says what happened. */
#include "base/log.h"
#include "tests/sim/world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct arguments {
    uint64_t first, seeds;
    bool is_traced, prints_hashes, stops_at_failure;
};

/* For the signal handler alone: which world crashed. */
static volatile sig_atomic_t seed_high, seed_low;

static void on_crash(int signal_number)
{
    char text[160];
    uint64_t seed = (uint64_t)(uint32_t)seed_high << 32 | (uint32_t)seed_low;
    int size = snprintf(text, sizeof text,
                        "\nseed %" PRIu64 " failed: K8: crashed (signal %d)\n"
                        "  replay: tests/sim/run --seed %" PRIu64 " --trace\n",
                        seed, signal_number, seed);

    if (write(STDOUT_FILENO, text, (size_t)size) < 0)
        _exit(2);
    _exit(1);
}

static void watch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)signal(signals[i], on_crash);
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: qnode-sim [--seeds N] [--first S] [--seed S] [--trace]"
                          " [--hashes] [--until-failure]\n"
                          "  --seeds N   lives N worlds (200)\n"
                          "  --first S   the first seed (1)\n"
                          "  --seed S    one world: --first S --seeds 1\n"
                          "  --trace     prints what happens, line by line\n"
                          "  --hashes    prints the hash of each world's trace\n"
                          "  --until-failure  no further world after one that failed\n");
    return 2;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            arguments->is_traced = true;
            continue;
        }
        if (strcmp(argv[i], "--hashes") == 0) {
            arguments->prints_hashes = true;
            continue;
        }
        if (strcmp(argv[i], "--until-failure") == 0) {
            arguments->stops_at_failure = true;
            continue;
        }
        char *end = NULL;
        uint64_t number = i + 1 < argc ? strtoull(argv[i + 1], &end, 10) : 0;
        if (end == NULL || end == argv[i + 1] || *end != 0)
            return false;
        if (strcmp(argv[i], "--seeds") == 0)
            arguments->seeds = number;
        else if (strcmp(argv[i], "--first") == 0)
            arguments->first = number;
        else if (strcmp(argv[i], "--seed") == 0) {
            arguments->first = number;
            arguments->seeds = 1;
        } else
            return false;
        i++;
    }
    return true;
}

static void print_stats(const struct stats *stats)
{
    (void)printf("  %.2f virtual hours\n", (double)stats->virtual_us / 3.6e9);
#define X(name, text)                                                                              \
    if (strcmp(#name, "virtual_us") != 0)                                                          \
        (void)printf("  %-40s %12" PRIu64 "\n", text, stats->name);
    STATS(X)
#undef X
}

static void print_failure(uint64_t seed, const struct world_outcome *outcome)
{
    (void)printf("seed %" PRIu64 " failed: %s\n  replay: tests/sim/run --seed %" PRIu64
                 " --trace\n",
                 seed, outcome->failure, seed);
    (void)fflush(stdout);
}

static bool live_one(uint64_t seed, const struct arguments *arguments, struct stats *sum)
{
    struct world_outcome outcome;

    seed_high = (sig_atomic_t)(seed >> 32);
    seed_low = (sig_atomic_t)(seed & UINT32_MAX);
    if (arguments->is_traced)
        (void)printf("seed %" PRIu64 "\n", seed);
    world_live(seed, arguments->is_traced, &outcome);
    stats_add(sum, &outcome.stats);
    if (outcome.is_failed)
        print_failure(seed, &outcome);
    if (arguments->is_traced || arguments->prints_hashes)
        (void)printf("seed %" PRIu64 " trace hash %016" PRIx64 " (%" PRIu64 " lines)\n", seed,
                     outcome.trace_hash, outcome.trace_lines);
    return !outcome.is_failed;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.first = 1, .seeds = 200};
    struct stats sum = {0};
    uint64_t lived = 0, passed = 0;

    if (!parse(argc, argv, &arguments))
        return usage();
    watch_crashes();
    log_level_set((enum log_level) - 1); /* not even errors: they are in the trace */
    for (; lived < arguments.seeds && !(arguments.stops_at_failure && passed < lived); lived++)
        passed += live_one(arguments.first + lived, &arguments, &sum) ? 1 : 0;
    (void)printf("%" PRIu64 " seeds from %" PRIu64 "\n", lived, arguments.first);
    print_stats(&sum);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, lived - passed);
    return passed == lived ? 0 : 1;
}
