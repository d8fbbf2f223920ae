"""The shared tier: what Redis holds, who makes what, and that nothing is ever missed when Redis is ill."""

import os
import time
from pathlib import Path

import pytest

import client
import pictures
import redis_server
from nginx_server import SLOW, wait_until

PHOTO = pictures.photograph("LadyBird")
SMALL = pictures.encode(pictures.gradient(300, 200), "JPEG")
FILES = {"photo.jpg": PHOTO, "small.jpg": SMALL}
LOG = "add_header X-Cache $media_cache_status always; add_header X-Time $media_render_time always;\n"
ZONE = "media_cache_path @cache@ levels=1:2 keys_zone=z:8m;\n" + LOG
ROOT = "location /img/ { media_root @originals@; media_cache z; media_redis @redis@; }\n"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """One folder of all nodes, as if it had been copied with its times."""
    folder = tmp_path_factory.mktemp("originals")
    for parent in [folder, *folder.parents]:
        if parent != parent.parent and parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o055)
    for name, content in FILES.items():
        (folder / name).write_bytes(content.read_bytes() if isinstance(content, Path) else content)
    return folder


@pytest.fixture(scope="module")
def redis():
    with redis_server.running(redis_server.Redis) as server:
        yield server


@pytest.fixture
def clean(redis):
    redis("FLUSHALL")
    redis("CONFIG", "RESETSTAT")
    return redis


@pytest.fixture
def node(own_nginx, originals, clean):
    """Makes nodes of one fleet."""
    def make(redis=clean, http="", parameters="", server=ROOT, **arguments):
        address = redis if isinstance(redis, str) else redis.address
        return own_nginx(http=ZONE + http, server=server, originals=originals, redis=f"{address} {parameters}",
                         **arguments)
    return make


def status(answer):
    return answer.headers.get("x-cache")


def test_second_node_finds_it(node, clean):
    first = node()
    made = first.get("/img/photo.jpg?w=300")
    assert (made.status, status(made)) == (200, "MISS")
    wait_until(lambda: len(clean.keys()) == 1, 5 * SLOW, "the rendition in redis and no lease")

    second = node()
    found = second.get("/img/photo.jpg?w=300")
    assert (found.status, status(found)) == (200, "REDIS")
    assert found.body == made.body
    for name in ("etag", "last-modified", "content-type", "content-length"):
        assert found.headers[name] == made.headers[name], name
    assert found.headers.get("x-time", "") == ""
    assert status(second.get("/img/photo.jpg?w=300")) == "HIT"


def test_once_per_fleet(node, clean):
    nodes = [node() for _ in range(3)]
    answers = client.at_once([lambda s=s: s.get("/img/photo.jpg?w=900&fm=webp") for s in nodes for _ in range(8)])
    assert {a.status for a in answers} == {200}
    assert len({a.body for a in answers}) == 1
    assert len([a for a in answers if a.headers.get("x-time")]) == 1
