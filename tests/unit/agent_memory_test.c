/* SPDX-License-Identifier: Apache-2.0
 * Fixture trees in the shape of real hosts and containers. */
#include "agent/memory.h"
#include "base/check.h"
#include "tests/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct host {
    char root[64];
};

static void host_open(struct host *host)
{
    (void)snprintf(host->root, sizeof host->root, "/tmp/qnode-memory-XXXXXX");
    assert_non_null(mkdtemp(host->root));
}

static void host_close(struct host *host)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", host->root);
    assert_int_equal(system(command), 0);
}

static void put(struct host *host, const char *path, const char *text)
{
    char command[512], full[512];

    (void)snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s%s')\"", host->root, path);
    assert_int_equal(system(command), 0);
    (void)snprintf(full, sizeof full, "%s%s", host->root, path);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static uint64_t limit_of(struct host *host)
{
    struct memory_truth truth;

    memory_read(host->root, &truth);
    return truth.cgroup_limit_bytes;
}

#define V1_MOUNT "34 31 0:29 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
#define V2_MOUNT "31 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static void process_and_host_figures(void **state)
{
    struct host host;
    struct memory_truth truth;

    (void)state;
    host_open(&host);
    memory_read(host.root, &truth); /* nothing there: zeros */
    assert_int_equal(truth.anon_bytes + truth.total_bytes + truth.cgroup_limit_bytes, 0);
    put(&host, "/proc/self/status",
        "Name:\tqnoded\nVmLck:\t      64 kB\nVmRSS:\t 9 kB\nRssAnon:\t    1024 kB\n");
    put(&host, "/proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\nMemAvailable:  512 kB\n");
    memory_read(host.root, &truth);
    assert_int_equal(truth.anon_bytes, 1024 << 10);
    assert_int_equal(truth.locked_bytes, 64 << 10);
    assert_int_equal(truth.total_bytes, 2048 << 10);
    assert_int_equal(truth.available_bytes, 512 << 10);
    assert_int_equal(memory_read_anon(host.root), 1024 << 10);
    host_close(&host);
    assert_true(memory_read_anon("") > 0);
}

static void v1_takes_the_smallest_on_the_path(void **state)
{
    struct host host;

    (void)state;
    host_open(&host);
    put(&host, "/proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/a/b\n1:name=systemd:/a\n");
    put(&host, "/proc/self/mountinfo",
        "33 31 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" V1_MOUNT);
    put(&host, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(limit_of(&host), 0);
    put(&host, "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "3000000\n");
    assert_int_equal(limit_of(&host), 3000000);
    put(&host, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2000000\n");
    assert_int_equal(limit_of(&host), 2000000);
    host_close(&host);
}

static void v2_takes_the_smallest_on_the_path(void **state)
{
    struct host host;

    (void)state;
    host_open(&host);
    put(&host, "/proc/self/cgroup", "0::/system.slice/qnoded.service\n");
    put(&host, "/proc/self/mountinfo", V2_MOUNT);
    put(&host, "/sys/fs/cgroup/system.slice/qnoded.service/memory.max", "max\n");
    assert_int_equal(limit_of(&host), 0);
    put(&host, "/sys/fs/cgroup/system.slice/memory.max", "5000000\n");
    assert_int_equal(limit_of(&host), 5000000);
    put(&host, "/sys/fs/cgroup/system.slice/qnoded.service/memory.max", "4000000\n");
    assert_int_equal(limit_of(&host), 4000000);
    host_close(&host);
}

static void hybrid_takes_the_smaller_of_both(void **state)
{
    struct host host;

    (void)state;
    host_open(&host);
    put(&host, "/proc/self/cgroup", "4:memory:/a\n0::/a\n");
    put(&host, "/proc/self/mountinfo",
        V1_MOUNT "40 31 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put(&host, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "700000\n");
    put(&host, "/sys/fs/cgroup/unified/a/memory.max", "800000\n");
    assert_int_equal(limit_of(&host), 700000);
    put(&host, "/sys/fs/cgroup/unified/a/memory.max", "600000\n");
    assert_int_equal(limit_of(&host), 600000);
    host_close(&host);
}

static void a_container_sees_its_own_cgroup_at_the_mount(void **state)
{
    struct host host;

    (void)state;
    host_open(&host);
    /* the path is the host's, the mount shows the container's part of the tree */
    put(&host, "/proc/self/cgroup", "4:memory:/docker/abc\n");
    put(&host, "/proc/self/mountinfo",
        "34 31 0:29 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    put(&host, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "123456\n");
    assert_int_equal(limit_of(&host), 123456);
    put(&host, "/proc/self/cgroup", "4:memory:/docker/abc/inner\n");
    put(&host, "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "1234\n");
    assert_int_equal(limit_of(&host), 1234);
    /* a namespace that the path leaves, and a path that is not mounted */
    put(&host, "/proc/self/cgroup", "4:memory:/../other\n");
    assert_int_equal(limit_of(&host), 123456);
    put(&host, "/proc/self/cgroup", "4:memory:/docker/abcdef\n");
    assert_int_equal(limit_of(&host), 123456);
    host_close(&host);
}

static void odd_lines_do_no_harm(void **state)
{
    struct host host;

    (void)state;
    host_open(&host);
    put(&host, "/proc/self/cgroup", "\n:\n::\n4:memory\n0::/a b\n");
    put(&host, "/proc/self/mountinfo",
        "x\n - \n1 2 3 / /cg\\040roup rw - cgroup2 none rw\n7 7 7 / /later rw - cgroup2 none rw\n");
    put(&host, "/cg roup/a b/memory.max", "4096\n");
    put(&host, "/cg roup/memory.max", "garbage\n");
    assert_int_equal(limit_of(&host), 4096);
    host_close(&host);
}

static void the_budget_leaves_headroom_and_obeys_the_operator(void **state)
{
    const uint64_t mib = 1 << 20, gib = 1 << 30;
    struct memory_truth truth = {.total_bytes = 10 * gib};
    struct memory_budget budget = memory_budget(&truth, 0);

    (void)state;
    assert_string_equal(budget.source, "MemTotal");
    assert_int_equal(budget.headroom_bytes, 10 * gib / 100 * 2);
    assert_int_equal(budget.bytes, 10 * gib - budget.headroom_bytes);

    truth.cgroup_limit_bytes = gib;
    budget = memory_budget(&truth, 0);
    assert_string_equal(budget.source, "cgroup limit");
    assert_int_equal(budget.bytes, gib - 64 * mib);

    budget = memory_budget(&truth, 4096);
    assert_string_equal(budget.source, "configured");
    assert_int_equal(budget.bytes, 4096);
    budget = memory_budget(&truth, gib - 64 * mib);
    assert_string_equal(budget.source, "configured");
    budget = memory_budget(&truth, gib);
    assert_string_equal(budget.source, "cgroup limit");
    assert_int_equal(budget.bytes, gib - 64 * mib);

    truth.cgroup_limit_bytes = 10 * mib;
    assert_int_equal(memory_budget(&truth, 0).bytes, 0);
    truth = (struct memory_truth){0};
    assert_int_equal(memory_budget(&truth, gib).bytes, gib);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_and_host_figures),
        cmocka_unit_test(v1_takes_the_smallest_on_the_path),
        cmocka_unit_test(v2_takes_the_smallest_on_the_path),
        cmocka_unit_test(hybrid_takes_the_smaller_of_both),
        cmocka_unit_test(a_container_sees_its_own_cgroup_at_the_mount),
        cmocka_unit_test(odd_lines_do_no_harm),
        cmocka_unit_test(the_budget_leaves_headroom_and_obeys_the_operator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
