#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bus that takes short messages only: every list goes in pages, and nothing is lost by it."""
import re

from bus import NatsBus
from harness import Cluster, check, run, wait_for

SEGMENTS, MAX_PAYLOAD = 300, 4096


class NarrowBus(NatsBus):
    max_payload = MAX_PAYLOAD

    def more(self):
        path = self.cluster.folder / "nats.conf"
        path.write_text(f"max_payload: {self.max_payload}\n")
        return "-c", path


def every_list_goes_in_pages():
    """300 segments at max_payload 4096: load, lists, view, search, hand-off."""
    with Cluster(nodes=(1, 2), bus=NarrowBus) as cluster:
        folder = cluster.make_collection(SEGMENTS * 10, 8, SEGMENTS)
        cluster.load(folder, (1, 2))
        check(len(cluster.segments()) == SEGMENTS, f"{SEGMENTS} segments are listed")
        check(len(cluster.live_nodes()) == 2, "and both nodes")
        rows = cluster.rows("collections", "collections", "list")
        check(len(rows) == 1, "and the collection")
        answer = cluster.ctl("search", "--collection", cluster.collection, "--query",
                             cluster.folder / "query.fbin", "--k", 100, "--limit-queries", 4)
        check(answer["verdict"] == "COMPLETE", "a search of 4 queries, k 100, is complete")
        before = {s["segmentID"] for s in cluster.segments() if s["nodeID"] == 1}
        cluster.ctl("load-balance", "--src", 1, "--dst", 2)
        wait_for("the moves are done",
                 lambda: {s["nodeID"] for s in cluster.segments()} == {2}, 60)
        wait_for("and listed", lambda: len(cluster.moves()) >= len(before), 20)
        check(len(before) > 50, f"{len(before)} segments went over")
        check(cluster.search()["verdict"] == "COMPLETE", "a search after it is complete")
        for name in ("qcoordd", "node1", "node2"):
            log = cluster.log(name)
            check("not sent" not in log and "not decode" not in log and "max_payload" not in log,
                  f"{name} had nothing that was too long")

        done = cluster.tool("qnodectl", "--bus", cluster.url, "--cluster", "e2e", "search",
                            "--collection", 7, "--query", cluster.folder / "query.fbin", "--k", 5,
                            "--limit-queries", 50, code=None)
        said = re.search(r"a SearchRequest takes (\d+) bytes, the bus takes at most 4096 "
                         r"\(max_payload\): send fewer queries at once", done.stderr)
        check(done.returncode == 2 and said and int(said.group(1)) > 4096,
              f"50 queries are refused: {done.stderr.strip()}")


def the_bus_comes_back_narrower():
    """The server restarts with a smaller max_payload: the view is cut anew."""
    with Cluster(nodes=(1, 2), bus=NarrowBus) as cluster:
        cluster.bus.kill()
        cluster.bus.max_payload = 1 << 20
        cluster.bus.start()
        wait_for("all nodes report", lambda: len(cluster.live_nodes()) == 2, 30)
        folder = cluster.make_collection(SEGMENTS * 10, 8, SEGMENTS)
        cluster.load(folder, (1, 2))
        check(cluster.search()["verdict"] == "COMPLETE", "complete on the wide bus")
        cluster.bus.kill()
        cluster.bus.max_payload = 3000
        cluster.bus.start()
        wait_for("all segments are listed",
                 lambda: len(cluster.segments()) == SEGMENTS, 30)
        wait_for("a search is complete on the narrow bus",
                 lambda: (cluster.search(code=None) or {}).get("verdict") == "COMPLETE", 30)
        check("max_payload" not in cluster.log("qcoordd"), "nothing was too long")


run(every_list_goes_in_pages, the_bus_comes_back_narrower)
