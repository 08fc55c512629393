/* SPDX-License-Identifier: Apache-2.0
 * The contract of channel/transport.h where threads are concerned: publishing from many and from
 * handlers, and closing in the middle of it. */
#include "base/check.h"
#include "tests/contract/suite.h"
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct echo {
    const struct transport *transport;
    const char *to;
    uint64_t end;
    atomic_uint_fast64_t last;
};

static void echo_next(void *owner, struct bus_message *message)
{
    struct echo *echo = owner;
    uint64_t word;

    memcpy(&word, message->bytes, sizeof word);
    message->release(message);
    atomic_store(&echo->last, word);
    word++;
    if (word <= echo->end)
        (void)publish(echo->transport, echo->to, NULL, &word, sizeof word);
}

static void handlers_may_publish_without_end(void **state)
{
    struct bus *bus = *state;
    enum { ROUNDS = 2000 };
    struct echo ping = {.transport = &bus->near, .to = "qnode.t1.event.2", .end = ROUNDS};
    struct echo pong = {.transport = &bus->far, .to = "qnode.t1.event.1", .end = ROUNDS};

    subscribe(&bus->near, "qnode.t1.event.1", echo_next, &ping);
    subscribe(&bus->far, "qnode.t1.event.2", echo_next, &pong);
    publish_word(&bus->near, "qnode.t1.event.1", 0);
    uint64_t before = 0;
    for (int idle = 0; idle < 20000 && atomic_load(&ping.last) < ROUNDS; idle++) {
        (void)usleep(1000);
        if (atomic_load(&ping.last) != before)
            idle = 0;
        before = atomic_load(&ping.last);
    }
    assert_int_equal(atomic_load(&ping.last), ROUNDS);
    assert_int_equal(atomic_load(&pong.last), ROUNDS - 1);
    bus_open_again(bus);
}

enum { PUBLISHERS = 4, PER_PUBLISHER = 2000 };

struct publisher {
    const struct transport *transport;
    uint64_t number;
};

static void *publish_many(void *owner)
{
    struct publisher *publisher = owner;

    for (uint64_t i = 0; i < PER_PUBLISHER; i++) {
        uint64_t word = publisher->number << 32 | i;
        CHECK(publish(publisher->transport, "qnode.t1.event.1", NULL, &word, sizeof word) ==
              QN_STATUS_OK);
    }
    return NULL;
}

static void threads_may_publish_at_once_each_in_its_order(void **state)
{
    struct bus *bus = *state;
    pthread_t threads[PUBLISHERS];
    struct publisher publishers[PUBLISHERS];
    uint64_t next[PUBLISHERS] = {0};

    subscribe(&bus->far, "qnode.t1.event.1", collector_take, &bus->collector);
    for (uint64_t i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.transport = &bus->near, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, publish_many, &publishers[i]), 0);
    }
    for (int i = 0; i < PUBLISHERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(collector_wait(&bus->collector, PUBLISHERS * PER_PUBLISHER));
    for (size_t i = 0; i < PUBLISHERS * PER_PUBLISHER; i++) {
        uint64_t word = bus->collector.all[i].word;
        assert_int_equal(word & UINT32_MAX, next[word >> 32]);
        next[word >> 32]++;
    }
}

static void keep(void *owner, struct bus_message *message)
{
    struct bus_message *_Atomic *kept = owner;

    message->next = atomic_load(kept);
    atomic_store(kept, message);
}

static void messages_may_outlive_the_transport(void **state)
{
    struct bus *bus = *state;
    struct bus_message *_Atomic kept = NULL;
    int count = 0;

    subscribe(&bus->far, "qnode.t1.event.1", keep, &kept);
    subscribe(&bus->far, "qnode.t1.event.2", collector_take, &bus->collector);
    publish_word(&bus->near, "qnode.t1.event.1", 1);
    publish_word(&bus->near, "qnode.t1.event.1", 2);
    close_transport(&bus->near);
    bus->near = open_transport(bus->url);
    for (int i = 0; i < 5000 && (atomic_load(&kept) == NULL || atomic_load(&kept)->next == NULL);
         i++)
        (void)usleep(1000);
    close_transport(&bus->far);
    for (struct bus_message *at = kept, *next; at != NULL; at = next, count++) {
        next = at->next;
        assert_string_equal(at->subject, "qnode.t1.event.1");
        at->release(at);
    }
    assert_int_equal(count, 2);
    bus->far = open_transport(bus->url);
}

struct flood {
    const struct transport *transport;
    atomic_bool stop;
};

static void *flood(void *owner)
{
    struct flood *flood = owner;
    uint64_t word = 0;

    while (!atomic_load(&flood->stop)) {
        (void)publish(flood->transport, "qnode.t1.event.1", NULL, &word, sizeof word);
        if (++word % 256 == 0)
            (void)usleep(200);
    }
    return NULL;
}

/* Set before the subscription, cleared after close(): a handler that sees it cleared came late. */
struct guest {
    atomic_bool is_open;
    atomic_uint received, late;
};

static void visit(void *owner, struct bus_message *message)
{
    struct guest *guest = owner;

    message->release(message);
    atomic_fetch_add(&guest->received, 1);
    if (!atomic_load(&guest->is_open))
        atomic_fetch_add(&guest->late, 1);
}

static void close_while_messages_arrive_is_clean(void **state)
{
    struct bus *bus = *state;
    struct flood flooder = {.transport = &bus->near};
    struct guest guest = {.late = 0};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, flood, &flooder), 0);
    for (int i = 0; i < 30; i++) {
        struct transport transport = open_transport(bus->url);
        unsigned before = atomic_load(&guest.received);
        atomic_store(&guest.is_open, true);
        for (int j = 0; j < 3; j++)
            subscribe(&transport, j == 0 ? "qnode.t1.event.1" : "qnode.t1.event.*", visit, &guest);
        for (int j = 0; j < 5000 && atomic_load(&guest.received) < before + 100; j++)
            (void)usleep(1000);
        close_transport(&transport);
        atomic_store(&guest.is_open, false);
    }
    atomic_store(&flooder.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)usleep(QUIET_US);
    assert_int_equal(atomic_load(&guest.late), 0);
    assert_true(atomic_load(&guest.received) >= 3000);
}

int main(void)
{
    const struct suite_test tests[] = {
        {SUITE_TEST(handlers_may_publish_without_end)},
        {SUITE_TEST(threads_may_publish_at_once_each_in_its_order)},
        {SUITE_TEST(messages_may_outlive_the_transport)},
        {SUITE_TEST(close_while_messages_arrive_is_clean)},
    };

    return suite_run(tests, COUNT_OF(tests));
}
