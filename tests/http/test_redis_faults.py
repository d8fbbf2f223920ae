"""Redis, as an enemy would have it: answers that come too late, slots on their way, clocks that disagree."""

import contextlib
import hashlib
import socket
import struct
import threading
import time

import pytest

import pictures
import redis_server
from listening import Listening
from nginx_server import SLOW, wait_until

HTTP = "media_cache_path @cache@ keys_zone=z:1m;\nadd_header X-Cache $media_cache_status always;\nadd_header X-Key $media_key always;\n"
SERVER = "location /img/ { media_root @shared@; media_cache z; media_redis @redis@; }\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    for parent in [folder, *folder.parents]:
        if parent != parent.parent and parent.owner() == folder.owner():
            parent.chmod(parent.stat().st_mode | 0o055)
    (folder / "a.jpg").write_bytes(pictures.encode(pictures.gradient(300, 200), "JPEG"))
    return folder


@pytest.fixture
def redis():
    with redis_server.running(redis_server.Redis) as server:
        yield server


@pytest.fixture
def node(own_nginx, shared):
    def make(address):
        return own_nginx(http=HTTP, server=SERVER, shared=shared, redis=address)
    return make


class Delay(Listening):
    """Passes bytes on to a redis, and holds the replies to what holds `word` back for a while."""

    def __init__(self, port, word, seconds):
        self.redis_port, self.word, self.seconds = port, word, seconds
        self.held = 0
        super().__init__(self._pass_on)
        self.address = f"127.0.0.1:{self.port}"

    def _pass_on(self, peer):
        wait = threading.Event()
        with socket.create_connection(("127.0.0.1", self.redis_port)) as real:
            def back():
                with contextlib.suppress(OSError):
                    while data := real.recv(65536):
                        if wait.is_set():
                            wait.clear()
                            self.held += 1
                            time.sleep(self.seconds)
                        peer.sendall(data)
            replies = threading.Thread(target=back, daemon=True)
            replies.start()
            with contextlib.suppress(OSError):
                while data := peer.recv(65536):
                    if self.word in data:
                        wait.set()
                    real.sendall(data)
            with contextlib.suppress(OSError):
                real.shutdown(socket.SHUT_RDWR)
            replies.join()


def leases(redis):
    return [key for key in redis.keys() if key.endswith(b":lease")]


def test_a_lease_that_is_granted_too_late_is_given_back(node, redis):
    """The client is not kept waiting for it, and neither are other machines for what will not come."""
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    delay = Delay(redis.port, b"\r\nNX\r\n$2\r\nPX\r\n", 0.3)
    try:
        server = node(f"{delay.address} max_object=1")
        answer = server.get("/img/a.jpg?w=90")
        assert (answer.status, answer.headers["x-cache"]) == (200, "MISS")
        assert delay.held == 1 and len(leases(redis)) == 1
        wait_until(lambda: not leases(redis), 2, "the lease is given back")
    finally:
        delay.close()


def test_a_rendition_that_has_lapsed_is_made_anew(node, redis):
    """By the clock of the machine that asks. It is no reason to alarm anybody."""
    key = node(redis.address).get("/img/a.jpg?w=90").headers["x-key"]
    wait_until(lambda: len(redis.keys()) == 1 and not leases(redis), 5 * SLOW, "the rendition in redis")
    name = redis.keys()[0]
    value = redis("GET", name)
    rest = struct.pack("<q", int(time.time()) - 5) + value[32:]
    lapsed = value[:8] + hashlib.sha256(rest + key.encode()).digest()[:16] + rest
    redis("SET", name, lapsed)
    server = node(redis.address)
    assert server.get("/img/a.jpg?w=90").headers["x-cache"] == "MISS"
    wait_until(lambda: redis("GET", name) != lapsed, 5 * SLOW, "it is stored anew")
    assert "no rendition" not in server.log()


def test_a_name_with_several_addresses(node, redis):
    """localhost may be ::1 first, where nobody listens here. What is asked while it is looked up waits for that."""
    address = f"localhost:{redis.port} timeout=5s"
    node(address).get("/img/a.jpg?w=90")
    wait_until(lambda: len(redis.keys()) == 1 and not leases(redis), 5 * SLOW, "the rendition in redis")
    assert node(address).get("/img/a.jpg?w=90").headers["x-cache"] == "REDIS"


def test_a_new_rendition_while_its_slot_is_on_the_way(node):
    """The lease and the rendition are both asked for where the slot goes."""
    with redis_server.running(lambda: redis_server.Cluster(replicas=0)) as cluster:
        server = node(cluster.addresses)
        server.get("/img/a.jpg?w=90")
        wait_until(lambda: len(cluster.keys()) == 1 and not any(map(leases, cluster.masters)), 5 * SLOW,
                   "the rendition in redis, and nothing on its way any more")
        key = cluster.keys()[0]
        slot = cluster.masters[0]("CLUSTER", "KEYSLOT", key)
        source = next(n for n in cluster.masters if key in n.keys())
        into = next(n for n in cluster.masters if n is not source)
        into("CLUSTER", "SETSLOT", slot, "IMPORTING", source("CLUSTER", "MYID").decode())
        source("CLUSTER", "SETSLOT", slot, "MIGRATING", into("CLUSTER", "MYID").decode())
        assert server.get("/img/a.jpg?w=91").status == 200
        wait_until(lambda: len(into.keys()) == 1 and not leases(into), 2 * SLOW, "the rendition alone where the slot goes")
        assert node(cluster.addresses).get("/img/a.jpg?w=91").headers["x-cache"] == "REDIS"
