/* SPDX-License-Identifier: Apache-2.0
 * The index section of a segment (FORMAT.md section 5), used as it lies in memory: a header that
 * all kinds share, then the arrays of its kind. The rows of an indexed segment are row-major and in
 * the order of its index. */
#ifndef SEGSTORE_INDEX_H
#define SEGSTORE_INDEX_H

#include "segstore/graph_section.h"
#include "segstore/ivf_section.h"

enum index_kind { INDEX_NONE, INDEX_IVF, INDEX_GRAPH };

enum {
    INDEX_EDITION = 1,
    INDEX_CALIBRATIONS_MAX = 60,
};

/* Measured when the segment was built: who asks for k neighbours so finds this share of them. */
struct index_calibration {
    uint32_t k;
    float recall;
    uint32_t effort; /* nprobe of an ivf, ef of a graph */
    uint32_t refine;
};

struct index {
    enum index_kind kind;
    struct ivf_section ivf;                                        /* if it is one */
    struct graph_section graph;                                    /* if it is one */
    struct index_calibration calibrations[INDEX_CALIBRATIONS_MAX]; /* by rising k, then recall */
    uint32_t calibrations_count;
};

/* "ivf", "graph"; "flat" of none. */
const char *index_kind_name(enum index_kind kind);
/* What looks at all rows: all lists; 0 of a graph, which promises nothing for any effort. */
uint32_t index_effort_max(const struct index *index);
/* Writes the header of a section whose arrays are laid in memory. */
void index_seal(const struct index *index, void *memory);
/* What reaches a recall for k neighbours, by the calibrations (of the next larger k that was
 * measured); without one that does, what looks at all rows. */
struct index_calibration index_settings(const struct index *index, uint32_t k, float recall);
/* Takes any bytes (64-byte aligned), and checks all that a search relies on. Errors read "section
 * index: reason". */
enum qn_status index_open(const void *memory, uint64_t bytes, const struct segment_facts *facts,
                          struct index *ret_index, struct qn_error *error);

#endif
