/* SPDX-License-Identifier: Apache-2.0 */
#include "qnode/types.h"

#include "base/check.h"
#include <string.h>

static const struct {
    const char *name, *text;
    int exit_code;
} statuses[] = {
#define STATUS(name, number, text, exit_code) [number] = {#name, text, exit_code},
#include "qnode/status.def"
#undef STATUS
};

static bool status_known(enum qn_status status)
{
    return (unsigned)status < COUNT_OF(statuses);
}

const char *qn_status_name(enum qn_status status)
{
    return status_known(status) ? statuses[status].name : "status?";
}

const char *qn_status_text(enum qn_status status)
{
    return status_known(status) ? statuses[status].text : "status?";
}

int qn_status_exit_code(enum qn_status status)
{
    return status_known(status) ? statuses[status].exit_code : 1;
}

static const char *const metric_names[] = {"unspecified", "l2", "ip", "cosine"};

const char *qn_metric_name(enum qn_metric metric)
{
    return (unsigned)metric < COUNT_OF(metric_names) ? metric_names[metric] : "metric?";
}

enum qn_metric qn_metric_from_name(const char *name)
{
    for (unsigned i = 1; i < COUNT_OF(metric_names); i++)
        if (strcmp(metric_names[i], name) == 0)
            return (enum qn_metric)i;
    return QN_METRIC_UNSPECIFIED;
}

int qn_epoch_compare(struct qn_epoch a, struct qn_epoch b)
{
    if (a.term != b.term)
        return a.term < b.term ? -1 : 1;
    if (a.version != b.version)
        return a.version < b.version ? -1 : 1;
    return 0;
}

bool qn_hash_equal(const struct qn_hash *a, const struct qn_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

const char *qn_copy_state_name(enum qn_copy_state state)
{
    static const char *const names[] = {"absent", "loading", "serving", "leaving", "draining"};

    return (unsigned)state < COUNT_OF(names) ? names[state] : "state?";
}

const char *qn_segment_state_name(enum qn_segment_state state)
{
    static const char *const names[] = {"Unspecified", "Growing", "Sealed"};

    return (unsigned)state < COUNT_OF(names) ? names[state] : "State?";
}

bool qn_hit_before(enum qn_metric metric, const struct qn_hit *a, const struct qn_hit *b)
{
    if (a->distance != b->distance)
        return metric == QN_METRIC_L2 ? a->distance < b->distance : a->distance > b->distance;
    return a->primary_key < b->primary_key;
}

const char *qn_verdict_name(enum qn_verdict verdict)
{
    static const char *const names[] = {"UNKNOWN", "COMPLETE", "PARTIAL"};

    return (unsigned)verdict < COUNT_OF(names) ? names[verdict] : "VERDICT?";
}
