/* SPDX-License-Identifier: Apache-2.0
 * A coordinator that is not qcoordd: it drives two agents through the bus alone, from a plain
 * folder.
 *
 *   scripted-coordinator hand-over BUS CLUSTER FOLDER A B
 *       loads half of the segments on A, half on B, searches, hands one over, releases all
 *   scripted-coordinator refusals BUS CLUSTER FOLDER A B
 *       says what must be refused or held (stale term, stale epoch, witness that does not serve,
 *       two releases that cross), and checks that the last copy stays
 *   scripted-coordinator load BUS CLUSTER FOLDER A B FILE...
 *       has node A load each file as the folder's first segment, while B serves that segment and A
 *       others; prints the receipts, and searches after each
 *
 * Exit 0 if every receipt was as it must be. It reads as a timeline. */
#include "base/check.h"
#include "base/clock.h"
#include "tests/e2e/script.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OVERLAP_TRIES = 100, OVERLAP_NAP_US = 10000 };

static const enum message_kind loaded[] = {MESSAGE_SEGMENT_LOADED, MESSAGE_LOAD_FAILED,
                                           MESSAGE_NONE};
static const enum message_kind released[] = {MESSAGE_SEGMENT_RELEASED, MESSAGE_NONE};
static const enum message_kind refused[] = {MESSAGE_COMMAND_REFUSED, MESSAGE_NONE};
static const enum message_kind held[] = {MESSAGE_RELEASE_HELD, MESSAGE_NONE};
static const enum message_kind settled[] = {MESSAGE_RELEASE_HELD, MESSAGE_SEGMENT_RELEASED,
                                            MESSAGE_NONE};

static struct qn_epoch load_on(struct script *script, size_t segment, struct script_node *node)
{
    struct qn_epoch epoch = script_mint(script);
    int64_t segment_id = script->manifest->segments[segment].segment_id;

    script_load(script, segment, node, epoch, NULL);
    const struct message *receipt = script_expect(script, node->node_id, segment_id, loaded);
    if (receipt->kind != MESSAGE_SEGMENT_LOADED)
        script_fail("load segment %" PRId64 ": %s", segment_id, receipt->load_failed.text);
    script_say(script, "node %" PRId64 " loaded segment %" PRId64 " (%" PRIu64 " bytes)",
               node->node_id, segment_id, receipt->segment_loaded.bytes);
    return epoch;
}

/* Segment i on node (i + first) % 2. */
static struct script_places *load_halves(struct script *script, size_t first)
{
    size_t count = script->manifest->segments_count;
    struct script_places *places = calloc(count, sizeof *places);

    CHECK(places != NULL);
    for (size_t i = 0; i < count; i++) {
        struct script_node *node = &script->nodes[(i + first) % 2];
        places[i].copies[0] = (struct view_copy){.node_id = node->node_id, .replica = "r1"};
        places[i].copies[0].epoch = load_on(script, i, node);
    }
    script_publish_view(script, places);
    return places;
}

static void release_all(struct script *script, const struct script_places *places)
{
    for (size_t i = 0; i < script->manifest->segments_count; i++) {
        const struct view_copy *copy = &places[i].copies[0];
        struct script_node *node =
            &script->nodes[copy->node_id == script->nodes[0].node_id ? 0 : 1];
        script_release_forced(script, i, node, copy->epoch);
        (void)script_expect(script, node->node_id, script->manifest->segments[i].segment_id,
                            released);
    }
    script_expect_copies(script, &script->nodes[0], 0);
    script_expect_copies(script, &script->nodes[1], 0);
    script_say(script, "all copies released; both nodes report none");
}

static void hand_over_first(struct script *script, struct script_places *places)
{
    struct view_copy source = places[0].copies[0];
    struct script_node *target = &script->nodes[1];
    int64_t segment_id = script->manifest->segments[0].segment_id;

    struct view_copy copy = {.node_id = target->node_id, .replica = "r1"};
    copy.epoch = load_on(script, 0, target);
    places[0].copies[1] = copy;
    script_publish_view(script, places);
    /* The view reaches the client when it does; until then a search is complete on the old one. */
    for (int i = 0; i < OVERLAP_TRIES && !script_search(script); i++)
        clock_nap_us(OVERLAP_NAP_US);

    places[0] = (struct script_places){.copies = {copy}};
    script_publish_view(script, places);
    struct segment_info online = script_info(script, 0, copy.node_id, copy.epoch);
    struct segment_info offline = script_info(script, 0, source.node_id, source.epoch);
    script_change(script, script->term, &online, &offline);
    const struct message *receipt = script_expect(script, source.node_id, segment_id, released);
    script_say(script,
               "node %" PRId64 " released segment %" PRId64 ": %" PRIu64 " bytes, RssAnon %" PRIu64
               " -> %" PRIu64 ", waited %" PRIu64 " ms",
               source.node_id, segment_id, receipt->segment_released.bytes,
               receipt->segment_released.rss_before, receipt->segment_released.rss_after,
               receipt->segment_released.waited_ms);
    if (receipt->segment_released.moved_to != target->node_id)
        script_fail("the receipt does not say where the segment went");
    (void)script_search(script);
}

