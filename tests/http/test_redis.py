"""The shared tier: what Redis holds, who makes what, and that nothing is ever missed when Redis is ill."""

import os
import re
import socket
import time
from pathlib import Path

import pytest

import client
import pictures
import redis_server
from listening import Impostor, slowly
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


def stored(redis, count):
    """The keys of so many renditions, once they are there and all leases have been given back."""
    wait_until(lambda: len(redis.keys()) == count and not any(k.endswith(b":lease") for k in redis.keys()), 10 * SLOW,
               f"{count} renditions in redis")
    return redis.keys()


def status(answer):
    return answer.headers.get("x-cache")


@pytest.mark.parametrize("query", ["w=300", "fm=json"])
def test_second_node_finds_it(node, clean, query):
    first = node()
    made = first.get(f"/img/photo.jpg?{query}")
    assert (made.status, status(made)) == (200, "MISS")
    stored(clean, 1)

    second = node()
    found = second.get(f"/img/photo.jpg?{query}")
    assert (found.status, status(found)) == (200, "REDIS")
    assert found.body == made.body
    for name in ("etag", "last-modified", "content-type", "content-length"):
        assert found.headers[name] == made.headers[name], name
    assert found.headers.get("x-time", "") == ""
    assert status(second.get(f"/img/photo.jpg?{query}")) == "HIT"


def test_once_per_fleet(node, clean):
    nodes = [node(parameters="timeout=1s") for _ in range(3)]
    answers = client.at_once([lambda s=s: s.get("/img/photo.jpg?w=900&fm=webp") for s in nodes for _ in range(8)])
    assert {a.status for a in answers} == {200}
    assert len({a.body for a in answers}) == 1
    assert len([a for a in answers if a.headers.get("x-time")]) == 1


def test_options(node, clean):
    """prefix, db, ttl, max_object, Unix socket."""
    server = node(f"unix:{clean.socket_path}", parameters="db=3 prefix=pics: ttl=100s max_object=20k pool=1 timeout=1s")
    assert server.get("/img/photo.jpg?w=100").status == 200
    connection = redis_server.Connection(clean.port)
    connection("SELECT", 3)
    wait_until(lambda: [k for k in connection("KEYS", "pics:1:*") if not k.endswith(b":lease")], 5 * SLOW, "the rendition")
    wait_until(lambda: len(connection("KEYS", "pics:1:*")) == 1, 5 * SLOW, "the lease is given back")
    key = connection("KEYS", "pics:1:*")[0]
    assert key.startswith(b"pics:") and b"{" in key
    assert 90 <= connection("TTL", key) <= 100
    large = server.get("/img/photo.jpg?w=1000")
    assert len(large.body) > 20 << 10
    time.sleep(0.2)
    assert connection("KEYS", "pics:1:*") == [key], "one that is too large is not stored, and its lease is given back"
    connection.close()


def test_keys_of_an_original_share_a_slot(node, clean):
    server = node()
    for width in (100, 200, 300):
        server.get(f"/img/photo.jpg?w={width}")
        server.get(f"/img/small.jpg?w={width}")
    stored(clean, 6)
    assert len({key[key.index(b"{"):key.index(b"}")] for key in clean.keys()}) == 2


@pytest.mark.parametrize("acl", [False, True])
def test_password(node, clean, acl):
    with redis_server.running(lambda: redis_server.Redis(start=False)) as guarded:
        if acl:
            guarded.options["user"] = "media on >geheim ~media:* &* +get +set +del +ping +cluster|slots +xread +xadd"
            guarded.start()
            good, bad = "user=media password=geheim", "user=media password=falsch"
        else:
            guarded.options["requirepass"] = guarded.password = "geheim"
            guarded.start()
            good, bad = "password=geheim", "password=falsch"
        server = node(guarded, parameters=good)
        assert server.get("/img/small.jpg?w=50").status == 200
        stored(guarded, 1)
        refused = node(guarded, parameters=bad)
        refused.expect_log(r"redis at")
        assert [status(refused.get(f"/img/small.jpg?w={w}")) for w in (51, 52, 53)] == ["MISS"] * 3
        assert 1 <= refused.log().count("going on without it") <= 2, "once for each worker"
        assert "geheim" not in server.log() and "falsch" not in refused.log()


