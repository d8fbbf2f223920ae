"""media_presign: links that let their holder upload once."""

import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import re
import socket
import subprocess
import time

import pytest

import client
import pictures
import redis_server
import tokens
import uploads
from nginx_server import SLOW, wait_until
from tokens import bearer, token
from uploads import error, files_of, item, key_of, leftovers, make, problem, unique

KEY, OLD = "11" * 16, "22" * 32
PNG = pictures.encode(pictures.gradient(90, 60), "PNG")
JSON = {"Content-Type": "application/json"}

SERVER = f"""
location /upload {{ media_upload @prefix@/store; media_upload_url /img/; media_upload_max 1m; media_upload_types image/jpeg image/png;
                   media_presign key=file:@prefix@/key key={OLD}; media_token jwt @prefix@/jwks; media_upload_claims team; }}
location /old/ {{ media_upload @prefix@/store; media_presign key={OLD} max_age=1h; media_token jwt @prefix@/jwks; }}
location /loose/ {{ media_upload @prefix@/store; media_presign key={KEY}; }}
location /basic/ {{ media_upload @prefix@/store; media_presign key={KEY}; satisfy any; auth_basic x; auth_basic_user_file @prefix@/users; }}
location /basic-too/ {{ media_upload @prefix@/store; media_presign key={KEY}; auth_basic x; auth_basic_user_file @prefix@/users; }}
location /without/ {{ media_upload @prefix@/store; }}
location /pretty/ {{ rewrite ^/pretty/(.*)$ /upload/$1 last; }}
location /img/ {{ media_root @prefix@/store; }}
location /raw/ {{ alias @prefix@/store/; }}
"""
BASIC = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}


def prepared(factory, server=SERVER, start=True, **arguments):
    made = make(factory, server, uploads.HTTP + "media_threads 2 queue=100;\n", start=False, **arguments)
    (made.prefix / "key").write_text(KEY + "\n")
    (made.prefix / "jwks").write_bytes(tokens.jwks(tokens.jwk("Ed25519", "Ed25519")))
    (made.prefix / "users").write_text("me:{PLAIN}secret\n")
    return made.start() if start else made


@pytest.fixture(scope="module")
def server(make_nginx):
    return prepared(make_nginx)


def send(server, target, body, headers, method="POST"):
    return client.fetch(server.port, target, method, headers, 60 * SLOW, body)


def ask(server, place="/upload/presign", headers=None, **terms):
    """A link."""
    headers = bearer(token()) if headers is None else headers
    answer = send(server, place, json.dumps(terms).encode(), {**JSON, **headers}, "POST")
    assert answer.status == 201, answer.body
    assert answer.type == "application/json" and answer.header("Cache-Control") == "no-store"
    link = answer.json()
    assert set(link) == {"url", "method", "expires", "max_bytes", "types"} and link["method"] == "PUT"
    return link


def put(server, url, body, type="image/jpeg", headers=None):
    return send(server, url, body, {"Content-Type": type, **(headers or {})}, "PUT")


def signed(path, key=KEY, max_bytes=1000000, types="image/jpeg", expires=None, claims=None):
    """A link as its holder would have to make it, without a line of the module's code."""
    expires = expires or int(time.time()) + 60
    claims = None if claims is None else tokens.b64(json.dumps(claims).encode())
    text = f"presigned upload 1\n{max_bytes}\n{types}\n{expires}\n{claims or ''}\n{path}"
    s = tokens.b64(hmac.digest(bytes.fromhex(key), text.encode(), "sha256"))
    return f"{path}?max_bytes={max_bytes}&types={types}&expires={expires}{'' if claims is None else '&claims=' + claims}&s={s}"


_ids = itertools.count(1)


def some_id():
    return hashlib.sha256(f"{next(_ids)}".encode()).hexdigest()[:32]


# Links


