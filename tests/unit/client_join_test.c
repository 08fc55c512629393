/* SPDX-License-Identifier: Apache-2.0
 * Threads on one handle that share requests when agents are busy. */
#include "tests/unit/client_world.h"

#include "base/clock.h"
#include "base/thread.h"
#include "channel/client.h"
#include <stdlib.h>
#include <string.h>

enum { THREADS = 16, SLOW_US = 2000 };

struct caller {
    struct qn_client *client;
    pthread_t thread;
    float number; /* in its queries and its hits */
    uint32_t nq, k, deadline_ms, patience_ms, searches;
    enum qn_verdict wanted;
    bool is_refused; /* dim is not the collection's: wanted is an error that says so */
    uint32_t wrong;
    uint64_t longest_us;
};

/* Its own queries' hits, nobody else's. */
static bool is_mine(const struct caller *caller, const struct qn_search_result *result)
{
    if (result->verdict != caller->wanted || result->nq != caller->nq || result->k != caller->k)
        return false;
    for (uint32_t query = 0; query < caller->nq; query++) {
        const struct qn_hit *hits = result->hits + (size_t)query * caller->k;
        float first = hits[0].distance - caller->number - (float)query / 16;
        if (result->hit_counts[query] != caller->k || first < 0 ||
            first != (float)(hits[0].primary_key / 100))
            return false;
    }
    return (result->missing_count > 0) == (caller->wanted == QN_VERDICT_PARTIAL);
}

static bool is_told(const struct caller *caller, enum qn_status status, const char *text)
{
    return caller->is_refused && status == QN_STATUS_INVALID && strstr(text, "dim is 1") != NULL;
}

static void *call_on(void *owner)
{
    struct caller *caller = owner;
    float queries[2 * 8] = {0};
    struct qn_search_request request = {.collection_id = WORLD_COLLECTION,
                                        .queries = queries,
                                        .nq = caller->nq,
                                        .dim = caller->is_refused ? 1 : 2,
                                        .k = caller->k,
                                        .deadline_ms = caller->deadline_ms,
                                        .patience_ms = caller->patience_ms};

    for (uint32_t i = 0; i < caller->nq; i++)
        queries[2 * i] = caller->number + (float)i / 16;
    for (uint32_t i = 0; i < caller->searches; i++) {
        struct qn_search_result result;
        struct qn_error error = {0};
        enum qn_status status = qn_search(caller->client, &request, &result, &error);
        if (status != QN_STATUS_OK) {
            caller->wrong += !is_told(caller, status, error.text);
            continue;
        }
        caller->wrong += !is_mine(caller, &result);
        if (result.took_us > caller->longest_us)
            caller->longest_us = result.took_us;
        qn_search_result_done(&result);
    }
    return NULL;
}

/* All at once, each like `like` with a number of its own; the longest that one took. */
static uint64_t call_all(struct qn_client *client, struct caller like, bool they_differ)
{
    struct caller callers[THREADS];
    uint64_t longest_us = 0;

    for (uint32_t i = 0; i < THREADS; i++) {
        callers[i] = like;
        callers[i].client = client;
        callers[i].number = (float)(i * 16);
        if (they_differ) {
            callers[i].nq = 1 + i % 3;
            callers[i].k = 2 + i % 2;
        }
        assert_int_equal(thread_start(&callers[i].thread, "call", call_on, &callers[i], NULL),
                         QN_STATUS_OK);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        (void)pthread_join(callers[i].thread, NULL);
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].wrong, 0);
        if (callers[i].longest_us > longest_us)
            longest_us = callers[i].longest_us;
    }
    return longest_us;
}

static void busy_agents_get_fewer_requests_and_each_caller_its_hits(void **state)
{
    const struct caller like = {
        .nq = 1, .k = 3, .deadline_ms = 20000, .searches = 30, .wanted = QN_VERDICT_COMPLETE};
    struct world world;

    (void)state;
    world_open(&world, "join");
    struct qn_client *client = world_client(&world);
    atomic_store(&world.slow_us, SLOW_US);
    (void)call_all(client, like, false);
    /* Alone, each search is WORLD_NODES requests. */
    assert_true(world.searches < THREADS * 30 * WORLD_NODES / 2);
    (void)call_all(client, like, true);
    qn_client_close(client);
    world_close(&world);
}

static void idle_agents_get_a_request_for_each(void **state)
{
    const struct caller like = {
        .nq = 1, .k = 3, .deadline_ms = 20000, .searches = 20, .wanted = QN_VERDICT_COMPLETE};
    struct world world;

    (void)state;
    world_open(&world, "apart");
    struct qn_client *client = world_client(&world);
    (void)call_all(client, like, false);
    assert_true(world.searches >= THREADS * 20 * WORLD_NODES);
    qn_client_close(client);
    world_close(&world);
}

