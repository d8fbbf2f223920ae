"""What requests, tenants and origins do to one another when they share workers, zones and pages."""

import os
import socket
import threading
import time

import pytest

import client
import origin as o
import pictures
from nginx_server import free_ports, wait_until

PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG")
ZONE = """
    media_cache_path @cache@ levels=1:2 keys_zone=z:8m;
    media_threads 1 queue=50;
    add_header X-Cache $media_cache_status always;
"""


def solid(color):
    """A picture whose size says nothing of its colour."""
    return pictures.encode(pictures.solid(60, 60, color), "PNG", compress_level=0)


def color(answer):
    assert answer.status == 200, answer.body
    return pictures.color_at(pictures.decode(answer.body), 0.5, 0.5)


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    second = free_ports(1)[0]
    server = make_nginx(
        workers=1, origin=origin.port, second=second,
        http=ZONE + 'map $http_x_tenant $tenant { default ""; a @prefix@/a; b @prefix@/b; }',
        server="""
            media_cache z;
            location /img/ { media_root @pics@; }
            location /quick/ { media_root @pics@; media_timeout 1s; }
            location /tenant/ { media_root $tenant; }
            location /nowhere/ { media_pass $http_x_none; }
            location /pass/ { media_pass /first/; }
            location /first/ { proxy_pass http://127.0.0.1:@origin@/A/; }
            location /remote/ { media_pass /origin/; }
            location /shown/ { media_pass /origin/; media_intercept_errors on; error_page 404 =200 /ok.txt; }
            location /origin/ { proxy_pass http://127.0.0.1:@origin@/; }
            location = /ok.txt { return 200 "shown"; }
            location /ssi/ { ssi on; alias @www@/; }
            location /files/ { alias @www@/; }
            location = /moved { rewrite ^ /elsewhere/a.jpg?w=33 break; media_root @prefix@; }
        }
        server {
            listen 127.0.0.1:@second@;
            media_cache z;
            add_header X-Cache $media_cache_status always;
            location /pass/ { media_pass /first/; }
            location /first/ { proxy_pass http://127.0.0.1:@origin@/B/; }
        """)
    server.add("a.jpg", PICTURE)
    server.add("empty.jpg", b"")
    server.add("large.jpg", pictures.photograph("Large"))
    server.add("a.jpg", PICTURE, server.prefix / "elsewhere")
    for name, value in (("a", pictures.RED), ("b", pictures.GREEN)):
        os.utime(server.add("x.png", solid(value), server.prefix / name), ns=(10**18, 10**18))
    server.add("big.bin", b"x" * (20 << 20), server.www)
    server.add("two.html", b'<!--#include virtual="/remote/slow.jpg?w=21" -->'
                           b'<!--#include virtual="/remote/fast.jpg?w=22" -->', server.www)
    server.add("empty.html", b'[<!--#include virtual="/img/empty.jpg" -->]', server.www)
    server.second = second
    return server


# Tenants


def test_servers_without_a_name_do_not_share(nginx, origin):
    origin.at("/A/x.png", o.static(solid(pictures.RED), "image/png"))
    origin.at("/B/x.png", o.static(solid(pictures.GREEN), "image/png"))
    first = [color(nginx.get("/pass/x.png?w=5")) for _ in range(2)]
    second = [color(client.fetch(nginx.second, "/pass/x.png?w=5")) for _ in range(2)]
    assert first[0] == first[1] and second[0] == second[1]
    assert first[0] != second[0]


def test_roots_of_a_variable_do_not_share(nginx):
    answers = [nginx.get("/tenant/x.png?w=6", headers={"X-Tenant": name}) for name in ("a", "b", "a", "b")]
    colors = [color(a) for a in answers]
    assert colors[0] == colors[2] and colors[1] == colors[3] and colors[0] != colors[1]


@pytest.mark.parametrize("target", ["/tenant/nginx.conf", "/tenant/a/x.png?w=5", "/nowhere/a.jpg?w=5", "/nowhere/a.jpg"])
def test_empty_variable_is_no_place(nginx, target):
    """Above all not nginx's own prefix."""
    nginx.expect_log('"" is no')
    assert nginx.get(target).status == 500


def test_rewrite_within_the_location(nginx):
    assert pictures.decode(nginx.get("/moved").body).width == 33


# What origins say


def headers(*fields):
    """An origin's behaviour: a picture under these header fields, in this order, repeated or not."""
    def behave(server, handler, number):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(PICTURE)))
        for name, value in fields:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(PICTURE)
    return behave


