/* SPDX-License-Identifier: Apache-2.0
 * qnodectl: the operator's hand. Finds the verb, opens the client, runs it. */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "base/standard_files.h"
#include <string.h>

struct verb {
    const char *name; /* one or two words */
    size_t operands_count;
    int (*run)(struct ctl *ctl);
    int (*check)(
        const struct ctl_arguments *arguments); /* 0, or ctl_usage; NULL: nothing to check */
    const char *synopsis, *about, *examples;    /* the verb has the options of its synopsis */
};

static const struct verb verbs[] = {
    {"nodes", 0, ctl_nodes, NULL, "qnodectl nodes",
     "Lists the nodes that report, with the memory of each: ledger (exact bytes of its\n"
     "segments), anon (RssAnon of the process), budget, and usage, the larger of the\n"
     "two over the budget.\n",
     "  qnodectl nodes\n"
     "  qnodectl nodes -o json\n"},
    {"collections list", 0, ctl_collections_list, NULL, "qnodectl collections list",
     "Lists the loaded collections: segments serving, rows, bytes, metric, view.\n",
     "  qnodectl collections list\n"},
    {"collections load", 1, ctl_collections_load, NULL,
     "qnodectl collections load FOLDER [--nodes 1,2] [--wait] [--timeout-s N]",
     "Loads a collection folder (collection.json and its .qseg files) onto the nodes,\n"
     "spread by bytes. --nodes: onto these only. --wait: until every segment serves;\n"
     "exits 1 with the reasons if some fail to load.\n",
     "  qnodectl collections load /data/words --wait\n"
     "  qnodectl collections load /data/words --nodes 1,2 --wait\n"},
    {"collections release", 1, ctl_collections_release, NULL,
     "qnodectl collections release COLLECTION [--wait] [--timeout-s N]",
     "Gives the collection (name or id) back: at once no view names it; the copies go\n"
     "when no search can ask for them any more (the longest deadline, 60 s).\n",
     "  qnodectl collections release words --wait\n"},
    {"segments", 0, ctl_segments, NULL, "qnodectl segments [--collection C]",
     "Lists the copies of segments: the seven fields of get_query_segment_info. The\n"
     "JSON has the state of the copy as copyState too.\n",
     "  qnodectl segments\n"
     "  qnodectl segments --collection words -o json\n"},
    {"load-balance", 0, ctl_load_balance, ctl_load_balance_check,
     "qnodectl load-balance --src A --dst B[,C] [--segments 1,2] [--wait]\n"
     "                      [--timeout-s N]",
     "Moves sealed segments from node A to the others, without a gap for searches.\n"
     "--segments: these; else all of A. --wait: shows each phase, exits 1 with the\n"
     "reasons if a move fails.\n",
     "  qnodectl load-balance --src 1 --dst 3 --wait\n"
     "  qnodectl load-balance --src 1 --dst 2,3 --segments 101,102 --wait\n"},
    {"moves", 0, ctl_moves_verb, NULL, "qnodectl moves",
     "Lists the moves the coordinator remembers; phases are loading, overlap,\n"
     "releasing, done, stalled and failed, the last two with their reason.\n",
     "  qnodectl moves\n"},
    {"search", 0, ctl_search, ctl_search_check,
     "qnodectl search --collection C --query F.fbin --k K [--limit-queries N]\n"
     "                [--deadline-ms N] [--recall R] [--nprobe N] [--ef N]\n"
     "                [--refine N]",
     "Searches and prints the hits and the verdict. COMPLETE: every readable segment\n"
     "was searched. PARTIAL: the missing ones are listed, each with its reason, and\n"
     "the exit code is 1. --recall: of segments with an index, the share of the true\n"
     "neighbours that is wanted (default 0.95; 1: an exact search). Instead, of an ivf\n"
     "--nprobe, the lists to look at, of a graph --ef, the rows that its walk keeps;\n"
     "with either --refine, the candidates that are computed exactly (at least k).\n",
     "  qnodectl search --collection words --query q.fbin --k 10 --limit-queries 5\n"
     "  qnodectl search --collection words --query q.fbin --k 10 --ef 64 --refine 40\n"},
    {"topics create", 0, ctl_topics_create, NULL,
     "qnodectl topics create [--partitions P] [--replication R]",
     "Makes the topics that a cluster needs on Kafka, once, before its first program\n"
     "starts, with the policies of channel/PROTOCOL.md. Those that exist are left as\n"
     "they are and checked; exits 1 if one would lose messages. --partitions: of each\n"
     "but coord, which has one (default 16; must stay as it is while nodes run).\n"
     "--replication: copies of each record (default: the broker's).\n",
     "  qnodectl topics create --bus kafka://127.0.0.1:9092 --cluster demo\n"
     "  qnodectl topics create --partitions 64 --replication 3 \\\n"
     "      --bus 'kafka://k1:9093,k2:9093?config=/etc/qnode/kafka'\n"},
    {"topics list", 0, ctl_topics_list, NULL, "qnodectl topics list",
     "Shows the topics of a cluster on Kafka: good, missing, or what differs. Changes\n"
     "nothing.\n",
     "  qnodectl topics list --bus kafka://127.0.0.1:9092 --cluster demo\n"},
    {"tap", 0, ctl_tap, ctl_tap_check,
     "qnodectl tap [--node N] [--kind K[,K]] [--collection C] [--count N]\n"
     "             [--for SECONDS]",
     "Shows the messages of the cluster as they come, decoded, one a line; with\n"
     "-o json one object a line. --node: to and from that one. --kind: as in\n"
     "channel/PROTOCOL.md. It only listens; what comes faster than it is read is\n"
     "counted as dropped. Ends after --count messages, --for seconds, or at Ctrl-C.\n",
     "  qnodectl tap --node 2 --kind LoadSegments,SegmentLoaded,SegmentReleased\n"
     "  qnodectl tap --for 10 -o json\n"},
};

