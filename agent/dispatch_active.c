/* SPDX-License-Identifier: Apache-2.0
 * Searches under way, found by who asked what. A client repeats a request that it hears nothing of
 * (C1); while the first is still being worked on, the repeat would only do the work twice, most of
 * all when there is too much of it already. Node thread. */
#include "agent/dispatch_internal.h"

#include "base/check.h"
#include "base/hash.h"
#include <string.h>

static struct search_job **bucket_of(struct agent *agent, const struct message *request)
{
    uint64_t key = hash64(request->reply_to, strlen(request->reply_to)) + request->request_id;

    return &agent->active_jobs[key % COUNT_OF(agent->active_jobs)];
}

bool dispatch_is_active(struct agent *agent, const struct message *request)
{
    if (request->reply_to[0] == '\0')
        return false;
    for (const struct search_job *job = *bucket_of(agent, request); job != NULL; job = job->next)
        if (job->message.request_id == request->request_id &&
            strcmp(job->message.reply_to, request->reply_to) == 0)
            return true;
    return false;
}

void dispatch_activate(struct search_job *job)
{
    struct search_job **bucket = bucket_of(job->agent, &job->message);

    job->next = *bucket;
    *bucket = job;
}

void dispatch_deactivate(struct search_job *job)
{
    struct search_job **link = bucket_of(job->agent, &job->message);

    while (*link != job) {
        CHECK(*link != NULL);
        link = &(*link)->next;
    }
    *link = job->next;
    job->next = NULL;
}
