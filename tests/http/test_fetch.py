"""Originals by URL (media_fetch): what works. What is refused stands in test_fetch_hostile.py."""

import ssl
import subprocess
from urllib.parse import quote

import pytest

import client
import origin as o
import pictures
from dns_server import Dns
from nginx_server import BUILD, wait_until
from test_pass import failed, good

PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG", quality=95)
OTHER = pictures.encode(pictures.quadrants(400, 300), "JPEG", quality=95)
PHOTOGRAPH = pictures.photograph("LadyBird")
MODULE_TOOL = BUILD / "ngx-media-sign"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><script>alert(1)</script></svg>'

PROXY = """
    proxy_pass $media_fetch_scheme://$media_fetch_addr$media_fetch_uri;
    proxy_set_header Host $media_fetch_host;
    proxy_ssl_server_name on;
    proxy_ssl_name $media_fetch_name;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate @certificates@/ca.pem;
    proxy_read_timeout 700ms;
"""
ALLOW = "allow=*.test:@origin@ allow=127.0.0.1:@origin@ allow=*.test:@secure@ allow=127.0.0.1:@secure@"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority that vouches for secure.test, and nginx' idea of it."""
    folder = tmp_path_factory.mktemp("certificates")
    folder.chmod(0o755)

    def run(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ours")
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=secure.test")
    (folder / "names").write_text("subjectAltName=DNS:secure.test")
    run("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "certificate.pem",
        "-days", "2", "-extfile", "names")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def secure(certificates):
    """An origin that speaks TLS; `names` are the ones it was called by."""
    server = o.Origin()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "certificate.pem", certificates / "key.pem")
    server.names = []
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    yield server
    server.close()


@pytest.fixture(scope="module")
def dns():
    server = Dns()
    server.at("pics.test", "127.0.0.1")
    server.at("other.test", "127.0.0.1")
    server.at("secure.test", "127.0.0.1")
    server.at("mislabelled.test", "127.0.0.1")
    yield server
    server.close()


@pytest.fixture(scope="module")
def nginx(make_nginx, origin, secure, certificates, dns):
    return make_nginx(
        origin=origin.port, secure=secure.port, certificates=certificates, dns=dns.port,
        http="""
            media_threads 2 queue=100;
            media_cache_path @cache@/media levels=1:2 keys_zone=z:4m;
            proxy_cache_path @cache@/proxy levels=1:2 keys_zone=p:1m use_temp_path=off;
            add_header X-Cache $media_cache_status always;
            add_header X-Outside "$media_fetch_addr$media_fetch_uri$media_fetch_scheme" always;
            resolver 127.0.0.1:@dns@;
            resolver_timeout 10s;
        """,
        server=f"""
            media_cache z;
            location /remote/ {{ media_fetch /fetch/ {ALLOW}; media_purge on; }}
            location /again/ {{ media_fetch /fetch/ {ALLOW}; media_cache_valid 200 404 1s; media_cache_use_stale off; }}
            location /behind/ {{ media_fetch /fetch/ {ALLOW}; media_cache_valid 200 1s; }}
            location /uncached/ {{ media_fetch /fetch/ {ALLOW}; media_cache off; }}
            location /rendered/ {{ media_fetch /fetch/ {ALLOW}; media_original off; }}
            location /vectors/ {{ media_fetch /fetch/ {ALLOW}; media_input jpeg svg; }}
            location /small/ {{ media_fetch /fetch/ {ALLOW}; media_max_source_size 100k; }}
            location /raw/ {{ media_fetch /unbuffered/ {ALLOW}; }}
            location /kept/ {{ media_fetch /keeping/ {ALLOW}; }}
            location /signed/ {{ media_fetch /fetch/ {ALLOW}; media_signature key=11111111111111111111111111111111 required; }}
            location ~ ^/(?=https?:) {{ media_fetch /fetch/ {ALLOW}; }}
            location /short/ {{ rewrite ^/short/(.*)$ /remote/http://pics.test:@origin@/$1 last; }}
            location /named/ {{ media_fetch $http_x_way {ALLOW}; }}
            location /public/ {{ media_fetch /told/ allow=*; }}
            location /fetch/ {{ internal; {PROXY} }}
            location /unbuffered/ {{ internal; {PROXY} proxy_buffering off; }}
            location /keeping/ {{ internal; {PROXY} proxy_cache p; proxy_cache_valid 200 1m; proxy_cache_key $media_fetch_host$media_fetch_uri; }}
            location /told/ {{
                internal;
                proxy_pass http://127.0.0.1:@origin@/told;
                proxy_set_header Host $media_fetch_host;
                proxy_set_header X-Told "$media_fetch_scheme $media_fetch_addr $media_fetch_uri $media_fetch_name";
            }}
        """)


