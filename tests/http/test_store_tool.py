"""ngx-media-store: what it says of a store, what it mends, and what it puts into Redis."""

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from nginx_server import BUILD, environment
from redis_server import Cluster, Connection, Redis, RedisError, running

TOOL = BUILD / "ngx-media-store"


def tool(*arguments, expect=0, **env):
    result = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                            env={**environment(), **env})
    assert result.returncode == expect, (result.returncode, result.stdout, result.stderr)
    return result.stdout if expect < 2 else result.stderr


def source_name(url):
    return hashlib.sha256(url.encode()).hexdigest()


class Store:
    """Written by hand, as the documents say that it is."""

    def __init__(self, path):
        self.path = path

    def add(self, body, source="", **more):
        key = hashlib.sha256(body).hexdigest()
        record = {"key": key, "type": "image/jpeg", "bytes": len(body), "width": 4, "height": 3, "pages": 1,
                  "sha256": key, "md5": hashlib.md5(body).hexdigest(), "created": "2026-11-21T10:00:00Z", **more}
        if source:
            record["source"] = source
        self.original(key).parent.mkdir(parents=True, exist_ok=True)
        self.original(key).write_bytes(body)
        self.record(key).write_text(json.dumps(record))
        return key

    def original(self, key):
        return self.path / key[:2] / key[2:4] / f"{key}.jpg"

    def record(self, key):
        return self.original(key).with_suffix(".json")

    def entry(self, url):
        name = source_name(url)
        return self.path / ".sources" / name[:2] / name


@pytest.fixture
def store():
    """Where others than root may go as well."""
    with tempfile.TemporaryDirectory(prefix="ngx-media-store-") as folder:
        os.chmod(folder, 0o755)
        yield Store(Path(folder))


def test_check_and_mend(store):
    keys = [store.add(b"picture %d" % i, f"https://example.com/{i}", subject="ann", claims={"n": [1, None]})
            for i in range(20)]
    assert tool("check", store.path, expect=1).count("has a source that does not lead to it") == 20
    assert tool("mend", store.path) == ""
    assert tool("check", store.path) == "20 originals, 0 wrong\n"
    assert store.entry("https://example.com/3").read_text() == keys[3]
    store.original(keys[0]).write_bytes(b"pictvre 0")
    store.original(keys[1]).unlink()
    store.record(keys[2]).write_text("{}")
    lines = tool("check", store.path, expect=1).splitlines()
    below = str(store.path) + "/"
    assert sorted(lines[:-1]) == sorted([
        f"{store.original(keys[0])}: is not what its record says".removeprefix(below),
        f"{store.record(keys[1])}: has no original".removeprefix(below),
        f"{store.record(keys[2])}: is damaged".removeprefix(below),
        f"{store.original(keys[2])}: has no record".removeprefix(below),
        f"{store.entry('https://example.com/1')}: leads nowhere".removeprefix(below),
        f"{store.entry('https://example.com/2')}: leads nowhere".removeprefix(below)])
    assert lines[-1] == "19 originals, 6 wrong"


def test_mend_leaves_events_to_the_server(store):
    """What died between storing and telling is stored, and told by a server that knows whom."""
    key = store.add(b"picture")
    incoming = store.path / ".incoming"
    incoming.mkdir()
    intent = incoming / f"{key}.json.x"
    intent.write_text(store.record(key).read_text())
    store.record(key).unlink()
    removed = store.add(b"removed")
    deletion = incoming / f"{removed}.deleted.x"
    store.record(removed).rename(deletion)
    (incoming / "half").write_bytes(b"pict")
    tool("mend", store.path)
    assert store.record(key).exists() and not store.original(removed).exists()
    assert sorted(incoming.iterdir()) == sorted([intent, deletion])
    assert tool("check", store.path) == "1 originals, 0 wrong\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_acts_as_the_owner(store):
    key = store.add(b"picture", "https://example.com/a")
    for path in [store.path, *store.path.rglob("*")]:
        os.chown(path, 65534, 65534)
    tool("mend", store.path)
    assert store.entry("https://example.com/a").read_text() == key
    assert {path.stat().st_uid for path in store.path.rglob("*")} == {65534}


