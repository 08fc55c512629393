/* SPDX-License-Identifier: Apache-2.0
 * What the encoder writes the decoder checks, field by field, in the order of FORMAT.md. After
 * format_decode nobody needs to ask again whether a length or an offset makes sense: every section
 * lies inside file_bytes, follows the one before, and has the size that rows and dim demand.
 * Overflow: rows <= 2^40 and dim <= 2^15 keep every product below 2^58; a section's bytes are
 * bounded before they are added to anything. */
#include "segstore/format.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "segstore/bytes.h"
#include <inttypes.h>

enum {
    AT_VERSION = 8,
    AT_HEADER_BYTES = 12,
    AT_INCOMPATIBLE = 16,
    AT_COMPATIBLE = 20,
    AT_SEGMENT_ID = 24,
    AT_COLLECTION_ID = 32,
    AT_PARTITION_ID = 40,
    AT_ROWS = 48,
    AT_DIM = 56,
    AT_METRIC = 60,
    AT_DELETE_GENERATION = 64,
    AT_RESIDENT_BYTES = 72,
    AT_FILE_BYTES = 80,
    AT_SECTIONS_COUNT = 88,
    AT_BLOCK_ROWS = 92,
    AT_CONTENT_HASH = 96,
    AT_SECTIONS = 128,
    SECTION_BYTES = 48,
    AT_CHECKSUM = 4088,
    HASHED_FACTS_BYTES = 24,
    HASHED_SECTION_BYTES = 16,
};

static const uint8_t magic[8] = {0x89, 'Q', 'S', 'E', 'G', '\r', '\n', 0x1a};
static const uint64_t section_bytes_max = UINT64_C(1) << 58;

const char *format_kind_name(uint32_t kind)
{
    static const char *const names[] = {
        [FORMAT_KIND_PRIMARY_KEYS] = "primary_keys",
        [FORMAT_KIND_VECTORS] = "vectors",
        [FORMAT_KIND_SCALAR_COLUMNS] = "scalar_columns",
        [FORMAT_KIND_INDEX] = "index",
        [FORMAT_KIND_DELETES] = "deletes",
        [FORMAT_KIND_ROWS] = "rows",
        [FORMAT_KIND_ROWS16] = "rows16",
    };

    return kind >= 1 && kind < COUNT_OF(names) ? names[kind] : "unknown";
}

uint64_t format_padded(uint64_t bytes)
{
    return (bytes + FORMAT_PAGE_BYTES - 1) & ~(uint64_t)(FORMAT_PAGE_BYTES - 1);
}

uint64_t format_blocks(uint64_t rows_count)
{
    return (rows_count + LIMIT_BLOCK_ROWS - 1) / LIMIT_BLOCK_ROWS;
}

uint64_t format_vectors_bytes(uint64_t rows_count, uint32_t dim)
{
    return format_blocks(rows_count) * LIMIT_BLOCK_ROWS * dim * sizeof(float);
}

/* Of a section whose size follows from the facts; else 0. */
static uint64_t kind_bytes(const struct segment_facts *facts, enum format_kind kind)
{
    if (kind == FORMAT_KIND_PRIMARY_KEYS)
        return facts->rows_count * sizeof(int64_t);
    if (kind == FORMAT_KIND_VECTORS)
        return format_vectors_bytes(facts->rows_count, facts->dim);
    if (kind == FORMAT_KIND_ROWS)
        return facts->rows_count * facts->dim * sizeof(float);
    return kind == FORMAT_KIND_ROWS16 ? facts->rows_count * facts->dim * sizeof(uint16_t) : 0;
}

void format_layout(struct format_header *header, uint64_t index_bytes, uint32_t row_bits)
{
    const struct segment_facts *facts = &header->facts;
    const bool is_indexed = index_bytes > 0;
    const enum format_kind rows = row_bits == 16 ? FORMAT_KIND_ROWS16 : FORMAT_KIND_ROWS;
    struct format_section sections[] = {
        {.kind = FORMAT_KIND_PRIMARY_KEYS},
        {.kind = is_indexed ? rows : FORMAT_KIND_VECTORS},
        {.kind = FORMAT_KIND_INDEX, .bytes = index_bytes},
    };

    CHECK(row_bits == 32 || (row_bits == 16 && is_indexed));
    for (size_t i = 0; i < 2; i++)
        sections[i].bytes = kind_bytes(facts, sections[i].kind);
    header->file_bytes = FORMAT_PAGE_BYTES;
    header->sections_count = is_indexed ? 3 : 2;
    for (uint32_t i = 0; i < header->sections_count; i++) {
        header->sections[i] = sections[i];
        header->sections[i].flags = FORMAT_SECTION_RESIDENT;
        header->sections[i].offset = header->file_bytes;
        header->file_bytes += format_padded(sections[i].bytes);
    }
    header->facts.resident_bytes = header->file_bytes - FORMAT_PAGE_BYTES;
}

