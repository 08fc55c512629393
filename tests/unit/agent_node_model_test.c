/* SPDX-License-Identifier: Apache-2.0
 * Three judgements, a careless coordinator, a bad network and a random hand: 200,000 events from
 * one seed. The checker stands outside: from the actions alone it keeps who answers searches for
 * what, and a segment that was once served must always be served by somebody, unless the last copy
 * went by FORCE or CEASED without witness, which ask nobody. */
#include "tests/unit/agent_node_rig.h"

#include "base/prng.h"
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 3,
    SEGMENTS = 4,
    LETTERS_MAX = 64,
    EVENTS = 200000 / TEST_DIVISOR,
};

struct letter {
    int to;
    enum node_event_kind event;
    enum qn_status status;
    int64_t segment_id;
    struct message message;
    struct segment_load_info load;
    struct segment_release release;
    struct witness witness;
    struct segment_info online, offline;
    struct segment_change_info change;
};

/* What the checker knows of a copy. */
struct place {
    bool mapped, draining;
};

struct model {
    struct prng prng;
    struct node *nodes[NODES];
    uint64_t boots[NODES], now_ms, term, version;
    struct place places[NODES][SEGMENTS];
    bool served[SEGMENTS]; /* somebody must serve it */
    struct letter letters[LETTERS_MAX];
    size_t letters_count;
    size_t loads, releases[4], held, undrained, called_off, restarts, terms;
};

static struct node_actions actions;

static bool chance(struct model *model, unsigned per_mille)
{
    return prng_below(&model->prng, 1000) < per_mille;
}

static int any(struct model *model, int below)
{
    return (int)prng_below(&model->prng, (uint64_t)below);
}

/* ---- letters --------------------------------------------------------------------------------- */

/* When the net is full something is lost; what comes from inside a node never is. */
static struct letter *post(struct model *model, int to, enum node_event_kind event)
{
    struct letter *letter;

    if (model->letters_count == LETTERS_MAX) {
        size_t i = 0;

        while (model->letters[i].event != NODE_EVENT_MESSAGE)
            i++;
        model->letters[i] = model->letters[--model->letters_count];
    }
    letter = &model->letters[model->letters_count++];
    memset(letter, 0, sizeof *letter);
    letter->to = to;
    letter->event = event;
    return letter;
}

static void post_internal(struct model *model, int to, enum node_event_kind event,
                          int64_t segment_id)
{
    post(model, to, event)->segment_id = segment_id;
}

static void forget_drained(struct model *model, int to, int64_t segment_id)
{
    for (size_t i = 0; i < model->letters_count; i++)
        if (model->letters[i].event == NODE_EVENT_DRAINED && model->letters[i].to == to &&
            model->letters[i].segment_id == segment_id)
            model->letters[i--] = model->letters[--model->letters_count];
}

static void send_ask(struct model *model, int from, const struct node_action *action)
{
    struct message *message = &post(model, (int)action->node_id - 1, NODE_EVENT_MESSAGE)->message;

    message->boot = model->boots[from];
    message->term = node_term(model->nodes[from]);
    message->kind = action->message_kind;
    if (action->message_kind == MESSAGE_COPY_STATUS) {
        message->copy_status = action->copy_status;
        message->copy_status.replica = "r1";
    } else {
        message->copy_status_request = action->copy_status_request;
    }
}

/* ---- the checker ----------------------------------------------------------------------------- */

static bool somebody(const struct model *model, int segment, bool not_leaving)
{
    for (int n = 0; n < NODES; n++) {
        const struct place *place = &model->places[n][segment];
        const struct node_copy *copy = node_find(model->nodes[n], segment + 1);

        if (place->mapped && !place->draining && (!not_leaving || copy->state == QN_COPY_SERVING))
            return true;
    }
    return false;
}

static void check_served(struct model *model)
{
    for (int s = 0; s < SEGMENTS; s++) {
        if (model->served[s] && !somebody(model, s, false))
            fail_msg("segment %d: nobody answers searches at %llu ms", s + 1,
                     (unsigned long long)model->now_ms);
        model->served[s] |= somebody(model, s, true);
    }
}

static void note_message(struct model *model, const struct node_action *action)
{
    bool held = action->message_kind == MESSAGE_RELEASE_HELD;

    if (action->message_kind == MESSAGE_SEGMENT_RELEASED)
        model->releases[action->segment_released.ground]++;
    model->loads += action->message_kind == MESSAGE_SEGMENT_LOADED;
    model->held += held;
    model->called_off += held && action->release_held.status == QN_STATUS_EPOCH_STALE;
}

/* ---- the shell of a node --------------------------------------------------------------------- */

