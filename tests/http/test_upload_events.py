"""What uploads set in motion: events of originals, and thumbnails."""

import json

import pytest

import pictures
import uploads
from nginx_server import SLOW, wait_until
from receiver import Receiver
from redis_server import Redis, running
from uploads import error, item, key_of, make, unique

NOTIFY = """
location = /told { internal; proxy_pass http://127.0.0.1:@receiver@; }
media_notify /told;
"""


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.stop()


def outbox(server):
    folder = server.store / ".events"
    return sorted(p.name for p in folder.iterdir() if p.name.endswith(".json")) if folder.exists() else []


def names(receiver):
    return [d.event["event"] for d in receiver.taken()]


def test_events_of_an_original(own_nginx, receiver):
    server = make(own_nginx, NOTIFY + uploads.SERVER, receiver=receiver.port)
    body = unique()
    told = item(server.send("/upload", body))
    event = receiver.wait(1)[0].event
    assert event["event"] == "original.created" and event["key"] == told["key"] and event["subject"] is None
    assert {k: v for k, v in event["record"].items() if k in told} == {k: v for k, v in told.items() if k != "status"}
    item(server.send("/upload", body), 200, "exists")
    assert server.get(f"/upload/{told['key']}", method="DELETE").status == 204
    item(server.send("/upload", body))
    receiver.wait(3)
    assert names(receiver) == ["original.created", "original.deleted", "original.created"]
    assert receiver.deliveries[1].event["record"]["url"] == told["url"]
    wait_until(lambda: not outbox(server), 20 * SLOW, "an empty outbox")


def test_an_event_is_on_the_disk_before_the_answer(own_nginx, receiver):
    receiver.stop()
    server = make(own_nginx, NOTIFY + uploads.SERVER, receiver=receiver.port)
    for count in range(1, 6):
        item(server.send("/upload", unique()))
        assert len(outbox(server)) == count
    server.kill_workers()
    receiver.start()
    receiver.wait(5)


def test_rejected(own_nginx, receiver):
    server = make(own_nginx, NOTIFY + """
        location /upload { media_upload @prefix@/store; media_upload_moderate /judge; }
        location = /judge { internal; return 403; }
        """, receiver=receiver.port)
    body = unique()
    error(server.send("/upload", body), 422)
    event = receiver.wait(1)[0].event
    assert (event["event"], event["key"]) == ("original.rejected", key_of(body))
    assert event["record"]["type"] == "image/jpeg"


def test_nobody_listens(own_nginx):
    server = make(own_nginx)
    told = item(server.send("/upload", unique()))
    assert server.get(f"/upload/{told['key']}", method="DELETE").status == 204
    assert not (server.store / ".events").exists()


def test_two_nodes_tell_one_stream(own_nginx):
    with running(Redis) as redis:
        servers = [make(own_nginx, f"media_redis {redis.address};" + uploads.SERVER) for _ in range(2)]
        bodies = [unique() for _ in range(4)]
        for i, body in enumerate(bodies):
            item(servers[i % 2].send("/upload", body))
        wait_until(lambda: redis("XLEN", "media:events") == 4, 20 * SLOW, "four events")
        fields = [dict(zip(e[1][::2], e[1][1::2])) for e in redis("XRANGE", "media:events", "-", "+")]
        assert {f[b"key"].decode() for f in fields} == {key_of(b) for b in bodies}
        assert {json.loads(f[b"body"])["event"] for f in fields} == {"original.created"}


def test_a_rendition_that_fails(own_nginx, receiver):
    server = make(own_nginx, NOTIFY + uploads.SERVER + "location /bare/ { media_root @prefix@/store/; }",
                  receiver=receiver.port)
    told = item(server.send("/upload", unique()))
    receiver.wait(1)
    path = told["url"].removeprefix("/img/")
    assert server.get(f"/bare/{path}?crop=9999,9999,1,1").status == 422  # the URL's fault, not the picture's
    original = server.store / path
    original.write_bytes(uploads.JPEG[:300].ljust(original.stat().st_size, b"\0"))  # the disk has lost it
    for width in 20, 30, 40:
        assert server.get(f"/bare/{path}?w={width}").status == 422
    other = item(server.send("/upload", unique()))
    receiver.wait(3)
    events = [(d.event["event"], d.event["key"]) for d in receiver.taken()]
    assert {d.event["record"]["url"] for d in receiver.taken()} == {told["url"], other["url"]}
    assert sorted(events[1:]) == sorted([("rendition.failed", told["key"]), ("original.created", other["key"])])