struct qn_hash format_content_hash(const struct format_header *header)
{
    uint8_t identity[HASHED_FACTS_BYTES + FORMAT_SECTIONS_MAX * HASHED_SECTION_BYTES] = {0};
    uint8_t *end = identity + HASHED_FACTS_BYTES;

    bytes_put_u32(identity, header->facts.dim);
    bytes_put_u32(identity + 4, (uint32_t)header->facts.metric);
    bytes_put_u64(identity + 8, header->facts.rows_count);
    bytes_put_u64(identity + 16, header->facts.delete_generation);
    for (uint32_t i = 0; i < header->sections_count; i++) {
        if (!(header->sections[i].flags & FORMAT_SECTION_RESIDENT))
            continue;
        bytes_put_u32(end, header->sections[i].kind);
        bytes_put_u64(end + 8, header->sections[i].checksum);
        end += HASHED_SECTION_BYTES;
    }
    return hash128(identity, (size_t)(end - identity));
}

void format_encode(const struct format_header *header, uint8_t *ret_page)
{
    const struct segment_facts *facts = &header->facts;

    CHECK(header->sections_count >= 2 && header->sections_count <= FORMAT_SECTIONS_MAX);
    memset(ret_page, 0, FORMAT_PAGE_BYTES);
    memcpy(ret_page, magic, sizeof magic);
    bytes_put_u32(ret_page + AT_VERSION, FORMAT_VERSION);
    bytes_put_u32(ret_page + AT_HEADER_BYTES, FORMAT_PAGE_BYTES);
    bytes_put_u32(ret_page + AT_INCOMPATIBLE, header->incompatible_flags);
    bytes_put_u32(ret_page + AT_COMPATIBLE, header->compatible_flags);
    bytes_put_u64(ret_page + AT_SEGMENT_ID, (uint64_t)facts->segment_id);
    bytes_put_u64(ret_page + AT_COLLECTION_ID, (uint64_t)facts->collection_id);
    bytes_put_u64(ret_page + AT_PARTITION_ID, (uint64_t)facts->partition_id);
    bytes_put_u64(ret_page + AT_ROWS, facts->rows_count);
    bytes_put_u32(ret_page + AT_DIM, facts->dim);
    bytes_put_u32(ret_page + AT_METRIC, (uint32_t)facts->metric);
    bytes_put_u64(ret_page + AT_DELETE_GENERATION, facts->delete_generation);
    bytes_put_u64(ret_page + AT_RESIDENT_BYTES, facts->resident_bytes);
    bytes_put_u64(ret_page + AT_FILE_BYTES, header->file_bytes);
    bytes_put_u32(ret_page + AT_SECTIONS_COUNT, header->sections_count);
    bytes_put_u32(ret_page + AT_BLOCK_ROWS, LIMIT_BLOCK_ROWS);
    memcpy(ret_page + AT_CONTENT_HASH, facts->content_hash.bytes, sizeof facts->content_hash);
    for (uint32_t i = 0; i < header->sections_count; i++) {
        uint8_t *entry = ret_page + AT_SECTIONS + i * SECTION_BYTES;
        bytes_put_u32(entry, header->sections[i].kind);
        bytes_put_u32(entry + 4, header->sections[i].flags);
        bytes_put_u64(entry + 8, header->sections[i].offset);
        bytes_put_u64(entry + 16, header->sections[i].bytes);
        bytes_put_u64(entry + 24, header->sections[i].checksum);
    }
    bytes_put_u64(ret_page + AT_CHECKSUM, hash64(ret_page, AT_CHECKSUM));
}

static enum qn_status decode_edition(const uint8_t *page, struct qn_error *error)
{
    uint64_t checksum = hash64(page, AT_CHECKSUM);
    uint64_t stated = bytes_get_u64(page + AT_CHECKSUM);

