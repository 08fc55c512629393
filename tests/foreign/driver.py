# SPDX-License-Identifier: Apache-2.0
"""What every coordinator needs whatever it decides: a term, the nodes as their reports say,
commands that are repeated until a receipt comes; and a client's search, to check what it did."""
import collections
import dataclasses
import random
import re
import struct
import time

import qnode_pb2 as pb
import wire
from story import Failure

LIVES_MS = 10_000   # a command is void that long after the receiver's last report
AGAIN_S = 1.0       # what is still wanted is said again (C1)
PATIENCE_S = 30.0   # then this story has failed; a real coordinator never gives up
SEARCH_MS = 5_000


def came_rightly(subject, message):
    """The bus protects subjects, not the names inside: a report speaks for the node of its subject,
    a receipt for its sender's (section 2)."""
    kind = message.WhichOneof("body")
    if kind == "node_report":
        return subject == f"report.{message.node_report.node_id}"
    if kind == "report_request":
        return subject == "agent.0.control"
    if subject.startswith("event."):
        return message.sender == "node/" + subject.split(".")[1]
    return True


@dataclasses.dataclass
class Node:
    """One agent, as its reports say."""
    boot: int = 0
    number: int = -1
    term: int = 0
    uptime_ms: int = 0
    report: pb.NodeReport = None
    pages: dict = dataclasses.field(default_factory=dict)
    copies: dict = None      # of the last full list: {segment_id: CopyReport}
    copies_number: int = -1  # the report that list came with


