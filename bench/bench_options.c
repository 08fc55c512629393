/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include "base/check.h"
#include "base/limits.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum letter {
    LETTER_BASE = 256,
    LETTER_BUS,
    LETTER_CLIENTS,
    LETTER_CLUSTER,
    LETTER_COLLECTION,
    LETTER_CONNECTIONS,
    LETTER_DEADLINE,
    LETTER_DST,
    LETTER_EACH,
    LETTER_EF,
    LETTER_JSON,
    LETTER_K,
    LETTER_MAX_SECONDS,
    LETTER_MIN_OVERLAP,
    LETTER_NPROBE,
    LETTER_NQ,
    LETTER_PAUSE,
    LETTER_QUERY,
    LETTER_RECALL,
    LETTER_REFINE,
    LETTER_ROUNDS,
    LETTER_SECONDS,
    LETTER_SRC,
};

static const struct option names[] = {
    {"json", required_argument, NULL, LETTER_JSON}, /* first: search takes no FILE */
    {"base", required_argument, NULL, LETTER_BASE},
    {"bus", required_argument, NULL, LETTER_BUS},
    {"clients", required_argument, NULL, LETTER_CLIENTS},
    {"cluster", required_argument, NULL, LETTER_CLUSTER},
    {"collection", required_argument, NULL, LETTER_COLLECTION},
    {"connections", required_argument, NULL, LETTER_CONNECTIONS},
    {"deadline-ms", required_argument, NULL, LETTER_DEADLINE},
    {"dst", required_argument, NULL, LETTER_DST},
    {"each", no_argument, NULL, LETTER_EACH},
    {"ef", required_argument, NULL, LETTER_EF},
    {"k", required_argument, NULL, LETTER_K},
    {"max-seconds", required_argument, NULL, LETTER_MAX_SECONDS},
    {"min-overlap", required_argument, NULL, LETTER_MIN_OVERLAP},
    {"nprobe", required_argument, NULL, LETTER_NPROBE},
    {"nq", required_argument, NULL, LETTER_NQ},
    {"pause-ms", required_argument, NULL, LETTER_PAUSE},
    {"query", required_argument, NULL, LETTER_QUERY},
    {"recall", required_argument, NULL, LETTER_RECALL},
    {"refine", required_argument, NULL, LETTER_REFINE},
    {"rounds", required_argument, NULL, LETTER_ROUNDS},
    {"seconds", required_argument, NULL, LETTER_SECONDS},
    {"src", required_argument, NULL, LETTER_SRC},
    {NULL, 0, NULL, 0},
};

static bool parse_number(int64_t max, int64_t *ret_value)
{
    char *end;
    long long value = strtoll(optarg, &end, 10);

    if (*optarg == '\0' || *end != '\0' || value < 1 || value > max)
        return false;
    *ret_value = value;
    return true;
}

