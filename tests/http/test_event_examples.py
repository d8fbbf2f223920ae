"""conf/examples/moderator.py, conf/examples/event_consumer.py and the functions of module/events.md, run as they stand."""

import collections
import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import pictures
import uploads
from nginx_server import SLOW, free_ports, wait_until
from receiver import Receiver
from redis_server import Redis, running
from uploads import error, files_of, item, key_of, make, unique

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "conf/examples"
KEY = "000102030405060708090a0b0c0d0e0f"


class Example:
    """A program of conf/examples that runs; what it prints are lines of JSON."""

    def __init__(self, name, *arguments, **environment):
        self.process = subprocess.Popen(["/usr/bin/python3", "-B", EXAMPLES / name, *map(str, arguments)],
                                        stdout=subprocess.PIPE, env={**os.environ, **environment},
                                        preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))
        os.set_blocking(self.process.stdout.fileno(), False)
        self._text = b""

    def lines(self):
        self._text += self.process.stdout.read() or b""
        return [json.loads(line) for line in self._text.split(b"\n")[:-1]]

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def example(*arguments, **environment):
    program = Example(*arguments, **environment)
    try:
        yield program
    finally:
        program.stop()


# The moderator


def test_moderator(own_nginx):
    (port,) = free_ports(1)
    server = make(own_nginx, f"""
        location /upload {{ media_upload @prefix@/store; media_upload_url /img/; media_upload_moderate /moderate; }}
        location = /moderate {{ internal; proxy_pass http://127.0.0.1:{port}; }}
        location /img/ {{ media_root @prefix@/store; media_cache z; }}
        """)
    with example("moderator.py", port) as moderator:
        wait_until(lambda: _listens(port), 20 * SLOW, "a moderator")
        photo = pictures.photograph("LadyBird").read_bytes()
        told = item(server.send("/upload", photo, "image/jpeg"))
        assert server.get(told["url"] + "?w=100").status == 200
        blank = pictures.encode(pictures.solid(640, 480, (250, 250, 250)), "PNG")
        assert error(server.send("/upload", blank), 422)["detail"] == "rejected"
        assert files_of(server, key_of(blank)) == []
        wait_until(lambda: len(moderator.lines()) == 2, 10 * SLOW, "two verdicts")
        passed, refused = moderator.lines()
        assert (passed["key"], passed["type"], passed["refused"]) == (told["key"], "image/jpeg", None)
        assert refused["key"] == key_of(blank) and "nothing to see" in refused["refused"]
        assert server.send("/moderate", photo).status == 404  # it is internal
    error(server.send("/upload", unique()), 503)  # gone: nobody has judged it


def _listens(port):

    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


# The consumer


def add_events(redis, count, start=0):
    ids = []
    for number in range(start, start + count):
        key = hashlib.sha256(str(number).encode()).hexdigest()
        body = {"id": f"{number:016x}", "time": "2026-11-21T10:00:00Z", "event": "original.created", "key": key,
                "record": None, "subject": None}
        redis("XADD", "media:events", "*", "event", body["event"], "key", key, "body", json.dumps(body))
        ids.append(key)
    return ids


def pending(redis):
    return redis("XPENDING", "media:events", "workers")[0]


def test_consumers_share_and_take_over():
    with running(Redis) as redis:
        first = add_events(redis, 50)
        with example("event_consumer.py", redis.address, "media:events", "workers", "one") as one:
            wait_until(lambda: len(one.lines()) == 50, 30 * SLOW, "fifty events")
            assert [line["key"] for line in one.lines()] == first
            wait_until(lambda: pending(redis) == 0, 10 * SLOW, "all acknowledged")
        # A member that took events and died.
        lost = add_events(redis, 7, start=50)
        redis("XREADGROUP", "GROUP", "workers", "dead", "COUNT", 7, "STREAMS", "media:events", ">")
        assert pending(redis) == 7
        with example("event_consumer.py", redis.address, "media:events", "workers", "two", TAKE_OVER_AFTER_MS="1") as two:
            wait_until(lambda: len(two.lines()) >= 7, 30 * SLOW, "what the dead one has left")
            assert sorted(line["key"] for line in two.lines()) == sorted(lost)
            wait_until(lambda: pending(redis) == 0, 10 * SLOW, "all acknowledged")


def test_consumer_of_real_uploads(own_nginx):
    with running(Redis) as redis:
        server = make(own_nginx, f"media_redis {redis.address};" + uploads.SERVER)
        with example("event_consumer.py", redis.address) as consumer:
            told = item(server.send("/upload", unique()))
            assert server.get(f"/upload/{told['key']}", method="DELETE").status == 204
            wait_until(lambda: len(consumer.lines()) == 2, 30 * SLOW, "two events")
            assert consumer.lines() == [{"event": f"original.{what}", "key": told["key"], "subject": None}
                                        for what in ("created", "deleted")]


# The signature


def fence(language):
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "module/events.md").read_text(), re.M | re.S)
    return text


def check_python(folder, cases):
    scope = {}
    exec(compile(fence("python"), "events.md", "exec"), scope)  # pylint: disable=exec-used
    return [scope["is_genuine"](body, signature, KEY) for body, signature in cases]


def check_js(folder, cases):
    program = folder / "check.mjs"
    program.write_text("import { readFileSync } from 'node:fs';\n" + fence("js") + """
        const cases = JSON.parse(readFileSync(0, "utf8"));
        console.log(JSON.stringify(cases.map(([body, signature]) =>
          isGenuine(Buffer.from(body, "latin1"), signature, process.argv[2]))));
        """)
    given = json.dumps([[body.decode("latin1"), signature] for body, signature in cases])
    done = subprocess.run(["node", program, KEY], input=given, capture_output=True, text=True, timeout=60 * SLOW, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("check", [check_python, check_js], ids=["python", "js"])
def test_the_functions_of_the_page(own_nginx, tmp_path, check):
    receiver = Receiver()
    try:
        server = make(own_nginx, f"media_notify /told key={KEY};" + uploads.SERVER + f"""
            location = /told {{ internal; proxy_pass http://127.0.0.1:{receiver.port}; }}
            """)
        item(server.send("/upload", unique()))
        delivery = receiver.wait(1)[0]
    finally:
        receiver.stop()
    body, signature = delivery.body, delivery.headers["X-Media-Signature"]

    def signed(when, text=body, key=KEY):
        stamp = str(int(when))
        return f"t={stamp},v1=" + hmac.new(bytes.fromhex(key), stamp.encode() + b"." + text, hashlib.sha256).hexdigest()
    now = time.time()
    cases = collections.OrderedDict([
        ("as sent", (body, signature)), ("signed here", (body, signed(now))), ("another body", (body + b" ", signature)),
        ("another key", (body, signed(now, key="ff" * 16))), ("old", (body, signed(now - 1000))),
        ("of the future", (body, signed(now + 1000))), ("another time", (body, "t=1" + signature[2:])),
        ("no signature", (body, None)), ("empty", (body, "")), ("nonsense", (body, "t=now,v1=zz")),
        ("no digest", (body, signature.split(",", maxsplit=1)[0])), ("half a digest", (body, signature[:-32])),
    ])
    assert dict(zip(cases, check(tmp_path, cases.values()))) == {name: name in ("as sent", "signed here") for name in cases}
