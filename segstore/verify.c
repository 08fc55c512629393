/* SPDX-License-Identifier: Apache-2.0 */
#include "segstore/verify.h"

#include "base/error.h"
#include "segstore/pieces.h"
#include <stdlib.h>

static enum qn_status check_pieces(const struct files *files, const struct file *file,
                                   struct pieces *pieces, struct qn_error *error)
{
    void *buffer = malloc(FORMAT_PIECE_BYTES);
    enum qn_status status = QN_STATUS_OK;

    if (buffer == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "out of memory");
    for (uint64_t i = 0; status == QN_STATUS_OK && i < pieces->count; i++) {
        struct piece piece = pieces_at(pieces, i);
        struct qn_error reason = {0};
        status =
            files->ops->read_at(files->self, file, piece.file_offset, buffer, piece.bytes, &reason);
        if (status == QN_STATUS_OK)
            pieces_check(pieces, i, buffer);
        else
            (void)error_set(error, status, "section %s: %s",
                            format_kind_name(pieces->header.sections[piece.section].kind),
                            reason.text);
    }
    free(buffer);
    return status == QN_STATUS_OK ? pieces_finish(pieces, error) : status;
}

static enum qn_status verify_open_file(const struct files *files, const struct file *file,
                                       struct format_header *ret_header, struct qn_error *error)
{
    struct format_header header;
    struct pieces pieces;
    enum qn_status status = format_read_header(files, file, &header, error);

    if (status != QN_STATUS_OK)
        return status;
    status = pieces_init(&pieces, &header, false, error);
    if (status != QN_STATUS_OK)
        return status;
    status = check_pieces(files, file, &pieces, error);
    pieces_done(&pieces);
    if (status == QN_STATUS_OK)
        *ret_header = header;
    return status;
}

enum qn_status verify_file(const struct files *files, const char *path,
                           struct format_header *ret_header, struct qn_error *error)
{
    struct file file;
    struct qn_error reason = {0};
    enum qn_status status = files->ops->open(files->self, path, &file, error);

    if (status != QN_STATUS_OK)
        return status;
    status = verify_open_file(files, &file, ret_header, &reason);
    if (status != QN_STATUS_OK)
        (void)error_set(error, status, "%s: %s", format_path_tail(path), reason.text);
    files->ops->close(files->self, &file);
    return status;
}
