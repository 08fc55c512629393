#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The bus server dies at random, and at every step of a hand-off, under searches and hand-offs.

usage: outage_test.py [BIN_DIR] [--kills N] [--seed S] [--clients N]
                      [--bus nats|jetstream|kafka] [--only random|steps|mute]

All times are counted from the moment the server's port answers again. kafka is a real Apache Kafka
broker: exit 77 if it cannot run here (tests/contract/kafka_broker).
"""
import argparse
import collections
import json
import random
import signal
import subprocess
import sys
import threading
import time

import bus
from harness import BIN, Cluster, SLOW, check, die_with_parent, run, wait_for

BUSES = {"nats": bus.NatsBus, "jetstream": bus.JetStreamBus, "kafka": bus.KafkaBus}
ROWS, DIM, SEGMENTS, K = 6_000, 32, 6, 10
DEADLINE_MS, SLACK_MS = 2000, 500
CONVERGES_S = 10
CTL_MAX_S = 25  # no call of qnodectl may take longer, whatever the bus does
MEMORY_SLACK_KB = 64 << 10


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", nargs="?", default=str(BIN))
    parser.add_argument("--kills", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--clients", type=int, default=8 if SLOW else 24)
    parser.add_argument("--bus", choices=list(BUSES), default="nats")
    parser.add_argument("--only", choices=("random", "steps", "mute"))
    arguments = parser.parse_args()
    if arguments.kills is None:
        arguments.kills = 2 if arguments.bus == "kafka" else 3  # a broker takes seconds to start
    return arguments


def factor():
    return 4 if SLOW else 1


class Probe:
    """qnode-bench probe: clients with a connection each that search and compare without end."""

    def __init__(self, cluster, clients, deadline_ms):
        self.process = subprocess.Popen(
            [str(BIN / "qnode-bench"), "probe", "--bus", cluster.url, "--cluster", "e2e",
             "--collection", str(cluster.collection), "--query", str(cluster.folder / "query.fbin"),
             "--base", str(cluster.folder / "base.fbin"), "--clients", str(clients),
             "--connections", str(clients), "--pause-ms", "60", "--k", str(K), "--deadline-ms",
             str(deadline_ms)], stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        cluster.processes["probe"] = self.process
        self.rows = []  # (began, took, verdict, status), seconds by time.monotonic
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            began, took, verdict, status, _ = line.split()
            self.rows.append((int(began) / 1e6, int(took) / 1e6, verdict, status))

    def clean_since(self, moment):
        """The seconds after `moment` from which on all searches were complete; None: none yet."""
        rows = [row for row in self.rows[-20000:] if row[0] >= moment]
        bad = [row[0] for row in rows if row[2] != "COMPLETE"]
        good = [row[0] for row in rows if row[2] == "COMPLETE" and (not bad or row[0] > bad[-1])]
        return good[0] - moment if good else None

    def done(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.thread.join(10)
        return self.process.returncode


class Mover(threading.Thread):
    """Orders hand-offs back and forth as fast as they finish; a bus that is away may refuse it."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.stopping = cluster, threading.Event()
        self.codes, self.longest, self.ordered, self.trouble = collections.Counter(), 0, 0, None

    def run(self):
        order = list(self.cluster.nodes)
        try:
            while not self.stopping.is_set():
                self.once(order)
        except BaseException as trouble:  # told by the main thread
            self.trouble = trouble

    def once(self, order):
        began = time.monotonic()
        done = subprocess.run(
            [str(BIN / "qnodectl"), "--bus", self.cluster.url, "--cluster", "e2e", "load-balance",
             "--src", str(order[0]), "--dst", str(order[1]), "--wait", "--timeout-s", "8"],
            capture_output=True, text=True, timeout=CTL_MAX_S * factor())
        self.longest = max(self.longest, time.monotonic() - began)
        self.codes[done.returncode] += 1
        if done.returncode == 0:
            self.ordered += 1
        order.append(order.pop(0))
        self.stopping.wait(0.05)

    def done(self):
        self.stopping.set()
        self.join(60)
        if self.trouble is not None:
            raise AssertionError(f"a hand-off's order: {self.trouble}")


def memory_kb(cluster):
    """RssAnon of each process that must not grow; the nodes together (segments move)."""
    kb = collections.Counter()
    for name, process in cluster.processes.items():
        if name == cluster.bus.process_name:
            continue
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon"):
                    kb["nodes" if name.startswith("node") else name] += int(line.split()[1])
    return kb


def whole(cluster, everything):
    """All segments are served, each once, by nodes that have reported lately."""
    rows = cluster.segments()
    return sorted(s["segmentID"] for s in rows) == everything and \
        all(s["copyState"] == "serving" for s in rows)


