/* SPDX-License-Identifier: Apache-2.0
 * Mutations of protobuf bytes that know where fields begin and end. Flipping bytes at random spends
 * most inputs on lengths that no longer fit; here the lengths around a change follow it, so that
 * the changes reach the rules behind the parser. Knows no schema: a block that reads as fields is
 * taken for a message. */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* Changes one thing in size bytes, of which capacity are there; the new size. Equal seeds, equal
 * changes (but for LLVMFuzzerMutate's). */
size_t mutate_message(uint8_t *bytes, size_t size, size_t capacity, unsigned seed);

#endif
