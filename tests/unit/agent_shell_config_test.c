/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"
#include "base/check.h"
#include "tests/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config config;
static struct qn_error error;

/* Words of one command line, at most 31. */
static enum qn_status read_line(const char *line)
{
    char copy[1024], *words[32] = {NULL}, *rest = copy;
    enum config_wish wish;
    int count = 0;

    (void)snprintf(copy, sizeof copy, "qnoded %s", line);
    for (char *word; count < 31 && (word = strtok_r(rest, " ", &rest)) != NULL;)
        words[count++] = word;
    error = (struct qn_error){0};
    return config_read(count, words, &config, &wish, &error);
}

#define ENOUGH "--node-id 1 --bus nats://h:1 --state-dir d "

static void flags_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_line("--node-id=12 --bus nats://h:1 --cluster c-1 --state-dir /d "
                               "--memory-budget 4G --workers 3 --loaders 2 "
                               "--release-grace-ms 0 --log-level debug"),
                     QN_STATUS_OK);
    assert_int_equal(config.node_id, 12);
    assert_string_equal(config.bus, "nats://h:1");
    assert_string_equal(config.cluster, "c-1");
    assert_string_equal(config.state_dir, "/d");
    assert_int_equal(config.memory_budget_bytes, UINT64_C(4) << 30);
    assert_int_equal(config.workers, 3);
    assert_int_equal(config.loaders, 2);
    assert_int_equal(config.release_grace_ms, 0);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(read_line(ENOUGH), QN_STATUS_OK);
    assert_string_equal(config.cluster, "default");
    assert_int_equal(config.release_grace_ms, LIMIT_RELEASE_GRACE_MS);
}

static void sizes_have_suffixes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"4096", 4096},
                 {"64K", 64 << 10},
                 {"512M", 512 << 20},
                 {"2GiB", UINT64_C(2) << 30},
                 {"1T", UINT64_C(1) << 40}};
    char line[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        (void)snprintf(line, sizeof line, ENOUGH "--memory-budget %s", sizes[i].text);
        assert_int_equal(read_line(line), QN_STATUS_OK);
        assert_int_equal(config.memory_budget_bytes, sizes[i].bytes);
    }
}

static void bad_flags_are_named(void **state)
{
    static const struct {
        const char *flags, *words;
    } bad[] = {
        {"--node-id 0", "--node-id 0"},
        {"--node-id x", "--node-id x"},
        {"--node-id -4", "--node-id -4"},
        {"--node-id 99999999999999999999", "--node-id 9999"},
        {"--bus nowhere", "--bus nowhere"},
        {"--cluster a.b", "--cluster a.b"},
        {"--memory-budget 1X", "--memory-budget 1X"},
        {"--memory-budget 0", "--memory-budget 0"},
        {"--memory-budget 99999999T", "--memory-budget 99999999T"},
        {"--workers 0", "--workers 0"},
        {"--workers 257", "1 to 256"},
        {"--loaders 65", "1 to 64"},
        {"--release-grace-ms 5s", "--release-grace-ms 5s"},
        {"--log-level loud", "error, warning, info or debug"},
        {"--http 127.0.0.1:80", "--http"},
        {"--node-id", "--node-id wants a value"},
        {"extra", "unexpected extra"},
    };
    char line[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(line, sizeof line, ENOUGH "%s", bad[i].flags);
        assert_int_equal(read_line(line), QN_STATUS_INVALID);
        if (strstr(error.text, bad[i].words) == NULL)
            fail_msg("%s: %s", bad[i].flags, error.text);
        assert_int_equal(qn_status_exit_code(error.status), 2);
    }
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_int_equal(read_line("--bus nats://h:1 --state-dir d"), QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "--node-id"));
    assert_int_equal(read_line("--node-id 1 --state-dir d"), QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "QNODE_BUS"));
    assert_int_equal(read_line("--node-id 1 --bus nats://h:1"), QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "--state-dir"));
    assert_int_equal(qn_status_exit_code(error.status), 78);
}

static enum qn_status read_file_text(const char *text, const char *flags)
{
    char path[] = "/tmp/qnode-config-XXXXXX", line[256];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    (void)snprintf(line, sizeof line, "--config %s %s", path, flags);
    enum qn_status status = read_line(line);
    (void)unlink(path);
    return status;
}

static void a_file_is_read_and_flags_win(void **state)
{
    (void)state;
    assert_int_equal(read_file_text("# node of rack 3\nnode-id = 3\nbus = nats://h:1 ; near\n"
                                    "state-dir = /s\nmemory-budget = 1G\n",
                                    "--memory-budget 2G --check-config"),
                     QN_STATUS_OK);
    assert_int_equal(config.node_id, 3);
    assert_string_equal(config.bus, "nats://h:1");
    assert_int_equal(config.memory_budget_bytes, UINT64_C(2) << 30);
    assert_true(config.check_only);
}

static void bad_files_are_named(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"node-id = 3\ncolour = red\n", "unknown key colour"},
        {"workers = many\n", "workers = many: want 1 to 256"},
        {"[node]\nnode-id = 3\n", "section [node]"},
        {"node-id = 3\nwhat is this\n", "line 2"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(read_file_text(bad[i].text, ENOUGH), QN_STATUS_CONFIG);
        if (strstr(error.text, bad[i].words) == NULL)
            fail_msg("%s: %s", bad[i].text, error.text);
    }
    assert_int_equal(read_line(ENOUGH "--config /nowhere/at/all"), QN_STATUS_CONFIG);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
}

static void a_folder_is_no_configuration(void **state)
{
    (void)state;
    assert_int_equal(read_line("--node-id 1 --bus nats://h:1 --state-dir d --config /"),
                     QN_STATUS_CONFIG);
    assert_string_equal(error.text, "/: cannot be read");
}

static void the_environment_is_the_last_resort(void **state)
{
    (void)state;
    (void)setenv("QNODE_BUS", "nats://e:1", 1);
    (void)setenv("QNODE_CLUSTER", "env", 1);
    assert_int_equal(read_line("--node-id 1 --state-dir d"), QN_STATUS_OK);
    assert_string_equal(config.bus, "nats://e:1");
    assert_string_equal(config.cluster, "env");
    assert_int_equal(read_line(ENOUGH "--cluster flag"), QN_STATUS_OK);
    assert_string_equal(config.cluster, "flag");
    assert_string_equal(config.bus, "nats://h:1");
    (void)unsetenv("QNODE_BUS");
    (void)unsetenv("QNODE_CLUSTER");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_read),
        cmocka_unit_test(sizes_have_suffixes),
        cmocka_unit_test(bad_flags_are_named),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_file_is_read_and_flags_win),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(a_folder_is_no_configuration),
        cmocka_unit_test(the_environment_is_the_last_resort),
    };

    (void)unsetenv("QNODE_BUS");
    (void)unsetenv("QNODE_CLUSTER");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
