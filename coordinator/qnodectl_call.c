/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/qnodectl.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum qn_status ctl_call(struct ctl *ctl, const struct coord_request *request,
                        qn_on_answer *on_answer, void *owner, struct qn_error *error)
{
    struct coord_request whole = *request;
    uint64_t until_ms = ctl_now_ms() + CTL_CALL_MS;
    enum qn_status status;

    whole.collection = whole.collection != NULL ? whole.collection : "";
    whole.folder = whole.folder != NULL ? whole.folder : "";
    while ((status = qn_coord_call(ctl->client, &whole, CTL_CALL_MS, on_answer, owner, error)) ==
               QN_STATUS_BUSY &&
           ctl_now_ms() < until_ms)
        clock_nap_us(CTL_BUSY_NAP_MS * 1000);
    return status;
}

void ctl_say_text(void *owner, const struct coord_answer *answer)
{
    const struct ctl *ctl = owner;

    if (!ctl->arguments->json && *answer->text != '\0')
        printf("%s\n", answer->text);
    (void)fflush(stdout);
}

static const struct {
    enum qn_status status;
    const char *text;
} hints[] = {
    {QN_STATUS_NO_RESPONDERS, "start one: qcoordd --bus URL --cluster NAME --state FILE, or check "
                              "--bus and --cluster (QNODE_BUS, QNODE_CLUSTER)"},
    {QN_STATUS_UNAVAILABLE, "start the bus (nats-server, Kafka), or check --bus (QNODE_BUS)"},
    {QN_STATUS_NOT_PERMITTED, "check the account in --bus (QNODE_BUS) and its permissions on the "
                              "bus server"},
    {QN_STATUS_NOT_FOUND, "check the name; qnodectl collections list, segments and nodes show what "
                          "there is"},
    {QN_STATUS_OVER_BUDGET, "see free memory with qnodectl nodes; add a node, or raise "
                            "--memory-budget of one"},
    {QN_STATUS_TIMEOUT, "try again; qnodectl nodes shows who is silent"},
    {QN_STATUS_BUSY, "try again in a moment"},
    {QN_STATUS_NO_VIEW, "load it: qnodectl collections load FOLDER --wait"},
};

int ctl_fail(const struct qn_error *error)
{
    (void)fprintf(stderr, "qnodectl: %s\n", error->text);
    for (size_t i = 0; i < COUNT_OF(hints); i++)
        if (hints[i].status == error->status)
            (void)fprintf(stderr, "next: %s\n", hints[i].text);
    return qn_status_exit_code(error->status);
}

struct find_collection {
    const char *name;
    int64_t number;   /* the name read as an id; -1: it is none */
    int64_t found_id; /* 0: none yet */
};

static void find_collection(void *owner, const struct coord_answer *answer)
{
    struct find_collection *find = owner;

    for (size_t i = 0; i < answer->collections_count; i++) {
        const struct collection_info *info = &answer->collections[i];
        bool is_id = info->collection_id == find->number;
        if (is_id || (strcmp(info->name, find->name) == 0 && find->found_id != find->number))
            find->found_id = info->collection_id;
    }
}

/* -1: no id. */
static int64_t number_of(const char *name)
{
    char *end;

    errno = 0;
    long long number = strtoll(name, &end, 10);
    return *end == '\0' && errno == 0 && number > 0 ? number : -1;
}

enum qn_status ctl_collection_id(struct ctl *ctl, const char *name, int64_t *ret_id,
                                 struct qn_error *error)
{
    struct find_collection find = {.name = name, .number = number_of(name)};
    struct coord_request request = {.verb = COORD_LIST_COLLECTIONS};

    enum qn_status status = ctl_call(ctl, &request, find_collection, &find, error);

    /* An id needs nobody to explain it: agents search, and the bus may retain the view. */
    if ((status == QN_STATUS_NO_RESPONDERS || status == QN_STATUS_TIMEOUT) && find.number > 0) {
        *ret_id = find.number;
        return QN_STATUS_OK;
    }
    if (status != QN_STATUS_OK)
        return status;
    if (find.found_id == 0)
        return error_set(error, QN_STATUS_NOT_FOUND, "no collection has the name or id %s", name);
    *ret_id = find.found_id;
    return QN_STATUS_OK;
}

uint64_t ctl_now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}
