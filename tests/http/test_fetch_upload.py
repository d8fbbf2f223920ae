"""Uploads by URL (media_upload_fetch)."""

import json
import socket
from urllib.parse import quote

import pytest

import client
import origin as o
import pictures
import redis_server
import uploads
from dns_server import Dns
from nginx_server import ASAN, SLOW, wait_until
from uploads import JPEG, error, files_of, item, key_of, leftovers, make, problem, unique

HTTP = uploads.HTTP + """
media_threads 2 queue=100;
resolver 127.0.0.1:@dns@;
resolver_timeout 10s;
"""
FETCH = "media_upload_fetch /fetch/ allow=*:@origin@ allow=127.0.0.1:@origin@;"
STORE = "media_upload @prefix@/store; media_upload_url /img/;"
LOCATIONS = f"""
location /upload {{ {STORE} {FETCH} media_upload_max 80m; }}
location /small {{ {STORE} {FETCH} media_upload_max 20k; }}
location /plain {{ {STORE} }}
location /open {{ {STORE} media_upload_fetch /told/ allow=*; }}
location /patient {{ {STORE} media_upload_fetch /waiting/ allow=*:@origin@ allow=127.0.0.1:@origin@; }}
location /waiting/ {{ internal; proxy_pass http://$media_fetch_addr$media_fetch_uri; proxy_ignore_client_abort on; }}
location /judged {{ {STORE} {FETCH} media_upload_moderate /judge; }}
location /judge {{ internal; proxy_pass http://127.0.0.1:@origin@/judge; }}
location /img/ {{ media_root @prefix@/store; media_cache z; }}
location /told/ {{ internal; proxy_pass http://127.0.0.1:@origin@/told; }}
location /fetch/ {{
    internal;
    proxy_pass $media_fetch_scheme://$media_fetch_addr$media_fetch_uri;
    proxy_set_header Host $media_fetch_host;
    proxy_read_timeout 700ms;
}}
"""


@pytest.fixture(scope="module")
def dns():
    server = Dns()
    server.at("pics.test", "127.0.0.1")
    server.at("inner.test", "127.0.0.1", "10.0.0.1")
    yield server
    server.close()


@pytest.fixture(scope="module")
def server(make_nginx, origin, dns):
    return make(make_nginx, LOCATIONS, HTTP, origin=origin.port, dns=dns.port)


@pytest.fixture
def at(origin):
    return lambda path, name="pics.test": f"http://{name}:{origin.port}{path}"


def send(server, *urls, to="/upload", headers=None, **more):
    return server.send(to, json.dumps({"urls": list(urls), **more}).encode(), "application/json", headers=headers)


def test_a_url_is_stored(server, origin, at):
    body = unique()
    origin.at("/a.jpg", o.static(body, "text/html", Set_Cookie="a=b"))
    answer = send(server, at("/a.jpg"))
    told = item(answer)
    assert (told["key"], told["source"], told["type"], told["bytes"]) == (key_of(body), at("/a.jpg"), "image/jpeg", len(body))
    assert answer.header("Location") == told["url"]
    assert server.get(told["url"]).body == body
    assert pictures.decode(server.get(told["url"] + "?w=100").body).size == (100, 75)
    record = server.get("/upload/" + told["key"]).json()
    assert record["source"] == at("/a.jpg")
    assert server.get("/upload?source=" + quote(at("/a.jpg"), safe="")).json()["key"] == told["key"]


def test_a_stranger_is_asked_and_told_nothing(server, origin, at):
    """Neither the body nor the header of the upload goes on."""
    origin.at("/blind.jpg", o.static(unique()))
    item(send(server, at("/blind.jpg"), headers={"Authorization": "Bearer secret", "Cookie": "a=b"}))
    seen = origin.requests["/blind.jpg"][0]
    assert seen.method == "GET"
    assert sorted(seen.headers) == ["CDN-Loop", "Connection", "Host"]


def test_a_known_url_is_not_fetched_again(server, origin, at):
    first, second = unique(), unique()
    origin.at("/known.jpg", o.one_after_another(o.static(first), o.static(second)))
    item(send(server, at("/known.jpg")))
    told = item(send(server, at("/known.jpg")), 200, "exists")
    assert told["key"] == key_of(first)
    assert origin.count("/known.jpg") == 1
    # Unless that is wanted. The URL then leads to what it gave last.
    assert item(send(server, at("/known.jpg"), refetch=True))["key"] == key_of(second)
    assert server.get("/upload?source=" + quote(at("/known.jpg"), safe="")).json()["key"] == key_of(second)
    assert item(send(server, at("/known.jpg"), refetch=True), 200, "exists")["key"] == key_of(second)


