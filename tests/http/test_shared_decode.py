"""Renditions of one original that wait together, and how many decodes they take: how many exactly is for threads to decide
that look at the queue at the same time, and for the one that begins cheap work while the others are busy."""

import threading
import time

import pytest

import client
import origin as o
import pictures
import uploads
from nginx_server import SLOW, wait_until
from uploads import item, make, unique

WIDTHS = (40, 80, 120, 200, 320, 480, 640, 800)
SRCSET = [(width, form) for width in WIDTHS for form in ("jpeg", "webp")]
PHOTOGRAPH = pictures.photograph("LadyBird").read_bytes()
OTHER = pictures.photograph("Wood").read_bytes()
FILES = {"photo.jpg": PHOTOGRAPH, "other.jpg": OTHER, "long.jpg": pictures.photograph("Large")}
HTTP = """
media_threads 1 queue=64;
media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
add_header X-Cache $media_cache_status always;
add_header X-Path $media_path always;
add_header X-Shared $media_shared always;
"""
SERVER = """
location /img/ { media_root @pics@; }
location /kept/ { media_root @pics@; media_cache z; }
location /pass/ { media_pass /files/; }
location /files/ { internal; alias @pics@/; }
"""


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(workers=1, http=HTTP, server=SERVER, files=FILES)


def together(server, targets, wait=None):
    """The answers to what is asked while the only thread is busy with something else."""
    busy = threading.Thread(target=server.get, args=("/img/long.jpg?w=900&trim=5",))
    before = server.requests_begun()
    busy.start()
    server.wait_for_requests(before, 1)
    time.sleep(0.05 * SLOW)
    answers = client.at_once([lambda target=target: server.get(target) for target in targets])
    busy.join()
    return answers


def decodes(answers):
    """How many decodes those answers took."""
    return sum(1 / int(answer.header("X-Shared")) for answer in answers)


def expect_same(server, answer, target, form=None):
    """The answer is what the target alone gives."""
    alone = server.get(target)
    assert alone.header("X-Shared") == "1", target
    assert answer.status == alone.status == 200 and answer.type == alone.type
    one, other = pictures.decode(answer.body), pictures.decode(alone.body)
    assert one.size == other.size, target
    assert pictures.ssim(one, other) > 0.95, target


def target(place, width, form):
    return f"{place}?w={width}&fm={form}"


