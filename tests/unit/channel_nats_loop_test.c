/* SPDX-License-Identifier: Apache-2.0
 * The thread that reads and writes a connection's socket, on a pair of sockets. */
#include "channel/nats_loop.h"

#include "base/clock.h"
#include "tests/test.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 200 };

struct side {
    int near, far; /* the loop's end, the server's */
    struct nats_loop *loop;
    _Atomic size_t read_bytes, unsent_bytes, ends, writes;
    bool writes_nothing; /* what is unsent stays so, and it says that nothing is left */
    int other;           /* >= 0: takes the near end's number while its deadline passes */
};

static void read_some(void *self)
{
    struct side *side = self;
    char bytes[4096];
    ssize_t count = recv(side->near, bytes, sizeof bytes, MSG_DONTWAIT);

    if (count > 0) {
        atomic_fetch_add(&side->read_bytes, (size_t)count);
    } else if (count == 0) {
        atomic_fetch_add(&side->ends, 1);
        nats_loop_forget(side->loop);
    }
}

static size_t write_some(void *self)
{
    static const char zeroes[65536];
    struct side *side = self;
    size_t unsent = atomic_load(&side->unsent_bytes);

    atomic_fetch_add(&side->writes, 1);
    if (side->writes_nothing)
        return 0;
    if (side->other >= 0 && atomic_load(&side->writes) == 2) {
        nats_loop_forget(side->loop);
        (void)dup2(side->other, side->near);
        clock_nap_us(2 * DEADLINE_MS * 1000);
        return unsent;
    }
    while (unsent > 0) {
        ssize_t count = send(side->near, zeroes, unsent < sizeof zeroes ? unsent : sizeof zeroes,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count <= 0)
            break;
        unsent -= (size_t)count;
    }
    atomic_store(&side->unsent_bytes, unsent);
    if (unsent == 0)
        nats_loop_set_unsent(side->loop, false);
    return unsent;
}

