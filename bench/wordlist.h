/* SPDX-License-Identifier: Apache-2.0
 * A word list: one word a line, the primary key of a word is its line number, from 0. */
#ifndef BENCH_WORDLIST_H
#define BENCH_WORDLIST_H

#include "bench/fbin.h"

struct wordlist {
    char *text; /* the file, its newlines replaced by zeros */
    char **words;
    uint32_t count;
};

enum qn_status wordlist_read(const char *path, struct wordlist *ret_list, struct qn_error *error);
void wordlist_done(struct wordlist *list);
/* One row of NGRAM_DIM values per word; INVALID names the line that holds no word. */
enum qn_status wordlist_embed(const struct wordlist *list, struct fbin *ret_fbin,
                              struct qn_error *error);

#endif
