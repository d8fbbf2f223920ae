"""Uploads where workers die, disks are full, and many send the same: every answer is true, and nothing is left behind."""

import contextlib
import hashlib
import http.client
import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

import client
import pictures
import uploads
from nginx_server import ASAN, BUILD, SLOW, environment, wait_until
from uploads import SERVER, files_of, item, key_of, leftovers, make

HTTP = uploads.HTTP + "media_threads 3 queue=200;"
SMALL = pictures.encode(pictures.gradient(64, 48), "JPEG")
KILLS = 40 if ASAN else 250
CUT_SHORT = (OSError, http.client.HTTPException)  # what a client sees of a server that dies


def audit(server):
    """What ngx-media-store says of the store, but for its last line."""
    done = subprocess.run([BUILD / "ngx-media-store", "check", server.store], capture_output=True, text=True,
                          env=environment(), timeout=60 * SLOW)
    assert done.returncode < 2, done.stderr
    return done.stdout.splitlines()[:-1]


def records(server):
    """All that is listed, page by page."""
    page = server.get("/upload?limit=100").json()
    found = page["items"]
    while page["next"]:
        page = server.get(f"/upload?limit=100&after={page['next']}").json()
        found += page["items"]
    return found


def is_whole(server, told):
    """Whether what was answered lies in the store, and is served."""
    key = told["key"]
    body = (server.store / told["url"].removeprefix("/img/")).read_bytes()
    record = json.loads((server.store / key[:2] / key[2:4] / f"{key}.json").read_text())
    return key == key_of(body) and hashlib.md5(body).hexdigest() == record["md5"] == told["md5"] and all(
        record[name] == told[name] for name in ("key", "type", "bytes", "width", "height", "pages", "sha256", "created"))


class Senders:
    """Threads that upload one new file after the other, whatever becomes of it, until they are told to end."""

    def __init__(self, server, count=6):
        self.server = server
        self.answers = []
        self.cut = 0
        self.wrong = []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._send) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        turn = 0
        while not self.ending.is_set():
            turn += 1
            body = uploads.unique(SMALL) + bytes(turn % 3 * 100_000)
            try:
                answer = self.server.send("/upload", body, "image/jpeg", timeout=30)
            except CUT_SHORT:
                self.cut += 1
                continue
            if answer.status == 201:
                self.answers.append(answer.json()["items"][0])
            elif answer.status != 503:
                self.wrong.append((answer.status, answer.body))

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        assert self.wrong == []


def settle(server):
    """Until nothing is unfinished, which takes 10 s at most, and what lies there is all right."""
    wait_until(lambda: leftovers(server) == [], 12 * SLOW, "a store without anything unfinished", step=0.1)
    assert audit(server) == []


