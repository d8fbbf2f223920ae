"""What tests of uploads share: a location that takes them, and looks at its answers and its store."""

import contextlib
import hashlib
import itertools

import pictures
from nginx_server import SLOW, free_ports, wait_until

JPEG = pictures.encode(pictures.gradient(400, 300), "JPEG")

HTTP = """
media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
client_max_body_size 300m;
"""
SERVER = """
location /upload { media_upload @prefix@/store; media_upload_url /img/; }
location /img/ { media_root @prefix@/store; media_cache z; }
"""

_numbers = itertools.count(1)


def make(factory, server=SERVER, http=HTTP, **arguments):
    """A server with a store."""
    made = factory(server=server, http=http, **arguments)
    made.store = made.prefix / "store"
    return made


def item(answer, status=201, kind="created"):
    """The one item of an answer."""
    assert answer.status == status, answer.body
    assert answer.type == "application/json"
    items = answer.json()["items"]
    assert len(items) == 1 and items[0]["status"] == kind, items
    return items[0]


def error(answer, status, index=0):
    """The error of an item of an answer."""
    assert answer.status == status, answer.body
    told = answer.json()["items"][index]
    assert told["status"] == "error", told
    return told["error"]


def problem(answer, status):
    """A request that was refused as a whole."""
    assert answer.status == status, answer.body
    assert answer.type == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and told["title"] and told["detail"]
    return told


def unique(body=JPEG):
    """Another file that holds the same picture: bytes behind the end of a JPEG are no part of it."""
    return body + f"{next(_numbers)}".encode()


def key_of(body):
    return hashlib.sha256(body).hexdigest()


def files_of(server, key):
    folder = server.store / key[:2] / key[2:4]
    return sorted(p.name for p in folder.iterdir() if p.name.startswith(key)) if folder.exists() else []


def leftovers(server):
    """What is unfinished in the store, and stays so: what a request leaves behind goes a moment after its answer."""
    def unfinished():
        folder = server.store / ".incoming"
        return sorted(p.name for p in folder.iterdir()) if folder.exists() else []
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not unfinished(), 5 * SLOW, "an end")
    return unfinished()


def free_port():
    return free_ports(1)[0]