def test_a_link(server):
    link = ask(server)
    assert re.fullmatch(r"/upload/[0-9a-f]{32}\?[!-~]+", link["url"])
    assert link["max_bytes"] == 1 << 20 and link["types"] == ["image/jpeg", "image/png"]
    assert abs(link["expires"] - time.time() - 600) < 60
    body = unique()
    told = item(put(server, link["url"], body))
    assert told["key"] == key_of(body) and server.get(told["url"]).body == body
    problem(put(server, link["url"], unique()), 409)
    problem(put(server, link["url"], body), 409)


def test_what_is_asked_for(server):
    link = ask(server, max_bytes=5000, types=["image/png"], expires=30, claims={"sub": "ann", "album": ["x", {"y": 1}]})
    assert (link["max_bytes"], link["types"]) == (5000, ["image/png"]) and abs(link["expires"] - time.time() - 30) < 20
    told = item(put(server, link["url"], PNG + b"1", "image/png"))
    record = server.get("/upload/" + told["key"], bearer(token())).json()
    assert record["subject"] == "ann" and record["claims"] == {"sub": "ann", "album": ["x", {"y": 1}]}


def test_tokens_leave_their_mark_too(server):
    """Without a link it is the token that speaks: its subject, and the claims that the location wants."""
    body = unique()
    good = bearer(token(sub="bob", team=7, secret="x"))
    told = item(send(server, "/upload", body, {"Content-Type": "image/jpeg", **good}))
    record = server.get("/upload/" + told["key"], good).json()
    assert record["subject"] == "bob" and record["claims"] == {"team": 7}


@pytest.mark.parametrize("terms, parameter", [
    ({"expires": 601}, "expires"), ({"expires": 0}, "expires"), ({"expires": "60"}, "expires"), ({"max_bytes": (1 << 20) + 1}, "max_bytes"),
    ({"max_bytes": -1}, "max_bytes"), ({"types": ["image/gif"]}, "types"), ({"types": []}, "types"), ({"claims": 1}, "claims"),
    ({"claims": {"sub": "a\nb"}}, "claims"), ({"claims": {"x": "x" * 2000}}, "claims"), ({"id": "mine"}, "id"),
])
def test_bad_terms(server, terms, parameter):
    answer = send(server, "/upload/presign", json.dumps(terms).encode(), {**JSON, **bearer(token())}, "POST")
    assert problem(answer, 400)["param"] == parameter