/* What is missing is missing for each, and nobody waits longer than it said. */
static void a_lost_segment_is_named_to_each_in_its_time(void **state)
{
    struct caller like = {
        .nq = 1, .k = 3, .deadline_ms = 20000, .searches = 10, .wanted = QN_VERDICT_COMPLETE};
    struct world world;

    (void)state;
    world_open(&world, "lost-join");
    struct qn_client *client = world_client(&world);
    atomic_store(&world.slow_us, SLOW_US);
    (void)call_all(client, like, false); /* the window is closed from here on */
    world_place(&world, 7, 99, 0);       /* nobody listens there */
    world_publish(&world);
    like.deadline_ms = 300;
    while (world_search_is_right(client, like.deadline_ms))
        clock_nap_us(1000); /* until the view is here */
    like.wanted = QN_VERDICT_PARTIAL;
    like.searches = 3;
    assert_in_range(call_all(client, like, false), 250000, 1500000);
    qn_client_close(client);
    world_close(&world);
}

/* The shared search's patience is everybody's: nobody asks again for what nobody has. */
static void a_lost_segment_costs_patience_once(void **state)
{
    struct caller like = {
        .nq = 1, .k = 3, .deadline_ms = 20000, .searches = 10, .wanted = QN_VERDICT_COMPLETE};
    struct world world;

    (void)state;
    world_open(&world, "patience-join");
    struct qn_client *client = world_client(&world);
    atomic_store(&world.slow_us, SLOW_US);
    (void)call_all(client, like, false); /* the window is closed from here on */
    atomic_fetch_and(&world.holds[3], ~(1u << 7));
    like.wanted = QN_VERDICT_PARTIAL;
    like.searches = 1;
    like.patience_ms = 1000;
    uint32_t before = atomic_load(&world.searches);
    assert_in_range(call_all(client, like, false), 1000000, 1900000);
    assert_in_range(world.searches - before, 1, THREADS * WORLD_NODES - 1); /* they did share */
    qn_client_close(client);
    world_close(&world);
}

static void an_error_is_told_to_each(void **state)
{
    const struct caller like = {.nq = 1, .k = 3, .searches = 3, .is_refused = true};
    struct world world;

    (void)state;
    world_open(&world, "error-join");
    struct qn_client *client = world_client(&world);
    client->joins.window.size = 0; /* all are held, and go together */
    (void)call_all(client, like, false);
    assert_true(client->calls.calls_count > THREADS * 3); /* each shared, then asked alone */
    qn_client_close(client);
    world_close(&world);
}

static void note(struct client_window *window, unsigned running, uint32_t queue_us,
                 uint32_t search_us)
{
    struct client_load load = {.queue_us = queue_us, .search_us = search_us};

    client_window_note(window, running, &load);
}

static void the_window_closes_at_once_and_opens_slowly(void **state)
{
    struct client_window window = {.size = 1024};

    (void)state;
    note(&window, 16, 30, 60); /* a worker's wake-up is no queue */
    assert_int_equal(window.size, 1024);
    note(&window, 16, 500, 60);
    assert_int_equal(window.size, 15);
    for (int i = 0; i < 40; i++)
        note(&window, 16, 500, 60);
    assert_int_equal(window.size, 2); /* never less */
    for (int i = 0; i < 31; i++)
        note(&window, 2, 10, 60);
    assert_int_equal(window.size, 2);
    note(&window, 2, 60, 60); /* between: begins to count anew */
    for (int i = 0; i < 31; i++)
        note(&window, 2, 10, 60);
    assert_int_equal(window.size, 2);
    note(&window, 2, 10, 60);
    assert_int_equal(window.size, 3);
    for (int i = 0; i < 40000; i++)
        note(&window, 2, 0, 0);
    assert_int_equal(window.size, 1024); /* never more */
    note(&window, 1, 2000, 16000);       /* long searches: a queue is long beside them */
    assert_int_equal(window.size, 1024);
}

static bool is_open(unsigned size, unsigned calls, unsigned waiting, unsigned running)
{
    struct client_window window = {.size = size};
    struct client_crowd crowd = {
        .calls = calls, .waiting = waiting, .queries = waiting, .running = running};

    return client_window_is_open(&window, &crowd);
}

static void a_request_goes_with_its_fair_share(void **state)
{
    (void)state;
    assert_true(is_open(1024, 500, 1, 499)); /* agents are idle: each by itself */
    assert_true(is_open(2, 16, 1, 0));       /* nothing else is under way: nobody to wait for */
    assert_false(is_open(2, 16, 7, 1));
    assert_true(is_open(2, 16, 8, 1));
    assert_true(is_open(2, 2, 1, 1));
    assert_true(is_open(79, 80, 1, 1)); /* not half of the requests that may go */
    assert_false(is_open(2, 100, 31, 1));
    assert_true(is_open(2, 100, 32, 1)); /* no request carries more */
    assert_false(is_open(2, 16, 16, 2)); /* full */
    assert_false(is_open(0, 1, 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_closes_at_once_and_opens_slowly),
        cmocka_unit_test(a_request_goes_with_its_fair_share),
        cmocka_unit_test(busy_agents_get_fewer_requests_and_each_caller_its_hits),
        cmocka_unit_test(idle_agents_get_a_request_for_each),
        cmocka_unit_test(a_lost_segment_is_named_to_each_in_its_time),
        cmocka_unit_test(a_lost_segment_costs_patience_once),
        cmocka_unit_test(an_error_is_told_to_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
