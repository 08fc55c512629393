/* SPDX-License-Identifier: Apache-2.0
 * Searches between their decoding and their answers; dispatch.c tells who owns what when. */
#ifndef AGENT_DISPATCH_INTERNAL_H
#define AGENT_DISPATCH_INTERNAL_H

#include "agent/agent_internal.h"
#include "segstore/search.h"

/* A segment that is searched: pinned until the answer is out. */
struct job_target {
    uint32_t index; /* into the request's segment_ids */
    struct segment *segment;
    struct qn_epoch epoch; /* as of the pin */
    /* Of the job's queries: covered if it is all of them. Else outcome says why, BUSY for what no
     * worker came to. Written by the workers that take the target, read by the last. */
    _Atomic uint32_t searched;
    _Atomic int outcome;
};

/* The targets on one NUMA node; its chunks take them by the counter, slice by slice. */
struct job_group {
    unsigned numa_node;
    uint32_t first, count; /* in batch->order */
    uint64_t work;         /* multiply-adds */
    uint32_t slices_count; /* of the queries: more than one if the batch has one target */
    unsigned chunks_count;
    _Atomic uint32_t next;
};

struct search_batch;

/* What one worker runs, with top-k sets of its own; slices have no query in common, and so share
 * the sets of their first chunk. */
struct job_chunk {
    struct task task;
    struct search_batch *batch;
    struct job_group *group;
    struct topk *topks;     /* nq */
    unsigned char *storage; /* of the topks' hits: nq x topk_stride */
    unsigned char *backup;  /* topks and storage before the segment under way */
    unsigned char *scratch; /* search_bytes */
};

/* Searches of the same segments with the same k and options, searched as one: their queries lie one
 * after the other. Most of the time it is one search. Lives in its first job. */
struct search_batch {
    struct agent *agent;
    struct agent_event finished;
    struct search_job *jobs; /* by next_joined; the first one's targets stand for all */
    uint32_t nq;             /* of all jobs */
    uint32_t k;              /* of each */

    _Atomic uint64_t started_us; /* by the first worker; 0 before */
    uint64_t scratch_bytes;      /* reserved in the ledger */
    void *scratch;

    struct search_queries queries; /* of all jobs, for the scans */
    uint32_t slice_queries;        /* a slice has a multiple of them, but for the last */
    size_t search_bytes;           /* what the largest of its searches wants of scratch */
    uint32_t *order;               /* indices of targets, group by group */

    struct job_group *groups;
    unsigned groups_count;
    struct job_chunk *chunks;
    unsigned chunks_count;
    _Atomic unsigned pending; /* chunks not through; who takes it to 0 answers */
    size_t topk_stride;
    struct qn_hit *hits; /* of the answers: nq x k */
    uint32_t *hit_counts;
};

struct search_job {
    struct agent *agent;
    struct search_job *next;        /* idle list, or its bucket of active jobs */
    struct search_job *next_joined; /* in the list of those that wait, then in its batch */

    struct arena arena;   /* the decoded request and what belongs to it */
    struct arena encoded; /* one part of the answer at a time */
    struct message message;
    uint64_t term, received_us, deadline_us;
    uint64_t request_bytes; /* reserved in the ledger for what was decoded */

    uint32_t k; /* min(asked, rows of all targets) */
    enum qn_metric metric;
    struct job_target *targets; /* in the request's order */
    uint32_t targets_count;
    struct refusal *refused; /* room for all segments of the request */
    uint32_t refused_count;

    struct search_batch *batch; /* NULL until it is planned */
    uint32_t first_query;       /* of the batch's queries */
    struct search_batch own;    /* of the batch that it is the first of */
};

/* dispatch_active.c: requests under way, by reply subject and request id. Node thread. */
bool dispatch_is_active(struct agent *agent, const struct message *request);
void dispatch_activate(struct search_job *job);
void dispatch_deactivate(struct search_job *job);

/* How a request wants segments to be searched. */
struct search_options dispatch_options(const struct search_job *job);

/* Whether all of the job's queries were searched on it: OK, or why not. */
enum qn_status dispatch_outcome(const struct search_job *job, const struct job_target *target);

/* dispatch_join.c: from here on the job waits for a worker, and for others of its kind. */
void dispatch_wait(struct search_job *job);

/* dispatch_plan.c: groups, chunks and scratch of the jobs of one batch. BUSY: does not fit now, and
 * nothing is reserved. Node thread. */
enum qn_status dispatch_plan(struct search_batch *batch);
/* The search as one chunk is short enough for the node thread. */
bool dispatch_is_short(const struct search_batch *batch);

/* dispatch_run.c: any thread. */
void dispatch_run_chunk(struct task *task);
/* A chunk is through, or was never taken by the executor. The last one answers. */
void dispatch_leave_chunk(struct search_batch *batch);

/* dispatch_answer.c: the whole answer, from whatever chunks ran. Any thread. */
void dispatch_answer(struct search_job *job);
/* Nothing was searched: status and text for all of it. */
void dispatch_answer_status(struct search_job *job, enum qn_status status, const char *text);

/* dispatch.c: the job was answered and never left the node thread, or will not any more. */
void dispatch_drop(struct search_job *job);

#endif
