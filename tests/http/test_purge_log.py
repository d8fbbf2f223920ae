"""What remembers a purge: restarts, crashes, reloads, a second master, a log that is damaged or grows."""

import os
import re
import time

import pytest

import client
from nginx_server import ASAN, SLOW, wait_until
from test_purge import HTTP, PICTURE, ROOT, cached, purge


def log_of(server):
    return server.cache / "temp" / "purges"


def outlive(server, how):
    if how == "restart":
        server.restart()
    elif how == "kill":
        server.kill()
        server.start()
    elif how == "reload":
        server.reload()
    elif how == "killed workers":
        server.kill_workers()


@pytest.mark.parametrize("how", ["restart", "kill", "reload", "killed workers", "restart twice"])
def test_a_purge_outlives(own_nginx, how):
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE, "b.jpg": PICTURE, "sub/c.jpg": PICTURE})
    targets = ["/img/a.jpg?w=30", "/img/sub/c.jpg?w=30", "/img/b.jpg?p=card", "/img/b.jpg?w=30"]
    for target in targets:
        server.get(target)
    for purged in "/img/a.jpg", "/img/sub/*", "/img/*?p=base":
        purge(server, purged)
    outlive(server, how.split()[0] if how == "restart twice" else how)
    if how == "restart twice":
        server.restart()
    assert [cached(server.get(t)) for t in targets] == ["MISS", "MISS", "MISS", "HIT"]
    assert [cached(server.get(t)) for t in targets] == ["HIT"] * 4
    server.restart()
    assert [cached(server.get(t)) for t in targets] == ["HIT"] * 4, "what was made since is not purged again"


def test_switched_off_and_on_again(own_nginx):
    """No purge is forgotten while the directive is away."""
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE})
    server.get("/img/a.jpg?w=30")
    purge(server, "/img/a.jpg")
    server.configure(http=HTTP, server=ROOT.replace("media_purge on;", ""))
    server.reload()
    assert cached(server.get("/img/a.jpg?w=30")) == "MISS"
    server.configure(http=HTTP, server=ROOT)
    server.restart()
    assert cached(server.get("/img/a.jpg?w=30")) == "HIT"


def test_another_cache_path_takes_the_purges_along(own_nginx):
    """The log lies in the first cache: where that becomes another one, nothing that is in force is lost."""
    paths = ["media_cache_path @cache@/one keys_zone=z:1m;", "media_cache_path @cache@/two keys_zone=y:1m;"]
    rest = HTTP.split("\n", 2)[2]
    server = own_nginx(http="\n".join(paths) + rest, server=ROOT, files={"a.jpg": PICTURE})
    server.get("/img/a.jpg?w=30")
    purge(server, "/img/a.jpg")
    server.configure(http="\n".join(reversed(paths)) + rest, server=ROOT)
    server.reload()
    moved = server.cache / "two/temp/purges"
    wait_until(lambda: moved.exists() and moved.read_bytes().count(b"\n") == 1, 10 * SLOW, "the log at its new place")
    server.restart()
    assert cached(server.get("/img/a.jpg?w=30")) == "MISS"


def test_without_a_cache_path(own_nginx):
    server = own_nginx(http='media_preset card "w=10";', server=ROOT, files={"a.jpg": PICTURE})
    assert purge(server, "/img/*").json()["prefix"] is True
    assert server.get("/img/a.jpg?w=30").status == 200
    assert list(server.cache.iterdir()) == []


@pytest.mark.parametrize("damage, kept", [
    (lambda text: text[:-20], 2),                                    # the end is missing
    (lambda text: text + b"told purge1 o 0 0123", 3),                # half a line behind it
    (lambda text: b"\0" * 300 + b"\n" + text, 3),
    (lambda text: text.replace(b"purge1", b"purge2", 1), 2),
    (lambda text: text[:50] + b"#" + text[51:], 2),
    (lambda text: b"no log at all\n", 0),
    (lambda text: os.urandom(3 << 20).replace(b"\n", b"x") + b"\n" + text, 3),
    (lambda text: b"", 0),
])
def test_damaged_log(own_nginx, damage, kept):
    """What can be read counts; the rest is a warning, and new purges are written behind it."""
    files = {f"{i}.jpg": PICTURE for i in range(4)}
    server = own_nginx(http=HTTP, server=ROOT, files=files)
    targets = [f"/img/{i}.jpg?w=30" for i in range(4)]
    for target in targets:
        server.get(target)
    for i in range(3):
        purge(server, f"/img/{i}.jpg")
    server.stop()
    log = log_of(server)
    log.write_bytes(damage(log.read_bytes()))
    server.start()
    assert [cached(server.get(t)) for t in targets].count("MISS") == kept
    purge(server, "/img/3.jpg")
    server.restart()
    assert cached(server.get(targets[3])) == "MISS"


def test_damage_is_warned_of(own_nginx):
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE})
    purge(server, "/img/a.jpg")
    server.stop()
    log_of(server).write_bytes(b"nonsense\n" + log_of(server).read_bytes())
    server.start()
    assert re.search(r"\[warn\].* skipped 1 damaged lines of .*/temp/purges", server.log())


def test_unreadable_log_purges_everything(own_nginx):
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE})
    server.get("/img/a.jpg?w=30")
    server.stop()
    log_of(server).mkdir(parents=True)
    server.start()
    assert cached(server.get("/img/a.jpg?w=30")) == "MISS"
    assert "every cached rendition counts as purged" in server.log()


