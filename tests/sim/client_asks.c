/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/client_asks.h"

#include "base/check.h"
#include "qnode/control.h"
#include "tests/sim/seams.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
    ASKS_LATE_US = 22000, /* a call is over so long after its deadline, at most: SEAMS_BUSY_US */
    ASKS_TAKES_MAX = 20,  /* from one feed */
    ASKS_TAKE_MS = 300,
};

/* A question to the coordinator. */
struct sim_question {
    struct sim_client *client;
    struct coord_request request;
    uint64_t began_us;
    uint32_t timeout_ms;
    bool must_answer;
    uint32_t pages_in, pages;
    struct qn_epoch version; /* of the view in the answer */
};

/* A feed that is open for a while. */
struct sim_feed {
    struct sim_client *client;
    unsigned what;
    uint32_t takes, timeout_ms;
};

/* K6: no call outlives its deadline. */
void client_asks_check_time(struct sim_client *client, const char *what, uint64_t began_us,
                            uint32_t timeout_ms)
{
    uint64_t took_us = client->world->timeline.now_us - began_us;

    if (took_us > UINT64_C(1000) * timeout_ms + ASKS_LATE_US)
        world_fail(client->world, "K6", "%s of %u ms took %" PRIu64 " us", what, timeout_ms,
                   took_us);
}

/* Questions */

/* K6: an answer is whole, and a view in it is of one version. */
static void on_answer(void *owner, const struct coord_answer *answer)
{
    struct sim_question *question = owner;
    struct world *world = question->client->world;

    if (question->pages_in == 0 && answer->view != NULL)
        question->version = answer->view->version;
    if (answer->page != question->pages_in || answer->status != QN_STATUS_OK ||
        (answer->view != NULL && qn_epoch_compare(answer->view->version, question->version) != 0))
        world_fail(world, "K6", "page %u of an answer stands where page %u should", answer->page,
                   question->pages_in);
    question->pages_in++;
    question->pages = answer->pages;
}

static void judge_answer(const struct sim_question *question, enum qn_status status)
{
    struct world *world = question->client->world;
    bool is_answered = status == QN_STATUS_OK || status == QN_STATUS_NOT_FOUND;

    trace_line(&world->trace, "  %s: question %d: %s, %u pages", question->client->process->name,
               (int)question->request.verb, qn_status_name(status), question->pages_in);
    world->stats.questions++;
    world->stats.questions_unanswered += is_answered ? 0 : 1;
    client_asks_check_time(question->client, "a question", question->began_us,
                           question->timeout_ms);
    if ((status == QN_STATUS_OK) != (question->pages_in > 0) ||
        question->pages_in != question->pages)
        world_fail(world, "K6", "a question ended %s with %u of %u pages", qn_status_name(status),
                   question->pages_in, question->pages);
    if (question->must_answer && !is_answered)
        world_fail(world, "K4", "a question in the healed world ended with %s",
                   qn_status_name(status));
}

static void run_question(void *owner)
{
    struct sim_question *question = owner;
    enum qn_status status = qn_coord_call(question->client->handle, &question->request,
                                          question->timeout_ms, on_answer, question, NULL);

    if (!question->client->world->is_over)
        judge_answer(question, status);
    question->client->others_running--;
    free(question);
}

void client_asks_question(struct sim_client *client, uint32_t collection_number)
{
    struct sim_question *question = calloc(1, sizeof *question);

    CHECK(question != NULL);
    question->client = client;
    question->began_us = client->world->timeline.now_us;
    question->must_answer = client->must_complete;
    question->timeout_ms =
        question->must_answer ? CLIENT_REST_MS : 100 + (uint32_t)prng_below(&client->prng, 3000);
    question->request = (struct coord_request){
        .verb = (enum coord_verb)(COORD_GET_VIEW + prng_below(&client->prng, COORD_LIST_MOVES)),
        .collection = client->world->collections[collection_number].name,
        .folder = "",
    };
    client->others_running++;
    seams_call(client->process, &client->prng, run_question, question);
}

/* Feeds */

static bool is_wanted(const struct message *message, unsigned what)
{
    if (message->kind == MESSAGE_NODE_REPORT)
        return what & QN_FEED_REPORTS;
    if (message->kind == MESSAGE_CHANGE_INFO || message->kind == MESSAGE_COLLECTION_VIEW)
        return what & QN_FEED_QUERY;
    return what & QN_FEED_EVENTS;
}

/* K6: it waits as long as it was told, and gives what it was asked for. */
static void take(const struct sim_feed *asked, struct qn_feed *feed)
{
    struct world *world = asked->client->world;
    uint64_t began_us = world->timeline.now_us;
    const struct message *message = qn_feed_next(feed, asked->timeout_ms);
    uint64_t took_us = world->timeline.now_us - began_us;

    if (world->is_over)
        return;
    world->stats.feed_messages += message == NULL ? 0 : 1;
    client_asks_check_time(asked->client, "a look into a feed", began_us, asked->timeout_ms);
    if (message == NULL && took_us < UINT64_C(1000) * asked->timeout_ms)
        world_fail(world, "K6", "a feed gave up after %" PRIu64 " us of %u ms", took_us,
                   asked->timeout_ms);
    if (message != NULL && !is_wanted(message, asked->what))
        world_fail(world, "K6", "a feed of %#x has %s", asked->what,
                   message_kind_name(message->kind));
}

static void run_feed(void *owner)
{
    struct sim_feed *asked = owner;
    struct world *world = asked->client->world;
    struct qn_feed *feed = NULL;
    enum qn_status status = qn_feed_open(asked->client->handle, asked->what, &feed, NULL);

    CHECK(status == QN_STATUS_OK);
    for (uint32_t i = 0; i < asked->takes && !world->is_over; i++)
        take(asked, feed);
    if (qn_feed_dropped(feed) > 0)
        world_fail(world, "K6", "a feed that is read lost messages");
    qn_feed_close(feed);
    asked->client->others_running--;
    free(asked);
}

void client_asks_feed(struct sim_client *client)
{
    struct sim_feed *asked = calloc(1, sizeof *asked);

    CHECK(asked != NULL);
    asked->client = client;
    asked->what =
        1 + (unsigned)prng_below(&client->prng, QN_FEED_REPORTS | QN_FEED_EVENTS | QN_FEED_QUERY);
    asked->takes = 1 + (uint32_t)prng_below(&client->prng, ASKS_TAKES_MAX);
    asked->timeout_ms = (uint32_t)prng_below(&client->prng, ASKS_TAKE_MS);
    client->others_running++;
    seams_call(client->process, &client->prng, run_feed, asked);
}
