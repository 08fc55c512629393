/* SPDX-License-Identifier: Apache-2.0
 * libnats signs with a seed but wants to be told the public key; the seed's file does not hold it.
 * The only file that includes OpenSSL. */
#include "channel/nkey.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum {
    KEY_BYTES = 32,
    SEED_CHARACTERS = 58,
    SEED_BYTES = 36, /* two of prefix, the seed, two of CRC */
    PREFIX_SEED = 18 << 3,
    PREFIX_USER = 20 << 3,
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-16/XMODEM */
static uint16_t crc16(const uint8_t *bytes, size_t size)
{
    unsigned crc = 0;

    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    return (uint16_t)crc;
}

static bool decode(const char *text, uint8_t ret_bytes[SEED_BYTES])
{
    unsigned buffer = 0, bits = 0;
    size_t size = 0;

    for (size_t i = 0; i < SEED_CHARACTERS; i++) {
        const char *found = text[i] == '\0' ? NULL : strchr(alphabet, text[i]);
        if (found == NULL)
            return false;
        buffer = (buffer << 5 | (unsigned)(found - alphabet)) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            ret_bytes[size++] = (uint8_t)(buffer >> bits);
        }
    }
    return size == SEED_BYTES;
}

static void encode(const uint8_t *bytes, size_t size, char *ret_text)
{
    unsigned buffer = 0, bits = 0;

    for (size_t i = 0; i < size; i++) {
        buffer = (buffer << 8 | bytes[i]) & 0xffff;
        for (bits += 8; bits >= 5; bits -= 5)
            *ret_text++ = alphabet[buffer >> (bits - 5) & 31];
    }
    if (bits > 0)
        *ret_text++ = alphabet[buffer << (5 - bits) & 31];
    *ret_text = '\0';
}

/* The prefix of a seed says what it is and whose: five bits each, over two bytes. */
static bool is_user_seed(const uint8_t bytes[SEED_BYTES])
{
    unsigned crc = bytes[SEED_BYTES - 2] | (unsigned)bytes[SEED_BYTES - 1] << 8;

    return (bytes[0] & 0xf8) == PREFIX_SEED &&
           ((bytes[0] & 7) << 5 | (bytes[1] & 0xf8) >> 3) == PREFIX_USER &&
           crc == crc16(bytes, SEED_BYTES - 2);
}

static bool make_public(const uint8_t seed[KEY_BYTES], char ret_public[NKEY_PUBLIC_BYTES])
{
    uint8_t bytes[1 + KEY_BYTES + 2] = {PREFIX_USER};
    size_t size = KEY_BYTES;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_BYTES);
    bool is_made = key != NULL && EVP_PKEY_get_raw_public_key(key, bytes + 1, &size) == 1;

    EVP_PKEY_free(key);
    uint16_t crc = crc16(bytes, 1 + KEY_BYTES);
    bytes[1 + KEY_BYTES] = (uint8_t)crc;
    bytes[2 + KEY_BYTES] = (uint8_t)(crc >> 8);
    if (is_made)
        encode(bytes, sizeof bytes, ret_public);
    return is_made;
}

bool nkey_public_of_seed(const char *text, char ret_public[NKEY_PUBLIC_BYTES])
{
    uint8_t bytes[SEED_BYTES];
    bool is_made = false;

    for (const char *at = text; !is_made && at != NULL;) {
        at += strspn(at, " \t\r\n");
        size_t characters = strcspn(at, " \t\r\n");
        if (characters == SEED_CHARACTERS && decode(at, bytes) && is_user_seed(bytes))
            is_made = make_public(bytes + 2, ret_public);
        at = at[characters] == '\0' ? NULL : at + characters;
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    return is_made;
}
