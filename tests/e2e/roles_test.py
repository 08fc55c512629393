#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cluster whose bus server lets each role do its own work and nothing else (nats_roles.conf)."""
import json
import pathlib
import re
import subprocess

from harness import BIN, Cluster, check, run, wait_for

CONFIGURATION = pathlib.Path(__file__).resolve().parent.parent / "contract" / "nats_roles.conf"
PASSWORDS = dict(re.findall(r'user: (\w+), password: "([^"]+)"', CONFIGURATION.read_text()))


class Roles(Cluster):
    """Each process with the account of its role; the cluster is the document's: demo."""

    def __init__(self):
        super().__init__(nodes=(1, 2))

    def start_bus(self, port="-1"):
        process = self.spawn("nats", "nats-server", "-a", "127.0.0.1", "-p", port, "--ports_file_dir",
                             self.folder, "-c", CONFIGURATION, "--store_dir", self.folder / "js")
        ports = self.folder / f"nats-server_{process.pid}.ports"
        wait_for("nats-server", lambda: ports.exists() and ports.read_text(), 10)
        self.server = re.search(r"127\.0\.0\.1:\d+", ports.read_text()).group(0)
        self.url = self.url_of("client")

    def url_of(self, role):
        secret = self.folder / f"{role}.password"
        secret.write_text(PASSWORDS[role] + "\n")
        return f"nats://{role}@{self.server}?password_file={secret}"

    def arguments(self, role):
        return "--bus", self.url_of(role), "--cluster", "demo"

    def start_coordinator(self):
        self.spawn("qcoordd", BIN / "qcoordd", *self.arguments("coordinator"), "--state",
                   self.folder / "coord.db")

    def start_node(self, node, role=None):
        self.spawn(f"node{node}", BIN / "qnoded", *self.arguments(role or f"agent{node}"),
                   "--node-id", node, "--state-dir", self.folder / f"state{node}",
                   "--memory-budget", self.budget)

    def ctl(self, *arguments, code=0):
        done = subprocess.run([str(BIN / "qnodectl"), *self.arguments("operator"), "-o", "json",
                               *map(str, arguments)], capture_output=True, text=True, timeout=120)
        if code is not None and done.returncode != code:
            raise AssertionError(f"qnodectl {arguments}: exit {done.returncode}: "
                                 f"{done.stdout}{done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return None


def each_role_does_its_work():
    """Agents load, a client searches, an operator moves a segment: every receipt arrives."""
    with Roles() as cluster:
        folder = cluster.make_collection(8000, 16, 4)
        cluster.load(folder, (1, 2))
        check(len(cluster.segments()) == 4, "four segments are loaded")
        answer = cluster.search()
        check(answer["verdict"] == "COMPLETE", "a search is complete")
        cluster.ctl("load-balance", "--src", 1, "--dst", 2)
        wait_for("the moves are done",
                 lambda: {s["nodeID"] for s in cluster.segments()} == {2}, 30)
        check(cluster.search()["verdict"] == "COMPLETE", "and complete after the move")
        check("the bus retains the views" in cluster.log("qcoordd"), "the stream was made")
        for name in ("qcoordd", "node1", "node2"):
            check("refuses" not in cluster.log(name), f"{name} was refused nothing")
            for secret in PASSWORDS.values():
                check(secret not in cluster.log(name), f"{name} logs no password")


def an_agent_with_the_account_of_another_ends_at_its_start():
    """It may not hear its own control: exit 77, with the subject and the account."""
    with Roles() as cluster:
        cluster.start_node(3, role="agent1")
        node = cluster.processes["node3"]
        check(node.wait(20) == 77, "qnoded ends with 77")
        text = cluster.log("node3")
        check('the bus server refuses "agent1" to subscribe to qnode.demo.agent.3.control: give the '
              "account that permission" in text, "and says which subject")
        wrong = subprocess.run([str(BIN / "qnodectl"), "--bus",
                                f"nats://operator:wrong@{cluster.server}", "--cluster", "demo",
                                "nodes"], capture_output=True, text=True, timeout=60)
        check(wrong.returncode == 77 and 'does not let in "operator"' in wrong.stderr,
              f"a wrong password: {wrong.stderr.strip()}")


run(each_role_does_its_work, an_agent_with_the_account_of_another_ends_at_its_start)