def test_rights_that_the_document_asks_for(node, clean):
    """They are enough, for a database of its own too."""
    page = (Path(__file__).resolve().parents[2] / "module/redis.md").read_text()
    sentence = page[page.index("A user needs"):].split("\n\n", 1)[0]
    rights = re.findall(r"[+][\w|]+", sentence)
    assert {"+get", "+select", "+asking"} <= set(rights) and "`~media:*`" in sentence
    with redis_server.running(lambda: redis_server.Redis(start=False)) as guarded:
        guarded.options["user"] = f"media on >geheim ~media:* {' '.join(rights)}"
        guarded.start()
        server = node(guarded, parameters="db=2 user=media password=geheim")
        assert server.get("/img/small.jpg?w=50").status == 200
        connection = redis_server.Connection(guarded.port)
        connection("SELECT", 2)
        wait_until(lambda: connection("KEYS", "media:1:*"), 5 * SLOW, "the rendition")
        connection.close()
        assert "NOPERM" not in server.log()


def damaged(value):
    return [value[:-1], value + b"x", value[:60], b"", b"GIF89a" + value[6:], value[:-5] + bytes([value[-5] ^ 1]) + value[-4:],
            value[:30] + bytes([value[30] ^ 1]) + value[31:], value[:4] + b"\x07" + value[5:], b"\0" * len(value)]


def test_what_is_no_rendition_is_a_miss(node, clean):
    server = node()
    picture = server.get("/img/photo.jpg?w=120").body
    stored(clean, 1)
    key = clean.keys()[0]
    value = clean("GET", key)
    for i, wrong in enumerate(damaged(value)):
        other = node()
        clean("SET", key, wrong)
        answer = other.get("/img/photo.jpg?w=120")
        assert (answer.status, status(answer)) == (200, "MISS"), i
        assert answer.body == picture
        wait_until(lambda: clean("GET", key) != wrong and picture in (clean("GET", key) or b""), 5 * SLOW, "it mended")
    clean("DEL", key)
    clean("LPUSH", key, "a list")
    other = node()
    other.expect_log(r"does not store")
    assert other.get("/img/photo.jpg?w=120").body == picture


def test_value_of_another_key(node, clean):
    """A picture that was copied to another's key is not shown there."""
    server = node()
    server.get("/img/photo.jpg?w=120")
    stored(clean, 1)
    key = clean.keys()[0]
    wanted = server.get("/img/photo.jpg?w=130").body
    stored(clean, 2)
    other_key = next(k for k in clean.keys() if k != key)
    clean("SET", other_key, clean("GET", key))
    assert node().get("/img/photo.jpg?w=130").body == wanted


def known_rendition(node, redis, target="/img/photo.jpg?w=140"):
    """Key, value and body of a rendition, which is then gone from redis."""
    body = node().get(target).body
    stored(redis, 1)
    key = redis.keys()[0]
    value = redis("GET", key)
    redis("DEL", key)
    return key, value, body


def test_lease_of_a_dead_machine_ends(node, clean):
    key, _, body = known_rendition(node, clean)
    started = time.monotonic()
    clean("SET", key + b":lease", "a machine that died", "PX", 1500)
    answer = node().get("/img/photo.jpg?w=140")
    assert (status(answer), answer.body) == ("MISS", body)
    assert time.monotonic() - started > 1
    wait_until(lambda: clean.keys() == [key], 5 * SLOW, "it was stored")


def test_waiters_wake_soon(node, clean):
    """What another machine stores is taken while its lease still runs."""
    key, value, body = known_rendition(node, clean)
    clean("SET", key + b":lease", "a machine at work", "PX", 300_000)  # not by the end of that
    servers = [node(parameters="timeout=1s") for _ in range(3)]  # a busy machine is not the subject

    def store():
        time.sleep(0.5)
        clean("SET", key, value)
        return None
    answers = client.at_once([store] + [lambda s=s: s.get("/img/photo.jpg?w=140") for s in servers for _ in range(4)])[1:]
    assert {a.body for a in answers} == {body}
    assert {status(a) for a in answers} <= {"REDIS", "HIT"}


