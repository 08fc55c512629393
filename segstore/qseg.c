/* SPDX-License-Identifier: Apache-2.0
 * qseg: makes, inspects, checks and searches segment files. */
#include "segstore/qseg.h"

#include "base/check.h"
#include "base/standard_files.h"
#include "segstore/kernels/kernels.h"
#include <stdio.h>
#include <string.h>

static const struct qseg_verb verbs[] = {
    {"generate", "make a synthetic vector file", qseg_generate},
    {"build", "turn vectors into a segment file, or into a collection", qseg_build},
    {"inspect", "show what segment files say of themselves", qseg_inspect},
    {"verify", "check every byte of segment files", qseg_verify},
    {"truth", "compute the exact nearest neighbours of queries", qseg_truth},
    {"search", "search segment files in this process, and measure it", qseg_search},
};

static void show_help(FILE *out)
{
    (void)fputs("usage: qseg VERB [OPTION]... [FILE]...\n\nverbs:\n", out);
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        (void)fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].purpose);
    (void)fputs("\nqseg VERB --help tells options and examples.\nEnvironment: QNODE_KERNELS="
                "scalar|avx2|avx512.\nExit codes: 0 ok, 1 failed, 2 usage, 75 try again, "
                "78 bad configuration.\n",
                out);
}

static int run(int argc, char **argv)
{
    struct qn_error error = {0};

    if (argc < 2) {
        show_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        show_help(stdout);
        return 0;
    }
    if (kernels_choose(NULL, &error) != QN_STATUS_OK)
        return qseg_fail(&error);
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    (void)fprintf(stderr, "qseg: %s: no such verb; see qseg --help\n", argv[1]);
    return 2;
}

int main(int argc, char **argv)
{
    standard_files_open();
    return standard_files_end("qseg", run(argc, argv));
}
