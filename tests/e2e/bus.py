# SPDX-License-Identifier: Apache-2.0
"""Bus servers as processes. A bus is started and killed by the test, and always comes back under
the same URL. What a class must have: process_name, url, start(), kill(), mute(), lacks(), and
connections(), which is None where the server does not tell."""
import calendar
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

CONTRACT = pathlib.Path(__file__).resolve().parents[1] / "contract"


class Bus:
    """A server process of the cluster on a port of 127.0.0.1."""
    process_name, connections = "", None

    def __init__(self, cluster):
        self.cluster, self.url, self.port = cluster, None, "-1"

    @staticmethod
    def lacks():
        """Why no such server can run here; empty: it can."""
        return ""

    def kill(self):
        """SIGKILL; safe from any thread."""
        process = self.cluster.processes[self.process_name]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    @contextlib.contextmanager
    def mute(self):
        """In the place of the killed server: takes connections and says nothing."""
        with socket.create_server(("127.0.0.1", int(self.port)), backlog=100):
            yield


class NatsBus(Bus):
    """One nats-server; its monitoring port tells who is connected since when."""
    process_name, monitor = "nats", None

    @staticmethod
    def lacks():
        return "" if shutil.which("nats-server") else "nats-server is not installed"

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


class JetStreamBus(NatsBus):
    """The same server retaining the views."""

    def more(self):
        return "-js", "--store_dir", self.cluster.folder / "js"


class KafkaBus(Bus):
    """One Apache Kafka broker with the topics of the cluster; it is back when its port answers."""
    process_name, broker = "kafka", CONTRACT / "kafka_broker"

    @classmethod
    def lacks(cls):
        return subprocess.run([cls.broker, "check"], stdout=subprocess.PIPE, text=True).stdout.strip()

    def start(self):
        folder, is_first = self.cluster.folder / "kafka", self.url is None
        process = self.cluster.spawn("kafka", self.broker, "run", folder)
        until = time.monotonic() + 90
        while not self.answers(folder / "address"):
            if time.monotonic() > until or process.poll() is not None:
                raise AssertionError("the Kafka broker does not start")
            time.sleep(0.01)
        if is_first:
            self.cluster.url = self.url
            self.cluster.ctl("topics", "create")

    def answers(self, address):
        if not address.exists():
            return False
        self.url = "kafka://" + address.read_text().strip()
        self.port = self.url.rsplit(":", 1)[1]
        try:
            socket.create_connection(("127.0.0.1", int(self.port)), 1).close()
            return True
        except OSError:
            return False
