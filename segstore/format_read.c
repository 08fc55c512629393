/* SPDX-License-Identifier: Apache-2.0
 * From a file to its header. */
#include "segstore/format.h"

#include "base/error.h"
#include <inttypes.h>
#include <string.h>

enum { PATH_TAIL_BYTES = 140 };

const char *format_path_tail(const char *path)
{
    size_t length = strlen(path);

    return path + (length > PATH_TAIL_BYTES ? length - PATH_TAIL_BYTES : 0);
}

enum qn_status format_check_size(const struct format_header *header, uint64_t size_bytes,
                                 struct qn_error *error)
{
    const struct format_section *section = &header->sections[header->sections_count - 1];

    if (size_bytes == header->file_bytes)
        return QN_STATUS_OK;
    if (size_bytes > header->file_bytes)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section %s: %" PRIu64 " bytes follow the end of the file's %" PRIu64,
                         format_kind_name(section->kind), size_bytes - header->file_bytes,
                         header->file_bytes);
    for (uint32_t i = 0; i < header->sections_count; i++) {
        section = &header->sections[i];
        if (section->offset + format_padded(section->bytes) > size_bytes)
            break;
    }
    return error_set(error, QN_STATUS_CORRUPT,
                     "section %s: cut, the file has %" PRIu64 " of %" PRIu64 " bytes",
                     format_kind_name(section->kind), size_bytes, header->file_bytes);
}

enum qn_status format_read_header(const struct files *files, const struct file *file,
                                  struct format_header *ret_header, struct qn_error *error)
{
    uint8_t page[FORMAT_PAGE_BYTES];
    struct format_header header;
    struct qn_error reason = {0};

    if (file->size_bytes < sizeof page)
        return error_set(error, QN_STATUS_CORRUPT,
                         "section header: cut, the file has %" PRIu64 " of %d bytes",
                         file->size_bytes, FORMAT_PAGE_BYTES);
    enum qn_status status = files->ops->read_at(files->self, file, 0, page, sizeof page, &reason);
    if (status != QN_STATUS_OK)
        return error_set(error, status, "section header: %s", reason.text);
    status = format_decode(page, &header, error);
    if (status == QN_STATUS_OK)
        status = format_check_size(&header, file->size_bytes, error);
    if (status == QN_STATUS_OK)
        *ret_header = header;
    return status;
}

enum qn_status format_read_path(const struct files *files, const char *path,
                                struct format_header *ret_header, struct qn_error *error)
{
    struct file file;
    struct qn_error reason = {0};
    enum qn_status status = files->ops->open(files->self, path, &file, error);

    if (status != QN_STATUS_OK)
        return status;
    status = format_read_header(files, &file, ret_header, &reason);
    if (status != QN_STATUS_OK)
        (void)error_set(error, status, "%s: %s", format_path_tail(path), reason.text);
    files->ops->close(files->self, &file);
    return status;
}