@pytest.mark.parametrize("name, fields", [
    ("twice", [("Cache-Control", "public"), ("Cache-Control", "private, no-store")]),
    ("cookie", [("Set-Cookie", "a=b")]),
    ("vary-cookie", [("Vary", "Accept-Encoding, Cookie")]),
    ("vary-all", [("Vary", "*")]),
])
def test_one_clients_answer_is_not_kept(nginx, origin, name, fields):
    origin.at(f"/{name}.jpg", headers(*fields))
    assert [nginx.get(f"/remote/{name}.jpg?w=10").header("X-Cache") for _ in range(2)] == ["MISS"] * 2


def test_vary_that_does_not_matter(nginx, origin):
    origin.at("/vary.jpg", headers(("Vary", "Accept-Encoding, Origin"), ("Vary", "Accept")))
    assert [nginx.get("/remote/vary.jpg?w=10").header("X-Cache") for _ in range(2)] == ["MISS", "HIT"]


def test_long_cache_control_is_cut_between_directives(nginx, origin):
    origin.at("/long.jpg", headers(("Cache-Control", "public, x=" + 104 * "a" + ", max-age=86400, immutable")))
    nginx.get("/remote/long.jpg?w=10")
    again = nginx.get("/remote/long.jpg?w=10")
    assert again.header("X-Cache") == "HIT"
    assert set(again.header("Cache-Control").split(", ")) <= {"public", "x=" + 104 * "a", "max-age=86400", "immutable"}


def test_error_page_for_renditions_and_originals(nginx, origin):
    origin.at("/none.jpg", o.status(404))
    assert [nginx.get("/shown/none.jpg" + query).body for query in ("?w=3", "", "?w=3")] == [b"shown"] * 3


# Pages and connections


def test_parallel_subrequests(nginx, origin):
    """The second picture is there before the first: each has its place in the page all the same."""
    origin.at("/slow.jpg", o.slow(0.5, o.static(PICTURE)))
    origin.at("/fast.jpg", o.static(PICTURE))
    expected = [nginx.get(f"/remote/{name}.jpg?w={w}&v=1").body for name, w in (("slow", 21), ("fast", 22))]
    for _ in range(2):
        page = nginx.get("/ssi/two.html")
        assert page.status == 200 and page.body == b"".join(expected)


def test_empty_original_in_a_page(nginx):
    assert nginx.get("/ssi/empty.html").body == b"[]"


def test_bytes_of_the_next_request_while_a_404_is_remembered(nginx, origin):
    """On a connection whose write event is armed, each of them wakes the request."""
    origin.at("/missing.jpg", o.status(404))
    busy = threading.Thread(target=nginx.get, args=("/img/large.jpg?w=2800&fm=webp&blur=3",))
    with socket.create_connection(("127.0.0.1", nginx.port)) as connection:
        connection.sendall(b"GET /files/big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.5)
        left = 20 << 20
        while left > 0:
            left -= len(connection.recv(1 << 20))
        busy.start()
        time.sleep(0.2)
        connection.sendall(b"GET /remote/missing.jpg?w=5 HTTP/1.1\r\nHost: a\r\n\r\n")
        for byte in b"GET /img/a.jpg?w=9 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":
            time.sleep(0.005)
            connection.sendall(bytes([byte]))
        connection.settimeout(30)
        answers = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    busy.join()
    assert answers.count(b"HTTP/1.1 404") == 1 and answers.count(b"HTTP/1.1 200") == 1


# Waiting together


def test_what_was_begun_is_finished_for_others(nginx):
    """Though its first client has left, and though other work is queued."""
    target = "/img/large.jpg?w=2500&fm=webp&blur=3"
    answers = {}
    def ask(name, what):
        answers[name] = nginx.get(what)
    with socket.create_connection(("127.0.0.1", nginx.port)) as leaver:
        leaver.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        time.sleep(0.1)
        threads = [threading.Thread(target=ask, args=pair) for pair in (("same", target), ("other", "/img/a.jpg?w=8"))]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    assert [answers[name].status for name in ("same", "other")] == [200, 200]
    assert answers["same"].header("X-Cache") == "HIT"


def test_waiters_learn_of_a_deadline(nginx):
    """Instead of running into it one after another; who comes later may try again."""
    target = "/quick/large.jpg?w=8000&enlarge=1&fm=png&blur=90"
    answers = client.at_once([lambda: nginx.get(target) for _ in range(12)], 12)
    assert [a.status for a in answers] == [504] * 12
    assert sum(a.header("X-Cache") == "MISS" for a in answers) <= 2
    assert nginx.get(target).header("X-Cache") == "MISS"


def test_removed_cache_files_are_let_go(nginx):
    """Also those that were asked for so often that they are kept open."""
    for _ in range(8):
        nginx.get("/img/a.jpg?w=77")
    assert nginx.get("/img/a.jpg?w=77").header("X-Cache") == "HIT"
    for path in nginx.cache_files():
        path.unlink()
    wait_until(lambda: nginx.get("/img/a.jpg?w=77").header("X-Cache") == "MISS", 20, "a fresh rendition", step=0.5)
