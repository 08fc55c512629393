/* SPDX-License-Identifier: Apache-2.0
 * What is swept: one operation of one party, with the classes of calls that fail in it. */
#ifndef SWEEP_OPERATION_H
#define SWEEP_OPERATION_H

#include "tests/sim/sweep/stage.h"

/* How one case ended. label: a few words, the same for all that ended the same way. */
struct operation_end {
    char label[48];
    char problem[200]; /* not empty: the case failed */
};

void operation_ended(struct operation_end *end, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The first problem stays. */
void operation_problem(struct operation_end *end, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "doing STATUS"; a problem if there is no text. */
void operation_refused(struct operation_end *end, const char *doing, enum qn_status status,
                       const struct qn_error *error);

/* A verdict that is not COMPLETE must say why; one that is must be right. */
void operation_searched(struct operation_end *end, const struct scene *scene,
                        const struct qn_search_result *result);

struct operation {
    const char *name;
    enum fault_party party;
    unsigned classes; /* bits of enum fault_class */
    bool is_durable;  /* the coordinator's state is SQLite; act runs in a forked child, which may
                         end by itself, and `again` in the parent from what is durable */
    /* Brings the stage to where the operation begins. Nothing fails. */
    void (*prepare)(struct stage *stage);
    /* The operation, with the fault armed. */
    void (*act)(struct stage *stage, struct operation_end *end);
    /* The same, with the fault gone: it must work now. The collection is served afterwards. */
    void (*again)(struct stage *stage, struct operation_end *end);
};

extern const struct operation agent_start, agent_load, agent_command, agent_search, agent_release,
    agent_restart;
extern const struct operation client_open, client_search, client_call, client_feed;
extern const struct operation coordinator_start, coordinator_load, coordinator_handoff;

#endif