@pytest.fixture
def quick_folder():
    """In memory, where thousands of files come and go at no cost, if there is such a place."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="ngx-media-", dir=memory) as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def test_killed_workers(own_nginx, quick_folder):
    """What was answered with 201 is there; all else is there as a whole, or not at all."""
    server = own_nginx(server=SERVER.replace("@prefix@", str(quick_folder)), http=HTTP)
    server.store = quick_folder / "store"
    senders = Senders(server)
    for kill in range(KILLS // 2):  # of two workers each
        wanted = len(senders.answers) + kill % 4
        wait_until(lambda w=wanted: len(senders.answers) >= w, 30 * SLOW, "uploads between two kills")
        server.kill_workers()
    senders.end()
    assert senders.cut > KILLS // 10, "nothing was under way when workers were killed"
    settle(server)
    listed = {record["key"]: record for record in records(server)}
    for told in senders.answers:
        assert is_whole(server, told)
        assert listed[told["key"]]["md5"] == told["md5"]
    for key, record in listed.items():
        assert record["sha256"] == key and len(files_of(server, key)) == 2
    for told in senders.answers[:5]:
        assert server.get(told["url"]).status == 200


def test_killed_server(own_nginx):
    server = make(own_nginx, http=HTTP)
    told = []
    for _ in range(5):
        senders = Senders(server)
        wait_until(lambda: len(senders.answers) >= 10, 30 * SLOW, "uploads")
        server.kill()
        senders.end()
        told += senders.answers
        server.start()
        settle(server)
    assert all(is_whole(server, each) for each in told)
    assert {each["key"] for each in told} <= {record["key"] for record in records(server)}
    for path in (server.prefix / "tmp").rglob("*"):
        if path.is_file():
            path.unlink()  # nginx' own, which it leaves when it is killed


def test_what_a_crash_leaves(own_nginx):
    """Every state that a crash can leave, put there by hand: made whole or removed within 10 s of the start."""
    server = make(own_nginx, http=HTTP)
    told = [item(server.send("/upload", SMALL + bytes([i]))) for i in range(4)]
    server.stop()
    incoming = server.store / ".incoming"
    place = [server.store / each["url"].removeprefix("/img/") for each in told]
    record = [path.with_suffix(".json") for path in place]
    owner = place[0].stat()
    record[0].rename(incoming / f"{told[0]['key']}.json.1")  # died before the record was in place
    (incoming / f"{told[1]['key']}.json.1").write_bytes(record[1].read_bytes())  # before anything was
    record[1].unlink()
    place[1].unlink()
    record[2].rename(incoming / f"{told[2]['key']}.deleted.1")  # while it was deleted
    (incoming / f"{told[3]['key']}.json.1").write_bytes(record[3].read_bytes()[:-5])  # while the record was written
    (incoming / "0123456789abcdef").write_bytes(SMALL[:100])  # while the file came in
    for path in incoming.iterdir():
        os.chown(path, owner.st_uid, owner.st_gid)
    server.start()
    settle(server)
    assert [server.get(each["url"]).status for each in told] == [200, 404, 404, 200]
    assert [server.get(f"/upload/{each['key']}").status for each in told] == [200, 404, 404, 200]
    assert sorted(each["key"] for each in records(server)) == sorted([told[0]["key"], told[3]["key"]])
    item(server.send("/upload", SMALL + bytes([2])), 201)


@contextlib.contextmanager
def small_disk(folder, options):
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},mode=777", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to mount")
@pytest.mark.parametrize("options", ["size=600k", "size=50m,nr_inodes=40"])
def test_full_disk(own_nginx, options):
    """507 where there is no room left, nothing of it stays behind, and what is deleted makes room again."""
    server = own_nginx(server=SERVER, http=HTTP, start=False)
    server.store = server.prefix / "store"
    server.expect_log(r"no room|No space left")
    with small_disk(server.store, options):
        server.start()
        told, refused = [], 0
        for number in range(400):
            body = SMALL + os.urandom(1000 + number * 97 % 9000)
            answer = server.send("/upload", body, "image/jpeg")
            if answer.status == 201:
                told.append(item(answer))
            else:
                assert answer.status == 507, answer.body
                problem = answer.json()
                assert problem["status"] == 507 and str(server.prefix) not in answer.body.decode()
                assert leftovers(server) == [] and files_of(server, key_of(body)) == []
                refused += 1
            if refused >= 20:
                break
        assert refused >= 20 and len(told) >= 5
        # One among several that have room, and what is there is told to be.
        answer = server.send("/upload", *client.multipart(SMALL + os.urandom(2 << 20), b"no picture"))
        assert answer.status == 507 or options.startswith("size=50m"), answer.body
        assert all(is_whole(server, each) for each in told) and audit(server) == []
        item(server.send("/upload", (server.store / told[0]["url"].removeprefix("/img/")).read_bytes()), 200, "exists")
        for each in told[::2]:
            assert server.get(f"/upload/{each['key']}", method="DELETE").status == 204
        item(server.send("/upload", SMALL + b"again"))
        assert leftovers(server) == [] and audit(server) == []
        server.stop()


def test_many_send_the_same(own_nginx):
    """To several workers of two servers at once: one creates, the others are told that it exists."""
    first = make(own_nginx, http=HTTP, workers=3)
    second = own_nginx(server=SERVER.replace("@prefix@/store", str(first.store)), http=HTTP, workers=3)
    for turn in range(5):
        body = SMALL + f"turn {turn}".encode()
        answers = client.at_once([lambda s=server: s.send("/upload", body) for server in [first, second] * 20], 40)
        assert sorted(answer.status for answer in answers) == [200] * 39 + [201]
        items = [answer.json()["items"][0] for answer in answers]
        assert sorted(each.pop("status") for each in items) == ["created"] + ["exists"] * 39
        assert all(each == items[0] for each in items)
        assert len(files_of(first, key_of(body))) == 2 and leftovers(first) == []
    # The same files in another order, in one request each.
    bodies = [SMALL + f"form {i}".encode() for i in range(8)]
    forms = [bodies[i:] + bodies[:i] for i in range(8)]
    answers = client.at_once([lambda f=form, s=server: s.send("/upload", *client.multipart(*f))
                              for form in forms for server in (first, second)])
    items = [each for answer in answers for each in answer.json()["items"]]
    assert len(items) == 128 and sum(each["status"] == "created" for each in items) == 8
    assert {each["status"] for each in items} == {"created", "exists"}
    assert audit(first) == []


def test_deleted_while_it_is_sent(own_nginx):
    """Whoever comes last wins, and nothing is ever half there."""
    server = make(own_nginx, http=HTTP, workers=3)
    key = key_of(SMALL)
    calls = [lambda: server.send("/upload", SMALL), lambda: server.get(f"/upload/{key}", method="DELETE")] * 40
    answers = client.at_once(calls, 16)
    sent, deleted = answers[::2], answers[1::2]
    assert {answer.status for answer in sent} <= {200, 201}
    assert {answer.status for answer in deleted} <= {204, 404}
    created = sum(answer.status == 201 for answer in sent)
    removed = sum(answer.status == 204 for answer in deleted)
    there = len(files_of(server, key)) == 2
    assert created == removed + there
    assert leftovers(server) == [] and audit(server) == []
