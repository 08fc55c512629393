/* SPDX-License-Identifier: Apache-2.0
 * Request and reply by the bus library alone, with nothing of ours around it: what
 * qnode-bench roundtrip compares with. */
#ifndef BENCH_BARE_NATS_H
#define BENCH_BARE_NATS_H

#include "qnode/types.h"

enum { BARE_REPLY_BYTES = 128 }; /* about a search answer of one hit */

struct bare;

enum qn_status bare_open(const char *url, struct bare **ret_bare, struct qn_error *error);
/* Answers every request on the subject with BARE_REPLY_BYTES bytes, from now until the close. */
enum qn_status bare_echo(struct bare *bare, const char *subject, struct qn_error *error);
/* Returns when the answer is there. */
enum qn_status bare_request(struct bare *bare, const char *subject, const void *bytes, size_t size,
                            struct qn_error *error);
/* NULL is fine. */
void bare_close(struct bare *bare);

#endif
