/* SPDX-License-Identifier: Apache-2.0
 * Which view a client holds after what it has heard. */
#include "tests/test.h"

#include "channel/client_views.h"
#include "channel/codec.h"
#include <stdlib.h>
#include <string.h>

enum { MS = 1000 };

struct heard {
    struct bus_message message;
    uint8_t bytes[];
};

static void heard_free(struct bus_message *message)
{
    free(message);
}

static void hear(struct client_views *views, struct message *message)
{
    struct arena arena;
    const uint8_t *bytes;
    size_t size;

    arena_init(&arena, 1 << 20);
    message->cluster = "test";
    assert_int_equal(codec_encode(message, &arena, &bytes, &size, NULL), QN_STATUS_OK);
    struct heard *heard = malloc(sizeof *heard + size);
    memcpy(heard->bytes, bytes, size);
    heard->message = (struct bus_message){.subject = message->kind == MESSAGE_COORD_ANSWER
                                                         ? "qnode.test.reply.3f2a.1"
                                                         : "qnode.test.query.5",
                                          .bytes = heard->bytes,
                                          .size = size,
                                          .release = heard_free};
    client_views_offer(views, &heard->message);
    arena_done(&arena);
}

/* Page `page` of `pages` of that version of a collection: one item, segment version * 10 + page. */
static struct collection_view page_of(int64_t collection_id, uint64_t version, uint32_t page,
                                      uint32_t pages)
{
    static struct view_item item;

    item = (struct view_item){.segment_id = (int64_t)version * 10 + page};
    return (struct collection_view){.collection_id = collection_id,
                                    .name = "c",
                                    .version = {1, version},
                                    .readable_version = 1,
                                    .metric = QN_METRIC_L2,
                                    .dim = 4,
                                    .page = page,
                                    .pages = pages,
                                    .items = &item,
                                    .items_count = 1};
}

static void hear_page(struct client_views *views, uint64_t version, uint32_t page, uint32_t pages)
{
    struct message message = {.kind = MESSAGE_COLLECTION_VIEW,
                              .collection_view = page_of(5, version, page, pages)};

    hear(views, &message);
    client_views_drain(views, 0);
}

static void hear_change(struct client_views *views, uint64_t version, uint64_t now_us)
{
    struct message message = {.kind = MESSAGE_CHANGE_INFO,
                              .change_info = {.collection_id = 5, .version = {1, version}}};

    hear(views, &message);
    client_views_drain(views, now_us);
}

/* The view held is this one, whole; 0: none. */
static void holds(struct client_views *views, uint64_t version, size_t items_count)
{
    struct client_snapshot *snapshot = client_views_get(views, 5);

    assert_int_equal(snapshot == NULL ? 0 : snapshot->view.version.version, version);
    assert_int_equal(snapshot == NULL ? 0 : snapshot->view.items_count, items_count);
    for (size_t i = 0; i < items_count; i++)
        assert_int_equal(snapshot->view.items[i].segment_id, version * 10 + i);
    client_snapshot_unref(snapshot);
}

static struct client_views *views_new(void)
{
    struct client_views *views = aligned_alloc(_Alignof(struct client_views), sizeof *views);

    assert_int_equal(client_views_init(views, 7), QN_STATUS_OK);
    return views;
}

static void views_free(struct client_views *views)
{
    client_views_done(views);
    free(views);
}

static void pages_join_in_any_order_and_repeated(void **state)
{
    struct client_views *views = views_new();

    (void)state;
    hear_page(views, 1, 2, 3);
    hear_page(views, 1, 0, 3);
    hear_page(views, 1, 0, 3);
    holds(views, 0, 0);
    hear_page(views, 1, 1, 3);
    holds(views, 1, 3);
    views_free(views);
}

static void pages_of_two_versions_never_join(void **state)
{
    struct client_views *views = views_new();

    (void)state;
    hear_page(views, 1, 0, 2);
    hear_page(views, 2, 1, 2); /* newer: the first page is forgotten */
    holds(views, 0, 0);
    hear_page(views, 1, 1, 2); /* older: ignored */
    holds(views, 0, 0);
    hear_page(views, 2, 0, 2);
    holds(views, 2, 2);
    views_free(views);
}

static void the_newest_version_wins(void **state)
{
    struct client_views *views = views_new();

    (void)state;
    hear_page(views, 3, 0, 1);
    hear_page(views, 2, 0, 1);
    holds(views, 3, 1);
    struct client_snapshot *held = client_views_get(views, 5);
    hear_page(views, 4, 0, 1);
    holds(views, 4, 1);
    assert_int_equal(held->view.version.version, 3); /* who holds the old one keeps it */
    client_snapshot_unref(held);
    struct collection_view page = page_of(5, 5, 0, 1);
    struct message answer = {.kind = MESSAGE_COORD_ANSWER,
                             .coord_answer = {.text = "", .view = &page, .pages = 1}};
    hear(views, &answer);
    client_views_drain(views, 0);
    holds(views, 5, 1);
    views_free(views);
}

