/* SPDX-License-Identifier: Apache-2.0
 * One message of each kind with every field set, and a comparison that looks at every field. */
#ifndef TESTS_GOLDEN_SAMPLES_H
#define TESTS_GOLDEN_SAMPLES_H

#include "channel/message.h"

enum { SAMPLES_COUNT = 18 };

/* index < SAMPLES_COUNT; points to constants. */
struct message samples_at(size_t index);
/* "load_segments": the name of its golden file. */
const char *samples_name(size_t index);
/* cmocka assertions. */
void samples_assert_same(const struct message *a, const struct message *b);

#endif