def test_the_same_bytes_under_two_urls(server, origin, at):
    body = unique()
    for path in "/one.jpg", "/two.jpg":
        origin.at(path, o.static(body))
    item(send(server, at("/one.jpg")))
    item(send(server, at("/two.jpg")), 200, "exists")
    for path in "/one.jpg", "/two.jpg":
        assert item(send(server, at(path)), 200, "exists")["key"] == key_of(body)
        assert origin.count(path) == 1


def test_several_in_their_order(server, origin, at):
    """Each has its own outcome."""
    bodies = [unique() for _ in range(3)]
    for i, body in enumerate(bodies):
        origin.at(f"/s{i}.jpg", o.slow(0.1 * (3 - i), o.static(body)))
    origin.at("/s-none.jpg", o.status(404))
    origin.at("/s-page.html", o.static(pictures.HTML))
    origin.at("/s-moved", o.redirect("/s2.jpg"))
    urls = [at("/s0.jpg"), at("/s-none.jpg"), "http://127.0.0.1/", at("/s1.jpg"), at("/s-page.html"), "nonsense", at("/s-moved"),
            at("/s1.jpg")]
    answer = send(server, *urls)
    assert answer.status == 207
    items = answer.json()["items"]
    assert [i.get("source") for i in items] == urls
    assert [i["status"] if i["status"] != "error" else i["error"]["status"] for i in items] == [
        "created", 404, 403, "created", 415, 400, "created", "exists"]
    assert [i["key"] for i in items if "key" in i] == [key_of(bodies[n]) for n in (0, 1, 2, 1)]
    assert leftovers(server) == []


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "http://127.0.0.1/", "http://127.0.0.1:1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/",
    "http://2130706433/", "http://0x7f.1/", "http://[::ffff:169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/", "http://10.0.0.1/",
    "http://user@8.8.8.8/", "http://8.8.8.8:22/", "http://inner80.test/", "gopher://127.0.0.1:6379/_FLUSHALL"])
def test_urls_that_are_refused(server, origin, dns, url):
    origin.at("/told", o.static(unique()))
    dns.at("inner80.test", "8.8.8.8", "192.168.0.1")
    assert error(send(server, url, to="/open"), 403)["status"] == 403
    assert origin.count("/told") == 0


@pytest.mark.parametrize("url", ["", "a.jpg", "http://", "http://8.8.8.8/\r\nX: y", "http://a b/", "http://8.8.8.8\\@127.0.0.1/", "\x00"])
def test_urls_that_are_none(server, url):
    assert send(server, url, to="/open").status == 400