static const char options_text[] =
    "  --bus URL        nats://host:port (default: $QNODE_BUS); with a login as in\n"
    "                   'nats://operator@host:4222?password_file=FILE&ca=FILE'\n"
    "                   or 'kafka://host:9092?config=FILE', FILE: librdkafka's\n"
    "                   name=value\n"
    "  --cluster NAME   default: $QNODE_CLUSTER, else \"default\"\n"
    "  -o table|json    how to print (default: table)\n"
    "  --timeout-s N    how long --wait waits (default 300)\n"
    "  --traceparent T  W3C trace context (00-...-...-01) for the requests\n"
    "  -h, --help       this, or with a verb its own help and examples\n";

static void print_help(void)
{
    printf("usage: qnodectl [options] VERB ...\n\n");
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        printf("  %s\n", verbs[i].synopsis + strlen("qnodectl "));
    printf("\noptions:\n%s", options_text);
    printf("\nexit codes: 0 ok, 1 failed, 2 usage, 69 unavailable, 75 try again, 78 bad\n"
           "configuration\n"
           "\nexamples:\n"
           "  export QNODE_BUS=nats://127.0.0.1:4222\n"
           "  qnodectl collections load /data/words --wait\n"
           "  qnodectl load-balance --src 1 --dst 3 --wait\n");
}

static void print_verb_help(const struct verb *verb)
{
    printf("usage: %s\n\n%s\noptions:\n%s\nexamples:\n%s", verb->synopsis, verb->about,
           options_text, verb->examples);
}

/* Of all verbs that begin with the word. False: there is none. */
static bool print_group_help(const char *word)
{
    size_t bytes = strlen(word);
    const char *heading = "usage: ";

    for (size_t part = 0; part < 3; part++) {
        for (size_t i = 0; i < COUNT_OF(verbs); i++) {
            if (strncmp(verbs[i].name, word, bytes) != 0 || verbs[i].name[bytes] != ' ')
                continue;
            if (part == 0)
                printf("%s%s\n", heading, verbs[i].synopsis);
            else if (part == 1)
                printf("\n%s:\n%s", verbs[i].name, verbs[i].about);
            else
                printf("%s", verbs[i].examples);
            heading = "       ";
        }
        if (*heading == 'u')
            return false;
        if (part == 1)
            printf("\noptions:\n%s\nexamples:\n", options_text);
    }
    return true;
}

