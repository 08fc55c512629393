/* SPDX-License-Identifier: Apache-2.0
 * A bus, a world on it, a client handle and its children, for the tests of fork(). */
#ifndef TESTS_CONTRACT_FORK_SCENE_H
#define TESTS_CONTRACT_FORK_SCENE_H

#include "tests/contract/server.h"
#include "tests/unit/client_world.h"

enum {
    HANG_S = 60, /* a child that takes so long hangs, and is ended */
    LOOKS = 200,
    SEARCH_MS = 5000,
};

struct scene {
    enum bus_kind kind;
    struct bus_server server;
    struct world world;
    struct qn_client *client;
    struct qn_feed *feed; /* of the parent */
    int words[2];         /* a pipe from a child */
};

/* As setup and teardown of cmocka; *state: a scene with its kind of bus. */
int fork_scene_open(void **state);
int fork_scene_close(void **state);
/* Around all scenes on Kafka: one broker, because it takes seconds to start. */
int fork_broker_start(void **state);
int fork_broker_stop(void **state);

/* What a child does; true: all was as it should be. It must not use cmocka. */
typedef bool child_part(struct scene *scene);

pid_t start_child(struct scene *scene, child_part *part);
bool ends_well(pid_t child);
void assert_child(struct scene *scene, child_part *part);

#define EXPECT(condition)                                                                          \
    if (!(condition)) {                                                                            \
        print_error("%s:%d: child %d: %s\n", __FILE__, __LINE__, (int)getpid(), #condition);       \
        return false;                                                                              \
    }

bool reopen(struct qn_client *client);
bool names(const struct qn_error *error, pid_t pid);
enum qn_status call_search(struct scene *scene, struct qn_error *error);
enum qn_status call_send(struct scene *scene, struct qn_error *error);
enum qn_status call_coord(struct scene *scene, struct qn_error *error);
/* Searches until one is complete; false: none of LOOKS was. */
bool search_comes_right(struct qn_client *client);

#endif