    if (memcmp(page, magic, sizeof magic) != 0)
        return error_set(error, QN_STATUS_CORRUPT, "section header: no .qseg file (magic)");
    if (checksum != stated)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section header: checksum %016" PRIx64 ", the file says %016" PRIx64,
                         checksum, stated);
    if (bytes_get_u32(page + AT_VERSION) != FORMAT_VERSION)
        return error_set(error, QN_STATUS_UNSUPPORTED,
                         "section header: format version %" PRIu32 ", this reader knows %d",
                         bytes_get_u32(page + AT_VERSION), FORMAT_VERSION);
    if (bytes_get_u32(page + AT_INCOMPATIBLE) != 0)
        return error_set(error, QN_STATUS_UNSUPPORTED,
                         "section header: unknown incompatible flags %08" PRIx32,
                         bytes_get_u32(page + AT_INCOMPATIBLE));
    if (bytes_get_u32(page + AT_HEADER_BYTES) != FORMAT_PAGE_BYTES)
        return error_set(error, QN_STATUS_CORRUPT, "section header: header bytes %" PRIu32,
                         bytes_get_u32(page + AT_HEADER_BYTES));
    return QN_STATUS_OK;
}

static enum qn_status decode_facts(const uint8_t *page, struct segment_facts *ret_facts,
                                   struct qn_error *error)
{
    uint32_t metric = bytes_get_u32(page + AT_METRIC);

    ret_facts->segment_id = (int64_t)bytes_get_u64(page + AT_SEGMENT_ID);
    ret_facts->collection_id = (int64_t)bytes_get_u64(page + AT_COLLECTION_ID);
    ret_facts->partition_id = (int64_t)bytes_get_u64(page + AT_PARTITION_ID);
    ret_facts->rows_count = bytes_get_u64(page + AT_ROWS);
    ret_facts->dim = bytes_get_u32(page + AT_DIM);
    ret_facts->delete_generation = bytes_get_u64(page + AT_DELETE_GENERATION);
    ret_facts->resident_bytes = bytes_get_u64(page + AT_RESIDENT_BYTES);
    memcpy(ret_facts->content_hash.bytes, page + AT_CONTENT_HASH, sizeof ret_facts->content_hash);
    if (metric < QN_METRIC_L2 || metric > QN_METRIC_COSINE)
        return error_set(error, QN_STATUS_UNSUPPORTED, "section header: metric %" PRIu32, metric);
    ret_facts->metric = (enum qn_metric)metric;
    if (ret_facts->dim < 1 || ret_facts->dim > LIMIT_DIM_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "section header: dim %" PRIu32, ret_facts->dim);
    if (ret_facts->rows_count > UINT64_C(1) << FORMAT_ROWS_MAX_LOG2)
        return error_set(error, QN_STATUS_CORRUPT, "section header: %" PRIu64 " rows",
                         ret_facts->rows_count);
    if (bytes_get_u32(page + AT_BLOCK_ROWS) != LIMIT_BLOCK_ROWS)
        return error_set(error, QN_STATUS_CORRUPT, "section header: %" PRIu32 " rows per block",
                         bytes_get_u32(page + AT_BLOCK_ROWS));
    return QN_STATUS_OK;
}

static bool is_values(uint32_t kind)
{
    return kind == FORMAT_KIND_VECTORS || kind == FORMAT_KIND_ROWS || kind == FORMAT_KIND_ROWS16;
}

enum format_kind format_values_kind(const struct format_header *header)
{
    uint32_t i = 0;

    while (!is_values(header->sections[i].kind))
        i++; /* format_decode saw one */
    return header->sections[i].kind;
}

uint32_t format_row_bits(const struct format_header *header)
{
    return format_values_kind(header) == FORMAT_KIND_ROWS16 ? 16 : 32;
}

/* One section by itself: its kind is known or may be skipped, its size follows from the facts. */
static enum qn_status check_section(const struct format_header *header,
                                    const struct format_section *section, struct qn_error *error)
{
    const struct segment_facts *facts = &header->facts;
    uint64_t expected_bytes = section->bytes;

    if (section->kind == FORMAT_KIND_PRIMARY_KEYS || is_values(section->kind))
        expected_bytes = kind_bytes(facts, section->kind);
    else if (section->kind == FORMAT_KIND_INDEX)
        ; /* index.h knows */
    else if (!(section->flags & FORMAT_SECTION_SKIPPABLE))
        return error_set(error, QN_STATUS_UNSUPPORTED,
                         "section header: section kind %" PRIu32 " (%s) is not supported",
                         section->kind, format_kind_name(section->kind));
    else
        return QN_STATUS_OK;
    if (section->bytes != expected_bytes)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section header: %s has %" PRIu64 " bytes, rows and dim say %" PRIu64,
                         format_kind_name(section->kind), section->bytes, expected_bytes);
    if (!(section->flags & FORMAT_SECTION_RESIDENT))
        return error_set(error, QN_STATUS_CORRUPT, "section header: %s is not resident",
                         format_kind_name(section->kind));
    return QN_STATUS_OK;
}

