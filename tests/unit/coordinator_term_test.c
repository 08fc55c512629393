/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/coordinator_world.h"
#include <string.h>

static int set_up(void **state)
{
    struct world *world = test_malloc(sizeof *world);

    world_open(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_close(*state);
    test_free(*state);
    return 0;
}

static void it_listens_for_a_second_and_answers_busy(void **state)
{
    struct world *world = *state;

    world_start_node(world, 1);
    world_start_coordinator(world);
    world_run(world, 900);
    assert_int_equal(world->core->phase, CORE_LISTENING);
    world_balance(world, 1, 2, 1);
    assert_int_equal(world->answer_status, QN_STATUS_BUSY);
    assert_string_equal(world->answer_text, "starting");
    world_ask(world, COORD_LIST_NODES, "");
    assert_int_equal(world->answer_status, QN_STATUS_OK);
    assert_int_equal(world->sent[MESSAGE_LOAD_SEGMENTS], 0);
    world_run(world, 300);
    assert_int_equal(world->core->phase, CORE_ACTIVE);
    assert_int_equal(world->core->term, 1);
}

static void it_takes_a_term_above_the_store_and_above_the_reports(void **state)
{
    struct world *world = *state;

    world->nodes[1].term = 41;
    world_start_node(world, 1);
    world_start_coordinator(world);
    world_run(world, 1300);
    assert_int_equal(world->core->term, 42);
    world_kill_coordinator(world);
    world_kill_node(world, 1);
    world_start_coordinator(world);
    world_run(world, 1300);
    assert_int_equal(world->core->term, 43);
}

static void every_node_learns_the_new_term(void **state)
{
    struct world *world = *state;

    world_start(world);
    world_run(world, 200);
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++)
        assert_int_equal(node_term(world->nodes[node_id].node), 1);
    world_kill_coordinator(world);
    world_start_coordinator(world);
    world_run(world, 1500);
    for (int64_t node_id = 1; node_id < WORLD_NODES; node_id++)
        assert_int_equal(node_term(world->nodes[node_id].node), 2);
}

static void an_absurd_term_is_not_believed(void **state)
{
    struct world *world = *state;

    world->nodes[1].term = UINT64_C(1) << 40;
    world_start(world);
    assert_int_equal(world->core->term, 1);
}

static void a_higher_term_in_a_report_makes_it_step_down(void **state)
{
    struct world *world = *state;

    world_start(world);
    world_kill_node(world, 2);
    world->nodes[2].term = 9;
    world_start_node(world, 2);
    world_run(world, 300);
    assert_null(world->core);
    assert_string_equal(world->failure,
                        "node/2 knows term 9, ours is 1: another coordinator has taken over");
    world_start_coordinator(world);
    world_run(world, 1500);
    assert_int_equal(world->core->term, 10);
}

static void a_refusal_with_a_higher_term_makes_it_step_down(void **state)
{
    struct world *world = *state;
    struct message message = {.cluster = "test",
                              .sender = "node/1",
                              .boot = 1,
                              .term = 5,
                              .reply_to = "",
                              .kind = MESSAGE_COMMAND_REFUSED,
                              .command_refused = {.status = QN_STATUS_TERM_STALE, .text = ""}};

    world_start(world);
    world_deliver(world, &message);
    assert_null(world->core);
    assert_non_null(strstr(world->failure, "node/1 knows term 5, ours is 1"));
}

static void of_two_coordinators_the_later_one_wins(void **state)
{
    struct world *first = *state;

    world_start(first);
    world_load(first, 2, 1);
    struct core *older = first->core;
    first->core = NULL;
    world_start_coordinator(first); /* a second one, on a copy of the state */
    world_run(first, 1500);
    struct core *newer = first->core;
    assert_int_equal(newer->term, older->term + 1);
    first->core = older;
    world_run(first, 1500);
    assert_null(first->core);
    assert_non_null(strstr(first->failure, "knows term 2, ours is 1"));
    first->core = newer;
}

static void a_term_that_another_took_at_the_same_time_is_given_up(void **state)
{
    struct world *world = *state;

    world_start_coordinator(world);
    world_run(world, 1200); /* nobody is there to be heard */
    assert_int_equal(world->core->term, 1);
    world->nodes[1].term = 1; /* told by another one */
    world_start_node(world, 1);
    world_run(world, 100);
    assert_null(world->core);
    assert_non_null(strstr(world->failure, "another coordinator uses it too"));
    world_start_coordinator(world);
    world_run(world, 1500);
    assert_int_equal(world->core->term, 2);
}

