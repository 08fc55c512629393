/* SPDX-License-Identifier: Apache-2.0
 * Nothing is judged before all pieces are in: the checksum of a section comes before the values in
 * it, and the first section in the file before the next, so the verdict does not depend on which
 * thread was faster. */
#include "segstore/pieces.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "segstore/bytes.h"
#include "segstore/half.h"
#include "segstore/rows.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

static bool is_covered(const struct pieces *pieces, uint32_t section)
{
    return !pieces->resident_only ||
           (pieces->header.sections[section].flags & FORMAT_SECTION_RESIDENT) != 0;
}

enum qn_status pieces_init(struct pieces *pieces, const struct format_header *header,
                           bool resident_only, struct qn_error *error)
{
    uint64_t count = 0;

    memset(pieces, 0, sizeof *pieces);
    pieces->header = *header;
    pieces->resident_only = resident_only;
    atomic_init(&pieces->nonfinite_first, UINT64_MAX);
    for (uint32_t i = 0; i < header->sections_count; i++) {
        uint64_t bytes = format_padded(header->sections[i].bytes);
        pieces->section_first[i] = count;
        if (is_covered(pieces, i))
            count += (bytes + FORMAT_PIECE_BYTES - 1) / FORMAT_PIECE_BYTES;
    }
    pieces->section_first[header->sections_count] = count;
    pieces->count = count;
    pieces->hashes = calloc(count > 0 ? count : 1, sizeof *pieces->hashes);
    if (pieces->hashes == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory for %" PRIu64 " checksums",
                         count);
    return QN_STATUS_OK;
}

void pieces_done(struct pieces *pieces)
{
    free(pieces->hashes);
    pieces->hashes = NULL;
}

struct piece pieces_at(const struct pieces *pieces, uint64_t number)
{
    const struct format_section *sections = pieces->header.sections;
    struct piece piece = {0};

    CHECK(number < pieces->count);
    while (number >= pieces->section_first[piece.section + 1]) {
        if (sections[piece.section].flags & FORMAT_SECTION_RESIDENT)
            piece.memory_offset += format_padded(sections[piece.section].bytes);
        piece.section++;
    }
    uint64_t start = (number - pieces->section_first[piece.section]) * FORMAT_PIECE_BYTES;
    uint64_t rest = format_padded(sections[piece.section].bytes) - start;
    piece.file_offset = sections[piece.section].offset + start;
    piece.memory_offset += start;
    piece.bytes = (size_t)(rest < FORMAT_PIECE_BYTES ? rest : FORMAT_PIECE_BYTES);
    return piece;
}

static void note_nonfinite(struct pieces *pieces, uint64_t value)
{
    uint64_t first = atomic_load(&pieces->nonfinite_first);

    while (value < first &&
           !atomic_compare_exchange_weak(&pieces->nonfinite_first, &first, value)) {
    }
}

void pieces_check(struct pieces *pieces, uint64_t number, const void *bytes)
{
    struct piece piece = pieces_at(pieces, number);
    const struct format_section *section = &pieces->header.sections[piece.section];
    const bool is_half = section->kind == FORMAT_KIND_ROWS16;
    const size_t value_bytes = is_half ? sizeof(uint16_t) : sizeof(float);
    const size_t count = piece.bytes / value_bytes;

    pieces->hashes[number] = hash64(bytes, piece.bytes);
    if (section->kind != format_values_kind(&pieces->header))
        return;
    size_t first =
        is_half ? half_first_nonfinite(bytes, count) : rows_first_nonfinite(bytes, count);
    if (first < count)
        note_nonfinite(pieces, (piece.file_offset - section->offset) / value_bytes + first);
}

static uint64_t section_checksum(const struct pieces *pieces, uint32_t section)
{
    uint64_t first = pieces->section_first[section];
    uint64_t count = pieces->section_first[section + 1] - first;

    /* The array is little-endian, as this host is (bytes.h). */
    return hash64(pieces->hashes + first, count * sizeof(uint64_t));
}

static enum qn_status check_finite(const struct pieces *pieces, struct qn_error *error)
{
    uint64_t value = atomic_load(&pieces->nonfinite_first);
    uint32_t dim = pieces->header.facts.dim;
    uint64_t block_floats = (uint64_t)dim * LIMIT_BLOCK_ROWS;
    enum format_kind kind = format_values_kind(&pieces->header);

    if (value == UINT64_MAX)
        return QN_STATUS_OK;
    if (kind != FORMAT_KIND_VECTORS)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section %s: row %" PRIu64 ": value %" PRIu64 " is not finite",
                         format_kind_name(kind), value / dim, value % dim);
    return error_set(error, QN_STATUS_CORRUPT,
                     "section vectors: row %" PRIu64 ": value %" PRIu64 " is not finite",
                     value / block_floats * LIMIT_BLOCK_ROWS + value % LIMIT_BLOCK_ROWS,
                     value % block_floats / LIMIT_BLOCK_ROWS);
}

enum qn_status pieces_finish(const struct pieces *pieces, struct qn_error *error)
{
    for (uint32_t i = 0; i < pieces->header.sections_count; i++) {
        const struct format_section *section = &pieces->header.sections[i];
        if (!is_covered(pieces, i))
            continue;
        uint64_t checksum = section_checksum(pieces, i);
        if (checksum != section->checksum)
            return error_set(error, QN_STATUS_CORRUPT,
                             "section %s: checksum %016" PRIx64 ", the header says %016" PRIx64,
                             format_kind_name(section->kind), checksum, section->checksum);
    }
    return check_finite(pieces, error);
}
