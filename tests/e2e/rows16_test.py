#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Segments whose rows are half floats: built, told, searched like the same rows as floats, refused
by row where a half cannot hold a value; and loaded by a cluster, each byte of them admitted."""
import json
import math
import pathlib
import random
import struct
import subprocess
import tempfile

from harness import BIN, SLOW, Cluster, check, run

ROWS, DIM, QUERIES, K = 3_000 if SLOW else 6_000, 30, 40, 10


def qseg(*arguments, code=0):
    done = subprocess.run([BIN / "qseg", *map(str, arguments)], capture_output=True, text=True,
                          timeout=300)
    check(done.returncode == code,
          f"qseg {arguments[0]} ends with {done.returncode}: {done.stderr.strip()[-150:]}")
    return json.loads(done.stdout) if done.stdout.startswith(("[", "{")) else done


def search(path, folder, truth=None, *more):
    told = qseg("search", path, "--query", folder / "query.fbin", "--k", K, "--json",
                *(("--truth", truth) if truth else ()), *more)
    return told["results"], told.get("recall")


def make_vectors(folder):
    """base.fbin around centres, the same rounded by Python as half.f16bin, and query.fbin."""
    rnd = random.Random(5)
    centres = [[rnd.gauss(0, 1) for _ in range(DIM)] for _ in range(20)]
    for name, count in (("base", ROWS), ("query", QUERIES)):
        values = [c + 0.4 * rnd.gauss(0, 1) for _ in range(count) for c in rnd.choice(centres)]
        values = struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f", *values))
        head = struct.pack("<II", count, DIM)
        (folder / f"{name}.fbin").write_bytes(head + struct.pack(f"<{len(values)}f", *values))
        if name == "base":
            (folder / "half.f16bin").write_bytes(head + struct.pack(f"<{len(values)}e", *values))


def searches_have_the_bits_of_rounded_floats():
    """By every metric and index: exactly as flat float rows of the same values."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_vectors(folder)
        for metric in ("l2", "ip", "cosine"):
            qseg("truth", "--base", folder / "base.fbin", "--query", folder / "query.fbin",
                 "--metric", metric, "--k", K, "--out", folder / "truth.ibin")
            qseg("build", "--input", folder / "half.f16bin", "--metric", metric, "--out",
                 folder / "flat.qseg")
            flat, _ = search(folder / "flat.qseg", folder)
            for index in ("ivf", "graph"):
                path = folder / f"{index}.qseg"
                qseg("build", "--input", folder / "base.fbin", "--metric", metric, "--index", index,
                     "--row-bits", 16, "--out", path)
                qseg("verify", path)
                told, = qseg("inspect", path, "--json")
                rows = [s for s in told["sections"] if s["name"] == "rows16"]
                check(told["row_bits"] == 16 and rows[0]["bytes"] == ROWS * DIM * 2,
                      f"{metric} {index}: its rows have 16 bits a value")
                exact, recall = search(path, folder, folder / "truth.ibin", "--recall", 1)
                check(recall >= 0.98, f"exact on rounded rows: {recall:.3f} of the true ones")
                if metric != "cosine":  # whose rows are rounded after they are normalised
                    check(exact == flat, "and to the bit what flat rows of these values give")
                _, recall = search(path, folder, folder / "truth.ibin", "--recall", 0.9)
                check(recall >= 0.85, f"wanted 0.9, found {recall:.3f}")