static void a_hint_is_followed_after_a_while_unless_the_view_comes(void **state)
{
    struct client_views *views = views_new();

    (void)state;
    hear_page(views, 1, 0, 1);
    hear_change(views, 1, 0); /* known already */
    assert_false(client_views_should_ask(views, 5, true, 500 * MS));
    hear_change(views, 2, 1000 * MS);
    assert_false(client_views_should_ask(views, 5, true, 1019 * MS));
    assert_true(client_views_should_ask(views, 5, true, 1070 * MS));
    assert_false(client_views_should_ask(views, 5, true, 1071 * MS));
    hear_change(views, 3, 2000 * MS);
    hear_page(views, 3, 0, 1);
    assert_false(client_views_should_ask(views, 5, true, 3000 * MS));
    views_free(views);
}

static void many_that_lack_a_view_ask_once_in_50_ms(void **state)
{
    struct client_views *views = views_new();

    (void)state;
    assert_false(client_views_should_ask(views, 5, true, 1000 * MS));
    assert_true(client_views_should_ask(views, 5, false, 1000 * MS));
    assert_false(client_views_should_ask(views, 5, false, 1000 * MS));
    assert_true(client_views_should_ask(views, 6, false, 1000 * MS)); /* another collection */
    assert_false(client_views_should_ask(views, 5, false, 1049 * MS));
    assert_true(client_views_should_ask(views, 5, false, 1050 * MS));
    views_free(views);
}

static void hear_not_found(struct client_views *views, uint64_t request_id)
{
    struct message message = {
        .request_id = request_id,
        .kind = MESSAGE_COORD_ANSWER,
        .coord_answer = {.status = QN_STATUS_NOT_FOUND, .text = "", .pages = 1}};

    hear(views, &message);
    client_views_drain(views, 0);
}

static void not_found_is_about_the_collection_that_was_asked_for(void **state)
{
    struct client_views *views = views_new();

    (void)state;
    assert_true(client_views_should_ask(views, 5, false, 1000 * MS));
    client_views_asked(views, 5, 71);
    assert_true(client_views_should_ask(views, 6, false, 1000 * MS));
    client_views_asked(views, 6, 72);
    hear_not_found(views, 70);
    assert_false(client_views_is_absent(views, 5));
    hear_not_found(views, 71);
    assert_true(client_views_is_absent(views, 5));
    assert_false(client_views_is_absent(views, 6));
    client_views_asked(views, 5, 73); /* it may have come meanwhile */
    assert_false(client_views_is_absent(views, 5));
    hear_not_found(views, 73);
    hear_page(views, 1, 0, 1);
    assert_false(client_views_is_absent(views, 5));
    client_views_asked(views, 5, 74);
    hear_not_found(views, 74); /* who holds a view goes on with it */
    assert_false(client_views_is_absent(views, 5));
    views_free(views);
}

static void what_an_idle_client_lost_is_asked_about(void **state)
{
    struct client_views *views = views_new();
    struct message message = {.kind = MESSAGE_CHANGE_INFO,
                              .change_info = {.collection_id = 99, .version = {1, 1}}};

    (void)state;
    hear_page(views, 1, 0, 1);
    for (int i = 0; i <= CLIENT_VIEWS_INBOX_SLOTS; i++)
        hear(views, &message);
    client_views_drain(views, 1000 * MS);
    assert_true(client_views_should_ask(views, 5, true, 1100 * MS));
    assert_false(client_views_should_ask(views, 5, true, 9000 * MS));
    views_free(views);
}

static void beyond_the_bound_the_collection_unused_longest_is_forgotten(void **state)
{
    struct client_views *views = views_new();

    (void)state;
    hear_page(views, 1, 0, 1);
    holds(views, 1, 1); /* used */
    for (int64_t i = 0; i < CLIENT_VIEWS_MAX + 50; i++) {
        struct message message = {.kind = MESSAGE_COLLECTION_VIEW,
                                  .collection_view = page_of(100 + i, 1, 0, 1)};
        hear(views, &message);
        client_views_drain(views, 0);
    }
    holds(views, 1, 1);
    assert_int_equal(views->collections_count, CLIENT_VIEWS_MAX);
    views_free(views);
}

static void rubbish_changes_nothing(void **state)
{
    static uint8_t bytes[] = {0xff, 0x00, 0x17};
    struct client_views *views = views_new();

    (void)state;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct heard *heard = malloc(sizeof *heard);
        heard->message = (struct bus_message){
            .subject = "", .bytes = bytes, .size = size, .release = heard_free};
        client_views_offer(views, &heard->message);
    }
    client_views_drain(views, 0);
    assert_int_equal(views->collections_count, 0);
    assert_int_equal(views->inbox_bytes, 0);
    views_free(views);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_join_in_any_order_and_repeated),
        cmocka_unit_test(pages_of_two_versions_never_join),
        cmocka_unit_test(the_newest_version_wins),
        cmocka_unit_test(a_hint_is_followed_after_a_while_unless_the_view_comes),
        cmocka_unit_test(many_that_lack_a_view_ask_once_in_50_ms),
        cmocka_unit_test(what_an_idle_client_lost_is_asked_about),
        cmocka_unit_test(not_found_is_about_the_collection_that_was_asked_for),
        cmocka_unit_test(beyond_the_bound_the_collection_unused_longest_is_forgotten),
        cmocka_unit_test(rubbish_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
