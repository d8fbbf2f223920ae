"""Animations: long ones, partial frames, transparency, times and loops."""

import io

import numpy
import pytest
from PIL import Image, ImageDraw

import odd
import pictures
from nginx_server import ASAN
from pictures import BLUE, GREEN, RED

FRAMES, SIDE = 250, 320


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(workers=1, http="media_watermark mark @pics@/mark.png size=25% margin=0%;\nmedia_threads 1;", server="""
        location /img/ { media_root @pics@; media_timeout 60s; }
        location /lenient/ { media_root @pics@; media_fail_on none; }
        location /few/ { media_root @pics@; media_max_frames 10; media_timeout 60s; }
        """, files={"mark.png": pictures.encode(pictures.solid(40, 20, (255, 0, 255)), "PNG"), "long.gif": long_gif(),
                    "good.jpg": pictures.encode(pictures.gradient(100, 80), "JPEG")})


def long_gif():
    """250 frames of 320x240, a bar that wanders; each has a time of its own."""
    palette = [*RED, *BLUE, *GREEN, 255, 255, 255]
    frames = []
    for i in range(FRAMES):
        frame = Image.new("P", (SIDE, SIDE * 3 // 4), i % 3)
        frame.putpalette(palette)
        ImageDraw.Draw(frame).rectangle((i, 0, i + 20, 60), fill=3)
        frames.append(frame)
    return pictures.encode(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=4, optimize=False,
                           duration=[20 + 10 * (i % 7) for i in range(FRAMES)])


def frames_of(body):
    """Frames, times in ms, and the loop as it stands in the file."""
    seen, times = pictures.pages(body)
    return seen, times, Image.open(io.BytesIO(body)).info.get("loop")


@pytest.mark.parametrize("form", ["webp", "gif"])
def test_250_frames(nginx, form):
    """Every one marked, at its time. Memory: the finished roll (w x h x 4 bytes x frames) and what the encoder makes of it."""
    assert nginx.get("/img/good.jpg?w=50&wm=mark").status == 200
    nginx.get("/img/long.gif?w=20&n=2")
    worker = nginx.workers()[0]
    before = worker.peak_rss
    answer = nginx.get(f"/img/long.gif?w=200&fm={form}&wm=mark")
    assert answer.status == 200, answer.body
    grown = worker.peak_rss - before
    print(f"{form}: {grown >> 20} MB for a GIF of {(nginx.pics / 'long.gif').stat().st_size >> 10} KB")
    seen, times, loop = frames_of(answer.body)
    assert len(seen) == FRAMES and seen[0].size == (200, 150)
    assert times == [20 + 10 * (i % 7) for i in range(FRAMES)]
    assert loop == (5 if form == "webp" else 4)  # WebP counts showings, GIF those after the first
    for i in (0, 1, 2, 99, 248, 249):
        assert pictures.close(pictures.color_at(seen[i], 0.9, 0.95), (255, 0, 255), 40), i
        assert pictures.close(pictures.color_at(seen[i], 0.1, 0.7), (RED, BLUE, GREEN)[i % 3], 30), i
    if not ASAN:
        assert grown < 5 * 200 * 150 * 4 * FRAMES


@pytest.mark.parametrize("place, query, count, first", [
    ("few", "w=40", 10, 0), ("few", "w=40&n=-1", 10, 0), ("few", "w=40&n=50", 10, 0), ("few", "w=40&page=5", 10, 5), ("few", "w=40&n=3", 3, 0),
    ("img", "w=40&page=249", 1, 249), ("img", "w=40&page=240&n=100", 10, 240), ("img", "w=40&page=1&n=2", 2, 1), ("img", "w=40&n=1", 1, 0)])
@pytest.mark.parametrize("form", ["gif", "webp"])
def test_some_of_them(nginx, place, query, count, first, form):
    seen, times, _ = frames_of(nginx.get(f"/{place}/long.gif?{query}&fm={form}").body)
    assert len(seen) == count
    assert pictures.close(pictures.color_at(seen[0], 0.1, 0.7), (RED, BLUE, GREEN)[first % 3], 30)
    if count > 1:
        assert times == [20 + 10 * (i % 7) for i in range(first, first + count)]


@pytest.mark.parametrize("query", ["page=250", "page=1000"])
def test_beyond_the_last(nginx, query):
    answer = nginx.get(f"/img/long.gif?{query}")
    assert (answer.status, answer.json()["param"]) == (400, "page")


# Partial frames: a screen of 120x80, boxes painted one after another. Index 0 is red, 1 blue, 2 green; None is clear.
WHOLE = (0, 0, 120, 80)
PARTIAL = {
    "frames stay": ([(WHOLE, 0, 5, 1), ((60, 0, 60, 80), 1, 5, 1), ((0, 40, 60, 40), 2, 5, 1)],
                    [(RED, RED, RED), (RED, BLUE, RED), (RED, BLUE, GREEN)]),
    "frames are cleared": ([(WHOLE, 0, 5, 1), ((60, 0, 60, 80), 1, 5, 2), ((0, 40, 60, 40), 2, 5, 1)],
                           [(RED, RED, RED), (RED, BLUE, RED), (RED, None, GREEN)]),
    "frames give way to what was before": ([(WHOLE, 0, 5, 1), ((60, 0, 60, 80), 1, 5, 3), ((0, 40, 60, 40), 2, 5, 1)],
                                           [(RED, RED, RED), (RED, BLUE, RED), (RED, RED, GREEN)]),
    "frames without a word on it": ([(WHOLE, 0, 5, 0), ((60, 0, 60, 80), 1, 5, 0)], [(RED, RED, RED), (RED, BLUE, RED)]),
    "clear frames show what is below": ([(WHOLE, 0, 5, 1), (WHOLE, None, 5, 1)], [(RED, RED, RED), (RED, RED, RED)]),
    "all is cleared": ([(WHOLE, 0, 5, 2), ((60, 0, 60, 80), 1, 5, 2)], [(RED, RED, RED), (None, BLUE, None)]),
    "the first one is small": ([((60, 0, 60, 80), 1, 5, 1), ((0, 40, 60, 40), 2, 5, 1)],
                               [(None, BLUE, None), (None, BLUE, GREEN)]),
}
PLACES = ((0.2, 0.2), (0.75, 0.3), (0.2, 0.8))


def check_frames(body, wanted, tolerance=30):
    seen, _ = pictures.pages(body)
    assert len(seen) == len(wanted)
    for number, (frame, colours) in enumerate(zip(seen, wanted)):
        for (x, y), colour in zip(PLACES, colours):
            pixel = frame.getpixel((int(frame.width * x), int(frame.height * y)))
            if colour is None:
                assert pixel[3] == 0, (number, x, y, pixel)
            else:
                assert pixel[3] == 255 and pictures.close(pixel, colour, tolerance), (number, x, y, pixel)


@pytest.mark.parametrize("form", ["gif", "webp"])
@pytest.mark.parametrize("name", PARTIAL)
def test_partial_frames(nginx, name, form):
    frames, wanted = PARTIAL[name]
    if form == "webp" and wanted[0] == wanted[-1]:
        wanted = wanted[:1]  # libwebp makes one of frames that look alike, and adds their times
    nginx.add("partial.gif", odd.gif(frames, palette=(RED, BLUE, GREEN, (9, 9, 9)), loop=0))
    check_frames(nginx.get(f"/img/partial.gif?w=60&fm={form}").body, wanted)
    body = nginx.get(f"/img/partial.gif?crop=60,0,60,80&fm={form}").body
    last = pictures.pages(body)[0][-1].getpixel((30, 20))
    assert last[3] == (0 if wanted[-1][1] is None else 255)


@pytest.mark.parametrize("form", ["gif", "webp"])
@pytest.mark.parametrize("times", [[0, 0], [0, 50], [10, 0], [655350, 20]])
def test_times(nginx, form, times):
    """Kept in GIF. In WebP, times of at most 10 ms are 100 ms, which is how long every browser shows such frames of a GIF."""
    nginx.add("timed.gif", odd.gif([(WHOLE, i, time // 10, 1) for i, time in enumerate(times)], loop=0))
    body = nginx.get(f"/img/timed.gif?w=30&fm={form}").body
    assert [time or 0 for time in frames_of(body)[1]] == [time if time > 10 or form == "gif" else 100 for time in times]


@pytest.mark.parametrize("loop, as_gif, as_webp", [(None, None, 1), (0, 0, 0), (1, 1, 2), (5, 5, 6), (65535, 65535, 0)])
def test_loops(nginx, loop, as_gif, as_webp):
    """GIF counts repetitions after the first showing, and one without a count is shown once; WebP counts showings, up to
    65535: 65536 are for ever."""
    nginx.add("loop.gif", odd.gif([(WHOLE, 0, 5, 1), (WHOLE, 1, 5, 1)], loop=loop))
    assert frames_of(nginx.get("/img/loop.gif?w=30&fm=gif").body)[2] == as_gif
    assert frames_of(nginx.get("/img/loop.gif?w=30&fm=webp").body)[2] == as_webp


@pytest.mark.parametrize("form", ["gif", "webp"])
@pytest.mark.parametrize("method", [{"minimize_size": True}, {"kmin": 0, "kmax": 0}, {"allow_mixed": True}])
def test_webp_frames_that_blend(nginx, form, method):
    """Pillow writes only what changed, blended over the frame before."""
    frames = []
    for i in range(4):
        frame = pictures.half_transparent(120, 80, RED)
        ImageDraw.Draw(frame).rectangle((70, 10 + 15 * i, 110, 20 + 15 * i), fill=(*BLUE, 255))
        frames.append(frame)
    nginx.add("blend.webp", pictures.encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=80, lossless=True, **method))
    seen, times = pictures.pages(nginx.get(f"/img/blend.webp?fm={form}&lossless=1" if form == "webp" else "/img/blend.webp?fm=gif").body)
    assert len(seen) == 4 and times == [80] * 4
    for i, (frame, wanted) in enumerate(zip(seen, frames)):
        a, b = (numpy.asarray(p).astype(int) for p in (frame, wanted))
        assert (a[..., 3] == b[..., 3]).mean() > 0.999, i
        shown = b[..., 3] > 0
        assert numpy.abs(a[shown][:, :3] - b[shown][:, :3]).mean() < 3, i


def test_every_frame_has_the_effects(nginx):
    frames = [(WHOLE, 0, 5, 1), (WHOLE, 1, 5, 1)]
    nginx.add("two.gif", odd.gif(frames, loop=0))
    for query, corner in ("w=60&round=max&fm=webp", 0), ("w=60&h=60&fit=contain&fm=webp", 0), ("w=60&h=60&fit=contain&bg=000&fm=webp", 255):
        body = nginx.get(f"/img/two.gif?{query}").body
        assert corner or body[20] & 0x10  # VP8X says that there is transparency
        for frame in pictures.pages(body)[0]:
            assert frame.getpixel((0, 0))[3] == corner
    for frame in pictures.pages(nginx.get("/img/two.gif?w=60&gray=1&fm=webp").body)[0]:
        red, green, blue, _ = frame.getpixel((30, 20))
        assert max(red, green, blue) - min(red, green, blue) < 6


@pytest.mark.parametrize("missing, status", [(0, 200), (1, 200), (2, 422), (50, 422), (2000, 422), (5400, 422), (7000, 422), (10900, 422)])
def test_an_animation_that_ends_early(nginx, missing, status):
    """422 wherever it ends, but for the trailer, which many files lack; with media_fail_on none, what there is of it."""
    body = odd.gif([(WHOLE, 0, 5, 1), (WHOLE, 1, 5, 1)], loop=0)
    nginx.add("cut.gif", body[:len(body) - missing])
    assert nginx.get("/img/cut.gif?w=30").status == status
    assert nginx.get("/lenient/cut.gif?w=30").status == (422 if missing > 10000 else 200)
