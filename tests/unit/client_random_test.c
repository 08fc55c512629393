/* SPDX-License-Identifier: Apache-2.0
 * One search against a random world: agents that gain and lose segments, views that change
 * placement and content, a net that loses, repeats, delays and reorders. Each seed is a world.
 * Whatever happens, a COMPLETE verdict has the hits of every segment of its readable_version and no
 * other, what is missing is listed, the deadline holds, and nothing is asked without pause. */
#include "tests/test.h"

#include "base/check.h"
#include "base/prng.h"
#include "channel/client_plan.h"
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 5,
    SEGMENTS = 24, /* ids 1 .. 23, in two worlds of content */
    NQ = 2,
    K = 6,
    HITS_EACH = 4,
    FLIGHTS_MAX = 2048,
    DEADLINE_MS = 2000,
    FIRST_ID = 77 << 16,
};

struct flight {
    uint64_t at_ms;
    bool is_answer, is_nobody;
    uint32_t part, parts;
    uint64_t id;
    int64_t node_id;
    size_t segments_count;
    int64_t segment_ids[SEGMENTS];
    uint32_t holds; /* an answer's: what its agent held */
};

struct world {
    struct prng prng;
    uint64_t lost_percent, repeated_percent, delay_ms, busy_percent, churn_percent;
    uint32_t holds[NODES + 1];
    bool is_dead[NODES + 1];
    uint32_t wanted; /* segments of the newest view */
    uint64_t version, readable_version;
    uint32_t wanted_at[64]; /* by readable_version */
    struct view_item items[SEGMENTS];
    struct view_copy copies[SEGMENTS][NODES];
    struct collection_view view;
    struct flight flights[FLIGHTS_MAX];
    size_t flights_count;
    struct client_search *search;
    uint64_t now_ms;
};

static bool percent(struct world *world, uint64_t chance)
{
    return prng_below(&world->prng, 100) < chance;
}

/* Hit i of a segment for a query; some keys are in several segments, with other distances. */
static struct qn_hit hit_of(int64_t segment, uint32_t query, uint32_t i)
{
    uint64_t mixed = ((uint64_t)segment * 31 + query * 7 + i) * UINT64_C(0x9E3779B97F4A7C15);

    return (struct qn_hit){.primary_key = (int64_t)(mixed >> 58),
                           .distance = (float)(mixed >> 40 & 0xff)};
}

static int by_rank(const void *a, const void *b)
{
    return qn_hit_before(QN_METRIC_L2, a, b) ? -1 : 1;
}

/* The best K distinct of the segments in the set. */
static uint32_t oracle(uint32_t segments, uint32_t query, struct qn_hit *ret_hits)
{
    struct qn_hit all[SEGMENTS * HITS_EACH];
    uint32_t count = 0, kept = 0;

    for (int64_t segment = 0; segment < SEGMENTS; segment++)
        for (uint32_t i = 0; segments >> segment & 1 && i < HITS_EACH; i++)
            all[count++] = hit_of(segment, query, i);
    if (count > 0)
        qsort(all, count, sizeof *all, by_rank);
    for (uint32_t i = 0; i < count && kept < K; i++) {
        bool is_new = true;
        for (uint32_t j = 0; j < kept; j++)
            is_new = is_new && ret_hits[j].primary_key != all[i].primary_key;
        if (is_new)
            ret_hits[kept++] = all[i];
    }
    return kept;
}

static void fly(struct world *world, struct flight flight)
{
    uint32_t times = percent(world, world->repeated_percent) ? 2 : 1;

    for (uint32_t i = 0; i < times; i++) {
        if (percent(world, world->lost_percent) || world->flights_count == FLIGHTS_MAX)
            continue;
        flight.at_ms = world->now_ms + prng_below(&world->prng, world->delay_ms + 1);
        world->flights[world->flights_count++] = flight;
    }
}

static void make_view(struct world *world)
{
    size_t count = 0;

    for (int64_t segment = 1; segment < SEGMENTS; segment++) {
        if (!(world->wanted >> segment & 1))
            continue;
        struct view_item *item = &world->items[count];
        *item = (struct view_item){.segment_id = segment, .copies = world->copies[count]};
        for (int64_t node = 1; node <= NODES; node++)
            if (world->holds[node] >> segment & 1)
                world->copies[count][item->copies_count++] =
                    (struct view_copy){.node_id = node, .replica = node % 2 == 0 ? "even" : "odd"};
        count++;
    }
    world->view = (struct collection_view){.collection_id = 5,
                                           .name = "c",
                                           .version = {1, ++world->version},
                                           .readable_version = world->readable_version,
                                           .metric = QN_METRIC_L2,
                                           .dim = 1,
                                           .pages = 1,
                                           .items = world->items,
                                           .items_count = count};
}

