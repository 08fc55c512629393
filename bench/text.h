/* SPDX-License-Identifier: Apache-2.0
 * Numbers for people: fixed buffers, returned for use in printf. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdint.h>

enum { TEXT_BYTES = 32 };

/* "6.5 MiB" */
const char *text_bytes(uint64_t bytes, char ret_text[TEXT_BYTES]);
/* "412 us", "3.1 ms", "1.2 s" */
const char *text_us(uint64_t us, char ret_text[TEXT_BYTES]);
/* "104,334" */
const char *text_count(uint64_t count, char ret_text[TEXT_BYTES]);

#endif
