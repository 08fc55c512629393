/* SPDX-License-Identifier: Apache-2.0
 * The client handle's other doors: the coordinator's API, feeds, sending; and replies that are
 * late.
 */
#include "tests/unit/client_world.h"

#include "channel/client.h"
#include <stdio.h>
#include <string.h>

static void note_node(void *owner, const struct coord_answer *answer)
{
    char *text = owner;

    text[strlen(text)] = (char)('0' + answer->nodes[0].node_id);
}

static void pages_of_an_answer_come_in_order(void **state)
{
    struct coord_request request = {.verb = COORD_LIST_NODES};
    struct world world;
    char seen[8] = "";

    (void)state;
    world_open(&world, "pages");
    struct qn_client *client = world_client(&world);
    assert_int_equal(qn_coord_call(client, &request, 2000, note_node, seen, NULL), QN_STATUS_OK);
    assert_string_equal(seen, "123");
    qn_client_close(client);
    world_close(&world);
}

static void a_refusal_of_the_coordinator_is_the_calls(void **state)
{
    struct coord_request request = {.verb = COORD_RELEASE_COLLECTION, .collection = "x"};
    struct qn_error error;
    struct world world;

    (void)state;
    world_open(&world, "refusal");
    struct qn_client *client = world_client(&world);
    assert_int_equal(qn_coord_call(client, &request, 2000, note_node, NULL, &error),
                     QN_STATUS_NOT_FOUND);
    assert_string_equal(error.text, "coordinator: no collection \"x\"");
    qn_client_close(client);
    world_close(&world);
}

static void without_a_coordinator_the_text_says_what_to_do(void **state)
{
    struct qn_client_options options = {.url = "inproc://client-alone", .cluster = "test"};
    struct coord_request request = {.verb = COORD_LIST_NODES};
    struct qn_client *client;
    struct qn_error error;

    (void)state;
    assert_int_equal(qn_client_open(&options, &client, NULL), QN_STATUS_OK);
    assert_int_equal(qn_coord_call(client, &request, 300, note_node, NULL, &error),
                     QN_STATUS_NO_RESPONDERS);
    assert_string_equal(error.text, "no coordinator answers on cluster test at "
                                    "inproc://client-alone: is qcoordd running?");
    qn_client_close(client);
}

static void a_mute_coordinator_is_a_timeout(void **state)
{
    struct coord_request request = {.verb = COORD_GET_VIEW, .collection = "5"};
    struct qn_error error;
    struct world world;

    (void)state;
    world_open(&world, "mute");
    atomic_store(&world.is_mute, true);
    struct qn_client *client = world_client(&world);
    assert_int_equal(qn_coord_call(client, &request, 600, note_node, NULL, &error),
                     QN_STATUS_TIMEOUT);
    assert_int_equal(world.view_asks, 3); /* at 0, 250 and 500 ms */
    qn_client_close(client);
    world_close(&world);
}

static void a_coordinator_that_starts_is_asked_again(void **state)
{
    struct coord_request request = {.verb = COORD_LIST_NODES};
    struct qn_error error;
    struct world world;
    char seen[8] = "";

    (void)state;
    world_open(&world, "starts");
    struct qn_client *client = world_client(&world);
    atomic_store(&world.busy_answers, 2);
    assert_int_equal(qn_coord_call(client, &request, 2000, note_node, seen, NULL), QN_STATUS_OK);
    assert_string_equal(seen, "123");
    atomic_store(&world.busy_answers, 100);
    assert_int_equal(qn_coord_call(client, &request, 300, note_node, seen, &error), QN_STATUS_BUSY);
    assert_string_equal(error.text, "coordinator: starting");
    qn_client_close(client);
    world_close(&world);
}

static void a_feed_gives_what_was_asked_for(void **state)
{
    struct message report = {.kind = MESSAGE_NODE_REPORT,
                             .node_report = {.node_id = 7, .pages = 1, .kernels = ""}};
    struct message event = {.kind = MESSAGE_SEGMENT_LOADED, .segment_loaded = {.segment_id = 9}};
    struct qn_feed *reports, *both;
    struct world world;

    (void)state;
    world_open(&world, "feed");
    struct qn_client *client = world_client(&world);
    assert_int_equal(qn_feed_open(client, QN_FEED_REPORTS, &reports, NULL), QN_STATUS_OK);
    assert_int_equal(qn_feed_open(client, QN_FEED_REPORTS | QN_FEED_EVENTS, &both, NULL),
                     QN_STATUS_OK);
    assert_null(qn_feed_next(reports, 10));
    assert_int_equal(qn_send(client, "qnode.test.report.7", &report, NULL), QN_STATUS_OK);
    assert_int_equal(qn_send(client, "qnode.test.event.7", &event, NULL), QN_STATUS_OK);
    const struct message *message = qn_feed_next(reports, 1000);
    assert_non_null(message);
    assert_int_equal(message->node_report.node_id, 7);
    assert_memory_equal(message->sender, "client/", 7);
    assert_null(qn_feed_next(reports, 10));
    assert_int_equal(qn_feed_next(both, 1000)->kind, MESSAGE_NODE_REPORT);
    assert_int_equal(qn_feed_next(both, 1000)->kind, MESSAGE_SEGMENT_LOADED);
    assert_int_equal(qn_feed_dropped(both), 0);
    qn_feed_close(both);
    qn_feed_close(reports);
    qn_client_close(client);
    world_close(&world);
}

