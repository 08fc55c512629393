/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/kafka_resolve.h"

#include "base/thread.h"
#include "tests/test.h"
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, FORKS = 300, HANG_S = 10 };

static _Atomic bool is_over;

/* As librdkafka asks. */
static bool look_up(void)
{
    const struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (kafka_resolve("127.0.0.1", "9092", &hints, &found, NULL) != 0 || found == NULL)
        return false;
    return kafka_resolve(NULL, NULL, NULL, &found, NULL) == 0;
}

static void *look_up_on(void *owner)
{
    while (!atomic_load(&is_over))
        (void)look_up();
    return owner;
}

static void a_child_looks_up_names_while_its_parent_does(void **state)
{
    pthread_t threads[THREADS];
    int bad = 0;

    (void)state;
    assert_true(look_up());
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], "look-up", look_up_on, NULL, NULL),
                         QN_STATUS_OK);
    for (int i = 0; i < FORKS && bad == 0; i++) {
        pid_t child = fork();
        int how = 0;
        if (child == 0) {
            (void)alarm(HANG_S);
            _exit(look_up() ? 0 : 1);
        }
        assert_true(child > 0);
        bad += waitpid(child, &how, 0) == child && how == 0 ? 0 : 1;
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(bad, 0);
}

int main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)puts("skipped: a sanitizer's allocator keeps its locks over a fork");
    return 0;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_looks_up_names_while_its_parent_does)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