/* What another coordinator says each second. */
static void announce(struct world *world, uint64_t boot, uint64_t term)
{
    world_deliver(world, &(struct message){.cluster = "test",
                                           .sender = "coordinator",
                                           .boot = boot,
                                           .term = term,
                                           .reply_to = "",
                                           .kind = MESSAGE_REPORT_REQUEST});
}

static void of_two_with_the_same_term_the_lower_boot_gives_way(void **state)
{
    struct world *world = *state;

    world_start_coordinator(world);
    world->core->options.boot = 5;
    world_run(world, 1200);
    assert_int_equal(world->core->term, 6);
    announce(world, 5, 6); /* our own words */
    announce(world, 4, 6);
    assert_int_equal(world->core->phase, CORE_ACTIVE);
    announce(world, 6, 6);
    assert_null(world->core);
    assert_non_null(strstr(world->failure, "another coordinator took it at the same time"));
}

static void an_announced_term_is_heard_like_a_reported_one(void **state)
{
    struct world *world = *state;

    world_start_coordinator(world);
    world->core->options.boot = 5;
    world_run(world, 500);
    announce(world, 4, 7);
    world_run(world, 700);
    assert_int_equal(world->core->term, 7 + 1 + 5); /* another boot, another term */
    announce(world, 4, 7);
    assert_int_equal(world->core->phase, CORE_ACTIVE);
    announce(world, 4, 14);
    assert_null(world->core);
}

static void a_client_with_a_view_of_a_higher_term_makes_it_step_down(void **state)
{
    struct world *world = *state;
    struct message request = {
        .cluster = "test",
        .sender = "client/3f2a",
        .request_id = 1,
        .reply_to = "qnode.test.reply.3f2a.1",
        .kind = MESSAGE_COORD_REQUEST,
        .coord_request = {.verb = COORD_GET_VIEW, .collection = "7", .folder = ""}};

    world_start_coordinator(world);
    world_run(world, 1200);
    request.term = world->core->term;
    world_deliver(world, &request);
    assert_int_equal(world->core->phase, CORE_ACTIVE);
    request.term = 5;
    world_deliver(world, &request); /* not so soon: anybody could keep it from working */
    assert_int_equal(world->core->phase, CORE_ACTIVE);
    world_run(world, CORE_CLIENT_TERM_MS);
    world_deliver(world, &request);
    assert_null(world->core);
    assert_non_null(strstr(world->failure, "client/3f2a knows term 5, ours is 1"));
    world_start_coordinator(world);
    world_run(world, 1200); /* nobody asks: it has not forgotten */
    assert_int_equal(world->core->term, 6);
    request.coord_request.verb = COORD_LIST_NODES;
    request.term = 9;
    world_deliver(world, &request);
    assert_int_equal(world->core->phase, CORE_ACTIVE);
}

/* It would take a term that every agent refuses, for good. */
static void no_term_is_believed_that_agents_would_not_obey(void **state)
{
    struct world *world = *state;
    uint64_t most = (UINT64_C(1) << LIMIT_TERM_JUMP_LOG2) - CORE_TERM_SPREAD;

    world_start_coordinator(world);
    world->core->options.boot = CORE_TERM_SPREAD - 1; /* it takes the highest that it may */
    world_run(world, 500);
    announce(world, 4, most + 1);
    announce(world, 4, most);
    announce(world, 4, 2 * most);
    world_run(world, 700);
    assert_int_equal(world->core->term, most + CORE_TERM_SPREAD);
    world_start_node(world, 1);
    world_run(world, 2500);
    assert_int_equal(node_term(world->nodes[1].node), most + CORE_TERM_SPREAD);
}

static void it_denies_no_collection_before_it_commands(void **state)
{
    struct world *world = *state;

    world_start_coordinator(world);
    world_run(world, 500);
    world_ask(world, COORD_GET_VIEW, "7");
    assert_int_equal(world->answer_status, QN_STATUS_BUSY);
    assert_string_equal(world->answer_text, "starting");
    world_run(world, 700);
    world_ask(world, COORD_GET_VIEW, "7");
    assert_int_equal(world->answer_status, QN_STATUS_NOT_FOUND);
}

