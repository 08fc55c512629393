# SPDX-License-Identifier: Apache-2.0
"""The measure "flat": exact search, one query at a time and a thousand at once, on one thread."""
import functools
import json
import statistics
import subprocess
import time

import numpy

from engines import BIN, Qnode, qseg
from sets import FOLDER, K, write

ONE, MANY = 50, 1000  # queries: asked one by one, asked at once
SLOW = 3              # who takes so many times longer than the best is not asked again


def ours(data):
    path = FOLDER / "indexes" / f"{data.name}.{data.kind}.qnode-flat"
    path.parent.mkdir(parents=True, exist_ok=True)
    Qnode("qnode-flat", ("--index", "flat"), ()).build(data, path)

    def ask(count, batch):
        queries = data.query.with_suffix(f".{count}.fbin")
        write(queries, data.queries[:count])
        told = json.loads(qseg("search", path, "--query", queries, "--k", K, "--batch", batch, "--json"))
        keys = [[hit["primary_key"] for hit in result["hits"]] for result in told["results"]]
        return numpy.array(keys), told["cpu_seconds"]
    return ask


def in_process(data, search):
    """A library's search(queries) as ask(count, batch)."""
    def ask(count, batch):
        began = time.process_time()
        keys = [search(data.queries[first:first + batch]) for first in range(0, count, batch)]
        seconds = time.process_time() - began
        return numpy.concatenate(keys).astype(numpy.int64), seconds
    return ask


def faiss_flat(rows, metric):
    import faiss
    faiss.omp_set_num_threads(1)
    faiss.cvar.distance_compute_blas_threshold = 1000
    index = faiss.IndexFlat(rows.shape[1], faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT)
    index.add(rows)
    return lambda queries: index.search(queries, K)[1]


def usearch_exact(rows, metric):
    from usearch.index import MetricKind, search
    kind = MetricKind.L2sq if metric == "l2" else MetricKind.IP
    return lambda queries: numpy.reshape(search(rows, queries, K, kind, exact=True, threads=1).keys, (-1, K))


def hnswlib_brute(rows, metric):
    import hnswlib
    index = hnswlib.BFIndex("l2" if metric == "l2" else "ip", rows.shape[1])
    index.init_index(len(rows))
    index.add_items(rows)
    return lambda queries: index.knn_query(queries, K)[0]


def numpy_product(rows, metric):
    """What its OpenBLAS multiplies, in parts that fit, then the K least of each row."""
    half_norms = (rows * rows).sum(axis=1) / 2 if metric == "l2" else numpy.float32(0)

    def search(queries):
        parts = numpy.array_split(queries, -(-len(queries) // 50))
        return numpy.concatenate([numpy.argpartition(half_norms - part @ rows.T, K)[:, :K] for part in parts])
    return search


PEERS = {"faiss": faiss_flat, "usearch": usearch_exact, "hnswlib": hnswlib_brute, "numpy": numpy_product}


@functools.cache
def machine():
    """What it can read and multiply, by the bench of our kernels."""
    return json.loads(subprocess.check_output([f"{BIN}/qnode-bench", "kernels", "--rounds", "3", "--json"]))


def measure(data, passes):
    """{name: {"1": queries per CPU second, "1000": the same}}, and shares of what the machine can."""
    engines, without = {"qnode": ours(data)}, {}
    for name, make in PEERS.items():
        try:
            engines[name] = in_process(data, make(data.rows, data.metric))
        except Exception as trouble:  # a library that is not there
            without[name] = f"{type(trouble).__name__}: {trouble}"
    speeds = {name: {} for name in engines}
    for count, batch in ((ONE, 1), (MANY, MANY)):
        took = {name: [] for name in engines}
        for _ in range(passes):
            best = min((statistics.median(seconds) for seconds in took.values() if seconds), default=1e9)
            for name, ask in engines.items():
                if took[name] and took[name][0] > SLOW * best:
                    continue
                keys, seconds = ask(count, batch)
                if data.recall(keys) < 0.999:
                    raise RuntimeError(f"{name}: its flat search is not exact: {data.recall(keys)}")
                took[name].append(seconds)
        for name, seconds in took.items():
            speeds[name][str(batch)] = count / statistics.median(seconds)
    able, mine, cells = machine(), speeds["qnode"], data.rows.size
    return {"qps": speeds, "without": without, "kernels": able,
            "read_share": mine["1"] * cells * 4 / able["read_gbytes"] / 1e9,
            "multiply_share": mine[str(MANY)] * cells * 2 / able["fma_gflops"] / 1e9}