@pytest.mark.parametrize("name, behaviour, status", [
    ("404", o.status(404), 404), ("500", o.status(500), 502), ("hangs-up", o.hangs_up(), 502), ("half", o.dies(JPEG, 5000), 502),
    ("slow", o.slow(1.5, o.static(JPEG)), 504), ("html", o.static(pictures.HTML), 415), ("cut", o.static(JPEG[:len(JPEG) // 2]), 422),
    ("svg", o.static(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 415), ("empty", o.static(b""), 415),
    ("inside", o.redirect("http://127.0.0.9/"), 403), ("file", o.redirect("file:///etc/passwd"), 403), ("round", o.redirect("/f-round"), 502),
    ("accel", o.static(JPEG, X_Accel_Redirect="/img/"), 502)])
def test_urls_that_fail(server, origin, at, name, behaviour, status):
    origin.at(f"/f-{name}", behaviour)
    told = error(send(server, at(f"/f-{name}")), status)
    assert told["title"] and told["detail"]
    assert leftovers(server) == []


def test_a_name_at_a_private_address(server, origin, at):
    origin.at("/a.jpg", o.static(unique()))
    error(send(server, at("/a.jpg", "inner.test")), 403)
    assert origin.count("/a.jpg") == 0


@pytest.mark.parametrize("behaviour", [o.static(JPEG + bytes(30000)), o.endless(JPEG), o.endless(JPEG, 50 << 20)],
                         ids=["a little", "chunked", "by length"])
def test_more_than_allowed(server, origin, at, behaviour):
    origin.sent.clear()
    origin.at("/big.jpg", behaviour)
    error(send(server, at("/big.jpg"), to="/small"), 413)
    assert origin.sent["/big.jpg"] < 16 << 20


@pytest.mark.parametrize("way", ["length", "chunked"])
def test_memory_does_not_grow_with_a_file(server, origin, at, way):
    body = unique(JPEG + bytes(70 << 20))
    origin.at(f"/large-{way}.jpg", o.static(body) if way == "length" else o.chunked(body, size=1 << 20))
    origin.at("/warm.jpg", o.static(unique()))
    for _ in range(4):
        item(send(server, at("/warm.jpg"), refetch=True), 200 if _ else 201, "exists" if _ else "created")
    before = {p.pid: p.rss for p in server.workers()}
    told = item(send(server, at(f"/large-{way}.jpg")))
    assert told["key"] == key_of(body)
    if not ASAN:
        assert max(p.peak_rss - before[p.pid] for p in server.workers()) < 32 << 20
    assert not server.temporary_files()


def test_only_where_it_is_allowed(server, origin, at):
    origin.at("/a.jpg", o.static(JPEG))
    error(send(server, at("/a.jpg"), to="/plain"), 403)
    assert origin.count("/a.jpg") == 0
    assert server.get(f"/fetch/{quote(at('/a.jpg'), safe='')}").status == 404  # it is internal
    problem(send(server, *[at("/a.jpg")] * 101), 400)
    assert origin.count("/a.jpg") == 0


@pytest.mark.parametrize("verdict, status", [(204, 201), (403, 422), (500, 503)])
def test_moderation(server, origin, at, verdict, status):
    body = unique()
    origin.at("/judge", o.status(verdict, b""))
    origin.at(f"/judged{verdict}.jpg", o.static(body))
    assert send(server, at(f"/judged{verdict}.jpg"), to="/judged").status == status
    assert bool(files_of(server, key_of(body))) == (status == 201)


@pytest.mark.parametrize("way", ["upload", "patient"])
def test_a_client_that_leaves(server, origin, at, way):
    """The location of the fetch says whether that ends it."""
    body = unique()
    origin.at(f"/left-{way}.jpg", o.slow(0.4, o.static(body)))
    text = json.dumps({"urls": [at(f"/left-{way}.jpg")]})
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(f"POST /{way} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        wait_until(lambda: origin.count(f"/left-{way}.jpg"), 10 * SLOW, "the fetch")
    if way == "patient":
        wait_until(lambda: files_of(server, key_of(body)), 10 * SLOW, "the file")
    else:
        wait_until(lambda: server.active_connections() == 1, 10 * SLOW, "the end of the request")
        assert not files_of(server, key_of(body))
    wait_until(lambda: not leftovers(server), 10 * SLOW, "the end of what was under way")


def test_many_at_once(server, origin, at):
    bodies = [unique() for _ in range(12)]
    for i, body in enumerate(bodies):
        origin.at(f"/m{i}.jpg", o.slow(0.05, o.static(body)))
    answers = client.at_once([lambda i=i: send(server, at(f"/m{i}.jpg"), at(f"/m{(i + 1) % 12}.jpg")) for i in range(12)])
    assert {a.status for a in answers} <= {200, 201}
    keys = {i["key"] for a in answers for i in a.json()["items"]}
    assert keys == {key_of(body) for body in bodies}
    assert leftovers(server) == []


def test_a_reload_meanwhile(server, origin, at):
    body = unique()
    origin.at("/reloaded.jpg", o.slow(0.6, o.static(body)))
    before = server.requests_begun()

    def reload():
        server.wait_for_requests(before, 1)
        server.reload(wait=False)
    answer, _ = client.at_once([lambda: send(server, at("/reloaded.jpg")), reload])
    assert item(answer)["key"] == key_of(body)


def test_another_machine_knows_the_url(own_nginx, origin, dns, at):
    """What it has is not fetched: the record is in Redis."""
    with redis_server.running(redis_server.Redis) as redis:
        nodes = [make(own_nginx, LOCATIONS, HTTP + f"media_redis {redis.address} timeout=2s;", origin=origin.port, dns=dns.port)
                 for _ in range(2)]
        body = unique()
        origin.at("/fleet.jpg", o.static(body))
        item(send(nodes[0], at("/fleet.jpg")))
        told = item(send(nodes[1], at("/fleet.jpg")), 200, "exists")
        assert (told["key"], told["source"]) == (key_of(body), at("/fleet.jpg"))
        assert origin.count("/fleet.jpg") == 1
        assert item(send(nodes[1], at("/fleet.jpg"), refetch=True))["key"] == key_of(body)


@pytest.mark.parametrize("line, word", [
    ("media_upload_fetch /f/;", "allow="), ("media_upload_fetch off allow=*;", "off"), ("media_upload_fetch /f/ allow=a.example;", "resolver"),
    ("media_upload_fetch /f/ allow=127.1;", "127.1"), ("media_upload_fetch off;\nmedia_upload_fetch off;", "duplicate")])
def test_mistakes_are_found(own_nginx, line, word):
    server = own_nginx(start=False, server=f"location /u {{\nmedia_upload @prefix@/store;\n{line}\n}}")
    code, said = server.test()
    assert code != 0 and word in said, said
    assert f":{server.line_of(line.splitlines()[0]) + line.count(chr(10))}" in said, said
