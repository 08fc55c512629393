/* SPDX-License-Identifier: Apache-2.0
 * What an agent keeps over a restart, and what it does with messages it does not understand. */
#include "base/check.h"
#include "base/error.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
#include <stdio.h>
#include <string.h>

static struct world_segment *make(struct world *world, int64_t segment_id, uint32_t rows)
{
    return world_make_segment(world, segment_id, rows, 8, QN_METRIC_L2);
}

static void expect_refused(struct world *world, enum qn_status status, const char *words)
{
    const struct message *message = world_take(world, MESSAGE_COMMAND_REFUSED);

    assert_non_null(message);
    assert_int_equal(message->command_refused.status, status);
    assert_non_null(strstr(message->command_refused.text, words));
}

/* The last report of all that were heard. */
static const struct node_report *last_report(struct world *world)
{
    const struct message *message, *last = NULL;

    while ((message = world_take(world, MESSAGE_NODE_REPORT)) != NULL)
        last = message;
    assert_non_null(last);
    return &last->node_report;
}

/* ---- what is durable ------------------------------------------------------------------------- */

static void a_term_is_on_disk_before_it_is_acted_on(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = make(world, 1, 10);

    (void)state;
    world->writes_fail = true;
    world_load(world, segment, 1);
    expect_refused(world, QN_STATUS_IO, "no space left on device");
    assert_null(world_take(world, MESSAGE_SEGMENT_LOADED));
    world->writes_fail = false;
    world_load_well(world, segment, 1);
    world->writes_fail = true; /* the term is known: nothing to write */
    world_release(world, 1, 1);
    world_advance(world, 600);
    assert_non_null(world_take(world, MESSAGE_SEGMENT_RELEASED));
    world_free_segment(segment);
    world_close(world);
}

static void term_and_boot_survive_a_restart(void **state)
{
    struct world *world = world_open((struct world_options){0});
    struct world_segment *segment = make(world, 1, 10);
    char folder[256];

    (void)state;
    world_load_well(world, segment, 1);
    (void)snprintf(folder, sizeof folder, "%s", world->folder);
    world->keeps_folder = true;
    world_close(world);

    world = world_open((struct world_options){.folder = folder});
    world_run(world);
    const struct message *message = world_take(world, MESSAGE_NODE_REPORT);
    assert_int_equal(message->boot, 2);
    assert_int_equal(message->term, WORLD_TERM);
    assert_int_equal(message->node_report.copies_count, 0);
    world_send(world, "control",
               (struct message){.kind = MESSAGE_LOAD_SEGMENTS, .term = WORLD_TERM - 1});
    world_run(world);
    expect_refused(world, QN_STATUS_TERM_STALE, "stale");
    world_free_segment(segment);
    world_close(world);
}

static enum qn_status open_with_state(const char *text, size_t size, struct qn_error *error)
{
    struct world *world = world_open_without_agent((struct world_options){0});
    char path[512];

    (void)snprintf(path, sizeof path, "%s/node.state", world->folder);
    assert_int_equal(files_posix().ops->write_durable(NULL, path, text, size, error), QN_STATUS_OK);
    enum qn_status status = world_open_agent(world, error);
    world_close(world);
    return status;
}

static size_t good_state(char ret_text[512])
{
    struct world *world = world_open((struct world_options){0});
    struct qn_error error = {0};
    char path[512];
    size_t size = 0;

    (void)snprintf(path, sizeof path, "%s/node.state", world->folder);
    assert_int_equal(files_posix().ops->read_small(NULL, path, ret_text, 512, &size, &error),
                     QN_STATUS_OK);
    world_close(world);
    return size;
}

static void damaged_state_is_refused_with_what_to_do(void **state)
{
    char good[512], bad[512];
    size_t size = good_state(good);
    struct qn_error error = {0};

    (void)state;
    assert_int_equal(open_with_state(good, size, &error), QN_STATUS_OK);
    for (size_t i = 0; i < size; i++) {
        memcpy(bad, good, size);
        bad[i] = (char)(bad[i] ^ 1);
        enum qn_status status = open_with_state(bad, size, &error);
        if (i == size - 1 && status == QN_STATUS_OK)
            continue; /* the last newline means nothing */
        assert_int_equal(status, QN_STATUS_CORRUPT);
        assert_non_null(strstr(error.text, "node.state"));
        assert_non_null(strstr(error.text, "delete it"));
    }
    for (size_t i = 0; i + 1 < size; i++)
        assert_int_equal(open_with_state(good, i, &error), QN_STATUS_CORRUPT);
    memset(bad, 'x', sizeof bad);
    assert_int_equal(open_with_state(bad, sizeof bad, &error), QN_STATUS_CORRUPT);
}

