# SPDX-License-Identifier: Apache-2.0
"""The steps the chapters are made of: load, report, view, search, release. Each says what it does
and checks what comes back."""
import os

import qnode_pb2 as pb
import wire
from driver import Driver
from story import Failure
from wire import pair, words

K, QUERIES = 10, 2
RSS_NOISE = int(os.environ.get("RSS_NOISE", "0"))  # bytes; a sanitizer allocates beside the agent


def later(say):
    """`say`, but not the first time it is called: it was said already, and would be a repeat."""
    said = []
    return lambda: say() if said else said.append(True)


class Steps(Driver):
    """The state of a small coordinator: where the copies are, and the newest view."""

    def __init__(self, bus, cluster, client, story, folder, base, query):
        super().__init__(bus, cluster, client, story)
        self.collection = wire.read_collection(folder)
        self.segments = self.collection.segments
        self.vectors = wire.read_vectors(base)
        self.queries = wire.read_vectors(query, QUERIES)
        self.places = {}  # {segment_id: {node_id: epoch}}, what the next view says
        self.view = (0, 0)
        self.readable_version = self.collection.readable_version

    def load(self, segment_ids, node_id):
        """LoadSegments, its receipts, and the report that shows them serving."""
        wanted = {s: self.mint() for s in segment_ids}
        body = pb.LoadSegments(segments=[wire.load_info(self.collection, self.segments[s], e)
                                         for s, e in wanted.items()])
        names = ", ".join(f"{s} @{words(e)}" for s, e in wanted.items())
        request_id, say = self.command(node_id, body, f"LoadSegments {names}")
        say()
        for segment_id, copy_epoch in wanted.items():
            segment = self.segments[segment_id]
            _, loaded = self.receipt(node_id, "segment_loaded", request_id, segment_id, copy_epoch,
                                     later(say))
            self.story.check("its epoch is the one minted, its bytes are mem_size; nothing adopted",
                             (pair(loaded.epoch), copy_epoch), (loaded.bytes, segment.mem_size),
                             (loaded.adopted, False), loaded.numa_node < 64)
            self.places.setdefault(segment_id, {})[node_id] = copy_epoch
        self.check_report(node_id)

    def check_report(self, node_id):
        """The node's own list has what we think it has, and nothing else."""
        wanted = {s: places[node_id] for s, places in self.places.items() if node_id in places}
        node = self.full_report(node_id, "your copies", lambda n: n.term == self.term and {
            s: pair(c.segment.epoch) for s, c in n.copies.items()
            if c.segment.copy_state == pb.COPY_SERVING} == wanted and len(n.copies) == len(wanted))
        for segment_id, copy in node.copies.items():
            segment, info = self.segments[segment_id], copy.segment
            for fact in ((info.content_hash, segment.content_hash), (info.node_id, node_id),
                         (info.mem_size, segment.mem_size), (info.num_rows, segment.rows),
                         (info.collection_id, self.collection.collection_id), (info.replica, "r1"),
                         (info.state, pb.Sealed)):
                if fact[0] != fact[1]:
                    raise Failure(f"node {node_id} reports {info}")
        held = sum(self.segments[s].mem_size for s in wanted)
        text = ", ".join(f"{s}@{words(e)}" for s, e in sorted(wanted.items())) or "none"
        self.story.said(f"node/{node_id}", f"report.{node_id}",
                        f"copies {text}; ledger {node.report.memory.ledger_bytes:,} bytes")
        self.story.check(f"its term and its list are ours; its ledger holds these {held:,} bytes",
                         node.report.copies_count == len(wanted),
                         node.report.memory.ledger_bytes >= held)

    def publish_view(self):
        """CollectionView, in one page, on query.<collection>.0; heard by a client of ours."""
        self.view = self.mint()
        view = pb.CollectionView(
            collection_id=self.collection.collection_id, name=self.collection.name,
            version=wire.epoch(self.view), readable_version=self.readable_version, metric=pb.L2,
            dim=self.collection.dim, page=0, pages=1)
        for segment_id, places in sorted(self.places.items()):
            segment = self.segments[segment_id]
            view.items.append(pb.ViewItem(
                segment_id=segment_id, delete_generation=segment.delete_generation,
                partition_id=segment.partition_id, num_rows=segment.rows,
                content_hash=segment.content_hash,
                copies=[pb.ViewCopy(node_id=n, epoch=wire.epoch(e), replica="r1")
                        for n, e in sorted(places.items())]))
        subject = f"query.{self.collection.collection_id}.0"
        text = "; ".join(f"{s} on {' and '.join(map(str, sorted(p)))}"
                         for s, p in sorted(self.places.items()))
        message = self.envelope(collection_view=view)
        what = [f"CollectionView {words(self.view)}, readable version {self.readable_version}: "
                f"{text or 'nothing'}"]
        heard = self.hear("our own view", lambda s, m: s == subject and m == message,
                          lambda: self.publish(subject, message, what.pop() if what else None))
        self.story.check("a client hears the view as it was sent",
                         (heard.collection_view.version, view.version))

    def search(self):
        """A client's search on the newest view: all copies of every segment are asked (C4)."""
        by_node = {}
        for segment_id, places in sorted(self.places.items()):
            for node_id in places:
                by_node.setdefault(node_id, []).append(segment_id)
        covered, hits = set(), [[] for _ in self.queries]
        for node_id, segment_ids in sorted(by_node.items()):
            answer = self.ask(node_id, self.collection, segment_ids, self.queries, K)
            wanted = {s: self.places[s][node_id] for s in segment_ids}
            self.story.check(f"node {node_id} covers all it was asked for, at the view's epochs",
                             (answer.status, pb.OK), (answer.covered, wanted), (answer.refused, {}))
            covered |= set(answer.covered)
            for mine, more in zip(hits, answer.hits):
                mine += more
        self.check_hits(hits, sorted(self.places))
        self.story.check(f"COMPLETE at {words(self.view)}: every segment of the view is covered",
                         (covered, set(self.places)))

    def check_hits(self, hits, segment_ids):
        segments = [self.segments[s] for s in segment_ids]
        for number, (found, query) in enumerate(zip(hits, self.queries)):
            truth = wire.brute_force(self.vectors, segments, query, K)
            got = wire.best(found, K)
            keys = ", ".join(str(key) for _, key in got[:4])
            self.story.check(f"query {number}: the {K} nearest as by brute force: {keys}, ...",
                             wire.same_hits(got, truth, self.vectors, query))

    def refused_load(self, node_id, segment_id, status, what, **other):
        """A load that must fail, and how."""
        info = wire.load_info(self.collection, self.segments[segment_id], self.mint(), **other)
        request_id, say = self.command(node_id, pb.LoadSegments(segments=[info]),
                                       f"LoadSegments {segment_id}, {what}")
        _, failed = self.receipt(node_id, "load_failed", request_id, segment_id,
                                 pair(info.epoch), say)
        self.story.check(f"LoadFailed {pb.Status.Name(status)}: {what}", (failed.status, status),
                         (pair(failed.epoch), pair(info.epoch)))
        if status == pb.OVER_BUDGET:
            self.story.check("it says how much is needed, and how much is free",
                             (failed.need_bytes, info.mem_size),
                             0 < failed.free_bytes < failed.need_bytes)
        return failed

    def change(self, segment_id, source, target):
        """SealedSegmentsChangeInfo of one move, without not_after."""
        segment, places = self.segments[segment_id], self.places[segment_id]
        return pb.SealedSegmentsChangeInfo(
            collection_id=self.collection.collection_id, version=wire.epoch(self.view),
            follows=wire.epoch(self.follows), infos=[pb.SegmentChangeInfo(
                online_node_id=target, offline_node_id=source,
                online_segments=[wire.segment_info(self.collection, segment, target,
                                                   places[target])],
                offline_segments=[wire.segment_info(self.collection, segment, source,
                                                    places[source])])])

    @staticmethod
    def release(segment_id, copy_epoch, ground, **more):
        return pb.ReleaseSegments(segments=[pb.SegmentRelease(
            segment_id=segment_id, epoch=wire.epoch(copy_epoch), ground=ground, **more)])

    def check_released(self, released, node_id, segment_id, copy_epoch, ground, moved_to=0):
        size = self.segments[segment_id].mem_size
        self.story.check(f"released at {words(copy_epoch)}, all {size:,} bytes, "
                         f"{pb.Ground.Name(ground)}" + (f" to {moved_to}" if moved_to else ""),
                         (pair(released.epoch), copy_epoch), (released.bytes, size),
                         (released.ground, ground), (released.moved_to, moved_to),
                         released.numa_node < 64)
        fell = released.rss_before - released.rss_after
        self.story.check(f"RssAnon of node {node_id} fell by {fell:,} bytes: at least 99 % of it",
                         fell >= size * 0.99 - RSS_NOISE)

    def let_go(self, node_id, segment_id, copy_epoch, ground, **more):
        request_id, say = self.command(
            node_id, self.release(segment_id, copy_epoch, ground, **more),
            f"ReleaseSegments {segment_id} @{words(copy_epoch)}, {pb.Ground.Name(ground)}")
        _, released = self.receipt(node_id, "segment_released", request_id, segment_id,
                                   copy_epoch, say)
        self.check_released(released, node_id, segment_id, copy_epoch, ground)
