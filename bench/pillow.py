"""A peer for the misses: Pillow, the engine of thumbor, behind a small HTTP server.

usage: pillow.py FOLDER PORT QUALITIES    GET /name.jpg?w=400&fm=webp

QUALITIES is JSON: a quality for each format. As many processes as cores share the port.
"""

import http.server
import io
import json
import os
import pathlib
import signal
import socket
import sys
import threading
import urllib.parse

from PIL import Image


def render(path, width, form, quality):
    with Image.open(path) as picture:
        height = round(picture.height * width / picture.width)
        if picture.width > width:
            picture.draft("RGB", (2 * width, 2 * height))  # decodes a JPEG at a fraction of its size
            picture = picture.resize((width, height), Image.LANCZOS)
        out = io.BytesIO()
        picture.save(out, form, quality=quality, **({"method": 2} if form == "webp" else {}))
        return out.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder, qualities = None, None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        asked = urllib.parse.parse_qs(url.query)
        form = asked.get("fm", ["jpeg"])[0]
        body = render(self.folder / pathlib.PurePath(url.path).name, int(asked["w"][0]), form, self.qualities[form])
        self.send_response(200)
        self.send_header("Content-Type", f"image/{form}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def main():
    folder, port, qualities = sys.argv[1:]
    Handler.folder, Handler.qualities = pathlib.Path(folder), json.loads(qualities)
    children = []
    for _ in os.sched_getaffinity(0):
        child = os.fork()
        if child == 0:
            Server(("127.0.0.1", int(port)), Handler).serve_forever()
        children.append(child)

    def end(*_):
        for child in children:
            os.kill(child, signal.SIGKILL)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    threading.Event().wait()


if __name__ == "__main__":
    main()
