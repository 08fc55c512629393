/* SPDX-License-Identifier: Apache-2.0
 * Brings the four ports and the agent up, and takes them down in an order in which nobody calls
 * what is gone. */
#include "agent/qnoded_internal.h"

#include "agent/heap.h"
#include "base/error.h"
#include "base/numa.h"
#include "channel/bus_url.h"
#include "segstore/kernels/kernels.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, DEFAULT_LOADERS = 2 };

static const char room[] = "qnoded";

/* Node thread, for each report. */
static void read_memory(void *owner, struct memory_report *report)
{
    struct memory_truth truth;
    struct heap_truth heap;

    (void)owner;
    memory_read("", &truth);
    heap_read(&heap);
    report->anon_bytes = truth.anon_bytes;
    report->locked_bytes = truth.locked_bytes;
    report->cgroup_limit_bytes = truth.cgroup_limit_bytes;
    report->available_bytes = truth.available_bytes;
    report->heap_allocated_bytes = heap.allocated_bytes;
    report->heap_resident_bytes = heap.resident_bytes;
    report->heap_retained_bytes = heap.retained_bytes;
}

static uint64_t read_anon(void *owner)
{
    (void)owner;
    return memory_read_anon("");
}

static unsigned cores_count(void)
{
    unsigned cores = 0;

    for (unsigned i = 0; i < numa_nodes_count(); i++)
        cores += numa_cores_count(i);
    return cores;
}

enum qn_status qnoded_measure(struct qnoded *qnoded, struct qn_error *error)
{
    const struct config *config = &qnoded->config;
    struct memory_truth truth;
    enum qn_status status = kernels_choose(NULL, error);

    if (status != QN_STATUS_OK)
        return status;
    memory_read("", &truth);
    qnoded->budget = memory_budget(&truth, config->memory_budget_bytes);
    if (qnoded->budget.bytes == 0)
        return error_set(error, QN_STATUS_CONFIG,
                         "no memory to serve from: %s leaves nothing beside %" PRIu64
                         " bytes of headroom",
                         qnoded->budget.source, qnoded->budget.headroom_bytes);
    qnoded->numa_count = numa_nodes_count();
    qnoded->workers = config->workers;
    if (qnoded->workers == 0)
        qnoded->workers = numa_cores_count(0);
    if (qnoded->workers > CONFIG_WORKERS_MAX)
        qnoded->workers = CONFIG_WORKERS_MAX;
    qnoded->loaders = config->loaders;
    if (qnoded->loaders == 0)
        qnoded->loaders = cores_count() < DEFAULT_LOADERS ? 1 : DEFAULT_LOADERS;
    return QN_STATUS_OK;
}