static void churn(struct world *world)
{
    uint32_t segment = 1u << (1 + prng_below(&world->prng, SEGMENTS - 1));
    uint64_t node = 1 + prng_below(&world->prng, NODES);

    if (percent(world, 60))
        world->holds[node] |= segment;
    else
        world->holds[node] &= ~segment;
    if (percent(world, 5))
        world->is_dead[node] = !world->is_dead[node];
    if (percent(world, 4) && world->readable_version < 60) {
        world->wanted ^= segment;
        world->wanted_at[++world->readable_version] = world->wanted;
    }
    if (percent(world, 50))
        make_view(world);
    if (percent(world, 50) && world->version > 0)
        client_search_on_view(world->search, &world->view, world->now_ms);
}

static void agent_takes(struct world *world, const struct flight *request)
{
    struct flight answer = *request;

    answer.is_answer = true;
    answer.is_nobody = world->is_dead[request->node_id];
    if (answer.is_nobody && percent(world, 50))
        return;
    answer.holds = world->holds[request->node_id];
    answer.parts = percent(world, 50) ? 1 : NQ;
    for (answer.part = 0; answer.part < answer.parts; answer.part++)
        fly(world, answer);
}

static void refuse(struct world *world, struct search_answer *answer, struct refusal *refused,
                   uint32_t index, int64_t segment)
{
    struct refusal *refusal = &refused[answer->refused_count++];

    *refusal = (struct refusal){.index = index, .status = QN_STATUS_NOT_HERE};
    if (percent(world, world->busy_percent))
        refusal->status = QN_STATUS_BUSY;
    else if (percent(world, 50)) {
        refusal->status = QN_STATUS_MOVED;
        refusal->moved_to = segment % NODES + 1;
    }
}

static void client_takes(struct world *world, const struct flight *flight)
{
    uint8_t covered[SEGMENTS / 8] = {0};
    struct refusal refused[SEGMENTS];
    struct qn_hit hits[NQ * K];
    uint32_t counts[NQ], searched = 0;
    struct search_answer answer = {.text = "",
                                   .part = flight->part,
                                   .parts = flight->parts,
                                   .covered = covered,
                                   .covered_bytes = (flight->segments_count + 7) / 8,
                                   .refused = refused,
                                   .hit_counts = counts,
                                   .hits = hits};

    for (uint32_t i = 0; i < flight->segments_count; i++) {
        int64_t segment = flight->segment_ids[i];
        if (flight->holds >> segment & 1) {
            covered[i / 8] |= (uint8_t)(1u << i % 8);
            searched |= 1u << segment;
        } else if (flight->part == 0) {
            refuse(world, &answer, refused, i, segment);
        }
    }
    answer.first_query = flight->part;
    for (uint32_t q = flight->part; q < (flight->parts == 1 ? NQ : flight->part + 1); q++) {
        uint32_t count = oracle(searched, q, hits + answer.hits_count);
        counts[answer.hit_counts_count++] = count;
        answer.hits_count += count;
    }
    client_search_on_answer(world->search, flight->id, &answer, world->now_ms);
}

static void deliver(struct world *world)
{
    for (size_t i = 0; i < world->flights_count; i++) {
        struct flight flight = world->flights[i];
        if (flight.at_ms > world->now_ms)
            continue;
        world->flights[i--] = world->flights[--world->flights_count];
        if (!flight.is_answer)
            agent_takes(world, &flight);
        else if (flight.is_nobody)
            client_search_on_no_responders(world->search, flight.id, world->now_ms);
        else
            client_takes(world, &flight);
    }
}

/* True when the search is done. */
static bool act(struct world *world)
{
    struct client_search_action action;
    uint32_t actions_count = 0;

    while (client_search_next(world->search, &action)) {
        assert_true(++actions_count < 100);
        if (action.kind == CLIENT_SEARCH_DONE)
            return true;
        if (action.kind == CLIENT_SEARCH_ASK_VIEW && percent(world, 70)) {
            make_view(world);
            client_search_on_view(world->search, &world->view, world->now_ms);
        }
        if (action.kind != CLIENT_SEARCH_SEND)
            continue;
        struct flight request = {.id = action.request_id,
                                 .node_id = action.node_id,
                                 .segments_count = action.request.segments_count};
        assert_in_range(request.segments_count, 1, SEGMENTS);
        assert_in_range(action.request.deadline_ms, 1, DEADLINE_MS - world->now_ms);
        memcpy(request.segment_ids, action.request.segment_ids,
               request.segments_count * sizeof *request.segment_ids);
        fly(world, request);
    }
    return false;
}

static void check_counters(const struct client_search *search)
{
    uint32_t settled = 0, covered = 0, idle = 0;

    for (uint32_t i = 0; i < search->items_count; i++) {
        settled += client_item_is_settled(&search->items[i]);
        covered += search->items[i].is_covered;
        idle += client_item_is_idle(&search->items[i]);
    }
    assert_int_equal(search->settled_count, settled);
    assert_int_equal(search->covered_count, covered);
    assert_int_equal(search->idle_count, idle);
}