def served(cluster, everything):
    """Each segment has a serving copy, and all nodes are heard of."""
    rows = cluster.rows("segments", "segments", code=None)
    return {s["segmentID"] for s in rows if s["copyState"] == "serving"} == set(everything) and \
        len(cluster.live_nodes()) == len(cluster.nodes)


def open_moves(cluster):
    return {m["moveID"] for m in cluster.moves() if m["phase"] not in ("done", "failed")}


def converge(cluster, probe, everything, back):
    """Waits for it all; {what: seconds after the server's return}."""
    took, limit = {}, back + CONVERGES_S * factor()
    moves = None
    while len(took) < 3:
        now = time.monotonic()
        if any(row[2] == "WRONG" for row in probe.rows[-1000:]):
            raise AssertionError("an answer that calls itself COMPLETE is wrong")
        if now > limit:
            print_searches(probe)
            raise AssertionError(f"not converged {CONVERGES_S} s after the return: only {took}")
        if "view" not in took and served(cluster, everything):
            took["view"] = time.monotonic() - back
        if "view" in took and moves is None:
            moves = open_moves(cluster)  # those of the outage, and perhaps a new one
        if moves is not None and "moves" not in took and not moves & open_moves(cluster):
            took["moves"] = time.monotonic() - back
        clean = probe.clean_since(back)
        if clean is not None and now - back - clean > 1:
            took["searches"] = clean
        time.sleep(0.02)
    return took


def reconnects(cluster, lasting, back_wall):
    """{name: [ms after the server's return]} of those who stay."""
    began = collections.defaultdict(list)
    for name, moment in cluster.bus.connections():
        if name in lasting:
            began[name].append((moment - back_wall) * 1000)
    return began


def spread(cluster, lasting, back_wall):
    """How they came back: [ms after the return], sorted. Each is there in time, and came once."""
    left = max(back_wall + CONVERGES_S - time.time(), 0.1)
    wait_for("every connection is back",
             lambda: len(reconnects(cluster, lasting, back_wall)) == len(lasting), left)
    began = reconnects(cluster, lasting, back_wall)
    twice = {name: times for name, times in began.items() if len(times) > 1}
    if twice:
        raise AssertionError(f"came back more than once: {twice}")
    return sorted(times[0] for times in began.values())


def busiest(times, width_ms):
    """The most connections that began within any width_ms."""
    return max(sum(1 for t in times if start <= t < start + width_ms) for start in times)


def table(title, rows):
    print(f"  {title}")
    for name, count in rows:
        print(f"    {name:<42} {count:>8}")


def print_searches(probe):
    counts = collections.Counter(f"{verdict} {status}" for _, _, verdict, status in probe.rows)
    table("searches by verdict and status", sorted(counts.items()))
    return counts


def check_searches(probe, deadline_ms=DEADLINE_MS):
    counts = print_searches(probe)
    wrong = [row for row in probe.rows if row[2] == "WRONG"]
    check(not wrong, f"{counts['COMPLETE OK']} complete answers, each equal to brute force")
    longest = max(row[1] for row in probe.rows) * 1000
    check(longest <= deadline_ms + SLACK_MS * factor(),
          f"no search outlived its deadline of {deadline_ms} ms: the longest took {longest:.0f} ms")
    unclear = [row for row in probe.rows if row[2] in ("PARTIAL", "UNKNOWN", "FAILED")
               and row[3] == "OK"]
    check(not unclear, "each search that was not complete says why")


def check_end(cluster, everything, before):
    wait_for("one serving copy of each segment, and no more",
             lambda: not open_moves(cluster) and whole(cluster, everything), 15)
    check(True, f"{len(everything)} segments, one serving copy each, no orphan")
    held = wait_for("the nodes report as many copies",
                    lambda: sum(n["segments"] for n in cluster.live_nodes()) == len(everything), 10)
    check(held, "the nodes themselves hold as many copies")
    dead = [name for name in cluster.processes if not cluster.alive(name)]
    check(not dead, "every process is alive")
    after = memory_kb(cluster)
    grown = {name: after[name] - before[name] for name in after}
    check(all(kb <= MEMORY_SLACK_KB * factor() for kb in grown.values()),
          "memory stayed: " + ", ".join(f"{name} {before[name] >> 10} -> {after[name] >> 10} MiB"
                                        for name in sorted(after)))


def set_up(cluster, clients, deadline_ms=DEADLINE_MS):
    """The loaded collection, its segments' ids, and a probe that runs."""
    folder = cluster.make_collection(ROWS, DIM, SEGMENTS)
    cluster.load(folder, cluster.nodes)
    everything = sorted(s["segmentID"] for s in cluster.segments())
    check(len(everything) == SEGMENTS, f"{SEGMENTS} segments on {len(cluster.nodes)} nodes")
    probe = Probe(cluster, clients, deadline_ms)
    wait_for("all clients search", lambda: len(probe.rows) > 5 * clients, 20)
    return everything, probe


