/* SPDX-License-Identifier: Apache-2.0
 * qseg: what its verbs share. Options are a table per verb; from it come parsing and help. */
#ifndef SEGSTORE_QSEG_H
#define SEGSTORE_QSEG_H

#include "base/doc.h"
#include "segstore/format.h"
#include "segstore/progress.h"

enum qseg_kind {
    QSEG_TEXT,  /* const char * */
    QSEG_COUNT, /* uint64_t */
    QSEG_ID,    /* int64_t */
    QSEG_FLAG,  /* bool, no value */
    QSEG_SHARE, /* double, from 0 to 1 */
};

struct qseg_option {
    const char *name; /* "--rows" */
    enum qseg_kind kind;
    void *target;
    const char *help;
};

struct qseg_verb {
    const char *name, *purpose;
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit code */
};

/* What a verb is called with. files: what is not an option. */
struct qseg_arguments {
    const char *synopsis, *examples;
    const struct qseg_option *options;
    size_t options_count;
    char **files;
    size_t files_count;
};

/* False: the program ends with *ret_exit_code (help was shown, or the usage was wrong and told). */
bool qseg_parse(int argc, char **argv, struct qseg_arguments *arguments, int *ret_exit_code);
/* Tells the error on stderr; returns its exit code. */
int qseg_fail(const struct qn_error *error);
/* Tells wrong usage on stderr; returns 2. */
int qseg_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Progress on stderr, at most 4 times a second, if it is a terminal: the share that is done and the
 * time that is left. */
struct qseg_progress {
    const char *what;
    uint64_t total, started_us, told_us;
    bool on_terminal, shown;
};

struct qseg_progress qseg_progress_start(const char *what, uint64_t total);
/* Call with done == total last. */
void qseg_progress_tell(struct qseg_progress *progress, uint64_t done);
/* The same for work of several phases. */
struct progress qseg_progress_phases(struct qseg_progress *progress);

/* Metric by name, or a usage error (*ret_exit_code 2). */
bool qseg_metric(const char *verb, const char *name, enum qn_metric *ret_metric,
                 int *ret_exit_code);
/* A file's header as people and programs read it. */
struct doc *qseg_header_doc(const char *path, const struct format_header *header);

int qseg_generate(int argc, char **argv);
int qseg_build(int argc, char **argv);
int qseg_inspect(int argc, char **argv);
int qseg_verify(int argc, char **argv);
int qseg_truth(int argc, char **argv);
int qseg_search(int argc, char **argv);

#endif
