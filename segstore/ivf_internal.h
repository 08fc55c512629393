/* SPDX-License-Identifier: Apache-2.0
 * What the steps of ivf_search share: ivf_choose.c chooses lists, ivf_scan.c compares codes. */
#ifndef SEGSTORE_IVF_INTERNAL_H
#define SEGSTORE_IVF_INTERNAL_H

#include "segstore/ivf.h"
#include "segstore/ivf_best.h"
#include "segstore/kernels/kernels.h"

enum { IVF_STEP_ROWS = IVF_STEP_BLOCKS * LIMIT_BLOCK_ROWS, IVF_LINE_BYTES = 64 };

/* A query that is under way. */
struct ivf_asker {
    const float *row;
    struct topk *topk;
    const int8_t *codes; /* code_dims */
    float scale;
    int32_t sum;          /* of the codes */
    struct ivf_best best; /* rows */
};

/* A query wants a list. */
struct ivf_probe {
    uint32_t asker, list;
    float score; /* of the list's centre */
};

struct ivf {
    struct scan *scan;
    const struct ivf_section *index;
    uint32_t nprobe, refine;
    uint32_t group; /* queries at a time, at most */
    uint32_t nq;    /* of the group under way */
    struct ivf_asker *askers;
    struct ivf_probe *probes; /* group x nprobe: query after query, */
    struct ivf_probe *sorted; /* and list after list */
    uint32_t *ends;           /* lists: of their probes */
    float *scores;            /* wave x lists, rounded up to 16 */
    float *ranks;             /* lists */
    uint64_t *items;          /* lists */
    float *estimates;         /* wave x IVF_STEP_ROWS */
    uint16_t *masks;          /* wave x blocks of centres, or of a step */
    void *exact;              /* scratch of an exact scan */
};

/* Queries that the same codes are compared with. */
struct ivf_wave {
    uint32_t count;
    struct ivf_asker *askers[KERNEL_CODE_QUERIES];
    float scores[KERNEL_CODE_QUERIES]; /* of the list's centre */
};

/* The scores of all lists, for each query of the wave. */
void ivf_scan_centres(const struct ivf *ivf, const struct ivf_wave *wave);
/* Into the best rows of the wave's queries. False when the deadline passed. */
bool ivf_scan_list(const struct ivf *ivf, uint32_t list, const struct ivf_wave *wave);
/* Some of what a list begins with comes while another is looked at. */
void ivf_fetch_list(const struct ivf *ivf, uint32_t list);

uint64_t ivf_lists_padded(const struct ivf_section *index);
/* Looks at the best list of the query; the others that it wants go to probes, the most promising
 * first if there are few (nprobe - 1). scores: of all lists. False when the deadline passed. */
bool ivf_choose(const struct ivf *ivf, uint32_t asker, const float *scores,
                struct ivf_probe *ret_probes);

#endif
