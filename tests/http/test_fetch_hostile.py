"""Originals by URL (media_fetch) in the hands of people who want something else: addresses inside, another location, more
than one answer, a server that is busy for ever."""

import os
import time
from urllib.parse import quote

import pytest

import client
import origin as o
import pictures
from dns_server import Dns
from nginx_server import SLOW, wait_until

PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG", quality=95)
SECRET = pictures.encode(pictures.quadrants(400, 300), "JPEG", quality=95)
METADATA = "169.254.169.254"


@pytest.fixture(scope="module")
def dns():
    server = Dns()
    server.at("evil.test", "127.0.0.1")
    yield server
    server.close()


@pytest.fixture(scope="module")
def nginx(make_nginx, origin, dns):
    server = make_nginx(
        origin=origin.port, dns=dns.port,
        http="""
            media_threads 2 queue=100;
            media_cache_path @cache@/media levels=1:2 keys_zone=z:4m;
            add_header X-Cache $media_cache_status always;
            resolver 127.0.0.1:@dns@;
            resolver_timeout 10s;
        """,
        server="""
            media_cache z;
            media_max_source_size 1m;
            location /open/ { media_fetch /told/ allow=*; }
            location /remote/ { media_fetch /fetch/ allow=*:@origin@ allow=127.0.0.1:@origin@; }
            location /raw/ { media_fetch /unbuffered/ allow=*:@origin@ allow=127.0.0.1:@origin@; }
            location /strict/ { media_fetch /fetch/ allow=good.test:@origin@ allow=127.0.0.1:@origin@; }
            location /loop/ { media_fetch /fetch/ allow=127.0.0.1:@port@ allow=127.0.0.1:@origin@; }
            location /brief/ { media_fetch /patient/ allow=*:@origin@ allow=127.0.0.1:@origin@ timeout=1s; resolver_timeout 1h; }
            location /patient/ { internal; proxy_pass http://$media_fetch_addr$media_fetch_uri; proxy_read_timeout 1h; }
            location /guarded/ { media_fetch /fetch/ allow=*:@origin@ allow=127.0.0.1:@origin@;
                location /guarded/http:/good.test { deny all; media_fetch /fetch/ allow=good.test:@origin@; } }
            location /careless/ { media_fetch /stumbling/ allow=*:@origin@ allow=127.0.0.1:@origin@; }
            location /fetch/ {
                internal;
                proxy_pass $media_fetch_scheme://$media_fetch_addr$media_fetch_uri;
                proxy_set_header Host $media_fetch_host;
                proxy_read_timeout 700ms;
            }
            location /unbuffered/ {
                internal;
                proxy_pass $media_fetch_scheme://$media_fetch_addr$media_fetch_uri;
                proxy_set_header Host $media_fetch_host;
                proxy_read_timeout 700ms;
                proxy_buffering off;
            }
            location /stumbling/ {
                internal;
                proxy_pass http://$media_fetch_addr$media_fetch_uri;
                proxy_intercept_errors on;
                error_page 500 @again;
            }
            location @again { proxy_pass http://$media_fetch_addr/again.jpg; }
            location /told/ { internal; proxy_pass http://127.0.0.1:@origin@/told; proxy_set_header X-Addr $media_fetch_addr; }
            location /secret/ { internal; alias @pics@/; }
            location /inside/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
            location /said/ { internal; return 302 http://127.0.0.1:@origin@/innocent.jpg; }
            location @hidden { rewrite ^ /inside.jpg break; proxy_pass http://127.0.0.1:@origin@; }
        """)
    server.add("secret.jpg", SECRET)
    return server


@pytest.fixture
def at(origin):
    return lambda path, name="evil.test": f"http://{name}:{origin.port}{path}"


def remote(url, way="/remote/", query="?w=100"):
    return way + quote(url, safe="") + query


def failed(answer, *statuses):
    assert answer.status in statuses, (answer.status, answer.body[:300])
    assert answer.type == "application/problem+json"


# Addresses