# Thumbnails

THUMBNAILS = """
location /upload { media_upload @prefix@/store; media_upload_url %s; media_upload_thumbnails small wide modern; }
location /img/ { media_root @prefix@/store; media_cache z; %s }
"""
PRESETS = uploads.HTTP + """
media_preset small "w=40"; media_preset wide "w=120&h=40&fit=cover"; media_preset modern "w=60&fm=auto";
add_header X-Cache $media_cache_status always;
"""


@pytest.mark.parametrize("url, more", [
    ("/img/", ""), ("https://cdn.example.com/img/", ""), ("/img/", "allow 192.0.2.1; deny all;"),
    ("/img/", "media_presets_only on; auth_basic x; auth_basic_user_file /dev/null;"),
], ids=["plain", "another host", "closed", "presets only"])
def test_thumbnails(own_nginx, url, more):
    server = make(own_nginx, THUMBNAILS % (url, more) + "location /open/ { media_root @prefix@/store; media_cache z; }",
                  PRESETS)
    body = pictures.encode(pictures.gradient(800, 600), "JPEG") + unique()[-4:]
    told = item(server.send("/upload", body))
    wait_until(lambda: len(server.cache_files()) == 3, 20 * SLOW, "three renditions")
    path = told["url"][told["url"].index("/img/"):]
    if not more:
        for preset, accept, size in ("small", "", (40, 30)), ("wide", "", (120, 40)), ("modern", "image/avif", (60, 45)):
            answer = server.get(f"{path}?p={preset}", {"Accept": accept})
            assert answer.status == 200 and answer.header("X-Cache") == "HIT", preset
            assert pictures.decode(answer.body).size == size
    item(server.send("/upload", body), 200, "exists")
    if more:
        assert len(server.access_log(2)) == 2  # what nobody asked for is not logged


def test_thumbnails_need_no_signature(own_nginx):
    server = make(own_nginx, THUMBNAILS % ("/img/", "media_signature key=00112233445566778899aabbccddeeff required;"),
                  PRESETS)
    told = item(server.send("/upload", unique()))
    wait_until(lambda: len(server.cache_files()) == 3, 20 * SLOW, "three renditions")
    assert server.get(told["url"] + "?p=small").status == 403


def test_thumbnails_of_many_uploads(own_nginx):
    """Too little room for work: they wait, and all are made; nobody who asks is refused for them."""
    server = make(own_nginx, THUMBNAILS % ("/img/", ""), PRESETS + "media_threads 1 queue=2;")
    for _ in range(12):
        item(server.send("/upload", unique()))
    wait_until(lambda: len(server.cache_files()) == 36, 60 * SLOW, "36 renditions")


def test_a_reload_does_not_lose_thumbnails(own_nginx):
    server = make(own_nginx, THUMBNAILS % ("/img/", ""), PRESETS + "media_threads 1;")
    large = pictures.photograph("Large").read_bytes()
    for number in range(3):
        item(server.send("/upload", large + str(number).encode()))
    server.reload()
    wait_until(lambda: len(server.cache_files()) == 9, 60 * SLOW, "nine renditions")


def test_a_location_that_makes_none(own_nginx):
    server = make(own_nginx, "location /upload { media_upload @prefix@/store; media_upload_thumbnails small; }", PRESETS)
    item(server.send("/upload", unique()))
    wait_until(lambda: 'no thumbnail "small"' in server.log(), 20 * SLOW, "a warning")


def test_unknown_preset(own_nginx):
    server = own_nginx(start=False, http=PRESETS,
                       server="location /upload { media_upload @prefix@/store; media_upload_thumbnails small none; }")
    code, said = server.test()
    assert code != 0 and 'unknown preset "none" of "media_upload_thumbnails"' in said
    assert f"nginx.conf:{server.line_of('media_upload_thumbnails')}" in said
