/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/agent_shell_world.h"

#include "base/check.h"
#include "base/error.h"
#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- ports ----------------------------------------------------------------------------------- */

static uint64_t virtual_now_us(void *self)
{
    struct world *world = self;

    world->now_us += world->clock_step_us;
    return world->now_us;
}

static bool deferred_submit(void *self, enum executor_lane lane, unsigned numa_node,
                            struct task *task)
{
    struct world *world = self;

    (void)numa_node;
    if (lane == EXECUTOR_LANE_LOAD) {
        task->run(task);
        return true;
    }
    if (world->options.executor == WORLD_FULL || world->tasks_count == WORLD_TASKS_MAX)
        return false;
    world->tasks[world->tasks_count++] = task;
    return true;
}

static bool deferred_is_idle(void *self, enum executor_lane lane, unsigned numa_node)
{
    (void)self, (void)lane, (void)numa_node;
    return false;
}

static unsigned deferred_concurrency(void *self, enum executor_lane lane)
{
    (void)self;
    return lane == EXECUTOR_LANE_SEARCH ? 4 : 1;
}

static struct executor executor_of(struct world *world)
{
    static const struct executor_ops deferred = {deferred_submit, deferred_is_idle,
                                                 deferred_concurrency};
    struct executor_threads_options options = {
        .numa_nodes = 1, .workers_per_numa_node = 2, .loaders = 1};
    struct qn_error error = {0};

    if (world->options.executor == WORLD_INLINE)
        return executor_inline();
    if (world->options.executor != WORLD_THREADS)
        return (struct executor){.ops = &deferred, .self = world};
    if (world->threads == NULL &&
        executor_threads_open(&options, &world->threads, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    return executor_threads_port(world->threads);
}

static void *counted_map(void *self, size_t bytes, unsigned numa_node)
{
    struct world *world = self;
    void *memory = files_posix().ops->map(NULL, bytes, numa_node);

    if (memory != NULL)
        (void)__atomic_fetch_add(&world->anon_bytes, bytes, __ATOMIC_SEQ_CST);
    return memory;
}

static void counted_unmap(void *self, void *memory, size_t bytes)
{
    struct world *world = self;

    files_posix().ops->unmap(NULL, memory, bytes);
    (void)__atomic_fetch_sub(&world->anon_bytes, bytes, __ATOMIC_SEQ_CST);
}

static enum qn_status failing_write(void *self, const char *path, const void *bytes, size_t size,
                                    struct qn_error *error)
{
    struct world *world = self;

    if (world->writes_fail)
        return error_set(error, QN_STATUS_IO, "%s: write: no space left on device", path);
    return files_posix().ops->write_durable(NULL, path, bytes, size, error);
}

static struct files files_of(struct world *world)
{
    static struct files_ops ops;

    ops = *files_posix().ops;
    ops.map = counted_map;
    ops.unmap = counted_unmap;
    ops.write_durable = failing_write;
    return (struct files){.ops = &ops, .self = world};
}

static void read_memory(void *owner, struct memory_report *report)
{
    struct world *world = owner;

    report->anon_bytes = __atomic_load_n(&world->anon_bytes, __ATOMIC_SEQ_CST);
    report->available_bytes = 123456;
    world->memory_reads++;
}

static uint64_t read_anon(void *owner)
{
    const struct world *world = owner;

    return __atomic_load_n(&world->anon_bytes, __ATOMIC_SEQ_CST);
}

/* The bus's own functions with another limit. */
static struct world *limited_world; /* max_payload has no other way to its number */

static size_t limited_max_payload(void *self)
{
    (void)self;
    return limited_world->options.max_payload;
}

static void on_message(void *owner, struct bus_message *message)
{
    struct world *world = owner;
    struct world_heard *heard = calloc(1, sizeof *heard);
    struct qn_error error = {0};

    CHECK(heard != NULL);
    arena_init(&heard->arena, LIMIT_DECODE_ARENA_BYTES);
    (void)snprintf(heard->subject, sizeof heard->subject, "%s", message->subject);
    if (codec_decode(message->bytes, message->size, &heard->arena, &heard->message, &error) !=
        QN_STATUS_OK) {
        (void)fprintf(stderr, "the agent's message: %s\n", error.text);
        abort();
    }
    (void)pthread_mutex_lock(&world->lock);
    *world->last = heard;
    world->last = &heard->next;
    (void)pthread_mutex_unlock(&world->lock);
    message->release(message);
}

/* ---- open and close -------------------------------------------------------------------------- */

static void open_bus(struct world *world)
{
    static int count;
    char url[64];
    struct qn_error error = {0};
    const char *subjects[] = {"qnode." WORLD_CLUSTER ".event.*", "qnode." WORLD_CLUSTER ".report.*",
                              "qnode." WORLD_CLUSTER ".reply.peer.*",
                              "qnode." WORLD_CLUSTER ".agent.9.ask"};

    (void)snprintf(url, sizeof url, "inproc://agent_shell_%d_%d", (int)getpid(), count++);
    assert_int_equal(transport_inproc_open(url, &world->bus, &error), QN_STATUS_OK);
    assert_int_equal(transport_inproc_open(url, &world->peer, &error), QN_STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(subjects); i++)
        assert_int_equal(
            world->peer.ops->subscribe(world->peer.self, subjects[i], on_message, world, &error),
            QN_STATUS_OK);
    world->agent_bus = world->bus;
    if (world->options.max_payload == 0)
        return;
    limited_world = world;
    world->agent_bus_ops = *world->bus.ops;
    world->agent_bus_ops.max_payload = limited_max_payload;
    world->agent_bus.ops = &world->agent_bus_ops;
}

struct world *world_open_without_agent(struct world_options options)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->options = options;
    world->now_us = 1000000;
    world->last = &world->first;
    (void)pthread_mutex_init(&world->lock, NULL);
    if (options.folder != NULL) {
        (void)snprintf(world->folder, sizeof world->folder, "%s", options.folder);
    } else {
        (void)snprintf(world->folder, sizeof world->folder, "/tmp/qnode-shell-XXXXXX");
        assert_non_null(mkdtemp(world->folder));
    }
    open_bus(world);
    return world;
}

enum qn_status world_open_agent(struct world *world, struct qn_error *error)
{
    struct agent_options options = {
        .node_id = WORLD_NODE,
        .cluster = WORLD_CLUSTER,
        .state_dir = world->folder,
        .budget_bytes = world->options.budget_bytes,
        .release_grace_ms = 500,
        .numa_count = 1,
        .read_memory = read_memory,
        .read_anon = read_anon,
        .read_memory_owner = world,
        .transport = world->agent_bus,
        .files = files_of(world),
        .clock = {virtual_now_us, world},
        .executor = executor_of(world),
    };

