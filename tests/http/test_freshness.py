"""What becomes of a rendition when its lifetime is over: asked for again, extended, served stale, forgotten.

Lifetimes are seconds: cases that wait are begun together, before the first test, and looked at one by one."""

import collections
import http.client
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from email.utils import formatdate

import pytest

import client
import origin as o
import pictures
from nginx_server import SLOW, free_ports, wait_until

PICTURE = pictures.encode(pictures.gradient(200, 150), "JPEG")
OTHER = pictures.encode(pictures.quadrants(200, 150), "JPEG")
BROKEN = PICTURE[:2000]
LIFE = 3.2  # seconds until what lives 2 s has ended: nginx counts whole ones

ZONE = """
    media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
    log_format media "$uri?$args $media_cache_status/$media_render_time/";
    access_log @prefix@/media.log media;
    add_header X-Cache $media_cache_status always;
    add_header X-Time $media_render_time always;
    media_cache z;
    media_threads 2 queue=200;
"""
LOCATIONS = """
    location /default/ { media_pass /origin/; }
    location /off/ { media_pass /origin/; media_cache_use_stale off; }
    location /error/ { media_pass /origin/; media_cache_use_stale error; }
    location /updating/ { media_pass /origin/; media_cache_use_stale updating; }
    location /gone/ { media_pass /origin/; media_cache_use_stale http_403 http_404; }
    location /second/ { media_pass /origin/; media_cache_valid 200 404 422 502 2s; }
    location /root/ { media_root @pics@; media_cache_valid 200 2s; }
    location /rootoff/ { media_root @pics@; media_cache_valid 200 2s; media_cache_use_stale off; }
    location /file/ { media_pass /files/; media_cache_valid 200 2s; media_cache_use_stale off; }
    location /files/ { internal; alias @pics@/; }
    location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_read_timeout 700ms; }
"""


def original(body=PICTURE, expires_in=None, **headers):
    """Conditional by either validator, as an origin should be. Expires is reckoned at each request; what lives 2 s
    the first time lives long after that."""
    def behave(server, handler, number):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if number > 1 and "Cache-Control" in given:
            given["Cache-Control"] = re.sub("=2\\b", "=100", given["Cache-Control"])
        if expires_in is not None:
            given["Expires"] = formatdate(time.time() + expires_in, usegmt=True)
        seen, tag, date = handler.headers, given.get("ETag"), given.get("Last-Modified")
        same = (seen.get("If-None-Match") == tag if seen.get("If-None-Match") and tag
                else date is not None and seen.get("If-Modified-Since") == date)
        if same:
            o._head(handler, 304, given)
        else:
            o.static(body, **given)(server, handler, number)
    return behave


def then(first, *others):
    return o.one_after_another(first, *others)


def cached(answer):
    return answer.header("X-Cache")


def seen(answer):
    """Cache status of a rendition, status code of anything else."""
    return cached(answer) if answer.status == 200 else answer.status


def changed(answer):
    """Whether it was made of OTHER."""
    return pictures.difference(pictures.decode(answer.body), pictures.reference(pictures.quadrants(200, 150), (40, 30))) < 8


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    server = make_nginx(http=ZONE, server=LOCATIONS, origin=origin.port, workers=2)
    server.add("a.jpg", PICTURE)
    return server


DATE = "Wed, 01 Feb 2023 10:00:00 GMT"
TAG = {"ETag": '"a"'}