@pytest.fixture
def at(origin):
    """The URL of a path at the origin, under some name."""
    return lambda path, name="pics.test": f"http://{name}:{origin.port}{path}"


def remote(url, query="w=100", way="/remote/"):
    return way + quote(url, safe="") + ("?" + query if query else "")


def test_a_rendition_of_a_url(nginx, origin, at):
    origin.at("/a.jpg", o.static(PICTURE, Last_Modified="Wed, 01 Feb 2023 10:00:00 GMT"))
    first, second = nginx.get(remote(at("/a.jpg"))), nginx.get(remote(at("/a.jpg")))
    assert pictures.difference(good(first), pictures.reference(pictures.gradient(400, 300), (100, 75))) < 5
    assert [a.header("X-Cache") for a in (first, second)] == ["MISS", "HIT"]
    assert first.header("Last-Modified") == "Wed, 01 Feb 2023 10:00:00 GMT"
    assert origin.count("/a.jpg") == 1
    assert first.header("X-Outside") is None  # what a fetch is told is nobody else's


def test_what_the_location_is_told(nginx, origin, dns):
    origin.at("/told", o.static(PICTURE))
    dns.at("shown.test", "8.8.8.8", "2606:4700::1111")
    dns.at("six.test", "2606:4700::1111")
    cases = {
        "http://Shown.TEST/x%20y.jpg?a=b&c=\u00e9#part": ("shown.test", "http 8.8.8.8:80 /x%20y.jpg?a=b&c=%C3%A9 shown.test"),
        "https://six.test./": ("six.test", "https [2606:4700::1111]:443 / six.test"),
        "https://8.8.4.4:80": ("8.8.4.4:80", "https 8.8.4.4:80 / 8.8.4.4"),
        "http://[2606:4700:0::1111]:443/?": ("[2606:4700::1111]:443", "http [2606:4700::1111]:443 /? [2606:4700::1111]"),
    }
    for url, (host, told) in cases.items():
        good(nginx.get(remote(url, way="/public/")))
        seen = origin.requests["/told"][-1]
        assert (seen.headers["Host"], seen.headers["X-Told"]) == (host, told)


def test_nothing_of_the_client_reaches_a_stranger(nginx, origin, at):
    origin.at("/blind.jpg", o.static(PICTURE))
    good(nginx.get(remote(at("/blind.jpg")), {
        "Cookie": "a=b", "Authorization": "Bearer secret", "User-Agent": "me", "Referer": "http://here/", "X-Forwarded-For": "1.2.3.4",
        "Accept": "image/avif", "If-None-Match": '"x"', "Upgrade": "websocket", "X-Own": "1"}))
    assert sorted(origin.requests["/blind.jpg"][0].headers) == ["CDN-Loop", "Connection", "Host"]


def test_the_same_url_in_other_words_is_one_entry(nginx, origin, at):
    origin.at("/words.jpg", o.static(PICTURE))
    port = origin.port
    spellings = [remote(at("/words.jpg")), f"/remote/http://pics.test:{port}/words.jpg?w=100",
                 remote(f"HTTP://PICS.test.:{port}/words.jpg#here"), remote(at("/words.jpg"), "fit=inside&w=%3100")]
    assert [nginx.get(target).header("X-Cache") for target in spellings] == ["MISS", "HIT", "HIT", "HIT"]
    # But a path is the origin's own affair.
    origin.at("/x//words.jpg", o.static(OTHER))
    origin.at("/w%6Frds.jpg", o.static(OTHER))
    for path in "/x//words.jpg", "/w%6Frds.jpg":
        answer = nginx.get(remote(at(path)))
        assert (answer.status, answer.header("X-Cache")) == (200, "MISS")
        assert origin.requests[path][0].target == path


