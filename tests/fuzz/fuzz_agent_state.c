/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing node.state: any bytes are a state or an error, and a state that was read can be written
 * and read again. */
#include "agent/agent_state.h"
#include "base/check.h"
#include "base/hash.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES = 4096 };

struct one_file {
    unsigned char bytes[FILE_BYTES];
    size_t size;
};

static enum qn_status read_small(void *self, const char *path, void *ret_bytes, size_t capacity,
                                 size_t *ret_size, struct qn_error *error)
{
    const struct one_file *file = self;

    (void)path, (void)error;
    if (file->size > capacity)
        return QN_STATUS_INVALID;
    memcpy(ret_bytes, file->bytes, file->size);
    *ret_size = file->size;
    return QN_STATUS_OK;
}

static enum qn_status write_durable(void *self, const char *path, const void *bytes, size_t size,
                                    struct qn_error *error)
{
    struct one_file *file = self;

    (void)path, (void)error;
    CHECK(size <= sizeof file->bytes);
    memcpy(file->bytes, bytes, size);
    file->size = size;
    return QN_STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const uint8_t *bytes, size_t size)
{
    static const struct files_ops ops = {.read_small = read_small, .write_durable = write_durable};
    struct one_file file = {.size = size};
    struct files files = {&ops, &file};
    struct agent_state state, again;
    struct qn_error error;

    memcpy(file.bytes, bytes, size);
    if (agent_state_read(&files, "node.state", &state, &error) != QN_STATUS_OK)
        return;
    CHECK(agent_state_write(&files, "node.state", &state, &error) == QN_STATUS_OK);
    CHECK(agent_state_read(&files, "node.state", &again, &error) == QN_STATUS_OK);
    CHECK(again.boot == state.boot && again.term == state.term);
    CHECK(again.node_id == state.node_id && strcmp(again.cluster, state.cluster) == 0);
}

/* As it is, and under a checksum that holds: no mutation would find one. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t sealed[FILE_BYTES];
    char seal[32];

    if (size > sizeof sealed - sizeof seal)
        return 0;
    check(bytes, size);
    if (size > 0)
        memcpy(sealed, bytes, size);
    sealed[size] = '\n';
    (void)snprintf(seal, sizeof seal, "check %016" PRIx64 "\n", hash64(sealed, size + 1));
    memcpy(sealed + size + 1, seal, strlen(seal));
    check(sealed, size + 1 + strlen(seal));
    return 0;
}
