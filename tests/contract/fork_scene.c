/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/fork_scene.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bus_server broker;

int fork_broker_start(void **state)
{
    (void)state;
    bus_server_start(&broker, BUS_KAFKA);
    return setenv("QNODE_KAFKA_FOLDER", broker.folder, 1);
}

int fork_broker_stop(void **state)
{
    (void)state;
    bus_server_stop(&broker);
    return unsetenv("QNODE_KAFKA_FOLDER");
}

int fork_scene_open(void **state)
{
    struct scene *scene = *state;

    bus_server_start(&scene->server, scene->kind);
    world_open_at(&scene->world, scene->server.url);
    scene->client = world_client(&scene->world);
    assert_int_equal(qn_feed_open(scene->client, QN_FEED_QUERY, &scene->feed, NULL), QN_STATUS_OK);
    assert_true(world_search_is_right(scene->client, SEARCH_MS));
    return 0;
}

int fork_scene_close(void **state)
{
    struct scene *scene = *state;

    qn_feed_close(scene->feed);
    qn_client_close(scene->client);
    world_close(&scene->world);
    bus_server_stop(&scene->server);
    return 0;
}

#ifdef __SANITIZE_ADDRESS__
enum { LOCKED_S = 1, BLOCK_BYTES_MAX = 200000, BLOCKS_MAX = 512, CHILDREN_MAX = 20 };

/* A thread of its own has no blocks in store: each size must be fetched, under the lock of its
 * class. */
static void *fetch_blocks(void *unused)
{
    void *blocks[BLOCKS_MAX];
    size_t count = 0;

    for (size_t bytes = 1; bytes < BLOCK_BYTES_MAX; bytes += bytes < 256 ? 16 : bytes / 16)
        blocks[count++] = malloc(bytes);
    while (count > 0)
        free(blocks[--count]);
    return unused;
}

static void prove_heap(int told)
{
    pthread_t thread;

    (void)alarm(LOCKED_S);
    if (pthread_create(&thread, NULL, fetch_blocks, NULL) != 0 || pthread_join(thread, NULL) != 0 ||
        write(told, "", 1) != 1)
        _exit(1);
}

/* gcc 12's AddressSanitizer copies the locks of its allocator as they are, unlike glibc: a child
 * that got one in the hands of another thread hangs as soon as it allocates, whatever is tested. It
 * is found out before its part begins, and another takes its place. */
static pid_t fork_whole(void)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        int told[2], how;
        char word;
        assert_int_equal(pipe(told), 0);
        const pid_t child = fork();
        if (child == 0)
            prove_heap(told[1]);
        (void)close(told[1]);
        const bool is_whole = child == 0 || (child > 0 && read(told[0], &word, 1) == 1);
        (void)close(told[0]);
        if (is_whole || child < 0)
            return child;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGALRM);
    }
    fail_msg("%d children in turn got the allocator's locks closed", CHILDREN_MAX);
    return -1;
}
#else
static pid_t fork_whole(void)
{
    return fork();
}
#endif

pid_t start_child(struct scene *scene, child_part *part)
{
    pid_t child = fork_whole();

    if (child == 0) {
        (void)alarm(HANG_S);
        _exit(part(scene) ? 0 : 1);
    }
    assert_true(child > 0);
    return child;
}

bool ends_well(pid_t child)
{
    int how = 0;

    return waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

void assert_child(struct scene *scene, child_part *part)
{
    assert_true(ends_well(start_child(scene, part)));
}

bool reopen(struct qn_client *client)
{
    struct qn_error error = {.text = ""};

    if (qn_client_reopen(client, &error) == QN_STATUS_OK)
        return true;
    print_error("reopen: %s\n", error.text);
    return false;
}

bool names(const struct qn_error *error, pid_t pid)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%d", (int)pid);
    return strstr(error->text, text) != NULL;
}

enum qn_status call_search(struct scene *scene, struct qn_error *error)
{
    const float query[2] = {0};
    struct qn_search_request request = {
        .collection_id = WORLD_COLLECTION, .queries = query, .nq = 1, .dim = 2, .k = 3};
    struct qn_search_result result;

    return qn_search(scene->client, &request, &result, error);
}

enum qn_status call_send(struct scene *scene, struct qn_error *error)
{
    struct message message = {.kind = MESSAGE_CHANGE_INFO};

    return qn_send(scene->client, "qnode.test.query.5", &message, error);
}

enum qn_status call_coord(struct scene *scene, struct qn_error *error)
{
    struct coord_request request = {.verb = COORD_LIST_NODES};

    return qn_coord_call(scene->client, &request, 60000, NULL, NULL, error);
}

bool search_comes_right(struct qn_client *client)
{
    for (int i = 0; i < LOOKS; i++) {
        struct qn_search_request request = {.collection_id = WORLD_COLLECTION,
                                            .queries = (const float[2]){0},
                                            .nq = 1,
                                            .dim = 2,
                                            .k = 3,
                                            .deadline_ms = 200};
        struct qn_search_result result;
        if (qn_search(client, &request, &result, NULL) != QN_STATUS_OK)
            return false;
        bool is_complete = result.verdict == QN_VERDICT_COMPLETE;
        qn_search_result_done(&result);
        if (is_complete)
            return true;
    }
    return false;
}