static void what_a_full_feed_loses_is_counted(void **state)
{
    struct message event = {.kind = MESSAGE_SEGMENT_LOADED};
    struct qn_feed *feed;
    struct world world;
    int64_t expected = 0;

    (void)state;
    world_open(&world, "full");
    struct qn_client *client = world_client(&world);
    assert_int_equal(qn_feed_open(client, QN_FEED_EVENTS, &feed, NULL), QN_STATUS_OK);
    for (int64_t i = 0; i < LIMIT_INBOX_SLOTS + 10; i++) {
        event.segment_loaded.segment_id = i;
        world_send(&world, "qnode.test.event.1", &event);
    }
    assert_int_equal(qn_feed_dropped(feed), 10);
    for (const struct message *message; (message = qn_feed_next(feed, 0)) != NULL; expected++)
        assert_int_equal(message->segment_loaded.segment_id, expected);
    assert_int_equal(expected, LIMIT_INBOX_SLOTS);
    qn_feed_close(feed);
    qn_client_close(client);
    world_close(&world);
}

/* Whatever comes is shown or counted, also what is no message of ours. */
static void a_feed_shows_what_is_empty_and_counts_what_is_too_large(void **state)
{
    static uint8_t bytes[LIMIT_MESSAGE_BYTES_MAX + 1];
    const struct bus_message empty = {.subject = "qnode.test.event.1"};
    const struct bus_message large = {
        .subject = "qnode.test.event.1", .bytes = bytes, .size = sizeof bytes};
    struct qn_feed *feed;
    struct world world;

    (void)state;
    world_open(&world, "odd");
    struct qn_client *client = world_client(&world);
    assert_int_equal(qn_feed_open(client, QN_FEED_EVENTS, &feed, NULL), QN_STATUS_OK);
    client_feed_offer(client, QN_FEED_EVENTS, &empty);
    const struct qn_feed_item *item = qn_feed_next_item(feed, 1000);
    assert_non_null(item);
    assert_string_equal(item->subject, "qnode.test.event.1");
    assert_int_equal(item->size, 0);
    client_feed_offer(client, QN_FEED_EVENTS, &large);
    assert_null(qn_feed_next_item(feed, 0));
    assert_int_equal(qn_feed_dropped(feed), 1);
    qn_feed_close(feed);
    qn_client_close(client);
    world_close(&world);
}

static void send_names_a_bad_subject(void **state)
{
    struct message event = {.kind = MESSAGE_LEAVING};
    struct qn_client_options options = {.url = "inproc://client-send", .cluster = "test"};
    struct qn_client *client;
    struct qn_error error;

    (void)state;
    assert_int_equal(qn_client_open(&options, &client, NULL), QN_STATUS_OK);
    assert_int_equal(qn_send(client, "a b", &event, &error), QN_STATUS_INVALID);
    assert_non_null(strstr(error.text, "\"a b\""));
    qn_client_close(client);
}

static uint32_t released_count;

static void count_release(struct bus_message *message)
{
    (void)message;
    released_count++;
}

static void reply(struct client_calls *calls, uint64_t id)
{
    static struct bus_message message;
    static char subject[64];

    (void)snprintf(subject, sizeof subject, "qnode.test.reply.ab.%llu", (unsigned long long)id);
    message = (struct bus_message){.subject = subject, .release = count_release};
    client_calls_route(calls, &message);
}

static void a_late_reply_never_reaches_a_later_call(void **state)
{
    struct client_calls calls;
    uint64_t id;

    (void)state;
    released_count = 0;
    client_calls_init(&calls);
    struct client_call *call = client_calls_take(&calls);
    uint64_t first_id = client_call_first_id(call);
    reply(&calls, first_id + 3);
    assert_non_null(client_call_pop(call, &id));
    assert_int_equal(id, first_id + 3);
    reply(&calls, first_id + 4); /* waits in the ring when the call ends */
    client_calls_give_back(&calls, call);
    assert_int_equal(released_count, 1);
    assert_ptr_equal(client_calls_take(&calls), call); /* the same slot, another number */
    reply(&calls, first_id + 5);
    assert_int_equal(released_count, 2);
    assert_null(client_call_pop(call, &id));
    reply(&calls, client_call_first_id(call));
    assert_non_null(client_call_pop(call, &id));
    reply(&calls, 0);
    reply(&calls, UINT64_MAX);
    assert_int_equal(released_count, 4);
    assert_int_equal(client_calls_id_of("a.b.x1"), 0);
    assert_int_equal(client_calls_id_of("99999999999999999999999"), 0);
    assert_int_equal(client_calls_id_of("a.99999999999999999999999"), 0);
    client_calls_give_back(&calls, call);
    client_calls_done(&calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_an_answer_come_in_order),
        cmocka_unit_test(a_refusal_of_the_coordinator_is_the_calls),
        cmocka_unit_test(without_a_coordinator_the_text_says_what_to_do),
        cmocka_unit_test(a_mute_coordinator_is_a_timeout),
        cmocka_unit_test(a_coordinator_that_starts_is_asked_again),
        cmocka_unit_test(a_feed_gives_what_was_asked_for),
        cmocka_unit_test(what_a_full_feed_loses_is_counted),
        cmocka_unit_test(a_feed_shows_what_is_empty_and_counts_what_is_too_large),
        cmocka_unit_test(send_names_a_bad_subject),
        cmocka_unit_test(a_late_reply_never_reaches_a_later_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
