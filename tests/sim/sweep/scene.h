/* SPDX-License-Identifier: Apache-2.0
 * The files of the sweep, made once: a folder, a collection of two segments in it, one query, and
 * what a search must find. */
#ifndef SWEEP_SCENE_H
#define SWEEP_SCENE_H

#include "base/limits.h"
#include "qnode/search.h"

enum {
    SCENE_COLLECTION = 3,
    SCENE_SEGMENTS = 2,
    SCENE_FIRST_SEGMENT = 101,
    SCENE_DIM = 64,
    SCENE_PATH_BYTES = 128,
    SCENE_QUERIES = 32, /* a request takes more than the first chunk of an arena */
    SCENE_K = 100,      /* with a small payload the answer comes in parts */
};

struct scene {
    char folder[SCENE_PATH_BYTES]; /* collection.json, segments, and what nodes and coordinator keep
                                    */
    char state_path[SCENE_PATH_BYTES]; /* of the coordinator */
    char node_folders[2][SCENE_PATH_BYTES];
    uint64_t resident_bytes; /* of all segments */
    float queries[SCENE_QUERIES * SCENE_DIM];
    struct qn_hit hits[SCENE_QUERIES * SCENE_K];
};

/* On a file system in memory if there is one: thousands of fsyncs are to come. */
void scene_open(struct scene *scene);
/* Forgets what nodes and coordinator kept. */
void scene_clean(const struct scene *scene);
void scene_close(struct scene *scene);
/* Whether the result is COMPLETE and what brute force finds. */
bool scene_is_right(const struct scene *scene, const struct qn_search_result *result);

#endif
