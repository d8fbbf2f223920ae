"""Among nginx' own directives: a location like any other, whatever leads to it and whatever lies over it."""

import os
import signal
import subprocess
import time

import pytest

import client
import pictures
from nginx_server import SLOW, environment, free_ports, wait_until

PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG")
ZONE = "media_cache_path @cache@ levels=1:2 keys_zone=z:8m;\nadd_header X-Cache $media_cache_status always;\n"


@pytest.fixture(scope="module")
def nginx(make_nginx):
    server = make_nginx(
        http=ZONE + "media_threads 2 queue=200;\nlimit_req_zone $uri zone=slow:1m rate=1r/m;", secure=free_ports(1)[0],
        main="load_module /usr/lib/nginx/modules/ngx_http_image_filter_module.so;", server="""
            media_cache z;
            location /img/ { media_root @pics@; }
            location /files/ { alias @pics@/; }
            location /pass/ { media_pass /files/; }
            location /uncached/ { media_root @pics@; media_cache off; }

            location /ssi/ { ssi on; alias @www@/; }
            location /asked/ { auth_request /img/a.jpg; alias @pics@/; }
            location /denied/ { auth_request /img/none.jpg; alias @pics@/; }
            location /mirrored/ { mirror /img/a.jpg; alias @pics@/; }
            location /added/ { add_before_body /img/a.jpg?w=20; alias @pics@/; addition_types *; }
            location /fallback/ { alias @pics@/none/; error_page 404 =200 /img/a.jpg?w=36; }
            location /placeholder/ {
                media_root @pics@; media_intercept_errors on; error_page 404 =200 /img/a.jpg?w=37; }
            location /endless/ { media_root @pics@; media_intercept_errors on; error_page 404 /endless/none.jpg?w=1; }
            location /tried/ { alias @pics@/none/; try_files $uri /img/a.jpg?w=38; }
            location /pretty/ { rewrite ^/pretty/([0-9]+)/(.*)$ /img/$2?w=$1? last; }
            location /folder/ { set $folder pics; media_root @prefix@/$folder; }
            location /chosen/ { set $where files; media_pass /$where/; }
            location /self/ { proxy_pass http://127.0.0.1:@port@/img/; }

            location /nosendfile/ { sendfile off; media_root @pics@; }
            location /sendfile/ { sendfile on; tcp_nopush on; media_root @pics@; }
            location /threads/ { aio threads; sendfile on; media_root @pics@; }
            location /direct/ { directio 512; output_buffers 1 32k; media_root @pics@; }
            location /opencache/ { open_file_cache max=100; media_root @pics@; }
            location /believed/ { open_file_cache max=100; open_file_cache_valid 1s; media_root @pics@; }
            location /filtered/ { image_filter resize 20 20; media_root @pics@; }
            location /rate/ { limit_rate 100k; media_root @pics@; }
            location /substituted/ { sub_filter_types *; sub_filter nothing something; media_root @pics@; }
            location /sliced/ { slice 1k; media_root @pics@; }
            location /limited/ { limit_req zone=slow; media_root @pics@; }
            location /locked/ { deny all; media_root @pics@; }
        }
        server {
            listen 127.0.0.1:@secure@ ssl http2;
            ssl_certificate @prefix@/certificate.pem;
            ssl_certificate_key @prefix@/key.pem;
            media_cache z;
            location /img/ { media_root @pics@; }
            location /files/ { alias @pics@/; }
            location /pass/ { media_pass /files/; }
            location /uncached/ { media_root @pics@; media_cache off; }
        """, start=False)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", server.prefix / "key.pem", "-out", server.prefix / "certificate.pem"],
                   check=True, capture_output=True)
    server.add("a.jpg", PICTURE)
    server.add("photo.jpg", pictures.photograph("LadyBird"))
    server.add("x.txt", b"hello")
    server.add("page.html", b'[<!--#include virtual="/img/a.jpg?w=21" -->]', server.www)
    return server.start()


@pytest.mark.parametrize("target, size", [
    ("/fallback/b.jpg", (36, 27)), ("/placeholder/b.jpg?w=9", (37, 28)), ("/tried/b.jpg", (38, 29)),
    ("/pretty/39/a.jpg", (39, 29)), ("/folder/a.jpg?w=40", (40, 30)), ("/chosen/a.jpg?w=41", (41, 31)),
    ("/self/a.jpg?w=42", (42, 32)), ("/nosendfile/a.jpg?w=43", (43, 32)), ("/sendfile/a.jpg?w=44", (44, 33)),
    ("/threads/a.jpg?w=45", (45, 34)), ("/direct/a.jpg?w=46", (46, 35)), ("/opencache/a.jpg?w=47", (47, 35)),
    ("/filtered/a.jpg?w=48", (20, 15)), ("/rate/a.jpg?w=49", (49, 37)), ("/substituted/a.jpg?w=50", (50, 38)),
    ("/sliced/a.jpg?w=51", (51, 38)),
])
def test_beside_other_directives(nginx, target, size):
    for _ in range(5):
        answer = nginx.get(target)
        assert answer.status == 200, answer.body
        assert pictures.decode(answer.body).size == size


