/* SPDX-License-Identifier: Apache-2.0
 * qnoded: the agent as a program. The main thread is the node thread. The first SIGTERM or SIGINT
 * says Leaving, finishes the searches in flight and ends; the second ends at once. */
#include "agent/qnoded_internal.h"

#include "base/check.h"
#include "base/standard_files.h"
#include "base/thread.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* How long it goes on taking searches after it said Leaving, while some are in flight. Those taken
 * are finished after that too: their deadlines bound them. */
enum { LINGER_MS = 5000 };

static const char room[] = "qnoded";

/* Signal handlers have no owner: these two are all they reach. */
static _Atomic int signals_count;
static struct agent *_Atomic signalled_agent;

static void on_signal(int number)
{
    struct agent *agent = atomic_load(&signalled_agent);

    if (atomic_fetch_add(&signals_count, 1) > 0)
        _exit(128 + number);
    if (agent != NULL)
        agent_wake(agent);
}

static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    (void)sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGTERM, &action, NULL) == 0);
    CHECK(sigaction(SIGINT, &action, NULL) == 0);
    action.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
}

static void serve(struct agent *agent)
{
    while (atomic_load(&signals_count) == 0) {
        uint64_t until_us = agent_poll(agent);
        if (atomic_load(&signals_count) == 0)
            agent_wait(agent, until_us);
    }
}

static void leave(struct agent *agent)
{
    struct clock clock = clock_monotonic();
    uint64_t end_us = clock_now_us(&clock) + (uint64_t)LINGER_MS * 1000;

    LOG_INFO(room, "leaving");
    agent_leave(agent);
    uint64_t until_us = agent_poll(agent);
    while (agent_is_searching(agent) && clock_now_us(&clock) < end_us) {
        agent_wait(agent, until_us < end_us ? until_us : end_us);
        until_us = agent_poll(agent);
    }
}

static int fail(const struct qn_error *error)
{
    (void)fprintf(stderr, "qnoded: %s\n", error->text);
    return qn_status_exit_code(error->status);
}

static int run(struct qnoded *qnoded)
{
    struct qn_error error = {0};

    handle_signals();
    enum qn_status status = qnoded_start(qnoded, &error);
    if (status == QN_STATUS_OK) {
        atomic_store(&signalled_agent, qnoded->agent);
        serve(qnoded->agent);
        leave(qnoded->agent);
        atomic_store(&signalled_agent, NULL);
    }
    qnoded_stop(qnoded);
    if (status != QN_STATUS_OK)
        return fail(&error);
    LOG_INFO(room, "ended");
    return 0;
}

int main(int argc, char **argv)
{
    struct qnoded qnoded = {.lock_fd = -1};
    struct qn_error error = {0};
    enum config_wish wish;

    standard_files_open();
    enum qn_status status = config_read(argc, argv, &qnoded.config, &wish, &error);
    if (status != QN_STATUS_OK)
        return fail(&error);
    if (wish == CONFIG_HELP) {
        config_print_help();
        return standard_files_end("qnoded", 0);
    }
    if (wish == CONFIG_VERSION) {
        (void)printf("qnoded " QNODE_VERSION "\n");
        return standard_files_end("qnoded", 0);
    }
    log_level_set(qnoded.config.log_level);
    if (qnoded_measure(&qnoded, &error) != QN_STATUS_OK)
        return fail(&error);
    if (qnoded.config.check_only) {
        qnoded_print_plan(&qnoded);
        return standard_files_end("qnoded", 0);
    }
    thread_role_set(THREAD_ROLE_NODE);
    return run(&qnoded);
}
