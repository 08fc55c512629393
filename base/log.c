/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/check.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static _Atomic int level_now = LOG_LEVEL_INFO;

void log_level_set(enum log_level level)
{
    atomic_store(&level_now, (int)level);
}

bool log_level_from_name(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < COUNT_OF(level_names); i++)
        if (strcmp(level_names[i], name) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    return false;
}

void log_write(enum log_level level, const char *room, const char *format, ...)
{
    char text[1024], stamp[32];
    struct timespec now;
    struct tm utc;
    va_list arguments;

    if ((int)level > atomic_load(&level_now))
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* One line stays one line, whatever a peer put into a name or a path. */
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    (void)fprintf(stderr, "%s.%03ldZ %s %s: %s\n", stamp, now.tv_nsec / 1000000, level_names[level],
                  room, text);
}
