# SPDX-License-Identifier: Apache-2.0
"""See run."""
import argparse
import contextlib
import copy
import json
import os
import pathlib

import curves
import flat
import report
import threads
from curves import say
from engines import ENGINES, PROMISED, Qnode
from keep import keep
from sets import FOLDER, MAKERS, VectorSet

MEASURES = ("search", "flat", "promise", "threads")


def gather(data, wanted, rebuild):
    """The engines that can be had, opened; {name: note of its build}, {name: reason}."""
    opened, notes, without = [], {}, {}
    for engine in map(copy.copy, wanted):  # an index lives as long as the comparison of its set
        try:
            notes[engine.name] = note = keep(engine, data, FOLDER / "indexes", rebuild)
            opened.append(engine)
            say(f"{data.name}: {engine.name} {'kept' if note['kept'] else 'built'}, "
                f"{note['wall_seconds']:.1f} s, CPU {note['cpu_seconds']:.1f} s")
        except Exception as trouble:  # a library that is not there, or does not like the data
            without[engine.name] = f"{type(trouble).__name__}: {trouble}"
            say(f"{data.name}: without {engine.name}: {without[engine.name]}")
    return opened, notes, without


@contextlib.contextmanager
def pinned():
    """One thread, on the last core; children inherit it."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


def compare(data, given):
    """What was measured of one set, as report.py and the JSON file tell it."""
    result = {"set": data.name, "rows": len(data.rows), "dim": data.rows.shape[1], "metric": data.metric,
              "queries": len(data.queries), "quick": given.quick}
    if "flat" in given.measure:
        with pinned():
            result["flat"] = flat.measure(data, given.passes)
    wanted = [e for e in ENGINES if not given.engines or e.name in given.engines]
    if "search" not in given.measure:
        wanted = [e for e in wanted if isinstance(e, Qnode)]
    if not set(given.measure) - {"flat"}:
        return result
    engines, notes, result["without"] = gather(data, wanted, given.rebuild)
    ours = [engine for engine in engines if isinstance(engine, Qnode)]
    if {"search", "promise"} & set(given.measure):
        with pinned():
            found, failed = curves.measure(data, engines, given.passes)
        result["without"] |= failed
        result["engines"] = [
            {"name": e.name, "ours": e in ours, "parameters": e.parameters(data), "build": notes[e.name],
             "bytes_over_raw": e.memory() / data.rows.nbytes, "curve": found[e.name],
             "qps_at": {str(r): curves.at_recall(found[e.name], r) for r in PROMISED}}
            for e in engines if e.name in found]
    if "promise" in given.measure:
        result["promise"] = {e.name: curves.promise(found[e.name], PROMISED) for e in ours if e.name in found}
    if "threads" in given.measure:
        result["threads"] = [threads.measure(data, engine) for engine in ours]
    return result


def words(allowed):
    def parse(text):
        given = text.split(",")
        if unknown := [word for word in given if word not in allowed]:
            raise argparse.ArgumentTypeError(f"no {unknown[0]}: there are {', '.join(allowed)}")
        return given
    return parse


def main():
    parser = argparse.ArgumentParser(prog="bench/compare/run")
    parser.add_argument("sets", nargs="*", metavar="SET")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--engines", type=words([engine.name for engine in ENGINES]), default=[])
    parser.add_argument("--measure", type=words(MEASURES), default=MEASURES)
    parser.add_argument("--rebuild", action="store_true")
    given = parser.parse_args()
    if unknown := [name for name in given.sets if name not in MAKERS]:
        parser.error(f"no set named {unknown[0]}: there are {', '.join(MAKERS)}")
    results = []
    for name in given.sets or MAKERS:
        results.append(compare(VectorSet(name, given.quick), given))
        report.print_tables(results[-1])
        if given.json:
            given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="ascii")
    if given.svg:
        report.write_svg(given.svg, results)


main()
