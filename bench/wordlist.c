/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/wordlist.h"

#include "base/check.h"
#include "base/error.h"
#include "bench/ngram.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LIST_BYTES_MAX = 1 << 30 };

static void file_closep(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

/* The whole file with a zero behind it. */
static enum qn_status read_text(const char *path, char **ret_text, size_t *ret_bytes,
                                struct qn_error *error)
{
    CLEANUP(file_closep) FILE *file = fopen(path, "rbe");
    struct stat info;

    if (file == NULL || fstat(fileno(file), &info) < 0)
        return error_errno(error, errno, "open %s", path);
    if (info.st_size <= 0 || info.st_size > LIST_BYTES_MAX)
        return error_set(error, QN_STATUS_INVALID, "%s: empty, or over 1 GiB", path);

    size_t bytes = (size_t)info.st_size;
    char *text = malloc(bytes + 1);
    if (text == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory", path);
    if (fread(text, 1, bytes, file) != bytes) {
        free(text);
        return error_set(error, QN_STATUS_IO, "%s: shorter than it said", path);
    }
    text[bytes] = '\0';
    *ret_text = text;
    *ret_bytes = bytes;
    return QN_STATUS_OK;
}

static uint32_t lines_count(const char *text, size_t bytes)
{
    uint32_t count = text[bytes - 1] != '\n';

    for (size_t i = 0; i < bytes; i++)
        count += text[i] == '\n';
    return count;
}

enum qn_status wordlist_read(const char *path, struct wordlist *ret_list, struct qn_error *error)
{
    struct wordlist list = {0};
    size_t bytes = 0;

    if (read_text(path, &list.text, &bytes, error) != QN_STATUS_OK)
        return error->status;
    list.count = lines_count(list.text, bytes);
    list.words = calloc(list.count, sizeof *list.words);
    if (list.words == NULL) {
        wordlist_done(&list);
        return error_set(error, QN_STATUS_NO_MEMORY, "%s: out of memory", path);
    }
    char *next = list.text;
    for (uint32_t i = 0; i < list.count; i++)
        list.words[i] = strsep(&next, "\n");
    *ret_list = list;
    return QN_STATUS_OK;
}

void wordlist_done(struct wordlist *list)
{
    free(list->words);
    free(list->text);
    *list = (struct wordlist){0};
}

enum qn_status wordlist_embed(const struct wordlist *list, struct fbin *ret_fbin,
                              struct qn_error *error)
{
    struct fbin fbin = {.rows_count = list->count, .dim = NGRAM_DIM};

    fbin.values = malloc((size_t)list->count * NGRAM_DIM * sizeof(float));
    if (fbin.values == NULL)
        return error_set(error, QN_STATUS_NO_MEMORY, "vectors of %u words: out of memory",
                         list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        if (ngram_embed(list->words[i], fbin.values + (size_t)i * NGRAM_DIM))
            continue;
        fbin_done(&fbin);
        return error_set(error, QN_STATUS_INVALID, "line %u holds no word of 1 to %d bytes", i + 1,
                         NGRAM_WORD_BYTES_MAX);
    }
    *ret_fbin = fbin;
    return QN_STATUS_OK;
}