REFUSED_URLS = """
    file:///etc/passwd  gopher://127.0.0.1:6379/_x  ftp://127.0.0.1/  dict://127.0.0.1:11211/  unix:/run/docker.sock
    http://127.0.0.1/  http://127.0.0.1:80/  http://127.1/  http://127.0.1/  http://2130706433/  http://0x7f000001/
    http://0x7f.0.0.1/  http://0177.0.0.1/  http://017700000001/  http://127.0.0.01/  http://127.0.0.1./  http://0/
    http://0.0.0.0/  http://10.0.0.1/  http://172.16.0.1/  http://192.168.0.1/  http://100.64.0.1/  http://169.254.169.254/
    http://2852039166/  http://0xa9fea9fe/  http://0251.0376.0251.0376/  http://198.18.0.1/  http://203.0.113.1/
    http://224.0.0.1/  http://255.255.255.255/  http://240.0.0.1/  http://192.0.0.192/  http://168.63.129.16/
    http://[::1]/  http://[::]/  http://[0:0:0:0:0:0:0:1]/  http://[::127.0.0.1]/  http://[::ffff:127.0.0.1]/
    http://[::ffff:7f00:1]/  http://[::ffff:169.254.169.254]/  http://[0:0:0:0:0:ffff:a9fe:a9fe]/  http://[64:ff9b::127.0.0.1]/
    http://[64:ff9b::a9fe:a9fe]/  http://[2002:7f00:1::]/  http://[2001:0:7f00:1::]/  http://[fe80::1]/  http://[fc00::1]/
    http://[fd00:ec2::254]/  http://[ff02::1]/  http://[2001:db8::1]/  http://[::ffff:0:127.0.0.1]/  http://[100::1]/
    http://user@8.8.8.8/  http://user:word@8.8.8.8/  http://8.8.8.8@127.0.0.1/  http://8.8.8.8:80@127.0.0.1/
    http://8.8.8.8:22/  http://8.8.8.8:6379/  http://8.8.8.8:@origin@/
""".split()

MALFORMED_URLS = [
    "http://127.0.0.1\\@8.8.8.8/", "http:\\\\127.0.0.1/", "http://8.8.8.8/\r\nX-Injected: yes", "http://8.8.8.8/a b\tc", "http:///",
    "http://[::1%25lo]/", "http://[fe80::1%eth0]/", "http://\uff11\uff12\uff17.0.0.1/", "http://127\u30020\u30020\u30021/",
    "http://8.8.8.8:65616/", "http://8.8.8.8:0/", "//8.8.8.8/", "8.8.8.8/a.jpg", "http://8.8.8.8#@127.0.0.1\\/", "a", "http://[::1",
]

