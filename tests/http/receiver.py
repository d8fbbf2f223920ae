"""Somebody who is told of events: an HTTP server that remembers what it was sent."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nginx_server import SLOW, free_ports, wait_until


class Delivery:
    """One request, and what was answered."""

    def __init__(self, path, headers, body, status):
        self.path, self.headers, self.body, self.status = path, headers, body, status
        with contextlib.suppress(ValueError):
            self.event = json.loads(body)


class Receiver:
    """`answer(delivery)` gives the status of each answer; `deliveries` are all requests, in order. Can be stopped and
    started again on its port."""

    def __init__(self, answer=lambda _: 204, start=True):
        self.answer = answer
        self.deliveries = []
        self.port = free_ports(1)[0]
        self._lock = threading.Lock()
        self._server = None
        if start:
            self.start()

    def start(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                delivery = Delivery(self.path, self.headers, body, 0)
                delivery.status = receiver.answer(delivery)
                with receiver._lock:
                    receiver.deliveries.append(delivery)
                self.send_response(delivery.status)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def taken(self):
        """What was answered with success, in order."""
        with self._lock:
            return [d for d in self.deliveries if 200 <= d.status < 300]

    def ids(self):
        """Ids of the events that were taken, each once, in the order of their first coming."""
        return list(dict.fromkeys(d.event["id"] for d in self.taken()))

    def wait(self, count, seconds=30):
        """Until so many different events were taken; all that were."""
        wait_until(lambda: len(self.ids()) >= count, seconds * SLOW,
                   f"{count} events")
        return self.taken()


class Outbox:
    """The outbox of a store, as a writer of its own fills it."""

    def __init__(self, store, owner=None):
        self.folder = store / ".events"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.number = 0x0006_0000_0000_0000

    def add(self, key, event="original.created", **more):
        """An event of a key, or of a hex digit that stands for one; its id."""
        key = key if len(key) == 64 else key * 64
        self.number += 1
        event_id = f"{self.number:016x}-{'0' * 32}"
        body = {"id": event_id, "time": "2026-11-21T10:00:00.000Z", "event": event, "key": key, "record": None,
                "subject": None, **more}
        with open(self.folder / ".sequence", "w", encoding="ascii") as file:
            file.write(f"{self.number:016x}")
        temporary = self.folder / f".{event_id}.tmp"
        temporary.write_text(json.dumps(body))
        temporary.rename(self.folder / f"{event_id}-{key}.json")
        return event_id

    def files(self):
        return sorted(p.name for p in self.folder.iterdir() if p.name.endswith(".json"))

    def wait_empty(self, seconds=30):
        wait_until(lambda: not self.files(), seconds * SLOW, "an empty outbox")
