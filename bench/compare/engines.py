# SPDX-License-Identifier: Apache-2.0
"""Every engine: build(set) makes its index with two threads; settings() from coarse to fine;
search(setting) asks all queries with one thread and returns their keys; memory() in bytes."""
import json
import os
import subprocess
import time

import numpy

from sets import K

BIN = "build/release/bin"


class Qnode:
    """Ours, in a process of its own that says its thread's CPU time itself."""

    def __init__(self, bits):
        self.name, self.bits = f"qnode-ivf{bits}", bits

    def build(self, data):
        self.data, self.file = data, data.base.with_suffix(f".ivf{self.bits}.qseg")
        subprocess.run([f"{BIN}/qseg", "build", "--input", data.base, "--metric", data.metric, "--index",
                        "ivf", "--code-bits", str(self.bits), "--threads", "2", "--out", self.file],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        told = json.loads(subprocess.check_output([f"{BIN}/qseg", "inspect", "--json", self.file]))[0]
        self.resident = told["resident_bytes"]

    def settings(self):
        return [(nprobe, refine) for nprobe in (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
                for refine in ((20, 40) if self.bits == 8 else (25, 40, 100))]

    def search(self, setting):
        """(keys, CPU seconds)"""
        told = json.loads(subprocess.check_output(
            [f"{BIN}/qseg", "search", self.file, "--query", self.data.query, "--k", str(K), "--nprobe",
             str(setting[0]), "--refine", str(setting[1]), "--json"]))
        keys = numpy.full((len(self.data.queries), K), -1)
        for row, result in enumerate(told["results"]):
            found = [hit["primary_key"] for hit in result["hits"]]
            keys[row, :len(found)] = found
        return keys, told["cpu_seconds"]

    def memory(self):
        return self.resident


class Peer:
    """In this process: what it allocates while it builds is its memory."""

    def build(self, data):
        self.data, before = data, resident()
        self.make(data)
        self.bytes = resident() - before

    def search(self, setting):
        began = time.process_time()
        keys = self.ask(self.data.queries, setting)
        return numpy.asarray(keys)[:, :K].astype(numpy.int64), time.process_time() - began

    def memory(self):
        return self.bytes

    def settings(self):
        return [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Faiss(Peer):
    def __init__(self, name, factory, parameter, refine=None):
        self.name, self.factory, self.parameter, self.refine = name, factory, parameter, refine
        import faiss
        self.faiss = faiss

    def make(self, data):
        faiss = self.faiss
        faiss.omp_set_num_threads(2)
        rows, dim = data.rows.shape
        metric = faiss.METRIC_L2 if data.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        words = self.factory.format(lists=512 if rows < 100_000 else 1024, parts=dim // 4 if dim > 300 else dim // 2)
        self.index = faiss.index_factory(dim, words, metric)
        if "HNSW" in words:
            self.index.hnsw.efConstruction = 200
        self.index.train(data.rows)
        self.index.add(data.rows)
        faiss.omp_set_num_threads(1)

    def settings(self):
        if self.refine is None:
            return Peer.settings(self)
        return [(n, r) for n in (2, 4, 8, 16, 32, 64, 128, 256) for r in self.refine]

    def ask(self, queries, setting):
        space = self.faiss.ParameterSpace()
        if self.refine is None:
            space.set_index_parameter(self.index, self.parameter, setting)
        else:
            space.set_index_parameter(self.index, "nprobe", setting[0])
            if setting[1]:
                space.set_index_parameter(self.index, "k_factor_rf", setting[1])
        return self.index.search(queries, K)[1]


class Hnswlib(Peer):
    name = "hnswlib"

    def __init__(self):
        import hnswlib
        self.library = hnswlib

    def make(self, data):
        rows, dim = data.rows.shape
        self.index = self.library.Index("l2" if data.metric == "l2" else "ip", dim)
        self.index.init_index(rows, ef_construction=200, M=16)
        self.index.add_items(data.rows, num_threads=2)

    def ask(self, queries, setting):
        self.index.set_ef(setting)
        return self.index.knn_query(queries, K, num_threads=1)[0]


class Usearch(Peer):
    name = "usearch"

    def __init__(self):
        import usearch.index
        self.library = usearch.index

    def make(self, data):
        rows, dim = data.rows.shape
        self.index = self.library.Index(ndim=dim, metric="l2sq" if data.metric == "l2" else "ip",
                                        dtype="f32", connectivity=16, expansion_add=200)
        self.index.add(numpy.arange(rows), data.rows, threads=2)

    def ask(self, queries, setting):
        self.index.expansion_search = setting
        return self.index.search(queries, K, threads=1).keys


class SymphonyQG(Peer):
    name = "symphonyqg"

    def __init__(self):
        import rabitqlib
        self.library = rabitqlib

    def make(self, data):
        self.index = self.library.SymqgIndex(data.rows.shape[1], 32,
                                             "l2" if data.metric == "l2" else "ip")
        self.index.build(data.rows, 200, num_threads=2)

    def ask(self, queries, setting):
        for found in self.index.search(queries, K, setting, num_threads=1):
            found = numpy.asarray(found)
            if found.dtype.kind in "iu":
                return found
        raise RuntimeError("no ids in its answer")


class Svs(Peer):
    name = "svs-vamana"

    def __init__(self):
        import svs
        self.library = svs

    def make(self, data):
        svs = self.library
        inner = data.metric != "l2"
        parameters = svs.VamanaBuildParameters(graph_max_degree=32, window_size=200,
                                               alpha=0.95 if inner else 1.2)
        self.index = svs.Vamana.build(parameters, data.rows,
                                      svs.DistanceType.MIP if inner else svs.DistanceType.L2,
                                      num_threads=2)
        self.index.num_threads = 1

    def ask(self, queries, setting):
        self.index.search_window_size = setting
        return self.index.search(queries, K)[0]


ENGINES = [
    ("qnode-ivf4", lambda: Qnode(4)),
    ("qnode-ivf8", lambda: Qnode(8)),
    ("faiss-hnsw", lambda: Faiss("faiss-hnsw", "HNSW16,Flat", "efSearch")),
    ("faiss-ivfpqfs", lambda: Faiss("faiss-ivfpqfs", "IVF{lists},PQ{parts}x4fs,RFlat", "nprobe", (4, 8, 16, 32))),
    ("faiss-ivf", lambda: Faiss("faiss-ivf", "IVF{lists},Flat", "nprobe", (0,))),
    ("hnswlib", Hnswlib),
    ("usearch", Usearch),
    ("symphonyqg", SymphonyQG),
    ("svs-vamana", Svs),
]