static bool parse_u32(uint32_t max, uint32_t *ret_value)
{
    int64_t value;

    if (!parse_number(max, &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static bool parse_share(float *ret_value)
{
    char *end;

    *ret_value = strtof(optarg, &end);
    return end != optarg && *end == '\0' && *ret_value > 0 && *ret_value <= 1;
}

/* Numbers only; false for other letters too. */
static bool parse_load_number(int letter, struct bench_options *options)
{
    struct load_options *load = &options->load;

    switch (letter) {
    case LETTER_CLIENTS:
        return parse_u32(LOAD_CLIENTS_MAX, &load->clients_count);
    case LETTER_COLLECTION:
        return parse_number(INT64_MAX, &load->collection_id);
    case LETTER_CONNECTIONS:
        return parse_u32(LOAD_CLIENTS_MAX, &load->handles_count);
    case LETTER_DEADLINE:
        return parse_u32(LIMIT_SEARCH_MS_MAX, &load->deadline_ms);
    case LETTER_EF:
        return parse_u32(LIMIT_EF_MAX, &load->ef);
    case LETTER_K:
        return parse_u32(LIMIT_K_MAX, &load->k);
    case LETTER_NPROBE:
        return parse_u32(LIMIT_NPROBE_MAX, &load->nprobe);
    case LETTER_RECALL:
        return parse_share(&load->recall);
    case LETTER_REFINE:
        return parse_u32(LIMIT_REFINE_MAX, &load->refine);
    case LETTER_NQ:
        return parse_u32(LIMIT_QUERIES_PER_REQUEST_MAX, &load->nq);
    case LETTER_PAUSE:
        return parse_u32(60000, &options->pause_ms);
    case LETTER_ROUNDS:
        return parse_u32(10000, &options->rounds);
    case LETTER_SECONDS:
        return parse_u32(86400, &options->seconds);
    default:
        return false;
    }
}

static bool parse_option(int letter, struct bench_options *options)
{
    int64_t number = 0;

    switch (letter) {
    case LETTER_BASE:
        options->base_path = optarg;
        return true;
    case LETTER_BUS:
        options->load.bus = optarg;
        return true;
    case LETTER_CLUSTER:
        options->load.cluster = optarg;
        return true;
    case LETTER_QUERY:
        options->query_path = optarg;
        return true;
    case LETTER_JSON:
        options->json_path = optarg != NULL ? optarg : "-";
        return true;
    case LETTER_DST:
        return parse_number(INT64_MAX, &options->dst);
    case LETTER_EACH:
        options->is_each = true;
        return true;
    case LETTER_SRC:
        return parse_number(INT64_MAX, &options->src);
    case LETTER_MAX_SECONDS:
        return parse_u32(86400, &options->max_seconds);
    case LETTER_MIN_OVERLAP:
        if (!parse_number(INT64_MAX, &number))
            return false;
        options->min_overlap = (uint64_t)number;
        return true;
    default:
        return parse_load_number(letter, options);
    }
}

static bool complain(const char *text)
{
    (void)fprintf(stderr, "qnode-bench: %s\n", text);
    return false;
}

/* Verbs that need less or more than the others. */
static bool check_verb(const char *verb, const struct bench_options *options)
{
    if (strcmp(verb, "handoff") == 0 &&
        (options->src == 0 || options->dst == 0 || options->src == options->dst))
        return complain("handoff needs --src A and --dst B, two different nodes");
    if (strcmp(verb, "probe") == 0 && options->base_path == NULL)
        return complain("probe needs --base F.fbin, the vectors of the collection");
    return true;
}

static bool check(const char *verb, const struct bench_options *options)
{
    const struct load_options *load = &options->load;

    if (strcmp(verb, "kernels") == 0)
        return options->rounds <= BENCH_KERNELS_ROUNDS_MAX ||
               complain("kernels takes at most 64 --rounds");
    if (options->is_each)
        return complain("--each is an option of kernels alone");
    if (load->bus == NULL || *load->bus == '\0')
        return complain("no bus: give --bus nats://host:port or set QNODE_BUS");
    if (strcmp(verb, "echo") == 0)
        return true;
    if (load->collection_id == 0 || options->query_path == NULL)
        return complain("--collection ID and --query F.fbin are needed");
    if ((uint64_t)load->nq * load->k > LIMIT_HITS_PER_REQUEST_MAX)
        return complain("nq x k may be at most 65536");
    if (load->handles_count > load->clients_count)
        return complain("more --connections than --clients");
    return check_verb(verb, options);
}

static struct bench_options defaults(const char *verb)
{
    const bool handoff = strcmp(verb, "handoff") == 0;
    struct bench_options options = {
        .load = {.bus = getenv("QNODE_BUS"),
                 .cluster = getenv("QNODE_CLUSTER"),
                 .clients_count = handoff ? 2 : 1,
                 .handles_count = 1,
                 .nq = 1,
                 .k = 10},
        .seconds = handoff ? 3 : 10,
        .min_overlap = 2000,
        .max_seconds = 120,
        .pause_ms = 10,
        .rounds = strcmp(verb, "kernels") == 0 ? 7 : 50,
    };

    if (options.load.cluster == NULL || *options.load.cluster == '\0')
        options.load.cluster = "default";
    return options;
}

bool bench_parse(int argc, char **argv, struct bench_options *ret_options)
{
    bool handoff = strcmp(argv[0], "handoff") == 0;
    struct option of_verb[COUNT_OF(names)];
    struct bench_options options = defaults(argv[0]);
    int letter, index = 0;

    memcpy(of_verb, names, sizeof names);
    if (!handoff)
        of_verb[0].has_arg = no_argument;
    while ((letter = getopt_long(argc, argv, "", of_verb, &index)) >= 0) {
        if (letter == '?')
            return false;
        if (!parse_option(letter, &options)) {
            (void)fprintf(stderr, "qnode-bench: %s is no value for --%s\n", optarg,
                          names[index].name);
            return false;
        }
    }
    if (optind < argc)
        return complain("there is an argument that is no option");
    *ret_options = options;
    return check(argv[0], &options);
}
