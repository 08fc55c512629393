/* SPDX-License-Identifier: Apache-2.0
 * What is stored in the world: collections with their rows (the oracle's truth), their segment
 * images (made by the production format code) and the manifest the coordinator reads. */
#ifndef SIM_COLLECTION_H
#define SIM_COLLECTION_H

#include "base/prng.h"
#include "segstore/manifest.h"
#include "tests/sim/options.h"

enum { COLLECTION_VERSIONS_MAX = 1024 };

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
    uint64_t readable_version; /* of the manifest that is on disk now */
    /* By readable version: which segments (by number) its manifest lists. */
    uint32_t listed[COLLECTION_VERSIONS_MAX];
    struct collection_segment segments[OPTIONS_SEGMENTS_MAX];
    size_t segments_count;
};

void collection_make(struct collection *collection, uint32_t number, const struct options *options,
                     struct prng *prng);
void collection_done(struct collection *collection);
/* Another edition of the collection: the next readable version, with other segments of the same. */
void collection_renew(struct collection *collection, struct prng *prng);
/* Listed in that version, and sealed. */
bool collection_is_readable(const struct collection *collection, uint64_t readable_version,
                            size_t segment_number);
/* That edition lists the same segments as the one on disk now: loading it again changes nothing. */
bool collection_is_same(const struct collection *collection, uint64_t readable_version);
/* As manifest_read would give it; manifest_free releases it. */
struct manifest *collection_manifest(const struct collection *collection);

#endif