def test_redis_fails_while_another_works(node):
    with redis_server.running(redis_server.Redis) as mortal:
        key, _, body = known_rendition(lambda: node(mortal), mortal)
        mortal("SET", key + b":lease", "a machine at work", "PX", 600_000)
        server = node(mortal, http="media_cache_lock_timeout 600s;")
        server.expect_log(r"redis at")

        def kill():
            time.sleep(0.3)
            mortal.kill()
        answer = client.at_once([kill, lambda: server.get("/img/photo.jpg?w=140")])[1]
        assert (status(answer), answer.body) == ("MISS", body)  # and not when the client has lost its patience


# Faults. Each is a function that makes redis ill and one that mends it.

def fill(redis):
    redis("CONFIG", "SET", "maxmemory", 1)


def empty(redis):
    redis("CONFIG", "SET", "maxmemory", 0)


FAULTS = {
    "stopped": (lambda r: r.kill(), lambda r: r.start()),
    "frozen": (lambda r: r.freeze(), lambda r: r.thaw()),
    "full": (fill, empty),
    "read-only": (lambda r: r("REPLICAOF", "127.0.0.1", 1), lambda r: r("REPLICAOF", "NO", "ONE")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_never_needed(node, fault):
    with redis_server.running(redis_server.Redis) as patient:
        patient("CONFIG", "SET", "replica-serve-stale-data", "yes")
        server = node(patient)
        server.expect_log(r"media: redis at")
        assert status(server.get("/img/small.jpg?w=20")) == "MISS"
        stored(patient, 1)
        fall_ill, recover = FAULTS[fault]
        fall_ill(patient)
        answers = client.at_once([lambda w=w: server.get(f"/img/small.jpg?w={w}") for w in range(21, 61)], 8)
        assert [a.status for a in answers] == [200] * 40
        assert {status(a) for a in answers} == {"MISS"}
        assert status(server.get("/img/small.jpg?w=20")) == "HIT"
        assert server.log().count("media: redis at") <= 2 * 2, "once for each worker, not for each request"
        recover(patient)
        widths = iter(range(61, 1000))

        def stores():
            server.get(f"/img/small.jpg?w={next(widths)}")
            return len(patient.keys()) > 2
        wait_until(stores, 3 * SLOW, "redis is used again", step=0.05)


def test_killed_and_restarted_under_load(node):
    with redis_server.running(redis_server.Redis) as mortal:
        server = node(mortal)
        server.expect_log(r"media: redis at")

        def trouble():
            for _ in range(3):
                time.sleep(0.4)
                mortal.kill()
                time.sleep(0.3)
                mortal.start(wait=False)
        calls = [lambda w=w: server.get(f"/img/small.jpg?w={10 + w % 150}&fm=png") for w in range(600)]
        answers = client.at_once([trouble, *calls], 9)[1:]
        assert {a.status for a in answers} == {200}


NONSENSE = {
    "garbage": lambda peer, data: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "closing": lambda peer, data: peer.close(),
    "silent": lambda peer, data: None,
    "errors": lambda peer, data: peer.sendall(b"-ERR no\r\n" * data.count(b"*")),
    "endless": lambda peer, data: peer.sendall(b"$500000000\r\n" + bytes(1 << 20)),
    "more than asked": lambda peer, data: peer.sendall(b"+OK\r\n" * 1000),
    "binary": lambda peer, data: peer.sendall(os.urandom(4096)),
    "nested": lambda peer, data: peer.sendall(b"*1\r\n" * 100000),
    "negative": lambda peer, data: peer.sendall(b"$-7\r\n*-9\r\n:99999999999999999999999\r\n"),
}


@pytest.mark.parametrize("kind", [*NONSENSE, "slow"])
def test_nonsense(node, clean, kind):
    impostor = Impostor(slowly(clean.port) if kind == "slow" else NONSENSE[kind])
    try:
        server = node(f"127.0.0.1:{impostor.port}")
        server.expect_log(r"media: redis at")
        answers = client.at_once([lambda w=w: server.get(f"/img/small.jpg?w={w}") for w in range(20, 60)], 8)
        assert [a.status for a in answers] == [200] * 40
        assert server.log().count("media: redis at") <= 4
    finally:
        impostor.close()


def test_name_that_nobody_knows(node):
    server = node("redis.invalid:6379")
    server.expect_log(r"media: redis at redis.invalid:6379 has a name that nobody knows")
    assert [status(server.get(f"/img/small.jpg?w={w}")) for w in range(20, 24)] == ["MISS"] * 4


def test_name_is_looked_up(node, clean):
    server = node(f"localhost:{clean.port}")
    server.expect_log(r"media: redis at localhost")  # where it is ::1 first
    assert server.get("/img/small.jpg?w=70").status == 200


def test_without_a_disk(node, clean):
    """The shared tier alone."""
    server = node(server=ROOT.replace("media_cache z;", ""))
    assert status(server.get("/img/small.jpg?w=33")) == "BYPASS"
    stored(clean, 1)
    found = server.get("/img/small.jpg?w=33")
    assert status(found) == "REDIS"
    assert status(server.get("/img/small.jpg?w=33", method="HEAD")) == "REDIS"
    assert server.get("/img/small.jpg?w=33", headers={"If-None-Match": found.headers["etag"]}).status == 304


def test_failures_are_not_shared(node, clean):
    servers = [node(), node()]
    for server in servers:
        assert server.get("/img/small.jpg?w=9000&enlarge=1").status == 400
        assert server.get("/img/none.jpg?w=90").status == 404
    assert clean.keys() == []


def test_reload_and_quit(node, clean):
    """Redis keeps no worker from ending, and loses nothing on a reload."""
    server = node()
    for round_ in range(3):
        answers = client.at_once([lambda w=w: server.get(f"/img/small.jpg?w={w}") for w in range(100, 130)]
                                 + [lambda: server.reload(wait=False)], 8)[:-1]
        assert {a.status for a in answers} == {200}
    server.reload()
    assert "open socket" not in server.log()


# A cluster

@pytest.fixture(scope="module")
def cluster():
    with redis_server.running(redis_server.Cluster) as nodes:
        yield nodes


def test_cluster(node, cluster):
    """Found by one address; every slot is served."""
    first = node(cluster.masters[0])
    for width in range(40, 70):
        assert first.get(f"/img/small.jpg?w={width}&v={width}").status == 200
        assert first.get(f"/img/photo.jpg?w={width}").status == 200
    stored(cluster, 60)
    second = node(cluster.addresses)
    assert {status(second.get(f"/img/photo.jpg?w={w}")) for w in range(40, 70)} == {"REDIS"}


def test_cluster_moves_a_slot(node, cluster):
    """MOVED and ASK are followed while a slot is on its way to another node."""
    target = "/img/small.jpg?w=77"
    server = node(cluster.addresses)
    before = set(cluster.keys())
    server.get(target)
    key = (set(stored(cluster, len(before) + 1)) - before).pop()
    slot = cluster.masters[0]("CLUSTER", "KEYSLOT", key)
    source = next(n for n in cluster.masters if key in n.keys())
    into = next(n for n in cluster.masters if n is not source)
    ids = {n: n("CLUSTER", "MYID").decode() for n in cluster.masters}
    into("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[into])
    for moved in source("CLUSTER", "GETKEYSINSLOT", slot, 100):
        source("MIGRATE", "127.0.0.1", into.port, moved, 0, 5000)
    # On its way: the source says ASK.
    assert status(node(cluster.addresses).get(target)) == "REDIS"
    for n in cluster.masters:
        n("CLUSTER", "SETSLOT", slot, "NODE", ids[into])
    # Moved: who knows the old place is told.
    assert status(node(cluster.masters[0]).get(target)) == "REDIS"
    assert server.get("/img/small.jpg?w=78").status == 200
    assert status(node(cluster.addresses).get(target)) == "REDIS"


def test_cluster_failover(node, cluster):
    server = node(cluster.addresses)
    server.expect_log(r"media: redis at")
    victim = cluster.masters[1]
    widths = iter(range(100, 4000))
    victim.kill()
    failed = [a for a in (server.get(f"/img/photo.jpg?w={next(widths)}") for _ in range(20)) if a.status != 200]
    assert not failed

    def promoted():
        return any(n("ROLE")[0] == b"master" for n in cluster.nodes[3:])
    wait_until(promoted, 20 * SLOW, "a replica that took over", step=0.1)
    names = [f"v{i}" for i in range(40)]

    def all_shared():
        new = next(widths)
        for name in names[:8]:
            server.get(f"/img/small.jpg?w={new}&v={name}")
        return status(node(cluster.masters[0]).get(f"/img/small.jpg?w={new}&v=v0")) == "REDIS"
    wait_until(all_shared, 10 * SLOW, "the new master is used", step=0.3)


MISTAKES = [
    ("", "invalid number of arguments"),
    ("localhost", "invalid address"),
    (":6379", "invalid address"),
    ("localhost:0", "invalid address"),
    ("localhost:70000", "invalid address"),
    ("localhost:6379,", "invalid address"),
    ("::1:6379", "invalid address"),
    ("unix:relative", "invalid address"),
    ("localhost:6379 db=-1", 'invalid value of parameter "db"'),
    ("localhost:6379 db=1 db=2", 'duplicate parameter "db"'),
    ("localhost:6379 ttl=0", 'invalid value of parameter "ttl"'),
    ("localhost:6379 timeout=x", 'invalid value of parameter "timeout"'),
    ("localhost:6379 max_object=0", 'invalid value of parameter "max_object"'),
    ("localhost:6379 'prefix={a}'", 'invalid value of parameter "prefix"'),
    ("localhost:6379 pool=0", 'invalid value of parameter "pool"'),
    ("localhost:6379 user=me", 'needs a "password"'),
    ("localhost:6379 password=", 'invalid value of parameter "password"'),
    ("localhost:6379 colour=red", "invalid parameter"),
    ("off db=1", "takes no parameters"),
]


@pytest.mark.parametrize("value,reason", MISTAKES)
def test_mistakes(own_nginx, value, reason):
    server = own_nginx(start=False, server=f"location /img/ {{ media_root @pics@;\nmedia_redis {value};\n}}")
    code, text = server.test()
    assert code == 1 and reason in text, text
    assert f"nginx.conf:{server.line_of('media_redis')}" in text


def test_signposts_are_shared(node, clean, originals):
    """An animation whose first format cannot move: the second node neither decodes nor fetches anything."""
    (originals / "moving.gif").write_bytes(pictures.animation("GIF"))
    nodes = [node(parameters="timeout=5s") for _ in range(2)]
    for accept, type_ in ("image/avif,image/webp", "image/webp"), ("image/avif", "image/gif"):
        answers = [n.get("/img/moving.gif?w=40&fm=auto", {"Accept": accept}) for n in nodes for _ in range(2)]
        assert [status(a) for a in answers] == ["MISS", "HIT", "REDIS", "HIT"]
        assert {a.type for a in answers} == {type_} and len({a.body for a in answers}) == 1
        assert [a.header("X-Time") is not None for a in answers] == [True, False, False, False]
    stored(clean, 3)
    assert {len(n.cache_files()) for n in nodes} == {3}


def test_signposts_without_a_disk(node, clean, originals):
    (originals / "moving.gif").write_bytes(pictures.animation("GIF"))
    nodes = [node(parameters="timeout=5s", server="location /img/ { media_root @originals@; media_redis @redis@; }")
             for _ in range(2)]
    for n in nodes:
        for accept, type_ in ("image/avif", "image/gif"), ("image/avif,image/webp", "image/webp"), ("", "image/gif"):
            answer = n.get("/img/moving.gif?w=41&fm=auto", {"Accept": accept})
            assert (answer.status, answer.type) == (200, type_)
            assert pictures.decode(answer.body).n_frames > 1
    stored(clean, 3)


def test_signpost_once_per_fleet(node, clean, originals):
    (originals / "crowd.gif").write_bytes(pictures.animation("GIF", frames=20, size=(300, 200)))
    nodes = [node(parameters="timeout=5s") for _ in range(2)]
    answers = client.at_once([lambda i=i: nodes[i % 2].get("/img/crowd.gif?w=42&fm=auto", {"Accept": "image/avif,image/webp"})
                              for i in range(24)])
    assert {(a.status, a.type) for a in answers} == {(200, "image/webp")} and len({a.body for a in answers}) == 1
    assert sum(a.header("X-Time") is not None for a in answers) == 1


def test_hints_share_with_the_query(node, clean):
    server = "media_client_hints on; " + ROOT
    first, second = (node(parameters="timeout=5s", server=server) for _ in range(2))
    made = first.get("/img/small.jpg?w=100", {"Sec-CH-DPR": "2"})
    stored(clean, 1)
    found = second.get("/img/small.jpg?w=200")
    assert (status(made), status(found)) == ("MISS", "REDIS") and made.body == found.body