# name: (location, what the origin sends, [right away, a lifetime later, a moment after that], requests it gets)
LIVES = {
    "max-age": ("default", original(Cache_Control="max-age=2"), ["HIT", "UPDATING", "HIT"], 2),
    "max-age lasts": ("default", original(Cache_Control="max-age=100"), ["HIT", "HIT", "HIT"], 1),
    "s-maxage": ("default", original(Cache_Control="max-age=100, s-maxage=2"), ["HIT", "UPDATING", "HIT"], 2),
    "s-maxage lasts": ("default", original(Cache_Control="max-age=2, s-maxage=100"), ["HIT", "HIT", "HIT"], 1),
    "age": ("default", original(Cache_Control="max-age=10", Age="8"), ["HIT", "UPDATING", "HIT"], 2),
    "expires": ("default", original(expires_in=2), ["HIT", "UPDATING", "HIT"], 2),
    "expires lasts": ("default", original(expires_in=100), ["HIT", "HIT", "HIT"], 1),
    "expired": ("default", original(expires_in=-1), ["MISS", "MISS", "MISS"], 4),
    "expired, with tag": ("default", original(expires_in=-1, **TAG), ["REVALIDATED"] * 3, 4),
    "no-cache": ("default", original(Cache_Control="no-cache"), ["MISS", "MISS", "MISS"], 4),
    "no-cache, with tag": ("default", original(Cache_Control="no-cache", **TAG), ["REVALIDATED"] * 3, 4),
    "no-store": ("default", original(Cache_Control="no-store", **TAG), ["MISS", "MISS", "MISS"], 4),
    "private": ("default", original(Cache_Control="private, max-age=9", **TAG), ["MISS", "MISS", "MISS"], 4),
    "nothing": ("default", original(), ["HIT", "HIT", "HIT"], 1),
    "nothing, 2s": ("second", original(), ["HIT", "UPDATING", "HIT"], 2),
    "must-revalidate": ("default", original(Cache_Control="max-age=2, must-revalidate"), ["HIT", "EXPIRED", "HIT"], 2),
    "must-revalidate, with tag": ("default", original(Cache_Control="max-age=2, must-revalidate", **TAG),
                                  ["HIT", "REVALIDATED", "HIT"], 2),
    "proxy-revalidate": ("default", original(Cache_Control="max-age=2, proxy-revalidate"), ["HIT", "EXPIRED", "HIT"], 2),
    "off": ("off", original(Cache_Control="max-age=2"), ["HIT", "EXPIRED", "HIT"], 2),
    "off, with tag": ("off", original(Cache_Control="max-age=2", **TAG), ["HIT", "REVALIDATED", "HIT"], 2),
    "off, with weak tag": ("off", original(Cache_Control="max-age=2", ETag='W/"a"'), ["HIT", "REVALIDATED", "HIT"], 2),
    "off, with date": ("off", original(Cache_Control="max-age=2", Last_Modified=DATE), ["HIT", "REVALIDATED", "HIT"], 2),
    "off, while-revalidate": ("off", original(Cache_Control="max-age=2, stale-while-revalidate=100"),
                              ["HIT", "EXPIRED", "HIT"], 2),
    "long tag is dropped": ("off", original(Cache_Control="max-age=2", ETag='"' + 127 * "a" + '"'),
                            ["HIT", "EXPIRED", "HIT"], 2),
    "longest tag": ("off", original(Cache_Control="max-age=2", ETag='"' + 126 * "a" + '"'),
                    ["HIT", "REVALIDATED", "HIT"], 2),
    "conditions ignored": ("off", then(o.static(PICTURE, Cache_Control="max-age=2", Last_Modified=DATE),
                                       o.static(PICTURE, Cache_Control="max-age=100", Last_Modified=DATE)),
                           ["HIT", "EXPIRED", "HIT"], 2),
    "conditions ignored, same tag": ("off", lambda *a: o._head(a[1], 200, {"Content-Length": len(PICTURE), "ETag": '"a"',
                                     "Cache-Control": "max-age=2" if a[2] < 2 else "max-age=100"}) or a[1].wfile.write(PICTURE),
                                     ["HIT", "REVALIDATED", "HIT"], 2),
    "error word, while-revalidate": ("error", original(Cache_Control="max-age=2, stale-while-revalidate=100"),
                                     ["HIT", "UPDATING", "HIT"], 2),
    "error word, window over": ("error", original(Cache_Control="max-age=2, stale-while-revalidate=0"),
                                ["HIT", "EXPIRED", "HIT"], 2),
    "404": ("second", o.status(404), [404, 404, 404], 2),
    "404, lifetime": ("default", then(o.status(404, Cache_Control="max-age=2"), o.status(404)), [404, 404, 404], 2),
    "404, no-store": ("default", o.status(404, Cache_Control="no-store"), [404, 404, 404], 4),
    "404, code not named": ("off", then(o.status(403, Cache_Control="max-age=100")), [403, 403, 403], 4),
    "422": ("second", original(BROKEN, Cache_Control="max-age=100", **TAG), [422, 422, 422], 2),
    "422, no-store": ("default", original(BROKEN, Cache_Control="no-store"), [422, 422, 422], 4),
    "502": ("second", o.status(500), [502, 502, 502], 2),
}