static enum qn_status take_state_dir(struct qnoded *qnoded, struct qn_error *error)
{
    const char *dir = qnoded->config.state_dir;
    char path[LIMIT_PATH_BYTES];

    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return error_errno(error, errno, "%s: make the state directory", dir);
    int length = snprintf(path, sizeof path, "%s/lock", dir);
    if (length < 0 || (size_t)length >= sizeof path)
        return error_set(error, QN_STATUS_CONFIG, "%.100s: path too long", dir);
    qnoded->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (qnoded->lock_fd < 0)
        return error_errno(error, errno, "%s: open", path);
    if (flock(qnoded->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return QN_STATUS_OK;
    if (errno == EWOULDBLOCK)
        return error_set(error, QN_STATUS_BUSY, "%s: another qnoded runs with this state directory",
                         dir);
    return error_errno(error, errno, "%s: lock", path);
}

/* Two connections: what a search answers in bulk delays no control, and a server that cuts off a
 * slow reader of searches leaves control alone. */
static enum qn_status open_bus(struct qnoded *qnoded, struct qn_error *error)
{
    const struct config *config = &qnoded->config;
    char name[64];

    (void)snprintf(name, sizeof name, "qnoded %" PRId64, config->node_id);
    enum qn_status status =
        transport_open(config->bus, name, CONNECT_MS, &qnoded->transport, error);
    if (status != QN_STATUS_OK)
        return status;
    (void)snprintf(name, sizeof name, "qnoded %" PRId64 " search", config->node_id);
    return transport_open(config->bus, name, CONNECT_MS, &qnoded->search_transport, error);
}

/* Small enough to be read by people. */
static uint64_t random_boot(void)
{
    uint16_t random = 0;

    (void)getrandom(&random, sizeof random, GRND_NONBLOCK);
    return random;
}

static enum qn_status open_agent(struct qnoded *qnoded, struct qn_error *error)
{
    const struct config *config = &qnoded->config;
    struct agent_options options = {
        .node_id = config->node_id,
        .cluster = config->cluster,
        .state_dir = config->state_dir,
        .first_boot = random_boot(),
        .budget_bytes = qnoded->budget.bytes,
        .release_grace_ms = config->release_grace_ms,
        .numa_count = qnoded->numa_count,
        .read_memory = read_memory,
        .read_anon = read_anon,
        .transport = qnoded->transport,
        .search_transport = qnoded->search_transport,
        .files = files_posix(),
        .clock = clock_monotonic(),
        .executor = executor_threads_port(qnoded->threads),
    };

    for (unsigned i = 0; i < options.numa_count; i++)
        options.numa_total_bytes[i] = numa_memory_bytes(i);
    return agent_open(&options, &qnoded->agent, error);
}

enum qn_status qnoded_start(struct qnoded *qnoded, struct qn_error *error)
{
    const struct config *config = &qnoded->config;
    struct executor_threads_options options = {.numa_nodes = qnoded->numa_count,
                                               .workers_per_numa_node = qnoded->workers,
                                               .loaders = qnoded->loaders};
    char bus[BUS_URL_SHOWN_BYTES];

    enum qn_status status = take_state_dir(qnoded, error);
    if (status != QN_STATUS_OK)
        return status;
    bus_url_show(config->bus, bus);
    LOG_INFO(room, "qnoded " QNODE_VERSION ", node %" PRId64 ", cluster %s, state %s, bus %s",
             config->node_id, config->cluster, config->state_dir, bus);
    LOG_INFO(room,
             "budget %" PRIu64
             " bytes (%s), kernels %s, %u NUMA nodes, %u workers each, %u loaders",
             qnoded->budget.bytes, qnoded->budget.source, kernels_current()->name,
             qnoded->numa_count, qnoded->workers, qnoded->loaders);
    if (config->memory_budget_bytes > qnoded->budget.bytes)
        LOG_WARNING(room, "memory-budget %" PRIu64 " is more than %s and headroom leave",
                    config->memory_budget_bytes, qnoded->budget.source);
    status = open_bus(qnoded, error);
    if (status == QN_STATUS_OK)
        status = executor_threads_open(&options, &qnoded->threads, error);
    if (status == QN_STATUS_OK)
        status = open_agent(qnoded, error);
    return status;
}

void qnoded_stop(struct qnoded *qnoded)
{
    executor_threads_close(qnoded->threads);
    if (qnoded->search_transport.ops != NULL)
        qnoded->search_transport.ops->close(qnoded->search_transport.self);
    if (qnoded->transport.ops != NULL)
        qnoded->transport.ops->close(qnoded->transport.self);
    agent_close(qnoded->agent);
    if (qnoded->lock_fd >= 0)
        (void)close(qnoded->lock_fd);
}

void qnoded_print_plan(const struct qnoded *qnoded)
{
    const struct config *config = &qnoded->config;
    char bus[BUS_URL_SHOWN_BYTES];

    bus_url_show(config->bus, bus);
    (void)printf("node-id %" PRId64 "\nbus %s\ncluster %s\nstate-dir %s\n", config->node_id, bus,
                 config->cluster, config->state_dir);
    (void)printf("memory-budget %" PRIu64 " (%s; headroom %" PRIu64 ")\n", qnoded->budget.bytes,
                 qnoded->budget.source, qnoded->budget.headroom_bytes);
    (void)printf("workers %u on each of %u NUMA nodes\nloaders %u\nrelease-grace-ms %" PRIu64
                 "\nkernels %s\n",
                 qnoded->workers, qnoded->numa_count, qnoded->loaders, config->release_grace_ms,
                 kernels_current()->name);
}
