"""The disk tier: what is kept, for how long, and what is never served."""

import os
import threading
import time
from collections import Counter

import pytest

import client
import origin as o
import pictures
from nginx_server import SLOW, wait_until

ZONE = "media_cache_path @cache@ levels=1:2 keys_zone=z:4m;\nadd_header X-Cache $media_cache_status always;\n"
ROOT = "location /img/ { media_root @pics@; media_cache z; }\n"
PICTURE = pictures.encode(pictures.gradient(200, 150), "JPEG")
OTHER = pictures.encode(pictures.quadrants(200, 150), "JPEG")


def planted(server, folder, name, age):
    """An unfinished file as a killed worker leaves it."""
    path = server.cache / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half a rendition")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


@pytest.fixture(scope="module", autouse=True)
def swept(make_nginx):
    """A server that starts with leftovers in its cache; looked at by the last test, a minute later."""
    server = make_nginx(http=ZONE, server=ROOT, files={"a.jpg": PICTURE})
    kept = server.get("/img/a.jpg?w=20")
    assert kept.header("X-Cache") == "MISS"
    server.stop()
    old = planted(server, "0/1a", "0123456789abcdef0123456789abc1a0.0000000012", 3600)
    young = planted(server, "f/ed", "fedcba9876543210fedcba9876543edf.0000000007", 5)
    strange = planted(server, "0/1a", "README", 3600)
    server.start()
    yield server, time.monotonic(), (old, young), strange, kept
    for path in old, young:  # where only some of the tests are run, there may have been no time to sweep
        path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(http=ZONE, server=ROOT, files={
        "a.jpg": PICTURE, "photo.jpg": pictures.photograph("LadyBird"), "large.jpg": pictures.photograph("Large")})


def cached(answer):
    return answer.header("X-Cache")


def test_hit_after_miss(nginx):
    first, second = nginx.get("/img/a.jpg?w=50"), nginx.get("/img/a.jpg?w=50")
    assert (cached(first), cached(second)) == ("MISS", "HIT")
    assert first.body == second.body
    for name in "ETag", "Last-Modified", "Content-Type", "Content-Length":
        assert first.header(name) == second.header(name)


def test_hit_from_every_worker(nginx):
    nginx.get("/img/a.jpg?w=51")
    assert {cached(nginx.get("/img/a.jpg?w=51")) for _ in range(20)} == {"HIT"}


