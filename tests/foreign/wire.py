# SPDX-License-Identifier: Apache-2.0
"""Small pure helpers: epochs, infos of segments, the covered bitmap, and the truth by brute force.
Everything on the wire is what protoc made of qnode.proto."""
import array
import dataclasses
import json
import math
import pathlib
import struct

import qnode_pb2 as pb


def epoch(pair):
    return pb.Epoch(term=pair[0], version=pair[1])


def pair(epoch_):
    return epoch_.term, epoch_.version


def words(pair_):
    """(5, 42) as PROTOCOL.md writes it: 5.42."""
    return f"{pair_[0]}.{pair_[1]}"


@dataclasses.dataclass
class Segment:
    """One entry of a collection's manifest, and where its rows stand in the vector file."""
    segment_id: int
    partition_id: int
    path: str
    rows: int
    mem_size: int
    content_hash: bytes
    delete_generation: int
    first_row: int


@dataclasses.dataclass
class Collection:
    collection_id: int
    name: str
    dim: int
    readable_version: int
    segments: dict


def read_collection(folder):
    """The manifest of a collection: collection.json, as segstore/FORMAT.md has it."""
    folder = pathlib.Path(folder).resolve()
    manifest = json.loads((folder / "collection.json").read_text())
    segments, first_row = {}, 0
    for entry in manifest["segments"]:
        segments[entry["segment_id"]] = Segment(
            entry["segment_id"], entry["partition_id"], str(folder / entry["file"]), entry["rows"],
            entry["resident_bytes"], bytes.fromhex(entry["content_hash"]),
            entry["delete_generation"], first_row)
        first_row += entry["rows"]
    return Collection(manifest["collection_id"], manifest["name"], manifest["dim"],
                      manifest["readable_version"], segments)


def read_vectors(path, rows=None):
    """A .fbin file: uint32 rows, uint32 dim, float32 row by row. Returns [row of floats]."""
    data = pathlib.Path(path).read_bytes()
    count, dim = struct.unpack_from("<II", data)
    floats = array.array("f", data[8:8 + (rows or count) * dim * 4])
    return [floats[at:at + dim] for at in range(0, len(floats), dim)]


def load_info(collection, segment, copy_epoch, **other):
    """SegmentLoadInfo of the copy that is wanted; `other` replaces fields, to provoke refusals."""
    return pb.SegmentLoadInfo(**{
        "segment_id": segment.segment_id, "collection_id": collection.collection_id,
        "partition_id": segment.partition_id, "replica": "r1", "path": segment.path,
        "content_hash": segment.content_hash, "mem_size": segment.mem_size,
        "num_rows": segment.rows, "delete_generation": segment.delete_generation,
        "epoch": epoch(copy_epoch), "state": pb.Sealed, **other})


def segment_info(collection, segment, node_id, copy_epoch):
    """SegmentInfo of a copy, as a change info names it."""
    return pb.SegmentInfo(
        segment_id=segment.segment_id, collection_id=collection.collection_id,
        partition_id=segment.partition_id, mem_size=segment.mem_size, num_rows=segment.rows,
        node_id=node_id, state=pb.Sealed, epoch=epoch(copy_epoch),
        content_hash=segment.content_hash, delete_generation=segment.delete_generation,
        replica="r1", copy_state=pb.COPY_SERVING)


def witness(segment, node_id, copy_epoch):
    """The copy that must say SERVING before another one goes (C6)."""
    return pb.Witness(node_id=node_id, segment_id=segment.segment_id, epoch=epoch(copy_epoch),
                      content_hash=segment.content_hash,
                      delete_generation=segment.delete_generation)


@dataclasses.dataclass
class Answer:
    """All parts of one SearchAnswer: covered {segment: epoch}, refused {segment: Refusal},
    hits [query][(distance, key)]."""
    status: int
    text: str
    covered: dict
    refused: dict
    hits: list


def unite_parts(parts, segment_ids, nq):
    """The parts 0 .. n-1 of one answer; coverage counts only when all are in."""
    first = parts[0]
    bits = first.covered
    ids = [segment for i, segment in enumerate(segment_ids)
           if i // 8 < len(bits) and bits[i // 8] >> (i % 8) & 1]
    hits = [[] for _ in range(nq)]
    for part in parts:
        at = 0
        for i, count in enumerate(part.hit_counts):
            hits[part.first_query + i] += zip(part.distances[at:at + count],
                                              part.primary_keys[at:at + count])
            at += count
    return Answer(first.status, first.text, dict(zip(ids, map(pair, first.epochs))),
                  {segment_ids[r.index]: r for r in first.refused}, hits)


def best(hits, k):
    """The k best of hits of several answers (l2: smaller is better), distinct by key."""
    return sorted({key: (distance, key) for distance, key in hits}.values())[:k]


def brute_force(vectors, segments, query, k):
    """The truth: squared distances to every row of the segments, in double precision."""
    return sorted((math.dist(vectors[row], query) ** 2, row) for segment in segments
                  for row in range(segment.first_row, segment.first_row + segment.rows))[:k]


def same_hits(got, wanted, vectors, query):
    """Are these the nearest? Each key has the distance it claims, in the order of the truth, up to
    the rounding of float32."""
    close = [math.isclose(d, w, rel_tol=1e-4, abs_tol=1e-5) and
             math.isclose(d, math.dist(vectors[key], query) ** 2, rel_tol=1e-4, abs_tol=1e-5)
             for (d, key), (w, _) in zip(got, wanted)]
    return len(got) == len(wanted) and all(close)
