"""SVG and PDF: sharp at any size, nothing from outside, and an end to everything."""

import concurrent.futures
import contextlib
from pathlib import Path

import numpy
import pytest
from PIL import Image

import client
import documents
import pictures
from listening import Listening
from nginx_server import ASAN, SLOW, Process, wait_until

DEADLINE = 4  # seconds, of /documents/


class Listener(Listening):
    """A port of this machine that nobody should ask anything."""

    def __init__(self):
        self.asked = []
        super().__init__(lambda peer: self.asked.append(peer.recv(200)))


@pytest.fixture(scope="module")
def listener():
    one = Listener()
    yield one
    one.close()


@pytest.fixture(scope="module")
def nginx(make_nginx):
    server = make_nginx(http="media_threads 4 queue=200;", server=f"""
        location /documents/ {{ media_root @pics@; media_input svg pdf jpeg; media_timeout {DEADLINE * SLOW}s; }}
        location /pictures/ {{ media_root @pics@; }}
        location /small/ {{ media_root @pics@; media_input svg pdf; media_max_source_pixels 10k; }}
        """, files={"red.png": pictures.encode(pictures.solid(100, 100, (255, 0, 0)), "PNG"),
                    "good.jpg": pictures.encode(pictures.gradient(), "JPEG"),
                    "lines.svg": documents.thin_lines(), "page.pdf": documents.pdf()})
    assert server.get("/documents/lines.svg?w=50").status == 200
    return server


def drawers(nginx):
    """Processes that fork those that draw, and those that draw."""
    drawing = [(pid, parent) for pid, parent, name in all_processes() if name == "media-draw"]
    workers = {worker.pid for worker in nginx.workers()}
    forkers = {pid for pid, parent in drawing if parent in workers}
    return sorted(forkers), [pid for pid, parent in drawing if parent in forkers]


def all_processes():
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                text = (entry / "stat").read_text()
                name, rest = text[text.index("(") + 1:].rsplit(")", 1)
                if rest.split()[0] != "Z":
                    yield int(entry.name), int(rest.split()[1]), name


@pytest.fixture(autouse=True)
def alive(nginx, listener):
    """Whatever was asked: nobody was told, and the same workers and drawing processes are there."""
    before = sorted(p.pid for p in nginx.workers()), drawers(nginx)[0]
    yield
    assert nginx.get("/documents/good.jpg?w=30").status == 200
    assert (sorted(p.pid for p in nginx.workers()), drawers(nginx)[0]) == before
    assert listener.asked == []


def over_white(body):
    picture = pictures.decode(body).convert("RGBA")
    ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    ground.alpha_composite(picture)
    return numpy.asarray(ground.convert("RGB")).astype(int)


def each(nginx, found, suffix):
    """What comes of every document of a table, at 100 pixels."""
    names = list(found)
    for number, name in enumerate(names):
        nginx.add(f"{suffix}-{number}.{suffix}", found[name])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: nginx.get(f"/documents/{suffix}-{i}.{suffix}?w=100&fm=png"), range(len(names))))
    return dict(zip(names, answers))


# Sharp


@pytest.mark.parametrize("query, width", [("w=1600", 1600), ("w=400", 400), ("w=800&dpr=2", 1600), ("w=100", 100), ("h=1600", 1600),
                                          ("w=1600&h=1600&fit=cover", 1600)])
def test_svg_is_drawn_at_the_size_asked(nginx, query, width):
    """Lines of one unit of 400: their edges fall where they belong, at any size. A picture of 400 pixels that is
    enlarged would be gray for a pixel or more beside each edge."""
    seen = numpy.asarray(pictures.decode(nginx.get(f"/documents/lines.svg?{query}&fm=png").body).convert("L")).astype(int)
    assert seen.shape == (width, width)
    factor = width / 400
    wanted = 255 * (1 - coverage(width, factor))
    assert numpy.abs(seen - wanted).max() <= 2 if factor >= 1 else numpy.abs(seen - wanted).mean() < 3


def coverage(width, factor):
    """How much of each pixel the lines cover, exactly."""
    def one(position):
        left, right = position * factor, (position + 1) * factor
        x = numpy.arange(width)
        return numpy.clip(numpy.minimum(x + 1, right) - numpy.maximum(x, left), 0, 1)
    covered = numpy.clip(sum(one(position) for position in range(20, 400, 40)), 0, 1)
    return 1 - (1 - covered)[:, None] * (1 - covered)[None, :]


