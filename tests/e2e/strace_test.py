#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No timed sleep on the path of a search: under strace, threads block in futexes and sockets only."""
import re
import subprocess
import sys
import time

from harness import Cluster, check, run

# Calls that may block, and are neither a futex nor a socket's.
SLEEPS = re.compile(r"\b(nanosleep|clock_nanosleep|pause|sched_yield|select|pselect6|"
                    r"sigtimedwait|rt_sigtimedwait|timerfd_create|setitimer|alarm)\(")
EMPTY_POLL = re.compile(r"\bp?poll\((NULL|\[\]), 0")


def a_warm_search_sleeps_nowhere():
    """Agent and client are traced while searches run."""
    with Cluster(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(8_000, 32, 2)
        cluster.load(folder, (1, 2))
        searches = cluster.searches()
        time.sleep(1)
        traces = []
        for name, pid in (("agent", cluster.processes["node1"].pid),
                          ("client", searches.process.pid)):
            trace = cluster.folder / f"{name}.strace"
            traces.append((name, trace, subprocess.Popen(
                ["timeout", "-s", "INT", "2", "strace", "-f", "-o", str(trace), "-p", str(pid)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))
        for _, _, process in traces:
            process.wait()
        totals = searches.done()
        for name, trace, _ in traces:
            text = trace.read_text() if trace.exists() else ""
            if name == "agent":
                check("futex(" in text, "strace saw the agent's threads")
            bad = [line for line in text.split("\n")
                   if SLEEPS.search(line) or EMPTY_POLL.search(line)]
            check(not bad, f"{name}: {text.count(chr(10))} calls, none sleeps{bad[:3] or ''}")
        check(totals["complete"] == totals["searches"] > 0, f"{totals['searches']} searches complete")


if __name__ == "__main__":
    run(a_warm_search_sleeps_nowhere)
