/* SPDX-License-Identifier: Apache-2.0
 * Options, errors and progress of qseg. */
#include "segstore/qseg.h"

#include "base/clock.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int qseg_fail(const struct qn_error *error)
{
    (void)fprintf(stderr, "qseg: %s\n", error->text);
    return qn_status_exit_code(error->status);
}

int qseg_usage(const char *verb, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "qseg %s: ", verb);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "; see qseg %s --help\n", verb);
    return 2;
}

bool qseg_metric(const char *verb, const char *name, enum qn_metric *ret_metric, int *ret_exit_code)
{
    enum qn_metric metric = name == NULL ? QN_METRIC_UNSPECIFIED : qn_metric_from_name(name);

    if (metric == QN_METRIC_UNSPECIFIED) {
        *ret_exit_code = name == NULL ? qseg_usage(verb, "--metric is missing")
                                      : qseg_usage(verb, "--metric %s: l2, ip or cosine", name);
        return false;
    }
    *ret_metric = metric;
    return true;
}

static void show_help(const char *verb, const struct qseg_arguments *arguments)
{
    (void)printf("usage: qseg %s %s\n\n", verb, arguments->synopsis);
    for (size_t i = 0; i < arguments->options_count; i++) {
        const struct qseg_option *option = &arguments->options[i];
        (void)printf("  %-22s %s\n", option->name, option->help);
    }
    (void)printf("\nexamples:\n%s", arguments->examples);
}

static const struct qseg_option *find_option(const struct qseg_arguments *arguments,
                                             const char *text, size_t length)
{
    for (size_t i = 0; i < arguments->options_count; i++) {
        const char *name = arguments->options[i].name;
        if (strlen(name) == length && strncmp(name, text, length) == 0)
            return &arguments->options[i];
    }
    return NULL;
}

static bool store_value(const struct qseg_option *option, const char *value)
{
    char *end = NULL;

    errno = 0;
    if (option->kind == QSEG_TEXT)
        *(const char **)option->target = value;
    else if (option->kind == QSEG_COUNT)
        *(uint64_t *)option->target = strtoull(value, &end, 10);
    else if (option->kind == QSEG_SHARE)
        *(double *)option->target = strtod(value, &end);
    else
        *(int64_t *)option->target = strtoll(value, &end, 10);
    if (option->kind == QSEG_TEXT)
        return true;
    if (option->kind == QSEG_COUNT && strchr(value, '-') != NULL)
        return false;
    if (option->kind == QSEG_SHARE &&
        !(*(double *)option->target >= 0 && *(double *)option->target <= 1))
        return false;
    return errno == 0 && end != value && *end == '\0';
}

/* Takes argv[*at] and, if the option wants one, its value; 0, or the exit code. */
static int take_option(int argc, char **argv, const struct qseg_arguments *arguments, int *at)
{
    const char *text = argv[*at];
    const char *equals = strchr(text, '=');
    size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
    const struct qseg_option *option = find_option(arguments, text, length);
    const char *value = equals != NULL ? equals + 1 : NULL;

    if (option == NULL)
        return qseg_usage(argv[0], "%s: no such option", text);
    if (option->kind == QSEG_FLAG) {
        *(bool *)option->target = true;
        return value == NULL ? 0 : qseg_usage(argv[0], "%s takes no value", option->name);
    }
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL)
        return qseg_usage(argv[0], "%s wants a value", option->name);
    if (!store_value(option, value))
        return qseg_usage(argv[0], "%s %s: a number%s is wanted", option->name, value,
                          option->kind == QSEG_SHARE ? " from 0 to 1" : "");
    return 0;
}

/* "-o json" is "--json", "-o table" its absence; 0, or the exit code. */
static int take_output(int argc, char **argv, const struct qseg_arguments *arguments, int *at)
{
    const struct qseg_option *json = find_option(arguments, "--json", strlen("--json"));
    const char *value = *at + 1 < argc ? argv[++*at] : "";

    if (json == NULL || (strcmp(value, "json") != 0 && strcmp(value, "table") != 0))
        return qseg_usage(argv[0], json == NULL ? "-o: no such option" : "-o: json or table");
    *(bool *)json->target = strcmp(value, "json") == 0;
    return 0;
}

bool qseg_parse(int argc, char **argv, struct qseg_arguments *arguments, int *ret_exit_code)
{
    *ret_exit_code = 0;
    arguments->files = argv + 1; /* moved together in place */
    arguments->files_count = 0;
    for (int at = 1; at < argc && *ret_exit_code == 0; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            show_help(argv[0], arguments);
            return false;
        }
        if (strcmp(argv[at], "-o") == 0)
            *ret_exit_code = take_output(argc, argv, arguments, &at);
        else if (argv[at][0] == '-' && argv[at][1] != '\0')
            *ret_exit_code = take_option(argc, argv, arguments, &at);
        else
            arguments->files[arguments->files_count++] = argv[at];
    }
    return *ret_exit_code == 0;
}

struct qseg_progress qseg_progress_start(const char *what, uint64_t total)
{
    return (struct qseg_progress){
        .what = what, .total = total, .on_terminal = isatty(STDERR_FILENO) == 1};
}

void qseg_progress_tell(struct qseg_progress *progress, uint64_t done)
{
    struct clock clock = clock_monotonic();

    if (!progress->on_terminal)
        return;
    uint64_t now_us = clock_now_us(&clock);
    if (done == progress->total && progress->shown)
        (void)fputs("\r\033[K", stderr);
    if (done == progress->total)
        return;
    if (progress->told_us == 0) /* short work shows nothing */
        progress->told_us = progress->started_us = now_us;
    if (now_us - progress->told_us < 250000)
        return;
    progress->told_us = now_us;
    progress->shown = true;
    double seconds = (double)(now_us - progress->started_us) / 1e6;
    (void)fprintf(stderr, "\r\033[K%s: %3.0f %%, %.0f s left", progress->what,
                  100.0 * (double)done / (double)progress->total,
                  done > 0 ? seconds * (double)(progress->total - done) / (double)done : 0);
}

static void tell_phase(void *owner, const char *what, uint64_t done, uint64_t total)
{
    struct qseg_progress *progress = owner;

    if (strcmp(what, progress->what) != 0) {
        qseg_progress_tell(progress, progress->total);
        *progress = qseg_progress_start(what, total);
    }
    qseg_progress_tell(progress, done);
}

struct progress qseg_progress_phases(struct qseg_progress *progress)
{
    return (struct progress){.tell = tell_phase, .owner = progress};
}
