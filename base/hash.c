/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t hash64(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}

struct qn_hash hash128(const void *bytes, size_t size)
{
    XXH128_canonical_t canonical;
    struct qn_hash hash;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    memcpy(hash.bytes, canonical.digest, sizeof hash.bytes);
    return hash;
}

void hash_to_text(const struct qn_hash *hash, char ret_text[33])
{
    for (int i = 0; i < 16; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", hash->bytes[i]);
}

bool hash_from_text(const char *text, struct qn_hash *ret_hash)
{
    static const char digits[] = "0123456789abcdef";
    struct qn_hash hash = {{0}};

    if (strlen(text) != 32)
        return false;
    for (int i = 0; i < 32; i++) {
        const char *digit = strchr(digits, text[i]);
        if (digit == NULL)
            return false;
        hash.bytes[i / 2] = (uint8_t)(hash.bytes[i / 2] << 4 | (digit - digits));
    }
    *ret_hash = hash;
    return true;
}
