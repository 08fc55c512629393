/* SPDX-License-Identifier: Apache-2.0
 * NKeys: Ed25519 key pairs as NATS writes them (base32 of a prefix, 32 bytes and a CRC-16; the
 * format of github.com/nats-io/nkeys). */
#ifndef CHANNEL_NKEY_H
#define CHANNEL_NKEY_H

#include "qnode/types.h"

enum { NKEY_PUBLIC_BYTES = 57 /* 56 characters, U... */ };

/* The public key that belongs to a user's seed. The seed (SU..., 58 characters) may stand anywhere
 * in the text, on a line of its own. False: there is none. */
bool nkey_public_of_seed(const char *text, char ret_public[NKEY_PUBLIC_BYTES]);

#endif
