"""Originals of media_pass: every kind of origin, and every way in which one fails."""

import http.client
import re
import time
from collections import Counter

import pytest

import client
import origin as o
import pictures
from nginx_server import free_ports

PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG", quality=95)
PHOTOGRAPH = pictures.photograph("LadyBird").read_bytes()


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    server = make_nginx(
        origin=origin.port, dead=free_ports(1)[0],
        http="""
            media_threads 2 queue=100;
            media_cache_path @cache@/media levels=1:2 keys_zone=z:4m;
            proxy_cache_path @cache@/proxy levels=1:2 keys_zone=p:1m use_temp_path=off;
            add_header X-Cache $media_cache_status always;
        """,
        server="""
            media_cache z;
            media_max_source_size 1m;
            location /static/ { media_pass /files/; }
            location /files/ { internal; alias @pics@/; }
            location /plain/ { media_pass /origin/; }
            location /uncached/ { media_pass /origin/; media_cache off; }
            location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_read_timeout 700ms; }
            location /proxycached/ { media_pass /cachedorigin/; }
            location /cachedorigin/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_read_timeout 700ms;
                                      proxy_cache p; proxy_cache_valid 200 1m; }
            location /unbuffered/ { media_pass /raworigin/; }
            location /raworigin/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_read_timeout 700ms;
                                   proxy_buffering off; }
            location /http11/ { media_pass /origin11/; }
            location /origin11/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_read_timeout 700ms;
                                  proxy_http_version 1.1; proxy_set_header Connection ""; }
            location /dead/ { media_pass /deadorigin/; }
            location /deadorigin/ { internal; proxy_pass http://127.0.0.1:@dead@/; }
            location /nowhere/ { media_pass /nothing/; }
            location /self/ { media_pass /self/; }
            location /text/ { media_pass /returned/; }
            location /returned/ { internal; return 200 "hello"; }
            location /loose/ { media_pass /tries/; }
            location /tries/ { internal; alias @pics@/; try_files $uri @fallback; }
            location @fallback { rewrite ^/tries/(.*)$ /$1 break; proxy_pass http://127.0.0.1:@origin@; }
            location /small/ { media_pass /bufferless/; }
            location /bufferless/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_buffers 4 4k; proxy_read_timeout 700ms;
                                    proxy_buffer_size 4k; proxy_max_temp_file_size 0; }
            location /spilled/ { media_pass /spilling/; }
            location /spilling/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_buffers 2 4k; proxy_read_timeout 700ms;
                                  proxy_buffer_size 4k; proxy_busy_buffers_size 4k; }
        """)
    server.add("a.jpg", PICTURE)
    server.add("photo.jpg", PHOTOGRAPH)
    server.add("folder/b.jpg", PICTURE)
    return server


WAYS = ["plain", "uncached", "proxycached", "unbuffered", "http11", "small", "spilled"]


def good(answer, size=(100, 75)):
    assert answer.status == 200, answer.body
    seen = pictures.decode(answer.body)
    assert seen.size == size
    return seen


def failed(answer, status):
    assert answer.status == status, answer.body[:300]
    assert answer.type == "application/problem+json"
    assert answer.json()["status"] == status


# Origins that work


@pytest.mark.parametrize("way", ["static", "loose"])
def test_static_location(nginx, way):
    seen = good(nginx.get(f"/{way}/a.jpg?w=100"))
    assert pictures.difference(seen, pictures.reference(pictures.gradient(400, 300), (100, 75))) < 5
    assert good(nginx.get(f"/{way}/folder/b.jpg?w=100"))


def test_try_files_into_a_proxy(nginx, origin):
    origin.at("/elsewhere.jpg", o.static(PICTURE))
    good(nginx.get("/loose/elsewhere.jpg?w=100"))
    assert origin.count("/elsewhere.jpg") == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["length", "chunked", "small chunks", "until close"])
