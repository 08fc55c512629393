/* SPDX-License-Identifier: Apache-2.0
 * What is stored in the world: collections with their rows (the oracle's truth), their segment
 * images (made by the production format code) and the manifest the coordinator reads. */
#ifndef SIM_COLLECTION_H
#define SIM_COLLECTION_H

#include "base/prng.h"
#include "segstore/manifest.h"
#include "tests/sim/options.h"

struct collection_segment {
    int64_t segment_id, partition_id;
    enum qn_segment_state state;
    char path[128];
    uint32_t rows_count;
    int64_t *keys;
    float *rows; /* as written: not normalised */
    unsigned char *image;
    uint64_t image_bytes, resident_bytes;
    struct qn_hash content_hash;
};

struct collection {
    int64_t collection_id;
    char name[32], folder[64];
    enum qn_metric metric;
    uint32_t dim;
    uint64_t readable_version;
    struct collection_segment segments[OPTIONS_SEGMENTS_MAX];
    size_t segments_count;
};

void collection_make(struct collection *collection, uint32_t number, const struct options *options,
                     struct prng *prng);
void collection_done(struct collection *collection);
/* As manifest_read would give it; manifest_free releases it. */
struct manifest *collection_manifest(const struct collection *collection);
uint64_t collection_resident_bytes(const struct collection *collection);

#endif