GOOD = original(Cache_Control="max-age=2", **TAG)
SIE = original(Cache_Control="max-age=2, stale-if-error=100", **TAG)
MUST = original(Cache_Control="max-age=2, must-revalidate, stale-if-error=100", **TAG)
SWR = original(Cache_Control="max-age=2, stale-while-revalidate=100", **TAG)

# name: (location, at first, [a lifetime later, a moment after that])
FAILURES = {
    "down": ("default", then(GOOD, o.hangs_up()), ["UPDATING", "STALE"]),
    "500": ("default", then(GOOD, o.status(500)), ["UPDATING", "STALE"]),
    "times out": ("default", then(GOOD, o.slow(1.2, GOOD)), ["UPDATING", None]),
    "ends early": ("default", then(GOOD, o.dies(OTHER, 1000)), ["UPDATING", "STALE"]),
    "redirects": ("default", then(GOOD, o.redirect("/")), ["UPDATING", "STALE"]),
    "412": ("default", then(GOOD, o.status(412)), ["UPDATING", "STALE"]),
    "206": ("default", then(GOOD, o.static(PICTURE, code=206)), ["UPDATING", "STALE"]),
    "down, error": ("error", then(GOOD, o.hangs_up()), ["STALE", "STALE"]),
    "times out, error": ("error", then(GOOD, o.slow(1.2, GOOD)), ["STALE", "STALE"]),
    "down, updating": ("updating", then(GOOD, o.hangs_up()), ["UPDATING", "STALE"]),
    "down, off": ("off", then(GOOD, o.hangs_up()), [502, 502]),
    "times out, off": ("off", then(GOOD, o.slow(1.2, GOOD)), [504, 504]),
    "down, off, stale-if-error": ("off", then(SIE, o.hangs_up()), [502, 502]),
    "down and up again, off": ("off", then(GOOD, o.hangs_up(), GOOD), [502, "REVALIDATED"]),
    "down, must-revalidate": ("default", then(MUST, o.hangs_up()), [502, 502]),
    "down, other words": ("gone", then(GOOD, o.hangs_up()), [502, 502]),
    "down, other words, stale-if-error": ("gone", then(SIE, o.status(503)), ["STALE", "STALE"]),
    "down, other words, while-revalidate": ("gone", then(SWR, o.status(503)), ["UPDATING", "STALE"]),
    "304 to nothing": ("off", then(original(Cache_Control="max-age=2"), o.status(304, b"")), [502, 502]),
    "404": ("default", then(GOOD, o.status(404)), ["UPDATING", 404]),
    "410": ("default", then(GOOD, o.status(410)), ["UPDATING", 404]),
    "403": ("default", then(GOOD, o.status(403)), ["UPDATING", 403]),
    "404, off": ("off", then(GOOD, o.status(404)), [404, 404]),
    "404, http_404": ("gone", then(GOOD, o.status(404)), ["STALE", "STALE"]),
    "403, http_403": ("gone", then(GOOD, o.status(403)), ["STALE", "STALE"]),
    "415": ("default", then(GOOD, o.static(pictures.HTML)), ["UPDATING", 415]),
    "422": ("default", then(GOOD, o.static(BROKEN)), ["UPDATING", 422]),
    "no-store now": ("default", then(GOOD, o.static(OTHER, Cache_Control="no-store")), ["UPDATING", "MISS"]),
    "no-store now, off": ("off", then(GOOD, o.static(OTHER, Cache_Control="no-store")), ["EXPIRED", "MISS"]),
    "304 with no-store": ("default", then(GOOD, original(Cache_Control="no-store", **TAG)), ["UPDATING", "MISS"]),
    "304 with private, off": ("off", then(GOOD, original(Cache_Control="private", **TAG)), ["REVALIDATED", "MISS"]),
    "304 with a long life": ("default", then(GOOD, original(Cache_Control="max-age=100", **TAG)), ["UPDATING", "HIT"]),
    "404, then there": ("second", then(o.status(404), original()), ["EXPIRED", "HIT"]),
}


