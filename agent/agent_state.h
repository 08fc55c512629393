/* SPDX-License-Identifier: Apache-2.0
 * What an agent must remember over a restart: its boot number and the highest term (C2). One small
 * text file with a checksum, replaced whole. */
#ifndef AGENT_AGENT_STATE_H
#define AGENT_AGENT_STATE_H

#include "base/files.h"
#include "base/limits.h"

struct agent_state {
    int64_t node_id;
    char cluster[LIMIT_NAME_BYTES];
    uint64_t boot, term;
};

/* state_dir/node.state. INVALID when the path is too long. */
enum qn_status agent_state_path(const char *state_dir, char ret_path[LIMIT_PATH_BYTES],
                                struct qn_error *error);
/* NOT_FOUND: a first start. CORRUPT: the error names the file and says what to do. */
enum qn_status agent_state_read(const struct files *files, const char *path,
                                struct agent_state *ret_state, struct qn_error *error);
/* Durable when it returns OK. */
enum qn_status agent_state_write(const struct files *files, const char *path,
                                 const struct agent_state *state, struct qn_error *error);

#endif
