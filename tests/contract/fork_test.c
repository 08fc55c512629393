/* SPDX-License-Identifier: Apache-2.0
 * The client library and fork(), on each bus that other processes can reach: the child is told at
 * once, the parent goes on, and a reopened handle is a whole one in the child. */
#include "base/clock.h"
#include "base/files.h"
#include "base/thread.h"
#include "channel/client.h"
#include "tests/contract/fork_scene.h"
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SEARCHERS = 4, FORKS = 20 };

static const enum bus_kind kinds[] = {BUS_NATS, BUS_KAFKA_MOCK, BUS_KAFKA};

/* ---- told at once ---- */

static enum qn_status call_feed_open(struct scene *scene, struct qn_error *error)
{
    struct qn_feed *feed;

    return qn_feed_open(scene->client, QN_FEED_EVENTS, &feed, error);
}

static enum qn_status call_feed_next(struct scene *scene, struct qn_error *error)
{
    (void)snprintf(error->text, sizeof error->text, "%d %d", (int)getppid(), (int)getpid());
    return qn_feed_next(scene->feed, 60000) == NULL ? QN_STATUS_FORKED : QN_STATUS_OK;
}

static enum qn_status call_feed_next_item(struct scene *scene, struct qn_error *error)
{
    (void)snprintf(error->text, sizeof error->text, "%d %d", (int)getppid(), (int)getpid());
    return qn_feed_next_item(scene->feed, 60000) == NULL ? QN_STATUS_FORKED : QN_STATUS_OK;
}

static bool every_call_says_forked(struct scene *scene)
{
    static const struct {
        const char *name;
        enum qn_status (*call)(struct scene *scene, struct qn_error *error);
    } calls[] = {{"qn_search", call_search},       {"qn_send", call_send},
                 {"qn_coord_call", call_coord},    {"qn_feed_open", call_feed_open},
                 {"qn_feed_next", call_feed_next}, {"qn_feed_next_item", call_feed_next_item}};
    struct clock clock = clock_monotonic();
    struct qn_error error;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        uint64_t began_us = clock_now_us(&clock);
        enum qn_status status = calls[i].call(scene, &error);
        uint64_t took_us = clock_now_us(&clock) - began_us;
        EXPECT(status == QN_STATUS_FORKED);
        EXPECT(names(&error, getpid()) && names(&error, getppid()));
        print_message("%s in a child: FORKED after %" PRIu64 " us\n", calls[i].name, took_us);
    }
    return true;
}

static bool is_told_and_closes(struct scene *scene)
{
    EXPECT(every_call_says_forked(scene));
    qn_feed_close(scene->feed);
    qn_client_close(scene->client);
    return true;
}

static void a_child_is_told_and_the_parent_goes_on(void **state)
{
    struct scene *scene = *state;
    struct qn_error error = {.text = ""};

    pid_t child = start_child(scene, is_told_and_closes);
    assert_true(world_search_is_right(scene->client, SEARCH_MS));
    assert_true(ends_well(child));
    assert_true(world_search_is_right(scene->client, SEARCH_MS));
    assert_int_equal(call_coord(scene, &error), QN_STATUS_OK);
    assert_int_equal(qn_client_reopen(scene->client, &error), QN_STATUS_INVALID);
    assert_true(names(&error, getpid()));
    assert_true(world_search_is_right(scene->client, SEARCH_MS));
}

/* ---- reopened ---- */

/* A feed of before the fork is the parent's; one of the child's own hears what the child says. */
static bool feeds_are_opened_again(struct scene *scene)
{
    struct qn_error error;
    struct qn_feed *feed;
    const struct message *message = NULL;

    EXPECT(qn_feed_next(scene->feed, 60000) == NULL);
    qn_feed_close(scene->feed);
    EXPECT(qn_feed_open(scene->client, QN_FEED_QUERY, &feed, NULL) == QN_STATUS_OK);
    for (int i = 0; message == NULL && i < LOOKS; i++) {
        EXPECT(call_send(scene, &error) == QN_STATUS_OK);
        message = qn_feed_next(feed, 100);
    }
    EXPECT(message != NULL && message->kind == MESSAGE_CHANGE_INFO);
    qn_feed_close(feed);
    return true;
}

static bool works_reopened(struct scene *scene)
{
    struct qn_error error;

    EXPECT(reopen(scene->client));
    EXPECT(world_search_is_right(scene->client, SEARCH_MS));
    EXPECT(call_coord(scene, &error) == QN_STATUS_OK);
    EXPECT(feeds_are_opened_again(scene));
    EXPECT(world_search_is_right(scene->client, SEARCH_MS));
    EXPECT(qn_client_reopen(scene->client, &error) == QN_STATUS_INVALID);
    qn_client_close(scene->client);
    return true;
}