class Driver:
    def __init__(self, bus, cluster, client, story):
        self.bus, self.cluster, self.client, self.story = bus, cluster, client, story
        self.boot = time.time_ns() // 1_000_000  # any number, another one at each start
        self.term = self.version = self.requests = self.highest_term = 0
        self.nodes = {}
        self.events = collections.deque(maxlen=1000)  # receipts nobody has waited for yet
        self.beacon_at = 0.0

    # ---- saying (section 3: the envelope) ------------------------------------------------------

    def envelope(self, **fields):
        return pb.Message(**{"cluster": self.cluster, "sender": "coordinator", "boot": self.boot,
                             "term": self.term, **fields})

    def request(self):
        self.requests += 1
        return self.requests

    def publish(self, subject, message, what=None, reply=""):
        self.bus.publish(subject, message.SerializeToString(), reply)
        if what:
            self.story.said(message.sender, subject, what)

    def mint(self):
        """The next (term, version): the one counter of the cluster (C2)."""
        self.version += 1
        return self.term, self.version

    def not_after(self, node_id):
        """By the receiver's own clock (section 6, Expiry)."""
        node = self.nodes[node_id]
        return pb.NotAfter(boot=node.boot, uptime_ms=node.uptime_ms + LIVES_MS)

    # ---- hearing -------------------------------------------------------------------------------

    def beacon(self):
        """Each second, on the control of no node: a coordinator of this term is there (section 2)."""
        if self.term and time.monotonic() - self.beacon_at > 1.0:
            self.beacon_at = time.monotonic()
            self.publish("agent.0.control", self.envelope(report_request=pb.ReportRequest()))

    def next(self, seconds):
        """(subject, Message) of the next message that is ours, or (None, None)."""
        self.beacon()
        heard = self.bus.next(seconds)
        if heard is None:
            return None, None
        message = pb.Message()
        try:
            message.ParseFromString(heard[1])
        except Exception:  # what is not a Message is dropped (section 3)
            return None, None
        if message.cluster != self.cluster or not came_rightly(heard[0], message):
            return None, None
        self.highest_term = max(self.highest_term, message.term)
        if message.WhichOneof("body") == "node_report":
            self.take_report(message)
        rival = message.HasField("report_request")
        if rival and self.term and (message.term, message.boot) > (self.term, self.boot):
            raise Failure(f"a coordinator of term {message.term} is there: we step down (C2)")
        return heard[0], message

    def take_report(self, message):
        """Reports of a lower (boot, number) are dropped; a list counts when its pages are in."""
        report = message.node_report
        node = self.nodes.setdefault(report.node_id, Node())
        if (message.boot, report.report_number) < (node.boot, node.number):
            return
        if (message.boot, report.report_number) != (node.boot, node.number):
            node.pages = {}
        if message.boot != node.boot:
            node.copies, node.copies_number = None, -1
        node.boot, node.number, node.term = message.boot, report.report_number, message.term
        node.uptime_ms, node.report = report.uptime_ms, report
        if report.has_copies:
            node.pages[report.page] = report
            if len(node.pages) == report.pages:
                node.copies = {c.segment.segment_id: c for page in node.pages.values()
                               for c in page.copies}
                node.copies_number = report.report_number

    def hear(self, what, wanted, say=None):
        """Hears until wanted(subject, message) is true and returns that message. `say` is called
        first, and again each second until then: any message may be lost (C1)."""
        until, again = time.monotonic() + PATIENCE_S, 0.0
        while time.monotonic() < until:
            if say and time.monotonic() >= again:
                again = time.monotonic() + AGAIN_S
                say()
            subject, message = self.next(0.1)
            if message is None:
                continue
            if wanted(subject, message):
                return message
            if subject.startswith("event."):
                self.events.append((subject, message))
        raise Failure(f"{what} did not come within {PATIENCE_S:.0f} s")

    # ---- commands and receipts -----------------------------------------------------------------

    def command(self, node_id, body, what, expires=True, **envelope):
        """Returns (request_id, say): say() sends the command, each time with a later not_after."""
        request_id, said = self.request(), []

        def say():
            if expires:
                body.not_after.CopyFrom(self.not_after(node_id))
            message = self.envelope(request_id=request_id, **envelope)
            getattr(message, BODIES[type(body)]).CopyFrom(body)
            self.publish(f"agent.{node_id}.control", message, None if said else what)
            said.append(what)
        return request_id, say

    def receipt(self, node_id, kinds, request_id, segment_id, copy_epoch=None, say=None):
        """The receipt of one of these kinds, of that segment, on `event.<node>`. What is sent at
        once repeats the request's id; what comes later (loaded, failed, held, released) has none:
        then the copy's epoch tells what it is for, and copy_epoch must be given."""
        kinds = (kinds,) if isinstance(kinds, str) else kinds

        def wanted(subject, message):
            kind = message.WhichOneof("body")
            if subject != f"event.{node_id}" or kind not in kinds:
                return False
            body = getattr(message, kind)
            late = message.request_id == 0 and copy_epoch == wire.pair(body.epoch)
            return body.segment_id == segment_id and (late or message.request_id == request_id)
        what = f"{' or '.join(kinds)} of segment {segment_id} from node {node_id}"
        message = self.unread(wanted) or self.hear(what, wanted, say)
        kind = message.WhichOneof("body")
        body = getattr(message, kind)
        self.story.said(message.sender, f"event.{node_id}", tell(kind, body))
        self.story.check(
            f"its envelope: node {node_id}, its boot, its term, "
            + (f"request {request_id}" if message.request_id else "later: no request"),
            (message.sender, f"node/{node_id}"), (message.boot, self.nodes[node_id].boot),
            message.term == self.term)
        return message, body

    def unread(self, wanted):
        """A receipt that came while another one was awaited: they come in any order."""
        for i, (subject, message) in enumerate(self.events):
            if wanted(subject, message):
                del self.events[i]
                return message
        return None

    def full_report(self, node_id, what, wanted):
        """Asks for the list of copies until a whole one says what is wanted; returns the node."""
        seen = self.nodes[node_id].copies_number
        _, say = self.command(node_id, pb.ReportRequest(), f"ReportRequest: {what}?", expires=False)

        def listed(subject, message):
            node = self.nodes.get(node_id)
            return (subject == f"report.{node_id}" and node.copies is not None
                    and node.copies_number > seen and wanted(node))
        self.hear(f"a report of node {node_id}: {what}", listed, say)
        return self.nodes[node_id]

    # ---- the client's side: a search (C4) ------------------------------------------------------

    def ask(self, node_id, collection, segment_ids, queries, k):
        """One SearchRequest to one agent; repeated (it is idempotent) until all parts are in."""
        request_id = self.request()
        reply = f"reply.{self.client}.{request_id}"
        message = pb.Message(
            cluster=self.cluster, sender=f"client/{self.client}", request_id=request_id,
            reply_to=f"qnode.{self.cluster}.{reply}",
            search_request=pb.SearchRequest(
                collection_id=collection.collection_id, k=k, nq=len(queries), dim=collection.dim,
                metric=pb.L2, queries=b"".join(struct.pack(f"<{len(q)}f", *q) for q in queries),
                segment_ids=segment_ids, deadline_ms=SEARCH_MS))
        answers = {}  # parts of two answers are never joined: told apart by what all parts carry

        def complete(subject, heard):
            if subject != reply or heard.WhichOneof("body") != "search_answer":
                return False
            part = heard.search_answer
            key = (part.parts, part.covered, tuple(map(wire.pair, part.epochs)))
            parts = answers.setdefault(key, {})
            parts[part.part] = part
            return len(parts) == part.parts and part.status != pb.BUSY
        last = self.hear(f"an answer of node {node_id}", complete, lambda: self.publish(
            f"agent.{node_id}.search", message, reply=reply))
        part = last.search_answer
        parts = answers[(part.parts, part.covered, tuple(map(wire.pair, part.epochs)))]
        answer = wire.unite_parts([parts[i] for i in range(part.parts)], segment_ids, len(queries))
        self.story.said("client", f"agent.{node_id}.search",
                        f"SearchRequest of segments {', '.join(map(str, segment_ids))}")
        self.story.said(last.sender, "reply", tell_answer(answer))
        return answer

    def take_term(self):
        """Above all that was heard, by 1 to 1000, by chance: two that start at once rarely tie."""
        self.term = self.highest_term + random.randint(1, 1000)
        self.beacon()


BODIES = {pb.LoadSegments: "load_segments", pb.ReleaseSegments: "release_segments",
          pb.SealedSegmentsChangeInfo: "sealed_segments_change_info",
          pb.ReportRequest: "report_request"}


def tell(kind, body):
    """A receipt in words."""
    name = "".join(word.capitalize() for word in kind.split("_"))
    text = f"{name} {body.segment_id} @{wire.words(wire.pair(body.epoch))}"
    if kind == "segment_loaded":
        return f"{text}, {body.bytes:,} bytes, " + ("adopted" if body.adopted
                                                    else f"{body.took_ms} ms")
    if kind == "segment_released":
        return (text + f", {pb.Ground.Name(body.ground)}, {body.bytes:,} bytes, RssAnon "
                f"{body.rss_before:,} -> {body.rss_after:,}, waited {body.waited_ms} ms")
    if kind == "leaving":
        return text
    said = re.sub(r"\S*/", "", body.text)  # of a path its last name
    return f"{text}: {pb.Status.Name(body.status)}, \"{said}\""


def tell_answer(answer):
    covered = ", ".join(f"{s}@{wire.words(e)}" for s, e in sorted(answer.covered.items()))
    refused = "".join(f"; {s} {pb.Status.Name(r.status)}"
                      + (f" to {r.moved_to}" if r.moved_to else "")
                      for s, r in sorted(answer.refused.items()))
    return f"SearchAnswer: covered {covered or 'none'}{refused}"
