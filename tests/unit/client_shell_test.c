/* SPDX-License-Identifier: Apache-2.0
 * The client handle against agents and a coordinator on the inproc bus. */
#include "tests/unit/client_world.h"

#include "base/clock.h"
#include "base/thread.h"
#include "channel/client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS = 8 };

static void pause_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Threads that search until told to stop, or a number of times. */
struct crowd {
    struct qn_client *client;
    pthread_t threads[THREADS];
    uint32_t searches_each;
    _Atomic bool is_over;
    _Atomic uint32_t searches, wrong;
};

static void *search_on(void *owner)
{
    struct crowd *crowd = owner;

    for (uint32_t i = 0;
         crowd->searches_each == 0 ? !atomic_load(&crowd->is_over) : i < crowd->searches_each;
         i++) {
        bool right = world_search_is_right(crowd->client, 5000);
        atomic_fetch_add(&crowd->wrong, right ? 0 : 1);
        atomic_fetch_add(&crowd->searches, 1);
    }
    return NULL;
}

static void crowd_start(struct crowd *crowd, struct qn_client *client, uint32_t searches_each)
{
    memset(crowd, 0, sizeof *crowd);
    crowd->client = client;
    crowd->searches_each = searches_each;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&crowd->threads[i], "search", search_on, crowd, NULL),
                         QN_STATUS_OK);
}

static void crowd_join(struct crowd *crowd)
{
    atomic_store(&crowd->is_over, true);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(crowd->threads[i], NULL);
}

static void eight_threads_search_at_once(void **state)
{
    struct world world;
    struct crowd crowd;

    (void)state;
    world_open(&world, "eight");
    struct qn_client *client = world_client(&world);
    crowd_start(&crowd, client, 100);
    crowd_join(&crowd);
    assert_int_equal(crowd.searches, THREADS * 100);
    assert_int_equal(crowd.wrong, 0);
    /* All lacked the view at first, and few asked. */
    assert_in_range(world.view_asks, 1, 3);
    qn_client_close(client);
    world_close(&world);
}

static void hand_over(struct world *world, uint32_t segment, int64_t from, int64_t to, bool say)
{
    atomic_fetch_or(&world->holds[to - 1], 1u << segment);
    world_place(world, segment, from, to);
    world_publish(world);
    pause_ms(2);
    atomic_store(&world->moved_to[segment], to);
    atomic_fetch_and(&world->holds[from - 1], ~(1u << segment));
    world_place(world, segment, to, 0);
    if (say)
        world_publish(world); /* else clients learn it by MOVED */
    pause_ms(2);
}

static void segments_move_under_load_and_no_search_notices(void **state)
{
    struct world world;
    struct crowd crowd;
    int64_t at[WORLD_SEGMENTS];

    (void)state;
    world_open(&world, "move");
    world.pages = 3;
    struct qn_client *client = world_client(&world);
    for (uint32_t i = 0; i < WORLD_SEGMENTS; i++)
        at[i] = i % WORLD_NODES + 1;
    crowd_start(&crowd, client, 0);
    for (uint32_t move = 0; move < 100; move++) {
        uint32_t segment = move * 7 % WORLD_SEGMENTS;
        int64_t to = at[segment] % WORLD_NODES + 1;
        hand_over(&world, segment, at[segment], to, move % 3 != 0);
        at[segment] = to;
    }
    crowd_join(&crowd);
    assert_int_equal(crowd.wrong, 0);
    assert_true(crowd.searches > 100);
    qn_client_close(client);
    world_close(&world);
}

static void a_view_change_reaches_a_search_that_waits(void **state)
{
    struct world world;
    struct crowd crowd;

    (void)state;
    world_open(&world, "wait");
    struct qn_client *client = world_client(&world);
    assert_true(world_search_is_right(client, 5000));
    atomic_fetch_and(&world.holds[0], ~1u); /* segment 0 is nowhere */
    atomic_store(&world.is_mute, true);
    crowd_start(&crowd, client, 1);
    pause_ms(60);
    assert_int_equal(crowd.searches, 0);
    atomic_fetch_or(&world.holds[2], 1u);
    world_place(&world, 0, 3, 0);
    world_publish(&world);
    crowd_join(&crowd);
    assert_int_equal(crowd.wrong, 0);
    qn_client_close(client);
    world_close(&world);
}