    if (options.budget_bytes == 0)
        options.budget_bytes = 1 << 30;
    if (world->options.executor == WORLD_THREADS)
        options.clock = clock_monotonic();
    return agent_open(&options, &world->agent, error);
}

struct world *world_open(struct world_options options)
{
    struct world *world = world_open_without_agent(options);
    struct qn_error error = {0};

    if (world_open_agent(world, &error) != QN_STATUS_OK)
        fail_msg("%s", error.text);
    return world;
}

static void free_heard(struct world_heard *heard)
{
    while (heard != NULL) {
        struct world_heard *next = heard->next;
        arena_done(&heard->arena);
        free(heard);
        heard = next;
    }
}

void world_close(struct world *world)
{
    char command[512];

    executor_threads_close(world->threads);
    world->bus.ops->close(world->bus.self);
    world->peer.ops->close(world->peer.self);
    agent_close(world->agent);
    assert_int_equal(world->anon_bytes, 0);
    free_heard(world->first);
    (void)pthread_mutex_destroy(&world->lock);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
    if (!world->keeps_folder)
        assert_int_equal(system(command), 0);
    free(world);
}

/* ---- time ------------------------------------------------------------------------------------ */

void world_run(struct world *world)
{
    if (world->options.executor == WORLD_THREADS) {
        (void)agent_poll(world->agent);
        return;
    }
    while (agent_poll(world->agent) <= world->now_us)
        ;
}

void world_advance(struct world *world, uint64_t ms)
{
    uint64_t until_us = world->now_us + ms * 1000;
    uint64_t next_us;

    while ((next_us = agent_poll(world->agent)) <= until_us)
        if (next_us > world->now_us)
            world->now_us = next_us;
    world->now_us = until_us;
    world_run(world);
}

unsigned world_run_tasks(struct world *world)
{
    unsigned count = world->tasks_count;
    struct task *tasks[WORLD_TASKS_MAX];

    memcpy(tasks, world->tasks, sizeof tasks);
    world->tasks_count = 0;
    for (unsigned i = 0; i < count; i++)
        tasks[i]->run(tasks[i]);
    return count;
}

/* ---- messages -------------------------------------------------------------------------------- */

void world_send_bytes(struct world *world, const char *inbox, const void *bytes, size_t size)
{
    char subject[128];

    (void)snprintf(subject, sizeof subject, "qnode." WORLD_CLUSTER ".agent.%d.%s", (int)WORLD_NODE,
                   inbox);
    assert_int_equal(world->peer.ops->publish(world->peer.self, subject, NULL, bytes, size),
                     QN_STATUS_OK);
}

void world_encode(struct message *message, struct arena *arena, const uint8_t **ret_bytes,
                  size_t *ret_size)
{
    struct qn_error error = {0};

    message->cluster = message->cluster == NULL ? WORLD_CLUSTER : message->cluster;
    message->sender = message->sender == NULL ? "coordinator" : message->sender;
    message->reply_to = message->reply_to == NULL ? WORLD_REPLY : message->reply_to;
    message->term = message->term == 0 ? WORLD_TERM : message->term;
    if (codec_encode(message, arena, ret_bytes, ret_size, &error) != QN_STATUS_OK)
        fail_msg("encode: %s", error.text);
}

void world_send(struct world *world, const char *inbox, struct message message)
{
    struct arena arena;
    const uint8_t *bytes;
    size_t size;

    arena_init(&arena, 16 << 20);
    world_encode(&message, &arena, &bytes, &size);
    world_send_bytes(world, inbox, bytes, size);
    arena_done(&arena);
}

const struct message *world_take(struct world *world, enum message_kind kind)
{
    const struct message *message = NULL;

    (void)pthread_mutex_lock(&world->lock);
    for (struct world_heard *heard = world->first; heard != NULL; heard = heard->next) {
        if (heard->message.kind != kind || heard->subject[0] == '\0')
            continue;
        /* A receipt that was asked for comes twice: to all, and to who asked. */
        heard->subject[0] = '\0';
        message = &heard->message;
        break;
    }
    (void)pthread_mutex_unlock(&world->lock);
    return message;
}

const struct message *world_await(struct world *world, enum message_kind kind)
{
    struct clock clock = clock_monotonic();
    uint64_t until_us = clock_now_us(&clock) + 30 * UINT64_C(1000000);
    const struct message *message;

    while ((message = world_take(world, kind)) == NULL) {
        if (clock_now_us(&clock) > until_us)
            fail_msg("no %s within 30 s", message_kind_name(kind));
        uint64_t next_us = agent_poll(world->agent);
        uint64_t soon_us = clock_now_us(&clock) + 5000; /* a reply does not wake the node */
        agent_wait(world->agent, next_us < soon_us ? next_us : soon_us);
    }
    return message;
}
