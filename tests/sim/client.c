/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/client.h"

#include "base/check.h"
#include "tests/sim/client_asks.h"
#include "tests/sim/seams.h"
#include "tests/sim/world.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENT_RESTART_IN = 16,   /* one of so many searches on an idle client finds a new handle */
    CLIENT_QUESTION_IN = 16,  /* one of so many searches comes with a question */
    CLIENT_FEED_IN = 64,      /* and one of so many with a feed */
    CLIENT_ASKED_US = 100000, /* a view that was asked for is not asked for again for half of it */
};

struct sim_search {
    struct sim_search *next;
    struct sim_client *client;
    uint64_t serial, began_us;
    uint32_t collection_number;
    struct qn_epoch answered; /* to this client, when it began */
    struct qn_search_request request;
    float queries[CLIENT_QUERIES_MAX * CLIENT_DIM_MAX];
    int64_t partition_id;
    bool must_complete;
};

static void check_complete(struct world *world, const struct sim_search *search,
                           const struct qn_search_result *result)
{
    if (search->must_complete && result->verdict != QN_VERDICT_COMPLETE)
        world_fail(world, "K4",
                   "search %" PRIu64 " in the healed world is %s; missing %" PRId64 ": %s",
                   search->serial, qn_verdict_name(result->verdict),
                   result->missing_count > 0 ? result->missing[0].segment_id : 0,
                   result->missing_count > 0 ? qn_status_name(result->missing[0].reason) : "-");
}

/* K6: the newest view wins: a later search on the same handle is not about an older one. */
static void check_version(struct sim_client *client, const struct sim_search *search,
                          const struct qn_search_result *result)
{
    struct qn_epoch *answered = &client->answered[search->collection_number];

    if (result->verdict == QN_VERDICT_UNKNOWN)
        return;
    if (qn_epoch_compare(result->version, search->answered) < 0)
        world_fail(client->world, "K6",
                   "search %" PRIu64 " is about %" PRIu64 ".%" PRIu64 ", an earlier one was about"
                   " %" PRIu64 ".%" PRIu64,
                   search->serial, result->version.term, result->version.version,
                   search->answered.term, search->answered.version);
    if (qn_epoch_compare(result->version, *answered) > 0)
        *answered = result->version;
    if (client->first_answer_us[search->collection_number] == 0)
        client->first_answer_us[search->collection_number] = client->world->timeline.now_us;
}

static bool was_answered(const struct world *world, uint32_t number, uint64_t before_us)
{
    for (uint32_t c = 0; c < world->options.clients; c++)
        if (world->clients[c].first_answer_us[number] != 0 &&
            world->clients[c].first_answer_us[number] < before_us)
            return true;
    return false;
}

/* K6: what any client had an answer from, and was never released, is not NOT_FOUND. Answers to
 * questions of a little before count, too. (The editor's is never known to the coordinator, and a
 * second coordinator may never have heard of it.) */
static void check_absence(struct world *world, const struct sim_search *search,
                          const struct qn_search_result *result)
{
    uint32_t number = search->collection_number;

    if (result->verdict == QN_VERDICT_UNKNOWN && result->reason == QN_STATUS_NOT_FOUND &&
        number < world->options.collections && world->stats.rivals == 0 &&
        !world->collection_was_released[number] && search->began_us > CLIENT_ASKED_US &&
        was_answered(world, number, search->began_us - CLIENT_ASKED_US))
        world_fail(world, "K6", "search %" PRIu64 " says that there is no c%" PRId64,
                   search->serial, search->request.collection_id);
}

static void judge(const struct sim_search *search, enum qn_status status,
                  const struct qn_search_result *result)
{
    struct world *world = search->client->world;

    trace_line(&world->trace, "  %s: search %" PRIu64 " of c%" PRId64 ": %s %s %s, %zu missing",
               search->client->process->name, search->serial, search->request.collection_id,
               qn_status_name(status), qn_verdict_name(result->verdict),
               qn_status_name(result->reason), result->missing_count);
    if (status != QN_STATUS_OK) {
        world->stats.searches_failed++;
        world_fail(world, "K6", "a search ended with %s", qn_status_name(status));
        return;
    }
    client_asks_check_time(search->client, "a search", search->began_us,
                           search->request.deadline_ms);
    checkers_on_result(world, &search->request, result);
    check_version(search->client, search, result);
    check_absence(world, search, result);
    check_complete(world, search, result);
}