def test_open_file_cache_says_how_long_an_original_is_believed(nginx):
    """One that is written over in the same second, with as many bytes, is told by the rest of its time."""
    original = nginx.add("o.jpg", pictures.encode(pictures.gradient(60, 45), "JPEG"))
    content = original.read_bytes()
    assert nginx.get("/believed/o.jpg?w=30").status == 200
    state = original.stat()
    original.write_bytes(b"x" * len(content))
    os.utime(original, ns=(state.st_atime_ns, state.st_mtime_ns // 10**9 * 10**9 + (state.st_mtime_ns + 1) % 10**9))
    wait_until(lambda: nginx.get("/believed/o.jpg?w=30").status == 415, 10 * SLOW, "the change is seen")


def test_included_in_a_page(nginx):
    for _ in range(3):
        page = nginx.get("/ssi/page.html").body
        assert page[:1] == b"[" and page[-1:] == b"]"
        assert pictures.decode(page[1:-1]).size == (21, 16)


@pytest.mark.parametrize("target, status", [("/asked/x.txt", 200), ("/denied/x.txt", 500), ("/mirrored/x.txt", 200),
                                            ("/added/x.txt", 200), ("/endless/b.jpg?w=1", 404), ("/locked/a.jpg", 403),
                                            ("/locked/a.jpg?w=1", 403)])
def test_as_a_helper_of_others(nginx, target, status):
    for _ in range(3):
        assert nginx.get(target).status == status


def test_rate_limits_come_first(nginx):
    assert [nginx.get("/limited/a.jpg?w=52").status for _ in range(3)] == [200, 503, 503]


@pytest.mark.parametrize("location", ["img", "uncached", "pass"])
def test_many_streams_of_one_connection(nginx, location):
    """HTTP/2: misses, then hits, side by side."""
    for turn in "MISS", "HIT":
        urls = []
        for i in range(40):
            urls += ["-o", "/dev/null", f"https://127.0.0.1:{nginx.names['secure']}/{location}/photo.jpg?w={100 + i}"]
        done = subprocess.run(["curl", "-sk", "--http2", "--parallel", "--parallel-max", "40", "-w",
                               "%{http_code} %{http_version} %{num_connects}\n", *urls], capture_output=True, text=True,
                              timeout=120)
        answers = [line.split() for line in done.stdout.splitlines()]
        assert [a[:2] for a in answers] == [["200", "2"]] * 40, turn
        assert sum(int(a[2]) for a in answers) == 1


def test_streams_that_are_given_up(nginx):
    urls = []
    for i in range(30):
        for location in "img", "pass", "uncached":
            urls += ["-o", "/dev/null", f"https://127.0.0.1:{nginx.names['secure']}/{location}/photo.jpg?w={600 + i}"]
    asking = subprocess.Popen(["curl", "-sk", "--http2", "--parallel", "--parallel-max", "90", *urls],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.2)
    asking.kill()
    asking.wait()
    assert nginx.get("/img/a.jpg?w=53").status == 200


class Adopted:
    """A process that is not our child, with what the harness needs of subprocess.Popen."""

    def __init__(self, pid):
        self.pid = pid

    def send_signal(self, number):
        os.kill(self.pid, number)

    def poll(self):
        try:
            with open(f"/proc/{self.pid}/stat") as stat:
                return 0 if stat.read().rsplit(")", 1)[1].split()[0] == "Z" else None
        except FileNotFoundError:
            return 0

    def wait(self, seconds=20):
        wait_until(lambda: self.poll() is not None, seconds, f"the end of {self.pid}")
        return 0


def test_binary_upgrade(own_nginx):
    """SIGUSR2: the new nginx takes over while the old one finishes; nothing is dropped, entries stay."""
    server = own_nginx(http=ZONE + "media_threads 2 queue=200;", start=False,
                       server="location /img/ { media_root @pics@; media_cache z; }",
                       main="env LD_PRELOAD;\nenv ASAN_OPTIONS;\nenv UBSAN_OPTIONS;\n",  # for a sanitizer's sake
                       files={"a.jpg": PICTURE, "photo.jpg": pictures.photograph("LadyBird")})
    pid_file = server.prefix / "nginx.pid"

    def master(other_than=""):
        return Adopted(int(wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() not in ("", other_than)
                                      and pid_file.read_text(), 10, "a master")))
    server.config_file.write_text(server.config.replace("daemon off;", "daemon on;"))
    subprocess.run(server._command(), check=True, env=environment())
    server.process = old = master()
    wait_until(lambda: server.active_connections() is not None, 10, "an answer")
    assert server.get("/img/a.jpg?w=60").header("X-Cache") == "MISS"
    old.send_signal(signal.SIGUSR2)
    server.process = master(str(old.pid))
    asked = [lambda i=i: (time.sleep(i / 100), server.get(f"/img/photo.jpg?w={400 + i}"))[1] for i in range(30)]
    answers = client.at_once([*asked, lambda: (time.sleep(0.1), old.send_signal(signal.SIGQUIT))])[:-1]
    assert [a.status for a in answers] == [200] * 30
    old.wait()
    assert server.get("/img/a.jpg?w=60").header("X-Cache") == "HIT"
