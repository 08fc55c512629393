/* SPDX-License-Identifier: Apache-2.0
 * The few KiB of a struct node that one segment can change, taken out and put back as raw bytes: a
 * field that somebody adds to a copy is in them by itself. */
#ifndef TESTS_SIM_EXHAUSTIVE_IMAGE_H
#define TESTS_SIM_EXHAUSTIVE_IMAGE_H

#include "agent/node_internal.h"

enum {
    IMAGE_RECEIPTS_MAX = 4,
    IMAGE_NOW_MS = 1 << 20, /* what every image's clock says */
};

/* All of a node that one segment can change, but for the hints: no step reads those. */
struct image {
    unsigned char head[offsetof(struct node, order)];
    struct node_copy copy;
    struct qn_epoch floor;
    uint32_t released_next;
    uint16_t released_head, released_links[IMAGE_RECEIPTS_MAX];
    bool released_live[IMAGE_RECEIPTS_MAX];
    int64_t released_keys[IMAGE_RECEIPTS_MAX];
    struct segment_released receipts[IMAGE_RECEIPTS_MAX];
};

/* Where the segment's id stands among the released is the table's secret: found by a try. */
uint32_t image_bucket(void);
/* Times relative to now, and nothing that only figures tell: what the future depends on. */
void image_canonical(struct node *node);
void image_capture(const struct node *node, uint32_t bucket, struct image *image);
void image_restore(const struct image *image, uint32_t bucket, struct node *node);

#endif
