/* SPDX-License-Identifier: Apache-2.0
 * What qnoded is told: by flags, else by a file of `key = value` lines with the same names, else by
 * the environment (QNODE_BUS, QNODE_CLUSTER), else defaults. */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include "base/limits.h"
#include "base/log.h"
#include "qnode/types.h"

enum {
    CONFIG_WORKERS_MAX = 256,
    CONFIG_LOADERS_MAX = 64,
    CONFIG_RELEASE_GRACE_MS_MAX = 600000,
};

struct config {
    int64_t node_id; /* 0: not given */
    char bus[LIMIT_PATH_BYTES];
    char cluster[LIMIT_NAME_BYTES];
    char state_dir[LIMIT_PATH_BYTES];
    uint64_t memory_budget_bytes; /* 0: what the host gives */
    unsigned workers;             /* per NUMA node; 0: its cores */
    unsigned loaders;             /* 0: default */
    uint64_t release_grace_ms;
    enum log_level log_level;
    bool check_only;
};

enum config_wish { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION };

/* Every bad value is named with where it stands. QN_STATUS_INVALID: the command line (exit 2),
 * QN_STATUS_CONFIG: the file, or something required is nowhere (exit 78). */
enum qn_status config_read(int argc, char **argv, struct config *ret_config,
                           enum config_wish *ret_wish, struct qn_error *error);
void config_print_help(void);

#endif
