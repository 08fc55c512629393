/* SPDX-License-Identifier: Apache-2.0
 * Closing the bus while the library still owes a callback. The wire is played here, in the place of
 * transport_nats.c. */
#include "channel/nats_bus.h"

#include "tests/test.h"
#include <stdlib.h>
#include <string.h>

struct nats_wire {
    struct nats_wire_events events;
    bool is_late; /* the closed callback comes after the close */
};

static struct nats_wire wire;

enum qn_status nats_wire_open(const struct nats_wire_options *options, struct nats_wire **ret_wire,
                              struct qn_error *error)
{
    (void)error;
    wire.events = options->events;
    *ret_wire = &wire;
    return QN_STATUS_OK;
}

bool nats_wire_close(struct nats_wire *self)
{
    if (!self->is_late)
        self->events.on_closed(self->events.owner);
    return !self->is_late;
}

enum qn_status nats_wire_publish(struct nats_wire *self, const char *subject,
                                 const char *reply_subject, const void *bytes, size_t size)
{
    (void)self, (void)subject, (void)reply_subject, (void)bytes, (void)size;
    return QN_STATUS_OK;
}

void nats_wire_push(struct nats_wire *self)
{
    (void)self;
}

enum qn_status nats_wire_subscribe(struct nats_wire *self, const char *subject,
                                   bus_handler *on_message, void *owner, struct qn_error *error)
{
    (void)self, (void)subject, (void)on_message, (void)owner, (void)error;
    return QN_STATUS_OK;
}

enum qn_status nats_wire_flush(struct nats_wire *self, uint64_t timeout_ms)
{
    (void)self, (void)timeout_ms;
    return QN_STATUS_OK;
}

bool nats_wire_is_connected(struct nats_wire *self)
{
    (void)self;
    return true;
}

size_t nats_wire_max_payload(struct nats_wire *self)
{
    (void)self;
    return 1 << 20;
}

uint64_t nats_wire_dropped(struct nats_wire *self)
{
    (void)self;
    return 0;
}

bool nats_wire_said_no(struct nats_wire *self)
{
    (void)self;
    return false;
}

enum qn_status nats_wire_request(struct nats_wire *self, const char *subject, const char *text,
                                 struct bus_message **ret_message, uint64_t *ret_sequence)
{
    (void)self, (void)subject, (void)text, (void)ret_message, (void)ret_sequence;
    return QN_STATUS_NO_RESPONDERS;
}

static void open_and_close(bool is_late)
{
    struct transport transport;

    wire = (struct nats_wire){.is_late = is_late};
    assert_int_equal(transport_open("nats://127.0.0.1:1", "test", 0, &transport, NULL),
                     QN_STATUS_OK);
    transport.ops->close(transport.self);
}

static void a_callback_after_the_close_finds_the_bus(void **state)
{
    (void)state;
    open_and_close(true);
    const struct nats_bus *bus = wire.events.owner;
    void *next = aligned_alloc(_Alignof(struct nats_bus), sizeof *bus);
    assert_ptr_not_equal(next, bus); /* its memory is nobody else's */
    free(next);
    wire.events.on_trouble(wire.events.owner, "late");
    wire.events.on_closed(wire.events.owner);
    assert_true(atomic_load(&bus->is_lost));
    assert_string_equal(bus->name, "test");
    assert_string_equal(bus->url, ""); /* which may hold a password */
}

static void without_one_nothing_is_left(void **state) /* the sanitizers say so */
{
    (void)state;
    open_and_close(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_one_nothing_is_left),
        cmocka_unit_test(a_callback_after_the_close_finds_the_bus),
    };

    return cmocka_run_group_tests_name("nats_close", tests, NULL, NULL);
}