def test_svg_crop_is_sharp(nginx):
    body = nginx.get("/documents/lines.svg?crop=10,10,40,40&w=800&fm=png").body
    seen = numpy.asarray(pictures.decode(body).convert("L")).astype(int)
    assert seen.shape == (800, 800)
    assert seen[:, 190:].max() == 255 and seen[400, 202:218].max() <= 2 and seen[400, 222:600].min() >= 253


def test_pdf_is_drawn_at_the_size_asked(nginx):
    """The lower left quarter is red: to the pixel."""
    seen = over_white(nginx.get("/documents/page.pdf?w=1600&fm=png").body)
    red = (numpy.abs(seen - (255, 0, 0)).max(axis=2) < 3)
    assert seen.shape == (1600, 1600, 3)
    assert red[801:, :799].all() and not red[:799].any() and not red[:, 801:].any()


@pytest.mark.parametrize("name", ["lines.svg", "page.pdf"])
def test_only_where_it_is_named(nginx, name):
    answer = nginx.get(f"/pictures/{name}?w=10")
    assert (answer.status, answer.type) == (415, "application/problem+json")


def test_a_vector_is_drawn_at_no_more_than_the_limit(nginx):
    assert pictures.decode(nginx.get("/small/lines.svg?w=400&fm=png").body).size == (400, 400)


def test_pages_of_a_pdf(nginx):
    nginx.add("three.pdf", documents.pdf(pages=3))
    for page, status in (0, 200), (2, 200), (3, 400):
        assert nginx.get(f"/documents/three.pdf?w=50&page={page}").status == status
    body = nginx.get("/documents/three.pdf?w=50&n=3&fm=tiff").body
    assert len(pictures.pages(body)[0]) == 3


# Nothing from outside


def test_svg_reaches_nothing(nginx, listener):
    """A picture without what it asks for, or 422; never the red neighbour, never a connection."""
    for name, answer in each(nginx, documents.reaching(listener.port), "svg").items():
        assert answer.status == (422 if "entity" in name else 200), (name, answer.body)
        assert answer.status == 422 or over_white(answer.body).min() > 250, name
    assert listener.asked == []


def test_pdf_reaches_nothing(nginx, listener):
    for name, answer in each(nginx, documents.reaching_pdfs(listener.port), "pdf").items():
        assert answer.status in (200, 422), (name, answer.body)
        assert answer.status == 422 or over_white(answer.body).min() > 250, name
    assert listener.asked == []


# An end to everything


def test_costly_documents(nginx):
    """A picture, 422 or 504; the workers do not grow with it, and nothing goes on afterwards."""
    before = nginx.peak_rss()
    answers = {**each(nginx, documents.costly(), "svg"), **each(nginx, documents.costly_pdfs(), "pdf")}
    for name, answer in answers.items():
        assert answer.status in (200, 422, 504), (name, answer.status, answer.body)
    for name in "billion laughs", "no sides", "100000 groups in one another", "encrypted", "no page", "half of it":
        assert answers[name].status == 422, name
    for name in "a use of itself", "a path of a million steps", "1000 pages", "a box of 1e9 by 1":
        assert answers[name].status in (200, 504), name
    wait_until(lambda: not drawers(nginx)[1], 5 * SLOW, "an end of the drawing")
    if not ASAN:
        assert nginx.peak_rss() - before < 150 << 20


def test_a_client_that_leaves_ends_the_drawing(nginx):
    nginx.add("turbulent.svg", documents.costly()["turbulence"])
    client.abandon(nginx.port, "/documents/turbulent.svg?w=4000", after=0.5)
    wait_until(lambda: not drawers(nginx)[1], 3 * SLOW, "an end of the drawing")


def test_drawing_keeps_no_file_and_no_socket_of_the_server(nginx):
    for pid in drawers(nginx)[0]:
        files = Process(pid).files()
        assert len([f for f in files if f.startswith("socket:")]) == 1, files
        # A sanitizer reports where the server writes its errors.
        assert not [f for f in files if str(nginx.prefix) in f and not (ASAN and f.endswith(".log"))], files


def test_drawing_processes_end_with_their_worker(own_nginx):
    server = own_nginx(server="location / { media_root @pics@; media_input svg; }",
                       files={"lines.svg": documents.thin_lines()})
    old = drawers(server)[0]
    assert len(old) == 2
    server.reload()
    wait_until(lambda: not set(old) & {pid for pid, _, _ in all_processes()}, 5 * SLOW, "an end with the old workers")
    old = drawers(server)[0]
    server.kill_workers()
    wait_until(lambda: not set(old) & {pid for pid, _, _ in all_processes()}, 5 * SLOW, "an end with killed workers")
    assert server.get("/lines.svg?w=20").status == 200
