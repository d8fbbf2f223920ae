"""Events: who is told of them, in which order, and that nothing that may fail loses one."""

import collections
import contextlib
import hashlib
import hmac
import time

import pytest

from nginx_server import SLOW, wait_until
from receiver import Outbox, Receiver
from redis_server import Redis, running

KEY = "00112233445566778899aabbccddeeff"
ZONE = "media_cache_path @cache@ keys_zone=z:1m;"
LOCATIONS = """
    location /upload { %s media_upload @store@; media_notify /told key=@key@; }
    location = /told { internal; proxy_pass http://127.0.0.1:@receiver@/hook; }
"""


@contextlib.contextmanager
def receiving(*args, **kwargs):
    receiver = Receiver(*args, **kwargs)
    try:
        yield receiver
    finally:
        receiver.stop()


def store_of(server):
    """The store's folder, in which both we and the workers may write."""
    store = server.prefix / "store"
    store.mkdir(exist_ok=True)
    return store


def start(own_nginx, receiver, redis=None, **arguments):
    """An nginx that tells a receiver, and a Redis where there is one; and its outbox."""
    tells_redis = f"media_redis {redis.address};" if redis else ""
    server = own_nginx(http=ZONE, server=(LOCATIONS % tells_redis).replace("@store@", "@prefix@/store"), start=False,
                       receiver=receiver.port, key=KEY, **arguments)
    outbox = Outbox(store_of(server))
    server.start()
    return server, outbox


def stream(redis):
    """Entries of the stream, each a dictionary of its fields."""
    return [dict(zip(fields[::2], fields[1::2])) for _, fields in redis("XRANGE", "media:events", "-", "+") or []]


def signature_of(key, when, body):
    return hmac.new(bytes.fromhex(key), when.encode() + b"." + body, hashlib.sha256).hexdigest()


def test_an_event_reaches_the_receiver(own_nginx):
    with receiving() as receiver:
        server, outbox = start(own_nginx, receiver)
        before = int(time.time())
        event_id = outbox.add("a", subject="somebody", record={"key": "a" * 64})
        delivery = receiver.wait(1)[0]
        assert delivery.path == "/hook"
        assert delivery.headers["Content-Type"] == "application/json"
        assert delivery.event == {"id": event_id, "time": "2026-11-21T10:00:00.000Z", "event": "original.created",
                                  "key": "a" * 64, "record": {"key": "a" * 64}, "subject": "somebody"}
        parts = dict(part.split("=") for part in delivery.headers["X-Media-Signature"].split(","))
        assert before <= int(parts["t"]) <= time.time()
        assert parts["v1"] == signature_of(KEY, parts["t"], delivery.body)
        outbox.wait_empty()
        assert len(receiver.deliveries) == 1
        assert server.get("/told").status == 404  # it is internal
        assert "/told" not in (server.prefix / "access.log").read_text().replace("GET /told", "")


def test_without_a_key_nothing_is_signed(own_nginx):
    with receiving() as receiver:
        server = own_nginx(http=ZONE, start=False, receiver=receiver.port, server="""
            media_notify /told?who=me;
            location /upload { media_upload @prefix@/store; }
            location = /told { proxy_pass http://127.0.0.1:@receiver@; proxy_set_header X-Asked "$request_uri $host"; }
            """)
        outbox = Outbox(store_of(server))
        server.start()
        outbox.add("a")
        delivery = receiver.wait(1)[0]
        assert delivery.headers["X-Media-Signature"] is None
        assert delivery.path == "/told?who=me"
        assert delivery.headers["X-Asked"].split()[0] == "/told?who=me"


def test_the_stream_of_redis(own_nginx):
    with running(Redis) as redis, receiving() as receiver:
        _, outbox = start(own_nginx, receiver, redis)
        first, second = outbox.add("a"), outbox.add("a", "original.deleted")
        wait_until(lambda: len(stream(redis)) >= 2, 20 * SLOW, "two entries")
        entries = stream(redis)
        assert [e[b"event"] for e in entries] == [b"original.created", b"original.deleted"]
        assert [e[b"key"] for e in entries] == [b"a" * 64] * 2
        assert first.encode() in entries[0][b"body"] and second.encode() in entries[1][b"body"]
        outbox.wait_empty()
        assert receiver.ids() == [first, second]