def test_the_query_of_the_url_is_part_of_it(nginx, origin, at):
    origin.at("/query.jpg", o.static(PICTURE))
    for query in "?a=1&w=5", "?a=2&w=5":
        assert nginx.get(remote(at("/query.jpg" + query))).header("X-Cache") == "MISS"
        assert origin.requests["/query.jpg"][-1].target == "/query.jpg" + query


@pytest.mark.parametrize("way", ["/uncached/", "/raw/", "/kept/"])
def test_every_kind_of_location(nginx, origin, at, way):
    path = f"/photo{way.strip('/')}.jpg"
    origin.at(path, o.static(PHOTOGRAPH.read_bytes()))
    good(nginx.get(remote(at(path), "w=160", way)), (160, 100))
    good(nginx.get(remote(at(path), "w=320", way)), (320, 200))
    assert origin.count(path) == (1 if way == "/kept/" else 2)


def test_a_regex_location_and_a_rewrite(nginx, origin, at):
    origin.at("/way.jpg", o.static(PICTURE))
    good(nginx.get("/" + quote(at("/way.jpg"), safe="") + "?w=100"))
    good(nginx.get("/short/way.jpg?w=100"))
    assert nginx.get("/short/way.jpg?w=100").header("X-Cache") == "HIT"


def test_the_location_may_depend_on_the_request(nginx, origin, at):
    origin.at("/way2.jpg", o.static(PICTURE))
    good(nginx.get(remote(at("/way2.jpg"), way="/named/"), {"X-Way": "/fetch/"}))
    failed(nginx.get(remote(at("/way2.jpg"), way="/named/")), 500)


def test_signed_urls(nginx, origin, at):
    origin.at("/signed.jpg", o.static(PICTURE))
    target = remote(at("/signed.jpg"), way="/signed/")
    failed(nginx.get(target), 403)
    signed = subprocess.run([MODULE_TOOL, "11" * 16, target], capture_output=True, text=True, check=True).stdout.strip()
    good(nginx.get(signed))
    failed(nginx.get(signed.replace("signed.jpg", "a.jpg")), 403)


# Untouched originals