@pytest.mark.parametrize("place", ["/img/photo.jpg", "/kept/photo.jpg", "/pass/photo.jpg"])
def test_a_srcset_is_decoded_once(nginx, place):
    targets = [target(place, *one) for one in SRCSET]
    answers = together(nginx, targets)
    assert {a.status for a in answers} == {200}
    assert decodes(answers) < 10
    assert max(int(a.header("X-Shared")) for a in answers) > 2
    for answer, (width, form) in zip(answers, SRCSET):
        assert answer.header("X-Path") == "direct"
        assert answer.type == f"image/{form}"
        assert pictures.decode(answer.body).size == (width, width * 1600 // 2560)
        expect_same(nginx, answer, target("/img/photo.jpg", width, form))
    if place.startswith("/kept/"):
        for answer, one in zip(answers, targets):
            again = nginx.get(one)
            assert again.header("X-Cache") == "HIT" and again.body == answer.body
            assert again.header("X-Shared") is None


def test_without_anything_before_it(nginx):
    """Nobody waits for others; those who come while the first one reads are with it."""
    answers = client.at_once([lambda one=one: nginx.get(target("/img/photo.jpg", *one)) for one in SRCSET])
    assert {a.status for a in answers} == {200}
    assert decodes(answers) < len(answers)


def test_originals_are_not_mixed_up(nginx):
    targets = [f"/{place}/{name}.jpg?w={width}" for width in WIDTHS[:4] for name in ("photo", "other")
               for place in ("img", "pass")]
    answers = together(nginx, targets)
    assert decodes(answers) < len(targets)
    for answer, one in zip(answers, targets):
        expect_same(nginx, answer, one)


def test_each_gets_what_it_would_have_got_alone(nginx):
    wanted = {"w=100": 200, "w=100&page=3": 400, "w=3000&enlarge=1": 200, "w=90&trim=10": 200, "w=9999&h=9&fit=contain": 400,
              "crop=5000,0,10,10": 422, "w=80&fm=png&round=max": 200, "w=300&max_bytes=100": 422, "fm=json": 200,
              "w=200&rot=90&fm=webp": 200, "w=333&h=111&fit=cover&g=entropy": 200, "w=64&fm=avif": 200}
    answers = dict(zip(wanted, together(nginx, [f"/img/photo.jpg?{query}" for query in wanted])))
    assert {query: a.status for query, a in answers.items()} == wanted
    for query in ("w=3000&enlarge=1", "w=90&trim=10"):
        assert answers[query].header("X-Path") == "libvips" and answers[query].header("X-Shared") == "1"
    for query in ("w=100", "w=80&fm=png&round=max", "w=200&rot=90&fm=webp", "w=333&h=111&fit=cover&g=entropy"):
        expect_same(nginx, answers[query], f"/img/photo.jpg?{query}")
    assert max(int(a.header("X-Shared") or 1) for a in answers.values()) > 1


def test_one_who_leaves(nginx):
    leaving = threading.Timer(0.02, lambda: [client.abandon(nginx.port, f"/img/photo.jpg?w={w}", 0.1) for w in (333, 444)])
    leaving.start()
    answers = together(nginx, [target("/img/photo.jpg", *one) for one in SRCSET])
    leaving.join()
    assert {a.status for a in answers} == {200}
    assert decodes(answers) < 10


def test_one_whose_time_is_over(own_nginx):
    server = own_nginx(workers=1, http=HTTP, files=FILES,
                       server=SERVER + "location /soon/ { media_root @pics@; media_timeout 1ms; }")
    targets = [f"/{place}/photo.jpg?w={w}" for w in WIDTHS for place in ("img", "soon")]
    answers = together(server, targets)
    for one, answer in zip(targets, answers):
        assert answer.status == (504 if one.startswith("/soon/") else 200), one


def test_a_damaged_original(nginx):
    nginx.add("cut.jpg", PHOTOGRAPH[:len(PHOTOGRAPH) // 2])
    nginx.add("png.jpg", pictures.encode(pictures.gradient(300, 200), "PNG"))
    for name, status in ("cut.jpg", 422), ("png.jpg", 200):
        answers = together(nginx, [f"/img/{name}?w={w}" for w in WIDTHS])
        assert {a.status for a in answers} == {status}
        assert all((a.header("X-Shared") or "1") == "1" for a in answers)


def test_an_original_that_changes_meanwhile(own_nginx):
    """Whatever an answer was made of, it was one original."""
    server = own_nginx(http=HTTP.replace("threads 1", "threads 2"), server=SERVER)
    contents = [pictures.encode(pictures.solid(1600, 1200, color), "JPEG") for color in (pictures.RED, pictures.BLUE)]
    server.add("it.jpg", contents[0])
    over = threading.Event()

    def change():
        number = 0
        while not over.is_set():
            number += 1
            (server.pics / "next").write_bytes(contents[number % 2])
            (server.pics / "next").chmod(0o644)
            (server.pics / "next").rename(server.pics / "it.jpg")
            time.sleep(0.001)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for place in ("img", "kept", "pass"):
            answers = client.at_once([lambda w=w: server.get(f"/{place}/it.jpg?w={w}&v={w % 7}") for w in range(20, 60)])
            for answer in answers:
                assert answer.status in (200, 503)  # it may change again and again
                if answer.status == 200:
                    shown = pictures.pixels(answer.body)[:, :, :3].reshape(-1, 3)
                    assert any(abs(shown.astype(int) - color).max() < 12 for color in (pictures.RED, pictures.BLUE))
            assert any(a.status == 200 for a in answers)
    finally:
        over.set()
        changing.join()


def test_an_origin_that_answers_each_with_something_else(own_nginx, origin):
    """Fetched originals of one URL share a decode where their bytes are the same, and only there."""
    colors = (pictures.RED, pictures.GREEN)
    bodies = [pictures.encode(pictures.solid(3200, 2400, color), "JPEG") for color in colors]
    longest = max(map(len, bodies))
    sent = [0, 0]

    def behave(server, handler, number):
        which = number % 3 == 0
        sent[which] += 1
        o.static(bodies[which].ljust(longest, b"\0"))(server, handler, number)

    origin.at("/fickle.jpg", behave)
    server = own_nginx(workers=1, http=HTTP, files=FILES, origin=origin.port,
                       server=SERVER + "location /from/ { media_pass /there/; }\n"
                                       "location /there/ { internal; proxy_pass http://127.0.0.1:@origin@/; }")
    answers = together(server, [f"/from/fickle.jpg?w={w}" for w in range(30, 46)])
    assert {a.status for a in answers} == {200}
    shown = [pictures.color_at(pictures.decode(a.body), 0.5, 0.5) for a in answers]
    assert [sum(pictures.close(s, color) for s in shown) for color in colors] == sent
    assert sum(sent) == 16 and min(sent) > 0
    assert decodes(answers) < 16


def test_two_originals_on_two_threads(own_nginx):
    server = own_nginx(workers=1, http=HTTP.replace("threads 1", "threads 2"), server=SERVER, files=FILES)
    targets = [f"/img/{name}.jpg?w={w}" for w in WIDTHS for name in ("photo", "other")]
    for _ in range(5):
        answers = client.at_once([lambda one=one: server.get(one) for one in targets])
        assert {a.status for a in answers} == {200}
        for answer, one in zip(answers, targets):
            width, height = (2560, 1600) if "photo" in one else (2560, 1920)
            size = pictures.decode(answer.body).size
            assert size == (size[0], round(size[0] * height / width + 1e-9)), one


@pytest.mark.parametrize("action", ["reload", "stop", "kill"])
def test_when_workers_end_meanwhile(own_nginx, action):
    server = own_nginx(http=HTTP.replace("threads 1", "threads 2"), server=SERVER, files=FILES)
    for delay in (0, 0.01, 0.03, 0.1):
        answers = []
        before = server.requests_begun()

        def ask():
            targets = [f"/{place}/photo.jpg?w={w}&v={delay}" for w in WIDTHS for place in ("img", "kept")]
            try:
                answers.extend(client.at_once([lambda one=one: server.get(one) for one in targets]))
            except OSError:
                assert action == "kill"

        asking = threading.Thread(target=ask)
        asking.start()
        server.wait_for_requests(before, 16)
        time.sleep(delay)
        if action == "reload":
            server.reload(wait=False)
        elif action == "stop":
            server.stop()  # gracefully: what was begun is answered
        else:
            server.stop(gracefully=False)
        asking.join()
        if action != "kill":
            assert [a.status for a in answers] == [200] * 16
        if action != "reload":
            server.start()


THUMBNAILS = """
location /upload { media_upload @prefix@/store; media_upload_url /img/; media_upload_thumbnails a b c d; }
location /img/ { media_root @prefix@/store; media_cache z; log_subrequest on; access_log @prefix@/made.log made; }
"""
PRESETS = """
media_preset a "w=40"; media_preset b "w=120&h=40&fit=cover&fm=webp"; media_preset c "w=200&fm=webp"; media_preset d "w=500";
log_format made "$media_shared $media_path $uri $args";
"""


def test_thumbnails_share_a_decode(own_nginx):
    server = make(own_nginx, THUMBNAILS, uploads.HTTP + PRESETS)
    log = server.prefix / "made.log"

    def made():
        return [line.split() for line in log.read_text().splitlines() if line[0] != "-"] if log.exists() else []

    for count in range(1, 4):
        told = item(server.send("/upload", PHOTOGRAPH + unique()[-4:]))
        wait_until(lambda: len(made()) == 4 * count, 20 * SLOW, "four renditions")
        lines = made()[-4:]
        assert [(line[1], line[2]) for line in lines] == [("direct", told["url"])] * 4
        assert sum(1 / int(line[0]) for line in lines) < 4
        assert sorted(line[3] for line in lines) == ["p=a", "p=b", "p=c", "p=d"]
        for preset, size in ("a", (40, 25)), ("b", (120, 40)), ("c", (200, 125)), ("d", (500, 313)):
            assert pictures.decode(server.get(f"{told['url']}?p={preset}").body).size == size


def test_many_thumbnails_and_little_room(own_nginx):
    """They wait for room and are made in several decodes."""
    names = [f"t{number}" for number in range(20)]
    presets = "".join(f'media_preset {name} "w={20 + 5 * number}";' for number, name in enumerate(names))
    server = make(own_nginx, THUMBNAILS.replace("a b c d", " ".join(names)),
                  uploads.HTTP + PRESETS + presets + "media_threads 1 queue=3;")
    for _ in range(2):
        item(server.send("/upload", PHOTOGRAPH + unique()[-4:]))
    wait_until(lambda: len(server.cache_files()) == 40, 60 * SLOW, "40 renditions")
