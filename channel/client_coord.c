/* SPDX-License-Identifier: Apache-2.0
 * qn_coord_call: a request to the coordinator's API. The request is repeated under one id until all
 * pages of an answer are in; pages are kept as bytes and handed out in order at the end, so that a
 * caller never sees half an answer. A coordinator that is asked twice answers twice: a page that is
 * already there is dropped, and a page of another answer, or with another count of pages, starts
 * the collection anew: pages of two answers never join.
 */
#include "channel/client.h"

#include "base/error.h"
#include "channel/bus_url.h"
#include "channel/codec.h"
#include <stdlib.h>

enum { REPEAT_MS = 250, PAGES_MAX = 65536 };

struct coord_call {
    struct qn_client *client;
    struct client_call *call;
    const struct coord_request *request;
    uint64_t id;
    struct bus_message **pages;
    uint32_t pages_count, pages_in;
    uint64_t boot, term, answer_number; /* of the answer that is coming in */
    struct qn_epoch version;            /* of the view, if these are its pages */
    uint32_t sends_count, nobody_count; /* requests, and notices that nobody listens */
    bool is_busy;                       /* it is starting: asked again, and `error` has its text */
    enum qn_status failure;
};

static void drop_pages(struct coord_call *call)
{
    for (uint32_t i = 0; i < call->pages_count; i++)
        if (call->pages[i] != NULL)
            call->pages[i]->release(call->pages[i]);
    free(call->pages);
    call->pages = NULL;
    call->pages_count = call->pages_in = 0;
}

static bool is_whole(const struct coord_call *call)
{
    return call->pages_count > 0 && call->pages_in == call->pages_count;
}

/* NULL: not an answer of a coordinator. Valid until the next one. */
static const struct coord_answer *decode(struct coord_call *call, const struct bus_message *bytes,
                                         struct message *message)
{
    struct arena *arena = &call->call->decode_arena;

    arena_reset(arena);
    if (codec_decode(bytes->bytes, bytes->size, arena, message, NULL) != QN_STATUS_OK ||
        message->kind != MESSAGE_COORD_ANSWER)
        return NULL;
    return &message->coord_answer;
}

static bool make_room(struct coord_call *call, uint32_t pages_count)
{
    if (call->pages_count == pages_count)
        return true;
    drop_pages(call);
    call->pages = calloc(pages_count, sizeof(struct bus_message *));
    call->pages_count = call->pages == NULL ? 0 : pages_count;
    return call->pages != NULL;
}

/* The coordinator counts its answers: one that is late is of no use any more. */
static bool is_of_answer(struct coord_call *call, const struct message *message)
{
    uint64_t number = message->coord_answer.answer_number;
    bool is_same_count = message->boot == call->boot && message->term == call->term;

    if (call->pages_in > 0 && is_same_count && number < call->answer_number)
        return false;
    if (!is_same_count || number != call->answer_number)
        drop_pages(call);
    call->boot = message->boot;
    call->term = message->term;
    call->answer_number = number;
    return true;
}

/* A coordinator that does not count its answers may answer with two versions of a view: pages join
 * only within one, the newest. */
static bool joins(struct coord_call *call, const struct message *message)
{
    const struct coord_answer *answer = &message->coord_answer;

    if (!is_of_answer(call, message))
        return false;
    if (answer->view == NULL)
        return true;
    int order = qn_epoch_compare(answer->view->version, call->version);
    if (call->pages_in > 0 && order < 0)
        return false;
    if (order != 0)
        drop_pages(call);
    call->version = answer->view->version;
    return true;
}

/* BUSY says of a question only that the coordinator is starting; of an order also that something is
 * in its way, and then the caller decides. */
static bool is_question(const struct coord_request *request)
{
    return request->verb >= COORD_GET_VIEW && request->verb <= COORD_LIST_MOVES;
}

/* True: the page was kept. A refusal is an answer of one page, whatever it says of pages. */
static bool keep_page(struct coord_call *call, struct bus_message *bytes, struct qn_error *error)
{
    struct message message;

    if (bytes->no_responders) {
        call->nobody_count++;
        return false;
    }
    const struct coord_answer *answer = decode(call, bytes, &message);
    if (answer == NULL)
        return false;
    call->is_busy = answer->status == QN_STATUS_BUSY && is_question(call->request);
    if (answer->status != QN_STATUS_OK) {
        enum qn_status status =
            error_set(error, answer->status, "coordinator: %s",
                      answer->text[0] != '\0' ? answer->text : qn_status_text(answer->status));
        call->failure = call->is_busy ? QN_STATUS_OK : status;
        return false;
    }
    if (answer->pages == 0 || answer->pages > PAGES_MAX || answer->page >= answer->pages ||
        !joins(call, &message) || !make_room(call, answer->pages) ||
        call->pages[answer->page] != NULL)
        return false;
    call->pages[answer->page] = bytes;
    call->pages_in++;
    return true;
}

