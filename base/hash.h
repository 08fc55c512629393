/* SPDX-License-Identifier: Apache-2.0
 * XXH3 checksums (xxHash; the only file that includes it is hash.c). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "qnode/types.h"

/* XXH3, 64 bits, seed 0. */
uint64_t hash64(const void *bytes, size_t size);
/* XXH3, 128 bits, canonical (big-endian) bytes. */
struct qn_hash hash128(const void *bytes, size_t size);
/* 32 hex digits and a zero. */
void hash_to_text(const struct qn_hash *hash, char ret_text[33]);
bool hash_from_text(const char *text, struct qn_hash *ret_hash);

#endif