PRIVATE = ["0.0.0.0", "10.1.2.3", "127.0.0.1", "127.8.8.8", METADATA, "172.31.255.255", "192.168.1.1", "100.100.100.200", "198.19.0.1",
           "224.0.0.251", "255.255.255.255", "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "64:ff9b::a00:1",
           "64:ff9b:1::1", "2002:a00:1::1", "2001:0:102:304::1", "fe80::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_urls_that_are_refused(nginx, origin, url):
    origin.at("/told", o.static(PICTURE))
    failed(nginx.get(remote(url.replace("@origin@", str(origin.port)), "/open/")), 403)
    assert origin.count("/told") == 0


@pytest.mark.parametrize("url", MALFORMED_URLS)
def test_urls_that_are_none(nginx, origin, url):
    origin.at("/told", o.static(PICTURE))
    failed(nginx.get(remote(url, "/open/")), 400)
    assert origin.count("/told") == 0


@pytest.mark.parametrize("address", PRIVATE)
def test_names_at_private_addresses(nginx, origin, dns, address):
    origin.at("/told", o.static(PICTURE))
    name = "at-" + "".join(c if c.isalnum() else "-" for c in address) + ".test"
    for i, addresses in enumerate([(address,), (address, "8.8.8.8"), ("8.8.8.8", "2606:4700::1111", address)]):
        dns.at(f"{i}{name}", *addresses)
        failed(nginx.get(remote(f"http://{i}{name}/", "/open/")), 403)
    dns.at("by-" + name, cname="0" + name)
    failed(nginx.get(remote(f"http://by-{name}/", "/open/")), 403)
    assert origin.count("/told") == 0


def test_a_public_address_would_do(nginx, origin, dns):
    """The counterpart of what is refused above."""
    origin.at("/told", o.static(PICTURE))
    dns.at("public.test", "8.8.8.8")
    assert nginx.get(remote("http://public.test/", "/open/")).status == 200
    assert origin.requests["/told"][0].headers["X-Addr"] == "8.8.8.8:80"


def test_a_name_that_changes_after_the_check(nginx, origin, dns, at):
    """It is looked up once: what was vetted is what is connected to."""
    origin.at("/rebound.jpg", o.static(PICTURE))
    dns.at("rebinding.test", lambda number: ["127.0.0.1"] if number == 0 else ["127.0.0.9"], ttl=0)
    assert nginx.get(remote(at("/rebound.jpg", "rebinding.test"))).status == 200
    assert dns.asked("rebinding.test") == 1
    # Asked again for another rendition it is vetted again.
    wait_until(lambda: nginx.get(remote(at("/rebound.jpg", "rebinding.test"), query=f"?w={time.time_ns() % 999 + 1}")).status == 403,
               10 * SLOW, "the name to be looked up again", step=0.3)


def test_a_redirect_looks_its_host_up_again(nginx, origin, dns, at):
    """The same name, first somewhere allowed, then inside."""
    dns.at("turning.test", lambda number: ["127.0.0.1"] if number == 0 else [METADATA], ttl=0)
    for i in range(3):  # nginx remembers an answer for its whole second at least
        origin.at(f"/turn{i}", o.slow(0.6, o.redirect(f"/turn{i + 1}")))
    origin.at("/turn3", o.static(PICTURE))
    failed(nginx.get(remote(at("/turn0", "turning.test"))), 403)
    assert origin.count("/turn3") == 0


@pytest.mark.parametrize("location", [
    "http://127.0.0.9:@origin@/in.jpg", "http://127.0.0.1:1/in.jpg", "http://169.254.169.254/latest/", "http://[::1]:@origin@/in.jpg",
    "http://2130706433:@origin@/in.jpg", "http://0x7f000001:@origin@/in.jpg", "http://[::ffff:127.0.0.9]:@origin@/in.jpg",
    "//127.0.0.9:@origin@/in.jpg", "file:///etc/passwd", "FILE:///etc/passwd", "gopher://evil.test:@origin@/", "data:image/png;base64,AA",
    "javascript:alert(1)", "ftp://evil.test/in.jpg", "unix:/run/x.sock:/in.jpg", "http://evil.test/in.jpg",
    "http://user@evil.test:@origin@/in.jpg", "http://inner.test:@origin@/in.jpg"])
def test_redirects_to_where_nobody_may_go(nginx, origin, dns, at, location):
    dns.at("inner.test", "127.0.0.1", "10.0.0.1")
    origin.at("/out", o.redirect(location.replace("@origin@", str(origin.port))))
    origin.at("/in.jpg", o.static(PICTURE))
    failed(nginx.get(remote(at("/out"))), 403)
    assert origin.count("/in.jpg") == 0


@pytest.mark.parametrize("location", ["", "http://", "http:///in.jpg", "/\\evil.test/", "http://a b/", "http:in.jpg", "http://[::1", "////"])
def test_redirects_to_nowhere(nginx, origin, at, location):
    origin.at("/nowhere", o.redirect(location))
    failed(nginx.get(remote(at("/nowhere"))), 502)


def test_a_redirect_away_from_the_list(nginx, origin, dns, at):
    dns.at("good.test", "127.0.0.1")
    origin.at("/leave", o.redirect(at("/in.jpg")))
    origin.at("/in.jpg", o.static(PICTURE))
    failed(nginx.get(remote(at("/leave", "good.test"), "/strict/")), 403)
    failed(nginx.get(remote(at("/in.jpg"), "/strict/")), 403)
    assert origin.count("/in.jpg") == 0
    # And what another location has kept of it is not for this one.
    assert nginx.get(remote(at("/leave", "good.test"))).status == 200
    failed(nginx.get(remote(at("/leave", "good.test"), "/strict/")), 403)


# Other locations


@pytest.mark.parametrize("target", ["/secret/secret.jpg", "/inside/inside.jpg", "@hidden", "/said/x", "/remote/x", "/fetch/",
                                    "http://127.0.0.1/secret/secret.jpg", "../secret/secret.jpg"])
@pytest.mark.parametrize("behaviour", [o.static, lambda body, **headers: o.status(302, b"", Location="/in.jpg", **headers),
                                       lambda body, **headers: o.status(500, b"", **headers)], ids=["200", "302", "500"])
@pytest.mark.parametrize("way", ["/remote/", "/raw/", "/careless/"])
def test_an_answer_chooses_no_location_of_ours(nginx, origin, at, target, behaviour, way):
    """X-Accel-Redirect is for origins that are trusted."""
    for path in "/inside.jpg", "/in.jpg", "/innocent.jpg", "/again.jpg":
        origin.at(path, o.static(SECRET))
    origin.at("/accel", behaviour(PICTURE, X_Accel_Redirect=target))
    failed(nginx.get(remote(at("/accel"), way)), 502, 404)
    failed(nginx.get(remote(at("/accel"), way, "")), 502, 404)
    assert [origin.count(path) for path in ("/inside.jpg", "/in.jpg", "/innocent.jpg", "/again.jpg")] == [0] * 4


@pytest.mark.parametrize("headers", [{"X-Accel-Buffering": "no"}, {"X-Accel-Expires": "0"}, {"X-Accel-Limit-Rate": "1"},
                                     {"X-Accel-Charset": "utf-16"}, {"Refresh": "0;url=/secret/"}, {"Link": "</secret/>; rel=preload"}])
def test_other_wishes_of_an_answer_change_nothing(nginx, origin, at, headers):
    origin.at("/wish.jpg", o.static(PICTURE, **headers))
    answer = nginx.get(remote(at("/wish.jpg"), query=f"?w=100&v={list(headers)[0]}"), timeout=10)
    assert answer.status == 200
    assert not [name for name in answer.headers if name.lower() in ("refresh", "link") or name.lower().startswith("x-accel")]


def test_a_switch_of_protocols(nginx, origin, at):
    def behave(_origin, handler, _number):
        handler.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello")
    origin.at("/switch", behave)
    failed(nginx.get(remote(at("/switch")), {"Upgrade": "x", "Connection": "upgrade"}), 502)


def test_guards_of_locations_hold(nginx, origin, dns, at):
    """What nginx has made of a URI and what is fetched are the same place."""
    dns.at("good.test", "127.0.0.1")
    origin.at("/in.jpg", o.static(PICTURE))
    host, encoded = f"good.test:{origin.port}", f"good.test%3A{origin.port}"
    assert nginx.get(f"/guarded/http:%2F%2Fevil.test:{origin.port}/in.jpg?w=100").status == 200
    for path in (f"http://{host}/in.jpg", f"http:%2F%2F{encoded}%2Fin.jpg", f"http:///{host}/in.jpg", f"http%3a//{host}/x/../in.jpg",
                 f"http://{host}/x/..%2f..%2f..%2f..%2fguarded/http://evil.test:{origin.port}/in.jpg",
                 f"x/../http://{host}/in.jpg", f"http://{host}/in.jpg/%2e%2e/%2e%2e/%2e%2e/b", f"http:/./{host}/in.jpg"):
        before = origin.count("/in.jpg")
        assert nginx.get(f"/guarded/{path}?w=50").status in (400, 403), path
        assert origin.count("/in.jpg") == before, path


@pytest.mark.parametrize("path", ["/remote/", "/remote", "/remote/http", "/remote/http%3A", "/remote/%00", "/remote/http%3A%2F%2Fevil.test%",
                                  "/remote/..%2f", "/remote/http://evil.test/%2e%2e/%2e%2e/%2e%2e/remote/x", "/remote//", "/remote/%0d%0a"])
def test_paths_that_name_nothing(nginx, path):
    assert nginx.get(path + "?w=100").status in (301, 400, 403, 404)


def test_it_ends_when_it_asks_itself(nginx, origin):
    """A URL of ours in a URL of ours in ...: each is a request of its own, but not without end."""
    origin.at("/core.jpg", o.static(PICTURE))
    url = f"http://127.0.0.1:{origin.port}/core.jpg"

    def nested(depth):
        target = url
        for _ in range(depth):
            target = f"http://127.0.0.1:{nginx.port}" + remote(target, "/loop/", "")
        return remote(target, "/loop/")
    assert nginx.get(nested(2)).status == 200
    before = nginx.requests_begun()
    failed(nginx.get(nested(6)), 403)
    assert nginx.requests_begun() - before < 8


# Answers that do not end, or are none


def without_end(code, location=None, **headers):
    def behave(origin, handler, _number):
        o._head(handler, code, {"Transfer-Encoding": "chunked", **({"Location": location} if location else {}), **headers})
        for _ in range(2000):
            handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            origin.sent[handler.path] += 65536
    return behave


@pytest.mark.parametrize("way", ["/remote/", "/raw/"])
@pytest.mark.parametrize("code, location, status", [(200, None, 413), (404, None, 404), (302, "/end.jpg", 200), (500, None, 502)])
def test_bodies_without_end(nginx, origin, at, way, code, location, status):
    path = f"/endless{code}{way.strip('/')}"
    origin.at(path, without_end(code, location))
    origin.at("/end.jpg", o.static(PICTURE))
    assert nginx.get(remote(at(path), way)).status == status
    wait_until(lambda: (n := origin.sent[path], time.sleep(0.2), n == origin.sent[path])[2], 10 * SLOW, "the end of what is sent")
    assert origin.sent[path] < 16 << 20


def test_a_body_without_end_that_is_known(nginx, origin, at):
    """The origin says that nothing has changed, and then goes on for ever."""
    def behave(server, handler, number):
        if number == 1:
            return o.static(PICTURE, ETag='"known"', Cache_Control="max-age=0")(server, handler, number)
        return without_end(200, None, ETag='"known"')(server, handler, number)
    origin.at("/known.jpg", behave)
    first = nginx.get(remote(at("/known.jpg")))
    again = nginx.get(remote(at("/known.jpg")))
    assert (again.status, again.header("X-Cache"), again.body) == (200, "REVALIDATED", first.body)
    wait_until(lambda: (n := origin.sent["/known.jpg"], time.sleep(0.2), n == origin.sent["/known.jpg"])[2], 10 * SLOW, "the end")
    assert origin.sent["/known.jpg"] < 16 << 20


def drips(code=200, location="/drip"):
    """A byte now and then: no timeout of nginx' own ends that."""
    def behave(origin, handler, _number):
        o._head(handler, code, {"Transfer-Encoding": "chunked", "Location": location})
        for _ in range(3000):
            handler.wfile.write(b"1\r\nx\r\n")
            handler.wfile.flush()
            origin.sent[handler.path] += 1
            time.sleep(0.05)
    return behave


def drips_a_header(_origin, handler, _number):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(400):
        handler.wfile.write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("kind, behaviour", [
    ("drips", drips()), ("header", drips_a_header), ("silent", o.slow(20, o.static(PICTURE))), ("stalls", o.stalls(PICTURE, 5000, 20))])
@pytest.mark.parametrize("query", ["?w=100", ""], ids=["rendition", "original"])
def test_the_time_of_a_fetch_is_bounded(nginx, origin, at, kind, behaviour, query):
    path = f"/time-{kind}-{len(query)}"
    origin.at(path, behaviour)
    origin.at(path + "-first", o.redirect(path))
    failed(nginx.get(remote(at(path + "-first"), "/brief/", query)), 504)
    origin.at(path, o.static(PICTURE))
    assert nginx.get(remote(at(path + "-first"), "/brief/", query)).status == 200


def test_the_time_of_a_look_up_is_bounded(nginx, dns, at):
    dns.at("silent.test", silent=True)
    failed(nginx.get(remote(at("/a.jpg", "silent.test"), "/brief/")), 504)


@pytest.mark.parametrize("name, behaviour, statuses", [
    ("404", o.status(404), (404,)), ("hangs-up", o.hangs_up(), (502,)), ("half", o.dies(PICTURE, 9000), (502,)),
    ("half-chunked", o.chunked(PICTURE, stop_after=9000), (502,)), ("too-big", o.endless(PICTURE, 50 << 20), (413,)),
    ("slow", o.slow(1.5, o.static(PICTURE)), (504,)), ("stalls", o.stalls(PICTURE, 5000, 1.5), (502, 504)), ("html", o.status(200), (415,)),
    ("forbidden", o.status(403), (403,)), ("part", o.static(PICTURE, code=206), (502,)), ("nothing", o.static(b"", code=204), (502,))])
@pytest.mark.parametrize("way", ["/remote/", "/raw/"])
@pytest.mark.parametrize("query", ["?w=100", ""], ids=["rendition", "original"])
def test_origins_that_fail(nginx, origin, at, name, behaviour, statuses, way, query):
    path = f"/fail-{name}-{way.strip('/')}-{len(query)}"
    origin.at(path, behaviour)
    failed(nginx.get(remote(at(path), way, query)), *statuses)


NO_ANSWERS = {
    "nothing": b"",
    "empty lines": b"\r\n\r\n",
    "half a header": b"HTTP/1.1 200\r\n",
    "another version": b"HTTP/9.9 200 OK\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "redis": b"+OK\r\n",
    "a long status": b"HTTP/1.1 99999 OK\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a long field": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
    "a long location": b"HTTP/1.1 302 Found\r\nLocation: " + b"/" * 100000 + b"\r\n\r\n",
    "two locations": b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n",
    "a chunk of no size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bytes": b"\x00\x01\x02\x03" * 100,
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "bytes in a location": b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n",
    "a zero in a location": b"HTTP/1.1 302 Found\r\nLocation: /a\x00b\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_answers_that_are_none(nginx, origin, at, name):
    path = "/odd-" + name.replace(" ", "-")
    origin.at(path, lambda _origin, handler, _number: handler.wfile.write(NO_ANSWERS[name]))
    assert nginx.get(remote(at(path))).status in (404, 415, 502, 504)


def test_nothing_is_left_behind(nginx, origin, dns, at):
    """Connections and files of the workers come back to where they were."""
    origin.at("/l-end", without_end(302, "/l-good.jpg"))
    origin.at("/l-good.jpg", o.static(PICTURE))
    origin.at("/l-slow.jpg", o.slow(0.3, o.static(PICTURE)))
    origin.at("/l-accel", o.static(PICTURE, X_Accel_Redirect="/secret/secret.jpg"))
    names = {"/l-end": 200, "/l-good.jpg": 200, "/l-slow.jpg": 200, "/l-accel": 502, "/l-none.jpg": 404}

    def descriptors():
        return sum(len(p.files()) for p in nginx.workers())
    nginx.get(remote(at("/l-good.jpg")))
    before = descriptors()
    for turn in range(4):
        calls = [lambda p=p, w=w: nginx.get(remote(at(p), w, f"?w={20 + turn}")).status for p in names for w in ("/remote/", "/raw/")]
        assert client.at_once(calls, 10) == [names[p] for p in names for _ in range(2)]
        client.abandon(nginx.port, remote(at("/l-slow.jpg"), query=f"?w={200 + turn}"), after=0.05)
    wait_until(lambda: descriptors() <= before + 4, 10 * SLOW, "closed connections")
    assert os.environ.get("MEDIA_ASAN") or nginx.peak_rss() < 600 << 20
    assert not nginx.temporary_files()