static void check_result(struct world *world, const struct qn_search_result *result)
{
    uint32_t searched = world->wanted_at[result->readable_version];

    assert_int_equal(result->segments_count, __builtin_popcount(searched));
    for (size_t i = 0; i < result->missing_count; i++) {
        assert_true(searched >> result->missing[i].segment_id & 1);
        assert_int_not_equal(result->missing[i].reason, QN_STATUS_OK);
        searched &= ~(1u << result->missing[i].segment_id);
    }
    assert_int_equal(result->verdict,
                     result->missing_count == 0 ? QN_VERDICT_COMPLETE : QN_VERDICT_PARTIAL);
    /* Covered segments are all there, and nothing else: also when some are missing. */
    for (uint32_t q = 0; q < NQ; q++) {
        struct qn_hit hits[K];
        assert_int_equal(result->hit_counts[q], oracle(searched, q, hits));
        for (uint32_t i = 0; i < result->hit_counts[q]; i++) {
            assert_int_equal(result->hits[q * K + i].primary_key, hits[i].primary_key);
            assert_true(result->hits[q * K + i].distance == hits[i].distance);
        }
    }
}

static void world_init(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    prng_init(&world->prng, seed);
    world->lost_percent = percent(world, 50) ? 0 : prng_below(&world->prng, 50);
    world->repeated_percent = percent(world, 50) ? 0 : prng_below(&world->prng, 60);
    world->delay_ms = percent(world, 30) ? 1 : prng_below(&world->prng, 400);
    world->busy_percent = percent(world, 50) ? 0 : prng_below(&world->prng, 60);
    world->churn_percent = percent(world, 30) ? 0 : prng_below(&world->prng, 40);
    world->wanted = (uint32_t)prng_next(&world->prng) & ((1u << SEGMENTS) - 2);
    for (int64_t segment = 1; segment < SEGMENTS; segment++)
        for (uint64_t copies = prng_below(&world->prng, 60) ? 1 + prng_below(&world->prng, 3) : 0;
             copies > 0; copies--)
            world->holds[1 + prng_below(&world->prng, NODES)] |= 1u << segment;
    world->wanted_at[++world->readable_version] = world->wanted;
}

/* The verdict, or -1 if the arena could not even hold the search. */
static int live(struct world *world, size_t arena_bytes)
{
    static const float queries[NQ];
    struct qn_search_request request = {.collection_id = 5,
                                        .queries = queries,
                                        .nq = NQ,
                                        .dim = 1,
                                        .k = K,
                                        .deadline_ms = DEADLINE_MS,
                                        .copy_policy = percent(world, 50) ? QN_COPY_POLICY_ALL
                                                                          : QN_COPY_POLICY_ONE};
    struct arena arena;
    struct qn_search_result result;
    bool is_done = false;

    arena_init(&arena, arena_bytes);
    if (percent(world, 70))
        make_view(world);
    world->search =
        client_search_new(&arena, &request, world->version == 0 ? NULL : &world->view, FIRST_ID, 0);
    for (uint32_t steps = 0; world->search != NULL && !is_done; steps++) {
        uint64_t wake_ms = client_search_wake_ms(world->search);
        assert_true(steps < 100000 && world->now_ms <= DEADLINE_MS);
        is_done = act(world);
        if (world->search->failure == QN_STATUS_OK)
            check_counters(world->search);
        if (is_done)
            break;
        /* The clock stands still only while something is done. */
        world->now_ms += world->now_ms < wake_ms;
        deliver(world);
        if (percent(world, world->churn_percent) && percent(world, 20))
            churn(world);
        client_search_on_tick(world->search, world->now_ms);
        assert_true(client_search_wake_ms(world->search) > world->now_ms || world->search->is_done);
    }
    int verdict = -1;
    if (world->search != NULL && client_search_result(world->search, &result) == QN_STATUS_OK) {
        verdict = (int)result.verdict;
        if (result.verdict != QN_VERDICT_UNKNOWN)
            check_result(world, &result);
        qn_search_result_done(&result);
    }
    arena_done(&arena);
    return verdict;
}

static void a_verdict_is_true_in_every_world(void **state)
{
    static struct world world;
    uint32_t verdicts[3] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 3000 / TEST_DIVISOR; seed++) {
        world_init(&world, seed);
        int verdict = live(&world, 16 << 20);
        assert_in_range(verdict, 0, 2);
        verdicts[verdict]++;
    }
    print_message("complete %u, partial %u, unknown %u\n", verdicts[QN_VERDICT_COMPLETE],
                  verdicts[QN_VERDICT_PARTIAL], verdicts[QN_VERDICT_UNKNOWN]);
    assert_true(verdicts[QN_VERDICT_COMPLETE] > 500 / TEST_DIVISOR &&
                verdicts[QN_VERDICT_PARTIAL] > 200 / TEST_DIVISOR);
}

static void little_memory_is_an_honest_partial(void **state)
{
    static struct world world;
    uint32_t none = 0, complete = 0;

    (void)state;
    for (size_t bytes = 0; bytes < 64 << 10; bytes += 48) {
        world_init(&world, 1 + bytes % 7);
        int verdict = live(&world, bytes);
        none += verdict < 0;
        complete += verdict == QN_VERDICT_COMPLETE;
    }
    assert_true(none > 0 && complete > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_is_true_in_every_world),
        cmocka_unit_test(little_memory_is_an_honest_partial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
