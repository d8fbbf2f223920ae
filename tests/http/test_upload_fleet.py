"""Uploads among several machines: records and the end of originals reach all of them, with Redis or without."""

import pytest

import pictures
import redis_server
import uploads
from nginx_server import SLOW, wait_until
from test_purge_fleet import in_touch
from uploads import HTTP, item, key_of, make, problem, unique

SERVER = uploads.SERVER.replace("media_cache z;", "media_cache z; media_purge on; media_redis @redis@;").replace(
    "media_upload_url /img/;", "media_upload_url /img/; media_redis @redis@;")

# A machine without a store of its own, in front of another.
FRONT = """
location /upload { media_upload @prefix@/store; media_upload_url /img/; media_redis @redis@; }
location /img/ { media_pass /back/; media_cache z; media_cache_valid 200 404 1h; media_redis @redis@; }
location /back/ { internal; proxy_pass http://127.0.0.1:@back@/img/; }
"""
MARK = HTTP + "add_header X-Cache $media_cache_status always;\n"


@pytest.fixture
def redis():
    with redis_server.running(redis_server.Redis) as server:
        yield server


@pytest.fixture
def back(own_nginx, redis):
    return make(own_nginx, SERVER, MARK, redis=redis.address)


@pytest.fixture
def front(own_nginx, redis, back):
    return make(own_nginx, FRONT, MARK, redis=redis.address, back=back.port)


def statuses(server, target, times=6):
    """What several requests get: on connections of their own, so that both workers are among them."""
    return [server.get(target).status for _ in range(times)]


def test_records_are_mirrored(redis, back, front):
    told = item(back.send("/upload", unique()))
    own, other = back.get("/upload/" + told["key"]), front.get("/upload/" + told["key"])
    assert own.status == other.status == 200 and own.json() == other.json()
    assert redis("GET", "media:record:{" + told["key"] + "}")
    assert front.get("/upload").json()["items"] == []
    problem(front.get("/upload/" + "0" * 64), 404)
    problem(front.get("/upload/" + told["key"], method="DELETE"), 404)  # the original is not on this machine
    assert back.get("/upload/" + told["key"], method="DELETE").status == 204
    for server in (back, front):
        problem(server.get("/upload/" + told["key"]), 404)


def test_exists_heals_the_mirror(redis, back, front):
    body = unique()
    told = item(back.send("/upload", body))
    redis("FLUSHALL")
    problem(front.get("/upload/" + told["key"]), 404)
    item(back.send("/upload", body), 200, "exists")
    assert front.get("/upload/" + told["key"]).status == 200


@pytest.mark.parametrize("nonsense", [b"", b"{", b"[1]", b'{"key": 7}', b"\xff" * 100, b'{"key": "' + b"0" * 64 + b'"}'])
def test_nonsense_in_redis(redis, front, nonsense):
    key = "0123456789abcdef" * 4
    redis("SET", "media:record:{" + key + "}", nonsense)
    problem(front.get("/upload/" + key), 404)


def test_a_remembered_404_ends_with_the_upload(redis, back, front):
    body = unique()
    key = key_of(body)
    url = f"/img/{key[:2]}/{key[2:4]}/{key}.jpg?w=50"
    assert front.get(url).status == 404
    wait_until(lambda: front.get(url).header("X-Cache") == "HIT", 5 * SLOW, "a remembered 404")
    item(back.send("/upload", body))
    assert statuses(front, url) == [200] * 6
    answer = front.get(url)
    assert answer.header("X-Cache") == "HIT" and pictures.decode(answer.body).size[0] == 50


def test_delete_reaches_all(redis, back, front):
    in_touch(redis)
    body = unique()
    told = item(back.send("/upload", body))
    url = told["url"] + "?w=50"
    for server in (front, back):
        assert statuses(server, url) == [200] * 6
    assert back.get("/upload/" + told["key"], method="DELETE").status == 204
    assert statuses(back, url) == [404] * 6
    wait_until(lambda: statuses(front, url) == [404] * 6, 5 * SLOW, "the end of it on the other machine")
    item(back.send("/upload", body))
    for server in (front, back):
        assert statuses(server, url) == [200] * 6


def test_without_redis(redis, back, front):
    """Redis is never needed: what is stored is stored, what is deleted is told later."""
    in_touch(redis)
    told = item(back.send("/upload", unique()))
    for server in (back, front):
        server.expect_log(r"media: redis at")
        assert statuses(server, told["url"] + "?w=50") == [200] * 6
    redis("SAVE")  # what it knows of records outlives it
    redis.kill()
    second = item(back.send("/upload", unique()))
    assert back.get("/upload/" + second["key"]).status == 200
    problem(front.get("/upload/" + second["key"]), 404)
    answer = back.get("/upload/" + told["key"], method="DELETE")
    assert answer.status == 202 and answer.body == b""
    assert statuses(back, told["url"] + "?w=50") == [404] * 6
    assert front.get("/upload/" + told["key"]).status == 404  # nobody can be asked
    redis.start()
    wait_until(lambda: front.get("/upload/" + second["key"]).status == 200, 20 * SLOW, "the record that was missed")
    wait_until(lambda: front.get("/upload/" + told["key"]).status == 404, 20 * SLOW, "the end of the other")
    wait_until(lambda: statuses(front, told["url"] + "?w=50") == [404] * 6, 20 * SLOW, "the end of it elsewhere")
