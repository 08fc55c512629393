/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/exhaustive/image.h"

#include "base/check.h"
#include "tests/sim/exhaustive/worlds.h"
#include <string.h>

uint32_t image_bucket(void)
{
    struct node_options options = {.node_id = 1, .boot = 1, .term = 1, .numa_count = 1};
    struct segment_released receipt = {.segment_id = EXHAUST_SEGMENT};
    struct node *node = node_new(&options);
    uint32_t bucket = 0;

    CHECK(node != NULL);
    node_tables_remember(node, &receipt);
    while (node->released.heads[bucket] == NODE_SLOT_NONE)
        bucket++;
    (void)node_free(node);
    return bucket;
}

static void shift(uint64_t *ms, uint64_t by_ms)
{
    if (*ms != 0)
        *ms += by_ms;
}

void image_canonical(struct node *node)
{
    struct node_copy *copy = &node->copies[0];
    struct node_release *release = &copy->release;
    uint64_t by_ms = IMAGE_NOW_MS - node->now_ms; /* may wrap: so does the sum */

    node->now_ms = IMAGE_NOW_MS;
    node->counters = (struct node_counters){0};
    for (uint32_t i = 0; i < node->released.next; i++)
        node->receipts[i].waited_ms = 0;
    if (node->copies_count == 0)
        return;
    shift(&release->leaving_since_ms, by_ms);
    shift(&release->asked_ms, by_ms);
    shift(&release->ask_deadline_ms, by_ms);
    shift(&release->unmap_ms, by_ms);
    shift(&copy->load_started_ms, by_ms);
    if (release->leaving_since_ms != 0 &&
        release->leaving_since_ms < IMAGE_NOW_MS - EXHAUST_GRACE_MS)
        release->leaving_since_ms = IMAGE_NOW_MS - EXHAUST_GRACE_MS; /* over is over */
    if (release->nonce == 0)
        release->asked_ms = release->ask_deadline_ms = 0;
    copy->load_took_ms = 0;
    copy->load_started_ms = copy->state == QN_COPY_LOADING ? IMAGE_NOW_MS : 0;
}

void image_capture(const struct node *node, uint32_t bucket, struct image *image)
{
    CHECK(node->released.next <= IMAGE_RECEIPTS_MAX);
    CHECK(node->copies_count <= 1);
    memset(image, 0, sizeof *image);
    memcpy(image->head, node, sizeof image->head);
    if (node->copies_count > 0)
        memcpy(&image->copy, &node->copies[0], sizeof image->copy);
    image->floor = node->floor;
    image->released_next = node->released.next;
    image->released_head = node->released.heads[bucket];
    memcpy(image->released_links, node->released.links, sizeof image->released_links);
    memcpy(image->released_live, node->released.live, sizeof image->released_live);
    memcpy(image->released_keys, node->released.keys, sizeof image->released_keys);
    memcpy(image->receipts, node->receipts, sizeof image->receipts);
}

void image_restore(const struct image *image, uint32_t bucket, struct node *node)
{
    memcpy(node, image->head, sizeof image->head);
    memcpy(&node->copies[0], &image->copy, sizeof image->copy);
    node->floor = image->floor;
    node->released.next = image->released_next;
    node->released.heads[bucket] = image->released_head;
    memcpy(node->released.links, image->released_links, sizeof image->released_links);
    memcpy(node->released.live, image->released_live, sizeof image->released_live);
    memcpy(node->released.keys, image->released_keys, sizeof image->released_keys);
    memcpy(node->receipts, image->receipts, sizeof image->receipts);
}
