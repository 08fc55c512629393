/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/fbin.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

static void file_closep(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

static enum qn_status check_header(const char *path, FILE *file, const uint32_t header[2],
                                   struct qn_error *error)
{
    struct stat info;
    uint64_t bytes = 8 + (uint64_t)header[0] * header[1] * sizeof(float);

    if (fstat(fileno(file), &info) < 0)
        return error_errno(error, errno, "%s", path);
    if (header[0] == 0 || header[1] == 0 || header[1] > LIMIT_DIM_MAX)
        return error_set(error, QN_STATUS_CORRUPT, "%s: %u rows of dimension %u", path, header[0],
                         header[1]);
    if ((uint64_t)info.st_size != bytes)
        return error_set(error, QN_STATUS_CORRUPT,
                         "%s: %u x %u float32 take %llu bytes, the file has %lld", path, header[0],
                         header[1], (unsigned long long)bytes, (long long)info.st_size);
    return QN_STATUS_OK;
}

enum qn_status fbin_read(const char *path, uint32_t rows_max, struct fbin *ret_fbin,
                         struct qn_error *error)
{
    CLEANUP(file_closep) FILE *file = fopen(path, "rbe");
    uint32_t header[2];

    if (file == NULL)
        return error_errno(error, errno, "open %s", path);
    if (fread(header, sizeof header, 1, file) != 1)
        return error_set(error, QN_STATUS_CORRUPT, "%s: no .fbin header", path);
    if (check_header(path, file, header, error) != QN_STATUS_OK)
        return error->status;

    struct fbin fbin = {.rows_count = header[0], .dim = header[1]};
    if (rows_max != 0 && fbin.rows_count > rows_max)
        fbin.rows_count = rows_max;
    size_t count = (size_t)fbin.rows_count * fbin.dim;
    fbin.values = malloc(count * sizeof(float));
    if (fbin.values == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory", path);
    if (fread(fbin.values, sizeof(float), count, file) != count) {
        fbin_done(&fbin);
        return error_errno(error, errno, "read %s", path);
    }
    *ret_fbin = fbin;
    return QN_STATUS_OK;
}

enum qn_status fbin_write(const char *path, const struct fbin *fbin, struct qn_error *error)
{
    FILE *file = fopen(path, "wbe");
    uint32_t header[2] = {fbin->rows_count, fbin->dim};
    size_t count = (size_t)fbin->rows_count * fbin->dim;

    if (file == NULL)
        return error_errno(error, errno, "create %s", path);
    bool written = fwrite(header, sizeof header, 1, file) == 1 &&
                   fwrite(fbin->values, sizeof(float), count, file) == count;
    int failure = errno;
    if (fclose(file) != 0 && written)
        return error_errno(error, errno, "write %s", path);
    return written ? QN_STATUS_OK : error_errno(error, failure, "write %s", path);
}

void fbin_done(struct fbin *fbin)
{
    free(fbin->values);
    fbin->values = NULL;
}
