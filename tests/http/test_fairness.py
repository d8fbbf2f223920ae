"""Cheap work is not stuck behind dear work, and dear work is not starved. By the order of answers, never by time."""

import threading
from collections import Counter

import pytest

import client
import origin as o
import pictures
from nginx_server import wait_until

ZONE = "media_cache_path @cache@ levels=1:2 keys_zone=z:8m;\n"
ONE = "media_threads 1 queue=100;\nmedia_timeout 60s;\n"
LARGE = pictures.photograph("Large")
FILES = {"large.jpg": LARGE, "photo.jpg": pictures.photograph("LadyBird"),
         "small.jpg": pictures.encode(pictures.gradient(300, 200), "JPEG"),
         "small.png": pictures.encode(pictures.gradient(200, 150), "PNG"),
         "text.jpg": b"no picture at all", "huge.png": pictures.png_bytes(20000, 20000, 8, 2, b"")}
DEAR = "/img/large.jpg?w=3000&fm=avif&v={}"
HELD = 4


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    origin.at("/large.jpg", o.static(LARGE.read_bytes()))
    origin.at("/small.jpg", o.static(FILES["small.jpg"]))
    return make_nginx(workers=1, origin=origin.port, http=ZONE + ONE, files=FILES, server="""
        location /img/ { media_root @pics@; }
        location /kept/ { media_root @pics@; media_cache z; }
        location /pass/ { media_pass /origin/; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
        """)


class Race:
    """Requests, and the order in which their answers are complete."""

    def __init__(self, server):
        self.server = server
        self.order = []
        self.answers = {}
        self.threads = []

    def start(self, name, target):
        def run():
            answer = self.server.get(target, timeout=120)
            self.answers[name] = answer
            self.order.append(name)
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def hold(self, targets):
        """Starts them all, and waits until they have come."""
        before = self.server.requests_begun()
        for number, target in enumerate(targets):
            self.start(f"dear {number}", target)
        self.server.wait_for_requests(before, len(targets))

    def finish(self):
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("dear, cheap", [
    (DEAR, "/img/small.jpg?w=100"),
    (DEAR, "/img/small.png?w=100&fm=webp"),
    (DEAR, "/img/small.jpg?fm=json"),
    (DEAR, "/kept/small.jpg?w=90"),
    (DEAR, "/pass/small.jpg?w=100"),
    ("/pass/large.jpg?w=3000&fm=avif&v={}", "/img/small.jpg?w=100"),
])
def test_cheap_overtakes_dear(nginx, dear, cheap):
    """One thread, and many that are dear: the cheap one comes before those that wait."""
    race = Race(nginx)
    race.hold([dear.format(n) for n in range(HELD)])
    race.start("cheap", cheap)
    race.finish()
    assert Counter(a.status for a in race.answers.values()) == {200: HELD + 1}
    assert race.order.index("cheap") <= 2, race.order


@pytest.mark.parametrize("target, status", [("text.jpg?w=10", 415), ("huge.png?w=10", 422),
                                            ("small.jpg?w=9000&enlarge=1", 400)])
def test_refusals_do_not_wait(nginx, target, status):
    race = Race(nginx)
    race.hold([DEAR.format(n) for n in range(HELD)])
    race.start("refused", f"/img/{target}")
    race.finish()
    assert race.answers["refused"].status == status
    assert race.order.index("refused") <= 2, race.order


def test_dear_comes_before_what_is_dearer(nginx):
    """Though it came later: the other's cost is many times its own."""
    race = Race(nginx)
    race.hold([DEAR.format(n) for n in range(HELD)])
    race.start("less", "/img/photo.jpg?w=1500&fm=webp")
    race.finish()
    assert {a.status for a in race.answers.values()} == {200}
    assert race.order.index("less") <= 2, race.order


def test_dear_is_not_starved(nginx):
    """More cheap work than a thread can do, for as long as dear work waits."""
    race = Race(nginx)
    race.hold([DEAR.format(n) for n in range(3)])
    statuses, done = Counter(), threading.Event()

    def stream(number):
        while not done.is_set():
            statuses[nginx.get(f"/img/small.jpg?w={100 + number}", timeout=120).status] += 1

    streams = [threading.Thread(target=stream, args=(n,)) for n in range(6)]
    for thread in streams:
        thread.start()
    race.finish()
    done.set()
    for thread in streams:
        thread.join()
    assert [a.status for a in race.answers.values()] == [200] * 3
    assert set(statuses) == {200} and statuses[200] > 10


def test_all_threads_take_what_is_dear(own_nginx):
    """The one for cheap work is one more, and renders nothing that is dear."""
    server = own_nginx(workers=1, http="media_threads 2 queue=0;\nmedia_timeout 60s;",
                       files={**FILES, **{f"{n}.jpg": LARGE for n in range(5)}},
                       server="location /img/ { media_root @pics@; }")
    answers = client.at_once([lambda n=n: server.get(f"/img/{n}.jpg?w=3000&fm=avif") for n in range(5)])
    count = Counter(a.status for a in answers)
    assert set(count) == {200, 503} and count[200] >= 2
    wait_until(lambda: server.get("/img/small.jpg?w=20").status == 200, what="room again")


def test_clients_that_leave_while_estimated(nginx):
    """Whoever comes and goes takes its work along, whatever is being done with it."""
    race = Race(nginx)
    race.hold([DEAR.format(n) for n in range(2)])
    client.at_once([lambda n=n: client.abandon(nginx.port, f"/img/photo.jpg?w={300 + n}", 0.002 * (n % 9))
                    for n in range(60)])
    race.start("cheap", "/img/small.jpg?w=101")
    race.finish()
    assert {a.status for a in race.answers.values()} == {200}


def test_reload_with_a_queue(own_nginx):
    server = own_nginx(workers=1, http=ONE, files=FILES, server="location /img/ { media_root @pics@; }")
    race = Race(server)
    race.hold([DEAR.format(n) for n in range(4)])
    race.start("cheap", "/img/small.jpg?w=100")
    server.reload(wait=False)
    race.finish()
    assert [a.status for a in race.answers.values()] == [200] * 5
