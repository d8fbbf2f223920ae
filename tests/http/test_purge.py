"""PURGE: what it drops, for whom, for how long it is remembered, and who may ask for it."""

import base64
import re
import threading
from collections import Counter
from urllib.parse import quote

import pytest

import client
import origin as o
import pictures
from nginx_server import SLOW, wait_until

PICTURE = pictures.encode(pictures.gradient(200, 150), "JPEG")
CUT = PICTURE[:len(PICTURE) // 2]

HTTP = """
media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
add_header X-Cache $media_cache_status always;
add_header X-Key $media_key always;
media_preset base "q=50";
media_preset card "p=base&w=60";
media_preset wide "w=90";
media_cache z;
"""
ROOT = "location /img/ { media_root @pics@; media_purge on; }\n"
PASS = """
location /img/ { media_pass /origin/; media_purge on; media_cache_valid 200 404 422 1h; }
location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
"""
FILES = ["a.jpg", "b.jpg", "2024/c.jpg", "2024/d e.jpg", "2024/50%.jpg", "2024/ü.jpg", "2024/x*y.jpg", "2024/q?.jpg"]


def cached(answer):
    return answer.header("X-Cache")


def purge(server, target, status=200, **arguments):
    answer = server.get(target, method="PURGE", **arguments)
    assert answer.status == status, answer.body
    return answer


def states(server, target, times=6):
    """What several requests are told: on connections of their own, so that both workers are among them."""
    return [cached(server.get(target)) for _ in range(times)]


MADE = ["MISS"] + ["HIT"] * 5
KEPT = ["HIT"] * 6


@pytest.fixture(scope="module", params=["root", "pass"])
def server(request, make_nginx, origin):
    if request.param == "root":
        return make_nginx(http=HTTP, server=ROOT, files={name: PICTURE for name in FILES})
    for name in FILES:  # nginx passes on what it has decoded and encoded again
        origin.at("/" + quote(name, safe="/*"), o.static(PICTURE))
    return make_nginx(http=HTTP, server=PASS, origin=origin.port)


QUERIES = ["w=50", "p=card", "p=base&w=51", "p=wide", "p=wide,card&fm=png"]
ORIGINALS = ["/img/a.jpg", "/img/b.jpg", "/img/2024/c.jpg", "/img/2024/d%20e.jpg"]


@pytest.mark.parametrize("target, originals, queries", [
    ("/img/a.jpg", ["/img/a.jpg"], QUERIES),
    ("/img/a.jpg?", ["/img/a.jpg"], QUERIES),
    ("/img/a.jpg?p=card", ["/img/a.jpg"], ["p=card", "p=wide,card&fm=png"]),
    ("/img/a.jpg?p=base", ["/img/a.jpg"], ["p=card", "p=base&w=51", "p=wide,card&fm=png"]),
    ("/img/a.jpg?p=wide", ["/img/a.jpg"], ["p=wide", "p=wide,card&fm=png"]),
    ("/img/2024/*", ["/img/2024/c.jpg", "/img/2024/d%20e.jpg"], QUERIES),
    ("/img/2024/*?p=wide", ["/img/2024/c.jpg", "/img/2024/d%20e.jpg"], ["p=wide", "p=wide,card&fm=png"]),
    ("/img/*", ORIGINALS, QUERIES),
    ("/img/*?p=card", ORIGINALS, ["p=card", "p=wide,card&fm=png"]),
    ("/img/a*", ["/img/a.jpg"], QUERIES),
    ("/img/a.jpg*", ["/img/a.jpg"], QUERIES),
    ("/img/a.jp", [], []),
    ("/img/A.jpg", [], []),
    ("/img/2024/d%20*?%70=%63ard", ["/img/2024/d%20e.jpg"], ["p=card", "p=wide,card&fm=png"]),
    ("/img/./2024//../%2e/%61.jpg", ["/img/a.jpg"], QUERIES),
])
def test_scopes(server, target, originals, queries):
    """Exactly what is named, at once, in every worker."""
    everything = [f"{original}?{query}" for original in ORIGINALS for query in QUERIES]
    client.at_once([lambda t=t: server.get(t) for t in everything], 2)
    assert Counter(cached(server.get(t)) for t in everything) == {"HIT": len(everything)}
    purge(server, target)
    for asked in everything:
        dropped = asked.split("?")[0] in originals and asked.split("?")[1] in queries
        assert states(server, asked) == (MADE if dropped else KEPT), asked


@pytest.mark.parametrize("name", ["2024/d%20e.jpg", "2024/50%25.jpg", "2024/%C3%BC.jpg", "2024/q%3F.jpg",
                                  "2024/x%2Ay.jpg"])
def test_encoded_names(server, name):
    target = f"/img/{name}"
    for _ in range(2):
        server.get(f"{target}?w=33")
    assert states(server, f"{target}?w=33") == KEPT
    purge(server, target)
    assert states(server, f"{target}?w=33") == MADE
    purge(server, target.removesuffix("jpg") + "*")
    assert states(server, f"{target}?w=33") == MADE


@pytest.mark.parametrize("target, said", [
    ("/img/a.jpg", {"purged": "/img/a.jpg", "preset": None, "prefix": False}),
    ("/img/a.jpg?p=card", {"purged": "/img/a.jpg", "preset": "card", "prefix": False}),
    ("/img/2024/*", {"purged": "/img/2024/*", "preset": None, "prefix": True}),
    ("/img/never%20seen%22/*?p=base", {"purged": '/img/never seen"/*', "preset": "base", "prefix": True}),
])
def test_answer_says_what_was_done(server, target, said):
    answer = purge(server, target)
    assert answer.json() == said
    assert answer.type == "application/json"
    assert int(answer.header("Content-Length")) == len(answer.body)
    assert answer.header("Accept-Ranges") is None


@pytest.mark.parametrize("target, status, parameter", [
    ("/img/a.jpg?w=50", 400, "w"), ("/img/a.jpg?p=card&w=50", 400, "w"), ("/img/a.jpg?p=none", 400, "p"),
    ("/img/a.jpg?p=", 400, "p"), ("/img/a.jpg?p", 400, "p"), ("/img/a.jpg?p=card,wide", 400, "p"),
    ("/img/a.jpg?p=card&p=card", 400, "p"), ("/img/a.jpg?p=%zz", 400, "p"), ("/img/a.jpg?%zz=1", 400, None),
    ("/img/*?x", 400, "x"),
])
def test_what_is_refused(server, target, status, parameter):
    server.get("/img/a.jpg?w=50")
    answer = purge(server, target, status)
    assert answer.type == "application/problem+json"
    assert answer.json().get("param") == parameter
    assert cached(server.get("/img/a.jpg?w=50")) == "HIT"


def test_paths_that_can_be_no_original(own_nginx):
    server = own_nginx(http=HTTP, server="location /img { media_root @pics@; media_purge on; }")
    for path in "/img../secret.jpg", "/img../*", "/img/folder/":
        assert purge(server, path, 404).json()["status"] == 404
    assert purge(server, "/elsewhere/a.jpg", 405).type == "text/html"


def test_get_and_head_are_as_before(server):
    purge(server, "/img/a.jpg")
    head, get = server.get("/img/a.jpg?w=52", method="HEAD"), server.get("/img/a.jpg?w=52")
    assert (cached(head), cached(get)) == ("MISS", "HIT")
    purge(server, "/img/a.jpg")
    again = server.get("/img/a.jpg?w=52")
    assert cached(again) == "MISS"
    assert again.body == get.body and again.header("ETag") == get.header("ETag")
    assert server.get("/img/a.jpg").body == PICTURE


def test_other_methods(server):
    for method in "POST", "DELETE", "PURGEX", "purge":
        answer = server.raw(f"{method} /img/a.jpg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert answer.split()[1] == (b"400" if method == "purge" else b"405")
        if method != "purge":
            assert b"\r\nAllow: GET, HEAD, PURGE\r\n" in answer


def test_a_body_is_not_minded(server):
    server.get("/img/a.jpg?w=53")
    answer = server.raw(b"PURGE /img/a.jpg HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                        b"GET /img/a.jpg?w=53 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1 200") == 2
    assert b"X-Cache: MISS" in answer


def test_off_is_405(own_nginx):
    server = own_nginx(http=HTTP, files={"a.jpg": PICTURE}, server="""
        location /img/ { media_root @pics@; }
        location /off/ { media_root @pics@; media_purge off; }
        location /on/ { media_root @pics@; media_purge on;
                        location /on/sub/ { media_root @pics@; }
                        location /on/too/ { media_root @pics@; media_purge on; } }
    """)
    for place, status in ("img", 405), ("off", 405), ("on", 200), ("on/sub", 405), ("on/too", 200):
        answer = purge(server, f"/{place}/a.jpg", status)
        if status == 405:
            assert answer.header("Allow") == "GET, HEAD"


# Errors that are remembered


def test_remembered_errors_go_too(own_nginx, origin):
    server = own_nginx(http=HTTP, server=PASS, origin=origin.port)
    origin.at("/late.jpg", o.one_after_another(o.status(404), o.static(CUT), o.static(PICTURE)))
    for status in 404, 422, 200:
        assert [server.get("/img/late.jpg?w=40").status for _ in range(3)] == [status] * 3
        purge(server, "/img/late.jpg")
    assert origin.count("/late.jpg") == 3


def test_remembered_422_of_a_file(own_nginx):
    server = own_nginx(http=HTTP, server=ROOT, files={"cut.jpg": CUT})
    assert states(server, "/img/cut.jpg?w=40") == MADE
    purge(server, "/img/*")
    assert states(server, "/img/cut.jpg?w=40") == MADE


def test_prefix_reaches_what_nobody_has_seen_yet(own_nginx, origin):
    """What was rendered on request by another node or before is not known here: the key alone decides."""
    server = own_nginx(http=HTTP, server=PASS, origin=origin.port)
    origin.at("/deep/er/new.jpg", o.static(PICTURE))
    first = server.get("/img/deep/er/new.jpg?w=40").header("X-Key")
    server.restart()  # an entry that no worker of this life has looked at
    purge(server, "/img/deep/*")
    again = server.get("/img/deep/er/new.jpg?w=40")
    assert cached(again) == "MISS"
    assert again.header("X-Key").startswith(first + "!")


# Servers and rewrites


SERVERS = """
    location /img/ { media_root @pics@; media_purge on; }
}
server { listen 127.0.0.1:@port@; server_name one one.example; location /img/ { media_root @pics@; media_purge on; } }
server { listen 127.0.0.1:@port@; server_name two; location /img/ { media_root @pics@/$host; media_purge on; } }
server { listen 127.0.0.1:@port@; server_name *.three; location /img/ { media_pass /origin/; media_purge on; }
         location /origin/ { alias @pics@/; }
"""


def test_servers_are_told_apart(own_nginx):
    server = own_nginx(http=HTTP, server=SERVERS, files={"a.jpg": PICTURE, "two/a.jpg": PICTURE})
    hosts = {"nameless": "x", "one": "one", "one too": "one.example", "two": "two", "three": "a.three",
             "three too": "b.three"}

    def ask(host, request):
        answer = server.raw(f"{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return "HIT" if b"X-Cache: HIT" in answer else "MISS"

    def asked():
        return {name: ask(host, "GET /img/a.jpg?w=30") for name, host in hosts.items()}
    asked()
    assert set(asked().values()) == {"HIT"}
    for purged, dropped in [("x", {"nameless"}), ("one.example", {"one"}), ("two", {"two"}),
                            ("b.three", {"three", "three too"})]:
        ask(purged, "PURGE /img/*")
        assert {name for name, state in asked().items() if state == "MISS"} == dropped
        assert set(asked().values()) == {"HIT"}


def test_rewrites(own_nginx):
    """The URI behind the rewrites is what counts, for both."""
    server = own_nginx(http=HTTP, files={"a.jpg": PICTURE}, server="""
        rewrite ^/short/(.*)$ /img/$1;
        location /img/ { media_root @pics@; media_purge on; }
        location /within/ { rewrite ^/within/(.*)$ /plain/$1 break; media_root @pics@; media_purge on; }
        location /plain/ { return 404; }
    """)
    server.add("plain/a.jpg", PICTURE)
    for asked, purged in [("/img/a.jpg", "/short/a.jpg"), ("/short/a.jpg", "/img/a.jpg"), ("/img/a.jpg", "/short/*"),
                          ("/within/a.jpg", "/within/a.jpg"), ("/within/a.jpg", "/within/*")]:
        server.get(f"{asked}?w=20")
        assert states(server, f"{asked}?w=20") == KEPT
        purge(server, purged)
        assert states(server, f"{asked}?w=20") == MADE, (asked, purged)


# Work in flight


def test_who_asks_after_the_purge_gets_nothing_old(own_nginx, origin):
    """A rendition that is being made of the old picture neither answers nor holds up who asks afterwards; those
    who had asked before get what they asked for."""
    server = own_nginx(http=HTTP, server=PASS, origin=origin.port)
    old = pictures.encode(pictures.solid(80, 60, pictures.RED), "PNG")
    new = pictures.encode(pictures.solid(80, 60, pictures.GREEN), "PNG")
    release = threading.Event()

    def held(origin_, handler, number):
        release.wait(30)
        o.static(old, "image/png")(origin_, handler, number)
    origin.at("/flight.png", o.one_after_another(held, o.static(new, "image/png")))
    before = []
    threads = [threading.Thread(target=lambda: before.append(server.get("/img/flight.png?w=40"))) for _ in range(6)]
    begun = server.requests_begun()
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: origin.count("/flight.png") == 1, 10 * SLOW, "the origin is asked")
        server.wait_for_requests(begun, 6)
        purge(server, "/img/flight.png")
        after = client.at_once([lambda: server.get("/img/flight.png?w=40")] * 6)
        assert Counter(map(cached, after)) == {"MISS": 1, "HIT": 5}
    finally:
        release.set()
        for thread in threads:
            thread.join()
    late = [server.get("/img/flight.png?w=40") for _ in range(4)]

    def color(answer):
        assert answer.status == 200
        return pictures.color_at(pictures.decode(answer.body), 0.5, 0.5)
    assert all(pictures.close(color(a), pictures.RED, 4) for a in before)
    assert all(pictures.close(color(a), pictures.GREEN, 4) for a in after + late)
    assert set(map(cached, late)) == {"HIT"}
    assert origin.count("/flight.png") == 2


def test_purges_and_requests_at_once(server):
    """Whatever they do to one another, a purge that was answered counts for every request that follows."""
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            assert server.get("/img/b.jpg?w=77").status == 200
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    keys = []
    try:
        for _ in range(60):
            purge(server, "/img/b.jpg")
            keys.append({server.get("/img/b.jpg?w=77").header("X-Key") for _ in range(4)})
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(len(k) == 1 for k in keys), "a worker that has not heard of it"
    assert len(set.union(*keys)) == len(keys)


# Who may


GUARDED = """
location /denied/ { media_root @pics@; media_purge on; limit_except GET { deny all; } }
location /some/ { media_root @pics@; media_purge on; limit_except GET { allow 127.0.0.0/8; deny all; } }
location /all/ { media_root @pics@; media_purge on; deny all; }
location /user/ { media_root @pics@; media_purge on; limit_except GET { auth_basic x; auth_basic_user_file @prefix@/users; } }
location /asked/ { media_root @pics@; media_purge on; auth_request /may; }
location = /may { internal; if ($request_method = PURGE) { return 403; } return 204; }
"""


def test_guards(own_nginx):
    server = own_nginx(http=HTTP, server=GUARDED, files={"a.jpg": PICTURE}, start=False)
    (server.prefix / "users").write_text("me:{PLAIN}secret\n")
    server.start()
    good = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(b"me:guess").decode()}
    for place, headers, status in [("denied", {}, 403), ("some", {}, 200), ("all", {}, 403), ("user", {}, 401),
                                   ("user", wrong, 401), ("user", good, 200), ("asked", {}, 403)]:
        target = f"/{place}/a.jpg?w=30"
        if place != "all":
            server.get(target)
            assert cached(server.get(target)) == "HIT"
        purge(server, f"/{place}/a.jpg", status, headers=headers)
        if place != "all":
            assert cached(server.get(target)) == ("MISS" if status == 200 else "HIT")


def test_signatures_do_not_matter(own_nginx):
    """They say which renditions may be asked for; access rules say who may purge."""
    server = own_nginx(http=HTTP, files={"a.jpg": PICTURE}, server="location /img/ { media_root @pics@; "
                       "media_purge on; media_signature key=11111111111111111111111111111111 required; }")
    assert server.get("/img/a.jpg?w=30").status == 403
    purge(server, "/img/a.jpg")


# nginx -t


@pytest.mark.parametrize("http, text, reason", [
    ("", "location /img/ { media_purge on; }", '"media_purge" without "media_root", "media_pass" or "media_fetch"'),
    ("", "location /img/ { media_purge on; proxy_pass http://127.0.0.1:1; }", '"media_purge" without'),
    ("", "location /img/ { media_root @pics@; media_purge yes; }", 'it must be "on" or "off"'),
    ("", "location /img/ { media_root @pics@; media_purge on; media_purge on; }", '"media_purge" directive is duplicate'),
    ("", "media_purge on;", '"media_purge" directive is not allowed here'),
    ("media_purge on;", "", '"media_purge" directive is not allowed here'),
    ("", "location /img/ { media_root @pics@; media_cache media:purges; }", "media:purges"),
])
def test_mistakes(make_nginx, http, text, reason):
    server = make_nginx(start=False, http=http, server=text)
    code, said = server.test()
    assert code != 0 and reason in said
    assert re.search(rf"{re.escape(str(server.config_file))}:\d+", said)