def test_proxied(nginx, origin, way, kind):
    path = f"/{kind.replace(' ', '-')}-{way}.jpg"
    origin.at(path, {"length": o.static(PICTURE), "chunked": o.chunked(PICTURE),
                     "small chunks": o.chunked(PICTURE, size=1000, pause=0.002),
                     "until close": o.until_close(PICTURE)}[kind])
    seen = good(nginx.get(f"/{way}{path}?w=100"))
    assert pictures.difference(seen, pictures.reference(pictures.gradient(400, 300), (100, 75))) < 5


@pytest.mark.parametrize("way", WAYS)
def test_large_originals(nginx, origin, way):
    """More than fits the proxy's buffers: part of it may lie in a temporary file."""
    origin.at(f"/photo-{way}.jpg", o.static(PHOTOGRAPH))
    good(nginx.get(f"/{way}/photo-{way}.jpg?w=160"), (160, 100))


def test_hits_do_not_ask_the_origin(nginx, origin):
    origin.at("/once.jpg", o.static(PICTURE))
    answers = [nginx.get("/plain/once.jpg?w=100") for _ in range(5)]
    assert [a.header("X-Cache") for a in answers] == ["MISS"] + ["HIT"] * 4
    assert len({a.body for a in answers}) == 1
    assert origin.count("/once.jpg") == 1


def test_proxy_cache_keeps_the_original(nginx, origin):
    origin.at("/kept.jpg", o.static(PICTURE))
    for width in (100, 50, 20):
        good(nginx.get(f"/proxycached/kept.jpg?w={width}"), (width, round(width * 0.75 + 0.01)))
    assert origin.count("/kept.jpg") == 1


def test_identical_misses_fetch_once(nginx, origin):
    origin.at("/together.jpg", o.slow(0.3, o.static(PICTURE)))
    answers = client.at_once([lambda: nginx.get("/plain/together.jpg?w=100")] * 20)
    assert Counter(a.header("X-Cache") for a in answers) == {"MISS": 1, "HIT": 19}
    assert origin.count("/together.jpg") == 1


def test_untouched_original(nginx, origin):
    origin.at("/untouched.jpg", o.static(PICTURE))
    for target in "/plain/untouched.jpg", "/static/a.jpg", "/proxycached/untouched.jpg":
        answer = nginx.get(target)
        assert (answer.status, answer.type) == (200, "image/jpeg")
        assert answer.body == PICTURE
        assert int(answer.header("Content-Length")) == len(PICTURE)


def test_last_modified_and_etag_of_the_original(nginx, origin):
    when = "Wed, 01 Feb 2023 10:00:00 GMT"
    origin.at("/dated.jpg", o.static(PICTURE, Last_Modified=when, ETag='"abc"'))
    for _ in "MISS", "HIT":
        answer = nginx.get("/plain/dated.jpg?w=100")
        assert answer.header("Last-Modified") == when
        assert answer.header("ETag") not in (None, '"abc"')


def test_names_with_special_characters(nginx, origin):
    """The path arrives at the origin as the client meant it."""
    origin.at("/a%20b&c%3Fd%C3%A9.jpg", o.static(PICTURE))
    good(nginx.get("/plain/a%20b%26c%3Fd%C3%A9.jpg?w=100"))
    nginx.add("a b&c?d\u00e9%41.jpg", PICTURE)
    good(nginx.get("/static/a%20b%26c%3Fd%C3%A9%2541.jpg?w=100"))


def test_the_query_stays_here(nginx, origin):
    origin.at("/query.jpg", o.static(PICTURE))
    nginx.get("/plain/query.jpg?w=100")
    assert origin.requests["/query.jpg"][0].target == "/query.jpg"


# The client's headers


@pytest.mark.parametrize("way", ["plain", "proxycached", "static"])
@pytest.mark.parametrize("name, value", [
    ("Range", "bytes=0-99"), ("If-None-Match", '"o"'), ("If-None-Match", "*"), ("If-Match", '"nothing"'),
    ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"), ("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"),
    ("If-Range", '"o"')])
