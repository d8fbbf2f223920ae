"""An origin server whose every path misbehaves in its own way."""

import collections
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Origin:
    """`origin.at(path, behaviour)`; what has been asked is in `requests[path]`."""

    def __init__(self):
        self.routes = {}
        self.requests = collections.defaultdict(list)
        self.sent = collections.Counter()  # bytes of endless bodies, by path
        self._lock = threading.Lock()
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                path = self.path.split("?")[0]
                with origin._lock:
                    origin.requests[path].append(Seen(self.command, self.path, self.headers))
                    number = len(origin.requests[path])
                self.close_connection = True
                behaviour = origin.routes.get(path)
                try:
                    if behaviour is None:
                        status(404)(origin, self, number)
                    else:
                        behaviour(origin, self, number)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            do_GET = do_HEAD = do_POST = handle_any

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def at(self, path, behaviour):
        self.routes[path] = behaviour
        self.requests.pop(path, None)

    def count(self, path):
        return len(self.requests[path])

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Seen:
    """One request, as the origin saw it."""

    def __init__(self, method, target, headers):
        self.method, self.target, self.headers = method, target, headers


def _head(handler, code, headers):
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Connection", "close")
    handler.end_headers()


def static(body, content_type="image/jpeg", code=200, **headers):
    """The body, well behaved: conditional where an ETag is given, HEAD without a body."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def behave(_origin, handler, _number):
        tag = headers.get("ETag")
        if tag and handler.headers.get("If-None-Match") == tag:
            _head(handler, 304, headers)
            return
        _head(handler, code, {"Content-Type": content_type, "Content-Length": len(body), **headers})
        if handler.command != "HEAD":
            handler.wfile.write(body)
    return behave


def status(code, body=b"<html>no</html>", **headers):
    return static(body, "text/html", code, **headers)


def redirect(to):
    return status(302, b"", Location=to)


def slow(seconds, then):
    """Thinks before it answers."""
    def behave(origin, handler, number):
        time.sleep(seconds)
        then(origin, handler, number)
    return behave


def one_after_another(*behaviours):
    """The first request gets the first, ..., all later ones the last."""
    def behave(origin, handler, number):
        behaviours[min(number, len(behaviours)) - 1](origin, handler, number)
    return behave


def chunked(body, size=8192, pause=0.0, stop_after=None):
    """Without a length. With `stop_after`, the connection is dropped behind that many bytes."""
    def behave(_origin, handler, _number):
        _head(handler, 200, {"Content-Type": "image/jpeg", "Transfer-Encoding": "chunked"})
        for start in range(0, len(body) if stop_after is None else stop_after, size):
            piece = body[start:start + size]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if pause:
                handler.wfile.flush()
                time.sleep(pause)
        if stop_after is None:
            handler.wfile.write(b"0\r\n\r\n")
    return behave


def until_close(body):
    """Neither a length nor chunks: the end of the connection is the end of the body."""
    def behave(_origin, handler, _number):
        _head(handler, 200, {"Content-Type": "image/jpeg"})
        handler.wfile.write(body)
    return behave


def dies(body, keep, reset=False):
    """Promises the whole body and hangs up behind `keep` bytes."""
    def behave(_origin, handler, _number):
        _head(handler, 200, {"Content-Type": "image/jpeg", "Content-Length": len(body)})
        handler.wfile.write(body[:keep])
        handler.wfile.flush()
        if reset:
            time.sleep(0.05)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
    return behave


def hangs_up():
    """Takes the request and closes."""
    def behave(_origin, handler, _number):
        handler.connection.shutdown(socket.SHUT_RDWR)
    return behave


def endless(head=b"", length=None, most=64 << 20):
    """A body that goes on until nobody listens; what was taken is counted."""
    def behave(origin, handler, _number):
        path = handler.path.split("?")[0]
        if length is None:
            _head(handler, 200, {"Content-Type": "image/jpeg", "Transfer-Encoding": "chunked"})
        else:
            _head(handler, 200, {"Content-Type": "image/jpeg", "Content-Length": length})
        piece = head.ljust(65536, b"x")
        sent = 0
        while sent < most:
            handler.wfile.write(piece if length is not None else b"%x\r\n%s\r\n" % (len(piece), piece))
            sent += len(piece)
            origin.sent[path] += len(piece)
    return behave


def stalls(body, keep, seconds):
    """Sends a part and then nothing for a long time."""
    def behave(_origin, handler, _number):
        _head(handler, 200, {"Content-Type": "image/jpeg", "Content-Length": len(body)})
        handler.wfile.write(body[:keep])
        handler.wfile.flush()
        time.sleep(seconds)
    return behave
