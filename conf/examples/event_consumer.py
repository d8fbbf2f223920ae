#!/usr/bin/env python3
"""Works off the events of ngx_media from its Redis stream, as one of a group of consumers.

Each event goes to one member of the group. It is acknowledged once it is worked off; what a member that died has left
unacknowledged for a minute is taken over by another. An event may come twice, so whoever works it off makes sure that
the second time does no harm: here, by remembering the ids of the last events that were worked off.

No library is needed: Redis speaks lines.

usage: event_consumer.py [host:port [stream [group [consumer]]]]     (127.0.0.1:6379 media:events workers HOST-PID)
"""

import collections
import json
import os
import socket
import sys

TAKE_OVER_AFTER = int(os.environ.get("TAKE_OVER_AFTER_MS", 60_000))
WAIT = 5000  # milliseconds for new events, after which those of dead members are looked for


class Redis:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=30)
        self.stream = self.socket.makefile("rb")

    def __call__(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.reply()

    def reply(self):
        line = self.stream.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        raise ConnectionError("redis has hung up")


def work_off(event):
    """Yours: index it, tell an editor, send it through a model. What fails raises, and comes again."""
    print(json.dumps({"event": event["event"], "key": event["key"], "subject": event["subject"]}), flush=True)


class Consumer:
    def __init__(self, redis, stream, group, name):
        self.redis, self.stream, self.group, self.name = redis, stream, group, name
        self.known = collections.OrderedDict()
        try:
            redis("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
        except RuntimeError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def take(self, entries):
        for entry, fields in entries or []:
            if fields is not None:  # an entry that has left the stream meanwhile
                fields = dict(zip(fields[::2], fields[1::2]))
                event = json.loads(fields[b"body"])
                if event["id"] not in self.known:
                    work_off(event)
                    self.known[event["id"]] = True
                    if len(self.known) > 10_000:
                        self.known.popitem(last=False)
            self.redis("XACK", self.stream, self.group, entry)

    def run(self):
        while True:
            left = self.redis("XAUTOCLAIM", self.stream, self.group, self.name, TAKE_OVER_AFTER, "0", "COUNT", 100)
            self.take(left[1])
            new = self.redis("XREADGROUP", "GROUP", self.group, self.name, "COUNT", 100, "BLOCK", WAIT,
                             "STREAMS", self.stream, ">")
            for _, entries in new or []:
                self.take(entries)


def main():
    given = dict(enumerate(sys.argv[1:]))
    host, port = given.get(0, "127.0.0.1:6379").rsplit(":", 1)
    name = given.get(3, f"{socket.gethostname()}-{os.getpid()}")
    Consumer(Redis(host, int(port)), given.get(1, "media:events"), given.get(2, "workers"), name).run()


if __name__ == "__main__":
    main()
