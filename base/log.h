/* SPDX-License-Identifier: Apache-2.0
 * Levelled log lines on stderr: "2026-01-31T12:00:00.123Z info node: text". Programs log; library
 * rooms return errors instead (debug level excepted). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_level_set(enum log_level level);
/* False for a name that is none of error, warning, info, debug. */
bool log_level_from_name(const char *name, enum log_level *ret_level);
void log_write(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_ERROR(room, ...)   log_write(LOG_LEVEL_ERROR, room, __VA_ARGS__)
#define LOG_WARNING(room, ...) log_write(LOG_LEVEL_WARNING, room, __VA_ARGS__)
#define LOG_INFO(room, ...)    log_write(LOG_LEVEL_INFO, room, __VA_ARGS__)
#define LOG_DEBUG(room, ...)   log_write(LOG_LEVEL_DEBUG, room, __VA_ARGS__)

#endif
