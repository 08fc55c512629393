/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sweep/scene.h"

#include "base/check.h"
#include "base/prng.h"
#include "segstore/manifest.h"
#include "segstore/topk.h"
#include "segstore/writer.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first segment takes several pieces of 1 MiB, so several reads. */
static const uint32_t rows_counts[SCENE_SEGMENTS] = {4200, 200};

static void push_rows(struct scene *scene, struct topk *topks, int64_t first_key, const float *rows,
                      uint32_t rows_count)
{
    for (size_t q = 0; q < SCENE_QUERIES; q++)
        for (uint32_t r = 0; r < rows_count; r++) {
            float sum = 0;
            for (size_t d = 0; d < SCENE_DIM; d++) {
                float t = scene->queries[q * SCENE_DIM + d] - rows[r * SCENE_DIM + d];
                sum = fmaf(t, t, sum);
            }
            topk_push(&topks[q], (struct qn_hit){first_key + r, sum});
        }
}

static void make_segment(struct scene *scene, struct prng *prng, size_t number,
                         struct manifest_segment *segment, struct topk *topks)
{
    uint32_t rows_count = rows_counts[number];
    struct segment_facts facts = {
        .segment_id = SCENE_FIRST_SEGMENT + (int64_t)number,
        .collection_id = SCENE_COLLECTION,
        .rows_count = rows_count,
        .dim = SCENE_DIM,
        .metric = QN_METRIC_L2,
    };
    float *rows = calloc((size_t)rows_count * SCENE_DIM, sizeof *rows);
    int64_t *keys = calloc(rows_count, sizeof *keys);
    struct qn_error error = {0};

    CHECK(rows != NULL && keys != NULL);
    for (size_t i = 0; i < (size_t)rows_count * SCENE_DIM; i++)
        rows[i] = (float)prng_normal(prng);
    for (uint32_t r = 0; r < rows_count; r++)
        keys[r] = facts.segment_id * 1000000 + r;
    CHECK(asprintf(&segment->path, "%s/%" PRId64 ".qseg", scene->folder, facts.segment_id) > 0);
    CHECK(writer_save_file(segment->path, &facts, keys, rows, &error) == QN_STATUS_OK);
    segment->segment_id = facts.segment_id;
    segment->state = QN_SEGMENT_SEALED;
    segment->rows_count = rows_count;
    segment->resident_bytes = facts.resident_bytes;
    segment->content_hash = facts.content_hash;
    scene->resident_bytes += facts.resident_bytes;
    push_rows(scene, topks, keys[0], rows, rows_count);
    free(rows);
    free(keys);
}

static void make_collection(struct scene *scene)
{
    struct manifest_segment segments[SCENE_SEGMENTS] = {0};
    struct manifest manifest = {.collection_id = SCENE_COLLECTION,
                                .name = (char[]){"swept"},
                                .folder = scene->folder,
                                .metric = QN_METRIC_L2,
                                .dim = SCENE_DIM,
                                .readable_version = 1,
                                .segments = segments,
                                .segments_count = SCENE_SEGMENTS};
    struct topk topks[SCENE_QUERIES];
    void *storage = calloc(SCENE_QUERIES, topk_bytes(SCENE_K));
    struct prng prng;
    struct qn_error error = {0};

    CHECK(storage != NULL);
    prng_init(&prng, 3);
    for (size_t i = 0; i < COUNT_OF(scene->queries); i++)
        scene->queries[i] = (float)prng_normal(&prng);
    for (size_t q = 0; q < SCENE_QUERIES; q++)
        topk_init(&topks[q], QN_METRIC_L2, SCENE_K, (char *)storage + q * topk_bytes(SCENE_K));
    for (size_t i = 0; i < SCENE_SEGMENTS; i++)
        make_segment(scene, &prng, i, &segments[i], topks);
    CHECK(manifest_write(&manifest, &error) == QN_STATUS_OK);
    for (size_t q = 0; q < SCENE_QUERIES; q++) {
        topk_sort(&topks[q]);
        memcpy(&scene->hits[q * SCENE_K], topks[q].hits, SCENE_K * sizeof *scene->hits);
    }
    for (size_t i = 0; i < SCENE_SEGMENTS; i++)
        free(segments[i].path);
    free(storage);
}

static void join(char ret_path[SCENE_PATH_BYTES], const char *folder, const char *name)
{
    (void)snprintf(ret_path, SCENE_PATH_BYTES, "%s%s", folder, name);
}

void scene_open(struct scene *scene)
{
    char folder[64];
    bool has_shm = access("/dev/shm", W_OK) == 0;

    *scene = (struct scene){0};
    (void)snprintf(folder, sizeof folder, "%s/qnode-sweep-XXXXXX", has_shm ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
    join(scene->folder, folder, "");
    join(scene->state_path, folder, "/coordinator.sqlite");
    join(scene->node_folders[0], folder, "/node1");
    join(scene->node_folders[1], folder, "/node2");
    for (int i = 0; i < 2; i++)
        CHECK(mkdir(scene->node_folders[i], 0777) == 0);
    make_collection(scene);
}

static void remove_file(const char *path, const char *tail)
{
    char full[256];

    (void)snprintf(full, sizeof full, "%s%s", path, tail);
    (void)unlink(full);
}

void scene_clean(const struct scene *scene)
{
    for (int i = 0; i < 2; i++) {
        remove_file(scene->node_folders[i], "/node.state");
        remove_file(scene->node_folders[i], "/node.state.tmp");
    }
    remove_file(scene->state_path, "");
    remove_file(scene->state_path, "-wal");
    remove_file(scene->state_path, "-shm");
}

void scene_close(struct scene *scene)
{
    char name[32];

    scene_clean(scene);
    for (int i = 0; i < 2; i++)
        (void)rmdir(scene->node_folders[i]);
    for (int i = 0; i < SCENE_SEGMENTS; i++) {
        (void)snprintf(name, sizeof name, "/%d.qseg", SCENE_FIRST_SEGMENT + i);
        remove_file(scene->folder, name);
    }
    remove_file(scene->folder, "/collection.json");
    (void)rmdir(scene->folder);
}

bool scene_is_right(const struct scene *scene, const struct qn_search_result *result)
{
    if (result->verdict != QN_VERDICT_COMPLETE)
        return false;
    for (size_t q = 0; q < SCENE_QUERIES; q++) {
        if (result->hit_counts[q] != SCENE_K)
            return false;
        for (size_t i = q * SCENE_K; i < (q + 1) * SCENE_K; i++)
            if (result->hits[i].primary_key != scene->hits[i].primary_key ||
                result->hits[i].distance != scene->hits[i].distance)
                return false;
    }
    return true;
}