def flat_rows_stay_floats_and_say_so():
    """What auto makes of a few rows is flat: no index, no halves."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_vectors(folder)
        few = folder / "few.fbin"
        few.write_bytes(struct.pack("<II", 100, DIM) +
                        (folder / "base.fbin").read_bytes()[8:8 + 100 * DIM * 4])
        build = ("build", "--input", few, "--metric", "l2", "--index", "auto", "--row-bits", 16,
                 "--out", folder / "few.qseg")
        check("flat (32-bit rows)" in qseg(*build).stdout, "the line says that they are no halves")
        check(qseg(*build, "--json")[0]["row_bits"] == 32, "and so does its JSON")


def values_that_no_half_can_hold_are_refused():
    """By the input's row and value; nothing is left behind."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_vectors(folder)
        good = (folder / "base.fbin").read_bytes()
        for value, words in ((65505.0, "row 2017: value 3 is 65505, beyond the range of half floats"),
                             (-1e30, "row 2017: value 3 is -1.0000000"),
                             (math.nan, "row 2017: value 3 is NaN"),
                             (-math.inf, "row 2017: value 3 is infinite")):
            data = bytearray(good)
            struct.pack_into("<f", data, 8 + 4 * (DIM * 2017 + 3), value)
            (folder / "bad.fbin").write_bytes(data)
            done = qseg("build", "--input", folder / "bad.fbin", "--metric", "l2", "--index", "ivf",
                        "--row-bits", 16, "--out", folder / "bad.qseg", code=1)
            check(f"bad.fbin: {words}" in done.stderr, words)
            check(not list(folder.glob("bad.qseg*")), "no file is left")
        data = bytearray(good)
        struct.pack_into("<f", data, 8 + 4 * (DIM * 2017 + 3), -65504.0)
        (folder / "bad.fbin").write_bytes(data)
        qseg("build", "--input", folder / "bad.fbin", "--metric", "l2", "--index", "ivf",
             "--row-bits", 16, "--out", folder / "good.qseg")
        for wrong in (["--index", "ivf", "--row-bits", 8], ["--row-bits", 16]):
            done = qseg("build", "--input", folder / "base.fbin", "--metric", "l2", *wrong, "--out",
                        folder / "bad.qseg", code=2)
            check("--row-bits" in done.stderr, done.stderr.strip())


def damage_is_named():
    """Flipped bytes in the rows, by verify and by search."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_vectors(folder)
        qseg("build", "--input", folder / "base.fbin", "--metric", "l2", "--index", "ivf",
             "--row-bits", 16, "--out", folder / "good.qseg")
        told, = qseg("inspect", folder / "good.qseg", "--json")
        section, = (s for s in told["sections"] if s["name"] == "rows16")
        rnd = random.Random(6)
        for at in (0, section["bytes"] - 1, *(rnd.randrange(section["bytes"]) for _ in range(5))):
            data = bytearray((folder / "good.qseg").read_bytes())
            data[section["offset"] + at] ^= 1 << rnd.randrange(8)
            (folder / "bad.qseg").write_bytes(data)
            for verb in (["verify"], ["search", "--query", folder / "query.fbin"]):
                done = qseg(verb[0], folder / "bad.qseg", *verb[1:], code=1)
                check("bad.qseg: section rows16: checksum" in done.stderr, f"byte {at}: {verb[0]}")


def a_cluster_serves_them():
    """Loaded, counted by their bytes, searched, moved: like any other."""
    with Cluster(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(ROWS, DIM, 3, index="graph", row_bits=16)
        told = qseg("inspect", folder, "--json")
        check(all(s["row_bits"] == 16 for s in told), "each segment's rows have 16 bits a value")
        cluster.load(folder, (1, 2))
        served = {s["segmentID"]: s["mem_size"] for s in cluster.segments()}
        check(served == {s["segment_id"]: s["resident_bytes"] for s in told},
              "memory is counted to the byte")
        one = cluster.search()
        check(one["verdict"] == "COMPLETE" and len(one["hits"][0]) == 5, "they are searched")
        cluster.ctl("load-balance", "--src", 1, "--dst", 2, "--wait")
        check(cluster.search()["hits"] == one["hits"], "and found the same after a move")


if __name__ == "__main__":
    run(searches_have_the_bits_of_rounded_floats, flat_rows_stay_floats_and_say_so,
        values_that_no_half_can_hold_are_refused, damage_is_named, a_cluster_serves_them)