static void hand_over(struct script *script)
{
    struct script_places *places = load_halves(script, 0);

    (void)script_search(script);
    hand_over_first(script, places);
    release_all(script, places);
    free(places);
}

static void expect_refusal(struct script *script, const struct segment_info *offline,
                           enum qn_status status)
{
    const struct message *receipt =
        script_expect(script, offline->node_id, offline->segment_id, refused);

    if (receipt->command_refused.status != status)
        script_fail("refused %s, %s wanted", qn_status_name(receipt->command_refused.status),
                    qn_status_name(status));
    script_say(script, "refused: %s (%s)", receipt->command_refused.text,
               qn_status_name(receipt->command_refused.status));
}

/* A to B and B to A for one segment, at once: at most one may go. Returns the node that released,
 * or 0 when both were held. */
static int64_t cross(struct script *script, const struct segment_info *a,
                     const struct segment_info *b)
{
    int64_t gone_node_id = 0;

    script_change(script, script->term, b, a);
    script_change(script, script->term, a, b);
    for (int i = 0; i < 2; i++) {
        const struct message *receipt = script_expect(script, 0, a->segment_id, settled);
        bool gone = receipt->kind == MESSAGE_SEGMENT_RELEASED;
        script_say(script, "crossing: %s: %s", receipt->sender,
                   gone ? "released" : receipt->release_held.text);
        if (gone && gone_node_id != 0)
            script_fail("both copies were released");
        if (gone)
            gone_node_id = strtoll(receipt->sender + strlen("node/"), NULL, 10);
    }
    return gone_node_id;
}

/* One copy must be left; if both were held, the target's is taken away. */
static void check_crossing(struct script *script, struct script_places *places)
{
    struct script_node *target = &script->nodes[1];
    struct view_copy source = places[0].copies[0];
    struct segment_info a = script_info(script, 0, source.node_id, source.epoch);

    script_say(script, "two change infos that cross");
    struct qn_epoch epoch = load_on(script, 0, target);
    struct segment_info b = script_info(script, 0, target->node_id, epoch);
    int64_t gone_node_id = cross(script, &a, &b);
    if (gone_node_id == source.node_id)
        places[0].copies[0] = (struct view_copy){target->node_id, epoch, "r1"};
    if (gone_node_id == 0) {
        script_release_forced(script, 0, target, epoch);
        (void)script_expect(script, target->node_id, b.segment_id, released);
    }
    script_publish_view(script, places);
    (void)script_search(script);
}

static void refusals(struct script *script)
{
    struct script_places *places = load_halves(script, 0);
    struct script_node *target = &script->nodes[1];
    struct view_copy source = places[0].copies[0];
    struct segment_info offline = script_info(script, 0, source.node_id, source.epoch);

    script_say(script, "a change info with a lower term");
    struct segment_info online = script_info(script, 0, target->node_id, script_mint(script));
    script_change(script, script->term - 1, &online, &offline);
    expect_refusal(script, &offline, QN_STATUS_TERM_STALE);

    script_say(script, "a change info that names an older copy epoch");
    struct segment_info older = offline;
    older.epoch.version--;
    script_change(script, script->term, &online, &older);
    expect_refusal(script, &older, QN_STATUS_EPOCH_STALE);

    script_say(script, "a change info whose witness does not serve");
    script_change(script, script->term, &online, &offline);
    const struct message *receipt =
        script_expect(script, offline.node_id, offline.segment_id, held);
    script_say(script, "held: %s", receipt->release_held.text);
    (void)script_search(script);

    check_crossing(script, places);
    release_all(script, places);
    free(places);
}

/* Node A is told to load each file as segment 0, while it serves half of the collection. */
static void load_files(struct script *script, char **paths)
{
    struct script_places *places = load_halves(script, 1);

    for (; *paths != NULL; paths++) {
        script_load(script, 0, &script->nodes[0], script_mint(script), *paths);
        const struct message *receipt = script_expect(
            script, script->nodes[0].node_id, script->manifest->segments[0].segment_id, loaded);
        if (receipt->kind == MESSAGE_LOAD_FAILED)
            (void)printf("LoadFailed %s %s\n", qn_status_name(receipt->load_failed.status),
                         receipt->load_failed.text);
        else
            (void)printf("SegmentLoaded\n");
        (void)script_search(script);
    }
    release_all(script, places);
    free(places);
}

int main(int count, char **arguments)
{
    struct script script;

    if (count < 7) {
        (void)fprintf(stderr, "usage: scripted-coordinator hand-over|refusals|load "
                              "BUS CLUSTER FOLDER A B [FILE...]\n");
        return 2;
    }
    script_open(&script, arguments + 2);
    if (strcmp(arguments[1], "hand-over") == 0)
        hand_over(&script);
    else if (strcmp(arguments[1], "refusals") == 0)
        refusals(&script);
    else
        load_files(&script, arguments + 7);
    script_close(&script);
    return 0;
}
