# SPDX-License-Identifier: Apache-2.0
"""The libraries that ours is compared with, each at its best parameters that the others have, too: graphs
of degree 32 built with 200 candidates. Rows of a cosine set have length 1: there l2 and ip order alike."""
import ctypes
import importlib.metadata
import json
import math
import os
import time

import numpy

from sets import K

EFS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)

ASKS = 2  # the faster counts: none is asked with cold caches, be it a process of its own or this one


def resident():
    """Bytes of this process in memory, without what malloc only holds ready."""
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Peer:
    """In this process. make(rows, metric), save(path), load(path, rows, metric) and ask(queries, setting)
    are the library's part; its memory is what loading adds, its module apart."""
    def version(self):
        return importlib.metadata.version(self.package)

    def parameters(self, _data):
        return self.told

    def build(self, data, path):
        began, cpu = time.monotonic(), time.process_time()
        self.make(data.rows, data.metric)
        took = time.monotonic() - began, time.process_time() - cpu
        self.save(str(path))
        return took

    def open(self, data, path):
        importlib.import_module(self.module)
        self.data, before = data, resident()
        self.load(str(path), data.rows, data.metric)
        self.bytes = resident() - before

    def settings(self):
        return EFS

    def search(self, setting):
        took = math.inf
        for _ in range(ASKS):
            began = time.process_time()
            keys = self.ask(self.data.queries, setting)
            took = min(took, time.process_time() - began)
        keys = numpy.asarray(keys)[:, :K].astype(numpy.int64)
        return numpy.where((keys >= 0) & (keys < len(self.data.rows)), keys, -1), took

    def memory(self):
        return self.bytes


