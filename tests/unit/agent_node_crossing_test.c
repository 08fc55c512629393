/* SPDX-License-Identifier: Apache-2.0
 * Two nodes told to release the same segment, each with the other as its witness: every order in
 * which the messages can come, with losses and repeats, walked to the end.
 *
 * A path is a list of choices: which letter comes next, is lost, or comes and stays for a second
 * time, or that time passes. The search replays each path from the start on two fresh judgements,
 * checks that a copy still answers searches, and goes on unless it saw that situation before. What
 * makes two situations the same is everything that the future depends on, times relative to now. */
#include "tests/unit/agent_node_pair.h"

#include "agent/node_internal.h"
#include "base/hash.h"
#include <stdlib.h>

enum {
    DEPTH_MAX = 64,
    SEEN_SLOTS = 1 << 20,
    WAITS = TEST_DIVISOR > 1 ? 1 : 2, /* how often time may pass while something is on its way */
};

struct path {
    uint8_t choices[DEPTH_MAX];
    uint8_t length;
};

struct search {
    void (*post_commands)(struct pair *pair);
    unsigned losses, repeats, waits;
    struct pair start, pair;
    uint64_t *seen; /* hash set, open addressing, 0: free */
    struct path *stack;
    size_t stack_count, stack_slots, situations, ends, gone_ends, both_ends;
};

/* ---- what makes a situation ------------------------------------------------------------------ */

/* A nonce that is not of the open ask will never be again: only that matters of it. */
static uint64_t is_open(const struct pair *pair, int asker, uint64_t nonce)
{
    const struct node_copy *copy = node_find(pair->nodes[asker], PAIR_SEGMENT);

    return copy != NULL && copy->release.nonce == nonce;
}

static uint64_t letter_print(const struct pair *pair, const struct pair_letter *letter)
{
    const struct message *message = &letter->message;
    uint64_t words[6] = {(uint64_t)letter->to, (uint64_t)letter->event, (uint64_t)message->kind};

    if (message->kind == MESSAGE_COPY_STATUS) {
        words[3] = is_open(pair, letter->to, message->copy_status.nonce);
        words[4] = (uint64_t)message->copy_status.state;
        words[5] = message->copy_status.epoch.version;
    } else if (message->kind == MESSAGE_COPY_STATUS_REQUEST) {
        words[3] = is_open(pair, 1 - letter->to, message->copy_status_request.nonce);
    }
    return hash64(words, sizeof words);
}

static uint64_t node_print(const struct pair *pair, int n)
{
    const struct node_copy *copy = node_find(pair->nodes[n], PAIR_SEGMENT);
    const struct node_release *release;
    uint64_t words[9] = {[8] = pair->nodes[n]->released.next};

    if (copy == NULL)
        return hash64(words, sizeof words);
    release = &copy->release;
    words[0] = (uint64_t)copy->state;
    words[1] = release->nonce != 0;
    words[2] = release->answered_mask;
    words[3] = (uint64_t)release->ask_sent << 3 | (uint64_t)release->second_ask << 2 |
               (uint64_t)release->confirmed << 1 | copy->unmapping;
    if (copy->state == QN_COPY_LEAVING) /* after the grace it is only over */
        words[4] = pair->now_ms - release->leaving_since_ms < PAIR_GRACE_MS
                       ? pair->now_ms - release->leaving_since_ms
                       : PAIR_GRACE_MS;
    words[5] = release->nonce != 0 ? pair->now_ms - release->asked_ms : 0;
    words[6] = release->nonce != 0 ? release->ask_deadline_ms - pair->now_ms : 0;
    words[7] = copy->epoch.version;
    return hash64(words, sizeof words);
}

static uint64_t pair_print(const struct pair *pair)
{
    uint64_t letters = 0;
    uint64_t words[] = {node_print(pair, 0), node_print(pair, 1), 0,
                        pair->losses_left,   pair->repeats_left,  pair->waits_left};

    for (size_t i = 0; i < pair->letters_count; i++) /* a sum: their order means nothing */
        letters += letter_print(pair, &pair->letters[i]);
    words[2] = letters;
    return hash64(words, sizeof words) | 1;
}

/* An equal letter stands before it: both lead to the same. */
static bool is_twin(const struct pair *pair, size_t letter)
{
    for (size_t i = 0; i < letter && letter < pair->letters_count; i++)
        if (letter_print(pair, &pair->letters[i]) == letter_print(pair, &pair->letters[letter]))
            return true;
    return false;
}

static bool seen_before(struct search *search, uint64_t print)
{
    size_t slot = (size_t)(print % SEEN_SLOTS);

    while (search->seen[slot] != 0 && search->seen[slot] != print)
        slot = (slot + 1) % SEEN_SLOTS;
    if (search->seen[slot] == print)
        return true;
    search->seen[slot] = print;
    search->situations++;
    assert_true(search->situations < SEEN_SLOTS / 2);
    return false;
}

/* ---- the search ------------------------------------------------------------------------------ */

static bool answers_searches(const struct pair *pair, int n)
{
    const struct node_copy *copy = node_find(pair->nodes[n], PAIR_SEGMENT);

    return copy != NULL && (copy->state == QN_COPY_SERVING || copy->state == QN_COPY_LEAVING);
}

