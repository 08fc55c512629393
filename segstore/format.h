/* SPDX-License-Identifier: Apache-2.0
 * The header page of a .qseg file (FORMAT.md section 1): bytes to facts and back, nothing else. */
#ifndef SEGSTORE_FORMAT_H
#define SEGSTORE_FORMAT_H

#include "base/files.h"
#include "base/limits.h"
#include "segstore/facts.h"

enum {
    FORMAT_VERSION = 1,
    FORMAT_PAGE_BYTES = 4096,
    FORMAT_PIECE_BYTES = 1 << 20,
    FORMAT_SECTIONS_MAX = 32,
    FORMAT_ROWS_MAX_LOG2 = 40,
};

enum format_kind {
    FORMAT_KIND_PRIMARY_KEYS = 1,
    FORMAT_KIND_VECTORS = 2,
    FORMAT_KIND_SCALAR_COLUMNS = 3,
    FORMAT_KIND_INDEX = 4,
    FORMAT_KIND_DELETES = 5,
    FORMAT_KIND_ROWS = 6,
    FORMAT_KIND_ROWS16 = 7,
};

enum format_section_flag {
    FORMAT_SECTION_RESIDENT = 1,
    FORMAT_SECTION_SKIPPABLE = 2,
};

struct format_section {
    uint32_t kind, flags;
    uint64_t offset, bytes, checksum; /* bytes: without padding */
};

struct format_header {
    struct segment_facts facts;
    uint32_t incompatible_flags, compatible_flags;
    uint64_t file_bytes;
    uint32_t sections_count;
    struct format_section sections[FORMAT_SECTIONS_MAX];
};

/* "vectors"; "unknown" for a kind outside the list. */
const char *format_kind_name(uint32_t kind);

/* The end of a path that would push the reason out of an error text. */
const char *format_path_tail(const char *path);
/* Rounded up to 4 KiB. */
uint64_t format_padded(uint64_t bytes);
/* Blocks of 16 rows. */
uint64_t format_blocks(uint64_t rows_count);
/* Bytes of the vectors section without padding. */
uint64_t format_vectors_bytes(uint64_t rows_count, uint32_t dim);

/* Lays the sections out: offsets, file_bytes, facts.resident_bytes. Needs facts.rows_count and
 * facts.dim. index_bytes 0: primary_keys and vectors; else primary_keys, rows (row_bits 32) or
 * rows16 (16), and index. */
void format_layout(struct format_header *header, uint64_t index_bytes, uint32_t row_bits);
/* Which of vectors, rows and rows16 a decoded header has. */
enum format_kind format_values_kind(const struct format_header *header);
/* Bits of a value in that section: 16 or 32. */
uint32_t format_row_bits(const struct format_header *header);
struct qn_hash format_content_hash(const struct format_header *header);
/* Writes a header that format_decode accepts; page is FORMAT_PAGE_BYTES. */
void format_encode(const struct format_header *header, uint8_t *ret_page);
/* Takes any bytes. Errors read "section header: reason". */
enum qn_status format_decode(const uint8_t *page, struct format_header *ret_header,
                             struct qn_error *error);
/* The file's length must be the header's; the error names the section that is cut. */
enum qn_status format_check_size(const struct format_header *header, uint64_t size_bytes,
                                 struct qn_error *error);
/* Reads, decodes, checks the size. */
enum qn_status format_read_header(const struct files *files, const struct file *file,
                                  struct format_header *ret_header, struct qn_error *error);
/* The same for a path; errors begin with it. */
enum qn_status format_read_path(const struct files *files, const char *path,
                                struct format_header *ret_header, struct qn_error *error);

#endif