def test_bodies_of_every_length(own_nginx):
    """A body begins where it lies in the fewest pages, as long as that takes no block of the disk more."""
    server = own_nginx(workers=1, http=ZONE, server=ROOT, files={"photo.jpg": pictures.photograph("LadyBird")})
    page, aligned = 4096, Counter()
    for width in range(20, 340, 4):
        before = set(server.cache_files())
        target = f"/img/photo.jpg?w={width}"
        made = server.get(target)
        (path,) = set(server.cache_files()) - before
        file, size = path.read_bytes(), len(made.body)
        start, least = begins(file, made.body)
        assert len(file) == start + size
        assert -(-len(file) // page) == -(-(least + size) // page)
        assert start in (least, page)
        aligned[start == page] += 1
        assert -(-(start + size) // page) - start // page == min(-(-size // page), -(-(least + size) // page))
        for _ in range(4):  # read from the file, then from one that is kept open
            hit = server.get(target)
            assert (cached(hit), hit.body) == ("HIT", made.body)
        assert server.get(target, {"Range": f"bytes={size // 2}-"}).body == made.body[size // 2:]
    assert aligned[True] > 3 and aligned[False] > 20
    server.restart()
    assert cached(server.get("/img/photo.jpg?w=20")) == "HIT"


def begins(file, body):
    """Where the body begins in a cache file, and where it might: behind the facts, whose beginning is known."""
    return file.index(body), file.index(b"NMD3") + 368


def test_a_body_that_begins_elsewhere_than_the_last_one(own_nginx, origin):
    """What all workers know of an entry holds for its next file, too."""
    server = own_nginx(http=ZONE, origin=origin.port, server="""
        location /img/ { media_pass /origin/; media_cache z; media_cache_valid 404 1s; media_cache_use_stale off; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }""")
    photograph = pictures.photograph("LadyBird").read_bytes()
    origin.at("/later.jpg", o.status(404))
    targets = [f"/img/later.jpg?w={width}" for width in range(40, 280, 8)]
    for target in targets:
        assert [server.get(target).status for _ in range(3)] == [404] * 3
    time.sleep(2.1)
    origin.at("/later.jpg", o.static(photograph, Cache_Control="max-age=1000"))
    moved = 0
    for target in targets:
        first = server.get(target)
        assert first.status == 200 and cached(first) in ("EXPIRED", "MISS")
        for _ in range(6):
            again = server.get(target)
            assert (cached(again), again.body) == ("HIT", first.body)
        (file,) = [content for content in (path.read_bytes() for path in server.cache_files()) if first.body in content]
        start, least = begins(file, first.body)
        moved += start != least
    assert moved > 1
    assert "too long header" not in server.log()


def test_head_makes_what_get_serves(nginx):
    head, get = nginx.get("/img/a.jpg?w=52", method="HEAD"), nginx.get("/img/a.jpg?w=52")
    assert (cached(head), cached(get)) == ("MISS", "HIT")
    assert head.body == b"" and int(head.header("Content-Length")) == len(get.body)


def test_hit_after_restart_and_reload(own_nginx):
    server = own_nginx(http=ZONE, server=ROOT, files={"a.jpg": PICTURE})
    first = server.get("/img/a.jpg?w=50")
    server.reload()
    second = server.get("/img/a.jpg?w=50")
    server.restart()
    third = server.get("/img/a.jpg?w=50")
    assert [cached(a) for a in (first, second, third)] == ["MISS", "HIT", "HIT"]
    assert first.body == second.body == third.body
    assert first.header("ETag") == second.header("ETag") == third.header("ETag")


def test_without_a_cache(own_nginx):
    server = own_nginx(http=ZONE, server="location /img/ { media_root @pics@; }", files={"a.jpg": PICTURE})
    answers = [server.get("/img/a.jpg?w=50") for _ in range(2)]
    assert [a.status for a in answers] == [200, 200]
    assert [cached(a) for a in answers] == ["BYPASS", "BYPASS"]
    assert answers[0].header("ETag") == answers[1].header("ETag") is not None
    assert not server.cache_files()


def test_locations_share_or_do_not_share(own_nginx):
    """A setting that changes the picture is part of the key; one that does not is not."""
    server = own_nginx(http=ZONE, files={"a.jpg": PICTURE}, server="""
        media_cache z;
        location /one/ { media_root @pics@; media_quality jpeg=50; }
        location /two/ { media_root @pics@; media_quality jpeg=90; }
    """)
    first, second = server.get("/one/a.jpg?w=100"), server.get("/two/a.jpg?w=100")
    assert (cached(first), cached(second)) == ("MISS", "MISS")
    assert len(first.body) < len(second.body)


def test_two_files_never_share(own_nginx):
    """The same name below two roots, of the same size and time."""
    server = own_nginx(http=ZONE, server="media_cache z;\nlocation /one/ { media_root @prefix@/one; }\n"
                                         "location /two/ { media_root @prefix@/two; }")
    bodies = [pictures.encode(pictures.solid(50, 50, c), "PNG", compress_level=0)
              for c in (pictures.RED, pictures.GREEN)]
    assert len(bodies[0]) == len(bodies[1])
    for name, body in zip(("one", "two"), bodies):
        os.utime(server.add(name + "/a.png", body, server.prefix), ns=(10**18, 10**18))
    colors = [pictures.color_at(pictures.decode(server.get(f"/{n}/a.png?w=20").body), 0.5, 0.5) for n in ("one", "two")]
    assert pictures.close(colors[0], pictures.RED, 3) and pictures.close(colors[1], pictures.GREEN, 3)


# Limits of the cache


@pytest.fixture(scope="module")
def limited(make_nginx):
    server = make_nginx(files={"a.jpg": pictures.encode(pictures.gradient(400, 300), "JPEG")}, http="""
        media_cache_path @cache@/small keys_zone=small:1m max_size=300k manager_sleep=10ms;
        media_cache_path @cache@/short keys_zone=short:1m inactive=1s;
        add_header X-Cache $media_cache_status always;
        """, server="""
        location /small/ { media_root @pics@; media_cache small; }
        location /short/ { media_root @pics@; media_cache short; }
        """)
    assert [cached(server.get("/short/a.jpg?w=10")) for _ in range(12)] == ["MISS"] + ["HIT"] * 11
    for i in range(40):
        server.get(f"/small/a.jpg?w={100 + i}&fm=png&v=1")
    server.filled = time.monotonic()
    return server


def test_max_size_is_obeyed(limited):
    def size():
        return sum(f.stat().st_size for f in limited.cache_files(limited.cache / "small"))
    wait_until(lambda: size() <= 300 << 10, 25 * SLOW, "a cache of no more than max_size", step=0.2)
    # The newest are those that are kept.
    assert cached(limited.get("/small/a.jpg?w=139&fm=png&v=1")) == "HIT"
    assert cached(limited.get("/small/a.jpg?w=100&fm=png&v=1")) == "MISS"


def test_inactive_is_obeyed(limited):
    wait_until(lambda: not limited.cache_files(limited.cache / "short"), 25 * SLOW, "an empty cache", step=0.2)
    assert cached(limited.get("/short/a.jpg?w=10")) == "MISS"


# One rendition, made once


@pytest.mark.parametrize("clients", [50])
def test_identical_misses_render_once(nginx, clients):
    answers = client.at_once([lambda: nginx.get("/img/large.jpg?w=1500&fm=webp&v=once")] * clients)
    assert Counter(a.status for a in answers) == {200: clients}
    assert Counter(cached(a) for a in answers) == {"MISS": 1, "HIT": clients - 1}
    assert len({a.body for a in answers}) == 1
    made = next(a for a in answers if cached(a) == "MISS").finished
    late = sorted(a.finished - made for a in answers)[clients // 2]
    assert late < 0.4 * SLOW, f"half of the waiters are answered {late:.2f} s after the rendition"


def test_a_failure_is_told_to_all_who_wait(nginx):
    nginx.add("cut.jpg", pictures.photograph("LadyBird").read_bytes()[:200000])
    answers = client.at_once([lambda: nginx.get("/img/cut.jpg?w=700")] * 20)
    assert {a.status for a in answers} == {422}


def test_client_that_leaves_while_others_wait(nginx):
    """Whoever began it has gone: those who wait get their rendition."""
    target = "/img/large.jpg?w=1400&fm=webp&v=left"
    client.abandon(nginx.port, target, after=0.05)
    answers = client.at_once([lambda: nginx.get(target)] * 6)
    assert {a.status for a in answers} == {200}
    assert len({a.body for a in answers}) == 1


def test_a_zone_that_is_full_of_what_is_being_made(own_nginx, origin):
    """What cannot be kept is made all the same."""
    origin.at("/held.jpg", o.slow(2, o.static(PICTURE)))
    server = own_nginx(http=ZONE.replace("4m", "32k") + "media_threads 2 queue=400;", origin=origin.port, server="""
        location /img/ { media_pass /origin/; media_cache z; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
    """)
    server.expect_log("could not allocate node in cache keys zone", "ignore long locked inactive cache entry",
                      "ngx_slab_alloc.. failed: no memory")
    answers = client.at_once([lambda w=w: server.get(f"/img/held.jpg?w=20&v={w}") for w in range(250)], 250)
    assert {a.status for a in answers} == {200}
    assert len({a.body for a in answers}) == 1


def test_lock_timeout(own_nginx, origin):
    """Who has waited long enough gets a rendition of its own."""
    origin.at("/slow.jpg", o.one_after_another(o.slow(3, o.static(PICTURE)), o.static(PICTURE)))
    server = own_nginx(http=ZONE, origin=origin.port, server="""
        location /img/ { media_pass /origin/; media_cache z; media_cache_lock_timeout 300ms; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
    """)
    first, second = client.at_once([lambda: server.get("/img/slow.jpg?w=50"),
                                    lambda: (time.sleep(0.2), server.get("/img/slow.jpg?w=50"))[1]])
    assert (first.status, second.status) == (200, 200)
    assert second.finished < first.finished


# Originals that change


def original(server, name, body, ns):
    path = server.pics / (name + ".new")
    path.write_bytes(body)
    os.utime(path, ns=(ns, ns))
    os.rename(path, server.pics / name)


def mean_color(answer):
    return pictures.color_at(pictures.decode(answer.body), 0.25, 0.25)


SECOND = 1_700_000_000 * 10**9


@pytest.mark.parametrize("name, pad, ns", [
    ("other size", 100, SECOND), ("other second", 0, SECOND + 10**9), ("same second", 0, SECOND + 1000),
    ("older", 0, SECOND - 10**9)])
def test_changed_original_is_noticed(nginx, name, pad, ns):
    """Replaced by another file: the very next request shows it, on either worker."""
    first, second = (pictures.encode(pictures.solid(60, 60, c), "PNG", compress_level=0)
                     for c in (pictures.RED, pictures.GREEN))
    assert len(first) == len(second)
    original(nginx, "change.png", first, SECOND)
    target = f"/img/change.png?w=20&v={name.replace(' ', '-')}"
    before = [nginx.get(target) for _ in range(4)]
    assert all(pictures.close(mean_color(a), pictures.RED, 4) for a in before)
    original(nginx, "change.png", second + bytes(pad), ns)
    after = [nginx.get(target) for _ in range(6)]
    assert all(pictures.close(mean_color(a), pictures.GREEN, 4) for a in after)
    assert cached(after[0]) != "HIT"
    assert after[0].header("ETag") != before[0].header("ETag")


def test_original_changed_in_place(nginx):
    """Written over instead of replaced: the same inode."""
    path = nginx.add("inplace.png", pictures.encode(pictures.solid(60, 60, pictures.RED), "PNG", compress_level=0))
    nginx.get("/img/inplace.png?w=20")
    time.sleep(0.02)
    path.write_bytes(pictures.encode(pictures.solid(60, 60, pictures.GREEN), "PNG", compress_level=0))
    assert pictures.close(mean_color(nginx.get("/img/inplace.png?w=20")), pictures.GREEN, 4)


def test_original_written_all_the_time(nginx):
    """A careless writer cuts the file and writes it again in pieces: each answer is one of the two pictures or a
    clear error, no worker dies, and the last word is the last version."""
    versions = [pictures.encode(pictures.solid(900, 900, c), "PNG", compress_level=0)
                for c in (pictures.RED, pictures.GREEN)]
    path = nginx.add("busy.png", versions[0])
    before = sorted(p.pid for p in nginx.workers())
    stop = threading.Event()

    def write():
        turn = 0
        while not stop.is_set():
            turn += 1
            with open(path, "wb") as file:
                for start in range(0, len(versions[0]), 500_000):
                    file.write(versions[turn % 2][start:start + 500_000])
                    file.flush()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        answers = client.at_once([lambda i=i: nginx.get(f"/img/busy.png?w={20 + i}") for i in range(150)], 4)
    finally:
        stop.set()
        writer.join()
    for answer in answers:
        assert answer.status in (200, 415, 422, 503)
        if answer.status == 200:
            seen = pictures.decode(answer.body)
            ends = [pictures.color_at(seen, 0.5, y) for y in (0.1, 0.9)]
            assert pictures.close(ends[0], ends[1], 3), "half of one and half of the other"
    time.sleep(0.02)
    path.write_bytes(versions[1])
    assert pictures.close(mean_color(nginx.get("/img/busy.png?w=20")), pictures.GREEN, 4)
    assert sorted(p.pid for p in nginx.workers()) == before


def test_removed_original_is_noticed(nginx):
    path = nginx.add("gone.jpg", PICTURE)
    assert [cached(nginx.get("/img/gone.jpg?w=20")) for _ in range(2)] == ["MISS", "HIT"]
    path.unlink()
    assert [nginx.get("/img/gone.jpg?w=20").status for _ in range(4)] == [404] * 4
    nginx.add("gone.jpg", PICTURE)
    assert nginx.get("/img/gone.jpg?w=20").status == 200


def test_missing_original_that_appears(nginx):
    """A 404 of media_root is never kept."""
    assert [nginx.get("/img/later.jpg?w=20").status for _ in range(3)] == [404] * 3
    nginx.add("later.jpg", PICTURE)
    assert nginx.get("/img/later.jpg?w=20").status == 200


def test_removed_cache_files(own_nginx):
    """Somebody empties the folder under a running server, often asked entries among it."""
    server = own_nginx(http=ZONE, server=ROOT, files={"a.jpg": PICTURE})
    server.expect_log(r"\[crit\] .*unlink\(\)")
    first = [server.get("/img/a.jpg?w=60") for _ in range(12)]
    assert [cached(a) for a in first] == ["MISS"] + ["HIT"] * 11
    for path in server.cache_files():
        path.unlink()
    after = [server.get("/img/a.jpg?w=60") for _ in range(12)]
    assert {a.status for a in after} == {200}
    assert {a.body for a in after} == {first[0].body}
    assert set(map(cached, after)) <= {"MISS", "HIT"}


# Failures


def test_422_is_remembered_for_that_version_only(nginx):
    broken = PICTURE[:len(PICTURE) // 2]
    nginx.add("broken.jpg", broken)
    answers = [nginx.get("/img/broken.jpg?w=20") for _ in range(3)]
    assert [a.status for a in answers] == [422] * 3
    assert [cached(a) for a in answers] == ["MISS", "HIT", "HIT"]
    assert [a.type for a in answers] == ["application/problem+json"] * 3
    assert answers[0].body == answers[1].body
    nginx.add("broken.jpg", PICTURE)
    assert [nginx.get("/img/broken.jpg?w=20").status for _ in range(3)] == [200] * 3


def test_failure_is_never_a_good_rendition(own_nginx):
    """A rendition stopped by its deadline leaves nothing behind that would be served later."""
    tight = "location /img/ { media_root @pics@; media_cache z; media_timeout 20ms; }"
    server = own_nginx(http=ZONE, server=tight, files={"large.jpg": pictures.photograph("Large")})
    assert [server.get("/img/large.jpg?w=2000").status for _ in range(2)] == [504] * 2
    assert not server.temporary_files()
    server.configure(http=ZONE, server=ROOT)
    server.reload()
    answer = server.get("/img/large.jpg?w=2000")
    assert (answer.status, cached(answer)) == (200, "MISS")
    assert pictures.decode(answer.body).size == (2000, 1125)


def test_nothing_half_written_is_served(own_nginx):
    """Finished files that were damaged on the disk: another rendition is made, or the file is refused."""
    server = own_nginx(http=ZONE, server=ROOT, files={"a.jpg": PICTURE})
    good = server.get("/img/a.jpg?w=100")
    (path,) = server.cache_files()
    server.stop()
    whole = path.read_bytes()
    for damaged in (b"", whole[:20], whole[:200], bytes(len(whole))):
        path.write_bytes(damaged)
        server.start()
        server.expect_log(r"\[crit\].*cache file")
        answer = server.get("/img/a.jpg?w=100")
        assert (answer.status, cached(answer), answer.body) == (200, "MISS", good.body)
        server.stop()


# Lifetimes


@pytest.fixture(scope="module")
def aging(make_nginx, origin):
    return make_nginx(http=ZONE, origin=origin.port, server="""
        media_cache z;
        location /default/ { media_pass /origin/; }
        location /short/ { media_pass /origin/; media_cache_valid 200 1s; }
        location /only200/ { media_pass /origin/; media_cache_valid 200 1h; }
        location /notfound/ { media_pass /origin/; media_cache_valid 200 1h; media_cache_valid 404 1h; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
    """)


def test_valid_until_its_time(aging, origin):
    origin.at("/short.jpg", o.static(PICTURE))
    assert [cached(aging.get("/short/short.jpg?w=20")) for _ in range(12)] == ["MISS"] + ["HIT"] * 11
    origin.at("/short.jpg", o.static(OTHER))
    time.sleep(2.1)
    stale = aging.get("/short/short.jpg?w=20")
    assert cached(stale) == "UPDATING"
    assert not pictures.close(mean_color(stale), pictures.RED, 15)
    wait_until(lambda: cached(aging.get("/short/short.jpg?w=20")) == "HIT", 5, "the refreshed rendition")
    assert pictures.close(mean_color(aging.get("/short/short.jpg?w=20")), pictures.RED, 15)
    assert origin.count("/short.jpg") == 1


@pytest.mark.parametrize("location, count", [("default", 1), ("only200", 2), ("notfound", 1)])
def test_404_of_an_origin_is_kept_as_told(aging, origin, location, count):
    path = f"/none-{location}.jpg"
    origin.at(path, o.status(404))
    assert [aging.get(f"/{location}{path}?w=20").status for _ in range(2)] == [404, 404]
    assert origin.count(path) == count


def test_422_of_an_origin_is_kept(aging, origin):
    origin.at("/broken.jpg", o.static(PICTURE[:2000]))
    assert [aging.get("/default/broken.jpg?w=20").status for _ in range(2)] == [422, 422]
    assert origin.count("/broken.jpg") == 1


@pytest.mark.parametrize("code", [500, 503])
def test_failures_of_an_origin_are_not_kept(aging, origin, code):
    origin.at(f"/failing-{code}.jpg", o.one_after_another(o.status(code), o.static(PICTURE)))
    assert [aging.get(f"/default/failing-{code}.jpg?w=20").status for _ in range(2)] == [502, 200]


def test_the_origins_lifetime_counts(aging, origin):
    origin.at("/max-age.jpg", o.static(PICTURE, Cache_Control="max-age=1"))
    assert [cached(aging.get("/default/max-age.jpg?w=20")) for _ in range(2)] == ["MISS", "HIT"]
    time.sleep(2.1)
    assert cached(aging.get("/default/max-age.jpg?w=20")) != "HIT"


def test_the_origins_lifetime_is_passed_on(aging, origin):
    origin.at("/lasting.jpg", o.static(PICTURE, Cache_Control="public, max-age=600"))
    for _ in "MISS", "HIT":
        assert "max-age=" in (aging.get("/default/lasting.jpg?w=20").header("Cache-Control") or "")


@pytest.mark.parametrize("value", ["no-store", "private", "no-cache", "max-age=0"])
def test_what_an_origin_forbids_is_not_kept(aging, origin, value):
    origin.at("/forbidden.jpg", o.static(PICTURE, Cache_Control=value))
    target = f"/default/forbidden.jpg?w=20&v={value.split('=')[0]}"
    assert "HIT" not in [cached(aging.get(target)) for _ in range(2)]
    assert origin.count("/forbidden.jpg") == 2


# Dead workers


def test_leftovers_of_killed_workers_are_swept(swept):
    """Within a minute of the start; whatever is finished stays."""
    server, started, leftovers, strange, kept = swept
    assert cached(server.get("/img/a.jpg?w=20")) == "HIT"
    assert server.get("/img/a.jpg?w=20").body == kept.body
    wait_until(lambda: not any(p.exists() for p in leftovers), max(1, 62 - (time.monotonic() - started)),
               f"leftovers swept: {[p.name for p in leftovers if p.exists()]}", step=0.2)
    assert strange.exists(), "a file that is no leftover was removed"
    assert cached(server.get("/img/a.jpg?w=20")) == "HIT"
