/* SPDX-License-Identifier: Apache-2.0
 * Errors: a status for machines, a text for people that grows outside-in. Setting a NULL error only
 * returns the status; wrapping needs one. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "qnode/types.h"

/* Sets status and text; returns the status, so that `return error_set(...)` reads well. */
enum qn_status error_set(struct qn_error *error, enum qn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "doing: " before the text that is there; returns error->status. */
enum qn_status error_wrap(struct qn_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Like error_set with ": strerror(errno_value)" appended. */
enum qn_status error_errno(struct qn_error *error, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
