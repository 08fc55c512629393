/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/check.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum qn_status error_set(struct qn_error *error, enum qn_status status, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return status;
    error->status = status;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return status;
}

enum qn_status error_wrap(struct qn_error *error, const char *format, ...)
{
    char inner[sizeof error->text];
    va_list arguments;

    CHECK(error != NULL);
    memcpy(inner, error->text, sizeof inner);
    va_start(arguments, format);
    int outer_bytes = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (outer_bytes >= 0 && (size_t)outer_bytes < sizeof error->text)
        /* A text that is cut is fine; asking for the result tells the compiler so. */
        CHECK(snprintf(error->text + outer_bytes, sizeof error->text - (size_t)outer_bytes, ": %s",
                       inner) >= 0);
    return error->status;
}

enum qn_status error_errno(struct qn_error *error, int errno_value, const char *format, ...)
{
    va_list arguments;
    enum qn_status status = errno_value == ENOMEM ? QN_STATUS_NO_MEMORY : QN_STATUS_IO;

    if (error == NULL)
        return status;
    error->status = status;
    va_start(arguments, format);
    int bytes = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (bytes >= 0 && (size_t)bytes < sizeof error->text)
        (void)snprintf(error->text + bytes, sizeof error->text - (size_t)bytes, ": %s",
                       strerror(errno_value));
    return status;
}