def test_order_of_one_key(own_nginx):
    """Many keys, many events: all arrive, and those of one key in order."""
    with receiving() as receiver:
        _, outbox = start(own_nginx, receiver)
        sent = collections.defaultdict(list)
        for i in range(300):
            key = "0123456789"[i * 7 % 10]
            sent[key * 64].append(outbox.add(key))
        got = collections.defaultdict(list)
        for delivery in receiver.wait(300, 60):
            got[delivery.event["key"]].append(delivery.event["id"])
        assert got == sent
        outbox.wait_empty()


def test_a_refused_event_holds_up_its_key_alone(own_nginx):
    refused = []
    with receiving(lambda d: 422 if d.event["id"] in refused else 204) as receiver:
        server, outbox = start(own_nginx, receiver)
        poison = outbox.add("a")
        refused.append(poison)
        wait_until(lambda: receiver.deliveries, 20 * SLOW, "a first attempt")
        behind, other = outbox.add("a", "original.deleted"), outbox.add("b")
        receiver.wait(1)
        assert receiver.ids() == [other]
        wait_until(lambda: len(receiver.deliveries) >= 4, 30 * SLOW, "more attempts")
        assert behind not in [d.event["id"] for d in receiver.deliveries]
        refused.clear()
        receiver.wait(3)
        assert receiver.ids() == [other, poison, behind]
        outbox.wait_empty()
        assert f"refuses event {poison}" in server.log()


@pytest.mark.parametrize("trouble", [500, 404, "silence"])
def test_a_receiver_that_fails_is_tried_again(own_nginx, trouble):
    with receiving(lambda _: trouble if trouble != "silence" else 204, start=trouble != "silence") as receiver:
        server, outbox = start(own_nginx, receiver)
        sent = [outbox.add(k) for k in "abc"]
        wait_until(lambda: "does not take events" in server.log(), 30 * SLOW, "a complaint")
        assert server.log().count("does not take events") == 1
        assert len(outbox.files()) == 3
        receiver.answer = lambda _: 200
        if trouble == "silence":
            receiver.start()
        receiver.wait(3)
        assert sorted(receiver.ids()) == sent
        outbox.wait_empty()
        assert "takes events again" in server.log()


def test_one_sink_that_is_down_stops_no_other(own_nginx):
    with running(Redis) as redis, receiving(start=False) as receiver:
        server, outbox = start(own_nginx, receiver, redis)
        first = outbox.add("a")
        wait_until(lambda: len(stream(redis)) == 1, 20 * SLOW, "an entry")
        wait_until(lambda: [f.count(".") for f in outbox.files()] == [2], 20 * SLOW, "a file that says so")
        redis.kill()
        receiver.start()
        second = outbox.add("a")
        assert [d.event["id"] for d in receiver.wait(2)] == [first, second]
        wait_until(lambda: len(outbox.files()) == 1, 20 * SLOW, "the other file to go")
        redis.start()
        wait_until(lambda: len(stream(redis)) == 1, 30 * SLOW, "an entry in the new Redis")
        assert second.encode() in stream(redis)[0][b"body"]  # the first one was delivered before
        outbox.wait_empty()
        assert len(receiver.deliveries) == 2
        assert "does not take events" in server.log()


def test_events_survive_a_restart(own_nginx):
    with receiving(start=False) as receiver:
        server, outbox = start(own_nginx, receiver)
        sent = [outbox.add("a"), outbox.add("b")]
        wait_until(lambda: "does not take events" in server.log(), 30 * SLOW, "a complaint")
        server.stop()
        sent.append(outbox.add("a", "original.deleted"))  # written by somebody else meanwhile
        receiver.start()
        server.start()
        receiver.wait(3)
        assert sorted(receiver.ids()) == sent
        ids = receiver.ids()
        assert ids.index(sent[0]) < ids.index(sent[2])
        outbox.wait_empty()