static void a_child_reopens_and_is_answered(void **state)
{
    struct scene *scene = *state;
    struct qn_error error;

    pid_t child = start_child(scene, works_reopened);
    assert_true(world_search_is_right(scene->client, SEARCH_MS));
    assert_true(ends_well(child));
    assert_true(world_search_is_right(scene->client, SEARCH_MS));
    assert_int_equal(call_send(scene, &error), QN_STATUS_OK);
    assert_non_null(qn_feed_next(scene->feed, SEARCH_MS));
}

/* As if other threads were in the middle of it all. */
static void locks_held_at_the_fork_are_not_the_childs(void **state)
{
    struct scene *scene = *state;
    struct qn_client *client = scene->client;
    pthread_mutex_t *locks[] = {&client->calls.lock, &client->views.drain_lock, &client->views.lock,
                                &client->feeds_lock};
    child_part *parts[] = {is_told_and_closes, works_reopened};
    pid_t children[2];

    for (size_t i = 0; i < 4; i++)
        (void)pthread_mutex_lock(locks[i]);
    for (size_t i = 0; i < 2; i++)
        children[i] = start_child(scene, parts[i]);
    for (size_t i = 4; i-- > 0;)
        (void)pthread_mutex_unlock(locks[i]);
    for (size_t i = 0; i < 2; i++)
        assert_true(ends_well(children[i]));
    assert_true(world_search_is_right(client, SEARCH_MS));
}

static bool opens_a_new_one(struct scene *scene)
{
    struct qn_client_options options = {.url = scene->server.url, .cluster = "test"};
    struct qn_client *client;

    EXPECT(qn_client_open(&options, &client, NULL) == QN_STATUS_OK);
    EXPECT(world_search_is_right(client, SEARCH_MS));
    EXPECT(reopen(scene->client)); /* beside it */
    EXPECT(world_search_is_right(scene->client, SEARCH_MS));
    qn_client_close(client);
    EXPECT(world_search_is_right(scene->client, SEARCH_MS));
    qn_client_close(scene->client);
    return true;
}

static void a_child_opens_a_handle_of_its_own(void **state)
{
    assert_child(*state, opens_a_new_one);
}

static bool a_child_of_it_is_told_and_reopens(struct scene *scene)
{
    pid_t told = start_child(scene, every_call_says_forked);
    pid_t opened = start_child(scene, works_reopened);

    return ends_well(told) && ends_well(opened);
}

static bool has_a_child_before_and_after(struct scene *scene)
{
    EXPECT(ends_well(start_child(scene, works_reopened)));
    EXPECT(reopen(scene->client));
    EXPECT(world_search_is_right(scene->client, SEARCH_MS));
    EXPECT(a_child_of_it_is_told_and_reopens(scene));
    EXPECT(world_search_is_right(scene->client, SEARCH_MS));
    qn_client_close(scene->client);
    return true;
}

static void a_child_of_a_child_reopens_too(void **state)
{
    struct scene *scene = *state;

    assert_child(scene, has_a_child_before_and_after);
    assert_true(world_search_is_right(scene->client, SEARCH_MS));
}

/* ---- trouble ---- */

struct searchers {
    struct qn_client *client;
    pthread_t threads[SEARCHERS];
    _Atomic bool is_over;
    _Atomic uint32_t searches, wrong;
};

static void *search_on(void *owner)
{
    struct searchers *all = owner;

    while (!atomic_load(&all->is_over)) {
        atomic_fetch_add(&all->wrong, world_search_is_right(all->client, SEARCH_MS) ? 0 : 1);
        atomic_fetch_add(&all->searches, 1);
    }
    return NULL;
}

/* The allocator of gcc 12's AddressSanitizer keeps its locks over a fork: a child of a process
 * whose other threads allocate must not allocate. */
#ifdef __SANITIZE_ADDRESS__
static child_part *const busy_parts[] = {every_call_says_forked};
#else
static child_part *const busy_parts[] = {is_told_and_closes, works_reopened};
#endif

static void forks_while_other_threads_search(void **state)
{
    struct scene *scene = *state;
    struct searchers all = {.client = scene->client};

    for (size_t i = 0; i < SEARCHERS; i++)
        assert_int_equal(thread_start(&all.threads[i], "search", search_on, &all, NULL),
                         QN_STATUS_OK);
    int bad = 0;
    for (int i = 0; i < FORKS; i++)
        for (size_t part = 0; part < sizeof busy_parts / sizeof *busy_parts; part++)
            bad += ends_well(start_child(scene, busy_parts[part])) ? 0 : 1;
    atomic_store(&all.is_over, true);
    for (size_t i = 0; i < SEARCHERS; i++)
        (void)pthread_join(all.threads[i], NULL);
    assert_int_equal(bad, 0);
    assert_int_equal(all.wrong, 0);
    assert_true(all.searches > 0);
}

