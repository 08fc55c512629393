/* SPDX-License-Identifier: Apache-2.0
 * qnode-words: makes vectors of a word list, and finds the words nearest to misspelt ones. */
#include "base/check.h"
#include "base/error.h"
#include "bench/ngram.h"
#include "bench/wordlist.h"
#include "qnode/search.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "usage: qnode-words embed --words FILE --out F.fbin\n"
    "       qnode-words search --words FILE --collection ID [--k K] WORD...\n"
    "                          [--bus URL] [--cluster NAME]\n"
    "\n"
    "embed   writes one 128-d vector of hashed character n-grams per line of FILE;\n"
    "        the primary key of a word is its line number, from 0. Index as cosine.\n"
    "search  asks the query nodes and prints: WORD -> the K nearest words\n"
    "\n"
    "  --bus URL       nats://host:port (default: $QNODE_BUS)\n"
    "  --cluster NAME  default: $QNODE_CLUSTER, else \"default\"\n"
    "  --collection ID number of the collection\n"
    "  --k K           words per answer (default 3)\n"
    "\n"
    "example:\n"
    "  qnode-words embed --words /usr/share/dict/american-english --out words.fbin\n"
    "  qnode-words search --words /usr/share/dict/american-english --collection 1 \\\n"
    "      resturant recieve\n";

struct words_options {
    const char *words, *out, *bus, *cluster;
    int64_t collection_id;
    uint32_t k;
    char **queries;
    uint32_t queries_count;
};

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

static bool parse_option(int letter, struct words_options *options)
{
    int64_t number = 0;

    switch (letter) {
    case 'w':
        options->words = optarg;
        return true;
    case 'o':
        options->out = optarg;
        return true;
    case 'b':
        options->bus = optarg;
        return true;
    case 'n':
        options->cluster = optarg;
        return true;
    case 'c':
        return parse_number(optarg, 1, INT64_MAX, &options->collection_id);
    case 'k':
        if (!parse_number(optarg, 1, 1000, &number))
            return false;
        options->k = (uint32_t)number;
        return true;
    default:
        return false;
    }
}

/* argv[0] is the verb. */
static bool parse(int argc, char **argv, struct words_options *ret_options)
{
    static const struct option names[] = {
        {"words", required_argument, NULL, 'w'},
        {"out", required_argument, NULL, 'o'},
        {"bus", required_argument, NULL, 'b'},
        {"cluster", required_argument, NULL, 'n'},
        {"collection", required_argument, NULL, 'c'},
        {"k", required_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    struct words_options options = {
        .k = 3, .bus = getenv("QNODE_BUS"), .cluster = getenv("QNODE_CLUSTER")};
    int letter, index = 0;

    while ((letter = getopt_long(argc, argv, "", names, &index)) >= 0)
        if (!parse_option(letter, &options)) {
            if (letter != '?')
                (void)fprintf(stderr, "qnode-words: %s is no value for --%s\n", optarg,
                              names[index].name);
            return false;
        }
    if (options.cluster == NULL || *options.cluster == '\0')
        options.cluster = "default";
    options.queries = argv + optind;
    options.queries_count = (uint32_t)(argc - optind);
    *ret_options = options;
    return true;
}

static int usage(const char *complaint)
{
    (void)fprintf(stderr, "qnode-words: %s\n\n%s", complaint, usage_text);
    return 2;
}

static int fail(const struct qn_error *error)
{
    (void)fprintf(stderr, "qnode-words: %s\n", error->text);
    return qn_status_exit_code(error->status);
}

static int run_embed(const struct words_options *options)
{
    struct wordlist list;
    struct fbin fbin;
    struct qn_error error = {0};

    if (options->words == NULL || options->out == NULL || options->queries_count != 0)
        return usage("embed needs --words and --out, nothing else");
    if (wordlist_read(options->words, &list, &error) != QN_STATUS_OK)
        return fail(&error);
    if (wordlist_embed(&list, &fbin, &error) == QN_STATUS_OK) {
        if (fbin_write(options->out, &fbin, &error) == QN_STATUS_OK)
            printf("%u words, dimension %u: %s\n", fbin.rows_count, fbin.dim, options->out);
        fbin_done(&fbin);
    }
    wordlist_done(&list);
    return error.status == QN_STATUS_OK ? 0 : fail(&error);
}

static void print_answers(const struct words_options *options, const struct wordlist *list,
                          const struct qn_search_result *result)
{
    for (uint32_t q = 0; q < result->nq; q++) {
        printf("%s ->", options->queries[q]);
        for (uint32_t i = 0; i < result->hit_counts[q]; i++) {
            int64_t key = result->hits[(size_t)q * result->k + i].primary_key;
            bool known = key >= 0 && key < list->count;
            printf(" %s", known ? list->words[key] : "(not in this list)");
        }
        printf("\n");
    }
    if (result->verdict != QN_VERDICT_COMPLETE)
        (void)fprintf(stderr,
                      "qnode-words: the answer is %s: %zu of %u segments missing (see qnodectl "
                      "segments)\n",
                      qn_verdict_name(result->verdict), result->missing_count,
                      result->segments_count);
}

static int search_with(struct qn_client *client, const struct words_options *options,
                       const struct wordlist *list, const float *vectors)
{
    struct qn_search_request request = {.collection_id = options->collection_id,
                                        .queries = vectors,
                                        .nq = options->queries_count,
                                        .dim = NGRAM_DIM,
                                        .k = options->k};
    struct qn_search_result result;
    struct qn_error error = {0};

    if (qn_search(client, &request, &result, &error) != QN_STATUS_OK)
        return fail(&error);
    print_answers(options, list, &result);
    int code = result.verdict == QN_VERDICT_COMPLETE ? 0 : 1;
    qn_search_result_done(&result);
    return code;
}

static int search_words(const struct words_options *options, const struct wordlist *list)
{
    struct wordlist asked = {.words = options->queries, .count = options->queries_count};
    struct qn_client_options client_options = {.url = options->bus, .cluster = options->cluster};
    struct qn_client *client = NULL;
    struct fbin vectors;
    struct qn_error error = {0};

    if (wordlist_embed(&asked, &vectors, &error) != QN_STATUS_OK)
        return fail(&error);
    int code = 0;
    if (qn_client_open(&client_options, &client, &error) != QN_STATUS_OK)
        code = fail(&error);
    else
        code = search_with(client, options, list, vectors.values);
    qn_client_close(client);
    fbin_done(&vectors);
    return code;
}

static int run_search(const struct words_options *options)
{
    struct wordlist list;
    struct qn_error error = {0};

    if (options->words == NULL || options->collection_id == 0 || options->queries_count == 0)
        return usage("search needs --words, --collection and at least one WORD");
    if (options->bus == NULL || *options->bus == '\0')
        return usage("no bus: give --bus nats://host:port or set QNODE_BUS");
    if (wordlist_read(options->words, &list, &error) != QN_STATUS_OK)
        return fail(&error);
    int code = search_words(options, &list);
    wordlist_done(&list);
    return code;
}

int main(int argc, char **argv)
{
    struct words_options options;

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(usage_text, stdout);
            return 0;
        }
    if (argc < 2)
        return usage("a verb is missing");
    if (!parse(argc - 1, argv + 1, &options))
        return usage("bad arguments");
    if (strcmp(argv[1], "embed") == 0)
        return run_embed(&options);
    if (strcmp(argv[1], "search") == 0)
        return run_search(&options);
    return usage("the verb is neither embed nor search");
}
