/* SPDX-License-Identifier: Apache-2.0 */
#include "base/standard_files.h"

#include "base/check.h"
#include "tests/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit code of a child that runs it. */
static int in_child(int (*run)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(run());
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int closed_ones_are_open_after_it(void)
{
    for (int closed = 0; closed < 8; closed++) {
        for (int fd = 0; fd <= 2; fd++)
            if (closed >> fd & 1)
                (void)close(fd);
        standard_files_open();
        int next = open("/dev/null", O_RDONLY);
        if (next <= 2 || write(2, "", 0) != 0)
            return 1;
        (void)close(next);
    }
    return 0;
}

static void what_is_closed_becomes_dev_null(void **state)
{
    (void)state;
    assert_int_equal(in_child(closed_ones_are_open_after_it), 0);
}

static int leaves_open_files_alone(void)
{
    char word[3] = {0};
    int ends[2];

    if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) != STDOUT_FILENO)
        return 1;
    standard_files_open();
    (void)printf("hi");
    if (standard_files_end("test", 0) != 0 || standard_files_end("test", 3) != 3)
        return 2;
    return read(ends[0], word, 2) == 2 && strcmp(word, "hi") == 0 ? 0 : 3;
}

static void what_is_open_stays_what_it_is(void **state)
{
    (void)state;
    assert_int_equal(in_child(leaves_open_files_alone), 0);
}

/* On stderr, which is a pipe, stands what went wrong: once. */
static int tells_of_a_full_disk(void)
{
    static const char wanted[] = "test: write to stdout: No space left on device\n";
    char told[256] = {0};
    int ends[2];

    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) != STDERR_FILENO ||
        freopen("/dev/full", "w", stdout) == NULL)
        return 1;
    (void)printf("lost");
    if (standard_files_flush("test") || !standard_files_flush("test"))
        return 2;
    if (read(ends[0], told, sizeof told - 1) <= 0 || strcmp(told, wanted) != 0)
        return 3;
    (void)printf("lost");
    (void)fflush(stdout); /* somebody who did not look */
    return standard_files_end("test", 0) == 1 && standard_files_end("test", 0) == 0 ? 0 : 4;
}

static void output_that_is_lost_is_told_of_once(void **state)
{
    (void)state;
    assert_int_equal(in_child(tells_of_a_full_disk), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_becomes_dev_null),
        cmocka_unit_test(what_is_open_stays_what_it_is),
        cmocka_unit_test(output_that_is_lost_is_told_of_once),
    };

    return cmocka_run_group_tests_name("base_standard_files", tests, NULL, NULL);
}