static void check_safe(const struct pair *pair, const struct path *path)
{
    if (answers_searches(pair, 0) || answers_searches(pair, 1))
        return;
    print_message("both copies are gone after these choices:");
    for (int i = 0; i < path->length; i++)
        print_message(" %d", path->choices[i]);
    fail_msg("%s", "\nno copy answers searches");
}

static void note_end(struct search *search, const struct pair *pair)
{
    bool here = node_find(pair->nodes[0], PAIR_SEGMENT) != NULL;
    bool there = node_find(pair->nodes[1], PAIR_SEGMENT) != NULL;

    search->ends++;
    search->both_ends += here && there;
    search->gone_ends += here != there;
    if (pair_wake_ms(pair) != UINT64_MAX)
        return; /* waiting was rationed */
    for (int n = 0; n < 2; n++) {
        const struct node_copy *copy = node_find(pair->nodes[n], PAIR_SEGMENT);

        assert_true(copy == NULL || copy->state == QN_COPY_SERVING);
    }
}

static void push(struct search *search, const struct path *path, size_t choice)
{
    struct path *next;

    if (search->stack_count == search->stack_slots) {
        search->stack_slots = search->stack_slots * 2 + 1024;
        search->stack = realloc(search->stack, search->stack_slots * sizeof *search->stack);
        assert_non_null(search->stack);
    }
    next = &search->stack[search->stack_count++];
    *next = *path;
    assert_true(next->length < DEPTH_MAX);
    next->choices[next->length++] = (uint8_t)choice;
}

static void visit(struct search *search, const struct path *path)
{
    struct pair *pair = &search->pair;
    size_t ways = 0;

    pair_restart(pair, &search->start);
    pair->losses_left = search->losses;
    pair->repeats_left = search->repeats;
    pair->waits_left = search->waits;
    search->post_commands(pair);
    for (int i = 0; i < path->length; i++)
        pair_take(pair, path->choices[i]);
    check_safe(pair, path);
    if (seen_before(search, pair_print(pair)))
        return;
    for (size_t choice = 0; choice <= PAIR_WAYS * pair->letters_count; choice++) {
        if (!pair_may(pair, choice) || is_twin(pair, choice / PAIR_WAYS))
            continue;
        push(search, path, choice);
        ways++;
    }
    if (ways == 0)
        note_end(search, pair);
}

static void walk(struct search *search)
{
    search->seen = calloc(SEEN_SLOTS, sizeof *search->seen);
    assert_non_null(search->seen);
    pair_open(&search->start);
    pair_open(&search->pair);
    visit(search, &(struct path){.length = 0});
    while (search->stack_count > 0) {
        struct path path = search->stack[--search->stack_count];

        visit(search, &path);
    }
    print_message("%zu situations, %zu ends: one copy left in %zu, both in %zu\n",
                  search->situations, search->ends, search->gone_ends, search->both_ends);
    assert_int_equal(search->gone_ends + search->both_ends, search->ends);
    pair_close(&search->start);
    pair_close(&search->pair);
    free(search->stack);
    free(search->seen);
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void tell_release(struct pair *pair, int to)
{
    static struct witness witnesses[2];
    static struct segment_release releases[2];
    struct message message = {.term = RIG_TERM, .kind = MESSAGE_RELEASE_SEGMENTS};

    witnesses[to] = rig_witness(2 - to, PAIR_SEGMENT, 1);
    releases[to] = rig_moved(PAIR_SEGMENT, 1, &witnesses[to]);
    message.release_segments.segments = &releases[to];
    message.release_segments.segments_count = 1;
    pair_post(pair, to, &message);
}

static void tell_crossing_releases(struct pair *pair)
{
    tell_release(pair, 0);
    tell_release(pair, 1);
}

static void tell_each_twice(struct pair *pair)
{
    tell_crossing_releases(pair);
    tell_crossing_releases(pair);
}

static void tell_crossing_releases_and_a_newer_load(struct pair *pair)
{
    static struct segment_load_info segment;
    struct message load = {.term = RIG_TERM, .kind = MESSAGE_LOAD_SEGMENTS};

    segment = rig_segment(PAIR_SEGMENT, 2);
    load.load_segments.segments = &segment;
    load.load_segments.segments_count = 1;
    tell_crossing_releases(pair);
    pair_post(pair, 0, &load);
}

static void crossing_releases_never_drop_both_copies(void **state)
{
    struct search search = {
        .post_commands = tell_crossing_releases, .losses = 1, .repeats = 1, .waits = WAITS};

    (void)state;
    walk(&search);
    assert_true(search.gone_ends > 0);
    assert_true(search.both_ends > 0);
}

static void nor_do_crossing_releases_that_are_each_told_twice(void **state)
{
    struct search search = {.post_commands = tell_each_twice, .waits = WAITS};

    (void)state;
    walk(&search);
    assert_true(search.gone_ends > 0);
}

static void nor_when_a_newer_load_calls_one_of_them_back(void **state)
{
    struct search search = {
        .post_commands = tell_crossing_releases_and_a_newer_load, .losses = 1, .waits = WAITS};

    (void)state;
    walk(&search);
    assert_true(search.gone_ends > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crossing_releases_never_drop_both_copies),
        cmocka_unit_test(nor_do_crossing_releases_that_are_each_told_twice),
        cmocka_unit_test(nor_when_a_newer_load_calls_one_of_them_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
