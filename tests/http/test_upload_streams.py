"""Uploads as they come over the wire: large ones, slow ones, those that break off, and reloads in between."""

import hashlib
import json
import shutil
import socket
import subprocess

import pytest

import client
import pictures
import uploads
from nginx_server import ASAN, SLOW, wait_until
from uploads import HTTP, JPEG, files_of, item, key_of, leftovers, make, unique

LARGE = 1 << 30
PIECE = bytes(1 << 20)


@pytest.fixture
def server(own_nginx):
    return make(own_nginx)


class Sender:
    """A request whose body is sent piece by piece."""

    def __init__(self, server, length, target="/upload", type="image/jpeg", extra=b""):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=120 * SLOW)
        self.socket.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
                            b"Connection: close\r\n%s\r\n" % (target.encode(), type.encode(), length, extra))

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self):
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        self.close()
        head, body = data.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), json.loads(body)

    def close(self):
        self.socket.close()


@pytest.mark.skipif(ASAN, reason="a sanitizer keeps what was freed")
@pytest.mark.parametrize("form", ["bare", "multipart", "json"])
def test_memory_does_not_grow_with_the_file(own_nginx, form):
    """A gigabyte: for the body as it is, in a form, and in base 64."""
    if shutil.disk_usage("/tmp").free < 5 * LARGE:
        pytest.skip("not enough room for files of a gigabyte")
    server = make(own_nginx, uploads.SERVER.replace("/img/;", "/img/; media_upload_max 2g;", 1),
                  HTTP.replace("300m", "3g"), workers=1)
    head, tail, type, repeat, piece = b"", b"", "image/jpeg", LARGE // len(PIECE), PIECE
    if form == "multipart":
        body, type = client.multipart(b"")
        head, tail = body.split(b"\r\n\r\n\r\n")[0] + b"\r\n\r\n", b"\r\n--" + body.split(b"\r\n--")[-1]
    if form == "json":
        type, head, tail = "application/json", b'{"data": {"image": "', b'"}}'
    picture = JPEG
    if form == "json":
        import base64
        picture, piece = JPEG + bytes(-len(JPEG) % 3), base64.b64encode(bytes(3 << 18))
        repeat = LARGE // (3 << 18)
        start = base64.b64encode(picture)
        size, zeros = len(picture) + repeat * (3 << 18), repeat * (3 << 18)
    else:
        start, size, zeros = picture, len(picture) + LARGE, LARGE
    item(server.send("/upload", unique()))  # whatever is set up once
    before = server.peak_rss()
    sender = Sender(server, len(head) + len(start) + repeat * len(piece) + len(tail), type=type)
    sender.send(head + start)
    for _ in range(repeat):
        sender.send(piece)
    status, answer = sender.send(tail).answer()
    grown = server.peak_rss() - before
    assert status == 201, answer
    digest = hashlib.sha256(picture)
    for _ in range(zeros // len(PIECE)):
        digest.update(PIECE)
    digest.update(bytes(zeros % len(PIECE)))
    assert answer["items"][0]["bytes"] == size and answer["items"][0]["sha256"] == digest.hexdigest()
    assert grown < 16 << 20, f"{grown >> 20} MiB"
    assert leftovers(server) == []


def test_client_leaves_in_the_body(server):
    body = unique(pictures.encode(pictures.gradient(1200, 900), "PNG"))
    for share in (0, 1, len(body) // 2, len(body) - 1):
        Sender(server, len(body)).send(body[:share]).close()
    wait_until(lambda: server.active_connections() == 1, 10 * SLOW, "the end of the connections")
    assert files_of(server, key_of(body)) == [] and leftovers(server) == []
    item(server.send("/upload", body))


def test_client_leaves_behind_the_body(server):
    """What was sent whole is stored, whether its sender waits for the answer or not."""
    bodies = [unique() for _ in range(8)]
    for body in bodies:
        Sender(server, len(body)).send(body).close()
    for body in bodies:
        wait_until(lambda b=body: len(files_of(server, key_of(b))) == 2, 10 * SLOW, "a stored original")
    wait_until(lambda: leftovers(server) == [], 10 * SLOW, "nothing unfinished")


def test_reload_in_an_upload(server):
    """Workers that retire take to its end what they have begun."""
    bodies = [unique(pictures.encode(pictures.gradient(1000 + n, 700), "PNG")) for n in range(4)]
    senders = [Sender(server, len(body)).send(body[:len(body) // 3]) for body in bodies]
    before = server.requests_begun()
    server.reload(wait=False)
    wait_until(lambda: any("shutting down" in p.title for p in server.children()) or server.requests_begun() > before,
               10 * SLOW, "the reload")
    for sender, body in zip(senders, bodies):
        sender.send(body[len(body) // 3:])
    for sender, body in zip(senders, bodies):
        status, answer = sender.answer()
        assert status == 201 and answer["items"][0]["key"] == key_of(body)
    assert leftovers(server) == []


def test_many_reloads_under_load(own_nginx):
    """Not one upload is lost, whatever part of its way it is on."""
    server = make(own_nginx, http=HTTP + "media_threads 2 queue=200;")
    bodies = [unique() for _ in range(120)]
    jobs = [lambda b=b: server.send("/upload", b) for b in bodies]
    for at in (20, 60, 100):
        jobs.insert(at, lambda: server.reload(wait=False))
    answers = [a for a in client.at_once(jobs, width=8) if a is not None]
    assert [item(a)["key"] for a in answers] == [key_of(b) for b in bodies]
    assert leftovers(server) == []


def test_same_bytes_at_once(own_nginx):
    """One is the first, all others find it there."""
    server = make(own_nginx, http=HTTP + "media_threads 2 queue=200;")
    body = unique()
    answers = client.at_once([lambda: server.send("/upload", body) for _ in range(24)])
    assert sorted(a.status for a in answers) == [200] * 23 + [201]
    assert len({a.json()["items"][0]["key"] for a in answers}) == 1
    assert len({a.json()["items"][0]["created"] for a in answers}) == 1


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("how", [["--data-binary", "@-"], ["-T", "-", "-X", "PUT"], ["-T", "-", "-X", "POST"],
                                 ["-F", "file=@-;filename=a.jpg"]], ids=["data", "put", "post", "form"])
def test_curl(own_nginx, version, how):
    server = make(own_nginx, "listen 127.0.0.1:@extra@ http2;\n" + uploads.SERVER, extra=uploads.free_port())
    port = server.names["extra"] if "http2" in version else server.port
    for body in (unique(), unique(pictures.encode(pictures.gradient(1600, 1200), "PNG"))):
        type = [] if "-F" in how else ["-H", "Content-Type: image/jpeg"]
        done = subprocess.run(["curl", "-sS", version, "-w", "\n%{http_code} %{http_version}", *type, *how,
                               f"http://127.0.0.1:{port}/upload"], input=body, capture_output=True, timeout=60 * SLOW)
        answer, line = done.stdout.rsplit(b"\n", 1)
        assert line == b"201 2" if "http2" in version else b"201 1.1", done
        assert json.loads(answer)["items"][0]["key"] == key_of(body)
        assert server.get(json.loads(answer)["items"][0]["url"]).body == body


def test_http2_stream_given_up(own_nginx):
    """A client that resets its stream in the body leaves nothing behind."""
    server = make(own_nginx, "listen 127.0.0.1:@extra@ http2;\n" + uploads.SERVER, extra=uploads.free_port())
    body = unique(pictures.encode(pictures.gradient(1600, 1200), "PNG"))
    with subprocess.Popen(["curl", "-sS", "--http2-prior-knowledge", "-H", "Content-Type: image/jpeg", "-T", "-",
                           f"http://127.0.0.1:{server.names['extra']}/upload"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as curl:
        begun = server.requests_begun()
        curl.stdin.write(body[:len(body) // 2])
        curl.stdin.flush()
        wait_until(lambda: server.requests_begun() > begun, 10 * SLOW, "a stream")
        curl.kill()
    wait_until(lambda: server.active_connections() == 1, 10 * SLOW, "the end of the connection")
    assert files_of(server, key_of(body)) == [] and leftovers(server) == []
