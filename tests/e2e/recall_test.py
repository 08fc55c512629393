#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wanted recall is reached by queries that are no rows, whatever the index, on rows that are easy
(clusters of few true dimensions) and hard (no clusters at all); and `auto` tells them apart."""
import json
import pathlib
import subprocess
import tempfile

from harness import BIN, SLOW, check

ROWS, QUERIES, K = 8_000 if SLOW else 20_000, 300 if SLOW else 1_000, 10
SETS = {"easy": ("clustered", 64, "l2"), "hard": ("uniform", 36, "cosine")}
WANTED = (0.90, 0.95, 0.99)
# 0.01 is promised. The hits of a query stand and fall together: the mean of 1,000 queries, and that of
# the 600 rows that the calibration asked with, are each off by some 0.003 (0.005 of 300 queries).
MARGIN = 0.01 + (0.014 if SLOW else 0.008)


def qseg(*arguments):
    done = subprocess.run([BIN / "qseg", *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          check=False)
    check(done.returncode == 0, f"qseg {arguments[0]}: {done.stderr.strip()[-150:] or 'ok'}")
    return done.stdout


def make(folder, kind, dim, metric):
    for name, count, stream in (("base", ROWS, 0), ("query", QUERIES, 1)):
        qseg("generate", "--kind", kind, "--rows", count, "--dim", dim, "--clusters", 200, "--stream",
             stream, "--out", folder / f"{name}.fbin")
    qseg("truth", "--base", folder / "base.fbin", "--query", folder / "query.fbin", "--metric", metric,
         "--k", K, "--out", folder / "truth.ibin")


def build(folder, metric, index):
    told = json.loads(qseg("build", "--input", folder / "base.fbin", "--metric", metric, "--index", index,
                           "--json", "--out", folder / f"{index}.qseg"))
    return told[0]["index"]


def reached(folder, index, wanted):
    told = json.loads(qseg("search", folder / f"{index}.qseg", "--query", folder / "query.fbin", "--k", K,
                           "--recall", wanted, "--truth", folder / "truth.ibin", "--no-hits", "--batch",
                           QUERIES, "--json"))
    return told["recall"]


def main():
    for name, (kind, dim, metric) in SETS.items():
        with tempfile.TemporaryDirectory() as work:
            folder = pathlib.Path(work)
            make(folder, kind, dim, metric)
            chosen = build(folder, metric, "auto")
            check(chosen == {"easy": "graph", "hard": "ivf"}[name], f"{name}: auto builds {chosen}")
            for index in ("ivf", "graph"):
                check(build(folder, metric, index) == index, f"{name}: {index} is built when asked for")
                for wanted in WANTED:
                    found = reached(folder, index, wanted)
                    check(found >= wanted - MARGIN,
                          f"{name}: {index}: wanted {wanted:.2f}, reached {found:.4f}")


main()
