#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qseg on real files: 300 flipped bytes and 300 cuts, each found by `qseg verify`, which names the
# section; and the verbs together: build, truth, search. usage: qseg_corruption.sh BIN_DIR
set -euo pipefail

bin=${1:?usage: qseg_corruption.sh BIN_DIR}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$bin/qseg" "$work" <<'PY'
import json, pathlib, random, struct, subprocess, sys

qseg, work = sys.argv[1], pathlib.Path(sys.argv[2])
SEED, DAMAGES = 20240607, 300


def run(*arguments, code=0):
    done = subprocess.run([qseg, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, {done.stderr}"
    return done


run("generate", "--rows", 6000, "--dim", 100, "--seed", 3, "--out", work / "base.fbin")
run("generate", "--rows", 40, "--dim", 100, "--seed", 3, "--stream", 1, "--out", work / "query.fbin")

# The verbs agree: the flat search finds the truth, in one file and in a collection, per metric.
for metric in ("l2", "ip", "cosine"):
    one, folder, truth = work / f"{metric}.qseg", work / metric, work / f"{metric}.ibin"
    common = ["--input", work / "base.fbin", "--metric", metric]
    run("build", *common, "--segment", 9, "--out", one)
    run("build", *common, "--rows-per-segment", 1700, "--name", metric, "--out-dir", folder)
    run("truth", "--base", work / "base.fbin", "--query", work / "query.fbin", "--metric", metric,
        "--k", 20, "--out", truth)
    rows, k = struct.unpack("<II", truth.read_bytes()[:8])
    assert (rows, k) == (40, 20)
    told = []
    for target, batch in ((one, 1), (one, 7), (folder, 40)):
        done = run("search", target, "--query", work / "query.fbin", "--k", 20, "--batch", batch,
                   "--truth", truth, "--json")
        told.append(json.loads(done.stdout))
        assert told[-1]["recall"] == 1, told[-1]["recall"]
    assert told[0]["results"] == told[1]["results"] == told[2]["results"]
    inspected = json.loads(run("inspect", folder, "-o", "json").stdout)
    assert [i["rows"] for i in inspected] == [1700, 1700, 1700, 900]
    run("verify", folder)

good = (work / "l2.qseg").read_bytes()
sections = json.loads(run("inspect", work / "l2.qseg", "--json").stdout)[0]["sections"]
bad = work / "bad.qseg"


def section_at(offset):
    name = "header"
    for section in sections:
        if offset >= section["offset"]:
            name = section["name"]
    return name


def assert_found(data, name, what):
    bad.write_bytes(data)
    done = run("verify", bad, code=1)
    assert done.stderr.startswith(f"qseg: {bad}: section {name}: "), f"{what}: {done.stderr}"
    assert done.stdout == "", done.stdout


chosen = random.Random(SEED)
for number in range(DAMAGES):
    # A third in the header and the keys, which random places would seldom meet.
    end = sections[1]["offset"] if number % 3 == 0 else len(good)
    at = chosen.randrange(end)
    data = bytearray(good)
    data[at] ^= chosen.randrange(1, 256)
    assert_found(data, section_at(at), f"flip {number} at {at}")
for number in range(DAMAGES):
    size = chosen.randrange(sections[1]["offset"] if number % 3 == 0 else len(good))
    assert_found(good[:size], section_at(size), f"cut {number} at {size}")
assert_found(good + b"\0", "vectors", "a trailing byte")

# A search refuses the damaged file with the same words.
data = bytearray(good)
data[-1] ^= 1
assert_found(data, "vectors", "last byte")
words = run("verify", bad, code=1).stderr
assert run("search", bad, "--query", work / "query.fbin", code=1).stderr == words

# A file swapped for another is told by the collection, though every byte of it is whole.
segments = sorted((work / "l2").glob("*.qseg"))
segments[0].write_bytes(segments[1].read_bytes())
assert "not what collection.json says" in run("verify", work / "l2", code=1).stderr

# Bad input is refused by row; wrong usage ends with 2, bad configuration with 78.
nan = bytearray((work / "base.fbin").read_bytes())
struct.pack_into("<f", nan, 8 + 4 * (100 * 17 + 3), float("nan"))
(work / "nan.fbin").write_bytes(nan)
done = run("build", "--input", work / "nan.fbin", "--metric", "l2", "--out", work / "n.qseg", code=1)
assert "row 17: value 3 is NaN" in done.stderr, done.stderr
assert not (work / "n.qseg").exists() and not (work / "n.qseg.tmp").exists()
done = run("build", "--input", work / "base.fbin", "--metric", "l2", "--index", "tree", "--out",
           work / "n.qseg", code=2)
assert "flat, ivf, graph or auto" in done.stderr
done = run("build", "--input", work / "base.fbin", "--metric", "l2", "--index", "auto", "--projected", 4,
           "--out", work / "n.qseg", code=2)
assert "--projected: with --index graph only" in done.stderr
done = run("search", segments[0], "--query", work / "query.fbin", "--refine", 9, code=2)
assert "--refine goes with --nprobe or --ef" in done.stderr
run("build", "--input", work / "base.fbin", "--metric", "l3", "--out", work / "n.qseg", code=2)
run("verify", code=2)
run("fly", code=2)
for verb in ("generate", "build", "inspect", "verify", "truth", "search"):
    assert "examples:" in run(verb, "--help").stdout
wrong = subprocess.run([qseg, "verify", work / "l2.qseg"], env={"QNODE_KERNELS": "mmx"},
                       capture_output=True, text=True)
assert wrong.returncode == 78 and "kernels mmx: unknown" in wrong.stderr

print(f"ok: {DAMAGES} flips and {DAMAGES} cuts found, seed {SEED}")
PY