@pytest.fixture(scope="module")
def cases(nginx, origin):
    """Runs all cases of both tables at once; name -> answers."""
    def path(table, name):
        return f"/{table}-{re.sub('[^a-z0-9]+', '-', name)}.jpg"

    for table, rows in ("life", LIVES), ("failure", FAILURES):
        for name, row in rows.items():
            origin.at(path(table, name), row[1])
    targets = {(table, name): f"/{row[0]}{path(table, name)}?w=40"
               for table, rows in (("life", LIVES), ("failure", FAILURES)) for name, row in rows.items()}

    def live(target):
        answers = [nginx.get(target), nginx.get(target)]
        time.sleep(LIFE)
        answers.append(nginx.get(target))
        time.sleep(0.3)
        return [*answers, nginx.get(target)]
    answers = client.at_once([lambda t=t: live(t) for t in targets.values()], len(targets))
    return {key: (given, origin.count(path(*key))) for key, given in zip(targets, answers)}


@pytest.mark.parametrize("name", LIVES)
def test_lifetime(cases, name):
    answers, requests = cases["life", name]
    expected, count = LIVES[name][2:]
    assert [seen(a) for a in answers[1:]] == expected
    assert requests == count
    assert len({a.body for a in answers}) == 1
    for answer in answers:
        rendered = seen(answer) in ("MISS", "EXPIRED")
        if answer.status == 200:
            assert bool(answer.header("X-Time")) == rendered
            assert answer.header("ETag") == answers[0].header("ETag")


@pytest.mark.parametrize("name", FAILURES)
def test_failing_refresh(cases, name):
    answers, _ = cases["failure", name]
    for answer, expected in zip(answers[2:], FAILURES[name][2]):
        assert expected in (seen(answer), None)
    for answer in answers[2:]:
        if seen(answer) in ("STALE", "UPDATING"):
            assert answer.body == answers[0].body


# One by one: the renditions of these tests are made together, and have ended when the first of them begins

class Gate:
    """Holds requests at the origin until it is opened."""

    def __init__(self):
        self.event = threading.Event()

    def __call__(self, behaviour):
        def behave(server, handler, number):
            self.event.wait(20 * SLOW)
            behaviour(server, handler, number)
        return behave

    def open(self):
        self.event.set()


NEW = original(OTHER, Cache_Control="public, max-age=100", ETag='"b"')
GATES = collections.defaultdict(Gate)
PHOTOGRAPH = pictures.photograph("LadyBird").read_bytes()
SCENES = {
    "herd": ("default", then(GOOD, GATES["herd"](NEW))),
    "herdoff": ("off", then(GOOD, o.slow(0.5, NEW))),
    "nocache": ("default", then(original(Cache_Control="no-cache", **TAG),
                                o.slow(0.5, original(Cache_Control="no-cache", **TAG)))),
    "keepalive": ("default", then(GOOD, GATES["keepalive"](NEW))),
    "leaves": ("default", then(GOOD, o.slow(0.3, NEW))),
    "methods": ("default", then(GOOD, GATES["methods"](NEW))),
    "failing": ("default", then(GOOD, o.hangs_up())),
    "extended": ("off", then(GOOD, original(Cache_Control="public, max-age=100", Age="7", **TAG))),
    "included": ("default", then(GOOD, GATES["included"](NEW))),
    "large": ("memory", then(original(PHOTOGRAPH, Cache_Control="max-age=2"),
                             original(PHOTOGRAPH, Cache_Control="max-age=100"))),
    "unbuffered": ("unbuffered", then(original(PHOTOGRAPH, Cache_Control="max-age=2"),
                                      original(PHOTOGRAPH, Cache_Control="max-age=100"))),
    "aged": ("default", then(original(Cache_Control="max-age=12", Age="10", **TAG), o.hangs_up())),
    "threads": ("threads", then(GOOD, NEW)),
    "openfiles": ("openfiles", then(GOOD, NEW)),
    "streams": (None, then(GOOD, GATES["streams"](NEW))),
    "who": ("who/acme", then(GOOD, NEW)),
}


def streams(server, count=1):
    """Cache statuses over HTTP/2 and TLS; its connection is gone when they are there."""
    url = f"https://127.0.0.1:{server.names['secure']}/default/streams.jpg?w=40"
    done = subprocess.run(["curl", "-sk", "--http2", "--parallel", "--parallel-immediate", "-w", "%header{x-cache}\n",
                           *["-o", "/dev/null", url] * count], capture_output=True, text=True, timeout=60 * SLOW)
    return done.stdout.split()


