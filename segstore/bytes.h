/* SPDX-License-Identifier: Apache-2.0
 * Little-endian accessors: how bytes of a file become numbers and back. */
#ifndef SEGSTORE_BYTES_H
#define SEGSTORE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Sections are used in place once they are loaded. */
_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "segments are mapped as they are in the file");

static inline uint32_t bytes_get_u32(const void *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof value);
    return le32toh(value);
}

static inline uint64_t bytes_get_u64(const void *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof value);
    return le64toh(value);
}

static inline void bytes_put_u32(void *bytes, uint32_t value)
{
    value = htole32(value);
    memcpy(bytes, &value, sizeof value);
}

static inline void bytes_put_u64(void *bytes, uint64_t value)
{
    value = htole64(value);
    memcpy(bytes, &value, sizeof value);
}

static inline float bytes_get_float(const void *bytes)
{
    uint32_t bits = bytes_get_u32(bytes);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void bytes_put_float(void *bytes, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    bytes_put_u32(bytes, bits);
}

#endif
