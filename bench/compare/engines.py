# SPDX-License-Identifier: Apache-2.0
"""Every engine: version() and parameters(data) name what its build depends on; build(data, path) makes
its index there with two threads and returns seconds; open(data, path) loads it; settings() go from coarse
to fine; search(setting) asks all queries with one thread: (keys [queries, K], CPU seconds); memory() in
bytes. Ours are a table below; the others are in peers.py."""
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import time

import numpy

from peers import ASKS, EFS, PEERS
from sets import K

BIN = "build/release/bin"
PROMISED = (0.9, 0.95, 0.99)
RECALLS = [("--recall", str(r)) for r in (0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998)]


def lists(*refines):
    """Settings of ivf: lists to look at, candidates to compute exactly."""
    return [("--nprobe", str(n), "--refine", str(r))
            for n in (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384) for r in refines]


def walks(*refines):
    """Settings of graph: rows that its walk keeps, candidates to compute exactly."""
    return [("--ef", str(ef), "--refine", str(r)) for ef in EFS for r in refines if r <= max(ef, min(refines))]


# name, what qseg build is told, what qseg search is asked beside wanted recalls. What this qseg does not
# know, the table is without.
OURS = [
    ("qnode-ivf4", ("--index", "ivf", "--code-bits", "4"), lists(25, 40, 100)),
    ("qnode-ivf8", ("--index", "ivf", "--code-bits", "8"), lists(20, 40)),
    ("qnode-graph", ("--index", "graph"), walks(10, 20, 40)),
    ("qnode-auto", ("--index", "auto"), lists(25, 40, 100) + walks(10, 20, 40)),
    ("qnode-auto16", ("--index", "auto", "--row-bits", "16"), lists(25, 40, 100) + walks(10, 20, 40)),
]


@functools.cache
def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:16]


def qseg(verb, *arguments):
    """Its answer as text; RuntimeError with its last line if it fails."""
    told = subprocess.run([f"{BIN}/qseg", verb, *map(str, arguments)], check=False, text=True, capture_output=True)
    if told.returncode != 0:
        raise RuntimeError(told.stderr.strip().splitlines()[0] if told.stderr else f"qseg: {told.returncode}")
    return told.stdout


class Qnode:
    """In a process of its own, which says its thread's CPU time itself."""

    def __init__(self, name, build, sweep):
        self.name, self.told, self.sweep = name, build, sweep

    def version(self):
        return digest(f"{BIN}/qseg")

    def parameters(self, _data):
        return " ".join(self.told)

    def build(self, data, path):
        before, began = os.times(), time.monotonic()
        qseg("build", "--input", data.base, "--metric", data.metric, "--threads", 2, *self.told, "--out", path)
        wall, after = time.monotonic() - began, os.times()
        return wall, sum(after[2:4]) - sum(before[2:4])

    def open(self, data, path):
        self.data, self.path = data, path
        self.bytes = json.loads(qseg("inspect", "--json", path))[0]["resident_bytes"]

    def settings(self):
        return RECALLS + self.sweep

    def search(self, setting):
        told = json.loads(qseg("search", self.path, "--query", self.data.query, "--k", K, *setting, "--batch",
                               len(self.data.queries), "--passes", ASKS, "--json"))
        keys = numpy.full((len(self.data.queries), K), -1)
        for row, result in enumerate(told["results"]):
            found = [hit["primary_key"] for hit in result["hits"]]
            keys[row, :len(found)] = found
        return keys, told["cpu_seconds"]

    def memory(self):
        return self.bytes


ENGINES = [Qnode(*row) for row in OURS] + PEERS
