"""Moderation: who is asked, with what, and that nothing is published that nobody has let through."""

import json
import threading

import pytest

import origin as o
import pictures
import uploads
from client import multipart
from nginx_server import wait_until
from uploads import error, files_of, item, key_of, leftovers, make, unique

RED = pictures.encode(pictures.solid(2000, 1000, (220, 20, 20)), "JPEG")
BLUE = pictures.encode(pictures.solid(300, 200, (20, 20, 220)), "PNG")

SERVER = """
location /upload { media_upload @prefix@/store; media_upload_url /img/; media_upload_moderate /judge?tenant=7; }
location /free { media_upload @prefix@/store; media_upload_url /img/; }
location /down { media_upload @prefix@/store; media_upload_moderate /gone; }
location /lost { media_upload @prefix@/store; media_upload_moderate /nowhere; }
location /off { media_upload_moderate /gone; location /off/in { media_upload @prefix@/store; media_upload_moderate off; } }
location /img/ { media_root @prefix@/store; }
location /judge { internal; proxy_pass http://127.0.0.1:@origin@; }
location /gone { internal; proxy_pass http://127.0.0.1:1; }
"""


class Moderator:
    """Refuses what is red with `code`, and remembers what it was shown."""

    def __init__(self, origin):
        self.shown, self.code, self.passes = [], 403, 204
        self.hold = None
        origin.at("/judge", self)

    def __call__(self, origin, handler, number):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.shown.append((handler.command, handler.path, handler.headers, body))
        if self.hold:
            self.hold.wait(30)
        red, _green, blue = pictures.decode(body).convert("RGB").resize((1, 1)).getpixel((0, 0))
        o.status(self.code if red > blue + 100 else self.passes)(origin, handler, number)


@pytest.fixture
def moderator(origin):
    return Moderator(origin)


@pytest.fixture(scope="module")
def server(make_nginx, origin):
    return make(make_nginx, SERVER, origin=origin.port)


def test_shown_and_passed(server, moderator):
    body = unique(BLUE)
    told = item(server.send("/upload", body, headers={"Authorization": "Bearer secret", "Cookie": "a=b"}))
    [(method, path, headers, sample)] = moderator.shown
    assert (method, path) == ("POST", "/judge?tenant=7")
    assert headers["X-Media-Key"] == key_of(body) and headers["X-Media-Type"] == "image/png"
    assert headers["Content-Type"] == "image/jpeg"
    assert "Authorization" not in headers and "Cookie" not in headers
    picture = pictures.decode(sample)
    assert picture.format == "JPEG" and picture.size == (300, 200)
    assert server.get(told["url"]).body == body
    assert item(server.send("/upload", body), 200, "exists") and len(moderator.shown) == 1  # it has been judged


def test_sample_is_small(server, moderator):
    large = unique(pictures.encode(pictures.gradient(2000, 1000), "JPEG"))
    item(server.send("/upload", large))
    assert pictures.decode(moderator.shown[0][3]).size == (512, 256)


@pytest.mark.parametrize("code", [403, 422])
def test_rejected(server, moderator, code):
    moderator.code = code
    body = unique(RED)
    told = error(server.send("/upload", body), 422)
    assert told["detail"] == "rejected"
    key = key_of(body)
    assert files_of(server, key) == [] and leftovers(server) == []
    assert server.get("/upload/" + key).status == 404
    kept = {p.name: p for p in (server.store / ".rejected").rglob("*") if p.is_file() and key in p.name}
    [original] = [p for name, p in kept.items() if not name.endswith(".json")]
    [record] = [p for name, p in kept.items() if name.endswith(".json")]
    assert original.read_bytes() == body
    assert json.loads(record.read_text())["key"] == key
    assert error(server.send("/upload", body), 422) and len(moderator.shown) == 2  # asked again: minds change


@pytest.mark.parametrize("code", [200, 201, 299])
def test_every_2xx_passes(server, moderator, code):
    moderator.passes = code
    item(server.send("/upload", unique(BLUE)))


@pytest.mark.parametrize("code", [301, 400, 401, 404, 500, 503])
def test_anything_else_fails_closed(server, moderator, code):
    moderator.passes = code
    body = unique(BLUE)
    answer = server.send("/upload", body)
    assert error(answer, 503) and answer.header("Retry-After")
    assert files_of(server, key_of(body)) == [] and leftovers(server) == []


@pytest.mark.parametrize("location", ["/down", "/lost"])
def test_no_moderator(server, location):
    body = unique(BLUE)
    assert error(server.send(location, body), 503)
    assert files_of(server, key_of(body)) == [] and leftovers(server) == []


def test_off_within(server):
    item(server.send("/off/in", unique(BLUE)))


def test_several(server, moderator):
    """Each file has its own fate, in the order sent; only pictures are shown."""
    known = unique(BLUE)
    item(server.send("/free", known))
    first, red, last = unique(BLUE), unique(RED), unique(BLUE)
    answer = server.send("/upload", *multipart(first, b"text", red, known, last))
    assert answer.status == 207
    assert [i["status"] for i in answer.json()["items"]] == ["created", "error", "error", "exists", "created"]
    assert [i["error"]["status"] for i in answer.json()["items"] if "error" in i] == [415, 422]
    assert [h["X-Media-Key"] for _, _, h, _ in moderator.shown] == [key_of(b) for b in (first, red, last)]


def test_nothing_is_served_meanwhile(server, moderator, origin):
    """While the moderator thinks, nobody can see the file; a reload does not end the wait."""
    moderator.hold = threading.Event()
    body = unique(BLUE)
    key = key_of(body)
    answers = []
    sender = threading.Thread(target=lambda: answers.append(server.send("/upload", body)))
    sender.start()
    try:
        wait_until(lambda: moderator.shown, 10, "the moderator is asked")
        assert server.get(f"/img/{key[:2]}/{key[2:4]}/{key}.png").status == 404
        assert files_of(server, key) == []
        server.reload()
    finally:
        moderator.hold.set()
        sender.join()
    item(answers[0])
    assert server.get(f"/img/{key[:2]}/{key[2:4]}/{key}.png").body == body