static void act(struct model *model, int n, const struct node_action *action)
{
    int64_t id = action->segment_id;
    struct place *place = &model->places[n][(id + SEGMENTS - 1) % SEGMENTS];

    switch (action->kind) {
    case NODE_ACTION_SEND:
        if (action->subject == NODE_SUBJECT_ASK)
            send_ask(model, n, action);
        else
            note_message(model, action);
        break;
    case NODE_ACTION_LOAD:
        post_internal(model, n, chance(model, 100) ? NODE_EVENT_LOAD_FAILED : NODE_EVENT_LOADED,
                      id);
        break;
    case NODE_ACTION_DRAIN:
        place->draining = true;
        if (node_find(model->nodes[n], id)->release.witnesses_count == 0)
            model->served[id - 1] = false;
        post_internal(model, n, NODE_EVENT_DRAINED, id);
        break;
    case NODE_ACTION_UNDRAIN:
        place->draining = false;
        model->undrained++;
        forget_drained(model, n, id);
        break;
    case NODE_ACTION_UNMAP:
        assert_true(place->draining || !place->mapped);
        post_internal(model, n, NODE_EVENT_UNMAPPED, id);
        break;
    case NODE_ACTION_CANCEL_LOAD:
    case NODE_ACTION_PERSIST_TERM:
    case NODE_ACTION_REPORT:
        break;
    }
}

static void step(struct model *model, int n, struct node_event event)
{
    event.now_ms = model->now_ms;
    node_step(model->nodes[n], &event, &actions);
    assert_true(node_verify(model->nodes[n]));
    if (actions.count == 1 && actions.items[0].kind == NODE_ACTION_PERSIST_TERM) {
        model->terms++;
        step(model, n,
             (struct node_event){.kind = NODE_EVENT_TERM_DURABLE, .term = actions.items[0].term});
        step(model, n, event);
        return;
    }
    if (event.kind == NODE_EVENT_LOADED)
        model->places[n][event.segment_id - 1].mapped =
            rig_state(&(struct rig){.node = model->nodes[n]}, event.segment_id) == QN_COPY_SERVING;
    if (event.kind == NODE_EVENT_UNMAPPED)
        model->places[n][event.segment_id - 1] = (struct place){false, false};
    for (uint32_t i = 0; i < actions.count; i++)
        act(model, n, &actions.items[i]);
    check_served(model);
}

/* ---- a careless coordinator ------------------------------------------------------------------ */

static struct qn_epoch epoch_held(const struct model *model, int n, int64_t segment_id)
{
    const struct node_copy *copy = node_find(model->nodes[n], segment_id);

    return copy != NULL ? copy->epoch : (struct qn_epoch){1, 1};
}

static uint64_t command_term(struct model *model)
{
    if (chance(model, 3))
        return ++model->term;
    return chance(model, 50) ? model->term - (uint64_t)any(model, 2) : model->term;
}

static void command_load(struct model *model, struct letter *letter, int64_t segment_id)
{
    letter->load = rig_segment(segment_id, 0);
    letter->load.epoch = (struct qn_epoch){model->term, ++model->version};
    letter->message.kind = MESSAGE_LOAD_SEGMENTS;
    letter->message.load_segments.segments_count = 1;
}

static void command_release(struct model *model, struct letter *letter, int64_t segment_id)
{
    int other = (letter->to + 1 + any(model, NODES - 1)) % NODES;

    letter->witness = (struct witness){.node_id = other + 1,
                                       .segment_id = segment_id,
                                       .epoch = epoch_held(model, other, segment_id)};
    letter->release = (struct segment_release){
        .segment_id = segment_id,
        .epoch = epoch_held(model, letter->to, segment_id),
        .ground = GROUND_MOVED,
        .witnesses_count = 1,
    };
    if (chance(model, 30)) {
        letter->release.ground = chance(model, 500) ? GROUND_FORCE : GROUND_CEASED;
        letter->release.witnesses_count = 0;
        letter->release.operator_name = "ann";
    }
    letter->message.kind = MESSAGE_RELEASE_SEGMENTS;
    letter->message.release_segments.segments_count = 1;
}

static void command_change(struct model *model, struct letter *letter, int64_t segment_id)
{
    int other = any(model, NODES);

    letter->online = (struct segment_info){.segment_id = segment_id,
                                           .epoch = epoch_held(model, other, segment_id)};
    letter->offline = (struct segment_info){.segment_id = segment_id,
                                            .epoch = epoch_held(model, letter->to, segment_id)};
    letter->change = (struct segment_change_info){.online_node_id = other + 1,
                                                  .online_segments_count = 1,
                                                  .offline_node_id = letter->to + 1,
                                                  .offline_segments_count = 1};
    letter->message.kind = MESSAGE_CHANGE_INFO;
    letter->message.change_info.collection_id = RIG_COLLECTION;
    letter->message.change_info.infos_count = 1;
}

