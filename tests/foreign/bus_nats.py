# SPDX-License-Identifier: Apache-2.0
"""The bus on NATS, with nats-py: a subject is a subject. Its event loop runs on its own thread, so
that the coordinator reads like a story."""
import asyncio
import queue
import threading

import nats


class Bus:
    """Subjects are what follows `qnode.<cluster>.`: the callers know nothing of NATS."""
    name = "NATS"

    def __init__(self, url, cluster, client):
        self.url, self.prefix = url, f"qnode.{cluster}."
        self.inbox = queue.Queue()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        # What a coordinator hears, and what its own client hears (section 2).
        self._run(self._open(("report.*", "event.*", "coord", "agent.0.control", "query.>",
                              f"reply.{client}.>")))

    def _run(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    async def _open(self, subjects):
        self.server = await nats.connect(self.url, max_reconnect_attempts=-1)
        for subject in subjects:
            await self.server.subscribe(self.prefix + subject, cb=self._take)
        await self.server.flush()  # the server knows our subscriptions before anybody answers

    async def _take(self, message):
        self.inbox.put((message.subject[len(self.prefix):], message.data))

    def publish(self, subject, data, reply=""):
        """A request names its reply subject to the server, too: status 503 if nobody listens."""
        self._run(self.server.publish(self.prefix + subject, data,
                                      self.prefix + reply if reply else ""))

    def next(self, seconds):
        """(subject, bytes) of the next message, or None when that many seconds are over."""
        try:
            return self.inbox.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self):
        self._run(self.server.drain())
        self.loop.call_soon_threadsafe(self.loop.stop)