def one_kill(cluster, probe, everything, chance, lasting):
    time.sleep(chance.uniform(0.2, 2))
    cluster.bus.kill()
    killed = time.monotonic()
    time.sleep(chance.uniform(0.1, 3))
    cluster.start_bus()
    back, back_wall = time.monotonic(), time.time()
    took = converge(cluster, probe, everything, back)
    took["down"] = back - killed
    if cluster.bus.connections:
        took["times"] = spread(cluster, lasting, back_wall)
    return took


def print_kill(number, took):
    print(f"  kill {number:2}: down {took['down']:.2f} s; after its return: view "
          f"{took['view']:.2f} s, moves {took['moves']:.2f} s, searches {took['searches']:.2f} s",
          flush=True)
    if "times" in took:
        times = took["times"]
        print(f"    {len(times)} reconnects from {times[0]:.0f} to {times[-1]:.0f} ms, busiest "
              f"10 ms: {busiest(times, 10)}", flush=True)


def print_convergence(kills):
    for what in ("view", "moves", "searches"):
        values = sorted(took[what] for took in kills)
        print(f"  {what:<9} median {values[len(values) // 2]:.2f} s, max {values[-1]:.2f} s")


def server_killed_at_random(arguments):
    """Searches and hand-offs without pause, and the server killed again and again."""
    chance = random.Random(arguments.seed)
    with Cluster(bus=BUSES[arguments.bus]) as cluster:
        everything, probe = set_up(cluster, arguments.clients)
        lasting = {name for name, _ in cluster.bus.connections(("open",))} \
            if cluster.bus.connections else set()
        mover = Mover(cluster)
        mover.start()
        kills = []
        try:
            wait_for("hand-offs go on", lambda: mover.ordered > 0, 20)
            before = memory_kb(cluster)
            for number in range(1, arguments.kills + 1):
                kills.append(one_kill(cluster, probe, everything, chance, lasting))
                print_kill(number, kills[-1])
        finally:
            mover.stopping.set()
        mover.done()
        print_convergence(kills)
        check(len(kills) == arguments.kills,
              f"after each of {len(kills)} kills all was well within {CONVERGES_S} s")
        if cluster.bus.connections:
            check_spread(kills)
        else:
            print(f"  n/a on {arguments.bus}: how reconnects are spread: the server does not tell")
        check_end(cluster, everything, before)
        check(probe.done() == 0, "the clients lived through it all")
        check_searches(probe)
        table("orders of hand-offs by exit code of qnodectl", sorted(mover.codes.items()))
        check(mover.ordered > 0, f"{mover.ordered} orders were carried out to the end; the longest "
              f"call took {mover.longest:.1f} s")


def check_spread(kills):
    widths = sorted(took["times"][-1] - took["times"][0] for took in kills)
    most = max(busiest(took["times"], 10) for took in kills)
    count = len(kills[0]["times"])
    check(most < count, f"{count} connections came back once each, never all at once: spread over "
          f"{widths[0]:.0f} to {widths[-1]:.0f} ms, at most {most} within 10 ms")


# ---- every step of a hand-off --------------------------------------------------------------------

class Tap:
    """qnodectl tap: messages as they come, decoded; it lives through the outages, too."""
    KINDS = ("LoadSegments", "SealedSegmentsChangeInfo", "CopyStatusRequest", "CopyStatus",
             "NodeReport", "SegmentLoaded", "SegmentReleased", "Leaving", "CollectionView")

    def __init__(self, cluster):
        self.cluster, self.steps, self.heard, self.trouble = cluster, None, 0, None
        self.process = subprocess.Popen(
            [str(BIN / "qnodectl"), "--bus", cluster.url, "--cluster", "e2e", "-o", "json", "tap",
             "--kind", ",".join(self.KINDS)], stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)
        cluster.processes["tap"] = self.process
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.process.stdout:
                self.heard = time.monotonic()
                if self.steps is not None:
                    self.steps.on_message(json.loads(line))
            self.trouble = f"it ended with {self.process.wait()}"
        except BaseException as trouble:  # told by the main thread
            self.trouble = repr(trouble)

    def hears(self, since):
        if self.trouble is not None:
            raise AssertionError(f"the tap: {self.trouble}")
        return self.heard > since

    def watch(self, steps):
        """Every message from now on; waits until the tap hears the cluster."""
        now = time.monotonic()
        wait_for("the tap hears the nodes", lambda: self.hears(now), CONVERGES_S)
        self.steps = steps