/* How often a kind stands among the first `count` sections. */
static unsigned count_kind(const struct format_header *header, uint32_t count, uint32_t kind)
{
    unsigned found = 0;

    for (uint32_t i = 0; i < count; i++)
        found += header->sections[i].kind == kind;
    return found;
}

/* primary_keys, and either vectors, or rows of one kind with their index. */
static enum qn_status check_kinds(const struct format_header *header, struct qn_error *error)
{
    unsigned vectors = count_kind(header, header->sections_count, FORMAT_KIND_VECTORS);
    unsigned rows = count_kind(header, header->sections_count, FORMAT_KIND_ROWS) +
                    count_kind(header, header->sections_count, FORMAT_KIND_ROWS16);
    unsigned indexes = count_kind(header, header->sections_count, FORMAT_KIND_INDEX);

    if (count_kind(header, header->sections_count, FORMAT_KIND_PRIMARY_KEYS) != 1 ||
        vectors + rows == 0)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section header: primary_keys or vectors is missing");
    if (vectors + rows != 1 || rows != indexes)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section header: there are either vectors, or rows and an index");
    return QN_STATUS_OK;
}

static enum qn_status decode_sections(const uint8_t *page, struct format_header *header,
                                      struct qn_error *error)
{
    uint64_t end = FORMAT_PAGE_BYTES;
    uint64_t resident_bytes = 0;

    header->sections_count = bytes_get_u32(page + AT_SECTIONS_COUNT);
    if (header->sections_count < 2 || header->sections_count > FORMAT_SECTIONS_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "section header: %" PRIu32 " sections",
                         header->sections_count);
    for (uint32_t i = 0; i < header->sections_count; i++) {
        const uint8_t *entry = page + AT_SECTIONS + i * SECTION_BYTES;
        struct format_section *section = &header->sections[i];
        *section = (struct format_section){
            .kind = bytes_get_u32(entry),
            .flags = bytes_get_u32(entry + 4),
            .offset = bytes_get_u64(entry + 8),
            .bytes = bytes_get_u64(entry + 16),
            .checksum = bytes_get_u64(entry + 24),
        };
        if (section->offset != end || section->bytes > section_bytes_max)
            return error_set(error, QN_STATUS_CORRUPT,
                             "section header: section %" PRIu32 " at %" PRIu64 " of %" PRIu64
                             " bytes, expected at %" PRIu64,
                             i, section->offset, section->bytes, end);
        if (count_kind(header, i, section->kind) > 0)
            return error_set(error, QN_STATUS_CORRUPT,
                             "section header: section kind %" PRIu32 " stands twice",
                             section->kind);
        enum qn_status status = check_section(header, section, error);
        if (status != QN_STATUS_OK)
            return status;
        end += format_padded(section->bytes); /* <= 32 x 2^58 + 2^12 */
        if (section->flags & FORMAT_SECTION_RESIDENT)
            resident_bytes += format_padded(section->bytes);
    }
    if (header->file_bytes != end || header->facts.resident_bytes != resident_bytes)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section header: %" PRIu64 " file and %" PRIu64
                         " resident bytes, the sections say %" PRIu64 " and %" PRIu64,
                         header->file_bytes, header->facts.resident_bytes, end, resident_bytes);
    return QN_STATUS_OK;
}

enum qn_status format_decode(const uint8_t *page, struct format_header *ret_header,
                             struct qn_error *error)
{
    struct format_header header = {0};
    enum qn_status status = decode_edition(page, error);

    if (status == QN_STATUS_OK)
        status = decode_facts(page, &header.facts, error);
    if (status != QN_STATUS_OK)
        return status;
    header.compatible_flags = bytes_get_u32(page + AT_COMPATIBLE);
    header.file_bytes = bytes_get_u64(page + AT_FILE_BYTES);
    status = decode_sections(page, &header, error);
    if (status != QN_STATUS_OK)
        return status;
    status = check_kinds(&header, error);
    if (status != QN_STATUS_OK)
        return status;
    struct qn_hash hash = format_content_hash(&header);
    if (!qn_hash_equal(&hash, &header.facts.content_hash))
        return error_set(error, QN_STATUS_CORRUPT,
                         "section header: content hash does not follow from the sections");
    *ret_header = header;
    return QN_STATUS_OK;
}