def test_untouched_original(nginx, origin, at):
    origin.at("/plain.jpg", o.static(PICTURE, "text/html", ETag='"e"', Cache_Control="max-age=60", Set_Cookie="a=b"))
    answer = nginx.get(remote(at("/plain.jpg"), ""))
    assert (answer.status, answer.body, answer.type) == (200, PICTURE, "image/jpeg")
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert (answer.header("Cache-Control"), answer.header("Set-Cookie")) == ("max-age=60", None)
    assert nginx.get(remote(at("/plain.jpg"), ""), {"If-None-Match": answer.header("ETag")}).status == 304
    part = nginx.get(remote(at("/plain.jpg"), ""), {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, PICTURE[10:20])
    head = nginx.get(remote(at("/plain.jpg"), ""), method="HEAD")
    assert (head.status, int(head.header("Content-Length"))) == (200, len(PICTURE))
    assert nginx.get(remote(at("/plain.jpg"), "dl=b.jpg")).header("Content-Disposition").startswith("attachment")
    failed(nginx.get(remote(at("/plain.jpg"), "", "/rendered/")), 403)


@pytest.mark.parametrize("name, body, way, status", [
    ("page.html", pictures.HTML, "/remote/", 415), ("a.svg", SVG, "/remote/", 415), ("a.svg", SVG, "/vectors/", 403),
    ("empty", b"", "/remote/", 415), ("b.png", pictures.encode(pictures.gradient(9, 9), "PNG"), "/vectors/", 415)])
def test_only_pictures_are_passed_on(nginx, origin, at, name, body, way, status):
    """A page of a stranger must not become a page of ours."""
    origin.at("/" + name, o.static(body, "image/jpeg"))
    failed(nginx.get(remote(at("/" + name), "", way)), status)
    if way == "/vectors/" and status == 403:
        assert nginx.get(remote(at("/" + name), "w=40", way)).type == "image/png"


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(nginx, origin, at, code):
    origin.at(f"/from-{code}", o.status(code, Location=at("/to.jpg", "other.test")))
    origin.at("/to.jpg", o.static(PICTURE))
    good(nginx.get(remote(at(f"/from-{code}"))))
    seen = origin.requests["/to.jpg"][-1]
    assert (seen.method, seen.headers["Host"]) == ("GET", f"other.test:{origin.port}")
    assert nginx.get(remote(at(f"/from-{code}"))).header("X-Cache") == "HIT"


def test_relative_redirects(nginx, origin, at):
    origin.at("/x/one", o.redirect("two?q=1"))
    origin.at("/x/two", o.redirect("../y/three#part"))
    origin.at("/y/three", o.redirect(f"//other.test:{origin.port}/four"))
    origin.at("/four", o.static(PICTURE))
    good(nginx.get(remote(at("/x/one"))))
    assert origin.requests["/x/two"][0].target == "/x/two?q=1"


def test_three_redirects_and_no_more(nginx, origin, at):
    for i in range(4):
        origin.at(f"/hop{i}", o.redirect(f"/hop{i + 1}"))
    origin.at("/hop4", o.static(PICTURE))
    good(nginx.get(remote(at("/hop1"))))
    failed(nginx.get(remote(at("/hop0"))), 502)
    origin.at("/circle", o.redirect("/circle"))
    failed(nginx.get(remote(at("/circle"))), 502)
    assert origin.count("/circle") == 4


@pytest.mark.parametrize("code", [300, 304, 305, 306, 309])
def test_other_redirects_are_no_answer(nginx, origin, at, code):
    origin.at(f"/other-{code}", o.status(code, b"", Location=at("/a.jpg")))
    failed(nginx.get(remote(at(f"/other-{code}"))), 502)


def test_a_redirect_that_must_not_be_kept(nginx, origin, at):
    origin.at("/mine", o.status(302, Location="/kept.jpg", Cache_Control="private"))
    origin.at("/kept.jpg", o.static(PICTURE, Cache_Control="max-age=100"))
    for _ in range(2):
        assert nginx.get(remote(at("/mine"))).header("X-Cache") == "MISS"


# Freshness, validation, purges


def test_a_stale_rendition_is_confirmed(nginx, origin, at):
    origin.at("/lasting.jpg", o.static(PICTURE, ETag='"l"'))
    origin.at("/moved", o.redirect("/lasting.jpg"))
    first = nginx.get(remote(at("/moved"), way="/again/"))
    wait_until(lambda: nginx.get(remote(at("/moved"), way="/again/")).header("X-Cache") == "REVALIDATED", 10, "the end of a life",
               step=0.2)
    assert nginx.get(remote(at("/moved"), way="/again/")).body == first.body
    assert origin.requests["/lasting.jpg"][-1].headers["If-None-Match"] == '"l"'


def test_a_stale_rendition_is_refreshed_behind(nginx, origin, at):
    origin.at("/changing.jpg", o.one_after_another(o.static(PICTURE), o.static(OTHER)))
    first = nginx.get(remote(at("/changing.jpg"), way="/behind/"))
    wait_until(lambda: nginx.get(remote(at("/changing.jpg"), way="/behind/")).body != first.body, 10, "another picture", step=0.2)
    assert origin.requests["/changing.jpg"][-1].headers["Host"] == f"pics.test:{origin.port}"


def test_purge(nginx, origin, at):
    origin.at("/purged.jpg", o.one_after_another(o.static(PICTURE), o.static(OTHER)))
    first = nginx.get(remote(at("/purged.jpg")))
    assert nginx.get(remote(at("/purged.jpg"), ""), method="PURGE").status == 200
    assert nginx.get(remote(at("/purged.jpg"))).body != first.body


def test_what_is_not_there_is_remembered(nginx, origin, at):
    origin.at("/none.jpg", o.status(404))
    failed(nginx.get(remote(at("/none.jpg"))), 404)
    failed(nginx.get(remote(at("/none.jpg"))), 404)
    assert origin.count("/none.jpg") == 1


def test_many_at_once_fetch_once(nginx, origin, at, dns):
    dns.at("crowd.test", "127.0.0.1")
    origin.at("/crowd.jpg", o.slow(0.3, o.static(PICTURE)))
    answers = client.at_once([lambda: nginx.get(remote(at("/crowd.jpg", "crowd.test")))] * 20)
    assert {a.status for a in answers} == {200}
    assert origin.count("/crowd.jpg") == 1


# TLS


def test_tls_with_the_name_that_was_asked_for(nginx, secure):
    secure.at("/t.jpg", o.static(PICTURE))
    good(nginx.get(remote(f"https://secure.test:{secure.port}/t.jpg")))
    assert secure.names[-1] == "secure.test"
    assert secure.requests["/t.jpg"][0].headers["Host"] == f"secure.test:{secure.port}"


def test_a_certificate_of_another_name(nginx, secure):
    failed(nginx.get(remote(f"https://mislabelled.test:{secure.port}/t2.jpg")), 502)
    assert secure.count("/t2.jpg") == 0


def test_from_tls_and_to_it(nginx, origin, secure, at):
    secure.at("/away", o.redirect(at("/landed.jpg")))
    origin.at("/landed.jpg", o.redirect(f"https://secure.test:{secure.port}/home.jpg"))
    secure.at("/home.jpg", o.static(PICTURE))
    good(nginx.get(remote(f"https://secure.test:{secure.port}/away")))


# Looking names up


def test_another_name_for_a_host(nginx, origin, at, dns):
    origin.at("/alias.jpg", o.static(PICTURE))
    dns.at("alias.test", cname="pics.test")
    good(nginx.get(remote(at("/alias.jpg", "alias.test"))))


def test_an_address_that_is_dead_is_passed_over(make_nginx, origin, dns):
    """Nobody listens at the second one; which one comes first is chance."""
    server = make_nginx(origin=origin.port, dns=dns.port, http="resolver 127.0.0.1:@dns@;", server="""
        location /remote/ { media_fetch /fetch/ allow=*:@origin@ allow=127.0.0.1:@origin@ allow=127.0.0.9:@origin@ allow=[::1]:@origin@; }
        location /fetch/ { internal; proxy_pass http://$media_fetch_addr$media_fetch_uri; }
    """)
    origin.at("/half.jpg", o.static(PICTURE))
    for i in range(8):
        dns.at(f"half{i}.test", "127.0.0.9", "127.0.0.1", "::1")
        good(server.get(remote(f"http://half{i}.test:{origin.port}/half.jpg")))
    dns.at("dead.test", "127.0.0.9", "::1")
    failed(server.get(remote(f"http://dead.test:{origin.port}/half.jpg")), 502)
    # What has answered is not asked again elsewhere.
    origin.at("/bad.jpg", o.status(502))
    dns.at("bad.test", "127.0.0.1", "127.0.0.9")
    failed(server.get(remote(f"http://bad.test:{origin.port}/bad.jpg")), 502)
    assert origin.count("/bad.jpg") == 1


def test_names_that_cannot_be_looked_up(own_nginx, origin, dns):
    dns.at("silent.test", silent=True)
    dns.at("homeless.test")
    server = own_nginx(origin=origin.port, dns=dns.port, http="resolver 127.0.0.1:@dns@; resolver_timeout 500ms;", server="""
        location /remote/ { media_fetch /fetch/ allow=*.test; }
        location /fetch/ { internal; proxy_pass http://$media_fetch_addr$media_fetch_uri; }
    """)
    failed(server.get(remote("http://unknown.test/a.jpg")), 502)
    failed(server.get(remote("http://homeless.test/a.jpg")), 502)
    failed(server.get(remote("http://silent.test/a.jpg")), 504)


def test_a_client_that_leaves_while_a_name_is_looked_up(own_nginx, origin, dns):
    dns.at("quiet.test", silent=True)
    server = own_nginx(workers=1, origin=origin.port, dns=dns.port, http="resolver 127.0.0.1:@dns@; resolver_timeout 1s;", server="""
        location /remote/ { media_fetch /fetch/ allow=*.test:@origin@ allow=127.0.0.1:@origin@; }
        location /fetch/ { internal; proxy_pass http://$media_fetch_addr$media_fetch_uri; }
    """)
    for _ in range(5):
        client.abandon(server.port, remote(f"http://quiet.test:{origin.port}/a.jpg"), after=0.02)
    server.reload()
    origin.at("/after.jpg", o.static(PICTURE))
    good(server.get(remote(f"http://pics.test:{origin.port}/after.jpg")))


def test_a_reload_during_a_fetch(own_nginx, origin, dns):
    server = own_nginx(origin=origin.port, dns=dns.port, http="resolver 127.0.0.1:@dns@;", server="""
        location /remote/ { media_fetch /fetch/ allow=*.test:@origin@ allow=127.0.0.1:@origin@; }
        location /fetch/ { internal; proxy_pass http://$media_fetch_addr$media_fetch_uri; }
    """)
    origin.at("/first", o.slow(0.5, o.redirect("/last.jpg")))
    origin.at("/last.jpg", o.slow(0.5, o.static(PICTURE)))
    calls = [lambda: server.get(remote(f"http://pics.test:{origin.port}/first"))] * 4
    before = server.requests_begun()

    def reload():
        server.wait_for_requests(before, 4)
        server.reload(wait=False)
    assert [a.status for a in client.at_once(calls + [reload])[:4]] == [200] * 4


# Configuration


@pytest.mark.parametrize("line, word", [
    ("media_fetch /f/;", "number of arguments"), ("media_fetch f/ allow=*;", "f/"), ("media_fetch /f/ allow=;", "allow="),
    ("media_fetch /f/ allow=10.0.0.0/8;", "10.0.0.0/8"), ("media_fetch /f/ allow=http://a.example;", "http://a.example"),
    ("media_fetch /f/ allow=a.example:0;", "a.example:0"), ("media_fetch /f/ deny=a.example;", "deny="),
    ("media_fetch /f/ allow=127.0.0.1 timeout=0;", "timeout=0"), ("media_fetch /f/ allow=127.0.0.1 timeout=soon;", "timeout=soon"),
    ("media_fetch /f/ timeout=1s;", "allow="), ("media_fetch /f/ allow=127.0.0.1 timeout=1s timeout=1s;", "timeout="),
    ("media_fetch /f/ allow=a.example;", "resolver"), ("media_fetch /f/ allow=127.0.0.1;\nmedia_root /pics;", "media_root|media_fetch"),
    ("media_pass /a/;\nmedia_fetch /f/ allow=127.0.0.1;", "media_pass|media_fetch"),
    ("media_fetch /f/ allow=127.0.0.1;\nmedia_fetch /g/ allow=127.0.0.1;", "duplicate")])
def test_mistakes_are_found(own_nginx, line, word):
    server = own_nginx(start=False, server=f"location /i/ {{\n{line}\n}}")
    code, said = server.test()
    assert code != 0
    assert any(w in said for w in word.split("|")), said
    number = server.line_of(line.splitlines()[-1])
    assert f":{number}" in said, said


@pytest.mark.parametrize("line", ["media_fetch /f/ allow=127.0.0.1:8080 allow=[::1];",
                                  "resolver 127.0.0.1; media_fetch /f/ allow=*.example.com:8080 allow=*;",
                                  "media_fetch /f/ allow=127.0.0.1; limit_except GET { deny all; }"])
def test_good_configurations(own_nginx, line):
    code, said = own_nginx(start=False, server=f"location /i/ {{ {line} }}").test()
    assert code == 0, said