/* "--name" as a word in the verb's synopsis, or at the left of the options of all verbs. */
static bool verb_has_option(const struct verb *verb, const char *name)
{
    char general[32];
    size_t bytes = strlen(name);

    for (const char *at = verb->synopsis; (at = strstr(at, "--")) != NULL; at += 2)
        if (strncmp(at + 2, name, bytes) == 0 && strcspn(at + 2, " ]\n") == bytes)
            return true;
    (void)snprintf(general, sizeof general, "  --%s ", name);
    return strstr(options_text, general) != NULL;
}

/* 0, or ctl_usage. */
static int check_options(const struct ctl_arguments *arguments, const struct verb *verb)
{
    const char *name = NULL;

    while ((name = ctl_next_option(arguments, name)) != NULL)
        if (!verb_has_option(verb, name))
            return ctl_usage("%s has no option --%s; usage: %s", verb->name, name, verb->synopsis);
    return 0;
}

/* Words of the name that the words of the command line match; 0 if it is another verb. */
static size_t verb_match(const struct verb *verb, char *const *words, size_t words_count)
{
    const char *name = verb->name;

    for (size_t i = 0; i < words_count; i++) {
        size_t bytes = strlen(words[i]);
        if (strncmp(name, words[i], bytes) != 0)
            return 0;
        if (name[bytes] == '\0')
            return i + 1;
        if (name[bytes] != ' ')
            return 0;
        name += bytes + 1;
    }
    return 0;
}

static const struct verb *verb_find(char *const *words, size_t words_count,
                                    size_t *ret_verb_words_count)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        size_t matched_count = verb_match(&verbs[i], words, words_count);
        if (matched_count > 0) {
            *ret_verb_words_count = matched_count;
            return &verbs[i];
        }
    }
    return NULL;
}

static int run(const struct ctl_arguments *arguments, const struct verb *verb, char **operands)
{
    struct ctl ctl = {.arguments = arguments, .operands = operands};
    struct qn_client_options options = {.url = arguments->bus,
                                        .cluster = arguments->cluster,
                                        .traceparent = arguments->traceparent};
    struct qn_error error = {0};

    int code = check_options(arguments, verb);
    if (code == 0 && verb->check != NULL)
        code = verb->check(arguments);
    if (code != 0)
        return code;
    if (arguments->bus == NULL)
        return ctl_usage("no bus: give --bus nats://host:port or set QNODE_BUS");
    /* before there is a coordinator, or a topic to ask it through */
    if (strncmp(verb->name, "topics ", strlen("topics ")) == 0)
        return verb->run(&ctl);
    if (qn_client_open(&options, &ctl.client, &error) != QN_STATUS_OK)
        return ctl_fail(&error);
    code = verb->run(&ctl);
    qn_client_close(ctl.client);
    return code;
}

static int dispatch(const struct ctl_arguments *arguments)
{
    char **words = arguments->words;
    size_t words_count = arguments->words_count, verb_words_count = 0;
    bool help = arguments->help;

    if (words_count > 0 && strcmp(words[0], "help") == 0) {
        help = true;
        words++;
        words_count--;
    }
    const struct verb *verb = verb_find(words, words_count, &verb_words_count);
    if (verb == NULL && help) {
        if (words_count != 1 || !print_group_help(words[0]))
            print_help();
        return 0;
    }
    if (words_count == 0)
        return ctl_usage("a verb is missing");
    if (verb == NULL && strcmp(words[0], "collections") == 0)
        return ctl_usage("collections wants list, load or release");
    if (verb == NULL && strcmp(words[0], "topics") == 0)
        return ctl_usage("topics wants create or list");
    if (verb == NULL)
        return ctl_usage("no such verb: %s", words[0]);
    if (help) {
        print_verb_help(verb);
        return 0;
    }
    if (words_count - verb_words_count < verb->operands_count)
        return ctl_usage("%s: an argument is missing; usage: %s", verb->name, verb->synopsis);
    if (words_count - verb_words_count > verb->operands_count)
        return ctl_usage("%s: %s is one argument too many", verb->name,
                         words[verb_words_count + verb->operands_count]);
    return run(arguments, verb, words + verb_words_count);
}

int main(int argc, char **argv)
{
    struct ctl_arguments arguments;

    standard_files_open();
    int code =
        ctl_parse(argc, argv, &arguments) ? dispatch(&arguments) : ctl_usage("bad arguments");
    ctl_arguments_done(&arguments);
    return standard_files_end("qnodectl", code);
}
