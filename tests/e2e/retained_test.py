#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Views that the bus retains (JetStream): who starts while no coordinator lives still finds them."""
from bus import NatsBus
from harness import Cluster, check, run, wait_for

SEGMENTS = 300


class RetainingBus(NatsBus):
    """Short messages, so that the view has several pages."""

    def more(self):
        path = self.cluster.folder / "nats.conf"
        path.write_text("max_payload: 8192\n"
                        f"jetstream {{ store_dir: \"{self.cluster.folder / 'js'}\" }}\n")
        return "-c", path


def a_client_starts_while_the_coordinator_is_dead():
    """It gets the view from the stream, page by page, and its search is complete."""
    with Cluster(nodes=(1, 2), bus=RetainingBus) as cluster:
        folder = cluster.make_collection(SEGMENTS * 10, 8, SEGMENTS)
        cluster.load(folder, (1, 2))
        check("the bus retains the views" in cluster.log("qcoordd"), "the stream was made")
        check(cluster.search()["verdict"] == "COMPLETE", "complete with the coordinator")
        cluster.kill("qcoordd")
        answer = cluster.search()
        check(answer["verdict"] == "COMPLETE" and len(answer["hits"][0]) == 5,
              "complete without it, by a client that never heard it")
        cluster.bus.kill()
        cluster.bus.start()
        wait_for("complete after the server's restart, without the coordinator",
                 lambda: (cluster.search(code=None) or {}).get("verdict") == "COMPLETE", 30)
        check(not cluster.alive("qcoordd"), "the coordinator is dead all the time")


run(a_client_starts_while_the_coordinator_is_dead)
