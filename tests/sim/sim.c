/* SPDX-License-Identifier: Apache-2.0
 * qnode-sim: lives worlds, one seed after the other (or several at once, each in a process of its
 * own: there is one world in a process), and says what happened. */
#include "base/check.h"
#include "base/log.h"
#include "tests/sim/world.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SIM_JOBS_MAX = 64,
    SIM_SEEDS_TELLING = 1000, /* of so many worlds each class of fault must have fired in one */
    SIM_PROGRESS_SEEDS = 1000,
};

struct arguments {
    uint64_t first, seeds, jobs;
    const char *saved; /* a file of seeds, or NULL */
    bool is_traced, prints_hashes, stops_at_failure;
};

/* What all worlds came to. */
struct tally {
    struct stats sum;
    uint64_t lived, passed, lines, slowest_ms; /* to settle, after healing */
    uint64_t fewest_agents, fewest_moves, fewest_searches;
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

/* ---- arguments ------------------------------------------------------------------------------- */

static int usage(FILE *out, int status)
{
    (void)fputs("usage: qnode-sim [--seeds N] [--first S] [--jobs J] [--until-failure]\n"
                "       qnode-sim --seed S [--trace]\n"
                "       qnode-sim --saved FILE\n\n"
                "  --seeds N        lives N worlds (200)\n"
                "  --first S        the first seed (1)\n"
                "  --jobs J         in so many processes (1)\n"
                "  --seed S         one world: --first S --seeds 1\n"
                "  --saved FILE     the seeds in FILE: one a line, a name behind it\n"
                "  --trace          prints what happens, line by line\n"
                "  --hashes         prints the hash of each world's trace\n"
                "  --until-failure  no further world after one that failed\n",
                out);
    return status;
}

static bool parse_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool take_option(int option, struct arguments *arguments)
{
    switch (option) {
    case 'n':
        return parse_number(optarg, &arguments->seeds);
    case 'f':
        return parse_number(optarg, &arguments->first);
    case 's':
        arguments->seeds = 1;
        return parse_number(optarg, &arguments->first);
    case 'j':
        return parse_number(optarg, &arguments->jobs) && arguments->jobs >= 1 &&
               arguments->jobs <= SIM_JOBS_MAX;
    case 'l':
        arguments->saved = optarg;
        return true;
    case 't':
        return arguments->is_traced = true;
    case 'x':
        return arguments->prints_hashes = true;
    case 'u':
        return arguments->stops_at_failure = true;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"seeds", 1, NULL, 'n'},  {"first", 1, NULL, 'f'},         {"seed", 1, NULL, 's'},
        {"jobs", 1, NULL, 'j'},   {"saved", 1, NULL, 'l'},         {"trace", 0, NULL, 't'},
        {"hashes", 0, NULL, 'x'}, {"until-failure", 0, NULL, 'u'}, {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(option, arguments))
            return false;
    return optind == argc && arguments->seeds > 0 &&
           arguments->seeds - 1 <= UINT64_MAX - arguments->first;
}

/* ---- worlds ---------------------------------------------------------------------------------- */

static void least(uint64_t *fewest, uint64_t count)
{
    *fewest = *fewest == 0 || count < *fewest ? count : *fewest;
}

static void note_outcome(struct tally *tally, const struct world_outcome *outcome)
{
    const struct stats *stats = &outcome->stats;

    stats_add(&tally->sum, stats);
    tally->lived++;
    tally->passed += outcome->is_failed ? 0 : 1;
    tally->lines += outcome->trace_lines;
    if (outcome->converged_ms > tally->slowest_ms)
        tally->slowest_ms = outcome->converged_ms;
    if (outcome->is_failed)
        return; /* it did not live to the end */
    least(&tally->fewest_agents, outcome->agents);
    least(&tally->fewest_moves, outcome->moves);
    least(&tally->fewest_searches, stats->searches_compared);
}

static void live_one(uint64_t seed, const struct arguments *arguments, struct tally *tally)
{
    struct world_outcome outcome;

    seed_high = (sig_atomic_t)(seed >> 32);
    seed_low = (sig_atomic_t)(seed & UINT32_MAX);
    if (arguments->is_traced)
        (void)printf("seed %" PRIu64 "\n", seed);
    world_live(seed, arguments->is_traced, &outcome);
    note_outcome(tally, &outcome);
    if (outcome.is_failed)
        (void)printf("seed %" PRIu64 " failed: %s\n  replay: tests/sim/run --seed %" PRIu64
                     " --trace\n",
                     seed, outcome.failure, seed);
    if (arguments->is_traced || arguments->prints_hashes)
        (void)printf("seed %" PRIu64 " trace hash %016" PRIx64 " (%" PRIu64 " lines)\n", seed,
                     outcome.trace_hash, outcome.trace_lines);
    (void)fflush(stdout);
}

static void live_range(const struct arguments *arguments, struct tally *tally)
{
    for (uint64_t i = 0; i < arguments->seeds; i++) {
        live_one(arguments->first + i, arguments, tally);
        if (arguments->stops_at_failure && tally->passed < tally->lived)
            return;
        if ((i + 1) % SIM_PROGRESS_SEEDS == 0 && i + 1 < arguments->seeds)
            (void)fprintf(stderr, "  %" PRIu64 " of %" PRIu64 " worlds from %" PRIu64 " lived\n",
                          i + 1, arguments->seeds, arguments->first);
    }
}

static bool complain(const struct arguments *arguments, const char *what)
{
    (void)fprintf(stderr, "qnode-sim: %s: %s\n", arguments->saved, what);
    return false;
}

/* Each line: a seed, and the name of the bug that it found; or a comment. */
static bool live_saved(const struct arguments *arguments, struct tally *tally)
{
    FILE *file = fopen(arguments->saved, "r");
    bool is_good = true;
    char line[256];

    if (file == NULL)
        return complain(arguments, "cannot be read");
    while (is_good && fgets(line, sizeof line, file) != NULL) {
        uint64_t seed;
        if (line[0] == '#')
            continue;
        line[strcspn(line, " \n")] = '\0';
        is_good = parse_number(line, &seed);
        if (is_good)
            live_one(seed, arguments, tally);
    }
    (void)fclose(file);
    if (!is_good)
        return complain(arguments, "a line begins with no seed and no #");
    return tally->lived > 0 || complain(arguments, "no seeds in it");
}

/* ---- several processes ----------------------------------------------------------------------- */

struct job {
    pid_t pid;
    int pipe_fd;
};

static struct job start_job(const struct arguments *all, uint64_t number)
{
    struct arguments own = *all;
    struct tally tally = {.lived = 0};
    int pipe_fds[2];

