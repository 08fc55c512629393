/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "base/limits.h"
#include "channel/kafka_topics.h"
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum option_letter {
    OPTION_BUS = 256,
    OPTION_CLUSTER,
    OPTION_COLLECTION,
    OPTION_COUNT,
    OPTION_DEADLINE,
    OPTION_DST,
    OPTION_EF,
    OPTION_FOR,
    OPTION_HELP,
    OPTION_K,
    OPTION_KIND,
    OPTION_LIMIT,
    OPTION_NODE,
    OPTION_NODES,
    OPTION_NPROBE,
    OPTION_PARTITIONS,
    OPTION_QUERY,
    OPTION_RECALL,
    OPTION_REFINE,
    OPTION_REPLICATION,
    OPTION_SEGMENTS,
    OPTION_SRC,
    OPTION_TIMEOUT,
    OPTION_TRACE,
    OPTION_WAIT,
};

static const struct option options[] = {
    {"bus", required_argument, NULL, OPTION_BUS},
    {"cluster", required_argument, NULL, OPTION_CLUSTER},
    {"collection", required_argument, NULL, OPTION_COLLECTION},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"deadline-ms", required_argument, NULL, OPTION_DEADLINE},
    {"dst", required_argument, NULL, OPTION_DST},
    {"ef", required_argument, NULL, OPTION_EF},
    {"for", required_argument, NULL, OPTION_FOR},
    {"help", no_argument, NULL, OPTION_HELP},
    {"k", required_argument, NULL, OPTION_K},
    {"kind", required_argument, NULL, OPTION_KIND},
    {"limit-queries", required_argument, NULL, OPTION_LIMIT},
    {"node", required_argument, NULL, OPTION_NODE},
    {"nodes", required_argument, NULL, OPTION_NODES},
    {"nprobe", required_argument, NULL, OPTION_NPROBE},
    {"output", required_argument, NULL, 'o'},
    {"partitions", required_argument, NULL, OPTION_PARTITIONS},
    {"query", required_argument, NULL, OPTION_QUERY},
    {"recall", required_argument, NULL, OPTION_RECALL},
    {"refine", required_argument, NULL, OPTION_REFINE},
    {"replication", required_argument, NULL, OPTION_REPLICATION},
    {"segments", required_argument, NULL, OPTION_SEGMENTS},
    {"src", required_argument, NULL, OPTION_SRC},
    {"timeout-s", required_argument, NULL, OPTION_TIMEOUT},
    {"traceparent", required_argument, NULL, OPTION_TRACE},
    {"wait", no_argument, NULL, OPTION_WAIT},
    {NULL, 0, NULL, 0},
};

int ctl_usage(const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "qnodectl: ");
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\nnext: qnodectl --help, or qnodectl VERB --help for its examples\n");
    return 2;
}

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

/* The largest value of an option that is a number from 1 on; 0: it is none. */
static int64_t number_max(int letter)
{
    switch (letter) {
    case OPTION_COUNT:
    case OPTION_LIMIT:
        return UINT32_MAX;
    case OPTION_DEADLINE:
        return LIMIT_SEARCH_MS_MAX;
    case OPTION_EF:
        return LIMIT_EF_MAX;
    case OPTION_FOR:
    case OPTION_TIMEOUT:
        return 86400;
    case OPTION_K:
        return LIMIT_K_MAX;
    case OPTION_NODE:
    case OPTION_SRC:
        return INT64_MAX;
    case OPTION_NPROBE:
        return LIMIT_NPROBE_MAX;
    case OPTION_PARTITIONS:
        return KAFKA_PARTITIONS_MAX;
    case OPTION_REFINE:
        return LIMIT_REFINE_MAX;
    case OPTION_REPLICATION:
        return INT16_MAX;
    default:
        return 0;
    }
}