@pytest.fixture(scope="module")
def scenes(make_nginx, origin):
    server = make_nginx(
        origin=origin.port, workers=2,
        http=ZONE, server=LOCATIONS + """
            location /memory/ { media_pass /inmemory/; }
            location /inmemory/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_max_temp_file_size 0;
                                  proxy_buffers 4 4k; proxy_buffer_size 4k; }
            location /unbuffered/ { media_pass /raw/; }
            location /raw/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_buffering off; }
            location /page/ { ssi on; }
            location /threads/ { media_pass /origin/; aio threads; }
            location /openfiles/ { media_pass /origin/; open_file_cache max=100; }
            location ~ ^/who/(?<tenant>\\w+)/ { set $mine my-$tenant; rewrite ^/who/\\w+(/.*)$ $1 break;
                                            media_pass /tenants; }
            location /tenants/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_set_header X-Mine $mine;
                                 proxy_set_header X-Tenant $tenant; proxy_set_header Host $host;
                                 proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Scheme $scheme; }
        }
        server {
            listen 127.0.0.1:@secure@ ssl http2;
            ssl_certificate @prefix@/certificate.pem;
            ssl_certificate_key @prefix@/key.pem;
            location /default/ { media_pass /origin/; }
            location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_set_header X-Scheme $scheme; }
        """, secure=free_ports(1)[0], start=False)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", server.prefix / "key.pem", "-out", server.prefix / "certificate.pem"],
                   check=True, capture_output=True)
    server.start()
    server.add("a.jpg", PICTURE)
    (server.www / "page").mkdir()
    (server.www / "page" / "index.html").write_text('<!--#include virtual="/default/included.jpg?w=40" -->|end')
    targets = {}
    for name, (location, behaviour) in SCENES.items():
        origin.at(f"/{name}.jpg", behaviour)
        if location:
            targets[name] = f"/{location}/{name}.jpg?w=40"
    assert streams(server) == ["MISS"]
    for target in [*targets.values(), "/root/a.jpg?w=40", "/rootoff/a.jpg?w=40", "/file/a.jpg?w=40"]:
        assert seen(server.get(target)) == "MISS", target
    time.sleep(LIFE)
    yield server, targets
    for gate in GATES.values():
        gate.open()


def settled(server, target, what="HIT"):
    wait_until(lambda: seen(server.get(target)) == what, 10 * SLOW, f"{what} for {target}")
    return server.get(target)


def test_one_refresh_for_all_and_nobody_waits(scenes, origin):
    """All are answered while the origin has not answered yet."""
    nginx, targets = scenes
    answers = client.at_once([lambda: nginx.get(targets["herd"])] * 100, 100)
    assert Counter(seen(a) for a in answers) == {"UPDATING": 100}
    assert len({a.body for a in answers}) == 1
    wait_until(lambda: origin.count("/herd.jpg") == 2, 5 * SLOW, "the refresh at the origin")
    GATES["herd"].open()
    assert changed(settled(nginx, targets["herd"]))
    assert origin.count("/herd.jpg") == 2
    assert origin.requests["/herd.jpg"][1].headers["If-None-Match"] == '"a"'


def test_off_lets_all_wait_for_one(scenes, origin):
    nginx, targets = scenes
    answers = client.at_once([lambda: nginx.get(targets["herdoff"])] * 30, 30)
    assert Counter(seen(a) for a in answers) == {"EXPIRED": 1, "HIT": 29}
    assert all(changed(a) for a in answers)
    assert origin.count("/herdoff.jpg") == 2


def test_what_is_always_asked_for_is_asked_for_together(scenes, origin):
    """Those who wait for an answer of the origin take it, though it ends at once."""
    nginx, targets = scenes
    answers = client.at_once([lambda: nginx.get(targets["nocache"])] * 30, 30)
    assert set(seen(a) for a in answers) == {"REVALIDATED", "HIT"}
    assert origin.count("/nocache.jpg") <= 4


def test_the_connection_goes_on_during_a_refresh(scenes, origin):
    nginx, targets = scenes
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=10 * SLOW)
    for target, status in (targets["keepalive"], "UPDATING"), ("/default/other.jpg?w=40", 404):
        connection.request("GET", target)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404 or answer.headers["X-Cache"] == status
    connection.close()
    assert origin.count("/keepalive.jpg") == 2
    GATES["keepalive"].open()
    assert changed(settled(nginx, targets["keepalive"]))


