/* SPDX-License-Identifier: Apache-2.0
 * qnode-sweep: fails the n-th call, for n = 1, 2, 3 ... until the operation makes no n-th call;
 * each n once alone and once with all calls after it. */
#include "base/check.h"
#include "tests/sim/sweep/case.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LABELS_MAX = 32, CALLS_MAX = 100000, LINE_COLUMNS = 80, INDENT_COLUMNS = 47 };

static const struct operation *const operations[] = {
    &agent_start,       &agent_load,       &agent_command,       &agent_search, &agent_release,
    &agent_restart,     &client_open,      &client_search,       &client_call,  &client_feed,
    &coordinator_start, &coordinator_load, &coordinator_handoff,
};

struct row {
    uint64_t once_count, sticky_count, leaks_count, failed_count;
    struct {
        char text[sizeof((struct operation_end *)0)->label];
        uint64_t count;
    } labels[LABELS_MAX];
    size_t labels_count;
};

struct options {
    const char *operation, *class;
    uint64_t at; /* 0: all */
};

static const char usage[] =
    "usage: tests/sim/run --sweep [--operation NAME] [--class NAME] [--at N]\n"
    "\n"
    "Fails the n-th call of a class (malloc, map, open, read, write, publish,\n"
    "subscribe, commit) while agent, client or coordinator do something, for\n"
    "n = 1, 2, 3 ... until the operation makes no n-th call. A line of the table\n"
    "says how many n were tried (alone + with all calls after it), how many cases\n"
    "leaked, and how they ended.\n"
    "\n"
    "  --operation NAME   only those whose name holds NAME, as \"agent load\"\n"
    "  --class NAME       only this class\n"
    "  --at N             only the N-th call\n"
    "  --help\n";

/* For on_end, which has no other way to them. */
static struct {
    char text[96];
    struct scene scene;
} running;

/* A CHECK failed in this process, or somebody has seen enough. */
static void on_end(int number)
{
    (void)number;
    (void)!write(STDOUT_FILENO, running.text, strlen(running.text));
    scene_close(&running.scene);
    _exit(1);
}

static void tally(struct row *row, const struct operation_end *end)
{
    size_t at = 0;

    while (at < row->labels_count && strcmp(row->labels[at].text, end->label) != 0)
        at++;
    CHECK(at < LABELS_MAX);
    if (at == row->labels_count)
        memcpy(row->labels[row->labels_count++].text, end->label, sizeof end->label);
    row->labels[at].count++;
}

/* False: the call was not made. */
static bool sweep_one(const struct scene *scene, const struct operation *operation,
                      const struct fault_plan *plan, struct row *row)
{
    struct case_result result;

    (void)snprintf(running.text, sizeof running.text, "FAILED %s, %s %llu%s: the process ended\n",
                   operation->name, fault_class_name(plan->class), (unsigned long long)plan->at,
                   plan->is_sticky ? " and after" : "");
    case_run(scene, operation, plan, &result);
    if (!result.has_fired && result.end.problem[0] == '\0')
        return false;
    *(plan->is_sticky ? &row->sticky_count : &row->once_count) += 1;
    row->leaks_count += result.has_leaked;
    tally(row, &result.end);
    if (result.end.problem[0] == '\0')
        return result.has_fired;
    row->failed_count++;
    (void)printf("FAILED %s, %s %llu%s: %s\n", operation->name, fault_class_name(plan->class),
                 (unsigned long long)plan->at, plan->is_sticky ? " and after" : "",
                 result.end.problem);
    return result.has_fired;
}

static void sweep_mode(const struct scene *scene, const struct operation *operation,
                       struct fault_plan plan, const struct options *options, struct row *row)
{
    uint64_t first = options->at == 0 ? 1 : options->at;
    uint64_t last = options->at == 0 ? CALLS_MAX : options->at;

    for (plan.at = first; plan.at <= last; plan.at++)
        if (!sweep_one(scene, operation, &plan, row))
            return;
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void print_row(const struct operation *operation, enum fault_class class, struct row *row)
{
    int column =
        printf("%-19s  %-9s  %4llu+%-4llu %5llu ", operation->name, fault_class_name(class),
               (unsigned long long)row->once_count, (unsigned long long)row->sticky_count,
               (unsigned long long)row->leaks_count);

    qsort(row->labels, row->labels_count, sizeof row->labels[0], compare_labels);
    for (size_t i = 0; i < row->labels_count; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "%s %llu%s", row->labels[i].text,
                              (unsigned long long)row->labels[i].count,
                              i + 1 < row->labels_count ? "," : "");
        if (column + 1 + length > LINE_COLUMNS)
            column = printf("\n%*s", INDENT_COLUMNS, "") - 1;
        column += printf(" %s", text);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

static bool is_asked(const struct options *options, const struct operation *operation,
                     enum fault_class class)
{
    return operation->classes >> class & 1 &&
           (options->operation == NULL || strstr(operation->name, options->operation) != NULL) &&
           (options->class == NULL || strcmp(options->class, fault_class_name(class)) == 0);
}

static int sweep(const struct scene *scene, const struct options *options)
{
    uint64_t passed_count = 0, failed_count = 0;

    (void)printf("%-19s  %-9s  %-9s %5s  how it ended\n", "operation", "calls", "n tried", "leaks");
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        for (int class = 0; class < FAULT_CLASSES; class ++) {
            struct row row = {0};
            struct fault_plan plan = {(enum fault_class) class, operations[i]->party, 1, false};
            if (!is_asked(options, operations[i], plan.class))
                continue;
            sweep_mode(scene, operations[i], plan, options, &row);
            plan.is_sticky = true;
            sweep_mode(scene, operations[i], plan, options, &row);
            if (row.once_count == 0 && options->at == 0) {
                (void)printf("FAILED %s makes no call of this class: %s\n", operations[i]->name,
                             fault_class_name(plan.class));
                row.once_count = row.failed_count = 1;
            }
            print_row(operations[i], plan.class, &row);
            passed_count += row.once_count + row.sticky_count - row.failed_count;
            failed_count += row.failed_count;
        }
    (void)printf("%llu passed, %llu failed\n", (unsigned long long)passed_count,
                 (unsigned long long)failed_count);
    return failed_count > 0 || passed_count == 0;
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"operation", required_argument, NULL, 'o'},
        {"class", required_argument, NULL, 'c'},
        {"at", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'o')
            options->operation = optarg;
        else if (option == 'c')
            options->class = optarg;
        else if (option == 'n')
            options->at = strtoull(optarg, NULL, 10);
        else if (option == 'h')
            exit(fputs(usage, stdout) < 0);
        else
            return false;
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    static const int ends[] = {SIGABRT, SIGINT, SIGPIPE, SIGTERM};

    if (!parse(argc, argv, &options)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    scene_open(&running.scene);
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        (void)signal(ends[i], on_end);
    int code = sweep(&running.scene, &options);
    scene_close(&running.scene);
    return code;
}