static void it_announces_itself_each_second(void **state)
{
    struct world *world = *state;

    world_start_coordinator(world);
    world_run(world, 900);
    assert_int_equal(world->announcements, 0);
    world_run(world, 3300);
    assert_int_equal(world->announcements, 4);
}

static void after_a_restart_no_view_is_published_before_the_nodes_have_spoken(void **state)
{
    struct world *world = *state;

    world_start(world);
    world_load(world, 2, 1);
    world_kill_coordinator(world);
    world->nodes[1].cut = true;
    world_start_coordinator(world);
    size_t published = world->view.published_count;
    world_run(world, 2000);
    assert_int_equal(world->view.published_count, published);
    world_ask(world, COORD_GET_VIEW, "words");
    assert_int_equal(world->answer_status, QN_STATUS_BUSY);
    world->nodes[1].cut = false;
    world_run(world, 1500);
    assert_true(world->view.published_count > published);
    assert_true(world_view_has(world, 1, 1));
    world_ask(world, COORD_GET_VIEW, "words");
    assert_int_equal(world->answer_status, QN_STATUS_OK);
}

static void a_node_that_stays_away_does_not_hold_the_view_for_ever(void **state)
{
    struct world *world = *state;

    world_start(world);
    world_load(world, 2, 1);
    world_kill_coordinator(world);
    world_kill_node(world, 1);
    world_start_coordinator(world);
    world_run(world, 1000 + LIMIT_NODE_SILENT_MS + 500);
    assert_int_equal(world->view.items_count, 2);
    assert_int_equal(world->view.items[0].copies_count, 0);
}

static bool drops_loads(struct world *world, int64_t to, const struct message *message)
{
    (void)world;
    return to != WORLD_TO_COORDINATOR && message->kind == MESSAGE_LOAD_SEGMENTS;
}

/* Else the commands of an older coordinator could drop what the view names (simulated world
 * 7054198). */
static void a_view_waits_until_its_nodes_know_the_term(void **state)
{
    struct world *world = *state;

    world_start(world);
    world_load(world, 2, 1);
    world_kill_coordinator(world);
    world->drops = drops_loads;
    world_start_coordinator(world);
    size_t published = world->view.published_count;
    world_run(world, 1000 + LIMIT_NODE_SILENT_MS - 500);
    assert_int_equal(world->view.published_count, published);
    world->drops = NULL;
    world_run(world, 1500);
    assert_int_equal(world->view.version.term, 2);
    assert_true(world_view_has(world, 1, 1));
    assert_int_equal(node_term(world->nodes[1].node), 2);
}

static void a_node_that_never_takes_the_term_does_not_hold_the_view_for_ever(void **state)
{
    struct world *world = *state;

    world_start(world);
    world_load(world, 2, 1);
    world_kill_coordinator(world);
    world->drops = drops_loads;
    world_start_coordinator(world);
    world_run(world, 1000 + LIMIT_NODE_SILENT_MS - 500);
    assert_int_equal(world->view.version.term, 1);
    world_run(world, 1000);
    assert_int_equal(world->view.version.term, 2);
    assert_true(world_view_has(world, 1, 1));
    assert_int_equal(node_term(world->nodes[1].node), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_listens_for_a_second_and_answers_busy),
        TEST(it_takes_a_term_above_the_store_and_above_the_reports),
        TEST(every_node_learns_the_new_term),
        TEST(an_absurd_term_is_not_believed),
        TEST(a_higher_term_in_a_report_makes_it_step_down),
        TEST(a_refusal_with_a_higher_term_makes_it_step_down),
        TEST(of_two_coordinators_the_later_one_wins),
        TEST(a_term_that_another_took_at_the_same_time_is_given_up),
        TEST(of_two_with_the_same_term_the_lower_boot_gives_way),
        TEST(an_announced_term_is_heard_like_a_reported_one),
        TEST(a_client_with_a_view_of_a_higher_term_makes_it_step_down),
        TEST(no_term_is_believed_that_agents_would_not_obey),
        TEST(it_denies_no_collection_before_it_commands),
        TEST(it_announces_itself_each_second),
        TEST(after_a_restart_no_view_is_published_before_the_nodes_have_spoken),
        TEST(a_node_that_stays_away_does_not_hold_the_view_for_ever),
        TEST(a_view_waits_until_its_nodes_know_the_term),
        TEST(a_node_that_never_takes_the_term_does_not_hold_the_view_for_ever),
    };

    return cmocka_run_group_tests_name("coordinator term", tests, NULL, NULL);
}
