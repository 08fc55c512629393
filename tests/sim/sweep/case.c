/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sweep/case.h"

#include "base/check.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_AGAIN = 75, SAID_BYTES = 160, SETTLE_MS = 20000 };

static const char no_memory_text[] = "out of memory: ";

static int64_t mapped_bytes(const struct stage *stage)
{
    return fault_held().mapped_bytes - stage->mapped_bytes_before;
}

static bool is_held_once(const struct stage *stage)
{
    uint64_t resident_bytes = stage->scene->resident_bytes;

    return mapped_bytes(stage) == (int64_t)resident_bytes &&
           stage->ledger_bytes[0] + stage->ledger_bytes[1] == resident_bytes;
}

/* Every segment once, and not a page more, on the host and in the ledgers: a source that was told
 * to go is waited for. */
static void check_served(struct stage *stage, struct operation_end *end)
{
    if (!stage_serve(stage))
        operation_problem(end, "afterwards the collection is not served, or wrongly");
    else if (!stage_run(stage, is_held_once, SETTLE_MS))
        operation_problem(end, "afterwards mapped %lld, ledgers %llu, segments %llu bytes",
                          (long long)mapped_bytes(stage),
                          (unsigned long long)(stage->ledger_bytes[0] + stage->ledger_bytes[1]),
                          (unsigned long long)stage->scene->resident_bytes);
}

static void check_held(const struct fault_held *before, struct case_result *result)
{
    struct fault_held after = fault_held();

    if (memcmp(before, &after, sizeof after) == 0)
        return;
    result->has_leaked = true;
    operation_problem(&result->end, "leaked %lld blocks, %lld mapped bytes, %lld files",
                      (long long)(after.blocks_count - before->blocks_count),
                      (long long)(after.mapped_bytes - before->mapped_bytes),
                      (long long)(after.files_count - before->files_count));
}

static bool has_stopped(const struct stage *stage)
{
    return stage->coordinator == NULL || coordinator_failure(stage->coordinator) != NULL;
}

/* The operation under fault, and once more without. */
static void act(struct stage *stage, const struct operation *operation,
                const struct fault_plan *plan, struct case_result *result)
{
    operation->prepare(stage);
    fault_arm(plan);
    operation->act(stage, &result->end);
    fault_disarm();
    result->has_fired = fault_fired_count() > 0;
    if (has_stopped(stage))
        return;
    if (plan->class == FAULT_COMMIT && result->has_fired)
        operation_problem(&result->end, "went on after a commit that failed");
    operation->again(stage, &result->end);
    check_served(stage, &result->end);
}

static void run_here(const struct scene *scene, const struct operation *operation,
                     const struct fault_plan *plan, struct case_result *result)
{
    struct fault_held before = fault_held();
    struct stage stage;

    stage_open(&stage, scene, operation->is_durable);
    act(&stage, operation, plan, result);
    stage_close(&stage);
    check_held(&before, result);
}

/* ---- in a child ------------------------------------------------------------------------------ */

/* It may end by itself, but only with these words and this code. */
static void judge_exit(int wait_status, int said_fd, struct case_result *result)
{
    char said[SAID_BYTES + 1] = "";
    ssize_t length = pread(said_fd, said, SAID_BYTES, 0);

    said[length > 0 ? length : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
        return;
    result->has_fired = true;
    if (WIFSIGNALED(wait_status)) {
        operation_ended(&result->end, "killed");
        operation_problem(&result->end, "killed by signal %d: %s", WTERMSIG(wait_status), said);
        return;
    }
    operation_ended(&result->end, "exit %d", WEXITSTATUS(wait_status));
    if (WEXITSTATUS(wait_status) != EXIT_AGAIN || strstr(said, no_memory_text) == NULL)
        operation_problem(&result->end, "exit %d: %s", WEXITSTATUS(wait_status), said);
}

static void run_child(const struct scene *scene, const struct operation *operation,
                      const struct fault_plan *plan, struct case_result *result)
{
    int said_fd = memfd_create("said", MFD_CLOEXEC);
    int wait_status = 0;

    CHECK(said_fd >= 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        CHECK(dup2(said_fd, STDERR_FILENO) >= 0);
        run_here(scene, operation, plan, result);
        _exit(0);
    }
    CHECK(waitpid(child, &wait_status, 0) == child);
    judge_exit(wait_status, said_fd, result);
    CHECK(close(said_fd) == 0);
}

/* The child's nodes are gone too: they start again, empty. */
static void go_on(const struct scene *scene, const struct operation *operation,
                  struct case_result *result)
{
    struct fault_held before = fault_held();
    struct stage stage;

    stage_open(&stage, scene, true);
    stage_open_all(&stage);
    operation->again(&stage, &result->end);
    check_served(&stage, &result->end);
    stage_close(&stage);
    check_held(&before, result);
}

void case_run(const struct scene *scene, const struct operation *operation,
              const struct fault_plan *plan, struct case_result *ret_result)
{
    static struct case_result *shared; /* with the child */

    if (shared == NULL) {
        shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(shared != MAP_FAILED);
    }
    *shared = (struct case_result){0};
    scene_clean(scene);
    if (operation->is_durable) {
        run_child(scene, operation, plan, shared);
        go_on(scene, operation, shared);
    } else {
        run_here(scene, operation, plan, shared);
    }
    *ret_result = *shared;
}
