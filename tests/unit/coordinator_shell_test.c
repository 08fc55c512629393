/* SPDX-License-Identifier: Apache-2.0
 * The shell on the inproc bus: first durable, then said. */
#include "coordinator/coordinator.h"

#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    struct transport transport, client;
    struct transport_ops narrow_ops; /* the transport's, with payload_max */
    struct coordinator *coordinator;
    struct coordinator_options options;
    uint64_t now_us;
    size_t commits, commands, commands_at_commit, answers;
    bool commit_fails;
    struct coord_answer answer;
    char answer_text[256];
    char note[512];
};

static size_t payload_max = LIMIT_MESSAGE_BYTES_MAX;

static size_t max_payload(void *self)
{
    (void)self;
    return payload_max;
}

static uint64_t now_us(void *self)
{
    return ((struct bench *)self)->now_us;
}

static enum qn_status load(void *self, void (*on_row)(void *owner, const struct state_row *row),
                           void *owner, struct qn_error *error)
{
    struct state_row row = {.kind = STATE_COUNTER, .counter = {"term", 6}};

    (void)self;
    (void)error;
    on_row(owner, &row);
    return QN_STATUS_OK;
}

static enum qn_status commit(void *self, const struct state_row *rows, size_t rows_count,
                             struct qn_error *error)
{
    struct bench *bench = self;

    (void)rows;
    assert_true(rows_count > 0);
    if (bench->commit_fails) {
        error->status = QN_STATUS_IO;
        (void)snprintf(error->text, sizeof error->text, "the disk is full");
        return QN_STATUS_IO;
    }
    bench->commits++;
    bench->commands_at_commit = bench->commands;
    return QN_STATUS_OK;
}

static const struct state_ops state_ops = {.name = "bench", .load = load, .commit = commit};

static enum qn_status read_manifest(void *owner, const char *folder, struct manifest **ret_manifest,
                                    struct qn_error *error)
{
    (void)owner;
    (void)ret_manifest;
    error->status = QN_STATUS_NOT_FOUND;
    (void)snprintf(error->text, sizeof error->text, "%s: not there", folder);
    return QN_STATUS_NOT_FOUND;
}

static void on_note(void *owner, bool warning, const char *text)
{
    struct bench *bench = owner;

    (void)warning;
    (void)snprintf(bench->note, sizeof bench->note, "%s", text);
}

static void on_command(void *owner, struct bus_message *message)
{
    struct bench *bench = owner;

    bench->commands++;
    message->release(message);
}

static void on_answer(void *owner, struct bus_message *message)
{
    struct bench *bench = owner;
    struct arena arena;
    struct message decoded;
    struct qn_error error = {0};

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    assert_int_equal(codec_decode(message->bytes, message->size, &arena, &decoded, &error),
                     QN_STATUS_OK);
    assert_int_equal(decoded.kind, MESSAGE_COORD_ANSWER);
    assert_int_equal(decoded.request_id, 77);
    bench->answers++;
    bench->answer = decoded.coord_answer;
    (void)snprintf(bench->answer_text, sizeof bench->answer_text, "%s", decoded.coord_answer.text);
    arena_done(&arena);
    message->release(message);
}

