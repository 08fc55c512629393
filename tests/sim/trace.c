/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/trace.h"

#include "base/hash.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TRACE_LINE_BYTES = 512 };

void trace_init(struct trace *trace, const struct timeline *timeline, bool is_printed)
{
    *trace = (struct trace){.timeline = timeline, .is_printed = is_printed};
}

/* The chain covers time and text, so that two worlds agree only if every step agrees. */
static void chain(struct trace *trace, const char *text)
{
    unsigned char link[16 + TRACE_LINE_BYTES];
    size_t size = strlen(text);

    memcpy(link, &trace->hash, 8);
    memcpy(link + 8, &trace->timeline->now_us, 8);
    memcpy(link + 16, text, size);
    trace->hash = hash64(link, 16 + size);
    trace->lines_count++;
}

void trace_line(struct trace *trace, const char *format, ...)
{
    char text[TRACE_LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    chain(trace, text);
    if (trace->is_printed)
        (void)printf("%12.6f  %s\n", (double)trace->timeline->now_us / 1e6, text);
}
