"""Uploads: every body, what is answered, what lies in the store, and what is served of it."""

import base64
import hashlib
import json
import re

import pytest

import client
import pictures
import uploads
from client import multipart
from uploads import HTTP, JPEG, error, files_of, item, leftovers, make, problem, unique

PNG = pictures.encode(pictures.quadrants(), "PNG")
WEBP = pictures.encode(pictures.gradient(120, 90), "WEBP")
GIF = pictures.animation("GIF", frames=4)

LOCATIONS = uploads.SERVER + """
location /small { media_upload @prefix@/store; media_upload_url /img/; media_upload_max 20k; }
location /png { media_upload @prefix@/store; media_upload_url /img/; media_upload_types image/png image/gif; }
location /svg { media_upload @prefix@/store; media_upload_url /img/; media_upload_types image/svg+xml image/jpeg; }
location /strict { media_upload @prefix@/store; media_upload_url https://cdn.example.com/img/; media_fail_on warning;
                   media_max_source_pixels 100k; }
location = /exact { media_upload @prefix@/store; media_upload_url /img/; }
location /pages { media_upload @prefix@/store; media_intercept_errors on; error_page 415 /unsupported.html; }
location = /unsupported.html { internal; return 200 "not this"; }
"""


@pytest.fixture(scope="module")
def server(make_nginx):
    return make(make_nginx, LOCATIONS)


# What is answered, and stored


@pytest.mark.parametrize("body, mime, extension, size, count", [
    (JPEG, "image/jpeg", "jpg", (400, 300), 1),
    (PNG, "image/png", "png", (240, 160), 1),
    (WEBP, "image/webp", "webp", (120, 90), 1),
    (GIF, "image/gif", "gif", (120, 80), 4),
    (pictures.oriented(6), "image/jpeg", "jpg", None, 1),
], ids=["jpeg", "png", "webp", "gif", "turned"])
def test_item(server, body, mime, extension, size, count):
    answer = server.send("/upload", body)
    told = item(answer)
    key = hashlib.sha256(body).hexdigest()
    path = f"{key[:2]}/{key[2:4]}/{key}.{extension}"
    upright = size or pictures.decode(body).size[::-1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told.pop("created"))
    assert {name: value for name, value in told.items() if value not in (None, "")} == {
        "status": "created", "key": key, "url": f"/img/{path}", "type": mime, "bytes": len(body), "width": upright[0],
        "height": upright[1], "pages": count, "sha256": key, "md5": hashlib.md5(body).hexdigest()}
    assert answer.header("Location") == f"/img/{path}"
    assert (server.store / path).read_bytes() == body
    record = json.loads((server.store / path).with_name(f"{key}.json").read_text())
    assert record["key"] == key and record["bytes"] == len(body)
    served = server.get(told["url"])
    assert served.body == body and served.header("X-Content-Type-Options") == "nosniff"
    rendition = server.get(told["url"] + "?w=40")
    assert rendition.status == 200 and pictures.decode(rendition.body).size[0] == 40
    again = item(server.send("/upload", body), 200, "exists")
    assert {k: v for k, v in again.items() if k not in ("status", "created")} == {
        k: v for k, v in told.items() if k not in ("status", "created")}
    assert files_of(server, key) == sorted([f"{key}.{extension}", f"{key}.json"]) and leftovers(server) == []


def base64_text(body):
    return base64.b64encode(body).decode()


@pytest.mark.parametrize("send", [
    lambda s, b: s.send("/upload", b, "image/jpeg"),
    lambda s, b: s.send("/upload", b, "application/octet-stream"),
    lambda s, b: s.send("/upload", b, "image/png"),  # what a client says of the type is not believed
    lambda s, b: s.send("/upload", b, "image/jpeg", method="PUT"),
    lambda s, b: s.send("/upload/", b, "image/jpeg"),
    lambda s, b: s.send("/exact", b, "image/jpeg"),
    lambda s, b: s.send("/upload", *multipart(b)),
    lambda s, b: s.send("/upload", *multipart(("x.html", b))),
    lambda s, b: s.send("/upload", json.dumps({"data": {"image": base64_text(b)}}).encode(), "application/json"),
    lambda s, b: s.send("/upload", json.dumps({"data": [{"image": "data:image/jpeg;base64," + base64_text(b)}]})
                        .encode(), "application/json; charset=utf-8"),
], ids=["image", "octets", "other type", "put", "slash", "exact", "form", "form other name", "json", "data URI"])
def test_bodies(server, send):
    body = unique()
    told = item(send(server, body))
    assert told["type"] == "image/jpeg" and server.get(told["url"]).body == body


