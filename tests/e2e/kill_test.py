#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real processes killed with -9 at the worst moments of a move: no answer is lost or wrong."""
import os
import random
import sys
import threading
import time

from harness import Cluster, SLOW, check, run, wait_for

ROWS, DIM = (100_000, 128) if SLOW else (400_000, 128)


def held_by(cluster, node):
    return sorted(s["segmentID"] for s in cluster.segments() if s["nodeID"] == node)


def settled(cluster):
    moves = cluster.moves()
    return moves and all(m["phase"] in ("done", "failed") for m in moves)


def all_complete(searches, text):
    totals = searches.done()
    check(totals["searches"] > 0 and totals["complete"] == totals["searches"],
          f"{text}: {totals['searches']} searches, {totals['complete']} complete, "
          f"{totals['partial']} partial, {totals['failed']} failed, {totals['retried']} retried")


def target_killed_while_it_loads():
    """The empty third node is killed while it loads; the move waits for it and is finished."""
    with Cluster() as cluster:
        folder = cluster.make_collection(ROWS, DIM, 4)
        cluster.load(folder, (1, 2))
        searches = cluster.searches()
        order = threading.Thread(target=cluster.ctl, args=("load-balance", "--src", 1, "--dst", 3))
        order.start()
        wait_for("the target loads", lambda: " loading: " in cluster.log("node3"), 10, 0.0005)
        cluster.kill("node3")
        killed = time.monotonic()
        order.join()
        check(cluster.log("node3").count(" loaded: ") < 2, "killed while it loads")
        move = wait_for("the failed move is reported",
                        lambda: [m for m in cluster.moves() if m["reason"]], 10)[0]
        check(move["phase"] not in ("done",),
              f"{time.monotonic() - killed:.1f} s after the kill: {move['phase']}: {move['reason']}")
        cluster.start_node(3)
        wait_for("the move is finished", lambda: settled(cluster), 20)
        check(all(m["phase"] == "done" for m in cluster.moves()), "the moves are done")
        check(held_by(cluster, 1) == [] and len(held_by(cluster, 3)) == 2,
              "node 3 holds what node 1 held")
        all_complete(searches, "every search stayed complete")


def source_killed_at_the_last_change_info():
    """The source is killed at the moment of the last change info; all is on the others by then."""
    with Cluster() as cluster:
        folder = cluster.make_collection(ROWS // 4, DIM, 4)
        cluster.load(folder, (1, 2))
        searches = cluster.searches()
        cluster.ctl("load-balance", "--src", 1, "--dst", "2,3")
        wait_for("the last change info",
                 lambda: cluster.moves() and all(m["phase"] in ("releasing", "done")
                                                 for m in cluster.moves()), 20)
        cluster.kill("node1")
        check(True, "killed the source in " + ", ".join(m["phase"] for m in cluster.moves()))
        all_complete(searches, "every search stayed complete")
        cluster.start_node(1)
        wait_for("the moves end", lambda: settled(cluster), 20)
        check(all(m["phase"] == "done" for m in cluster.moves()), "the moves are done")


def any_other_kill_is_partial_and_says_so():
    """A node that holds the only copies dies: PARTIAL, with the names of what is missing."""
    with Cluster(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(20_000, 32, 4)
        cluster.load(folder, (1, 2))
        check(cluster.search()["verdict"] == "COMPLETE", "complete before")
        lost = held_by(cluster, 2)
        cluster.kill("node2")
        answer = cluster.search(code=1)
        missing = sorted(m["segmentID"] for m in answer["missing"])
        check(answer["verdict"] == "PARTIAL" and missing == lost,
              f"PARTIAL names {missing} (reason {answer['missing'][0]['reason']})")
        cluster.start_node(2)
        wait_for("complete again", lambda: (cluster.search(code=None) or {}).get("verdict") ==
                 "COMPLETE", 20)
        check(True, "complete again after the node's return")


def bus_killed_for_longer_than_a_node_may_be_silent():
    """The bus is away for 7 s: then nobody is taken for dead, and searches are complete in 10 s."""
    with Cluster(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(20_000, 32, 4)
        cluster.load(folder, (1, 2))
        cluster.kill("nats")
        time.sleep(7)
        cluster.start_bus()
        # Agents come back within some 2 s, each connection by itself.
        wait_for("searches are complete again",
                 lambda: (cluster.search(code=None) or {}).get("verdict") == "COMPLETE", 10)
        check(" silent for " not in cluster.log("qcoordd"), "no node was taken for dead")
        wait_for("all nodes report", lambda: len(cluster.live_nodes()) == 2, 10)


def coordinator_killed_at_any_point_of_a_move():
    """The coordinator is killed at random points; after its restart each move ends, nothing is lost."""
    seed = int(os.environ.get("QNODE_SEED", "1"))
    chance = random.Random(seed)
    with Cluster() as cluster:
        folder = cluster.make_collection(40_000, 64, 4)
        cluster.load(folder, (1, 2))
        everything = sorted(s["segmentID"] for s in cluster.segments())
        searches = cluster.searches()
        source, target = 1, 3
        for round_number in range(4 if SLOW else 8):
            cluster.ctl("load-balance", "--src", source, "--dst", target)
            # half of the kills fall into the first steps, which pass quickly
            time.sleep(chance.uniform(0, 0.1 if round_number % 2 else 2.2))
            phases = [m["phase"] for m in cluster.moves()][-2:]
            cluster.kill("qcoordd")
            cluster.start_coordinator()
            wait_for("the moves end", lambda: settled(cluster), 25)
            copies = wait_for("one serving copy of each",
                              lambda: (lambda rows: rows if
                                       sorted(s["segmentID"] for s in rows) == everything and
                                       all(s["copyState"] == "serving" for s in rows) else None)
                              (cluster.segments()), 15)
            check(all(s["nodeID"] != source for s in copies),
                  f"round {round_number}: killed in {phases}; one copy of each, none left behind")
            source, target = target, source
        all_complete(searches, "every search stayed complete")


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    run(target_killed_while_it_loads, source_killed_at_the_last_change_info,
        any_other_kill_is_partial_and_says_so,
        bus_killed_for_longer_than_a_node_may_be_silent,
        coordinator_killed_at_any_point_of_a_move)