/* True: something came that was kept. */
static bool take_pages(struct coord_call *call, struct qn_error *error)
{
    bool is_kept = false;
    struct bus_message *bytes;
    uint64_t id;

    while (!is_whole(call) && call->failure == QN_STATUS_OK &&
           (bytes = client_call_pop(call->call, &id)) != NULL)
        if (keep_page(call, bytes, error))
            is_kept = true;
        else
            bytes->release(bytes);
    return is_kept;
}

static enum qn_status send_request(struct coord_call *call, struct qn_error *error)
{
    struct subject reply = subject_reply(call->client->cluster, call->client->id, call->id);
    struct subject to = subject_coord(call->client->cluster);
    struct message message = {.request_id = call->id,
                              .reply_to = reply.text,
                              .kind = MESSAGE_COORD_REQUEST,
                              .coord_request = *call->request};

    call->sends_count++;
    return client_publish(call->client, &call->call->encode_arena, &to, &message, error);
}

static int has_reply(void *owner)
{
    struct client_call *call = owner;

    return ring_count(&call->ring) > 0;
}

static enum qn_status say_timeout(const struct coord_call *call, uint32_t timeout_ms,
                                  struct qn_error *error)
{
    struct qn_client *client = call->client;
    struct subject to = subject_coord(client->cluster);
    uint64_t now_ms = clock_now_ms(&client->clock);
    char url[BUS_URL_SHOWN_BYTES];

    if (call->is_busy)
        return QN_STATUS_BUSY;
    if (client_check_refused(client, &to, now_ms - timeout_ms, error) != QN_STATUS_OK)
        return QN_STATUS_NOT_PERMITTED;
    bus_url_show(client->url, url);
    /* The notice on the last request may still be on its way. */
    if (call->nobody_count > 0 && call->nobody_count + 1 >= call->sends_count)
        return error_set(error, QN_STATUS_NO_RESPONDERS,
                         "no coordinator answers on cluster %.64s at %.100s: is qcoordd running?",
                         client->cluster, url);
    return error_set(error, QN_STATUS_TIMEOUT,
                     "the coordinator of cluster %.64s at %.100s did not answer within %u ms",
                     client->cluster, url, timeout_ms);
}

/* Until all pages are in, the coordinator refuses, or the time is over. */
static enum qn_status collect(struct coord_call *call, uint32_t timeout_ms, struct qn_error *error)
{
    const struct clock *clock = &call->client->clock;
    uint64_t now_us = clock_now_us(clock);
    uint64_t deadline_us = now_us + (uint64_t)timeout_ms * 1000;

    for (uint64_t repeat_us = now_us; now_us <= deadline_us; now_us = clock_now_us(clock)) {
        if (now_us >= repeat_us) {
            enum qn_status status = send_request(call, error);
            if (status == QN_STATUS_INVALID || status == QN_STATUS_NO_MEMORY ||
                status == QN_STATUS_NOT_PERMITTED)
                return status;
            repeat_us = now_us + REPEAT_MS * 1000;
        }
        uint64_t until_us = repeat_us < deadline_us ? repeat_us : deadline_us;
        bool is_news = waiter_wait_until(&call->call->waiter, has_reply, call->call, until_us) != 0;
        if (take_pages(call, error)) /* the rest is on its way */
            repeat_us = clock_now_us(clock) + REPEAT_MS * 1000;
        if (is_whole(call) || call->failure != QN_STATUS_OK)
            return call->failure;
        if (!is_news && until_us == deadline_us)
            break;
    }
    return say_timeout(call, timeout_ms, error);
}

static void hand_out(struct coord_call *call, qn_on_answer *on_answer, void *owner)
{
    for (uint32_t i = 0; i < call->pages_count; i++) {
        struct message message;
        const struct coord_answer *answer = decode(call, call->pages[i], &message);
        if (answer != NULL && on_answer != NULL)
            on_answer(owner, answer);
    }
}

enum qn_status qn_coord_call(struct qn_client *client, const struct coord_request *request,
                             uint32_t timeout_ms, qn_on_answer *on_answer, void *owner,
                             struct qn_error *error)
{
    struct coord_call call = {.client = client, .request = request};
    enum qn_status status = client_check_fork(client, error);

    if (status != QN_STATUS_OK)
        return status;
    call.call = client_calls_take(&client->calls);
    if (call.call == NULL)
        return client_calls_refused(&client->calls, error);
    call.id = client_call_first_id(call.call);
    status = collect(&call, timeout_ms, error);
    if (status == QN_STATUS_OK)
        hand_out(&call, on_answer, owner);
    drop_pages(&call);
    client_calls_give_back(&client->calls, call.call);
    return status;
}
