/* SPDX-License-Identifier: Apache-2.0
 * Real workers and loaders: searches from several clients while segments come and go. The node
 * thread is the test's; run under TSan too. */
#include "base/check.h"
#include "base/thread.h"
#include "tests/test.h"
#include "tests/unit/agent_shell_world.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS = 4, CLIENTS = 3, SEARCHES = 120, DIM = 32 };

static const int64_t ids[SEGMENTS] = {1, 2, 3, 4};

static struct world_segment *open_segment(struct world *world, size_t index)
{
    struct world_segment *segment = world_make_segment(world, ids[index], 6000, DIM, QN_METRIC_L2);

    world_load_well(world, segment, index + 1);
    return segment;
}

static struct world_search search_of(const float *queries, size_t segments_count)
{
    return (struct world_search){.k = 10,
                                 .nq = 8,
                                 .dim = DIM,
                                 .metric = QN_METRIC_L2,
                                 .queries = queries,
                                 .segment_ids = ids,
                                 .segments_count = segments_count};
}

static void workers_give_the_exact_answer(void **state)
{
    struct world *world = world_open((struct world_options){.executor = WORLD_THREADS});
    struct world_segment *segments[SEGMENTS];
    float *queries = world_make_rows(9, 8 * DIM);
    struct world_search search = search_of(queries, SEGMENTS);
    struct qn_hit hits[8 * 10];
    uint32_t counts[8];

    (void)state;
    for (size_t i = 0; i < SEGMENTS; i++)
        segments[i] = open_segment(world, i);
    world_truth(&search, segments, SEGMENTS, hits, counts);
    for (int round = 0; round < 20; round++) {
        (void)world_search(world, &search);
        const struct message *message = world_await(world, MESSAGE_SEARCH_ANSWER);
        assert_int_equal(message->search_answer.epochs_count, SEGMENTS);
        assert_memory_equal(message->search_answer.hit_counts, counts, sizeof counts);
        for (size_t i = 0; i < message->search_answer.hits_count; i++)
            assert_int_equal(message->search_answer.hits[i].primary_key, hits[i].primary_key);
    }
    while (agent_is_searching(world->agent))
        world_run(world);
    for (size_t i = 0; i < SEGMENTS; i++)
        world_free_segment(segments[i]);
    free(queries);
    world_close(world);
}

struct client {
    struct world *world;
    pthread_t thread;
    const struct world_search *search;
    uint64_t first_request_id; /* each its own: a repeat is not searched twice */
    _Atomic unsigned *allowed; /* searches that may be sent: the node thread hands them out */
};

static void *client_run(void *owner)
{
    struct client *client = owner;
    uint8_t bytes[4096];

    for (unsigned sent = 0; sent < SEARCHES;) {
        unsigned allowed = atomic_load(client->allowed);
        if (allowed == 0 || !atomic_compare_exchange_weak(client->allowed, &allowed, allowed - 1)) {
            (void)sched_yield();
            continue;
        }
        world_send_bytes(client->world, "search", bytes,
                         world_encode_search(client->search, client->first_request_id + sent, bytes,
                                             sizeof bytes));
        sent++;
    }
    return NULL;
}

/* Every answer names what it covers; what is covered gave its hits, and nothing else did. */
static void check_answer(const struct search_answer *answer)
{
    assert_int_equal(answer->status, QN_STATUS_OK);
    assert_int_equal(answer->epochs_count + answer->refused_count, SEGMENTS);
    for (size_t i = 0; i < answer->hits_count; i++)
        assert_true(world_covers(answer, (size_t)(answer->hits[i].primary_key / 1000000 - 1)));
}

static void searches_are_exact_while_segments_come_and_go(void **state)
{
    struct world *world = world_open((struct world_options){.executor = WORLD_THREADS});
    struct world_segment *segments[SEGMENTS];
    float *queries = world_make_rows(9, 8 * DIM);
    struct world_search search = search_of(queries, SEGMENTS);
    struct client clients[CLIENTS];
    _Atomic unsigned allowed = 8;
    unsigned answered = 0, released = 0;
    uint64_t version = SEGMENTS;
    const struct message *message;

    (void)state;
    for (size_t i = 0; i < SEGMENTS; i++)
        segments[i] = open_segment(world, i);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){world, 0, &search, 1 + i * SEARCHES, &allowed};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_run, &clients[i]), 0);
    }
    world_release(world, 1, 1);
    while (answered < CLIENTS * SEARCHES || released < 3) {
        uint64_t next_us = agent_poll(world->agent);
        if ((message = world_take(world, MESSAGE_SEARCH_ANSWER)) != NULL) {
            check_answer(&message->search_answer);
            (void)atomic_fetch_add(&allowed, 1);
            answered++;
        } else if ((message = world_take(world, MESSAGE_SEGMENT_RELEASED)) != NULL) {
            released++;
            world_load(world, segments[0], ++version);
        } else if ((message = world_take(world, MESSAGE_SEGMENT_LOADED)) != NULL) {
            world_release(world, 1, version);
        } else {
            struct clock clock = clock_monotonic();
            uint64_t soon_us = clock_now_us(&clock) + 1000;
            agent_wait(world->agent, next_us < soon_us ? next_us : soon_us);
        }
    }
    for (size_t i = 0; i < CLIENTS; i++)
        (void)pthread_join(clients[i].thread, NULL);
    while (agent_is_searching(world->agent))
        world_run(world);
    for (size_t i = 0; i < SEGMENTS; i++)
        world_free_segment(segments[i]);
    free(queries);
    world_close(world);
}

/* The process may end with loads and searches under way. */
static void closing_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct world *world = world_open((struct world_options){.executor = WORLD_THREADS});
        struct world_segment *first = open_segment(world, 0);
        struct world_segment *second = world_make_segment(world, 2, 20000, DIM, QN_METRIC_L2);
        float *queries = world_make_rows(9, 8 * DIM);
        struct world_search search = search_of(queries, 1);

        for (int i = 0; i < round; i++)
            (void)world_search(world, &search);
        world_load(world, second, 2);
        agent_leave(world->agent);
        world_run(world);
        world_free_segment(first);
        world_free_segment(second);
        free(queries);
        world_close(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_give_the_exact_answer),
        cmocka_unit_test(searches_are_exact_while_segments_come_and_go),
        cmocka_unit_test(closing_in_the_middle_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
