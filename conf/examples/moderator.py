#!/usr/bin/env python3
"""A moderator for media_upload_moderate: looks at each picture before it is published, and refuses empty ones.

The rule stands for yours (a model, a person, a list of hashes): a picture whose brightness hardly varies shows nothing,
be it a lens cap or a blank page. The answer's status is the verdict:

    204   let it pass
    422   refuse it (403 does the same); the sender is told "rejected"
    else  no verdict: the upload fails with 503, and nothing is published

Run it beside nginx (python3 and python3-pil are all it takes), and lead the location there:

    location = /moderate { internal; proxy_pass http://127.0.0.1:8090; }
    location /upload     { media_upload /srv/originals; media_upload_moderate /moderate; ... }

usage: moderator.py [port]
"""

import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image, ImageStat

LEAST_VARIATION = 4.0  # standard deviation of the brightness, which goes from 0 to 255
LARGEST = 4 << 20  # nginx sends a JPEG of at most 512 x 512


def verdict(jpeg):
    """Why the picture is refused, or None."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        variation = ImageStat.Stat(picture.convert("L")).stddev[0]
    return f"there is nothing to see (brightness varies by {variation:.1f})" if variation < LEAST_VARIATION else None


class Moderator(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if not 0 < size <= LARGEST:
            return self.answer(413)
        jpeg = self.rfile.read(size)
        try:
            reason = verdict(jpeg)
        except OSError:
            return self.answer(400)  # no picture: somebody else than nginx is asking
        print(json.dumps({"key": self.headers.get("X-Media-Key"), "type": self.headers.get("X-Media-Type"),
                          "subject": self.headers.get("X-Media-Subject"), "refused": reason}), flush=True)
        return self.answer(422 if reason else 204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass  # the verdicts are the log


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8090), Moderator).serve_forever()
