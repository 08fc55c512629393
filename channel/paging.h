/* SPDX-License-Identifier: Apache-2.0
 * Long lists go in pages, and each page with its envelope must fit the bus. How much of a list
 * does, is measured. */
#ifndef CHANNEL_PAGING_H
#define CHANNEL_PAGING_H

#include <stddef.h>

/* How many of `count` items, from the first on, one message takes: size(owner, n) is its size in
 * bytes with n of them. At least 1 (also when even that does not fit), 0 of 0. It may be a few less
 * than the most: each question costs an encoding. */
size_t paging_fit(size_t count, size_t bytes_max, size_t (*size)(void *owner, size_t count),
                  void *owner);

#endif