static bool outlives_the_server(struct scene *scene)
{
    struct qn_error error;
    bool is_noticed = false;

    EXPECT(reopen(scene->client));
    EXPECT(world_search_is_right(scene->client, SEARCH_MS));
    EXPECT(write(scene->words[1], "1", 1) == 1); /* the server goes */
    for (int i = 0; !is_noticed && i < LOOKS; i++) {
        is_noticed = call_send(scene, &error) == QN_STATUS_UNAVAILABLE;
        clock_nap_us(10000);
    }
    EXPECT(is_noticed);
    EXPECT(write(scene->words[1], "2", 1) == 1); /* and comes back */
    EXPECT(search_comes_right(scene->client));
    EXPECT(feeds_are_opened_again(scene));
    qn_client_close(scene->client);
    return true;
}

static void await_word(struct scene *scene, char word)
{
    struct pollfd end = {.fd = scene->words[0], .events = POLLIN};
    char said = 0;

    assert_int_equal(poll(&end, 1, HANG_S * 1000), 1);
    assert_int_equal(read(scene->words[0], &said, 1), 1);
    assert_int_equal(said, word);
}

static void a_reopened_child_outlives_the_server(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(pipe(scene->words), 0);
    pid_t child = start_child(scene, outlives_the_server);
    await_word(scene, '1');
    bus_server_down(&scene->server);
    await_word(scene, '2');
    bus_server_up(&scene->server);
    assert_true(ends_well(child));
    assert_true(search_comes_right(scene->client));
    (void)close(scene->words[0]);
    (void)close(scene->words[1]);
}

static bool fails_without_a_server(struct scene *scene)
{
    struct qn_error error;

    EXPECT(qn_client_reopen(scene->client, &error) == QN_STATUS_UNAVAILABLE);
    EXPECT(every_call_says_forked(scene));
    EXPECT(qn_client_reopen(scene->client, &error) == QN_STATUS_UNAVAILABLE);
    qn_client_close(scene->client);
    return true;
}

static void a_reopening_that_fails_leaves_a_forked_handle(void **state)
{
    struct scene *scene = *state;

    bus_server_down(&scene->server);
    assert_child(scene, fails_without_a_server);
    bus_server_up(&scene->server);
    assert_true(search_comes_right(scene->client));
}

/* Segments are not copied page by page into a child that writes, nor kept by it. */
static void memory_of_segments_is_not_in_a_child(void **state)
{
    enum { BYTES = 4 << 20 };
    struct files files = files_posix();
    char line[512], start[32];
    bool is_there = false, is_left_out = false;

    (void)state;
    char *memory = files.ops->map(files.self, BYTES, 0);
    assert_non_null(memory);
    (void)snprintf(start, sizeof start, "%" PRIxPTR "-", (uintptr_t)memory);
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (strchr(line, '-') != NULL && strncmp(line, "VmFlags", 7) != 0)
            is_there = strncmp(line, start, strlen(start)) == 0;
        if (is_there && strncmp(line, "VmFlags:", 8) == 0)
            is_left_out = strstr(line, " dc") != NULL;
    }
    (void)fclose(maps);
    files.ops->unmap(files.self, memory, BYTES);
    assert_true(is_left_out);
}

#define TEST(run)                                                                                  \
    {                                                                                              \
#run, run, fork_scene_open, fork_scene_close, &scene                                       \
    }

int main(void)
{
    const struct CMUnitTest alone[] = {cmocka_unit_test(memory_of_segments_is_not_in_a_child)};
    int failures = cmocka_run_group_tests(alone, NULL, NULL);

#ifdef __SANITIZE_THREAD__
    (void)puts("skipped: ThreadSanitizer ends a child of a threaded process that starts threads");
    return failures;
#endif
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        static struct scene scene;
        const struct CMUnitTest tests[] = {
            TEST(a_child_is_told_and_the_parent_goes_on),
            TEST(a_child_reopens_and_is_answered),
            TEST(locks_held_at_the_fork_are_not_the_childs),
            TEST(a_child_opens_a_handle_of_its_own),
            TEST(a_child_of_a_child_reopens_too),
            TEST(forks_while_other_threads_search),
            TEST(a_reopened_child_outlives_the_server),
            TEST(a_reopening_that_fails_leaves_a_forked_handle),
        };
        const char *lacks = bus_server_lacks(kinds[i]);
        bool is_broker = kinds[i] == BUS_KAFKA;
        if (lacks != NULL) {
            (void)printf("SKIPPED: fork on %s: %s\n", bus_kind_name(kinds[i]), lacks);
            continue;
        }
        scene = (struct scene){.kind = kinds[i]};
        failures += cmocka_run_group_tests_name(bus_kind_name(kinds[i]), tests,
                                                is_broker ? fork_broker_start : NULL,
                                                is_broker ? fork_broker_stop : NULL);
    }
    return failures;
}
