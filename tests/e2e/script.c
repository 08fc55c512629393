/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/script.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/prng.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void script_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fputs("scripted-coordinator: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t now_ms(void)
{
    struct clock clock = clock_monotonic();

    return clock_now_ms(&clock);
}

void script_say(const struct script *script, const char *format, ...)
{
    va_list arguments;

    (void)printf("%7.3f s  ", (double)(now_ms() - script->started_ms) / 1000.0);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void take_report(struct script *script, const struct message *message)
{
    for (int i = 0; i < 2; i++) {
        struct script_node *node = &script->nodes[i];
        if (node->node_id != message->node_report.node_id)
            continue;
        node->boot = message->boot;
        node->uptime_ms = message->node_report.uptime_ms;
        node->term = message->term;
        node->copies_count = message->node_report.copies_count;
    }
}

static const struct message *next_message(struct script *script, uint64_t until_ms)
{
    uint64_t now = now_ms();

    if (now >= until_ms)
        return NULL;
    const struct message *message = qn_feed_next(script->feed, (uint32_t)(until_ms - now));
    if (message != NULL && message->kind == MESSAGE_NODE_REPORT)
        take_report(script, message);
    return message;
}

/* arguments: BUS CLUSTER FOLDER NODE NODE */
void script_open(struct script *script, char **arguments)
{
    struct qn_client_options options = {.url = arguments[0], .cluster = arguments[1]};
    struct qn_error error = {0};

    *script = (struct script){.cluster = arguments[1], .started_ms = now_ms()};
    script->nodes[0].node_id = strtoll(arguments[3], NULL, 10);
    script->nodes[1].node_id = strtoll(arguments[4], NULL, 10);
    if (manifest_read(arguments[2], &script->manifest, &error) != QN_STATUS_OK ||
        qn_client_open(&options, &script->client, &error) != QN_STATUS_OK ||
        qn_feed_open(script->client, QN_FEED_REPORTS | QN_FEED_EVENTS, &script->feed, &error) !=
            QN_STATUS_OK)
        script_fail("%s", error.text);
    uint64_t until_ms = now_ms() + SCRIPT_WAIT_MS;
    while (script->nodes[0].boot == 0 || script->nodes[1].boot == 0)
        if (next_message(script, until_ms) == NULL && now_ms() >= until_ms)
            script_fail("no report of nodes %s and %s on the bus", arguments[3], arguments[4]);
    uint64_t a = script->nodes[0].term, b = script->nodes[1].term;
    /* A step more than needed: the term below it must be stale, not absent. */
    script->term = (a > b ? a : b) + 2;
    script_say(script, "heard of both nodes; takes term %" PRIu64, script->term);
}

void script_close(struct script *script)
{
    qn_feed_close(script->feed);
    qn_client_close(script->client);
    script->manifest = manifest_free(script->manifest);
}

struct qn_epoch script_mint(struct script *script)
{
    return (struct qn_epoch){.term = script->term, .version = ++script->version};
}

struct segment_info script_info(const struct script *script, size_t segment, int64_t node_id,
                                struct qn_epoch epoch)
{
    const struct manifest_segment *facts = &script->manifest->segments[segment];

    return (struct segment_info){
        .segment_id = facts->segment_id,
        .collection_id = script->manifest->collection_id,
        .partition_id = facts->partition_id,
        .mem_size = facts->resident_bytes,
        .num_rows = facts->rows_count,
        .node_id = node_id,
        .state = facts->state,
        .epoch = epoch,
        .content_hash = facts->content_hash,
        .delete_generation = facts->delete_generation,
        .replica = "r1",
    };
}

static void send(struct script *script, const char *subject, struct message *message)
{
    struct qn_error error = {0};

    if (qn_send(script->client, subject, message, &error) != QN_STATUS_OK)
        script_fail("send to %s: %s", subject, error.text);
}

static struct not_after soon(const struct script_node *node)
{
    return (struct not_after){.boot = node->boot, .uptime_ms = node->uptime_ms + SCRIPT_WAIT_MS};
}

void script_load(struct script *script, size_t segment, struct script_node *node,
                 struct qn_epoch epoch, const char *path)
{
    struct segment_info info = script_info(script, segment, node->node_id, epoch);
    struct segment_load_info load = {
        .segment_id = info.segment_id,
        .collection_id = info.collection_id,
        .partition_id = info.partition_id,
        .replica = info.replica,
        .path = path != NULL ? path : script->manifest->segments[segment].path,
        .content_hash = info.content_hash,
        .mem_size = info.mem_size,
        .num_rows = info.num_rows,
        .delete_generation = info.delete_generation,
        .epoch = epoch,
        .state = info.state,
    };
    struct message message = {.kind = MESSAGE_LOAD_SEGMENTS, .term = script->term};

    message.load_segments.segments = &load;
    message.load_segments.segments_count = 1;
    message.load_segments.not_after = soon(node);
    send(script, subject_control(script->cluster, node->node_id).text, &message);
}

void script_release_forced(struct script *script, size_t segment, struct script_node *node,
                           struct qn_epoch epoch)
{
    struct segment_release release = {
        .segment_id = script->manifest->segments[segment].segment_id,
        .epoch = epoch,
        .ground = GROUND_FORCE,
        .operator_name = "the script",
    };
    struct message message = {.kind = MESSAGE_RELEASE_SEGMENTS, .term = script->term};

    message.release_segments.segments = &release;
    message.release_segments.segments_count = 1;
    message.release_segments.not_after = soon(node);
    send(script, subject_control(script->cluster, node->node_id).text, &message);
}

void script_change(struct script *script, uint64_t term, const struct segment_info *online,
                   const struct segment_info *offline)
{
    struct segment_change_info change = {
        .online_node_id = online->node_id,
        .online_segments = online,
        .online_segments_count = 1,
        .offline_node_id = offline->node_id,
        .offline_segments = offline,
        .offline_segments_count = 1,
    };
    struct message message = {.kind = MESSAGE_CHANGE_INFO, .term = term};

    message.change_info.collection_id = online->collection_id;
    message.change_info.follows = (struct qn_epoch){script->term, script->version};
    message.change_info.version = script_mint(script);
    message.change_info.infos = &change;
    message.change_info.infos_count = 1;
    send(script, subject_control(script->cluster, offline->node_id).text, &message);
}

struct receipt_facts {
    int64_t segment_id;
    bool known;
};

static struct receipt_facts receipt_facts(const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_SEGMENT_LOADED:
        return (struct receipt_facts){message->segment_loaded.segment_id, true};
    case MESSAGE_SEGMENT_RELEASED:
        return (struct receipt_facts){message->segment_released.segment_id, true};
    case MESSAGE_LOAD_FAILED:
        return (struct receipt_facts){message->load_failed.segment_id, true};
    case MESSAGE_RELEASE_HELD:
        return (struct receipt_facts){message->release_held.segment_id, true};
    case MESSAGE_COMMAND_REFUSED:
        return (struct receipt_facts){message->command_refused.segment_id, true};
    default:
        return (struct receipt_facts){0, false};
    }
}

static bool is_wanted(const struct message *message, int64_t node_id, int64_t segment_id,
                      const enum message_kind *kinds)
{
    char sender[LIMIT_NAME_BYTES];
    struct receipt_facts facts = receipt_facts(message);
    bool kind_wanted = false;

    for (; *kinds != MESSAGE_NONE; kinds++)
        kind_wanted |= *kinds == message->kind;
    if (!kind_wanted || !facts.known || (facts.segment_id != segment_id && facts.segment_id != 0))
        return false;
    (void)snprintf(sender, sizeof sender, "node/%" PRId64, node_id);
    return node_id == 0 || strcmp(sender, message->sender) == 0;
}

const struct message *script_expect(struct script *script, int64_t node_id, int64_t segment_id,
                                    const enum message_kind *kinds)
{
    uint64_t until_ms = now_ms() + SCRIPT_WAIT_MS;

    while (now_ms() < until_ms) {
        const struct message *message = next_message(script, until_ms);
        if (message != NULL && is_wanted(message, node_id, segment_id, kinds))
            return message;
    }
    script_fail("no %s about segment %" PRId64 " from node %" PRId64 " in %d ms",
                message_kind_name(kinds[0]), segment_id, node_id, SCRIPT_WAIT_MS);
}

void script_expect_copies(struct script *script, struct script_node *node, uint32_t copies_count)
{
    uint64_t until_ms = now_ms() + SCRIPT_WAIT_MS;

    while (node->copies_count != copies_count && now_ms() < until_ms)
        (void)next_message(script, until_ms);
    if (node->copies_count != copies_count)
        script_fail("node %" PRId64 " reports %u copies, %u wanted", node->node_id,
                    node->copies_count, copies_count);
}

void script_publish_view(struct script *script, const struct script_places *places)
{
    const struct manifest *manifest = script->manifest;
    struct view_item *items = calloc(manifest->segments_count, sizeof *items);
    struct message message = {.kind = MESSAGE_COLLECTION_VIEW, .term = script->term};

    CHECK(items != NULL);
    for (size_t i = 0; i < manifest->segments_count; i++) {
        items[i].segment_id = manifest->segments[i].segment_id;
        items[i].partition_id = manifest->segments[i].partition_id;
        items[i].num_rows = manifest->segments[i].rows_count;
        items[i].content_hash = manifest->segments[i].content_hash;
        items[i].copies = places[i].copies;
        items[i].copies_count = places[i].copies[1].node_id != 0 ? 2 : 1;
    }
    message.collection_view = (struct collection_view){
        .collection_id = manifest->collection_id,
        .name = manifest->name,
        .version = script_mint(script),
        .readable_version = manifest->readable_version,
        .metric = manifest->metric,
        .dim = manifest->dim,
        .pages = 1,
        .items = items,
        .items_count = manifest->segments_count,
    };
    send(script, subject_query_page(script->cluster, manifest->collection_id, 0).text, &message);
    free(items);
}

bool script_search(struct script *script)
{
    const struct manifest *manifest = script->manifest;
    struct qn_search_request request = {
        .collection_id = manifest->collection_id, .nq = 1, .k = 10, .dim = manifest->dim};
    struct qn_search_result result;
    struct qn_error error = {0};
    struct prng prng;
    float *query = calloc(manifest->dim, sizeof *query);

    CHECK(query != NULL);
    prng_init(&prng, script->version);
    for (uint32_t d = 0; d < manifest->dim; d++)
        query[d] = (float)prng_normal(&prng);
    request.queries = query;
    if (qn_search(script->client, &request, &result, &error) != QN_STATUS_OK)
        script_fail("search: %s", error.text);
    if (result.verdict != QN_VERDICT_COMPLETE || result.hit_counts[0] != 10)
        script_fail("search: %s, %zu segments missing, %u hits", qn_verdict_name(result.verdict),
                    result.missing_count, result.hit_counts[0]);
    script_say(script, "search over %u segments: COMPLETE, nearest %" PRId64 "%s",
               result.segments_count, result.hits[0].primary_key,
               result.overlap ? " (two copies of one segment asked)" : "");
    bool overlap = result.overlap;
    qn_search_result_done(&result);
    free(query);
    return overlap;
}
