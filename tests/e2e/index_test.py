#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Segments with an index, in a cluster: what is wanted is found, and they move like any other."""
import struct

from harness import SLOW, Cluster, check, run, wait_for

DIM, SEGMENTS, QUERIES, K = 24, 4, 50, 10
# a graph takes longer to build
ROWS = {"ivf": 4_000, "graph": 2_000} if SLOW else {"ivf": 20_000, "graph": 8_000}


def truth(cluster):
    """[the primary keys of the nearest] of each query, by qseg truth over the vectors."""
    path = cluster.folder / "truth.ibin"
    cluster.tool("qseg", "truth", "--base", cluster.folder / "base.fbin", "--query",
                 cluster.folder / "query.fbin", "--metric", "l2", "--k", K, "--out", path)
    data = path.read_bytes()
    queries, k = struct.unpack_from("<II", data)
    return [set(struct.unpack_from(f"<{k}i", data, 8 + 4 * k * i)) for i in range(queries)]


def recall(cluster, expected, *more):
    answer = cluster.ctl("search", "--collection", cluster.collection, "--query",
                         cluster.folder / "query.fbin", "--k", K, "--limit-queries", QUERIES, *more)
    check(answer["verdict"] == "COMPLETE", f"a search {' '.join(map(str, more))} is complete")
    found = [{hit["primaryKey"] for hit in hits} for hits in answer["hits"]]
    return sum(len(a & b) for a, b in zip(found, expected)) / (len(expected) * K)


def searched_and_moved(index, little, much):
    """Two nodes: exactly, by default, by a wanted recall, by an effort; during and after a
    hand-off. little, much: the options of an effort that misses some and of one that finds more."""
    with Cluster(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(ROWS[index], DIM, SEGMENTS, index=index)
        cluster.load(folder, (1, 2))
        expected = truth(cluster)
        check(recall(cluster, expected, "--recall", 1) == 1, "recall 1 finds all")
        for wanted in ([], ["--recall", 0.95]):
            found = recall(cluster, expected, *wanted)
            check(found >= 0.9, f"{' '.join(map(str, wanted)) or 'without a word'}: {found:.3f}")
        less, more = (recall(cluster, expected, "--recall", r) for r in (0.5, 0.99))
        check(0.4 <= less <= more and more >= 0.95, f"wanted 0.5 and 0.99: {less:.3f}, {more:.3f}")
        less, more = (recall(cluster, expected, *effort) for effort in (little, much))
        check(less < more and more >= 0.95, f"{little} and {much}: {less:.3f}, {more:.3f}")
        searches = cluster.searches(*much)
        cluster.ctl("load-balance", "--src", 1, "--dst", 2, "--wait")
        wait_for("all on node 2", lambda: {s["nodeID"] for s in cluster.segments()} == {2}, 20)
        totals = searches.done()
        check(totals["partial"] == totals["failed"] == 0 and totals["complete"] > 0,
              f"{totals['complete']} searches meanwhile, each complete")
        check(recall(cluster, expected, "--recall", 1) == 1, "after the move, too")
        check(recall(cluster, expected, *much) == more, f"and {much} finds what it found")


def segments_with_an_ivf_are_searched_and_moved():
    """ivf: lists of codes."""
    searched_and_moved("ivf", ("--nprobe", 1), ("--nprobe", 64, "--refine", 100))


def segments_with_a_graph_are_searched_and_moved():
    """graph: a walk on codes."""
    searched_and_moved("graph", ("--ef", 1), ("--ef", 400, "--refine", 100))


if __name__ == "__main__":
    run(segments_with_an_ivf_are_searched_and_moved, segments_with_a_graph_are_searched_and_moved)