static void side_open(struct side *side)
{
    struct nats_loop_owner owner = {
        .self = side, .read = read_some, .write = write_some, .write_deadline_ms = DEADLINE_MS};
    int pair[2];

    *side = (struct side){.near = -1, .other = -1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    side->near = pair[0];
    side->far = pair[1];
    assert_int_equal(nats_loop_open(&owner, &side->loop, NULL), QN_STATUS_OK);
}

static void side_close(struct side *side)
{
    nats_loop_close(side->loop);
    (void)close(side->near);
    (void)close(side->far);
}

static bool becomes(_Atomic size_t *counter, size_t wanted)
{
    for (int i = 0; i < 20000 && atomic_load(counter) != wanted; i++)
        clock_nap_us(1000);
    return atomic_load(counter) == wanted;
}

static size_t drain(const struct side *side)
{
    char bytes[65536];
    ssize_t count;
    size_t total = 0;

    while ((count = recv(side->far, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        total += (size_t)count;
    return total;
}

static void what_comes_is_read_until_the_socket_is_forgotten(void **state)
{
    struct side side;

    (void)state;
    side_open(&side);
    assert_int_equal(write(side.far, "early", 5), 5);
    clock_nap_us(20000);
    assert_int_equal(side.read_bytes, 0); /* nothing is watched yet */
    nats_loop_watch(side.loop, side.near);
    assert_true(becomes(&side.read_bytes, 5));
    for (size_t i = 1; i <= 100; i++) {
        assert_int_equal(write(side.far, "more", 4), 4);
        assert_true(becomes(&side.read_bytes, 5 + 4 * i));
    }
    nats_loop_forget(side.loop);
    clock_nap_us(20000);
    assert_int_equal(write(side.far, "late", 4), 4);
    clock_nap_us(20000);
    assert_int_equal(side.read_bytes, 405);
    side_close(&side);
}

static void what_is_unsent_leaves_with_a_kick(void **state)
{
    struct side side;

    (void)state;
    side_open(&side);
    nats_loop_watch(side.loop, side.near);
    nats_loop_kick(side.loop); /* for nothing */
    for (size_t i = 1; i <= 100; i++) {
        atomic_store(&side.unsent_bytes, 10);
        nats_loop_set_unsent(side.loop, true);
        nats_loop_kick(side.loop);
        assert_true(becomes(&side.unsent_bytes, 0));
    }
    assert_int_equal(drain(&side), 1000);
    side_close(&side);
}

static void what_does_not_fit_leaves_when_the_server_reads(void **state)
{
    enum { MUCH = 8 << 20 };
    struct side side;
    size_t total = 0;

    (void)state;
    side_open(&side);
    nats_loop_watch(side.loop, side.near);
    atomic_store(&side.unsent_bytes, MUCH);
    nats_loop_set_unsent(side.loop, true);
    nats_loop_kick(side.loop);
    for (int i = 0; i < 20000 && total < MUCH; i++) {
        total += drain(&side);
        clock_nap_us(100);
    }
    assert_int_equal(total, MUCH);
    assert_true(becomes(&side.unsent_bytes, 0));
    assert_int_equal(side.ends, 0);
    side_close(&side);
}

static void a_server_that_takes_nothing_is_given_up(void **state)
{
    struct clock clock = clock_monotonic();
    struct side side;

    (void)state;
    side_open(&side);
    nats_loop_watch(side.loop, side.near);
    uint64_t began_ms = clock_now_ms(&clock);
    atomic_store(&side.unsent_bytes, 8 << 20);
    nats_loop_set_unsent(side.loop, true);
    nats_loop_kick(side.loop);
    assert_true(becomes(&side.ends, 1));
    assert_in_range(clock_now_ms(&clock) - began_ms, DEADLINE_MS, 10000);
    assert_true(side.unsent_bytes > 0);
    side_close(&side);
}

/* The library closes a socket while we are about to end it, and another one gets its number. */
static void a_forgotten_socket_is_not_ended(void **state)
{
    struct side side;
    int pair[2];

    (void)state;
    side_open(&side);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    side.other = pair[0];
    nats_loop_watch(side.loop, side.near);
    atomic_store(&side.unsent_bytes, 8 << 20);
    nats_loop_set_unsent(side.loop, true);
    nats_loop_kick(side.loop);
    assert_true(becomes(&side.writes, 2));
    nats_loop_close(side.loop); /* when the thread is through with it */
    assert_int_equal(send(pair[0], "alive", 5, MSG_NOSIGNAL), 5);
    (void)close(pair[0]);
    (void)close(pair[1]);
    (void)close(side.near);
    (void)close(side.far);
}

static void what_cannot_be_written_is_not_tried_all_the_time(void **state)
{
    struct side side;

    (void)state;
    side_open(&side);
    side.writes_nothing = true;
    nats_loop_set_unsent(side.loop, true);
    nats_loop_watch(side.loop, side.near);
    clock_nap_us(100000);
    assert_in_range(side.writes, 1, 10);
    side_close(&side);
}

static void a_socket_that_was_closed_is_not_looked_at_all_the_time(void **state)
{
    struct side side;

    (void)state;
    side_open(&side);
    side.writes_nothing = true;
    nats_loop_set_unsent(side.loop, true);
    (void)close(side.near);
    nats_loop_watch(side.loop, side.near);
    clock_nap_us(100000);
    assert_in_range(side.writes, 1, 10);
    nats_loop_close(side.loop);
    (void)close(side.far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_is_read_until_the_socket_is_forgotten),
        cmocka_unit_test(what_is_unsent_leaves_with_a_kick),
        cmocka_unit_test(what_does_not_fit_leaves_when_the_server_reads),
        cmocka_unit_test(a_server_that_takes_nothing_is_given_up),
        cmocka_unit_test(a_forgotten_socket_is_not_ended),
        cmocka_unit_test(what_cannot_be_written_is_not_tried_all_the_time),
        cmocka_unit_test(a_socket_that_was_closed_is_not_looked_at_all_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
