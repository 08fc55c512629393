/* SPDX-License-Identifier: Apache-2.0
 * A stage for tests of one search: a view that can be changed, the search, and its virtual clock.
 */
#ifndef TESTS_UNIT_CLIENT_SCENE_H
#define TESTS_UNIT_CLIENT_SCENE_H

#include "tests/test.h"

#include "channel/client_plan.h"

enum { FIRST_ID = 1000, ITEMS_MAX = 16, COPIES_MAX = 4 };

/* A view under construction, a search over it, and its clock. */
struct scene {
    struct arena arena;
    struct view_item items[ITEMS_MAX];
    struct view_copy copies[ITEMS_MAX][COPIES_MAX];
    struct collection_view view;
    struct qn_search_request request;
    float queries[4];
    struct client_search *search;
    uint64_t now_ms;
};

/* An answer under construction. */
struct fake_answer {
    uint8_t covered[1];
    struct qn_hit hits[8];
    uint32_t counts[1];
    struct refusal refused[8];
    struct search_answer answer;
};

void scene_init(struct scene *scene);
struct view_item *scene_item(struct scene *scene, int64_t segment_id);
void copy(struct scene *scene, int64_t segment_id, int64_t node_id, const char *replica);
void uncopy(struct scene *scene, int64_t segment_id);
void scene_start(struct scene *scene);
void scene_done(struct scene *scene);
void at(struct scene *scene, uint64_t now_ms);
void nothing_to_do(struct scene *scene);
void asks_the_view(struct scene *scene);
uint64_t asks(struct scene *scene, int64_t node_id, const char *segments);
struct fake_answer *covers(uint8_t covered);
struct fake_answer *hit(struct fake_answer *fake, int64_t key, float distance);
struct fake_answer *refuses(struct fake_answer *fake, uint32_t index, enum qn_status status,
                            int64_t moved_to);
void answers(struct scene *scene, uint64_t id, struct fake_answer *fake);
void new_view(struct scene *scene, uint64_t version, uint64_t readable_version);
struct qn_search_result ends(struct scene *scene, enum qn_verdict verdict);
void ends_with(struct scene *scene, enum qn_verdict verdict, const char *keys);

#define SCENE(name)                                                                                \
    struct scene name;                                                                             \
    (void)state;                                                                                   \
    scene_init(&name)

#endif
