/* SPDX-License-Identifier: Apache-2.0
 * Four lines of text and a fifth with the checksum (XXH3, 64 bits) of what stands above it. */
#include "agent/agent_state.h"

#include "base/error.h"
#include "base/hash.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STATE_BYTES_MAX = 512, STATE_FORMAT = 1 };

#define CHECK_LINE "check "

enum qn_status agent_state_path(const char *state_dir, char ret_path[LIMIT_PATH_BYTES],
                                struct qn_error *error)
{
    int length = snprintf(ret_path, LIMIT_PATH_BYTES, "%s/node.state", state_dir);

    if (length < 0 || length >= LIMIT_PATH_BYTES)
        return error_set(error, QN_STATUS_INVALID, "state directory: path too long: %.100s",
                         state_dir);
    return QN_STATUS_OK;
}

/* The body without its checksum line; 0 when it does not fit. */
static size_t state_body(const struct agent_state *state, char *ret_text, size_t capacity)
{
    int length = snprintf(ret_text, capacity,
                          "qnode-node-state %d\n"
                          "node %" PRId64 " cluster %s\n"
                          "boot %" PRIu64 "\n"
                          "term %" PRIu64 "\n",
                          STATE_FORMAT, state->node_id, state->cluster, state->boot, state->term);

    return length > 0 && (size_t)length < capacity ? (size_t)length : 0;
}

static bool checksum_holds(const char *text, const char *check_line)
{
    uint64_t stated;

    return sscanf(check_line, CHECK_LINE "%16" SCNx64, &stated) == 1 &&
           stated == hash64(text, (size_t)(check_line - text));
}

static bool state_parse(const char *text, struct agent_state *ret_state)
{
    const char *check_line = strstr(text, "\n" CHECK_LINE);
    struct agent_state state = {0};
    int format;

    if (check_line == NULL || !checksum_holds(text, check_line + 1))
        return false;
    if (sscanf(text,
               "qnode-node-state %d\nnode %" SCNd64 " cluster %127s\nboot %" SCNu64
               "\nterm %" SCNu64 "\n",
               &format, &state.node_id, state.cluster, &state.boot, &state.term) != 5 ||
        format != STATE_FORMAT)
        return false;
    *ret_state = state;
    return true;
}

enum qn_status agent_state_read(const struct files *files, const char *path,
                                struct agent_state *ret_state, struct qn_error *error)
{
    char text[STATE_BYTES_MAX + 1];
    size_t size = 0;
    enum qn_status status =
        files->ops->read_small(files->self, path, text, STATE_BYTES_MAX, &size, error);

    if (status == QN_STATUS_NOT_FOUND || status == QN_STATUS_IO || status == QN_STATUS_NO_MEMORY)
        return status;
    text[status == QN_STATUS_OK ? size : 0] = '\0';
    if (status != QN_STATUS_OK || strlen(text) != size || !state_parse(text, ret_state))
        return error_set(error, QN_STATUS_CORRUPT,
                         "%s: damaged; restore it, or delete it and give this node a new id", path);
    return QN_STATUS_OK;
}

enum qn_status agent_state_write(const struct files *files, const char *path,
                                 const struct agent_state *state, struct qn_error *error)
{
    char text[STATE_BYTES_MAX];
    size_t size = state_body(state, text, sizeof text - 32);

    if (size == 0)
        return error_set(error, QN_STATUS_INVALID, "%s: cluster name too long", path);
    size += (size_t)snprintf(text + size, sizeof text - size, CHECK_LINE "%016" PRIx64 "\n",
                             hash64(text, size));
    return files->ops->write_durable(files->self, path, text, size, error);
}