static void free_search(struct sim_search *search)
{
    struct sim_search **link = &search->client->searches;

    while (*link != search)
        link = &(*link)->next;
    *link = search->next;
    free(search);
}

static void run_search(void *owner)
{
    struct sim_search *search = owner;
    struct qn_search_result result = {.verdict = QN_VERDICT_UNKNOWN};
    enum qn_status status = qn_search(search->client->handle, &search->request, &result, NULL);

    if (!search->client->world->is_over)
        judge(search, status, &result);
    if (status == QN_STATUS_OK)
        qn_search_result_done(&result);
    free_search(search);
}

static void draw_request(struct sim_search *search, struct prng *prng)
{
    static const uint32_t ks[] = {1, 5, 20, 100, 1000};
    const struct collection *collection =
        &search->client->world->collections[search->collection_number];
    struct qn_search_request *request = &search->request;
    uint32_t payload_bytes = search->client->world->options.payload_bytes;
    bool is_coarse = prng_below(prng, 2) == 0,
         is_wide = prng_below(prng, payload_bytes > 0 ? 2 : 8) == 0;

    *request = (struct qn_search_request){
        .collection_id = collection->collection_id,
        .queries = search->queries,
        .nq = 1 + (uint32_t)prng_below(prng, is_wide ? CLIENT_QUERIES_MAX : 3),
        .dim = collection->dim,
        /* The hits of one query must fit into one message. */
        .k = ks[prng_below(prng, COUNT_OF(ks) - (payload_bytes > 0 ? 1 : 0))],
        .deadline_ms = 200 + (uint32_t)prng_below(prng, 3000),
        .copy_policy = prng_below(prng, 3) == 0 ? QN_COPY_POLICY_ONE : QN_COPY_POLICY_ALL,
    };
    for (uint32_t i = 0; i < request->nq * request->dim; i++) {
        double value = is_coarse ? (double)prng_below(prng, 5) - 2.0 : prng_normal(prng);
        search->queries[i] = value == 0.0 ? 1.0f : (float)value;
    }
    search->partition_id = (int64_t)prng_below(prng, 3);
    if (prng_below(prng, 4) == 0) {
        request->partition_ids = &search->partition_id;
        request->partition_ids_count = 1;
    }
}

static void begin_search(struct sim_client *client, uint32_t collection_number)
{
    struct sim_search *search = calloc(1, sizeof *search);

    CHECK(search != NULL);
    search->client = client;
    search->serial = ++client->serials_count;
    search->began_us = client->world->timeline.now_us;
    search->collection_number = collection_number;
    search->answered = client->answered[collection_number];
    draw_request(search, &client->world->prng_search);
    search->must_complete = client->must_complete;
    if (search->must_complete)
        search->request.deadline_ms = CLIENT_REST_MS;
    search->next = client->searches;
    client->searches = search;
    seams_call(client->process, &client->prng, run_search, search);
}

/* The handle */

static void open_handle(struct sim_client *client)
{
    enum qn_status status = seams_open(client->process, &client->prng, &client->handle);

    CHECK(status == QN_STATUS_OK);
    client->world->stats.client_starts++;
}

/* What is on its way to the old handle reaches nobody. */
static void reopen_handle(struct sim_client *client)
{
    trace_line(&client->world->trace, "* %s opens another handle", client->process->name);
    qn_client_close(client->handle);
    client->process->incarnation++;
    memset(client->answered, 0, sizeof client->answered);
    open_handle(client);
}

void sim_client_init(struct sim_client *client, struct world *world, struct process *process)
{
    *client = (struct sim_client){.world = world, .process = process};
    prng_init(&client->prng, world->seed ^ UINT64_C(0x636c69656e74) << 8 ^ process->index);
    open_handle(client);
}

void sim_client_done(struct sim_client *client)
{
    client->process->is_alive = false;
    seams_finish(client->process);
    CHECK(client->searches == NULL && client->others_running == 0);
    qn_client_close(client->handle);
}

void sim_client_begin(struct sim_client *client, uint32_t collection_number)
{
    bool is_idle = client->searches == NULL && client->others_running == 0;

    if (is_idle && prng_below(&client->prng, CLIENT_RESTART_IN) == 0)
        reopen_handle(client);
    if (prng_below(&client->prng, CLIENT_QUESTION_IN) == 0)
        client_asks_question(client, collection_number);
    if (prng_below(&client->prng, CLIENT_FEED_IN) == 0)
        client_asks_feed(client);
    begin_search(client, collection_number);
}