def test_a_purge_that_cannot_be_written_down(own_nginx):
    """It takes effect, and the answer says that it will not last."""
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE})
    server.expect_log(r"\[crit\].*cannot write .*/temp/purges")
    server.get("/img/a.jpg?w=30")
    (server.cache / "temp").write_bytes(b"in the way")
    answer = purge(server, "/img/a.jpg", 507)
    assert answer.type == "application/problem+json" and "restart" in answer.json()["detail"]
    assert cached(server.get("/img/a.jpg?w=30")) == "MISS"
    (server.cache / "temp").unlink()
    purge(server, "/img/a.jpg")
    assert cached(server.get("/img/a.jpg?w=30")) == "MISS"


def test_another_master_writes_the_log(own_nginx):
    """As during a binary upgrade: what others have written is merged, at whatever pieces it comes in."""
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE, "b.jpg": PICTURE})
    purge(server, "/img/a.jpg")
    line = log_of(server).read_bytes()
    server.stop()
    log_of(server).unlink()
    server.start()
    target = "/img/a.jpg?w=30"
    key = server.get(target).header("X-Key")
    assert "!" not in key
    log_of(server).write_bytes(line[:40])
    time.sleep(0.5)
    assert server.get(target).header("X-Key") == key
    with open(log_of(server), "ab") as log:
        log.write(line[40:])
    wait_until(lambda: server.get(target).header("X-Key").startswith(key + "!"), 10 * SLOW, "the purge is merged")
    assert server.get("/img/b.jpg?w=30").header("X-Key").count("!") == 0


def test_two_masters(own_nginx):
    """As during a binary upgrade, which shares the cache and nothing else: what is purged through one is purged for
    both, also while either writes the log anew."""
    one = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE, "b.jpg": PICTURE})
    two = own_nginx(http=HTTP, server=ROOT, cache=one.cache, pics=one.pics)
    before = one.get("/img/b.jpg?w=30").header("X-Key")
    assert two.get("/img/b.jpg?w=30").header("X-Key") == before
    for first, second in (one, two), (two, one), (one, two):
        for target in "/img/a.jpg", "/img/*?p=card":
            purge(first, target)
            key = first.get("/img/a.jpg?p=card").header("X-Key")
            wait_until(lambda: {second.get("/img/a.jpg?p=card").header("X-Key") for _ in range(4)} == {key}, 10 * SLOW,
                       "both know of it", step=0.05)
        many_purges(first, log_of(one))
        assert {s.get("/img/a.jpg?p=card").header("X-Key") for s in (one, two)} == {key}
    assert {s.get("/img/b.jpg?w=30").header("X-Key") for s in (one, two)} == {before}
    one.restart()
    assert {s.get("/img/a.jpg?p=card").header("X-Key") for s in (one, two)} == {key}


# Many purges


def test_ten_thousand_purges(own_nginx):
    """Neither memory nor log grows without bounds; what they cost is one write for all who wait."""
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE, "b.jpg": PICTURE})
    for name in "a", "b":
        server.get(f"/img/{name}.jpg?w=30")
    purge(server, "/img/a.jpg")
    before = server.rss()

    def burst(first):
        """250 purges on one connection."""
        requests = "".join(f"PURGE /img/{'a.jpg' if n % 2 else f'none/{n % 400}.jpg'} HTTP/1.1\r\nHost: x\r\n"
                           f"{'Connection: close' if n == first + 249 else 'X: y'}\r\n\r\n"
                           for n in range(first, first + 250))
        return server.raw(requests.encode(), 120).count(b'{"purged"')
    assert sum(client.at_once([lambda i=i: burst(i * 250) for i in range(40)], 16)) == 10_000
    if not ASAN:  # which keeps what was freed
        assert server.rss() - before < 40 << 20
    wait_until(lambda: log_of(server).stat().st_size < 200_000, 20 * SLOW, "a log that was written anew")
    assert not log_of(server).with_suffix(".new").exists()
    assert cached(server.get("/img/a.jpg?w=30")) == "MISS"
    assert cached(server.get("/img/b.jpg?w=30")) == "HIT"
    server.restart()
    assert cached(server.get("/img/a.jpg?w=30")) == "HIT"
    purge(server, "/img/none/*")
    assert cached(server.get("/img/a.jpg?w=30")) == "HIT"


def many_purges(server, log):
    """Until the log has been written anew."""
    requests = "PURGE /img/none.jpg HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    last = "PURGE /img/none.jpg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    largest = 0
    while log.stat().st_size >= largest:
        largest = log.stat().st_size
        assert largest < 200_000
        assert server.raw((requests + last).encode(), 60).count(b'{"purged"') == 201


def test_writing_anew_loses_nothing(own_nginx):
    server = own_nginx(http=HTTP, server=ROOT, files={"a.jpg": PICTURE, "sub/b.jpg": PICTURE})
    for name in "a", "sub/b":
        server.get(f"/img/{name}.jpg?w=30")
    purge(server, "/img/a.jpg")
    purge(server, "/img/sub/*")
    many_purges(server, log_of(server))
    server.kill()
    server.start()
    assert [cached(server.get(f"/img/{name}.jpg?w=30")) for name in ("a", "sub/b")] == ["MISS"] * 2


def test_checking_changes_nothing(own_nginx):
    server = own_nginx(http=HTTP, server=ROOT, start=False)
    assert server.test()[0] == 0
    assert not log_of(server).exists()
    log_of(server).parent.mkdir(parents=True, exist_ok=True)
    log_of(server).write_bytes(b"half a line")
    assert server.test()[0] == 0
    assert log_of(server).read_bytes() == b"half a line"
