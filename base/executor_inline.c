/* SPDX-License-Identifier: Apache-2.0 */
#include "base/executor.h"

static bool inline_submit(void *self, enum executor_lane lane, unsigned numa_node,
                          struct task *task)
{
    (void)self, (void)lane, (void)numa_node;
    task->run(task);
    return true;
}

static bool inline_is_idle(void *self, enum executor_lane lane, unsigned numa_node)
{
    (void)self, (void)lane, (void)numa_node;
    return true;
}

static unsigned inline_concurrency(void *self, enum executor_lane lane)
{
    (void)self, (void)lane;
    return 1;
}

struct executor executor_inline(void)
{
    static const struct executor_ops ops = {inline_submit, inline_is_idle, inline_concurrency};

    return (struct executor){.ops = &ops};
}