static bool parse_u32(const char *text, int letter, uint32_t *ret_value)
{
    int64_t value;

    if (!parse_number(text, 1, number_max(letter), &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static bool parse_share(const char *text, float *ret_value)
{
    char *end;

    *ret_value = strtof(text, &end);
    return end != text && *end == '\0' && *ret_value > 0 && *ret_value <= 1;
}

/* "1,2,3" */
static bool parse_ids(const char *text, struct ctl_ids *ret_ids)
{
    char *copy = strdup(text), *rest = copy, *word;
    struct ctl_ids ids = {.values = calloc(strlen(text) + 1, sizeof *ids.values)};
    bool good = true;

    CHECK(copy != NULL && ids.values != NULL);
    while (good && (word = strsep(&rest, ",")) != NULL)
        good =
            ids.count < CTL_IDS_MAX && parse_number(word, 1, INT64_MAX, &ids.values[ids.count++]);
    free(copy);
    free(ret_ids->values);
    *ret_ids = ids;
    return good;
}

static bool parse_output(const char *name, bool *ret_json)
{
    *ret_json = strcmp(name, "json") == 0;
    return *ret_json || strcmp(name, "table") == 0;
}

static bool parse_text(const char *text, const char **ret_text)
{
    *ret_text = text;
    return *text != '\0';
}

/* Of the verb search alone; false for other letters too. */
static bool parse_search_option(int letter, struct ctl_arguments *arguments)
{
    switch (letter) {
    case OPTION_DEADLINE:
        return parse_u32(optarg, letter, &arguments->deadline_ms);
    case OPTION_EF:
        return parse_u32(optarg, letter, &arguments->ef);
    case OPTION_K:
        return parse_u32(optarg, letter, &arguments->k);
    case OPTION_LIMIT:
        return parse_u32(optarg, letter, &arguments->limit_queries);
    case OPTION_NPROBE:
        return parse_u32(optarg, letter, &arguments->nprobe);
    case OPTION_QUERY:
        return parse_text(optarg, &arguments->query);
    case OPTION_RECALL:
        return parse_share(optarg, &arguments->recall);
    case OPTION_REFINE:
        return parse_u32(optarg, letter, &arguments->refine);
    default:
        return false;
    }
}

static bool parse_option(int letter, struct ctl_arguments *arguments)
{
    switch (letter) {
    case OPTION_BUS:
        return parse_text(optarg, &arguments->bus);
    case OPTION_CLUSTER:
        return parse_text(optarg, &arguments->cluster);
    case OPTION_COLLECTION:
        return parse_text(optarg, &arguments->collection);
    case OPTION_COUNT:
        return parse_u32(optarg, letter, &arguments->count);
    case OPTION_DST:
        return parse_ids(optarg, &arguments->dst);
    case OPTION_FOR:
        return parse_u32(optarg, letter, &arguments->for_s);
    case OPTION_KIND:
        return parse_text(optarg, &arguments->kinds);
    case OPTION_NODE:
        return parse_number(optarg, 1, number_max(letter), &arguments->node);
    case OPTION_NODES:
        return parse_ids(optarg, &arguments->nodes);
    case OPTION_PARTITIONS:
        return parse_u32(optarg, letter, &arguments->partitions);
    case OPTION_REPLICATION:
        return parse_u32(optarg, letter, &arguments->replication);
    case OPTION_SEGMENTS:
        return parse_ids(optarg, &arguments->segments);
    case OPTION_SRC:
        return parse_number(optarg, 1, number_max(letter), &arguments->src);
    case OPTION_TIMEOUT:
        return parse_u32(optarg, letter, &arguments->timeout_s);
    case OPTION_TRACE:
        arguments->traceparent = optarg;
        return traceparent_is_valid(optarg);
    case 'o':
        return parse_output(optarg, &arguments->json);
    default:
        return parse_search_option(letter, arguments);
    }
}

static void complain(int letter, const char *name, const char *value)
{
    (void)fprintf(stderr, "qnodectl: %s is no value for %s%s: want ", value,
                  letter == 'o' ? "-" : "--", letter == 'o' ? "o" : name);
    if (number_max(letter) > 0)
        (void)fprintf(stderr, "a number from 1 to %" PRId64 "\n", number_max(letter));
    else if (letter == OPTION_DST || letter == OPTION_NODES || letter == OPTION_SEGMENTS)
        (void)fprintf(stderr, "ids like 1,2,3, at most %d\n", CTL_IDS_MAX);
    else if (letter == OPTION_TRACE)
        (void)fprintf(stderr, "a W3C trace context, 00-TRACE-SPAN-01 in hexadecimal digits\n");
    else
        (void)fprintf(stderr, "%s\n", letter == 'o' ? "table or json" : "some text");
}

/* Options without a value. */
static bool parse_flag(int letter, struct ctl_arguments *arguments)
{
    if (letter == OPTION_HELP || letter == 'h')
        arguments->help = true;
    else if (letter == OPTION_WAIT)
        arguments->wait = true;
    else
        return false;
    return true;
}

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : otherwise;
}

bool ctl_parse(int argc, char **argv, struct ctl_arguments *ret_arguments)
{
    struct ctl_arguments arguments = {.bus = environment("QNODE_BUS", NULL),
                                      .cluster = environment("QNODE_CLUSTER", "default"),
                                      .timeout_s = 300};
    int letter, index = 0;
    bool good = true;

    while (good && (letter = getopt_long(argc, argv, "ho:", options, &index)) >= 0) {
        if (letter >= OPTION_BUS)
            arguments.options_given |= UINT64_C(1) << index;
        if (parse_flag(letter, &arguments))
            continue;
        good = letter != '?' && parse_option(letter, &arguments);
        if (!good && letter != '?')
            complain(letter, options[index].name, optarg);
    }
    arguments.words = argv + optind;
    arguments.words_count = (size_t)(argc - optind);
    *ret_arguments = arguments;
    return good;
}

static_assert(COUNT_OF(options) <= 64, "a bit of options_given for each");

const char *ctl_next_option(const struct ctl_arguments *arguments, const char *name)
{
    bool is_behind = name == NULL;

    for (size_t i = 0; i < COUNT_OF(options) - 1; i++) {
        if (is_behind && arguments->options_given >> i & 1)
            return options[i].name;
        is_behind |= options[i].name == name;
    }
    return NULL;
}

void ctl_arguments_done(struct ctl_arguments *arguments)
{
    free(arguments->nodes.values);
    free(arguments->segments.values);
    free(arguments->dst.values);
}