static void command(struct model *model)
{
    struct letter *letter = post(model, any(model, NODES), NODE_EVENT_MESSAGE);
    int64_t segment_id = 1 + any(model, SEGMENTS);

    letter->message.term = command_term(model);
    if (chance(model, 250))
        command_load(model, letter, segment_id);
    else if (chance(model, 300))
        command_change(model, letter, segment_id);
    else
        command_release(model, letter, segment_id);
}

/* ---- the net --------------------------------------------------------------------------------- */

/* Letters move in memory, so their inner pointers are set when they come. */
static void deliver(struct model *model, struct letter letter)
{
    struct message *message = &letter.message;

    letter.release.witnesses = &letter.witness;
    letter.change.online_segments = &letter.online;
    letter.change.offline_segments = &letter.offline;
    if (message->kind == MESSAGE_LOAD_SEGMENTS)
        message->load_segments.segments = &letter.load;
    else if (message->kind == MESSAGE_RELEASE_SEGMENTS)
        message->release_segments.segments = &letter.release;
    else if (message->kind == MESSAGE_CHANGE_INFO)
        message->change_info.infos = &letter.change;
    step(model, letter.to,
         (struct node_event){.kind = letter.event,
                             .segment_id = letter.segment_id,
                             .status = QN_STATUS_IO,
                             .message = message});
}

static void net(struct model *model)
{
    size_t i = (size_t)prng_below(&model->prng, model->letters_count);
    struct letter letter = model->letters[i];
    bool internal = letter.event != NODE_EVENT_MESSAGE;

    if (internal || !chance(model, 80)) /* else it comes again later */
        model->letters[i] = model->letters[--model->letters_count];
    if (internal || !chance(model, 80))
        deliver(model, letter);
}

static void start_node(struct model *model, int n)
{
    struct node_options options = {.node_id = n + 1,
                                   .boot = ++model->boots[n],
                                   .term = model->nodes[n] != NULL ? node_term(model->nodes[n]) : 1,
                                   .budget_bytes = 512 * 3,
                                   .release_grace_ms = 60,
                                   .numa_count = 2};

    model->nodes[n] = node_free(model->nodes[n]);
    model->nodes[n] = node_new(&options);
    assert_non_null(model->nodes[n]);
}

/* Only a node that holds nothing: a crash may lose copies, and proves nothing here. */
static void restart(struct model *model, int n)
{
    if (node_copies_count(model->nodes[n]) > 0)
        return;
    model->restarts++;
    start_node(model, n);
}

static void any_event(struct model *model)
{
    int n = any(model, NODES);

    model->now_ms += prng_below(&model->prng, 20);
    if (node_wake_ms(model->nodes[n]) <= model->now_ms)
        step(model, n, (struct node_event){.kind = NODE_EVENT_TICK});
    else if (chance(model, 2))
        restart(model, n);
    else if (model->letters_count == 0 || chance(model, 150))
        command(model);
    else
        net(model);
}

static void run(uint64_t seed)
{
    struct model *model = calloc(1, sizeof *model);

    assert_non_null(model);
    prng_init(&model->prng, seed);
    model->term = RIG_TERM;
    for (int n = 0; n < NODES; n++)
        start_node(model, n);
    for (int i = 0; i < EVENTS; i++)
        any_event(model);
    print_message("seed %llu: %zu loads, %zu moved, %zu ceased, %zu forced, %zu held (%zu called "
                  "off), %zu undrained, %zu restarts, %zu terms\n",
                  (unsigned long long)seed, model->loads, model->releases[GROUND_MOVED],
                  model->releases[GROUND_CEASED], model->releases[GROUND_FORCE], model->held,
                  model->called_off, model->undrained, model->restarts, model->terms);
    assert_true(model->releases[GROUND_MOVED] >
                1000 / TEST_DIVISOR); /* the walk went where it matters */
    assert_true(model->held > 1000 / TEST_DIVISOR);
    assert_true(model->called_off > 20 / TEST_DIVISOR);
    assert_true(model->undrained > 20 / TEST_DIVISOR);
    assert_true(model->restarts > 5 / TEST_DIVISOR);
    for (int n = 0; n < NODES; n++)
        model->nodes[n] = node_free(model->nodes[n]);
    free(model);
}

static void a_served_segment_stays_served_through_200000_random_events(void **state)
{
    const char *seed = getenv("QNODE_SEED");

    (void)state; /* QNODE_SEED=n walks another way */
    run(seed != NULL ? strtoull(seed, NULL, 10) : 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_served_segment_stays_served_through_200000_random_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
