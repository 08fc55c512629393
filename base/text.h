/* SPDX-License-Identifier: Apache-2.0
 * Numbers for people: the caller's buffer is filled and returned, for use in printf. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdint.h>

enum { TEXT_BYTES = 32 };

/* "512 B", "6.5 MiB", up to PiB */
const char *text_bytes(uint64_t bytes, char ret_text[TEXT_BYTES]);
/* "412 us", "3.10 ms", "1.20 s" */
const char *text_us(uint64_t us, char ret_text[TEXT_BYTES]);
/* "104,334" */
const char *text_count(uint64_t count, char ret_text[TEXT_BYTES]);

#endif
