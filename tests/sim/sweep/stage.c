/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sweep/stage.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "channel/codec.h"
#include "channel/subject.h"
#include "tests/sim/sweep/ports.h"
#include <string.h>

enum { BUDGET_BYTES = 64 << 20, OVERLAP_MS = 50, TURNS_MAX = 200000 };

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t poll_node(struct stage *stage, int number)
{
    enum fault_party before = fault_enter(number == 0 ? FAULT_PARTY_AGENT : FAULT_PARTY_NOBODY);
    uint64_t due_us = agent_poll(stage->nodes[number].agent);

    (void)fault_enter(before);
    return due_us;
}

/* A coordinator that stopped stays where it is, for the operation to see. */
static uint64_t poll_coordinator(struct stage *stage)
{
    enum fault_party before = fault_enter(FAULT_PARTY_COORDINATOR);
    uint64_t due_us = coordinator_poll(stage->coordinator);

    (void)fault_enter(before);
    return due_us == 0 ? UINT64_MAX : due_us;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* If a turn sent nothing, time passes to what is due next. */
static void pass(void *owner, uint64_t until_us)
{
    struct stage *stage = owner;
    uint64_t messages_before = ports_messages_count(), due_us = until_us;

    if (stage->coordinator != NULL)
        due_us = sooner(due_us, poll_coordinator(stage));
    for (int i = 0; i < 2; i++)
        if (stage->nodes[i].agent != NULL)
            due_us = sooner(due_us, poll_node(stage, i));
    if (ports_messages_count() == messages_before)
        ports_set_now_us(due_us);
}

bool stage_never(const struct stage *stage)
{
    (void)stage;
    return false;
}

bool stage_run(struct stage *stage, bool (*is_done)(const struct stage *stage), uint64_t ms)
{
    uint64_t until_us = ports_now_us() + ms * 1000;

    for (int turns = 0; !is_done(stage); turns++) {
        CHECK(turns < TURNS_MAX); /* somebody spins */
        if (ports_now_us() >= until_us)
            return false;
        pass(stage, until_us);
    }
    return true;
}

/* ---- the ear --------------------------------------------------------------------------------- */

static void note_refusal(struct stage_heard *heard, const char *kind, enum qn_status status,
                         const char *text)
{
    heard->has_text = (heard->refusal == NULL || heard->has_text) && text[0] != '\0';
    heard->refusal = kind;
    heard->refusal_status = status;
}

static void note_report(struct stage_heard *heard, const struct message *message)
{
    const struct node_report *report = &message->node_report;
    uint64_t serving_count = 0;

    heard->reports_count++;
    heard->boot = message->boot;
    heard->term = message->term;
    heard->copies_count = report->copies_count;
    for (size_t i = 0; i < report->copies_in_page; i++)
        serving_count += report->copies[i].segment.copy_state == QN_COPY_SERVING;
    if (serving_count > heard->loaded_count)
        heard->loaded_count = serving_count; /* receipts were lost */
}

static void note_ledger(struct stage *stage, const struct node_report *report)
{
    CHECK(report->node_id == 1 || report->node_id == 2);
    stage->ledger_bytes[report->node_id - 1] = report->memory.ledger_bytes;
}

static void note(struct stage_heard *heard, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_NODE_REPORT:
        note_report(heard, message);
        break;
    case MESSAGE_SEGMENT_LOADED:
        heard->loaded_count++;
        break;
    case MESSAGE_LOAD_FAILED:
        note_refusal(heard, "LoadFailed", message->load_failed.status, message->load_failed.text);
        break;
    case MESSAGE_RELEASE_HELD:
        note_refusal(heard, "ReleaseHeld", message->release_held.status,
                     message->release_held.text);
        break;
    case MESSAGE_COMMAND_REFUSED:
        note_refusal(heard, "Refused", message->command_refused.status,
                     message->command_refused.text);
        break;
    default:
        break;
    }
}

static void on_heard(void *owner, struct bus_message *bytes)
{
    struct stage *stage = owner;
    struct arena arena;
    struct message message;
    struct qn_error error = {0};

    arena_init(&arena, LIMIT_DECODE_ARENA_BYTES);
    CHECK(codec_decode(bytes->bytes, bytes->size, &arena, &message, &error) == QN_STATUS_OK);
    if (message.kind == MESSAGE_NODE_REPORT)
        note_ledger(stage, &message.node_report);
    if (strcmp(message.sender, "node/1") == 0)
        note(&stage->heard, &message);
    arena_done(&arena);
    bytes->release(bytes);
}

void stage_open(struct stage *stage, const struct scene *scene, bool is_durable)
{
    struct qn_error error = {0};
    const struct subject events = subject_event_all(STAGE_CLUSTER);
    const struct subject reports = subject_report_all(STAGE_CLUSTER);

    *stage = (struct stage){
        .scene = scene, .is_durable = is_durable, .mapped_bytes_before = fault_held().mapped_bytes};
    ports_begin(pass, stage);
    CHECK(ports_open_bus(FAULT_PARTY_NOBODY, &stage->ear, &error) == QN_STATUS_OK);
    CHECK(stage->ear.ops->subscribe(stage->ear.self, events.text, on_heard, stage, &error) ==
          QN_STATUS_OK);
    CHECK(stage->ear.ops->subscribe(stage->ear.self, reports.text, on_heard, stage, &error) ==
          QN_STATUS_OK);
}

