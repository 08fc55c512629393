/* SPDX-License-Identifier: Apache-2.0
 * What happened, line by line with its virtual time; printed on demand, hashed always. */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include "tests/sim/timeline.h"

struct trace {
    const struct timeline *timeline;
    bool is_printed;
    uint64_t hash, lines_count;
};

void trace_init(struct trace *trace, const struct timeline *timeline, bool is_printed);
void trace_line(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
