# SPDX-License-Identifier: Apache-2.0
"""See run."""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

from engines import ENGINES
from report import at_recall, print_table, write_svg
from sets import MAKERS, VectorSet

FOLDER = pathlib.Path("build/compare")


def say(text):
    print(text, file=sys.stderr, flush=True)


def build(data, wanted):
    """The engines that can be had, with their indexes; {name: seconds}, {name: reason}."""
    built, seconds, without = [], {}, {}
    for name, make in ENGINES:
        if wanted and name not in wanted:
            continue
        try:
            engine = make()
            began = time.monotonic()
            engine.build(data)
            seconds[name] = time.monotonic() - began
            built.append(engine)
            say(f"compare: {data.name}: {name} built in {seconds[name]:.1f} s")
        except Exception as trouble:  # a library that is not there, or does not like the data
            without[name] = f"{type(trouble).__name__}: {trouble}"
            say(f"compare: {data.name}: without {name}: {without[name]}")
    return built, seconds, without


def measure(data, engines, passes):
    """{name: [{setting, recall, qps}]}: in each pass all engines, setting after setting, by turns."""
    took = {engine.name: {} for engine in engines}
    recalls = {engine.name: {} for engine in engines}
    for number in range(passes):
        for engine in engines:
            for setting in engine.settings():
                if recalls[engine.name].get(setting, 0) > 0.9995 or done(recalls[engine.name], setting):
                    continue
                keys, seconds = engine.search(setting)
                took[engine.name].setdefault(setting, []).append(seconds)
                recalls[engine.name][setting] = data.recall(keys)
        say(f"compare: {data.name}: pass {number + 1} of {passes}")
    return {name: [{"setting": setting, "recall": recalls[name][setting],
                    "qps": len(data.queries) / statistics.median(seconds)}
                   for setting, seconds in settings.items()] for name, settings in took.items()}


def done(recalls, setting):
    """Finer settings than one that finds all are not asked for."""
    return setting not in recalls and any(recall > 0.9995 for recall in recalls.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--svg")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--engines", default="")
    given = parser.parse_args()
    if unknown := [name for name in given.sets if name not in MAKERS]:
        parser.error(f"no set named {unknown[0]}: there are {', '.join(MAKERS)}")
    results = []
    for name in given.sets or MAKERS:
        data = VectorSet(name, FOLDER / "data", "build/release/bin/qseg", given.quick)
        engines, seconds, without = build(data, [word for word in given.engines.split(",") if word])
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cpus[-1:])  # searches: one thread, pinned; children inherit it
        curves = measure(data, engines, given.passes)
        os.sched_setaffinity(0, cpus)
        raw = data.rows.nbytes
        results.append({
            "set": name, "rows": len(data.rows), "dim": data.rows.shape[1], "metric": data.metric,
            "queries": len(data.queries), "without": without,
            "engines": [{"name": engine.name, "build_seconds": seconds[engine.name],
                         "bytes_over_raw": engine.memory() / raw, "curve": curves[engine.name],
                         "qps_at": {str(r): at_recall(curves[engine.name], r)
                                    for r in (0.9, 0.95, 0.99)}} for engine in engines]})
        print_table(results[-1])
        del data, engines
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps(results, indent=1) + "\n", encoding="ascii")
    if given.svg:
        write_svg(given.svg, results)


main()