static void another_nodes_state_is_refused(void **state)
{
    char text[512];
    size_t size = good_state(text);
    struct world *world = world_open_without_agent((struct world_options){0});
    struct agent_options options = {.node_id = 8,
                                    .cluster = WORLD_CLUSTER,
                                    .state_dir = world->folder,
                                    .numa_count = 1,
                                    .transport = world->bus,
                                    .files = files_posix(),
                                    .clock = clock_monotonic(),
                                    .executor = executor_inline()};
    struct agent *agent = NULL;
    struct qn_error error = {0};
    char path[512];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/node.state", world->folder);
    assert_int_equal(files_posix().ops->write_durable(NULL, path, text, size, &error),
                     QN_STATUS_OK);
    assert_int_equal(agent_open(&options, &agent, &error), QN_STATUS_CONFLICT);
    assert_non_null(strstr(error.text, "belongs to node 7"));
    world_close(world);
}

static void a_state_that_cannot_be_written_is_no_start(void **state)
{
    struct world *world = world_open_without_agent((struct world_options){0});
    struct qn_error error = {0};

    (void)state;
    world->writes_fail = true;
    assert_int_equal(world_open_agent(world, &error), QN_STATUS_IO);
    assert_null(world_take(world, MESSAGE_NODE_REPORT));
    world_close(world);
}

/* Refuses the third subscription. */
static enum qn_status subscribe_twice(void *self, const char *subject, bus_handler *on_message,
                                      void *owner, struct qn_error *error)
{
    struct world *world = self;

    if (strstr(subject, ".search") != NULL)
        return error_set(error, QN_STATUS_UNAVAILABLE, "subscribe %s: no", subject);
    return world->bus.ops->subscribe(world->bus.self, subject, on_message, owner, error);
}

static void a_failed_subscription_leaves_no_trap(void **state)
{
    struct world *world = world_open_without_agent((struct world_options){0});
    struct qn_error error = {0};

    (void)state;
    world->agent_bus_ops = *world->bus.ops;
    world->agent_bus_ops.subscribe = subscribe_twice;
    world->agent_bus = (struct transport){.ops = &world->agent_bus_ops, .self = world};
    assert_int_equal(world_open_agent(world, &error), QN_STATUS_UNAVAILABLE);
    world_send(world, "control", (struct message){.kind = MESSAGE_REPORT_REQUEST});
    world_close(world);
}

/* ---- what is not understood ------------------------------------------------------------------ */

static void strange_messages_are_counted_and_do_no_harm(void **state)
{
    struct world *world = world_open((struct world_options){0});
    static const char *const inboxes[] = {"control", "ask", "search"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(inboxes); i++) {
        world_send_bytes(world, inboxes[i], "\xff\xff\xff", 3);
        world_send_bytes(world, inboxes[i], "", 0);
        world_send(
            world, inboxes[i],
            (struct message){.kind = MESSAGE_REPORT_REQUEST, .cluster = "other", .reply_to = ""});
        world_send(world, inboxes[i], (struct message){.kind = MESSAGE_SEGMENT_LOADED});
    }
    world_run(world);
    assert_null(world_take(world, MESSAGE_SEARCH_ANSWER));
    world_advance(world, 1100);
    uint64_t dropped = last_report(world)->dropped_total;
    assert_in_range(dropped, 9, 12);
    world_close(world);
}

static void unknown_features_are_refused(void **state)
{
    struct world *world = world_open((struct world_options){0});
    const uint32_t needs[] = {1};
    const float query[1] = {1};
    const int64_t ids[] = {1};

    (void)state;
    world_send(world, "control",
               (struct message){.kind = MESSAGE_LOAD_SEGMENTS, .needs = needs, .needs_count = 1});
    world_run(world);
    expect_refused(world, QN_STATUS_UNSUPPORTED, "feature");
    world_send(world, "search",
               (struct message){.kind = MESSAGE_SEARCH_REQUEST,
                                .needs = needs,
                                .needs_count = 1,
                                .search_request = {.k = 1,
                                                   .nq = 1,
                                                   .dim = 1,
                                                   .metric = QN_METRIC_L2,
                                                   .queries = query,
                                                   .segment_ids = ids,
                                                   .segments_count = 1}});
    world_run(world);
    const struct message *message = world_take(world, MESSAGE_SEARCH_ANSWER);
    assert_int_equal(message->search_answer.status, QN_STATUS_UNSUPPORTED);
    world_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_is_on_disk_before_it_is_acted_on),
        cmocka_unit_test(term_and_boot_survive_a_restart),
        cmocka_unit_test(damaged_state_is_refused_with_what_to_do),
        cmocka_unit_test(another_nodes_state_is_refused),
        cmocka_unit_test(a_state_that_cannot_be_written_is_no_start),
        cmocka_unit_test(a_failed_subscription_leaves_no_trap),
        cmocka_unit_test(strange_messages_are_counted_and_do_no_harm),
        cmocka_unit_test(unknown_features_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
