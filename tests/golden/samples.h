/* SPDX-License-Identifier: Apache-2.0
 * One message of each kind with every field set, then other forms of some kinds; and a comparison
 * that looks at every field. */
#ifndef TESTS_GOLDEN_SAMPLES_H
#define TESTS_GOLDEN_SAMPLES_H

#include "channel/message.h"

enum { SAMPLES_KINDS = 18, SAMPLES_COUNT = SAMPLES_KINDS + 14 };

/* index < SAMPLES_COUNT; points to constants. */
struct message samples_at(size_t index);
/* "load_segments": the name of its golden file. */
const char *samples_name(size_t index);
/* samples_forms.c: the body and the name of the sample SAMPLES_KINDS + index. */
struct message samples_form_at(size_t index);
const char *samples_form_name(size_t index);
/* cmocka assertions. */
void samples_assert_same(const struct message *a, const struct message *b);

#endif