    own.seeds = all->seeds / all->jobs + (number < all->seeds % all->jobs ? 1 : 0);
    own.first = all->first + number * (all->seeds / all->jobs) +
                (number < all->seeds % all->jobs ? number : all->seeds % all->jobs);
    CHECK(pipe(pipe_fds) == 0);
    (void)fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) {
        (void)close(pipe_fds[1]);
        return (struct job){pid, pipe_fds[0]};
    }
    live_range(&own, &tally);
    _exit(write(pipe_fds[1], &tally, sizeof tally) == (ssize_t)sizeof tally ? 0 : 2);
}

static void add_tally(struct tally *sum, const struct tally *more)
{
    stats_add(&sum->sum, &more->sum);
    sum->lived += more->lived;
    sum->passed += more->passed;
    sum->lines += more->lines;
    if (more->slowest_ms > sum->slowest_ms)
        sum->slowest_ms = more->slowest_ms;
    if (more->passed == 0)
        return;
    least(&sum->fewest_agents, more->fewest_agents);
    least(&sum->fewest_moves, more->fewest_moves);
    least(&sum->fewest_searches, more->fewest_searches);
}

/* A job that crashed has said so; what it lived before is not counted. */
static void live_jobs(const struct arguments *arguments, struct tally *tally)
{
    struct job jobs[SIM_JOBS_MAX];
    struct tally one;

    for (uint64_t i = 0; i < arguments->jobs; i++)
        jobs[i] = start_job(arguments, i);
    for (uint64_t i = 0; i < arguments->jobs; i++) {
        if (read(jobs[i].pipe_fd, &one, sizeof one) == (ssize_t)sizeof one)
            add_tally(tally, &one);
        else
            tally->lived++;
        (void)close(jobs[i].pipe_fd);
        (void)waitpid(jobs[i].pid, NULL, 0);
    }
}

/* ---- the report ------------------------------------------------------------------------------ */

static void print_tally(const struct tally *tally)
{
    (void)printf("  %.2f virtual hours\n", (double)tally->sum.virtual_us / 3.6e9);
#define X(kind, name, text)                                                                        \
    if (strcmp(#name, "virtual_us") != 0)                                                          \
        (void)printf("  %-5s %-40s %12" PRIu64 "\n", STATS_##kind == STATS_FAULT ? "fault" : "",   \
                     text, tally->sum.name);
    STATS(X)
#undef X
    (void)printf("  fewest in a world: %" PRIu64 " agents, %" PRIu64 " moves done, %" PRIu64
                 " searches compared\n",
                 tally->fewest_agents, tally->fewest_moves, tally->fewest_searches);
    (void)printf("  slowest to settle after healing: %.1f virtual seconds\n",
                 (double)tally->slowest_ms / 1000);
}

/* A class of trouble that never came is not tested. */
static uint64_t count_silent_faults(const struct tally *tally)
{
    uint64_t count = 0;

#define X(kind, name, text)                                                                        \
    if (STATS_##kind == STATS_FAULT && tally->sum.name == 0) {                                     \
        count++;                                                                                   \
        (void)printf("this never happened: %s\n", text);                                           \
    }
    STATS(X)
#undef X
    return count;
}

static bool live_all(const struct arguments *arguments, struct tally *tally)
{
    if (arguments->saved != NULL)
        return live_saved(arguments, tally);
    if (arguments->jobs > 1)
        live_jobs(arguments, tally);
    else
        live_range(arguments, tally);
    return true;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.first = 1, .seeds = 200, .jobs = 1};
    struct tally tally = {.lived = 0};
    uint64_t silent_faults = 0;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    if (!parse(argc, argv, &arguments))
        return usage(stderr, 2);
    if (arguments.is_traced) /* the last lines before a crash are the ones that are needed */
        (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    watch_crashes();
    log_level_set((enum log_level) - 1); /* not even errors: they are in the trace */
    if (!live_all(&arguments, &tally))
        return 2;
    (void)printf("%" PRIu64 " seeds%s", tally.lived, arguments.saved != NULL ? "\n" : "");
    if (arguments.saved == NULL)
        (void)printf(" from %" PRIu64 "\n", arguments.first);
    print_tally(&tally);
    if (tally.lived >= SIM_SEEDS_TELLING)
        silent_faults = count_silent_faults(&tally);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", tally.passed,
                 tally.lived - tally.passed + silent_faults);
    return tally.passed == tally.lived && silent_faults == 0 ? 0 : 1;
}