/* The hits of one result are all of the world that it names. */
static void check_one_world(struct qn_client *client)
{
    const float query[2] = {0};
    struct qn_search_request request = {.collection_id = WORLD_COLLECTION,
                                        .queries = query,
                                        .nq = 1,
                                        .dim = 2,
                                        .k = WORLD_SEGMENTS};
    struct qn_search_result result;

    assert_int_equal(qn_search(client, &request, &result, NULL), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_COMPLETE);
    for (uint32_t i = 0; i < result.hit_counts[0]; i++)
        assert_true((uint64_t)result.hits[i].primary_key % 100 >= result.readable_version);
    qn_search_result_done(&result);
}

static void another_readable_version_is_searched_from_then_on(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, "turn");
    struct qn_client *client = world_client(&world);
    for (int turn = 0; turn < 20; turn++) {
        check_one_world(client);
        world_turn(&world);
        world_publish(&world);
    }
    qn_client_close(client);
    world_close(&world);
}

static void a_change_info_without_a_view_is_asked_about(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, "hint");
    struct qn_client *client = world_client(&world);
    assert_true(world_search_is_right(client, 5000));
    assert_int_equal(world.view_asks, 1);
    assert_int_equal(world.asked_term, 0);
    world_turn(&world);
    world_publish_hint(&world);
    assert_true(world_search_is_right(client, 5000));
    assert_int_equal(world.view_asks, 1); /* the view itself may be on its way */
    pause_ms(80);
    assert_true(world_search_is_right(client, 5000));
    for (int i = 0; i < 5000 && world.view_asks < 2; i++)
        pause_ms(1); /* the coordinator counts on a thread of its own */
    assert_int_equal(world.view_asks, 2);
    assert_int_equal(world.asked_term, 1); /* of the view that is held */
    pause_ms(80);
    check_one_world(client);
    assert_int_equal(world.view_asks, 2);
    qn_client_close(client);
    world_close(&world);
}

static void without_a_coordinator_the_verdict_is_unknown(void **state)
{
    const float query[2] = {0};
    struct qn_search_request request = {.collection_id = WORLD_COLLECTION,
                                        .queries = query,
                                        .nq = 1,
                                        .dim = 2,
                                        .k = 3,
                                        .deadline_ms = 100};
    struct qn_client_options options = {.url = "inproc://client-nobody", .cluster = "test"};
    struct qn_search_result result;
    struct qn_client *client;

    (void)state;
    assert_int_equal(qn_client_open(&options, &client, NULL), QN_STATUS_OK);
    assert_int_equal(qn_search(client, &request, &result, NULL), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_UNKNOWN);
    assert_int_equal(result.reason, QN_STATUS_NO_VIEW);
    assert_in_range(result.took_us, 99000, 1000000);
    qn_search_result_done(&result);
    qn_client_close(client);
}

static void a_collection_that_the_coordinator_lacks_is_unknown_at_once(void **state)
{
    const float query[2] = {0};
    struct qn_search_request request = {
        .collection_id = 99, .queries = query, .nq = 1, .dim = 2, .k = 3, .deadline_ms = 30000};
    struct qn_search_result result;
    struct world world;

    (void)state;
    world_open(&world, "absent");
    struct qn_client *client = world_client(&world);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(qn_search(client, &request, &result, NULL), QN_STATUS_OK);
        assert_int_equal(result.verdict, QN_VERDICT_UNKNOWN);
        assert_int_equal(result.reason, QN_STATUS_NOT_FOUND);
        assert_in_range(result.took_us, 0, 3000000);
        qn_search_result_done(&result);
    }
    assert_true(world_search_is_right(client, 5000)); /* another collection */
    qn_client_close(client);
    world_close(&world);
}

static void a_lost_node_is_named(void **state)
{
    const float query[2] = {0};
    struct qn_search_request request = {.collection_id = WORLD_COLLECTION,
                                        .queries = query,
                                        .nq = 1,
                                        .dim = 2,
                                        .k = 3,
                                        .deadline_ms = 150};
    struct qn_search_result result;
    struct world world;

    (void)state;
    world_open(&world, "lost");
    world_place(&world, 3, 99, 0); /* nobody listens there */
    struct qn_client *client = world_client(&world);
    assert_int_equal(qn_search(client, &request, &result, NULL), QN_STATUS_OK);
    assert_int_equal(result.verdict, QN_VERDICT_PARTIAL);
    assert_int_equal(result.missing_count, 1);
    assert_int_equal(result.missing[0].segment_id, 3);
    assert_int_equal(result.missing[0].reason, QN_STATUS_NO_RESPONDERS);
    assert_int_equal(result.missing[0].node_id, 99);
    qn_search_result_done(&result);
    qn_client_close(client);
    world_close(&world);
}