class Steps:
    """Watches one move through a tap and kills the server right after a step of it."""

    NAMES = ("LoadSegments", "SegmentLoaded", "view with both copies", "view without the source",
             "change info", "Leaving", "CopyStatusRequest", "CopyStatus",
             "CopyStatusRequest, drained", "CopyStatus, drained", "SegmentReleased")

    def __init__(self, cluster, step):
        self.cluster, self.step, self.seen, self.killed = cluster, step, [], threading.Event()
        self.first_ask = None  # when the source was first asked, or answered: topics have no order

    def name_of(self, row):
        kind = row["kind"]
        if kind == "CollectionView":
            if row["copiesCount"] > row["segmentsCount"]:
                return "view with both copies"
            return "view without the source" if "view with both copies" in self.seen else None
        if kind == "SealedSegmentsChangeInfo":
            return "change info"
        if kind in ("CopyStatusRequest", "CopyStatus"):
            self.first_ask = self.first_ask or time.monotonic()
            if kind in self.seen and time.monotonic() - self.first_ask > 0.3:
                return kind + ", drained"
        return kind

    def on_message(self, row):
        name = self.name_of(row)
        if name not in self.NAMES or self.killed.is_set():
            return
        self.seen.append(name)
        if name == self.step:
            self.cluster.bus.kill()
            self.killed.set()


def one_step(cluster, probe, tap, everything, step, chance):
    row = max(cluster.segments(), key=lambda s: (s["nodeID"] == 1, s["segmentID"]))
    target = next(n for n in cluster.nodes if n != row["nodeID"])
    steps = Steps(cluster, step)
    tap.watch(steps)
    cluster.ctl("load-balance", "--src", row["nodeID"], "--dst", target, "--segments",
                row["segmentID"], code=None)
    if not steps.killed.wait(15 * factor()):
        raise AssertionError(f"{step}: did not come; seen {steps.seen}, tap: {tap.trouble}")
    time.sleep(chance.uniform(0.1, 1.5))
    cluster.start_bus()
    back = time.monotonic()
    converge(cluster, probe, everything, back)

    def done():
        return not open_moves(cluster) and whole(cluster, everything) and \
            [s for s in cluster.segments() if s["segmentID"] == row["segmentID"]]
    # A kill right after LoadSegments may leave the move to begin anew: from there it has as long.
    place = wait_for("the move ends", done, CONVERGES_S)[0]["nodeID"]
    check(place == target, f"{step:<26} killed as message {len(steps.seen):2} of the move, which "
          f"ended {time.monotonic() - back:.2f} s after the return, one copy of each")


def server_killed_after_every_step_of_a_hand_off(arguments):
    """Each step of a move in turn: the server dies right after its message; the move ends well."""
    chance = random.Random(arguments.seed)
    with Cluster(bus=BUSES[arguments.bus]) as cluster:
        everything, probe = set_up(cluster, 4)
        tap = Tap(cluster)
        before = memory_kb(cluster)
        for step in Steps.NAMES:
            one_step(cluster, probe, tap, everything, step, chance)
        check_end(cluster, everything, before)
        check(probe.done() == 0, "the clients lived through it all")
        check_searches(probe)


# ---- a port that takes connections and says nothing -----------------------------------------------

def mute_server_holds_nobody_past_the_deadline(arguments):
    """Where the server was, something accepts connections and is silent: a call ends in time."""
    with Cluster(nodes=(1, 2), bus=BUSES[arguments.bus]) as cluster:
        everything, probe = set_up(cluster, 8, deadline_ms=300)
        cluster.bus.kill()
        with cluster.bus.mute():
            time.sleep(5)
        cluster.start_bus()
        took = converge(cluster, probe, everything, time.monotonic())
        check(True, f"well {max(took.values()):.2f} s after the return of a real one")
        check(probe.done() == 0, "the clients lived through it all")
        check_searches(probe, deadline_ms=300)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    given = options()
    lacking = BUSES[given.bus].lacks()
    if given.bus == "kafka" and "tsan" in given.bin:
        lacking = "ThreadSanitizer knows no C11 threads, and librdkafka starts such"
    if lacking:
        print(f"SKIPPED: the outage of {given.bus}: {lacking}")
        sys.exit(77)
    print(f"seed {given.seed}")
    tests = {"random": server_killed_at_random,
             "steps": server_killed_after_every_step_of_a_hand_off,
             "mute": mute_server_holds_nobody_past_the_deadline}

    def bound(test):
        def call():
            test(given)
        call.__name__, call.__doc__ = test.__name__, test.__doc__
        return call
    run(*[bound(test) for name, test in tests.items() if given.only in (None, name)])
