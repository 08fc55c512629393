# SPDX-License-Identifier: Apache-2.0
"""A coordinator that is not ours: written from channel/PROTOCOL.md and qnode.proto alone.

It drives two agents from an empty start to an empty end and checks every receipt. Each function
below is a chapter, named after the section of PROTOCOL.md that it illustrates; read them in order,
with that page beside you. tests/foreign/run starts all it needs.

usage: coordinator.py nats|kafka URL CLUSTER FOLDER BASE.fbin QUERY.fbin [DAMAGED_FOLDER]
"""
import os
import pathlib
import sys

import qnode_pb2 as pb
import wire
from driver import SEARCH_MS
from steps import K, Steps
from story import Failure, Story
from wire import pair, words

GRACE_MS = int(os.environ.get("RELEASE_GRACE_MS", "500"))
A, B = 1, 2


class Tutorial(Steps):
    """One method, one chapter."""

    def hear_and_take_a_term(self):
        self.story.chapter("Listen, then take a term (sections 1, 2: C1, C2)", """
            Reports say all there is to know of the nodes. The term of a coordinator that starts is
            above all it has heard. A ReportRequest brings the full list; the term of a node only
            rises with a command.""")
        self.hear("a report of both nodes", lambda *_: {A, B} <= set(self.nodes))
        for node_id in (A, B):
            node = self.nodes[node_id]
            self.story.said(f"node/{node_id}", f"report.{node_id}",
                            f"boot {node.boot}, term {node.term}, "
                            f"{node.report.copies_count} copies,"
                            f" budget {node.report.memory.budget_bytes:,} bytes")
            self.story.check(f"the heartbeat of node {node_id}", node.boot > 0,
                             not node.report.leaving,
                             node.report.kernels in ("scalar", "avx2", "avx512"))
        self.take_term()
        self.story.said("coordinator", "agent.0.control", f"ReportRequest: term {self.term} is here")
        for node_id in (A, B):
            node = self.full_report(node_id, "your copies", lambda n: True)
            self.story.check(f"node {node_id} has no copy",
                             (node.copies, {}), (node.report.copies_count, 0))

    def a_load(self):
        self.story.chapter("A load (section 6)", """
            The epoch of a copy is minted once, when it is wanted. Two segments on each node; then
            the first command again, as if its receipt had been lost: one load, the same
            receipt.""")
        ids = sorted(self.segments)
        self.load(ids[:len(ids) // 2], A)
        self.load(ids[len(ids) // 2:], B)
        copy_epoch = self.places[ids[0]][A]
        request_id, say = self.command(A, pb.LoadSegments(segments=[
            wire.load_info(self.collection, self.segments[ids[0]], copy_epoch)]),
            f"LoadSegments {ids[0]} @{words(copy_epoch)}, again")
        _, loaded = self.receipt(A, "segment_loaded", request_id, ids[0], say=say)
        self.story.check("nothing is loaded twice (C5)", (pair(loaded.epoch), copy_epoch),
                         (loaded.adopted, False))

    def a_view_and_a_search(self):
        self.story.chapter("A view, and a search (sections 4 and 6: C3, C4)", """
            The view says what is readable and where. A search names its segments, to one agent at
            a time; each answer says what it covers; the client unites them.""")
        self.publish_view()
        self.search()

    def refusals(self):
        self.story.chapter("What an agent refuses (section 5)", """
            The first check that fails ends it; the answer goes to event.<node>, and to reply_to
            if the command names one.""")
        first, last = min(self.segments), max(self.segments)
        segment, body = self.segments[last], pb.LoadSegments()
        body.segments.append(wire.load_info(self.collection, segment, self.mint()))

        stale = self.term - 1
        request_id, say = self.command(A, body, f"LoadSegments {last} with term {stale}",
                                       term=stale)
        message, refused = self.receipt(A, "command_refused", request_id, 0, say=say)
        self.story.check(f"TERM_STALE: {stale} was the command's term, {self.term} is known",
                         (refused.status, pb.TERM_STALE), (refused.command_term, stale),
                         (message.term, self.term))

        reply = f"reply.{self.client}.{self.requests + 1}"
        body.not_after.CopyFrom(pb.NotAfter(boot=self.nodes[A].boot, uptime_ms=0))
        request_id, say = self.command(A, body, f"LoadSegments {last} with not_after 0 ms, and a "
                                       "reply_to", expires=False,
                                       reply_to=f"qnode.{self.cluster}.{reply}")
        answer = self.hear("the refusal on reply_to", lambda s, m: s == reply, say)
        self.story.said(answer.sender, "reply", f"CommandRefused: {answer.command_refused.text}")
        self.story.check("EXPIRED, by the receiver's own clock", (answer.request_id, request_id),
                         (answer.command_refused.status, pb.EXPIRED))

        self.refused_load(A, last, pb.OVER_BUDGET, "mem_size 1 TiB", mem_size=1 << 40)
        self.refused_load(A, last, pb.INVALID, "state Growing", state=pb.Growing)
        self.refused_load(A, first, pb.CONFLICT, "other content", content_hash=bytes(16))
        self.refused_load(A, last, pb.NOT_FOUND, "a path where nothing is", path="/nowhere.qseg")

        older = (self.term, 0)
        request_id, say = self.command(A, pb.ReleaseSegments(segments=[pb.SegmentRelease(
            segment_id=first, epoch=wire.epoch(older), ground=pb.GROUND_FORCE, operator="eve")]),
            f"ReleaseSegments {first} @{words(older)}, an older epoch")
        _, refused = self.receipt(A, "command_refused", request_id, first, say=say)
        self.story.check("EPOCH_STALE, with the epoch held: a late release takes no newer copy",
                         (refused.status, pb.EPOCH_STALE),
                         (pair(refused.epoch), self.places[first][A]))
        self.search()

    def damaged_files(self, folder):
        self.story.chapter("Bad files (section 6: a load that fails)", """
            Each has a byte flipped or is cut short. The agent says what is wrong, in the words of
            `qseg verify`, and serves on.""")
        target = max(self.segments)
        for path in sorted(pathlib.Path(folder).glob("*.qseg")):
            info = wire.load_info(self.collection, self.segments[target], self.mint(),
                                  path=str(path))
            request_id, say = self.command(A, pb.LoadSegments(segments=[info]),
                                           f"LoadSegments {target} from {path.name}")
            _, failed = self.receipt(A, ("load_failed", "segment_loaded"), request_id, target,
                                     pair(info.epoch), say)
            verify = path.with_suffix(".txt").read_text()
            reason = failed.text[failed.text.index(path.stem):]
            self.story.check("refused, in the same words", failed.status != pb.OK, reason in verify)
        self.search()

    def a_newer_epoch_is_adopted(self):
        self.story.chapter("A newer epoch is adopted (section 5: C5)", """
            LOAD with a newer epoch and the same content reads nothing: the copy that is there
            takes the epoch. The next view names it.""")
        segment_id = min(self.segments)
        before, copy_epoch = self.places[segment_id][A], self.mint()
        request_id, say = self.command(A, pb.LoadSegments(segments=[
            wire.load_info(self.collection, self.segments[segment_id], copy_epoch)]),
            f"LoadSegments {segment_id} @{words(copy_epoch)}; it is held @{words(before)}")
        _, loaded = self.receipt(A, "segment_loaded", request_id, segment_id, say=say)
        self.story.check("adopted, at the newer epoch", loaded.adopted,
                         (pair(loaded.epoch), copy_epoch))
        self.places[segment_id][A] = copy_epoch
        self.check_report(A)
        self.publish_view()
        self.search()

    def a_release_is_held(self):
        self.story.chapter("A release is held (section 1: C6)", """
            MOVED needs a witness that serves. Node 2 does not hold the segment: the copy becomes
            LEAVING, asks, hears no, and is SERVING again.""")
        segment_id = min(self.segments)
        segment, copy_epoch = self.segments[segment_id], self.places[segment_id][A]
        request_id, say = self.command(A, pb.ReleaseSegments(segments=[pb.SegmentRelease(
            segment_id=segment_id, epoch=wire.epoch(copy_epoch), ground=pb.GROUND_MOVED,
            witnesses=[wire.witness(segment, B, copy_epoch)])]),
            f"ReleaseSegments {segment_id} @{words(copy_epoch)}, MOVED, witness node {B}")
        say()
        _, leaving = self.receipt(A, "leaving", request_id, segment_id, copy_epoch)
        self.story.check("the copy became LEAVING", (pair(leaving.epoch), copy_epoch))
        _, held = self.receipt(A, "release_held", request_id, segment_id, copy_epoch)
        self.story.check("held, and the witness is named", (pair(held.epoch), copy_epoch),
                         (held.witness_node_id, B), held.status != pb.OK)
        self.check_report(A)
        self.search()

    def a_hand_off(self):
        segment_id = sorted(self.segments)[1]
        self.story.chapter(f"A hand-off of segment {segment_id} from node {A} to node {B} "
                           "(section 6)", """
            The target loads; a view names both copies and both are asked; a view names the target
            alone; the change info tells clients and the source; the source leaves, asks its
            witness, drains, gives the memory back and says so.""")
        source_epoch = self.places[segment_id][A]
        self.load([segment_id], B)
        self.publish_view()
        self.search()
        self.follows = self.view
        both = dict(self.places[segment_id])
        self.places[segment_id] = {B: both[B]}
        self.publish_view()
        self.places[segment_id] = both
        change = self.change(segment_id, A, B)
        self.places[segment_id] = {B: both[B]}

        subject = f"query.{self.collection.collection_id}"
        what = (f"SealedSegmentsChangeInfo {words(self.view)}, follows {words(self.follows)}: "
                f"{segment_id} online on {B}, offline on {A}")
        self.publish(subject, self.envelope(sealed_segments_change_info=change), what)
        request_id, say = self.command(A, change, what + "; not_after")
        say()
        _, leaving = self.receipt(A, "leaving", request_id, segment_id, source_epoch)
        self.story.check("the source is LEAVING", (pair(leaving.epoch), source_epoch))
        answer = self.ask(A, self.collection, [segment_id], self.queries, K)
        self.story.check("it answers until its grace is over, then says MOVED; never an empty "
                         "success", answer.covered == {segment_id: source_epoch} or
                         (segment_id in answer.refused and not any(answer.hits)))
        _, released = self.receipt(A, "segment_released", request_id, segment_id, source_epoch)
        self.check_released(released, A, segment_id, source_epoch, pb.GROUND_MOVED, B)
        self.story.check(f"it left no sooner than its grace of {GRACE_MS} ms",
                         released.waited_ms >= GRACE_MS)
        self.check_report(A)

        answer = self.ask(A, self.collection, [segment_id], self.queries, K)
        self.story.check(f"who still names node {A} is refused MOVED to {B}, and gets no hit",
                         (answer.covered, {}), (answer.refused[segment_id].status, pb.MOVED),
                         (answer.refused[segment_id].moved_to, B), not any(answer.hits))
        answer = self.ask(B, self.collection, [segment_id], self.queries, K)
        self.story.check(f"node {B} covers it", (answer.covered, {segment_id: both[B]}))
        self.check_hits(answer.hits, [segment_id])
        self.search()

        again = self.release(segment_id, source_epoch, pb.GROUND_MOVED,
                             witnesses=[wire.witness(self.segments[segment_id], B, both[B])])
        request_id, say = self.command(
            A, again, f"ReleaseSegments {segment_id} @{words(source_epoch)}, again")
        _, released = self.receipt(A, "segment_released", request_id, segment_id, say=say)
        self.story.check("what was released lately is receipted again (C5)",
                         (pair(released.epoch), source_epoch))
        self.refused_load_of_released(segment_id, source_epoch)

    def refused_load_of_released(self, segment_id, old):
        """The epoch is gone for good: a late LoadSegments brings nothing back."""
        request_id, say = self.command(A, pb.LoadSegments(segments=[
            wire.load_info(self.collection, self.segments[segment_id], old)]),
            f"LoadSegments {segment_id} @{words(old)}, late")
        _, failed = self.receipt(A, "load_failed", request_id, segment_id, say=say)
        self.story.check("a released epoch is EPOCH_STALE", (failed.status, pb.EPOCH_STALE),
                         (pair(failed.epoch), old))

    def two_releases_that_cross(self):
        self.story.chapter("Two releases that cross (section 1: C6)", """
            Two copies, and each is told to go with the other as its witness. LEAVING says no: at
            most one goes.""")
        segment_id = min(self.segments)
        self.load([segment_id], B)
        self.publish_view()
        self.follows = self.view
        asked = {}
        for source, target in ((A, B), (B, A)):
            request_id, say = self.command(source, self.change(segment_id, source, target),
                                           f"SealedSegmentsChangeInfo: {segment_id} online on "
                                           f"{target}, offline on {source}; not_after")
            asked[source] = request_id
            say()
        gone = []
        for source, request_id in asked.items():
            message, _ = self.receipt(source, ("segment_released", "release_held"), request_id,
                                      segment_id, self.places[segment_id][source])
            if message.HasField("segment_released"):
                gone.append(source)
        self.story.check("a copy is left", len(gone) < 2)
        for node_id in gone:
            del self.places[segment_id][node_id]
        self.check_report(A)
        self.check_report(B)
        self.publish_view()
        self.search()

    def the_end(self):
        self.story.chapter("The end: CEASED and FORCE (section 1: C6, C8)", f"""
            A segment is in no view any more and no rows of it remain: CEASED, without a witness,
            no sooner than the longest search takes: our one client waits {SEARCH_MS} ms at most
            and has no search on its way. The others go by FORCE, in the name of an operator.""")
        ceased = max(self.segments)
        node_id, copy_epoch = next(iter(self.places[ceased].items()))
        del self.places[ceased]
        self.readable_version += 1
        self.publish_view()
        self.search()
        self.let_go(node_id, ceased, copy_epoch, pb.GROUND_CEASED, since=wire.epoch(self.view))
        for segment_id in sorted(self.places):
            for node_id, copy_epoch in sorted(self.places.pop(segment_id).items()):
                self.let_go(node_id, segment_id, copy_epoch, pb.GROUND_FORCE, operator="eve@ops")
        self.readable_version += 1
        self.publish_view()
        for node_id in (A, B):
            self.check_report(node_id)
            memory = self.nodes[node_id].report.memory
            self.story.check(f"node {node_id} is empty", (memory.ledger_bytes, 0),
                             (memory.reserved_bytes, 0))


def main():
    if len(sys.argv) not in (7, 8) or sys.argv[1] not in ("nats", "kafka"):
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    kind, url, cluster, folder, base, query, *damaged = sys.argv[1:]
    Bus = __import__(f"bus_{kind}").Bus
    client, story = f"f{os.getpid():x}", Story()
    bus = Bus(url, cluster, client)
    print(f"A coordinator in Python drives two agents over {bus.name}; cluster {cluster}.\n"
          f"Subjects stand without \"qnode.{cluster}.\"; @5.42 is an epoch (term, version).")
    tutorial = Tutorial(bus, cluster, client, story, folder, base, query)
    try:
        tutorial.hear_and_take_a_term()
        tutorial.a_load()
        tutorial.a_view_and_a_search()
        tutorial.refusals()
        for folder in damaged:
            tutorial.damaged_files(folder)
        tutorial.a_newer_epoch_is_adopted()
        tutorial.a_release_is_held()
        tutorial.a_hand_off()
        tutorial.two_releases_that_cross()
        tutorial.the_end()
        return story.end()
    except Failure as trouble:
        return story.end(trouble)
    finally:
        bus.close()


if __name__ == "__main__":
    sys.exit(main())
