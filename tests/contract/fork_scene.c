/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/fork_scene.h"

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

pid_t start_child(struct scene *scene, child_part *part)
{
    pid_t child = fork();

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