def test_conditions_are_about_the_rendition(nginx, origin, way, name, value):
    """What the client knows of the rendition says nothing about the original."""
    target = f"/conditional-{name}.jpg"
    origin.at(target, o.static(PICTURE, ETag='"o"', Last_Modified="Wed, 01 Feb 2023 10:00:00 GMT"))
    nginx.add(target[1:], PICTURE)
    nginx.get(f"/{way}{target}?w=99&v={way}", {name: value})
    for seen in origin.requests[target]:
        assert seen.headers.get(name) is None
    good(nginx.get(f"/{way}{target}?w=100"))


def test_head_fetches_with_get(nginx, origin):
    origin.at("/head.jpg", o.static(PICTURE))
    answer = nginx.get("/plain/head.jpg?w=100", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert [seen.method for seen in origin.requests["/head.jpg"]] == ["GET"]
    assert int(answer.header("Content-Length")) == len(nginx.get("/plain/head.jpg?w=100").body)


def test_accept_encoding_does_not_compress_the_original(nginx, origin):
    origin.at("/gzip.jpg", o.static(PICTURE))
    good(nginx.get("/plain/gzip.jpg?w=100", {"Accept-Encoding": "gzip, br"}))
    assert "gzip" not in (origin.requests["/gzip.jpg"][0].headers.get("Accept-Encoding") or "")


def test_other_headers_reach_the_origin(nginx, origin):
    """Cookies and tokens are the location's to forward or to drop, as ever."""
    origin.at("/cookie.jpg", o.static(PICTURE))
    good(nginx.get("/plain/cookie.jpg?w=100", {"X-Token": "abc"}))
    assert origin.requests["/cookie.jpg"][0].headers.get("X-Token") == "abc"


# Origins that fail


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name, behaviour, status", [
    ("404", o.status(404), 404),
    ("500", o.status(500), 502),
    ("503", o.status(503), 502),
    ("302", o.redirect("/good.jpg"), 502),
    ("301", o.status(301, Location="http://127.0.0.1:1/"), 502),
    ("html", o.status(200, pictures.HTML), 415),
    ("html as a picture", o.static(pictures.HTML), 415),
    ("nothing", o.static(b""), 415),
    ("hangs up", o.hangs_up(), 502),
    ("half, by length", o.dies(PICTURE, len(PICTURE) // 2), 502),
    ("half, reset", o.dies(PICTURE, len(PICTURE) // 2, reset=True), 502),
    ("all but one byte", o.dies(PICTURE, len(PICTURE) - 1), 502),
    ("half, chunked", o.chunked(PICTURE, stop_after=len(PICTURE) // 2), 502),
    ("all, but no last chunk", o.chunked(PICTURE, stop_after=len(PICTURE)), 502),
    ("headers only", o.dies(PICTURE, 0), 502),
    ("half a picture, whole answer", o.static(PICTURE[:len(PICTURE) // 2]), 422),
    ("too big, by length", o.endless(PICTURE, 50 << 20), 413),
    ("too big, chunked", o.endless(PICTURE), 413),
    ("slow", o.slow(1.5, o.static(PICTURE)), 504),
    ("stalls", o.stalls(PICTURE, 5000, 1.5), 504),
], ids=lambda v: re.sub(r"\W+", "-", v) if isinstance(v, str) else str(v) if isinstance(v, int) else "")
def test_failure(nginx, origin, way, name, behaviour, status):
    path = "/fail-" + "".join(c if c.isalnum() else "-" for c in name) + f"-{way}.jpg"
    origin.at(path, behaviour)
    answer = nginx.get(f"/{way}{path}?w=100")
    if name == "stalls":
        assert answer.status in (502, 504)
        failed(answer, answer.status)
    else:
        failed(answer, status)
    # And never a rendition out of it, nor a memory of it that outlasts it.
    if status in (502, 504, 413):
        origin.at(path, o.static(PICTURE))
        again = nginx.get(f"/{way}{path}?w=100&v=2")
        good(again)
    if status in (502, 504):
        good(nginx.get(f"/{way}{path}?w=100"))


@pytest.mark.parametrize("way", ["plain", "unbuffered", "http11", "uncached"])
def test_too_big_is_given_up_early(nginx, origin, way):
    """No more is fetched than it takes to know: the limit, and what was under way."""
    for kind, length in (("chunked", None), ("length", 60 << 20)):
        path = f"/endless-{kind}-{way}.jpg"
        origin.sent.pop(path, None)
        origin.at(path, o.endless(PICTURE, length))
        failed(nginx.get(f"/{way}{path}?w=100"), 413)
        time.sleep(0.3)
        assert origin.sent[path] < 16 << 20


def test_too_big_a_file(nginx):
    nginx.add("big.jpg", PHOTOGRAPH + bytes(1 << 20))
    failed(nginx.get("/static/big.jpg?w=100"), 413)


@pytest.mark.parametrize("target, status", [
    ("/dead/a.jpg", 502), ("/static/none.jpg", 404), ("/static/", 403), ("/static/folder", 502), ("/nowhere/a.jpg", 404),
    ("/text/a.jpg", 415)])
def test_locations_that_fail(nginx, target, status):
    failed(nginx.get(target + "?w=100"), status)


@pytest.mark.parametrize("code, status", [(401, 403), (403, 403), (410, 404), (204, 502), (206, 502), (400, 502),
                                          (429, 502)])
def test_other_answers(nginx, origin, code, status):
    origin.at(f"/answer-{code}.jpg", o.static(PICTURE, code=code))
    failed(nginx.get(f"/plain/answer-{code}.jpg?w=100"), status)


def test_origin_that_is_itself(nginx):
    """A location that asks itself ends, with an error."""
    nginx.expect_log("subrequests cycle")
    answer = nginx.get("/self/a.jpg?w=100")
    assert 400 <= answer.status < 600
    good(nginx.get("/static/a.jpg?w=100"))


def test_truncated_untouched_original_is_not_whole(nginx, origin):
    """Without parameters there is nothing to check: but the client can tell."""
    origin.at("/cut.jpg", o.dies(PICTURE, len(PICTURE) // 2))
    try:
        answer = nginx.get("/plain/cut.jpg")
        assert answer.status == 502
    except http.client.IncompleteRead:
        pass


def test_truncated_original_with_proxy_cache_is_not_kept(nginx, origin):
    origin.at("/halfkept.jpg", o.one_after_another(o.dies(PICTURE, len(PICTURE) // 2), o.static(PICTURE)))
    failed(nginx.get("/proxycached/halfkept.jpg?w=100"), 502)
    good(nginx.get("/proxycached/halfkept.jpg?w=100"))


def test_client_leaves_during_the_fetch(nginx, origin):
    origin.at("/left.jpg", o.slow(0.4, o.static(PICTURE)))
    for _ in range(10):
        client.abandon(nginx.port, "/plain/left.jpg?w=100", after=0.02)
    time.sleep(0.6)
    good(nginx.get("/plain/left.jpg?w=100"))


def test_many_failures_leak_nothing(nginx, origin):
    """Connections to the origin and open files of the workers come back to where they were."""
    names = {"/l-dies.jpg": (o.dies(PICTURE, 9000), 502), "/l-chunk.jpg": (o.chunked(PICTURE, stop_after=9000), 502),
             "/l-big.jpg": (o.endless(PICTURE), 413), "/l-html.jpg": (o.status(200, pictures.HTML), 415),
             "/l-404.jpg": (o.status(404), 404), "/l-good.jpg": (o.static(PICTURE), 200)}
    for path, (behaviour, _) in names.items():
        origin.at(path, behaviour)
    failed(nginx.get("/plain/l-dies.jpg?w=1"), 502)

    def descriptors():
        return sum(len(p.files()) for p in nginx.workers())
    before = descriptors()
    for turn in range(5):
        calls = [lambda p=p, w=w: nginx.get(f"/{w}{p}?w={20 + turn}").status for p in names for w in WAYS]
        answers = client.at_once(calls, 12)
        assert answers == [names[p][1] for p in names for _ in WAYS]
    time.sleep(0.3)
    assert descriptors() <= before + 4
    assert not nginx.temporary_files()