class Faiss(Peer):
    package, module = "faiss-cpu", "faiss"

    def __init__(self, name, factory, parameter, refine=None):
        self.name, self.factory, self.parameter, self.refine = name, factory, parameter, refine

    def parameters(self, data):
        rows, dim = data.rows.shape
        return self.factory.format(lists=512 if rows < 100_000 else 1024, parts=dim // 4 if dim > 300 else dim // 2)

    def build(self, data, path):
        self.words = self.parameters(data)
        return super().build(data, path)

    def make(self, rows, metric):
        import faiss
        faiss.omp_set_num_threads(2)
        self.index = faiss.index_factory(
            rows.shape[1], self.words, faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT)
        if "HNSW" in self.words:
            self.index.hnsw.efConstruction = 200
        self.index.train(rows)
        self.index.add(rows)

    def save(self, path):
        import faiss
        faiss.write_index(self.index, path)

    def load(self, path, _rows, _metric):
        import faiss
        faiss.omp_set_num_threads(1)
        faiss.cvar.distance_compute_blas_threshold = 1000  # of queries x dim; the default serves few from BLAS
        self.index, self.space = faiss.read_index(path), faiss.ParameterSpace()

    def settings(self):
        if self.refine is None:
            return EFS
        return [(n, r) for n in (2, 4, 8, 16, 32, 64, 128, 256) for r in self.refine]

    def ask(self, queries, setting):
        if self.refine is None:
            self.space.set_index_parameter(self.index, self.parameter, setting)
        else:
            self.space.set_index_parameter(self.index, "nprobe", setting[0])
            if setting[1]:
                self.space.set_index_parameter(self.index, "k_factor_rf", setting[1])
        return self.index.search(queries, K)[1]


class Hnswlib(Peer):
    name = package = module = "hnswlib"
    told = "M=16 ef_construction=200"

    def make(self, rows, metric):
        import hnswlib
        self.index = hnswlib.Index("l2" if metric == "l2" else "ip", rows.shape[1])
        self.index.init_index(len(rows), ef_construction=200, M=16)
        self.index.add_items(rows, num_threads=2)

    def save(self, path):
        self.index.save_index(path)

    def load(self, path, rows, metric):
        import hnswlib
        self.index = hnswlib.Index("l2" if metric == "l2" else "ip", rows.shape[1])
        self.index.load_index(path)

    def ask(self, queries, setting):
        self.index.set_ef(setting)
        return self.index.knn_query(queries, K, num_threads=1)[0]


class Usearch(Peer):
    name = package = module = "usearch"
    told = "connectivity=16 expansion_add=200 dtype=f32"

    def make(self, rows, metric):
        from usearch.index import Index
        self.index = Index(ndim=rows.shape[1], metric="l2sq" if metric == "l2" else "ip", dtype="f32",
                           connectivity=16, expansion_add=200)
        self.index.add(numpy.arange(len(rows)), rows, threads=2)

    def save(self, path):
        self.index.save(path)

    def load(self, path, _rows, _metric):
        from usearch.index import Index
        self.index = Index.restore(path)

    def ask(self, queries, setting):
        self.index.expansion_search = setting
        return self.index.search(queries, K, threads=1).keys


class SymphonyQG(Peer):
    """Rows of length 1 as l2: its graph is a little better so than with ip."""
    name, package, module = "symphonyqg", "rabitqlib", "rabitqlib"

    def parameters(self, data):
        return "degree=32 ef=200" + ("" if data.metric == "l2" else " as l2")

    def make(self, rows, _metric):
        import rabitqlib
        self.index = rabitqlib.SymqgIndex(rows.shape[1], 32, "l2")
        self.index.build(rows, 200, num_threads=2)

    def save(self, path):
        self.index.save(path)

    def load(self, path, _rows, _metric):
        import rabitqlib
        self.index = rabitqlib.SymqgIndex.load(path)

    def ask(self, queries, setting):
        return self.index.search(queries, K, setting, num_threads=1)[0]


class Svs(Peer):
    """Its compressed vectors (LVQ) refuse CPUs that are not Intel's: f32."""
    name, package, module = "svs-vamana", "scalable-vs", "svs"
    told = "degree=32 window=200 alpha=1.2 (ip: 0.95)"

    def make(self, rows, metric):
        import svs
        parameters = svs.VamanaBuildParameters(graph_max_degree=32, window_size=200,
                                               alpha=1.2 if metric == "l2" else 0.95)
        self.index = svs.Vamana.build(
            parameters, rows, svs.DistanceType.L2 if metric == "l2" else svs.DistanceType.MIP, num_threads=2)

    def save(self, path):
        os.makedirs(path, exist_ok=True)
        self.index.save(f"{path}/config", f"{path}/graph", f"{path}/data")

    def load(self, path, _rows, metric):
        import svs
        self.index = svs.Vamana(
            f"{path}/config", svs.GraphLoader(f"{path}/graph"), svs.VectorDataLoader(f"{path}/data", svs.float32),
            svs.DistanceType.L2 if metric == "l2" else svs.DistanceType.MIP, num_threads=1)

    def ask(self, queries, setting):
        self.index.search_window_size = setting
        return self.index.search(queries, K)[0]


class Scann(Peer):
    name = package = "scann"
    module = "scann.scann_ops.py.scann_ops_pybind"

    def parameters(self, data):
        return f"leaves={4 * int(len(data.rows) ** 0.5)} ah=2 reorder"

    def make(self, rows, metric):
        from scann.scann_ops.py.scann_ops_pybind import builder
        plan = builder(rows, K, "squared_l2" if metric == "l2" else "dot_product").set_n_training_threads(2)
        plan = plan.tree(num_leaves=4 * int(len(rows) ** 0.5), num_leaves_to_search=10,
                         training_sample_size=min(len(rows), 250_000))
        threshold = {} if metric == "l2" else {"anisotropic_quantization_threshold": 0.2}
        self.index = plan.score_ah(2, **threshold).reorder(100).build()

    def save(self, path):
        os.makedirs(path, exist_ok=True)
        self.index.serialize(os.path.abspath(path))

    def load(self, path, _rows, _metric):
        from scann.scann_ops.py.scann_ops_pybind import load_searcher
        self.index = load_searcher(os.path.abspath(path))

    def settings(self):
        return [(n, r) for n in (2, 4, 8, 16, 32, 64, 128, 256) for r in (40, 100, 200)]

    def ask(self, queries, setting):
        return self.index.search_batched(queries, leaves_to_search=setting[0],
                                         pre_reorder_num_neighbors=setting[1])[0]


class Vsag(Peer):
    """It has no call for many queries: asked one by one."""
    name, package, module = "vsag-hgraph", "pyvsag", "pyvsag"
    told = "sq8_uniform max_degree=32 ef_construction=200 refine=fp32"

    def new(self, rows):
        import pyvsag
        pyvsag.set_logger_off()
        return pyvsag.Index("hgraph", json.dumps({
            "dtype": "float32", "metric_type": "l2", "dim": rows.shape[1], "index_param": {
                "base_quantization_type": "sq8_uniform", "max_degree": 32, "ef_construction": 200,
                "use_reorder": True, "precise_quantization_type": "fp32", "build_thread_count": 2}}))

    def make(self, rows, _metric):
        self.index = self.new(rows)
        self.index.build(rows.ravel(), numpy.arange(len(rows)), *rows.shape)

    def save(self, path):
        self.index.save(path)

    def load(self, path, rows, _metric):
        self.index = self.new(rows)
        self.index.load(path)

    def ask(self, queries, setting):
        told = json.dumps({"hgraph": {"ef_search": setting}})
        return [self.index.knn_search(query, K, told)[0] for query in queries]


class Ngt(Peer):
    """Its Python package makes graphs of plain vectors only: QG needs a program that is not in it."""
    name, package, module = "ngt-anng", "ngt", "ngtpy"
    told = "ANNG edges=32"

    def build(self, data, path):
        self.path = str(path)
        return super().build(data, path)

    def make(self, rows, _metric):
        import ngtpy
        ngtpy.create(self.path, rows.shape[1], edge_size_for_creation=32, edge_size_for_search=0,
                     distance_type="L2")
        self.index = ngtpy.Index(self.path, log_disabled=True)
        self.index.batch_insert(rows, num_threads=2)

    def save(self, path):
        self.index.save()

    def load(self, path, _rows, _metric):
        import ngtpy
        self.index = ngtpy.Index(path, read_only=True, log_disabled=True)

    def settings(self):
        return [-0.15, -0.1, -0.07, -0.05, -0.03, -0.01, 0.0, 0.02, 0.04, 0.06, 0.08, 0.1]

    def ask(self, queries, setting):
        import ngtpy
        found = ngtpy.BatchResults()
        self.index.set(num_of_search_objects=K, epsilon=setting, edge_size=-2)
        self.index.batch_search(queries, found, K)
        return found.get_ids()


class Glass(Peer):
    name, package, module = "glass", "glassppy", "glassppy"
    told = "HNSW R=32 L=200"

    def make(self, rows, metric):
        import glassppy
        self.index = glassppy.Index(index_type="HNSW", dim=rows.shape[1], metric="L2", R=32, L=200).build(rows)

    def save(self, path):
        self.index.save(path)

    def load(self, path, rows, _metric):
        import glassppy
        self.index = glassppy.Searcher(graph=glassppy.Graph(path), data=rows, metric="L2", level=2)
        self.index.optimize(1)

    def ask(self, queries, setting):
        self.index.set_ef(setting)
        return self.index.batch_search(queries, K, 1).reshape(len(queries), K)


# In the order of what they are worth to the comparison: a first run may be cut short.
PEERS = [
    SymphonyQG(),
    Hnswlib(),
    Faiss("faiss-ivfpqfs", "IVF{lists},PQ{parts}x4fs,RFlat", "nprobe", (4, 8, 16, 32)),
    Svs(),
    Faiss("faiss-hnsw", "HNSW16,Flat", "efSearch"),
    Usearch(),
    Faiss("faiss-ivf", "IVF{lists},Flat", "nprobe", (0,)),
    Scann(),
    Vsag(),
    Ngt(),
    Glass(),
]
