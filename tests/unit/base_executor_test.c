/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/thread.h"
#include "tests/test.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

struct counted {
    struct task task; /* first */
    atomic_uint *runs, *wrong_role;
    enum thread_role role;
    sem_t *gate; /* NULL: does not wait */
};

static void run_counted(struct task *task)
{
    struct counted *counted = (struct counted *)task;

    if (!thread_role_is(counted->role))
        atomic_fetch_add(counted->wrong_role, 1);
    if (counted->gate != NULL)
        (void)sem_wait(counted->gate);
    atomic_fetch_add(counted->runs, 1);
}

static struct executor_threads *open_threads(unsigned numa_nodes, unsigned workers)
{
    struct executor_threads_options options = {
        .numa_nodes = numa_nodes,
        .workers_per_numa_node = workers,
        .loaders = 2,
    };
    struct executor_threads *threads = NULL;
    struct qn_error error;

    assert_int_equal(executor_threads_open(&options, &threads, &error), QN_STATUS_OK);
    return threads;
}

static void every_taken_task_runs_once_before_close_returns(void **state)
{
    enum { TASKS = 20000 };
    static struct counted tasks[TASKS];
    struct executor_threads *threads = open_threads(2, 2);
    struct executor executor = executor_threads_port(threads);
    atomic_uint runs = 0, wrong_role = 0;

    (void)state;
    for (unsigned i = 0; i < TASKS; i++) {
        bool is_load = i % 3 == 0;
        tasks[i] = (struct counted){
            .task = {run_counted},
            .runs = &runs,
            .wrong_role = &wrong_role,
            .role = is_load ? THREAD_ROLE_LOADER : THREAD_ROLE_WORKER,
        };
        while (!executor.ops->submit(executor.self,
                                     is_load ? EXECUTOR_LANE_LOAD : EXECUTOR_LANE_SEARCH, i % 2,
                                     &tasks[i].task))
            (void)usleep(100);
    }
    executor_threads_close(threads);
    assert_int_equal(runs, TASKS);
    assert_int_equal(wrong_role, 0);
}

static void a_full_lane_refuses_and_says_that_it_is_not_idle(void **state)
{
    static struct counted tasks[LIMIT_TASK_SLOTS + 2];
    struct executor_threads *threads = open_threads(1, 1);
    struct executor executor = executor_threads_port(threads);
    atomic_uint runs = 0, wrong_role = 0;
    unsigned taken = 0;
    sem_t gate;

    (void)state;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_true(executor.ops->is_idle(executor.self, EXECUTOR_LANE_SEARCH, 0));
    assert_int_equal(executor.ops->concurrency(executor.self, EXECUTOR_LANE_SEARCH), 1);
    assert_int_equal(executor.ops->concurrency(executor.self, EXECUTOR_LANE_LOAD), 2);
    for (unsigned i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = (struct counted){
            .task = {run_counted},
            .runs = &runs,
            .wrong_role = &wrong_role,
            .role = THREAD_ROLE_WORKER,
            .gate = &gate,
        };
    while (taken < COUNT_OF(tasks) &&
           executor.ops->submit(executor.self, EXECUTOR_LANE_SEARCH, 0, &tasks[taken].task))
        taken++;
    /* One may be in the worker's hands. */
    assert_in_range(taken, LIMIT_TASK_SLOTS, LIMIT_TASK_SLOTS + 1);
    assert_false(executor.ops->is_idle(executor.self, EXECUTOR_LANE_SEARCH, 0));
    assert_true(executor.ops->is_idle(executor.self, EXECUTOR_LANE_LOAD, 0));
    for (unsigned i = 0; i < taken; i++)
        (void)sem_post(&gate);
    executor_threads_close(threads);
    assert_int_equal(runs, taken);
}

static void inline_runs_within_submit(void **state)
{
    struct executor executor = executor_inline();
    atomic_uint runs = 0, wrong_role = 0;
    struct counted task = {.task = {run_counted}, .runs = &runs, .wrong_role = &wrong_role};

    (void)state;
    assert_true(executor.ops->submit(executor.self, EXECUTOR_LANE_SEARCH, 0, &task.task));
    assert_int_equal(runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_taken_task_runs_once_before_close_returns),
        cmocka_unit_test(a_full_lane_refuses_and_says_that_it_is_not_idle),
        cmocka_unit_test(inline_runs_within_submit),
    };

    return cmocka_run_group_tests_name("base_executor", tests, NULL, NULL);
}
