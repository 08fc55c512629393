# SPDX-License-Identifier: Apache-2.0
"""A real cluster for end-to-end tests: nats-server, qcoordd, qnoded and their tools as processes.

Every test is a script `NAME_test.py [BIN_DIR]` (build/release/bin if none is named) that uses Cluster as a context manager, checks with
check(), and ends with `N passed, 0 failed`.
"""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bus import NatsBus

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(sys.argv[1]).resolve() if sys.argv[1:] and sys.argv[1][0] != "-" \
    else HERE.parents[1] / "build/release/bin"
# A sanitizer build is slower: sizes shrink and patience grows.
SLOW = any(word in str(BIN) for word in ("asan", "tsan"))
checks = 0


def check(condition, text):
    global checks
    if not condition:
        raise AssertionError(text)
    checks += 1
    print(f"  ok: {text}", flush=True)


def wait_for(what, condition, seconds, pause=0.02):
    """Looks every `pause` seconds until condition() is true; returns what it said."""
    until = time.monotonic() + seconds * (4 if SLOW else 1)
    while time.monotonic() < until:
        answer = condition()
        if answer:
            return answer
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds} s")


def die_with_parent():
    ctypes.CDLL("libc.so.6").prctl(1, signal.SIGKILL)


class Cluster:
    def __init__(self, nodes=(1, 2, 3), budget="2G", bus=NatsBus):
        self.nodes, self.budget, self.bus = nodes, budget, bus(self)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="qnode-e2e-"))
        self.processes = {}

    def __enter__(self):
        try:
            self.start_bus()
            self.start_coordinator()
            for node in self.nodes:
                self.start_node(node)
            wait_for("all nodes report", lambda: len(self.live_nodes()) == len(self.nodes), 15)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, traceback):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        if kind is not None:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}\n" + "\n".join(log.read_text().split("\n")[-25:]))
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, name, *arguments):
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([str(a) for a in arguments], stdout=log, stderr=log,
                                                preexec_fn=die_with_parent)
        return self.processes[name]

    def start_bus(self):
        self.bus.start()
        self.url = self.bus.url

    def start_coordinator(self):
        self.spawn("qcoordd", BIN / "qcoordd", "--bus", self.url, "--cluster", "e2e", "--state",
                   self.folder / "coord.db")

    def start_node(self, node, *more):
        self.spawn(f"node{node}", BIN / "qnoded", "--bus", self.url, "--cluster", "e2e",
                   "--node-id", node, "--state-dir", self.folder / f"state{node}",
                   "--memory-budget", self.budget, *more)

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def alive(self, name):
        return self.processes[name].poll() is None

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def ctl(self, *arguments, code=0):
        """qnodectl -o json; code None: any exit code, and None for what is no JSON."""
        done = subprocess.run([str(BIN / "qnodectl"), "--bus", self.url, "--cluster", "e2e", "-o",
                               "json", *[str(a) for a in arguments]],
                              capture_output=True, text=True, timeout=120)
        if code is not None and done.returncode != code:
            raise AssertionError(f"qnodectl {arguments}: exit {done.returncode}: "
                                 f"{done.stdout}{done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return None

    def tool(self, name, *arguments, code=0):
        done = subprocess.run([str(BIN / name), *[str(a) for a in arguments]], capture_output=True,
                              text=True, timeout=300)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{name} {arguments}: exit {done.returncode}: "
                                 f"{done.stdout}{done.stderr}")
        return done

    def rows(self, name, *arguments, **options):
        answer = self.ctl(*arguments, **options)
        if isinstance(answer, dict):
            answer = answer.get(name)
        return answer or []

    def live_nodes(self):
        return [n for n in self.rows("nodes", "nodes", code=None) if n["state"] == "up"]

    def segments(self):
        return self.rows("segments", "segments", code=None)

    def moves(self):
        return self.rows("moves", "moves", code=None)

    def make_collection(self, rows, dim, segments, collection=7, index="flat", row_bits=32):
        """Vectors, a collection folder of that many segments, and queries; returns the folder."""
        base, out = self.folder / "base.fbin", self.folder / "things"
        self.tool("qseg", "generate", "--kind", "clustered", "--rows", rows, "--dim", dim,
                  "--seed", 1, "--out", base)
        self.tool("qseg", "generate", "--kind", "clustered", "--rows", 50, "--dim", dim, "--seed", 2,
                  "--out", self.folder / "query.fbin")
        self.tool("qseg", "build", "--input", base, "--metric", "l2", "--index", index,
                  "--row-bits", row_bits, "--collection", collection, "--rows-per-segment", (rows + segments - 1) // segments,
                  "--name", "things", "--out-dir", out)
        self.collection = collection
        return out

    def load(self, folder, nodes):
        self.ctl("collections", "load", folder, "--nodes", ",".join(map(str, nodes)), "--wait")

    def search(self, code=0):
        return self.ctl("search", "--collection", self.collection, "--query",
                        self.folder / "query.fbin", "--k", 5, "--limit-queries", 1, code=code)

    def searches(self, *more, clients=2):
        """Clients that search without pause until .done(), which returns the totals; more: options
        of qnode-bench search."""
        return Searches(self, clients, more)


class Searches:
    def __init__(self, cluster, clients, more):
        self.process = subprocess.Popen(
            [str(BIN / "qnode-bench"), "search", "--bus", cluster.url, "--cluster", "e2e",
             "--collection", str(cluster.collection), "--query", str(cluster.folder / "query.fbin"),
             "--clients", str(clients), "--seconds", "300", "--k", "5", "--json", *map(str, more)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

    def done(self):
        self.process.send_signal(signal.SIGINT)
        out, errors = self.process.communicate(timeout=300)
        try:
            return json.loads(out)["with_warm_up"]
        except (ValueError, KeyError):
            raise AssertionError(f"qnode-bench: exit {self.process.returncode}: {out}{errors}")


def run(*tests):
    """Runs the tests one after the other; ends the process."""
    failed = 0
    for test in tests:
        print(f"{test.__name__}: {test.__doc__}", flush=True)
        try:
            test()
        except (AssertionError, subprocess.TimeoutExpired, OSError, KeyError) as trouble:
            failed += 1
            print(f"  FAILED: {type(trouble).__name__}: {trouble}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed ({checks} checks)")
    sys.exit(1 if failed else 0)
