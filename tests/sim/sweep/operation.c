/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sweep/operation.h"

#include <stdarg.h>
#include <stdio.h>

void operation_ended(struct operation_end *end, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(end->label, sizeof end->label, format, arguments);
    va_end(arguments);
}

void operation_problem(struct operation_end *end, const char *format, ...)
{
    va_list arguments;

    if (end->problem[0] != '\0')
        return;
    va_start(arguments, format);
    (void)vsnprintf(end->problem, sizeof end->problem, format, arguments);
    va_end(arguments);
}

/* What failed is of this world: to blame the caller or the bytes would keep people from trying
 * again. */
static bool is_blame(enum qn_status status)
{
    return status == QN_STATUS_OK || status == QN_STATUS_INVALID || status == QN_STATUS_CORRUPT;
}

void operation_refused(struct operation_end *end, const char *doing, enum qn_status status,
                       const struct qn_error *error)
{
    operation_ended(end, "%s %s", doing, qn_status_name(status));
    if (error->text[0] == '\0')
        operation_problem(end, "%s %s without a text", doing, qn_status_name(status));
    if (is_blame(status) || status == QN_STATUS_BUSY)
        operation_problem(end, "%s %s is no word for it: %s", doing, qn_status_name(status),
                          error->text);
}

void operation_searched(struct operation_end *end, const struct scene *scene,
                        const struct qn_search_result *result)
{
    enum qn_status reason = result->reason;

    if (result->verdict == QN_VERDICT_COMPLETE) {
        operation_ended(end, "COMPLETE");
        if (!scene_is_right(scene, result))
            operation_problem(end, "COMPLETE and wrong");
        return;
    }
    if (result->verdict == QN_VERDICT_PARTIAL)
        reason = result->missing_count > 0 ? result->missing[0].reason : QN_STATUS_OK;
    operation_ended(end, "%s %s", qn_verdict_name(result->verdict), qn_status_name(reason));
    if (is_blame(reason))
        operation_problem(end, "%s gives no reason that holds: %s",
                          qn_verdict_name(result->verdict), qn_status_name(reason));
}