static void a_forked_child_is_told_at_once_and_the_parent_goes_on(void **state)
{
    struct world world;
    struct crowd crowd;

    (void)state;
    world_open(&world, "fork");
    struct qn_client *client = world_client(&world);
    crowd_start(&crowd, client, 0);
    for (int i = 0; i < 5; i++) {
        pause_ms(5);
        pid_t child = fork();
        if (child == 0) {
            struct qn_error error = {.text = ""};
            struct qn_search_request request = {.collection_id = WORLD_COLLECTION};
            struct coord_request verb = {.verb = COORD_LIST_NODES};
            struct qn_feed *feed;
            char pid[16];
            bool good = qn_search(client, &request, NULL, &error) == QN_STATUS_FORKED;
            (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
            good = good && strstr(error.text, pid) != NULL;
            (void)snprintf(pid, sizeof pid, "%d", (int)getppid());
            good = good && strstr(error.text, pid) != NULL;
            good = good && qn_coord_call(client, &verb, 1000, NULL, NULL, NULL) == QN_STATUS_FORKED;
            good = good && qn_feed_open(client, QN_FEED_QUERY, &feed, NULL) == QN_STATUS_FORKED;
            qn_client_close(client);
            _exit(good ? 0 : 1);
        }
        int exited = 0;
        assert_int_equal(waitpid(child, &exited, 0), child);
        assert_true(WIFEXITED(exited) && WEXITSTATUS(exited) == 0);
    }
    crowd_join(&crowd);
    assert_int_equal(crowd.wrong, 0);
    qn_client_close(client);
    world_close(&world);
}

static void a_full_client_is_busy(void **state)
{
    static struct client_call *taken[CLIENT_CALLS_SLOTS];
    struct qn_client_options options = {.url = "inproc://client-full", .cluster = "test"};
    const float query[2] = {0};
    struct qn_search_request request = {.queries = query, .nq = 1, .dim = 2, .k = 1};
    struct qn_search_result result;
    struct qn_client *client;
    size_t count = 0;

    (void)state;
    assert_int_equal(qn_client_open(&options, &client, NULL), QN_STATUS_OK);
    while ((taken[count] = client_calls_take(&client->calls)) != NULL)
        count++;
    assert_int_equal(count, CLIENT_CALLS_SLOTS - 1);
    assert_int_equal(qn_search(client, &request, &result, NULL), QN_STATUS_BUSY);
    while (count-- > 0)
        client_calls_give_back(&client->calls, taken[count]);
    qn_client_close(client);
}

/* What it gave back for a moment might be another's. The traceparent: it shares with nobody. */
static void an_admitted_search_keeps_its_slot(void **state)
{
    const float query[2] = {0};
    struct qn_search_request request = {
        .collection_id = WORLD_COLLECTION,
        .queries = query,
        .nq = 1,
        .dim = 2,
        .k = 1,
        .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    struct qn_search_result result;
    struct world world;

    (void)state;
    world_open(&world, "slot");
    struct qn_client *client = world_client(&world);
    uint64_t taken = client->calls.calls_count;
    for (int i = 0; i < 2; i++) {
        request.traceparent = i == 0 ? request.traceparent : NULL;
        assert_int_equal(qn_search(client, &request, &result, NULL), QN_STATUS_OK);
        assert_int_equal(client->calls.calls_count, ++taken);
        qn_search_result_done(&result);
    }
    qn_client_close(client);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_threads_search_at_once),
        cmocka_unit_test(segments_move_under_load_and_no_search_notices),
        cmocka_unit_test(a_view_change_reaches_a_search_that_waits),
        cmocka_unit_test(another_readable_version_is_searched_from_then_on),
        cmocka_unit_test(a_change_info_without_a_view_is_asked_about),
        cmocka_unit_test(without_a_coordinator_the_verdict_is_unknown),
        cmocka_unit_test(a_collection_that_the_coordinator_lacks_is_unknown_at_once),
        cmocka_unit_test(a_lost_node_is_named),
        cmocka_unit_test(a_forked_child_is_told_at_once_and_the_parent_goes_on),
        cmocka_unit_test(a_full_client_is_busy),
        cmocka_unit_test(an_admitted_search_keeps_its_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