def test_chunked(server):
    body = unique()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:5000], body[5000:])) + b"0\r\n\r\n"
    answer = server.raw(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nConnection: close\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 201 ") and hashlib.sha256(body).hexdigest().encode() in answer


def test_order_and_mixture(server):
    """Items stand in the order sent, each with its own fate."""
    first, second = unique(), unique()
    known = unique()
    item(server.send("/upload", known))
    answer = server.send("/upload", *multipart(first, b"no picture", known, second, first))
    assert answer.status == 207, answer.body
    told = answer.json()["items"]
    assert [t["status"] for t in told] == ["created", "error", "exists", "created", "exists"]
    assert [t.get("key") for t in told] == [hashlib.sha256(b).hexdigest() if b else None
                                            for b in (first, None, known, second, first)]
    assert told[1]["error"]["status"] == 415
    assert answer.type == "application/json"


@pytest.mark.parametrize("sent, status", [
    ([0], 201), ([0, 1], 201), ([1], 200), ([1, 1], 200), ([0, 2], 207), ([1, 2], 207), ([2, 3], 415), ([3, 2], 422)])
def test_status(server, sent, status):
    known = JPEG
    server.send("/upload", known)
    bodies = {0: unique(), 1: known, 2: b"this is text", 3: JPEG[:len(JPEG) // 2]}
    answer = server.send("/upload", *multipart(*[bodies[n] for n in sent]))
    assert answer.status == status, answer.body
    assert len(answer.json()["items"]) == len(sent)


def test_all_failed_is_a_problem(server):
    answer = server.send("/upload", *multipart(b"text", JPEG[:3000]))
    told = problem(answer, 415)
    assert [i["error"]["status"] for i in told["items"]] == [415, 422]
    assert leftovers(server) == []


@pytest.mark.parametrize("body, mime, status", [
    (b'{"data": []}', "application/json", 400),
    (b'{"data": 7}', "application/json", 400),
    (b'{"urls": []}', "application/json", 400),
    (b'{"data": {"image": "AAAA"}, "more": 1}', "application/json", 400),
    (b"{}", "application/json", 400),
    (b'{"data": {"image": "AAAA"', "application/json", 400),
    (b"", "application/json", 400),
    (b"", "image/jpeg", 400),
    (multipart()[0], multipart()[1], 400),
    (multipart(JPEG)[0][:-20], multipart()[1], 400),
    (b"no boundary", "multipart/form-data", 400),
    (JPEG, "text/html", 415),
    (JPEG, "application/x-www-form-urlencoded", 415),
])
def test_bad_bodies(server, body, mime, status):
    problem(server.send("/upload", body, mime), status)
    assert leftovers(server) == []


def test_nothing_of_a_broken_body_is_stored(server):
    """A body that breaks off after a whole file gives nothing, not half of what was meant."""
    first = unique()
    body, mime = multipart(first, unique())
    problem(server.send("/upload", body[:-300], mime), 400)
    assert files_of(server, hashlib.sha256(first).hexdigest()) == [] and leftovers(server) == []


def test_put_is_one_file(server):
    body, mime = multipart(JPEG)
    problem(server.send("/upload", body, mime, method="PUT"), 415)


def test_too_many_files(server):
    told = problem(server.send("/upload", *multipart(*[unique() for _ in range(101)])), 400)
    assert "100" in told["detail"] and leftovers(server) == []


def test_coded_or_partial_bodies(server):
    problem(server.send("/upload", JPEG, headers={"Content-Encoding": "gzip"}), 415)
    problem(server.send("/upload", JPEG, headers={"Content-Range": "bytes 0-9/100"}), 400)
    item(server.send("/upload", unique(), headers={"Content-Encoding": "identity"}))


# Digests

def digests(body, bad=False):
    def code(name):
        digest = hashlib.new(name, body + (b"x" if bad else b"")).digest()
        return base64.b64encode(digest).decode()
    return [{"Content-MD5": code("md5")}, {"Digest": "sha-256=" + code("sha256")},
            {"Digest": "SHA-256=" + code("sha256") + ",adler32=03da0195"}, {"Repr-Digest": f"sha-256=:{code('sha256')}:"},
            {"Repr-Digest": f"sha-512=:{code('sha512')}:"}]


@pytest.mark.parametrize("number", range(5))
def test_digest(server, number):
    body = unique()
    assert error(server.send("/upload", body, headers=digests(body, True)[number]), 422)["detail"]
    assert files_of(server, hashlib.sha256(body).hexdigest()) == [] and leftovers(server) == []
    item(server.send("/upload", body, headers=digests(body)[number]))
    form = unique()
    item(server.send("/upload", *multipart(form), headers=digests(form)[number]))


@pytest.mark.parametrize("field", [{"Content-MD5": "xyz"}, {"Content-MD5": "AAAA"}, {"Digest": "sha-256=@@"},
                                   {"Repr-Digest": "sha-256=AAAA"}])
def test_malformed_digest(server, field):
    problem(server.send("/upload", JPEG, headers=field), 400)


def test_digest_of_several(server):
    first, second = unique(), unique()
    problem(server.send("/upload", *multipart(first, second), headers=digests(first)[0]), 400)
    assert files_of(server, hashlib.sha256(first).hexdigest()) == []


# What is let in

SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"


@pytest.mark.parametrize("body, name, status", [
    (HTML, "photo.jpg", 415),
    (SCRIPT, "photo.jpg", 415),
    (SCRIPT, "photo.svg", 415),
    (b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF", "a.jpg", 415),
    (b"\x7fELF" + bytes(100), "a.png", 415),
    (b"\xff\xd8\xff", "a.jpg", 422),
    (JPEG[:2000], "a.jpg", 422),
    (PNG[:200], "a.png", 422),
    (GIF[:200], "a.gif", 422),
    (pictures.huge_png(), "a.png", 422),
], ids=["html", "svg as jpg", "svg", "pdf", "elf", "head only", "cut jpeg", "cut png", "cut gif", "bomb"])
def test_refused(server, body, name, status):
    answer = server.send("/upload", *multipart((name, body)))
    assert error(answer, status)["detail"]
    raw = server.send("/upload", body, "image/jpeg")
    assert raw.status == status and leftovers(server) == []


def test_polyglots_keep_the_name_of_what_they_are(server):
    """A picture that is something else besides is served as the picture, and never guessed at."""
    for body in (pictures.with_zip_behind(JPEG), JPEG + HTML, GIF + b"/*" + HTML):
        told = item(server.send("/upload", *multipart(("evil.html", body))))
        assert told["url"].endswith((".jpg", ".gif"))
        served = server.get(told["url"])
        assert served.type == told["type"] and served.header("X-Content-Type-Options") == "nosniff"


def test_types(server):
    assert item(server.send("/png", GIF + b"types"))["type"] == "image/gif"
    assert error(server.send("/png", JPEG), 415)
    assert item(server.send("/svg", SCRIPT))["type"] == "image/svg+xml"
    assert error(server.send("/svg", PNG), 415)


def test_limits(server):
    large = JPEG + bytes(30_000)
    problem(server.send("/small", large), 413)  # told by its length
    assert error(server.send("/small", *multipart(large)), 413)
    text = json.dumps({"data": {"image": base64_text(large)}}).encode()
    assert error(server.send("/small", text, "application/json"), 413)
    small = pictures.encode(pictures.solid(40, 30, (1, 2, 3)), "JPEG")
    exact = small + bytes(20 * 1024 - len(small))
    item(server.send("/small", exact))
    assert error(server.send("/small", *multipart(exact + b"1")), 413)
    mixed = server.send("/small", *multipart(large, unique(small)))
    assert mixed.status == 207 and [i["status"] for i in mixed.json()["items"]] == ["error", "created"]
    assert leftovers(server) == []


def test_settings_of_the_location(server):
    assert error(server.send("/strict", unique()), 422)  # 120000 pixels
    told = item(server.send("/strict", PNG + b"strict"))
    assert told["url"].startswith("https://cdn.example.com/img/")


def test_refused_before_the_body_comes(server):
    """Nobody has to send what will not be taken."""
    head = (b"POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 50000000\r\n"
            b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
    answer = server.raw(head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert server.raw(head.replace(b"image/jpeg", b"text/plain").replace(b"50000000", b"5")).startswith(b"HTTP/1.1 415 ")


def test_error_pages(server):
    answer = server.send("/pages", b"text")
    assert answer.status == 415 and answer.body == b"not this"
    assert problem(server.send("/pages", JPEG[:3000]), 422)


# Records


def test_record(server):
    body = unique()
    told = item(server.send("/upload", body))
    answer = server.get("/upload/" + told["key"])
    assert answer.status == 200 and answer.type == "application/json" and answer.header("Cache-Control") == "no-store"
    record = answer.json()
    assert {name: record[name] for name in told if name != "status"} == {n: v for n, v in told.items() if n != "status"}
    head = server.get("/upload/" + told["key"], method="HEAD")
    assert head.status == 200 and head.body == b"" and head.header("Content-Length") == str(len(answer.body))
    problem(server.get("/upload/" + "0" * 64), 404)
    problem(server.get("/upload/" + told["key"].upper()), 404)
    problem(server.get("/upload/" + told["key"] + "?x=1"), 400)
    problem(server.get("/upload?source=https://example.com/never.jpg"), 404)


def test_list(own_nginx):
    server = make(own_nginx)
    assert server.get("/upload").json() == {"items": [], "next": None}
    keys = sorted(item(server.send("/upload", unique()))["key"] for _ in range(7))
    whole = server.get("/upload").json()
    assert [r["key"] for r in whole["items"]] == keys and whole["next"] is None
    assert all(r["url"] == f"/img/{r['key'][:2]}/{r['key'][2:4]}/{r['key']}.jpg" for r in whole["items"])
    seen, after = [], None
    while True:
        page = server.get("/upload/?limit=3" + (f"&after={after}" if after else "")).json()
        assert len(page["items"]) <= 3
        seen += [r["key"] for r in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == keys


@pytest.mark.parametrize("query, parameter", [
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"), ("limit=", "limit"),
    ("after=xyz", "after"), ("foo=1", "foo"), ("limit=1&limit=2", "limit"), ("source=a&limit=1", "limit")])
def test_bad_queries(server, query, parameter):
    assert problem(server.get("/upload?" + query), 400)["param"] == parameter


def test_delete(server):
    body = unique()
    told = item(server.send("/upload", body))
    assert server.get(told["url"] + "?w=33").status == 200
    answer = server.get("/upload/" + told["key"], method="DELETE")
    assert answer.status == 204 and answer.body == b""
    assert files_of(server, told["key"]) == []
    for target in (told["url"], told["url"] + "?w=33", "/upload/" + told["key"]):
        assert server.get(target).status == 404
    problem(server.get("/upload/" + told["key"], method="DELETE"), 404)
    item(server.send("/upload", body))
    assert server.get(told["url"] + "?w=33").status == 200


@pytest.mark.parametrize("target, method, status, allow", [
    ("/upload", "OPTIONS", 204, "GET, HEAD, POST, PUT, OPTIONS"),
    ("/upload/", "OPTIONS", 204, "GET, HEAD, POST, PUT, OPTIONS"),
    ("/upload/" + "a" * 64, "OPTIONS", 204, "GET, HEAD, DELETE, OPTIONS"),
    ("/upload", "DELETE", 405, "GET, HEAD, POST, PUT, OPTIONS"),
    ("/upload", "PATCH", 405, "GET, HEAD, POST, PUT, OPTIONS"),
    ("/upload", "PURGE", 405, "GET, HEAD, POST, PUT, OPTIONS"),
    ("/upload/" + "a" * 64, "POST", 405, "GET, HEAD, DELETE, OPTIONS"),
    ("/upload/" + "a" * 64, "PUT", 405, "GET, HEAD, DELETE, OPTIONS"),
    ("/upload/other", "GET", 404, None),
    ("/upload/other", "POST", 404, None),
    ("/uploads", "GET", 404, None),
    ("/upload" + "a" * 64, "GET", 404, None),
])
def test_methods(server, target, method, status, allow):
    answer = server.get(target, method=method)
    assert answer.status == status, answer.body
    assert answer.header("Allow") == allow


# What is served


@pytest.mark.parametrize("path", [
    ".incoming/x", ".events/x", ".sources/x", ".rejected/x", ".incoming", ".incoming/", "./.incoming/x",
    "%2eincoming/x", "a/../.incoming/x", ".incoming%2fx", "{folder}/{key}.json", "{folder}/{key}.json?w=9",
    "{folder}/%61{key1}.json", "/{folder}/{key}.json", "{folder}/{key}%2ejson"])
def test_private(server, path):
    body = next(b for b in iter(lambda: unique(), None) if hashlib.sha256(b).hexdigest().startswith("a"))
    key = item(server.send("/upload", body))["key"]
    for folder in (".incoming", ".events", ".sources", ".rejected"):
        (server.store / folder).mkdir(exist_ok=True)
        (server.store / folder / "x").write_bytes(JPEG)
    try:
        target = "/img/" + path.format(folder=f"{key[:2]}/{key[2:4]}", key=key, key1=key[1:])
        problem(server.get(target), 404)
    finally:
        for folder in (".incoming", ".events", ".sources", ".rejected"):
            (server.store / folder / "x").unlink()


# Under strain


def test_queue_full(own_nginx):
    server = make(own_nginx, http=HTTP + "media_threads 1 queue=1;", workers=1)
    body = pictures.encode(pictures.gradient(2600, 2000), "PNG")
    answers = client.at_once([lambda n=n: server.send("/upload", body + bytes([n])) for n in range(12)])
    statuses = {a.status for a in answers}
    assert statuses == {201, 503}
    refused = next(a for a in answers if a.status == 503)
    assert refused.header("Retry-After") and problem(refused, 503)
    assert leftovers(server) == []
