/* SPDX-License-Identifier: Apache-2.0
 * Each world asks one question of C6. Bounds are as high as a walk of some seconds allows. */
#include "tests/sim/exhaustive/worlds.h"

#include "base/check.h"

#define EPOCH(version_)                                                                            \
    {                                                                                              \
        EXHAUST_TERM, version_                                                                     \
    }
#define RELEASE(to_, by_)                                                                          \
    .verb = EXHAUST_RELEASE, .to = to_, .epoch = EPOCH(1), .witnesses = {by_},                     \
    .witness_epoch = EPOCH(1)
#define LOAD(to_, version_) .verb = EXHAUST_LOAD, .to = to_, .epoch = EPOCH(version_)
#define FORCE(to_)          .verb = EXHAUST_FORCE, .to = to_, .epoch = EPOCH(1)

static const struct exhaust_world worlds[] = {
    {
        .name = "crossing",
        .about = "two nodes, each told twice to go, with the other as its witness",
        .nodes = 2,
        .commands = {{RELEASE(1, 2), .times = 2}, {RELEASE(2, 1), .times = 2}},
        .commands_count = 2,
        .losses = 1,
        .repeats = 1,
        .resends = 1,
    },
    {
        .name = "adopted",
        .about = "two crossing releases, and a newer load that calls one of them off",
        .nodes = 2,
        .commands = {{RELEASE(1, 2)},
                     {RELEASE(2, 1)},
                     {LOAD(1, 2)},
                     {.verb = EXHAUST_RELEASE,
                      .to = 1,
                      .epoch = EPOCH(2),
                      .witnesses = {2},
                      .witness_epoch = EPOCH(1)}},
        .commands_count = 4,
        .losses = 1,
        .repeats = 1,
        .resends = 1,
    },
    {
        .name = "reloaded",
        .about = "a copy goes, comes again at a newer epoch, and the other is told to go",
        .nodes = 2,
        .commands = {{RELEASE(1, 2)},
                     {LOAD(1, 2)},
                     {.verb = EXHAUST_RELEASE,
                      .to = 2,
                      .epoch = EPOCH(1),
                      .witnesses = {1},
                      .witness_epoch = EPOCH(2)},
                     {LOAD(2, 3)}},
        .commands_count = 4,
        .losses = 1,
        .repeats = 2,
        .resends = 1,
    },
    {
        .name = "restarted",
        .about = "a node is killed, loads again, and hears answers to its former self",
        .nodes = 2,
        .commands = {{RELEASE(1, 2)},
                     {LOAD(1, 2)},
                     {RELEASE(2, 1)},
                     {.verb = EXHAUST_RELEASE,
                      .to = 1,
                      .epoch = EPOCH(2),
                      .witnesses = {2},
                      .witness_epoch = EPOCH(1)}},
        .commands_count = 4,
        .repeats = 1,
        .restarts = 1,
    },
    {
        .name = "killed-twice",
        .about = "two kills, both nodes load again, and each is told to go",
        .nodes = 2,
        .commands = {{RELEASE(1, 2)},
                     {LOAD(1, 2)},
                     {LOAD(2, 2)},
                     {RELEASE(2, 1)},
                     {.verb = EXHAUST_RELEASE,
                      .to = 1,
                      .epoch = EPOCH(2),
                      .witnesses = {2},
                      .witness_epoch = EPOCH(1)}},
        .commands_count = 5,
        .restarts = 2,
    },
    {
        .name = "forced",
        .about = "one of two copies is forced away while the other asks it",
        .nodes = 2,
        .commands = {{RELEASE(1, 2), .times = 2}, {FORCE(2)}, {RELEASE(2, 1)}},
        .commands_count = 3,
        .losses = 1,
        .repeats = 1,
        .resends = 1,
    },
    {
        .name = "orphan",
        .about = "the witness holds an older copy than the one named; that is forced away",
        .nodes = 2,
        .commands = {{.verb = EXHAUST_RELEASE,
                      .to = 1,
                      .epoch = EPOCH(1),
                      .witnesses = {2},
                      .witness_epoch = EPOCH(2),
                      .times = 2},
                     {LOAD(2, 2)},
                     {FORCE(2), .orphan = true}},
        .commands_count = 3,
        .losses = 1,
        .repeats = 1,
        .resends = 1,
    },
    {
        .name = "stale",
        .about = "a coordinator of term 5 goes on commanding after one of term 6 took over",
        .nodes = 2,
        .commands = {{.verb = EXHAUST_LOAD, .to = 1, .term = 6, .epoch = {6, 1}},
                     {.verb = EXHAUST_RELEASE,
                      .to = 2,
                      .term = 6,
                      .epoch = EPOCH(1),
                      .witnesses = {1},
                      .witness_epoch = {6, 1}},
                     {RELEASE(1, 2)},
                     {.verb = EXHAUST_RELEASE,
                      .to = 1,
                      .epoch = {6, 1},
                      .witnesses = {2},
                      .witness_epoch = EPOCH(1)},
                     {.verb = EXHAUST_FORCE, .to = 1, .epoch = {6, 1}}},
        .commands_count = 5,
        .losses = 1,
        .repeats = 1,
        .resends = 1,
    },
    {
        .name = "ring",
        .about = "three nodes in a ring: the witness of 1 is 2, of 2 is 3, of 3 is 1",
        .nodes = 3,
        .commands = {{RELEASE(1, 2)}, {RELEASE(2, 3)}, {RELEASE(3, 1)}},
        .commands_count = 3,
        .losses = 1,
        .repeats = 1,
        .resends = 1,
    },
    {
        .name = "all",
        .about = "three nodes, each told to go with both others as witnesses",
        .nodes = 3,
        .commands = {{.verb = EXHAUST_RELEASE,
                      .to = 1,
                      .epoch = EPOCH(1),
                      .witnesses = {2, 3},
                      .witness_epoch = EPOCH(1)},
                     {.verb = EXHAUST_RELEASE,
                      .to = 2,
                      .epoch = EPOCH(1),
                      .witnesses = {1, 3},
                      .witness_epoch = EPOCH(1)},
                     {.verb = EXHAUST_RELEASE,
                      .to = 3,
                      .epoch = EPOCH(1),
                      .witnesses = {1, 2},
                      .witness_epoch = EPOCH(1)}},
        .commands_count = 3,
        .losses = 1,
    },
    {
        .name = "each",
        .about = "three nodes, told to go by one witness and then by another",
        .nodes = 3,
        .commands =
            {{RELEASE(1, 2)}, {RELEASE(1, 3)}, {RELEASE(2, 3)}, {RELEASE(2, 1)}, {RELEASE(3, 1)}},
        .commands_count = 5,
    },
    {
        .name = "ring-restarted",
        .about = "three nodes in a ring; one of them is killed",
        .nodes = 3,
        .commands = {{RELEASE(1, 2)}, {RELEASE(2, 3)}, {RELEASE(3, 1)}},
        .commands_count = 3,
        .repeats = 1,
        .restarts = 1,
    },
    {
        .name = "ring-forced",
        .about = "three nodes in a ring; one of them is forced away",
        .nodes = 3,
        .commands = {{RELEASE(1, 2)}, {RELEASE(2, 3)}, {RELEASE(3, 1)}, {FORCE(2)}},
        .commands_count = 4,
        .repeats = 1,
    },
};

size_t exhaust_worlds_count(void)
{
    return COUNT_OF(worlds);
}

const struct exhaust_world *exhaust_world_at(size_t index)
{
    CHECK(index < COUNT_OF(worlds));
    return &worlds[index];
}

struct segment_load_info exhaust_segment(struct qn_epoch epoch)
{
    return (struct segment_load_info){
        .segment_id = EXHAUST_SEGMENT,
        .collection_id = 100,
        .partition_id = 1,
        .replica = "r1",
        .path = "/data/s.qseg",
        .content_hash = {{EXHAUST_SEGMENT, 1}},
        .mem_size = 512,
        .num_rows = 10,
        .epoch = epoch,
        .state = QN_SEGMENT_SEALED,
    };
}