void stage_close(struct stage *stage)
{
    stage_close_client(stage);
    stage_close_coordinator(stage);
    stage_close_node(stage, 0);
    stage_close_node(stage, 1);
    stage->ear.ops->close(stage->ear.self);
}

/* ---- who runs -------------------------------------------------------------------------------- */

enum qn_status stage_open_node(struct stage *stage, int number, struct qn_error *error)
{
    enum fault_party party = number == 0 ? FAULT_PARTY_AGENT : FAULT_PARTY_NOBODY;
    struct stage_node *node = &stage->nodes[number];
    struct agent_options options = {
        .node_id = number + 1,
        .cluster = STAGE_CLUSTER,
        .state_dir = stage->scene->node_folders[number],
        .budget_bytes = BUDGET_BYTES,
        .release_grace_ms = 50,
        .numa_count = 1,
        .files = files_posix(),
        .clock = ports_clock(),
        .executor = executor_inline(),
    };

    CHECK(ports_open_bus(party, &node->bus, error) == QN_STATUS_OK);
    options.transport = node->bus;
    enum fault_party before = fault_enter(party);
    enum qn_status status = agent_open(&options, &node->agent, error);
    (void)fault_enter(before);
    if (status == QN_STATUS_OK)
        return status;
    struct agent *half = node->agent;
    node->agent = NULL; /* it may only be closed, and until then the bus reaches it */
    (void)stage_run(stage, stage_never, 1200);
    node->agent = half;
    stage_close_node(stage, number);
    return status;
}

void stage_close_node(struct stage *stage, int number)
{
    struct stage_node *node = &stage->nodes[number];

    if (node->bus.ops == NULL)
        return;
    node->bus.ops->close(node->bus.self);
    agent_close(node->agent);
    *node = (struct stage_node){0};
}

static uint64_t wall_ms(void *owner)
{
    (void)owner;
    return UINT64_C(1700000000000) + ports_now_us() / 1000;
}

static enum qn_status read_manifest(void *owner, const char *folder, struct manifest **ret_manifest,
                                    struct qn_error *error)
{
    (void)owner;
    return manifest_read(folder, ret_manifest, error);
}

static enum qn_status open_state(struct stage *stage, struct qn_error *error)
{
    struct state real = ports_forgetful_state();

    if (stage->is_durable) {
        enum qn_status status = state_sqlite_open(stage->scene->state_path, &real, error);
        if (status != QN_STATUS_OK)
            return status;
    }
    stage->state = ports_state(real);
    stage->has_state = true;
    return QN_STATUS_OK;
}

static enum qn_status open_coordinator(struct stage *stage, struct qn_error *error)
{
    struct coordinator_options options = {
        .cluster = STAGE_CLUSTER,
        .boot = ports_now_us(),
        .overlap_ms = OVERLAP_MS,
        .transport = stage->coordinator_bus,
        .clock = ports_clock(),
        .wall_ms = wall_ms,
        .read_manifest = read_manifest,
    };
    enum qn_status status = open_state(stage, error);

    if (status != QN_STATUS_OK)
        return status;
    options.state = stage->state;
    return coordinator_open(&options, &stage->coordinator, error);
}

enum qn_status stage_open_coordinator(struct stage *stage, struct qn_error *error)
{
    CHECK(ports_open_bus(FAULT_PARTY_COORDINATOR, &stage->coordinator_bus, error) == QN_STATUS_OK);
    enum fault_party before = fault_enter(FAULT_PARTY_COORDINATOR);
    enum qn_status status = open_coordinator(stage, error);
    (void)fault_enter(before);
    if (status == QN_STATUS_OK)
        return status;
    struct coordinator *half = stage->coordinator;
    stage->coordinator = NULL; /* as with a node */
    (void)stage_run(stage, stage_never, 1200);
    stage->coordinator = half;
    stage_close_coordinator(stage);
    return status;
}

void stage_close_coordinator(struct stage *stage)
{
    if (stage->coordinator_bus.ops != NULL)
        stage->coordinator_bus.ops->close(stage->coordinator_bus.self);
    coordinator_close(stage->coordinator);
    if (stage->has_state)
        stage->state.ops->close(stage->state.self);
    stage->coordinator_bus = (struct transport){0};
    stage->coordinator = NULL;
    stage->has_state = false;
}

enum qn_status stage_open_client(struct stage *stage, struct qn_error *error)
{
    const struct qn_client_options options = {.url = "inproc://sweep", .cluster = STAGE_CLUSTER};
    enum fault_party before = fault_enter(FAULT_PARTY_CLIENT);
    enum qn_status status = qn_client_open(&options, &stage->client, error);

    (void)fault_enter(before);
    return status;
}

void stage_close_client(struct stage *stage)
{
    qn_client_close(stage->client);
    stage->client = NULL;
}

static void open_all(struct stage *stage, int first_node)
{
    struct qn_error error = {0};

    for (int i = first_node; i < 2; i++)
        CHECK(stage_open_node(stage, i, &error) == QN_STATUS_OK);
    CHECK(stage_open_coordinator(stage, &error) == QN_STATUS_OK);
    CHECK(stage_open_client(stage, &error) == QN_STATUS_OK);
    (void)stage_run(stage, stage_never, 1500);
}

void stage_open_others(struct stage *stage)
{
    open_all(stage, 1);
}

void stage_open_all(struct stage *stage)
{
    open_all(stage, 0);
}
