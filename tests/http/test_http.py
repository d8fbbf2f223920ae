"""What goes over the wire: methods, conditions, ranges, errors, variables, and what must stay inside."""

import email.utils
import itertools
import os
import re
import socket
import threading
import time

import pytest

import pictures
from nginx_server import wait_until

PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG", quality=95)
SECRET = pictures.encode(pictures.quadrants(40, 30), "PNG")


@pytest.fixture(scope="module")
def nginx(make_nginx):
    server = make_nginx(
        http="""
            media_cache_path @cache@ levels=1:2 keys_zone=z:2m;
            log_format media '$status|$media_cache_status|$media_render_time|$media_queue_time|$media_source_bytes|'
                             '$media_bytes|$media_format|$media_width|$media_height|$media_key|$http_x_mark';
            media_preset thumb "w=50";
        """,
        server="""
            access_log @prefix@/media.log media;
            location /img/ {
                media_root @pics@;
                media_cache z;
                add_header X-Cache $media_cache_status always;
                add_header X-Format $media_format;
                add_header X-Size ${media_width}x$media_height;
                add_header X-Bytes $media_source_bytes:$media_bytes;
                add_header X-Key $media_key;
                add_header X-Path $media_path;
            }
            location /uncached/ { media_root @pics@; add_header X-Cache $media_cache_status always; }
            location /closed/ { media_root @pics@; media_original off; }
            location /noslash { media_root @pics@/; }
            location ~ ^/regex/ { media_root @prefix@; }
            location /files/ { media_pass /static/; media_original off; }
            location /static/ { internal; alias @pics@/; }
            location /links/ { media_root @pics@; }
            location /nolinks/ { media_root @pics@; disable_symlinks on; }
            location /owned/ { media_root @pics@; disable_symlinks if_not_owner; }
            location /limited/ { media_root @pics@; media_max_source_size 1k; media_max_source_pixels 1000; }
            location /fewpixels/ { media_root @pics@; media_max_source_pixels 1000; }
            location /jpegonly/ { media_root @pics@; media_input jpeg; }
            location /pages/ {
                media_root @pics@;
                media_intercept_errors on;
                error_page 400 /bad.html;
                error_page 404 =200 /missing.html;
                error_page 415 422 @broken;
            }
            location /nopages/ { media_root @pics@; error_page 404 /missing.html; }
            location = /bad.html { root @www@; }
            location = /missing.html { root @www@; }
            location @broken { return 418; }
            location /expires/ { media_root @pics@; media_cache z; expires 1h; }
            location /gzip/ { media_root @pics@; gzip on; gzip_types image/jpeg application/problem+json;
                              gzip_min_length 1; }
        """)
    server.add("a.jpg", PICTURE)
    server.add("broken.jpg", PICTURE[:len(PICTURE) // 2])
    server.add("text.jpg", pictures.HTML)
    server.add("folder/b.jpg", PICTURE)
    server.add("a.png", pictures.encode(pictures.gradient(60, 40), "PNG"))
    server.add("secret/s.png", SECRET, server.prefix)
    server.add("bad.html", b"<p>bad", server.www)
    server.add("missing.html", b"<p>missing", server.www)
    os.symlink(server.prefix / "secret" / "s.png", server.pics / "link.png")
    os.symlink("a.jpg", server.pics / "near.jpg")
    os.symlink(server.prefix / "secret", server.pics / "linked")
    os.mkfifo(server.pics / "pipe.jpg")
    return server


# Methods


@pytest.mark.parametrize("location", ["img", "uncached"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "PURGE"])
@pytest.mark.parametrize("query", ["?w=50", ""])
def test_other_methods(nginx, method, location, query):
    answer = nginx.get(f"/{location}/a.jpg{query}", method=method, headers={"Content-Length": "0"})
    assert answer.status == 405
    assert sorted(re.split(r",\s*", answer.header("Allow"))) == ["GET", "HEAD"]
    assert answer.json()["status"] == 405


@pytest.mark.parametrize("target", ["/img/a.jpg?w=60&v=head", "/uncached/a.jpg?w=60", "/img/a.jpg", "/files/a.jpg?w=60"])
def test_head_is_get_without_a_body(nginx, target):
    nginx.get(target)
    get, head = nginx.get(target), nginx.get(target, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Last-Modified"):
        assert head.header(name) == get.header(name) is not None, name
    assert int(head.header("Content-Length")) == len(get.body)


def test_head_of_an_error(nginx):
    answer = nginx.get("/img/none.jpg?w=10", method="HEAD")
    assert (answer.status, answer.body) == (404, b"")


def test_body_of_a_get_is_ignored(nginx):
    got = nginx.raw(b"GET /img/a.jpg?w=61 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                    b"GET /img/a.jpg?w=61 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 200 OK") == 2


def test_kept_alive(nginx):
    """Several answers over one connection: hits, misses, errors, originals."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=30)
    socket_used = None
    for target, status in [("/img/a.jpg?w=62", 200), ("/img/a.jpg?w=62", 200), ("/img/a.jpg?x=1", 400),
                           ("/img/none.jpg?w=1", 404), ("/img/broken.jpg?w=1", 422), ("/img/a.jpg", 200),
                           ("/files/a.jpg?w=62", 200), ("/files/none.jpg?w=62", 404), ("/uncached/a.jpg?w=62", 200)]:
        connection.request("GET", target)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status, target
        assert socket_used in (None, connection.sock), f"closed before {target}"
        socket_used = connection.sock
    connection.close()


def test_pipelined(nginx):
    ask = b"GET /img/a.jpg?w=%d HTTP/1.1\r\nHost: a\r\n\r\n"
    got = nginx.raw(b"".join(ask % w for w in (63, 64, 63)) +
                    b"GET /img/a.jpg?w=63 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 200 OK") == 4


def test_http_1_0(nginx):
    got = nginx.raw(b"GET /img/a.jpg?w=65 HTTP/1.0\r\n\r\n")
    head, body = got.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200")
    assert pictures.decode(body).size == (65, 49)


# Headers


@pytest.mark.parametrize("target", ["/img/a.jpg?w=70", "/uncached/a.jpg?w=70", "/files/a.jpg?w=70", "/img/a.jpg"])
def test_headers(nginx, target):
    for _ in range(2):
        answer = nginx.get(target)
        assert answer.status == 200
        assert answer.type == "image/jpeg"
        assert int(answer.header("Content-Length")) == len(answer.body)
        assert answer.header("Transfer-Encoding") is None
        assert re.fullmatch(r'"[^"]+"', answer.header("ETag")), answer.header("ETag")
        assert answer.header("Last-Modified") == email.utils.formatdate(
            int((nginx.pics / "a.jpg").stat().st_mtime), usegmt=True)
        assert answer.header("Accept-Ranges") == "bytes"


def test_etags_tell_renditions_apart(nginx):
    targets = ["/img/a.jpg?w=71", "/img/a.jpg?w=72", "/img/a.jpg?w=71&fm=webp", "/img/a.jpg?w=71&q=10",
               "/img/folder/b.jpg?w=99", "/img/a.jpg"]
    tags = [nginx.get(t).header("ETag") for t in targets]
    assert len(set(tags)) == len(tags)


def test_cache_control_is_the_operators(nginx):
    for _ in "MISS", "HIT":
        assert nginx.get("/expires/a.jpg?w=73").header("Cache-Control") == "max-age=3600"
    assert nginx.get("/img/a.jpg?w=73").header("Cache-Control") is None


def test_gzip_in_the_location(nginx):
    """The operator's filters work on renditions as on any answer."""
    answer = nginx.get("/gzip/a.jpg?w=74", {"Accept-Encoding": "gzip"})
    assert answer.header("Content-Encoding") == "gzip"
    import gzip
    assert pictures.decode(gzip.decompress(answer.body)).size == (74, 56)


# Conditions


@pytest.mark.parametrize("target", ["/img/a.jpg?w=80", "/uncached/a.jpg?w=80", "/files/a.jpg?w=80", "/img/a.jpg"])
@pytest.mark.parametrize("condition, status", [
    (lambda a: {"If-None-Match": a.header("ETag")}, 304),
    (lambda a: {"If-None-Match": '"x", ' + a.header("ETag")}, 304),
    (lambda a: {"If-None-Match": "W/" + a.header("ETag")}, 304),
    (lambda a: {"If-None-Match": "*"}, 304),
    (lambda a: {"If-None-Match": '"other"'}, 200),
    (lambda a: {"If-Modified-Since": a.header("Last-Modified")}, 304),
    (lambda a: {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
    (lambda a: {"If-None-Match": '"other"', "If-Modified-Since": a.header("Last-Modified")}, 200),
    (lambda a: {"If-Match": '"other"'}, 412),
    (lambda a: {"If-Match": a.header("ETag")}, 200),
], ids=["tag", "tags", "weak", "any", "other-tag", "same-time", "earlier", "tag-before-time", "no-match", "match"])
def test_condition(nginx, target, condition, status):
    first = nginx.get(target)
    answer = nginx.get(target, condition(first))
    assert answer.status == status
    if status == 304:
        assert answer.body == b""
        assert answer.header("ETag") == first.header("ETag")
    if status == 200:
        assert answer.body == first.body


def test_condition_on_a_miss(nginx):
    """What the client has is good even if we no longer have it."""
    tag = nginx.get("/img/a.jpg?w=81").header("ETag")
    for path in nginx.cache_files():
        path.unlink()
    nginx.expect_log(r"\[crit\] .*(unlink|open)\(\)")
    assert nginx.get("/img/a.jpg?w=81", {"If-None-Match": tag}).status == 304


# Ranges


@pytest.mark.parametrize("location", ["img", "uncached", "files"])
@pytest.mark.parametrize("state", ["MISS", "HIT"])
def test_ranges(nginx, location, state):
    version = f"ranges-{location}-{state}"
    target = f"/{location}/a.jpg?w=90&v={version}"
    ranges = [("bytes=0-99", slice(0, 100)), ("bytes=100-199", slice(100, 200)), ("bytes=-50", slice(-50, None)),
              ("bytes=500-", slice(500, None)), ("bytes=0-", slice(0, None))]
    for number, (asked, part) in enumerate(ranges):
        url = target if state == "HIT" else f"{target}{number}"
        whole = nginx.get(f"/{location}/a.jpg?w=90").body
        if state == "HIT":
            nginx.get(url)
        answer = nginx.get(url, {"Range": asked})
        assert answer.status == 206
        assert answer.body == whole[part]
        start, stop, _ = part.indices(len(whole))
        assert answer.header("Content-Range") == f"bytes {start}-{stop - 1}/{len(whole)}"
        assert int(answer.header("Content-Length")) == len(answer.body)


@pytest.mark.parametrize("state", ["MISS", "HIT"])
def test_range_that_cannot_be_satisfied(nginx, state):
    target = f"/img/a.jpg?w=91&v=416{state}"
    if state == "HIT":
        nginx.get(target)
    answer = nginx.get(target, {"Range": "bytes=99999999-"})
    assert answer.status == 416
    whole = nginx.get(target)
    assert whole.status == 200
    assert answer.header("Content-Range") == f"bytes */{len(whole.body)}"


def test_several_ranges(nginx):
    nginx.get("/img/a.jpg?w=92")
    answer = nginx.get("/img/a.jpg?w=92", {"Range": "bytes=0-9,20-29"})
    assert answer.status == 206
    assert answer.type.startswith("multipart/byteranges")


def test_if_range(nginx):
    whole = nginx.get("/img/a.jpg?w=93")
    for tag, status in ((whole.header("ETag"), 206), ('"other"', 200)):
        assert nginx.get("/img/a.jpg?w=93", {"Range": "bytes=0-9", "If-Range": tag}).status == status


# Untouched originals


def test_original_is_untouched(nginx):
    answer = nginx.get("/img/a.jpg")
    assert answer.body == PICTURE
    assert nginx.get("/img/a.jpg?").body == PICTURE
    part = nginx.get("/img/a.jpg", {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, PICTURE[10:20])


@pytest.mark.parametrize("location", ["closed", "files"])
def test_original_withheld(nginx, location):
    answer = nginx.get(f"/{location}/a.jpg")
    assert answer.status == 403
    assert PICTURE[:100] not in answer.body
    assert nginx.get(f"/{location}/a.jpg?w=20").status == 200


# Errors


@pytest.mark.parametrize("target, status, param", [
    ("/img/a.jpg?w=x", 400, "w"), ("/img/a.jpg?nothing=1", 400, "nothing"), ("/closed/a.jpg", 403, None),
    ("/img/none.jpg?w=1", 404, None), ("/img/none.jpg", 404, None), ("/img/?w=1", 404, None), ("/img/", 404, None),
    ("/img/folder?w=1", 404, None), ("/img/folder/?w=1", 404, None), ("/img/a.jpg/b?w=1", 404, None),
    ("/img/pipe.jpg?w=1", 404, None), ("/img/" + "n" * 300 + ".jpg?w=1", 404, None),
    ("/limited/a.jpg?w=1", 413, None), ("/img/text.jpg?w=1", 415, None), ("/jpegonly/a.png?w=1", 415, None),
    ("/img/broken.jpg?w=1", 422, None), ("/fewpixels/a.jpg?w=1", 422, None), ("/uncached/broken.jpg?w=1", 422, None),
    ("/files/none.jpg?w=1", 404, None), ("/files/broken.jpg?w=1", 422, None),
])
def test_problem(nginx, target, status, param):
    for _ in range(2):
        answer = nginx.get(target)
        assert answer.status == status
        assert answer.type == "application/problem+json"
        assert int(answer.header("Content-Length")) == len(answer.body)
        problem = answer.json()
        assert problem["status"] == status
        assert isinstance(problem["title"], str) and problem["title"]
        assert isinstance(problem["detail"], str) and problem["detail"]
        assert problem.get("param") == param
        assert set(problem) <= {"status", "title", "detail", "param", "type", "instance"}


LEAKS = re.compile(r"/tmp|/usr|/home|/root|ngx-media|vips|libjpeg|libpng|\.cpp|0x[0-9a-f]{6}|No such file|errno", re.I)


@pytest.mark.parametrize("target", [
    "/img/none.jpg?w=1", "/img/folder?w=1", "/img/text.jpg?w=1", "/img/broken.jpg?w=1", "/limited/a.jpg?w=1",
    "/fewpixels/a.jpg?w=1", "/img/a.jpg?w=x", "/img/a.jpg?w=10&fit=%3Cscript%3E", "/files/none.jpg?w=1", "/closed/a.jpg",
    "/img/a.jpg/b?w=1", "/img/pipe.jpg?w=1"])
def test_errors_tell_nothing_of_the_server(nginx, target):
    answer = nginx.get(target)
    assert answer.status >= 400
    assert not LEAKS.search(answer.body.decode()), answer.body
    assert str(nginx.prefix).encode() not in answer.body
    assert not LEAKS.search(str(answer.headers))


@pytest.mark.parametrize("query", ["w=%22%5C%0a%ff", "%22%3E%3Cscript%3E=1", "fit=%e2%82%ac", "%ff%fe=1"])
def test_problem_is_json_whatever_was_asked(nginx, query):
    answer = nginx.get("/img/a.jpg?" + query)
    assert answer.status == 400
    assert answer.json()["status"] == 400


@pytest.mark.parametrize("target, status, body", [
    ("/pages/a.jpg?w=x", 400, b"<p>bad"), ("/pages/none.jpg?w=1", 200, b"<p>missing"),
    ("/pages/text.jpg?w=1", 418, None), ("/pages/broken.jpg?w=1", 418, None), ("/pages/a.jpg?w=10", 200, None)])
def test_intercepted_errors(nginx, target, status, body):
    answer = nginx.get(target)
    assert answer.status == status
    assert answer.type != "application/problem+json"
    if body:
        assert answer.body == body
        assert answer.type == "text/html"


def test_errors_are_not_intercepted_unless_told(nginx):
    assert nginx.get("/nopages/none.jpg?w=1").type == "application/problem+json"


# Paths


@pytest.mark.parametrize("path", [
    "/img/../secret/s.png", "/img/%2e%2e/secret/s.png", "/img/%2e%2e%2fsecret/s.png", "/img/..%2fsecret%2fs.png",
    "/img/folder/../../secret/s.png", "/img/....//secret/s.png", "/img//../secret/s.png", "/img/..\\secret\\s.png",
    "/img/%252e%252e/secret/s.png", "/img/%00/../secret/s.png", "/img/a.jpg%00.png", "/noslash../secret/s.png",
    "/noslash%2e%2e/secret/s.png", "/noslash..%2fsecret/s.png", "/img/./../secret/s.png",
])
@pytest.mark.parametrize("query", ["?w=10", ""])
def test_nothing_outside_the_root(nginx, path, query):
    head, _, body = nginx.raw(f"GET {path}{query} HTTP/1.0\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert int(head.split()[1]) in (400, 403, 404)
    assert b"image/" not in head
    assert SECRET[:30] not in body


@pytest.mark.parametrize("location, name, status", [
    ("links", "link.png", 200), ("links", "near.jpg", 200), ("links", "linked/s.png", 200),
    ("nolinks", "link.png", 403), ("nolinks", "near.jpg", 403), ("nolinks", "linked/s.png", 403),
    ("nolinks", "a.jpg", 200), ("owned", "near.jpg", 200)])
@pytest.mark.parametrize("query", ["?w=10", ""])
def test_symbolic_links(nginx, location, name, status, query):
    answer = nginx.get(f"/{location}/{name}{query}")
    assert (answer.status if answer.status != 404 else 403) == status


def test_regex_location_appends_the_whole_uri(nginx):
    """As root does there: with alias it would be the same picture for all."""
    nginx.add("regex/a.jpg", PICTURE, nginx.prefix)
    assert nginx.get("/regex/a.jpg?w=10").status == 200
    assert nginx.get("/regex/none.jpg?w=10").status == 404


# Variables


marks = itertools.count()


def logged(nginx, target, **headers):
    # A line is written after its answer was sent: those of requests before may still be on their way.
    mark = f"mark-{next(marks)}"
    answer = nginx.get(target, {**headers, "X-Mark": mark})
    path = nginx.prefix / "media.log"
    line = wait_until(lambda: next((line for line in path.read_text().splitlines() if line.endswith(f"|{mark}")), None),
                      10, "the line of a request")
    names = ["status", "cache", "render", "queue", "source", "bytes", "format", "width", "height", "key"]
    return answer, dict(zip(names, line.split("|")))


def test_variables_of_a_miss(nginx):
    answer, seen = logged(nginx, "/img/a.jpg?w=150&fm=webp&v=log")
    assert seen["cache"] == "MISS"
    assert re.fullmatch(r"\d+\.\d{3}", seen["render"])
    assert re.fullmatch(r"\d+\.\d{3}", seen["queue"])
    assert int(seen["source"]) == len(PICTURE)
    assert int(seen["bytes"]) == len(answer.body)
    assert (seen["format"], seen["width"], seen["height"]) == ("webp", "150", "113")
    assert seen["key"] not in ("", "-")


def test_variables_of_a_hit(nginx):
    _, miss = logged(nginx, "/img/a.jpg?w=151&fm=webp&v=log")
    answer, hit = logged(nginx, "/img/a.jpg?v=log&fm=webp&w=151")
    assert hit["cache"] == "HIT"
    assert (hit["render"], hit["queue"]) == ("-", "-")
    assert int(hit["bytes"]) == len(answer.body)
    for name in "format", "width", "height", "key":
        assert hit[name] == miss[name], name


def test_variables_of_an_error(nginx):
    _, seen = logged(nginx, "/img/a.jpg?w=x")
    assert (seen["status"], seen["render"], seen["bytes"]) == ("400", "-", "-")


def test_variables_in_headers(nginx):
    for status in "MISS", "HIT":
        answer = nginx.get("/img/a.jpg?w=152&v=headers")
        assert answer.header("X-Cache") == status
        assert answer.header("X-Format") == "jpeg"
        assert answer.header("X-Size") == "152x114"
        assert answer.header("X-Bytes").split(":")[1] == str(len(answer.body))
        assert answer.header("X-Key")


def test_path_of_a_rendition(nginx):
    """How it was made is known to the request that made it."""
    assert nginx.get("/img/a.jpg?w=60&v=path").header("X-Path") == "direct"
    assert nginx.get("/img/a.jpg?w=60&v=path").header("X-Path") is None
    assert nginx.get("/img/a.jpg?w=60&trim=10&v=path").header("X-Path") == "libvips"
    assert nginx.get("/img/a.jpg?w=0").header("X-Path") is None


def test_key_is_canonical(nginx):
    def key(query):
        return nginx.get("/img/a.jpg?" + query).header("X-Key")
    assert key("w=100&h=80&fit=cover") == key("fit=cover&h=40&w=50&dpr=2")
    assert key("w=100&h=80&fit=cover") != key("w=100&h=80&fit=fill")


def test_variables_elsewhere_are_empty(own_nginx):
    server = own_nginx(server="""location / { return 200 "[$media_cache_status$media_key$media_bytes$media_format]"; }""")
    assert server.get("/").body == b"[]"


# Slow clients


def test_slow_reader(nginx):
    """A client that takes its time gets every byte; nobody else waits for it."""
    nginx.add("noise.jpg", pictures.photograph("LadyBird"))
    whole = nginx.get("/img/noise.jpg?w=2500&q=95").body
    assert len(whole) > 300_000
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(30)
        s.connect(("127.0.0.1", nginx.port))
        s.sendall(b"GET /uncached/noise.jpg?w=2500&q=95 HTTP/1.0\r\n\r\n")
        got = s.recv(1000)
        other = nginx.get("/img/a.jpg?w=10")
        assert other.status == 200
        time.sleep(0.3)
        while chunk := s.recv(65536):
            got += chunk
    assert got.split(b"\r\n\r\n", 1)[1] == whole
