/* SPDX-License-Identifier: Apache-2.0
 * A flood of searches on a real server: BUSY comes before anything is dropped, and what is dropped
 * is counted in the agent's report. Nobody is left without an answer unseen. The test is the node
 * thread: it decides when the agent looks into its inbox. */
#include "agent/agent.h"
#include "base/check.h"
#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/contract/bus.h"
#include "tests/contract/nats_server.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NODE = 7, PATIENCE_MS = 30000 };

struct flood {
    struct nats_server server;
    struct transport control, search, client;
    struct agent *agent;
    char folder[64];
    uint64_t sent;
    atomic_uint_fast64_t answered, busy, reported_dropped;
    struct arena arenas[2]; /* of the two handlers */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_answer(void *owner, struct bus_message *bytes)
{
    struct flood *flood = owner;
    struct message message;

    arena_reset(&flood->arenas[0]);
    if (codec_decode(bytes->bytes, bytes->size, &flood->arenas[0], &message, NULL) ==
            QN_STATUS_OK &&
        message.kind == MESSAGE_SEARCH_ANSWER) {
        atomic_fetch_add(&flood->busy, message.search_answer.status == QN_STATUS_BUSY);
        atomic_fetch_add(&flood->answered, 1);
    }
    bytes->release(bytes);
}

static void on_report(void *owner, struct bus_message *bytes)
{
    struct flood *flood = owner;
    struct message message;

    arena_reset(&flood->arenas[1]);
    if (codec_decode(bytes->bytes, bytes->size, &flood->arenas[1], &message, NULL) ==
            QN_STATUS_OK &&
        message.kind == MESSAGE_NODE_REPORT)
        atomic_store(&flood->reported_dropped, message.node_report.dropped_total);
    bytes->release(bytes);
}

static int flood_open(void **state)
{
    struct flood *flood = calloc(1, sizeof *flood);
    struct qn_error error = {0};

    *state = flood;
    (void)snprintf(flood->folder, sizeof flood->folder, "/tmp/qnode-flood-XXXXXX");
    if (mkdtemp(flood->folder) == NULL || !nats_server_start(&flood->server, 0))
        return 1;
    for (size_t i = 0; i < COUNT_OF(flood->arenas); i++)
        arena_init(&flood->arenas[i], LIMIT_DECODE_ARENA_BYTES);
    flood->control = open_transport(flood->server.url);
    flood->search = open_transport(flood->server.url);
    flood->client = open_transport(flood->server.url);
    subscribe(&flood->client, "qnode.demo.reply.3f.>", on_answer, flood);
    subscribe(&flood->client, "qnode.demo.report.*", on_report, flood);
    struct agent_options options = {
        .node_id = NODE,
        .cluster = "demo",
        .state_dir = flood->folder,
        .budget_bytes = 64 << 20,
        .release_grace_ms = 500,
        .numa_count = 1,
        .transport = flood->control,
        .search_transport = flood->search,
        .files = files_posix(),
        .clock = clock_monotonic(),
        .executor = executor_inline(),
    };
    if (agent_open(&options, &flood->agent, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    return 0;
}

static int flood_close(void **state)
{
    struct flood *flood = *state;
    char command[128];

    close_transport(&flood->search);
    close_transport(&flood->control);
    agent_close(flood->agent);
    close_transport(&flood->client);
    nats_server_kill(&flood->server);
    for (size_t i = 0; i < COUNT_OF(flood->arenas); i++)
        arena_done(&flood->arenas[i]);
    (void)snprintf(command, sizeof command, "rm -rf %s", flood->folder);
    free(flood);
    return system(command);
}

static void send_searches(struct flood *flood, unsigned count)
{
    static const int64_t segments[] = {1};
    const float query[] = {1.0f, 2.0f};
    struct subject to = subject_search("demo", NODE);
    struct arena arena;

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    for (unsigned i = 0; i < count; i++) {
        uint64_t id = ++flood->sent;
        struct subject reply = subject_reply("demo", "3f", id);
        struct message message = {
            .cluster = "demo",
            .sender = "client/3f",
            .request_id = id,
            .reply_to = reply.text,
            .kind = MESSAGE_SEARCH_REQUEST,
            .search_request = {.collection_id = 100,
                               .k = 1,
                               .nq = 1,
                               .dim = 2,
                               .metric = QN_METRIC_L2,
                               .queries = query,
                               .segment_ids = segments,
                               .segments_count = 1,
                               .deadline_ms = 60000},
        };
        const uint8_t *bytes;
        size_t size;
        arena_reset(&arena);
        assert_int_equal(codec_encode(&message, &arena, &bytes, &size, NULL), QN_STATUS_OK);
        assert_int_equal(publish(&flood->client, to.text, reply.text, bytes, size), QN_STATUS_OK);
    }
    arena_done(&arena);
    assert_int_equal(transport_flush(&flood->client, PATIENCE_MS), QN_STATUS_OK);
}

/* Until each search was answered or is counted as dropped in a report. */
static void poll_until_settled(struct flood *flood)
{
    uint64_t until_ms = now_ms() + PATIENCE_MS;

    while (now_ms() < until_ms) {
        uint64_t wake_us = agent_poll(flood->agent);
        if (atomic_load(&flood->answered) + atomic_load(&flood->reported_dropped) >= flood->sent)
            break;
        (void)wake_us;
        (void)usleep(1000);
    }
    print_message("%llu sent: %llu answered, %llu of them BUSY; %llu dropped\n",
                  (unsigned long long)flood->sent,
                  (unsigned long long)atomic_load(&flood->answered),
                  (unsigned long long)atomic_load(&flood->busy),
                  (unsigned long long)atomic_load(&flood->reported_dropped));
    assert_int_equal(atomic_load(&flood->answered) + atomic_load(&flood->reported_dropped),
                     flood->sent);
}

static void a_flood_within_the_inbox_is_answered_to_the_last_one(void **state)
{
    struct flood *flood = *state;

    send_searches(flood, LIMIT_INBOX_SLOTS * 3 / 4);
    (void)usleep(10 * QUIET_US); /* all are in the inbox before it looks */
    poll_until_settled(flood);
    assert_int_equal(atomic_load(&flood->reported_dropped), 0);
    assert_in_range(atomic_load(&flood->busy), 1, flood->sent - 1);
}

static void what_is_too_much_is_counted_in_the_report(void **state)
{
    struct flood *flood = *state;

    send_searches(flood, 4 * LIMIT_INBOX_SLOTS);
    (void)usleep(10 * QUIET_US);
    poll_until_settled(flood);
    assert_in_range(atomic_load(&flood->reported_dropped), LIMIT_INBOX_SLOTS, flood->sent);
    assert_in_range(atomic_load(&flood->busy), 1, flood->sent);
}

static void *flood_run(void *owner)
{
    send_searches(owner, 30000);
    return NULL;
}

static void an_agent_that_works_through_a_flood_leaves_nobody_unanswered(void **state)
{
    struct flood *flood = *state;
    struct timespec none = {0};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, flood_run, flood), 0);
    while (pthread_timedjoin_np(thread, NULL, &none) != 0)
        (void)agent_poll(flood->agent);
    poll_until_settled(flood);
}

static void control_is_heard_while_searches_flood(void **state)
{
    struct flood *flood = *state;
    struct subject control = subject_control("demo", NODE);
    struct message message = {.cluster = "demo",
                              .sender = "coordinator",
                              .term = 5,
                              .request_id = 1,
                              .reply_to = "",
                              .kind = MESSAGE_LOAD_SEGMENTS};
    struct collector events;
    struct arena arena;
    const uint8_t *bytes;
    size_t size;

    collector_init(&events);
    subscribe(&flood->client, "qnode.demo.event.7", collector_take, &events);
    send_searches(flood, 4 * LIMIT_INBOX_SLOTS);
    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    struct segment_load_info segment = {.segment_id = 1,
                                        .collection_id = 100,
                                        .replica = "",
                                        .path = "/nowhere",
                                        .mem_size = 4096,
                                        .num_rows = 1,
                                        .epoch = {5, 1},
                                        .state = QN_SEGMENT_SEALED};
    message.load_segments.segments = &segment;
    message.load_segments.segments_count = 1;
    assert_int_equal(codec_encode(&message, &arena, &bytes, &size, NULL), QN_STATUS_OK);
    assert_int_equal(publish(&flood->client, control.text, NULL, bytes, size), QN_STATUS_OK);
    assert_int_equal(transport_flush(&flood->client, PATIENCE_MS), QN_STATUS_OK);
    poll_until_settled(flood);
    assert_true(collector_wait(&events, 1)); /* LoadFailed: it was not lost among the searches */
    arena_done(&arena);
    close_transport(&flood->client);
    flood->client = open_transport(flood->server.url);
    collector_done(&events);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, flood_open, flood_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_flood_within_the_inbox_is_answered_to_the_last_one),
        TEST(what_is_too_much_is_counted_in_the_report),
        TEST(an_agent_that_works_through_a_flood_leaves_nobody_unanswered),
        TEST(control_is_heard_while_searches_flood),
    };

    if (!nats_server_is_installed()) {
        (void)fprintf(stderr, "SKIPPED: a flood on NATS: nats-server is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests_name("nats_flood", tests, NULL, NULL);
}
