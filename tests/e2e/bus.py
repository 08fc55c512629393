# SPDX-License-Identifier: Apache-2.0
"""Bus servers as processes. A bus is started and killed by the test, and always comes back under
the same URL. What a class must have: name, process_name, url, start(), kill(), mute(), connections()."""
import calendar
import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.request


class NatsBus:
    """One nats-server; its monitoring port tells who is connected since when."""
    name, process_name = "nats", "nats"

    def __init__(self, cluster):
        self.cluster, self.url, self.port, self.monitor = cluster, None, "-1", None

    def start(self):
        process = self.cluster.spawn("nats", "nats-server", "-a", "127.0.0.1", "-p", self.port,
                                     "-m", "-1", "--ports_file_dir", self.cluster.folder,
                                     *self.more())
        ports = self.cluster.folder / f"nats-server_{process.pid}.ports"
        until = time.monotonic() + 10
        while not (ports.exists() and ports.read_text()):
            if time.monotonic() > until or process.poll() is not None:
                raise AssertionError("nats-server does not start")
            time.sleep(0.002)
        said = json.loads(ports.read_text())
        self.url, self.monitor = said["nats"][0], said["monitoring"][0]
        self.port = self.url.rsplit(":", 1)[1]

    def more(self):
        """Further arguments of the server."""
        return ()

    def kill(self):
        """SIGKILL; safe from any thread."""
        os.kill(self.cluster.processes["nats"].pid, signal.SIGKILL)
        self.cluster.processes["nats"].wait()

    @contextlib.contextmanager
    def mute(self):
        """In the place of the killed server: takes connections and says nothing."""
        with socket.create_server(("127.0.0.1", int(self.port)), backlog=100):
            yield

    def connections(self, states=("open", "closed")):
        """[(name, seconds since 1970 of its begin)] of all connections since the server's start."""
        rows = []
        for state in states:
            url = f"{self.monitor}/connz?limit=10000&state={state}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                for row in json.load(answer).get("connections") or []:
                    rows.append((row.get("name", ""), seconds_of(row["start"])))
        return rows


def seconds_of(text):
    """2026-11-27T00:57:34.540906123Z -> seconds since 1970."""
    whole, _, rest = text.rstrip("Z").partition(".")
    parsed = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(parsed) + float("0." + (rest or "0"))


# ---- a tap: every message of the cluster, by the bus's own protocol and a few lines of protobuf ----

KINDS = {20: "LoadSegments", 21: "ReleaseSegments", 22: "SealedSegmentsChangeInfo",
         30: "CopyStatusRequest", 31: "CopyStatus", 50: "NodeReport", 51: "SegmentLoaded",
         52: "SegmentReleased", 53: "LoadFailed", 54: "ReleaseHeld", 55: "Leaving",
         56: "CommandRefused", 60: "CollectionView"}


def fields(data):
    """[(number, value)] of one protobuf message: ints, or bytes for what has a length."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        tag = varint()
        kind = tag & 7
        size = {0: 0, 1: 8, 2: -1, 5: 4}[kind]
        if kind == 0:
            found.append((tag >> 3, varint()))
            continue
        if kind == 2:
            size = varint()
        found.append((tag >> 3, data[at:at + size]))
        at += size
    return found


class Tap:
    """Listens to everything on its own thread: on_message(kind, subject, body fields)."""

    def __init__(self, url, cluster_name, on_message):
        host, port = url.split("://")[1].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.on_message = on_message
        self.stream = self.socket.makefile("rb")
        self.stream.readline()  # INFO
        self.socket.sendall(b'CONNECT {"verbose":false,"name":"tap","headers":true}\r\n'
                            + f"SUB qnode.{cluster_name}.> 1\r\nPING\r\n".encode())
        while self.stream.readline() != b"PONG\r\n":
            pass
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while True:
                words = self.stream.readline().split()
                if not words:
                    return
                if words[0] == b"PING":
                    self.socket.sendall(b"PONG\r\n")
                elif words[0] in (b"MSG", b"HMSG"):
                    self.take(words)
        except OSError:
            return

    def take(self, words):
        data = self.stream.read(int(words[-1]) + 2)[:-2]
        if words[0] == b"HMSG":
            data = data[int(words[-2]):]
        for number, body in fields(data):
            if number in KINDS and isinstance(body, bytes):
                self.on_message(KINDS[number], words[1].decode(), body)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(5)
