"""HTTP, as a client speaks it: http.client for most, a bare socket for what http.client would not send."""

import concurrent.futures
import http.client
import json
import socket
import time
from dataclasses import dataclass, field


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    elapsed: float = 0
    finished: float = field(default=0, repr=False)  # time.monotonic() at the last byte

    def header(self, name):
        """The one value of a header, or None; a repeated header is an error."""
        values = self.headers.get_all(name) or []
        assert len(values) <= 1, f"{name} is sent {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def type(self):
        return self.header("Content-Type")

    def json(self):
        return json.loads(self.body)


def fetch(port, target, method="GET", headers=None, timeout=60, body=None):
    """One request on a connection of its own, with the bytes of `body`. Raises http.client.IncompleteRead where the
    answer is cut short."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in {"Connection": "close", **(headers or {})}.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        body = answer.read()
        now = time.monotonic()
        return Response(answer.status, answer.headers, body, now - started, now)
    finally:
        connection.close()


def multipart(*files, boundary="----ngx-media-test"):
    """Body and content type of a form with those files: bytes, or name and bytes."""
    body = b""
    for number, file in enumerate(files):
        name, content = file if isinstance(file, tuple) else (f"{number}.jpg", file)
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                 "Content-Type: application/octet-stream\r\n\r\n").encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def raw(port, data, timeout=30):
    """Sends bytes, returns everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(data)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
        return answer


def abandon(port, target, after=0.0, headers=""):
    """Sends a request and leaves without waiting for the answer."""
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
    time.sleep(after)
    s.close()


def at_once(calls, width=64):
    """Runs callables side by side; their results in order."""
    with concurrent.futures.ThreadPoolExecutor(min(width, max(1, len(calls)))) as pool:
        return [f.result() for f in [pool.submit(c) for c in calls]]
