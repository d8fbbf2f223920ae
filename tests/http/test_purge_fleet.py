"""Purges between machines: who hears of them, when, and what happens to those who could not."""

import time

import pytest

import pictures
import redis_server
from nginx_server import SLOW, wait_until

SMALL = pictures.encode(pictures.gradient(300, 200), "JPEG")
ZONE = ("media_cache_path @cache@ levels=1:2 keys_zone=z:8m;\nadd_header X-Cache $media_cache_status always;\n"
        'media_preset card "w=90";\n')
SERVER = "location /img/ { media_root @pics@; media_cache z; media_redis @redis@; media_purge on; }\n"


@pytest.fixture
def redis():
    with redis_server.running(redis_server.Redis) as server:
        yield server


@pytest.fixture
def node(own_nginx, redis):
    def make(**arguments):
        return own_nginx(http=ZONE, server=SERVER, redis=redis.address,
                         files={name: SMALL for name in ("a.jpg", "b.jpg", "deep/c.jpg")}, **arguments)
    return make


def status(server, target="/img/a.jpg?w=50"):
    answer = server.get(target)
    assert answer.status == 200
    return answer.headers["x-cache"]


def settled(server, target="/img/a.jpg?w=50"):
    """Asked until it comes from the disk."""
    wait_until(lambda: status(server, target) == "HIT", 5 * SLOW, "a hit")


def in_touch(redis, *servers):
    """The nodes have greeted redis and read the stream to its end."""
    wait_until(lambda: redis("EXISTS", "media:{purges}:epoch") == 1, 5 * SLOW, "an epoch")
    time.sleep(0.5 * SLOW)


def well_acquainted(redis, *servers):
    """Nodes in touch that have a rendition on disk, and whose redis will fail."""
    for server in servers:
        server.expect_log(r"media: redis at")
    in_touch(redis, *servers)
    for server in servers:
        settled(server)
    return servers


def purge(server, target):
    return server.get(target, method="PURGE")


def test_others_hear_of_it(node, redis):
    nodes = [node() for _ in range(3)]
    in_touch(redis, *nodes)
    for server in nodes:
        for target in ("/img/a.jpg?w=50", "/img/a.jpg?w=60", "/img/b.jpg?w=50", "/img/a.jpg?p=card", "/img/deep/c.jpg?w=9"):
            settled(server, target)
    redis("CONFIG", "RESETSTAT")
    assert purge(nodes[0], "/img/a.jpg").status == 200
    assert redis.calls("xadd") == 1 and redis.calls("del") == 0 and redis.calls("unlink") == 0
    for server in nodes:
        wait_until(lambda s=server: status(s) != "HIT", 1 * SLOW, "the purge", step=0.02)
        assert status(server, "/img/a.jpg?w=60") != "HIT"
        assert status(server, "/img/b.jpg?w=50") == "HIT"
    for server in nodes:
        settled(server, "/img/a.jpg?p=card")
        settled(server)
    assert purge(nodes[1], "/img/a.jpg?p=card").status == 200
    assert purge(nodes[2], "/img/deep/*").status == 200
    for server in nodes:
        wait_until(lambda s=server: status(s, "/img/a.jpg?p=card") != "HIT", 1 * SLOW, "the purge", step=0.02)
        wait_until(lambda s=server: status(s, "/img/deep/c.jpg?w=9") != "HIT", 1 * SLOW, "the purge", step=0.02)
        assert status(server) == "HIT"


def test_redis_itself_forgets(node, redis):
    """What was purged is not taken from redis either."""
    first, second = node(), node()
    in_touch(redis, first, second)
    before = first.get("/img/a.jpg?w=70")
    assert before.headers["x-cache"] == "MISS"
    assert purge(first, "/img/a.jpg").status == 200
    assert status(first, "/img/a.jpg?w=70") == "MISS"


def test_who_was_down(node, redis):
    """A node that was stopped while others purged hears of it when it starts."""
    first, second = node(), node()
    in_touch(redis, first, second)
    for server in (first, second):
        settled(server)
    second.stop()
    assert purge(first, "/img/a.jpg").status == 200
    second.start()
    wait_until(lambda: status(second) != "HIT", 2 * SLOW, "the purge", step=0.02)


def test_purge_without_redis(node, redis):
    """It takes effect here, is 202, and reaches the others when redis is back, also if that has lost its memory."""
    first, second = well_acquainted(redis, node(), node())
    redis.kill()
    answer = purge(first, "/img/a.jpg")
    assert (answer.status, answer.json()["purged"]) == (202, "/img/a.jpg")
    assert status(first) == "MISS"
    assert status(second) == "HIT"
    redis.start()
    wait_until(lambda: status(second) != "HIT", 4 * SLOW, "the purge", step=0.02)


def test_purge_without_redis_and_a_restart(node, redis):
    """A purge that nobody was told of is told after a restart."""
    first, second = well_acquainted(redis, node(), node())
    redis.kill()
    assert purge(first, "/img/a.jpg").status == 202
    first.stop()
    redis.start()
    settled(second)
    first.start()
    wait_until(lambda: status(second) != "HIT", 4 * SLOW, "the purge", step=0.02)


def test_redis_loses_its_memory(node, redis):
    """Purges outlive it: whoever was down then hears of them from the others."""
    first, second, third = well_acquainted(redis, node(), node(), node())
    third.stop()
    assert purge(first, "/img/a.jpg").status == 200
    wait_until(lambda: status(second) != "HIT", 1 * SLOW, "the purge", step=0.02)
    redis("FLUSHALL")
    wait_until(lambda: redis("XLEN", "media:{purges}") >= 1, 4 * SLOW, "it was announced anew")
    third.start()
    wait_until(lambda: status(third) != "HIT", 2 * SLOW, "the purge", step=0.02)


def test_cut_off(node, redis):
    """A node whose redis is frozen for a while."""
    first, second = well_acquainted(redis, node(), node())
    redis.freeze()
    assert purge(first, "/img/a.jpg").status == 202
    time.sleep(1)
    redis.thaw()
    wait_until(lambda: status(second) != "HIT", 4 * SLOW, "the purge", step=0.02)


def test_nonsense_in_the_stream(node, redis):
    """Entries that are no purges, and keys of other types, are passed over."""
    first, second = node(), node()
    for server in (first, second):
        server.expect_log(r"does not store")
    in_touch(redis, first, second)
    for value in ("", "x" * 1000, "1 original 0 zz", "\r\n"):
        redis("XADD", "media:{purges}", "*", "purge", value, "more", value)
    settled(second)
    assert purge(first, "/img/a.jpg").status == 200
    wait_until(lambda: status(second) != "HIT", 2 * SLOW, "the purge", step=0.02)
    redis("DEL", "media:{purges}")
    redis("SET", "media:{purges}", "no stream")
    settled(second, "/img/b.jpg?w=50")
    assert purge(first, "/img/b.jpg").status == 202
    assert status(first, "/img/b.jpg?w=50") == "MISS"