def test_reloads_and_deaths_lose_nothing(own_nginx):
    with receiving() as receiver:
        server, outbox = start(own_nginx, receiver)
        sent = []
        for turn in range(4):
            sent += [outbox.add("01234567"[i % 8]) for i in range(100)]
            if turn % 2 == 0:
                server.reload()
            else:
                server.kill_workers()
        receiver.wait(400, 60)
        assert sorted(receiver.ids()) == sorted(sent)
        firsts = collections.defaultdict(list)
        for delivery in receiver.taken():
            if delivery.event["id"] not in firsts[delivery.event["key"]]:
                firsts[delivery.event["key"]].append(delivery.event["id"])
        assert all(ids == sorted(ids) for ids in firsts.values())
        outbox.wait_empty()


def test_reloads_repeat_nothing(own_nginx):
    """A worker that winds down ends what it has begun before its successor begins."""
    def slowly(_):
        time.sleep(0.02)
        return 204
    with receiving(slowly) as receiver:
        server, outbox = start(own_nginx, receiver)
        sent = []
        for _ in range(3):
            sent += [outbox.add("0123456789abcdef"[i % 16]) for i in range(60)]
            server.reload()
        receiver.wait(len(sent), 60)
        outbox.wait_empty()
        assert len(receiver.taken()) == len(sent)


def test_more_events_than_are_kept_in_memory(own_nginx):
    with running(Redis) as redis, receiving(start=False) as receiver:
        _, outbox = start(own_nginx, receiver, redis)
        sent = [outbox.add("0123456789abcdef"[i % 16]) for i in range(2500)]
        wait_until(lambda: redis("XLEN", "media:events") == 2500, 60 * SLOW, "all in the stream")
        receiver.start()
        receiver.wait(2500, 120)
        assert sorted(receiver.ids()) == sent
        outbox.wait_empty(60)


def test_a_damaged_event_is_set_aside(own_nginx):
    with receiving() as receiver:
        server, outbox = start(own_nginx, receiver)
        damaged = outbox.folder / f"{1:016x}-{'0' * 32}-{'a' * 64}.json"
        damaged.write_text('{"id": "1", "ev')
        good = outbox.add("a")
        receiver.wait(1)
        assert receiver.ids() == [good]
        assert damaged.with_name(damaged.name + ".damaged").exists()
        assert "1 damaged events" in server.log()


def test_two_masters_deliver_once(own_nginx):
    """As during a binary upgrade, or with two machines on one folder."""
    with receiving() as receiver:
        server, outbox = start(own_nginx, receiver)
        own_nginx(http=ZONE, server=LOCATIONS % "", receiver=receiver.port, key=KEY, store=server.prefix / "store")
        sent = [outbox.add("01234567"[i % 8]) for i in range(100)]
        receiver.wait(100, 60)
        server.stop()
        sent += [outbox.add("01234567"[i % 8]) for i in range(100)]
        receiver.wait(200, 60)
        outbox.wait_empty()
        assert sorted(d.event["id"] for d in receiver.taken()) == sent


@pytest.mark.parametrize("directive, complaint", [
    ("media_notify told;", 'invalid URI "told"'),
    ("media_notify /told key=00;", "a key has at least 16 bytes"),
    ("media_notify /told key=file:/nowhere;", "the key's file cannot be read"),
    ("media_notify /told secret;", 'invalid parameter "secret"'),
    ("media_notify off key=00;", "takes no parameters"),
    ("media_notify /told; media_notify /other;", "is duplicate"),
])
def test_mistakes(own_nginx, directive, complaint):
    server = own_nginx(start=False, server=directive)
    code, said = server.test()
    assert code != 0 and complaint in said and f"nginx.conf:{server.line_of('media_notify')}" in said