def test_a_client_that_leaves_leaves_the_refresh(scenes, origin):
    nginx, targets = scenes
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=10 * SLOW)
    connection.request("GET", targets["leaves"])
    connection.close()
    wait_until(lambda: origin.count("/leaves.jpg") == 2, 5 * SLOW, "the refresh at the origin")
    assert changed(settled(nginx, targets["leaves"]))
    assert origin.count("/leaves.jpg") == 2


def test_a_stale_body_has_all_http_semantics(scenes):
    nginx, targets = scenes
    whole = nginx.get(targets["methods"])
    assert seen(whole) == "UPDATING"
    head = nginx.get(targets["methods"], method="HEAD")
    assert (head.status, head.body, cached(head)) == (200, b"", "UPDATING")
    assert head.header("Content-Length") == str(len(whole.body))
    part = nginx.get(targets["methods"], {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, whole.body[10:20])
    assert nginx.get(targets["methods"], {"If-None-Match": whole.header("ETag")}).status == 304
    GATES["methods"].open()
    assert changed(settled(nginx, targets["methods"]))


def test_a_failing_origin_is_left_alone_for_a_while(scenes, origin):
    nginx, targets = scenes
    started = time.monotonic()
    answers = [nginx.get(targets["failing"]) for _ in range(50)]
    assert {seen(a) for a in answers} <= {"UPDATING", "STALE"}
    time.sleep(1.2)
    answers += [nginx.get(targets["failing"]) for _ in range(50)]
    time.sleep(0.2)
    took = time.monotonic() - started
    assert seen(answers[-1]) == "STALE"
    assert 2 <= origin.count("/failing.jpg") - 1 <= 2 + took


def test_304_extends_without_rendering(scenes, origin):
    """The rendition stays as it is, its life and its original's validators are the new ones."""
    nginx, targets = scenes
    answer = nginx.get(targets["extended"])
    assert (seen(answer), answer.header("X-Time")) == ("REVALIDATED", None)
    assert (answer.header("Cache-Control"), answer.header("Age")) == ("public, max-age=100", "7")
    after = settled(nginx, targets["extended"])
    assert (after.body, after.header("ETag")) == (answer.body, answer.header("ETag"))
    assert origin.count("/extended.jpg") == 2


def test_included_by_ssi(scenes, origin):
    nginx, targets = scenes
    page = nginx.get("/page/index.html")
    assert page.body.endswith(b"|end") and page.body.startswith(b"\xff\xd8")
    wait_until(lambda: origin.count("/included.jpg") == 2, 5 * SLOW, "the refresh at the origin")
    GATES["included"].open()
    assert changed(settled(nginx, targets["included"]))


def test_over_http2(scenes, origin):
    """A refresh outlives the connection that began it, and asks as that did."""
    nginx, _ = scenes
    assert streams(nginx, 10) == ["UPDATING"] * 10
    wait_until(lambda: origin.count("/streams.jpg") == 2, 5 * SLOW, "the refresh at the origin")
    assert origin.requests["/streams.jpg"][1].headers["X-Scheme"] == "https"
    GATES["streams"].open()
    wait_until(lambda: streams(nginx) == ["HIT"], 10 * SLOW, "the refreshed rendition")
    assert origin.count("/streams.jpg") == 2


@pytest.mark.parametrize("name", ["threads", "openfiles"])
def test_beside_other_ways_to_read_files(scenes, origin, name):
    nginx, targets = scenes
    assert seen(nginx.get(targets[name])) == "UPDATING"
    assert changed(settled(nginx, targets[name]))
    assert origin.count(f"/{name}.jpg") == 2


@pytest.mark.parametrize("name", ["large", "unbuffered"])
def test_large_originals_are_refreshed(scenes, origin, name):
    nginx, targets = scenes
    assert seen(nginx.get(targets[name])) == "UPDATING"
    settled(nginx, targets[name])
    assert origin.count(f"/{name}.jpg") == 2


def test_age(scenes):
    """What is passed on as max-age is not young again."""
    nginx, targets = scenes
    stale = nginx.get(targets["aged"])
    assert stale.header("Cache-Control") == "max-age=12"
    assert int(stale.header("Age")) >= 12
    assert nginx.get("/default/none.jpg?w=40").header("Age") is None


def test_the_refresh_asks_as_the_client_did(scenes, origin):
    nginx, targets = scenes
    assert seen(nginx.get(targets["who"], {"Cookie": "a=b", "X-Token": "abc", "Accept": "image/webp",
                                           "Range": "bytes=0-1"})) == 206
    wait_until(lambda: origin.count("/who.jpg") == 2, 5 * SLOW, "the refresh at the origin")
    fields = origin.requests["/who.jpg"][1].headers
    expected = {"Cookie": "a=b", "X-Token": "abc", "Host": "127.0.0.1", "X-Mine": "my-acme", "X-Tenant": "acme",
                "X-Real-IP": "127.0.0.1", "X-Scheme": "http", "Range": None, "If-None-Match": '"a"'}
    assert {name: fields.get(name) for name in expected} == expected


def test_local_files_are_extended(scenes):
    """The key holds the file's version: what has expired is still right."""
    nginx, _ = scenes
    fresh = nginx.get("/rootoff/a.jpg?w=40")
    assert (seen(fresh), fresh.header("X-Time"), fresh.header("Age")) == ("REVALIDATED", None, None)
    assert seen(nginx.get("/rootoff/a.jpg?w=40")) == "HIT"
    stale = nginx.get("/root/a.jpg?w=40")
    assert seen(stale) == "UPDATING"
    assert settled(nginx, "/root/a.jpg?w=40").body == stale.body == fresh.body


def test_files_of_a_static_location_are_extended(scenes):
    """nginx answers a subrequest with the whole file: its entity tag says that it is the same."""
    nginx, _ = scenes
    assert seen(nginx.get("/file/a.jpg?w=40")) == "REVALIDATED"
    nginx.add("a.jpg", OTHER)
    time.sleep(LIFE)
    answer = nginx.get("/file/a.jpg?w=40")
    assert seen(answer) == "EXPIRED" and changed(answer)


def test_what_stands_for_a_late_rendition_is_whole(own_nginx, origin):
    """The stale file was the answer's until the new one was due: none of the new one's beginnings are in it."""
    nginx = own_nginx(http=ZONE, origin=origin.port, server=LOCATIONS + """
        location /late/ { media_pass /origin/; media_timeout 700ms; media_effort avif=9; media_cache_use_stale error; }""")
    origin.at("/late.jpg", then(original(Cache_Control="max-age=1"), original(PHOTOGRAPH, Cache_Control="max-age=100")))
    target = "/late/late.jpg?w=1600&fm=avif"
    first = nginx.get(target)
    assert seen(first) == "MISS"
    time.sleep(LIFE - 1)
    late = nginx.get(target)
    assert seen(late) == "STALE"
    assert late.body == first.body
    for name in "ETag", "Last-Modified", "Content-Type", "Content-Length":
        assert late.header(name) == first.header(name), name
    # Part of a picture is asked for by its tag.
    part = nginx.get(target, {"Range": "bytes=100-199", "If-Range": first.header("ETag")})
    assert part.status in (200, 206) and part.body in (first.body, first.body[100:200])


def test_refreshes_are_not_logged_as_requests(scenes):
    nginx, _ = scenes
    logged = (nginx.prefix / "media.log").read_text().splitlines()
    statuses = Counter(line.split()[1].split("/")[0] for line in logged if line.startswith("/default/herd.jpg"))
    assert set(statuses) <= {"MISS", "UPDATING", "HIT"} and statuses["MISS"] == 1


# The end of processes

@pytest.mark.parametrize("end", ["quit", "reload", "kill"])
def test_a_refresh_and_the_end_of_its_worker(own_nginx, origin, end):
    nginx = own_nginx(http=ZONE, server=LOCATIONS, origin=origin.port)
    path, gate = f"/end-{end}.jpg", Gate()
    target = f"/default{path}?w=40"
    origin.at(path, then(original(Cache_Control="max-age=1", **TAG), o.slow(0.4, NEW) if end != "kill" else gate(NEW), NEW))
    assert seen(nginx.get(target)) == "MISS"
    time.sleep(LIFE - 1)
    assert seen(nginx.get(target)) == "UPDATING"
    wait_until(lambda: origin.count(path) == 2, 5 * SLOW, "the refresh at the origin")
    if end == "quit":
        nginx.restart()  # gracefully: it waits for the refresh
    elif end == "reload":
        nginx.reload()
    else:
        nginx.kill_workers()
        assert seen(nginx.get(target)) == "UPDATING"  # its lease goes on for a while
    assert changed(settled(nginx, target))
    assert origin.count(path) == (3 if end == "kill" else 2)
    gate.open()
