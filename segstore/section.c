/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/section.h"

#include "base/error.h"
#include "segstore/bytes.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <stdlib.h>

uint64_t section_round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

void section_lay_out(const uint64_t bytes[], size_t count, uint64_t ret_offsets[])
{
    ret_offsets[0] = SECTION_HEADER_BYTES;
    for (size_t i = 0; i < count; i++)
        ret_offsets[i + 1] = ret_offsets[i] + section_round_up(bytes[i], SECTION_ALIGNMENT);
}

enum qn_status section_check_floats(const char *name, const float *values, size_t count,
                                    struct qn_error *error)
{
    size_t first = rows_first_nonfinite(values, count);

    if (first == count)
        return QN_STATUS_OK;
    return error_set(error, QN_STATUS_CORRUPT, "section index: %s: value %zu is not finite", name,
                     first);
}

enum qn_status section_check_bytes(const uint8_t *header, uint64_t bytes, uint64_t shape_bytes,
                                   struct qn_error *error)
{
    if (shape_bytes == bytes && bytes_get_u64(header + SECTION_AT_BYTES) == bytes)
        return QN_STATUS_OK;
    return error_set(error, QN_STATUS_CORRUPT,
                     "section index: %" PRIu64 " bytes, its shape says %" PRIu64, bytes,
                     shape_bytes);
}

void section_built_done(struct section_built *built)
{
    free(built->order);
    free(built->section);
    *built = (struct section_built){.order = NULL};
}