@pytest.mark.parametrize("body, headers, status", [
    (b"", {}, 201), (b"", JSON, 201), (b"{}", {"Content-Type": "Application/JSON; charset=utf-8"}, 201),
    (b"{}", {"Content-Type": "text/plain"}, 415), (b"{}", {}, 415), (b"x=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    (b"{", JSON, 400), (b"[]", JSON, 400), (b'{"expires":1,"expires":2}', JSON, 400), (b"{}" + b" " * 9000, JSON, 413),
])
def test_bodies(server, body, headers, status):
    answer = send(server, "/upload/presign", body, {**headers, **bearer(token())}, "POST")
    assert answer.status == status, answer.body


def test_chunked_bodies(server):
    def post(body):
        return server.raw(b"POST /upload/presign HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                          b"Authorization: Bearer " + token().encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
                          + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)).split(b" ")[1]
    assert post(b'{"expires":5}') == b"201"
    assert post(b" " * 9000) == b"413"


def test_bodies_in_files(own_nginx):
    server = prepared(own_nginx, SERVER.replace("location /upload {", "location /upload { client_body_in_file_only clean;"))
    assert ask(server, max_bytes=77)["max_bytes"] == 77


def test_methods_and_places(server):
    good = bearer(token())
    assert server.get("/upload/presign", good).header("Allow") == "POST, OPTIONS"
    assert server.get("/upload/presign", good).status == 405
    assert server.get("/upload/presign?x=1", {**good, "Content-Length": "0"}, "POST").status == 400
    url = ask(server)["url"]
    for method in ("GET", "POST", "DELETE"):
        answer = server.get(url, {**good, "Content-Length": "0"}, method)
        assert (answer.status, answer.header("Allow")) == (405, "PUT, OPTIONS"), method
    for target in (url, "/upload/presign"):
        assert server.get(target, {}, "OPTIONS").status == 204
    problem(server.get("/without/presign", {"Content-Length": "0"}, "POST"), 404)
    problem(put(server, signed("/without/" + some_id()), unique()), 404)
    assert server.get("/upload/presign", {"Content-Length": "0"}, "POST").status == 401
    assert server.get(url, {}, "GET").status == 401


def test_behind_a_rewrite(server):
    link = ask(server, "/pretty/presign")
    assert link["url"].startswith("/pretty/")
    item(put(server, link["url"], unique()))


def test_the_signature_is_as_documented(server):
    item(put(server, signed("/upload/" + some_id(), claims={"team": 1}), unique()))
    item(put(server, signed("/upload/" + some_id(), OLD), unique()))
    item(put(server, signed("/old/" + some_id(), OLD), unique()))


# Terms


def test_sizes(server):
    body = unique()
    url = ask(server, max_bytes=len(body) - 1)["url"]
    problem(put(server, url, body), 413)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answer = server.raw(f"PUT {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: image/jpeg\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
    assert b" 413 " in answer.splitlines()[0]
    assert files_of(server, key_of(body)) == []
    item(put(server, ask(server, max_bytes=len(body))["url"], body))


def test_types(server):
    url = ask(server, types=["image/png"])["url"]
    for body in (unique(), pictures.encode(pictures.gradient(30, 20), "GIF"), b"<svg/>", b""):
        answer = put(server, url, body, "image/png")
        assert answer.status in (400, 415), answer.body
    item(put(server, url, PNG + b"2", "image/jpeg"))  # by content, whatever is claimed; and the link was not used up


def test_a_stricter_location_counts(own_nginx):
    server = prepared(own_nginx)
    url, other = ask(server)["url"], ask(server)["url"]
    server.configure(http=uploads.HTTP, server=SERVER.replace("media_upload_max 1m", "media_upload_max 1k").replace(
        "image/jpeg image/png;", "image/png;"))
    server.reload()
    problem(put(server, url, uploads.JPEG), 413)
    assert put(server, other, PNG, "image/png").status == (201 if len(PNG) <= 1024 else 413)


def test_time(server):
    url = signed("/upload/" + some_id(), expires=int(time.time()) - 1)
    problem(put(server, url, unique()), 410)
    link = ask(server, expires=1)
    wait_until(lambda: time.time() > link["expires"] + 0.1, 10 * SLOW, "the end of the link")
    problem(put(server, link["url"], unique()), 410)


def test_altered_links(server):
    link = ask(server, max_bytes=100000, types=["image/png"], claims={"a": 1})
    url, later = link["url"], link["expires"] + 1
    path, query = url.split("?")
    mac = query.split("&s=")[1]
    attempts = [
        url.replace("max_bytes=100000", "max_bytes=1000000"), url.replace("image/png", "image/png,image/jpeg"),
        url.replace(f"expires={link['expires']}", f"expires={later}"), re.sub(r"&claims=[^&]*", "", url), re.sub(r"claims=[^&]*", "claims=e30", url),
        url + "&max_bytes=1000000", url + "&x=1", path, path + "?", path + "?s=" + mac, url[:-1], url + "A", url + "=", path + "?" + query.split("&s=")[0],
        "/upload/" + some_id() + "?" + query, "/old/" + path.split("/")[-1] + "?" + query,
        url.replace(mac, tokens.b64(b"\0" * 32)), url.replace(mac, mac[:22]), url.replace(mac, ""), url.replace("&s=", "&S="),
        signed("/upload/" + some_id(), "33" * 16), signed("/upload/" + some_id(), "00" * 16),
        *[url.replace(mac, mac[:i] + ("A" if mac[i] != "A" else "B") + mac[i + 1:]) for i in range(len(mac))],
    ]
    for attempt in attempts:
        answer = put(server, attempt, PNG + b"3", "image/png")
        assert problem(answer, 403)["detail"] == "the link is not as it was given out", attempt
        if attempt.split("?")[0] != path:
            continue
        assert put(server, attempt, PNG + b"3", "image/png", bearer(token())).status == 403  # a token does not help
    item(put(server, url, PNG + b"3", "image/png"))


def test_a_link_is_no_way_to_anything_else(server):
    url = ask(server)["url"]
    query = url.split("?")[1]
    for target, method in [("/upload", "PUT"), ("/upload", "POST"), ("/upload", "GET"), ("/upload/presign", "POST"), ("/upload/" + "a" * 64, "DELETE")]:
        answer = send(server, f"{target}?{query}", unique(), {"Content-Type": "image/jpeg"}, method)
        assert answer.status == 401, (target, method)
    multipart, kind = client.multipart(unique(), unique())
    assert put(server, url, multipart, kind).status == 415
    assert put(server, url, b'{"data":{"image":"AAAA"}}', "application/json").status == 415
    item(put(server, url, unique()))


# Once


def test_only_what_is_stored_uses_it_up(server):
    url = ask(server, max_bytes=90000)["url"]
    damaged = uploads.JPEG[:len(uploads.JPEG) // 2]
    assert put(server, url, damaged).status == 422
    assert put(server, url, b"no picture").status == 415
    assert put(server, url, unique() + b"x" * 90000).status == 413
    assert put(server, url, unique(), headers={"Content-MD5": base64.b64encode(b"0" * 16).decode()}).status == 422
    assert put(server, url, unique(), headers={"Content-Encoding": "gzip"}).status == 415
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(f"PUT {url} HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\nhalf".encode())
    item(put(server, url, unique()))
    problem(put(server, url, unique()), 409)
    assert leftovers(server) == []


def test_what_exists_uses_it_up(server):
    body = unique()
    item(put(server, ask(server)["url"], body))
    url = ask(server)["url"]
    item(put(server, url, body), 200, "exists")
    problem(put(server, url, unique()), 409)


def test_of_many_at_once_one_gets_through(server):
    for _ in range(10):
        url = ask(server)["url"]
        bodies = [unique() for _ in range(12)]
        answers = client.at_once([lambda body=body: put(server, url, body) for body in bodies])
        statuses = sorted(a.status for a in answers)
        assert statuses == [201] + [409] * 11
        assert sum(bool(files_of(server, key_of(body))) for body in bodies) == 1
    assert leftovers(server) == []


def test_a_used_link_is_refused_before_the_body_comes(server):
    url = ask(server)["url"]
    item(put(server, url, unique()))
    answer = server.raw(f"PUT {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: image/jpeg\r\nContent-Length: 900000\r\n"
                        "Expect: 100-continue\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 409")


@pytest.mark.parametrize("how", ["reload", "restart", "kill_workers"])
def test_it_survives(own_nginx, how):
    server = prepared(own_nginx)
    used, fresh = ask(server)["url"], ask(server)["url"]
    item(put(server, used, unique()))
    getattr(server, how)()
    problem(put(server, used, unique()), 409)
    item(put(server, fresh, unique()))


def test_marks_are_not_served(server):
    url = ask(server)["url"]
    item(put(server, url, unique()))
    name = url.split("?")[0].rsplit("/", 1)[1]
    assert (server.store / ".presigned" / name).exists()
    assert server.get(f"/img/.presigned/{name}").status == 404


# Moderation


def test_with_moderation(own_nginx):
    location = f"location /upload {{ media_upload @prefix@/store; media_presign key={KEY}; media_upload_moderate /judge; }}"
    judge = "location = /judge { internal; if (-f @prefix@/strict) { return 422; } return 204; }"
    server = prepared(own_nginx, location + judge)
    (server.prefix / "strict").touch()
    url, again = ask(server, headers={})["url"], ask(server, headers={})["url"]
    body = unique()
    assert put(server, url, body).status == 422
    (server.prefix / "strict").unlink()
    item(put(server, url, body))  # what was rejected has not used it up
    problem(put(server, url, unique()), 409)
    item(put(server, again, body), 200, "exists")
    problem(put(server, again, unique()), 409)


# Beside other access rules


def test_other_locks(server):
    url = ask(server, "/loose/presign", {})["url"]
    item(put(server, url, unique()))
    assert server.get("/basic/presign", {"Content-Length": "0"}, "POST").status == 401
    url = ask(server, "/basic/presign", BASIC)["url"]
    assert put(server, url + "A", unique()).status == 403
    item(put(server, url, unique()))
    url = ask(server, "/basic-too/presign", BASIC)["url"]
    assert put(server, url, unique()).status == 401  # satisfy all: the link opens its own lock only
    item(put(server, url, unique(), headers=BASIC))


def test_http2(own_nginx):
    port = uploads.free_port()
    extra = f"listen 127.0.0.1:{port} http2;"
    server = prepared(own_nginx, extra + SERVER)
    url, body = ask(server)["url"], unique()
    (server.prefix / "a.jpg").write_bytes(body)
    run = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge",
                          "-T", server.prefix / "a.jpg", "-H", "Content-Type: image/jpeg",
                          f"http://127.0.0.1:{port}{url}"], capture_output=True, text=True)
    assert run.stdout == "201"
    assert put(server, url, unique()).status == 409


# Several machines


FLEET = f"""
location /upload {{ media_upload @prefix@/store; media_presign key={KEY}; media_redis @redis@ timeout=@timeout@; }}
"""


@contextlib.contextmanager
def machines(factory, **options):
    with redis_server.running(redis_server.Redis) as redis:
        servers = [prepared(factory, FLEET, redis=redis.address, timeout="1s", **options) for _ in range(2)]
        yield redis, *servers


def test_once_on_all_machines(own_nginx):
    with machines(own_nginx) as (redis, one, other):
        wait_until(lambda: put_works(one) and put_works(other), 20 * SLOW, "both reach Redis")
        url = ask(one, headers={})["url"]
        assert put(other, url, b"no picture").status == 415
        item(put(other, url, unique()))
        problem(put(one, url, unique()), 409)
        name = url.split("?")[0].rsplit("/", 1)[1]
        wait_until(lambda: redis("GET", f"media:presigned:{{{name}}}") == b"used", 10 * SLOW, "the mark")
        for _ in range(6):
            url = ask(one, headers={})["url"]
            answers = client.at_once([lambda server=server: put(server, url, unique()) for server in (one, other) * 4])
            assert sorted(a.status for a in answers) == [201] + [409] * 7


def put_works(server):
    return put(server, ask(server, headers={})["url"], unique()).status == 201


def test_without_redis_a_machine_decides_alone(own_nginx):
    with machines(own_nginx) as (redis, one, other):
        redis.kill()
        url = ask(one, headers={})["url"]
        item(put(one, url, unique()))
        problem(put(one, url, unique()), 409)
        item(put(other, url, unique()))  # the price, and it is documented


# nginx -t


@pytest.mark.parametrize("text, reason", [
    ("media_presign;", "invalid number of arguments"), ("media_presign max_age=1m;", '"media_presign" needs a key'),
    ("media_presign key=11;", "a key has at least 16 bytes"), (f"media_presign key={KEY} max_age=0;", 'invalid parameter "max_age=0"'),
    (f"media_presign key={KEY} max_age=1m max_age=2m;", 'invalid parameter "max_age=2m"'), (f"media_presign key={KEY} x=1;", 'invalid parameter "x=1"'),
    (f"media_presign key={KEY}; media_presign key={KEY};", "is duplicate"), ("media_presign key=file:missing;", "the key's file cannot be read"),
])
def test_mistakes(own_nginx, text, reason):
    server = make(own_nginx, f"location /upload {{ media_upload @prefix@/store; {text} }}", start=False)
    code, said = server.test()
    assert code != 0 and reason in said and KEY not in said
    assert re.search(rf"{re.escape(str(server.config_file))}:\d+", said)


def test_it_needs_uploads(own_nginx):
    server = make(own_nginx, f"location /img/ {{ media_root @pics@; media_presign key={KEY}; }}", start=False)
    code, said = server.test()
    assert code != 0 and '"media_presign" without "media_upload"' in said