static void say(struct bench *bench, const char *subject, struct message *message)
{
    struct arena arena;
    const uint8_t *bytes;
    size_t size;
    struct qn_error error = {0};

    message->cluster = "test";
    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    if (codec_encode(message, &arena, &bytes, &size, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    assert_int_equal(bench->client.ops->publish(bench->client.self, subject, NULL, bytes, size),
                     QN_STATUS_OK);
    arena_done(&arena);
}

static void report(struct bench *bench, uint64_t number, uint64_t term)
{
    struct message message = {.sender = "node/3",
                              .boot = 1,
                              .term = term,
                              .reply_to = "",
                              .kind = MESSAGE_NODE_REPORT,
                              .node_report = {.node_id = 3,
                                              .report_number = number,
                                              .has_copies = true,
                                              .pages = 1,
                                              .kernels = "scalar"}};

    say(bench, subject_report("test", 3).text, &message);
}

static void ask(struct bench *bench, enum coord_verb verb)
{
    struct message message = {.sender = "client/1",
                              .request_id = 77,
                              .reply_to = "qnode.test.reply.1.77",
                              .kind = MESSAGE_COORD_REQUEST,
                              .coord_request = {.verb = verb, .collection = "", .folder = "/data"}};

    say(bench, subject_coord("test").text, &message);
}

/* Polls for a while of virtual time; the bus may deliver on a thread of its own. */
static uint64_t run(struct bench *bench, uint64_t ms)
{
    uint64_t until_us = bench->now_us + ms * 1000, next_us = 1;

    while (bench->now_us < until_us && next_us != 0) {
        struct timespec nap = {.tv_nsec = 200000};
        (void)nanosleep(&nap, NULL);
        next_us = coordinator_poll(bench->coordinator);
        bench->now_us += 10000;
    }
    return next_us;
}

static int set_up(void **state)
{
    struct bench *bench = test_calloc(1, sizeof *bench);
    struct qn_error error = {0};

    bench->now_us = 1000000;
    assert_int_equal(transport_inproc_open("inproc://shell", &bench->transport, &error), 0);
    assert_int_equal(transport_inproc_open("inproc://shell", &bench->client, &error), 0);
    assert_int_equal(bench->client.ops->subscribe(bench->client.self,
                                                  subject_control("test", 3).text, on_command,
                                                  bench, &error),
                     0);
    assert_int_equal(bench->client.ops->subscribe(bench->client.self, "qnode.test.reply.1.77",
                                                  on_answer, bench, &error),
                     0);
    payload_max = LIMIT_MESSAGE_BYTES_MAX;
    bench->narrow_ops = *bench->transport.ops;
    bench->narrow_ops.max_payload = max_payload;
    bench->options =
        (struct coordinator_options){.cluster = "test",
                                     .transport = {&bench->narrow_ops, bench->transport.self},
                                     .clock = {now_us, bench},
                                     .state = {&state_ops, bench},
                                     .read_manifest = read_manifest,
                                     .on_note = on_note,
                                     .owner = bench};
    assert_int_equal(coordinator_open(&bench->options, &bench->coordinator, &error), 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    bench->client.ops->close(bench->client.self);
    bench->transport.ops->close(bench->transport.self);
    coordinator_close(bench->coordinator);
    test_free(bench);
    return 0;
}

static void the_term_is_durable_before_the_first_command(void **state)
{
    struct bench *bench = *state;

    report(bench, 1, 0);
    assert_int_not_equal(run(bench, 900), 0);
    assert_int_equal(bench->commits, 0);
    assert_int_not_equal(run(bench, 500), 0);
    assert_int_equal(bench->commits, 1);
    assert_int_equal(bench->commands_at_commit, 0);
    assert_int_equal(bench->commands, 1); /* the term, told to node 3 */
    assert_non_null(strstr(bench->note, "term 7 taken; 1 nodes"));
    assert_null(coordinator_failure(bench->coordinator));
}

static void a_commit_that_fails_stops_it_for_good_and_nothing_is_said(void **state)
{
    struct bench *bench = *state;

    bench->commit_fails = true;
    report(bench, 1, 0);
    assert_int_equal(run(bench, 2000), 0);
    assert_int_equal(bench->commands, 0);
    assert_string_equal(coordinator_failure(bench->coordinator),
                        "state is not durable: the disk is full");
    assert_false(coordinator_stepped_down(bench->coordinator));
    assert_int_equal(coordinator_poll(bench->coordinator), 0);
}

static void a_higher_term_makes_it_step_down(void **state)
{
    struct bench *bench = *state;

    (void)run(bench, 1500);
    report(bench, 1, 20);
    assert_int_equal(run(bench, 500), 0);
    assert_true(coordinator_stepped_down(bench->coordinator));
    assert_string_equal(coordinator_failure(bench->coordinator),
                        "stepped down: node/3 knows term 20, ours is 7: another coordinator has "
                        "taken over");
}

/* Who may write here and there must not speak for others. */
static void what_comes_on_a_wrong_subject_is_dropped(void **state)
{
    struct bench *bench = *state;
    struct message message = {
        .sender = "node/3",
        .boot = 1,
        .term = 20,
        .reply_to = "",
        .kind = MESSAGE_NODE_REPORT,
        .node_report = {.node_id = 3, .report_number = 1, .pages = 1, .kernels = "scalar"}};

    (void)run(bench, 1500);
    say(bench, subject_report("test", 4).text, &message);
    message.kind = MESSAGE_LEAVING;
    say(bench, subject_event("test", 4).text, &message);
    message.kind = MESSAGE_REPORT_REQUEST;
    say(bench, subject_coord("test").text, &message);
    assert_true(run(bench, 500) > 0);
    assert_null(coordinator_failure(bench->coordinator));
    say(bench, subject_announce("test").text, &message);
    assert_int_equal(run(bench, 500), 0);
    assert_true(coordinator_stepped_down(bench->coordinator));
}

static void requests_are_answered_where_they_say(void **state)
{
    struct bench *bench = *state;

    ask(bench, COORD_LOAD_COLLECTION);
    (void)run(bench, 200);
    assert_int_equal(bench->answers, 1);
    assert_int_equal(bench->answer.status, QN_STATUS_BUSY);
    (void)run(bench, 1500);
    ask(bench, COORD_LOAD_COLLECTION);
    (void)run(bench, 200);
    assert_int_equal(bench->answers, 2);
    assert_int_equal(bench->answer.status, QN_STATUS_NOT_FOUND);
    assert_string_equal(bench->answer_text, "/data: not there");
}

static void an_answer_that_is_too_long_for_the_bus_is_told(void **state)
{
    struct bench *bench = *state;

    char folder[200] = {0};
    struct message message = {
        .sender = "client/1",
        .request_id = 77,
        .reply_to = "qnode.test.reply.1.77",
        .kind = MESSAGE_COORD_REQUEST,
        .coord_request = {.verb = COORD_LOAD_COLLECTION, .collection = "", .folder = folder}};

    memset(folder, 'x', sizeof folder - 1);
    (void)run(bench, 1500);
    payload_max = 200; /* "xxx...: not there" takes more, the refusal less */
    say(bench, subject_coord("test").text, &message);
    (void)run(bench, 200);
    assert_int_equal(bench->answers, 1);
    assert_int_equal(bench->answer.status, QN_STATUS_UNSUPPORTED);
    if (strstr(bench->answer_text, "the bus takes at most 200") == NULL)
        fail_msg("%s", bench->answer_text);
}

static void bytes_that_are_no_message_are_dropped(void **state)
{
    struct bench *bench = *state;
    const struct subject subject = subject_coord("test");

    assert_int_equal(
        bench->client.ops->publish(bench->client.self, subject.text, NULL, "\xff\xff\xff", 3),
        QN_STATUS_OK);
    assert_int_not_equal(run(bench, 1500), 0);
    assert_int_equal(bench->answers, 0);
}

static void a_bad_cluster_name_is_a_bad_configuration(void **state)
{
    struct bench *bench = *state;
    struct coordinator *coordinator = NULL;
    struct qn_error error = {0};
    struct coordinator_options options = bench->options;

    options.cluster = "no spaces, please";
    assert_int_equal(coordinator_open(&options, &coordinator, &error), QN_STATUS_CONFIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_term_is_durable_before_the_first_command),
        TEST(a_commit_that_fails_stops_it_for_good_and_nothing_is_said),
        TEST(a_higher_term_makes_it_step_down),
        TEST(what_comes_on_a_wrong_subject_is_dropped),
        TEST(requests_are_answered_where_they_say),
        TEST(an_answer_that_is_too_long_for_the_bus_is_told),
        TEST(bytes_that_are_no_message_are_dropped),
        TEST(a_bad_cluster_name_is_a_bad_configuration),
    };

    return cmocka_run_group_tests_name("coordinator shell", tests, NULL, NULL);
}
