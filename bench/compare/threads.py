# SPDX-License-Identifier: Apache-2.0
"""The measure "threads": what a second core adds. Each core is measured alone, then while the other one
searches without pause; the sum of both over one core alone is 2 if they do not disturb each other."""
import json
import os
import statistics
import subprocess
import time

from engines import BIN
from sets import K

ENDLESS = 1_000_000


def start(engine, data, cpu, passes):
    return subprocess.Popen(
        [f"{BIN}/qseg", "search", engine.path, "--query", data.query, "--k", str(K), "--recall", "0.95",
         "--passes", str(passes), "--no-hits", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))


def speed(engine, data, cpu):
    """What a search of its own process, pinned, says; RuntimeError if it says nothing."""
    process = start(engine, data, cpu, 5)
    told = process.communicate()[0]
    if process.returncode != 0:
        raise RuntimeError(f"qseg search ended with {process.returncode}")
    return json.loads(told)


def measure(data, engine, rounds=3):
    """{wall, cpu}: both at once over one alone, by the wall clock and by CPU time; None with one core."""
    cpus = sorted(os.sched_getaffinity(0))[-2:]
    if len(cpus) < 2:
        return None
    alone, beside = [], []
    for _ in range(rounds):
        for cpu, other in (cpus, cpus[::-1]):
            alone.append(speed(engine, data, cpu))
            neighbour = start(engine, data, other, ENDLESS)
            time.sleep(1 + 2 * alone[-1]["load_seconds"])  # until it searches
            try:
                beside.append(speed(engine, data, cpu))
            finally:
                neighbour.kill()
                neighbour.wait()

    def ratio(key):
        return 2 * statistics.median(t[key] for t in beside) / statistics.median(t[key] for t in alone)
    return {"engine": engine.name, "wall": ratio("queries_per_second"), "cpu": ratio("queries_per_cpu_second")}