def mirrored(get, store, keys, urls, prefix):
    for key in keys:
        assert json.loads(get(f"{prefix}record:{{{key}}}")) == json.loads(store.record(key).read_text())
    for url, key in urls.items():
        assert get(f"{prefix}source:{{{source_name(url)}}}") == key.encode()


def fill(store, count):
    urls = {f"https://example.com/{i}": store.add(b"picture %d" % i, f"https://example.com/{i}") for i in range(count)}
    more = {f"https://example.org/{i}": f"https://example.org/{i}" for i in range(3)}
    key = store.add(b"many", "https://example.com/many", sources=list(more))
    urls |= {url: key for url in ["https://example.com/many", *more]}
    tool("mend", store.path)
    return sorted(set(urls.values())), urls


def test_mirror_to_one(store):
    keys, urls = fill(store, 700)
    told = f"{len(keys)} records, {len(urls)} sources\n"
    with running(lambda: Redis()) as redis:
        assert tool("mirror", store.path, f"--redis={redis.address}") == told
        mirrored(lambda key: redis("GET", key), store, keys, urls, "media:")
        assert redis("DBSIZE") == len(keys) + len(urls)
        redis("FLUSHALL")
        assert tool("mirror", store.path, f"--redis=unix:{redis.socket_path}", "--prefix=x:", "--db=3") == told
        connection = Connection(redis.port)
        connection("SELECT", 3)
        mirrored(lambda key: connection("GET", key), store, keys, urls, "x:")
        connection.close()


def test_mirror_with_a_password(store):
    fill(store, 3)
    with running(lambda: Redis(requirepass="secret", start=False)) as redis:
        redis.password = "secret"
        redis.start()
        redis("ACL", "SETUSER", "keeper", "on", ">other", "~media:*", "+@all")
        mirror = ["mirror", store.path, f"--redis={redis.address}"]
        assert "NOAUTH" in tool(*mirror, expect=2)
        assert "WRONGPASS" in tool(*mirror, "--password=wrong", expect=2)
        tool(*mirror, "--password=secret")
        tool(*mirror, REDISCLI_AUTH="secret")
        tool(*mirror, "--user=keeper", "--password=other")
        assert "NOPERM" in tool(*mirror, "--user=keeper", "--password=other", "--prefix=x:", expect=2)


def test_mirror_to_a_cluster(store):
    keys, urls = fill(store, 700)
    with running(lambda: Cluster(masters=3, replicas=0)) as cluster:
        assert tool("mirror", store.path, f"--redis={cluster.masters[1].address}") == (
            f"{len(keys)} records, {len(urls)} sources\n")

        def get(key):
            for master in cluster.masters:
                try:
                    return master("GET", key)
                except RedisError as error:
                    assert str(error).startswith("MOVED")
            return None

        mirrored(get, store, keys, urls, "media:")
        assert sum(master("DBSIZE") for master in cluster.masters) == len(keys) + len(urls)


def test_what_is_wrong_is_said(store):
    assert "usage" in tool(expect=2)
    assert "usage" in tool("check", expect=2)
    assert "usage" in tool("burn", store.path, expect=2)
    assert "usage" in tool("check", store.path, "--redis=x", expect=2)
    assert "No such file" in tool("check", store.path / "nowhere", expect=2)
    assert "--redis" in tool("mirror", store.path, expect=2)
    for address in ["", "x", ":1", "x:", "x:0", "x:99999", "x:1y"]:
        assert "host:port" in tool("mirror", store.path, f"--redis={address}", expect=2)
    assert "--db" in tool("mirror", store.path, "--redis=127.0.0.1:1", "--db=x", expect=2)
    assert "unknown option" in tool("mirror", store.path, "--redis=127.0.0.1:1", "--colour", expect=2)
    store.add(b"picture")
    assert "refused" in tool("mirror", store.path, "--redis=127.0.0.1:1", expect=2)
