"""Watermarks: where they lie, how they look, what they leave alone."""

import numpy
import pytest
from PIL import Image

import pictures
from pictures import BLUE, GREEN, RED

POSITIONS = ["center", "n", "ne", "e", "se", "s", "sw", "w", "nw"]


@pytest.fixture(scope="module")
def nginx(make_nginx):
    logo = pictures.solid(200, 100, (255, 0, 255))
    shaped = Image.new("RGBA", (200, 100), (255, 0, 255, 0))
    shaped.paste((255, 0, 255, 255), (100, 0, 200, 100))
    declared = "".join(f"media_watermark {p} @pics@/logo.png position={p};\n" for p in POSITIONS)
    return make_nginx(
        files={"logo.png": pictures.encode(logo, "PNG"), "shaped.png": pictures.encode(shaped, "PNG"),
               "tall.png": pictures.encode(pictures.solid(50, 400, (255, 0, 255)), "PNG"),
               "green.png": pictures.encode(pictures.solid(200, 100, (0, 255, 0)), "PNG"),
               "logo.webp": pictures.encode(logo, "WEBP", lossless=True),
               "logo.jpg": pictures.encode(logo, "JPEG", quality=100, subsampling=0),
               "photo.png": pictures.encode(pictures.gradient(400, 300), "PNG"),
               "gray.png": pictures.encode(pictures.gradient(400, 300).convert("L"), "PNG"),
               "gray.jpg": pictures.encode(pictures.gradient(400, 300).convert("L"), "JPEG", quality=95),
               "palette.png": pictures.palette_png(400, 300),
               "clear.png": pictures.encode(Image.new("RGBA", (400, 300), (0, 0, 0, 0)), "PNG"),
               "clearLA.png": pictures.encode(Image.new("LA", (400, 300), (0, 0)), "PNG"),
               "16.png": pictures.png_16_bit(pictures.gradient(400, 300)),
               "cmyk.jpg": pictures.cmyk_jpeg(),
               "anim.gif": pictures.animation("GIF", size=(200, 150)),
               "anim.webp": pictures.animation("WEBP", size=(200, 150)),
               "wide.png": pictures.encode(pictures.gradient(400, 20), "PNG"),
               "o6.jpg": pictures.oriented(6, pictures.quadrants(400, 300))},
        http="media_cache_path @cache@ keys_zone=z:1m;\n" + declared + """
            media_watermark plain @pics@/logo.png;
            media_watermark big @pics@/logo.png size=50%;
            media_watermark whole @pics@/logo.png size=100% margin=0% position=center;
            media_watermark faint @pics@/logo.png opacity=0.5;
            media_watermark hardly @pics@/logo.png opacity=0.1;
            media_watermark apart @pics@/logo.png margin=10% position=nw;
            media_watermark flush @pics@/logo.png margin=0% position=nw;
            media_watermark tiled @pics@/logo.png size=10% tile;
            media_watermark shaped @pics@/shaped.png;
            media_watermark tall @pics@/tall.png position=w size=50%;
            media_watermark green @pics@/green.png size=10%;
            media_watermark webp @pics@/logo.webp;
            media_watermark jpeg @pics@/logo.jpg;
        """,
        server="location /img/ { media_root @pics@; media_cache z; }")


def both(nginx, original, query, watermark):
    """The rendition without and with the watermark, as RGBA arrays."""
    found = []
    for extra in "", f"&wm={watermark}":
        answer = nginx.get(f"/img/{original}?{query}{extra}")
        assert answer.status == 200, answer.body
        found.append(numpy.asarray(pictures.decode(answer.body).convert("RGBA")).astype(int))
    return found


def expected_box(size, overlay, position, margin):
    """Where an overlay lies."""
    (width, height), (w, h) = size, overlay
    column = "w" if position in ("nw", "w", "sw") else "e" if position in ("ne", "e", "se") else ""
    row = "n" if position in ("nw", "n", "ne") else "s" if position in ("sw", "s", "se") else ""
    x = {"w": margin, "e": width - margin - w, "": (width - w) / 2}[column]
    y = {"n": margin, "s": height - margin - h, "": (height - h) / 2}[row]
    return x, y, x + w, y + h


def near(box, wanted, slack=1):
    return box is not None and all(abs(a - b) <= slack for a, b in zip(box, wanted))


@pytest.mark.parametrize("position", POSITIONS)
def test_position(nginx, position):
    plain, marked = both(nginx, "photo.png", "w=200&fm=png", position)
    wanted = expected_box((200, 150), (40, 20), position, 3)
    assert near(pictures.changed_box(plain, marked), wanted)


@pytest.mark.parametrize("position", POSITIONS)
def test_pixels_outside_are_untouched(nginx, position):
    plain, marked = both(nginx, "photo.png", "w=200&fm=png", position)
    left, top, right, bottom = pictures.changed_box(plain, marked, 0)
    assert (right - left) * (bottom - top) <= 42 * 22
    marked[top:bottom, left:right] = plain[top:bottom, left:right]
    assert (marked == plain).all()


@pytest.mark.parametrize("name, size, box", [
    ("plain", (200, 150), (157, 127, 197, 147)),   # se, 20 %, 2 % of 150
    ("plain", (100, 75), (78.5, 63.5, 98.5, 73.5)),
    ("big", (200, 150), (97, 97, 197, 147)),
    ("whole", (200, 150), (0, 25, 200, 125)),
    ("apart", (200, 150), (15, 15, 55, 35)),
    ("flush", (200, 150), (0, 0, 40, 20)),
])
def test_size_and_margin(nginx, name, size, box):
    plain, marked = both(nginx, "photo.png", f"w={size[0]}&fm=png", name)
    assert near(pictures.changed_box(plain, marked), box, 1.5)


def test_never_higher_than_the_rendition(nginx):
    plain, marked = both(nginx, "wide.png", "w=400&fm=png", "tall")
    left, top, right, bottom = pictures.changed_box(plain, marked)
    assert bottom - top <= 20 and right - left <= 4


def test_opaque_is_the_watermark(nginx):
    _, marked = both(nginx, "photo.png", "w=200&fm=png", "plain")
    assert pictures.close(marked[137, 177], (255, 0, 255, 255), 3)


@pytest.mark.parametrize("name, share", [("plain", 1), ("faint", 0.5), ("hardly", 0.1)])
def test_opacity(nginx, name, share):
    plain, marked = both(nginx, "photo.png", "w=200&fm=png", name)
    for x, y in ((162, 130), (177, 137), (192, 144)):
        wanted = plain[y, x, :3] * (1 - share) + numpy.array((255, 0, 255)) * share
        assert pictures.close(marked[y, x], wanted, 4)


def test_transparent_part_of_a_watermark(nginx):
    plain, marked = both(nginx, "photo.png", "w=200&fm=png", "shaped")
    left, _, right, _ = pictures.changed_box(plain, marked)
    assert abs(left - 177) <= 3 and abs(right - 197) <= 1


def test_tile(nginx):
    """Everywhere: each ninth of the rendition has some of it, and some of the original."""
    plain, marked = both(nginx, "photo.png", "w=300&fm=png", "tiled")
    changed = numpy.abs(plain - marked).max(axis=2) > 8
    height, width = changed.shape
    for row in range(3):
        for column in range(3):
            part = changed[row * height // 3:(row + 1) * height // 3, column * width // 3:(column + 1) * width // 3]
            assert 0.2 < part.mean(), (row, column)


def test_several_lie_in_their_order(nginx):
    """The last one on top."""
    for names, color in (("plain,green", (0, 255, 0)), ("green,plain", (255, 0, 255))):
        _, marked = both(nginx, "photo.png", "w=200&fm=png", names)
        assert pictures.close(marked[142, 190], (*color, 255), 3)


@pytest.mark.parametrize("name", ["webp", "jpeg"])
def test_watermark_files_of_other_formats(nginx, name):
    _, marked = both(nginx, "photo.png", "w=200&fm=png", name)
    assert pictures.close(marked[137, 177], (255, 0, 255, 255), 6)


@pytest.mark.parametrize("original", ["gray.png", "gray.jpg", "palette.png", "clear.png", "clearLA.png", "16.png"])
@pytest.mark.parametrize("output", ["png", "webp", "jpeg", "avif", "gif"])
def test_on_every_kind_of_original(nginx, original, output):
    """The watermark keeps its colour and is opaque, whatever lies under it."""
    plain, marked = both(nginx, original, f"w=200&fm={output}&q=95", "big")
    patch = marked[110:135, 115:180].reshape(-1, 4)
    assert pictures.close(patch.mean(axis=0), (255, 0, 255, 255), 30), patch.mean(axis=0)
    apart = numpy.abs(plain[:80] - marked[:80])
    assert apart.max() == 0 if output == "png" else apart.mean() < 12


def test_transparency_around_it_stays(nginx):
    _, marked = both(nginx, "clear.png", "w=200&fm=png", "plain")
    assert marked[..., 3].sum() / 255 == pytest.approx(40 * 20, abs=130)
    assert marked[10, 10, 3] == 0


def test_on_cmyk(nginx):
    plain, marked = both(nginx, "cmyk.jpg", "w=400&fm=png", "plain")
    assert near(pictures.changed_box(plain, marked), (318, 58, 398, 98))


def test_on_an_upright_picture(nginx):
    """The corner is that of the picture as one sees it, not as it is stored."""
    plain, marked = both(nginx, "o6.jpg", "w=200&fm=png", "plain")
    assert near(pictures.changed_box(plain, marked, 30), (157, 127, 197, 147), 2)


@pytest.mark.parametrize("original", ["anim.gif", "anim.webp"])
@pytest.mark.parametrize("output", ["gif", "webp"])
def test_every_frame_is_marked(nginx, original, output):
    seen, durations = pictures.pages(nginx.get(f"/img/{original}?w=100&fm={output}&wm=big").body)
    assert len(seen) == 4
    assert durations == [100, 150, 200, 250]
    for page, color in zip(seen, (RED, GREEN, BLUE)):
        assert pictures.close(pictures.color_at(page, 0.75, 0.8), (255, 0, 255), 40)
        assert pictures.close(pictures.color_at(page, 0.4, 0.03), color, 30)


def test_on_enlarged_and_padded_renditions(nginx):
    """It is laid on last: over pads, at the size of the canvas."""
    plain, marked = both(nginx, "photo.png", "w=200&h=300&fit=contain&bg=000&fm=png", "plain")
    assert plain.shape[:2] == (300, 200)
    assert near(pictures.changed_box(plain, marked), (156, 276, 196, 296))


def test_without_any_other_parameter(nginx):
    plain = numpy.asarray(pictures.gradient(400, 300).convert("RGBA"))
    answer = nginx.get("/img/photo.png?wm=plain")
    marked = numpy.asarray(pictures.decode(answer.body).convert("RGBA"))
    assert near(pictures.changed_box(plain, marked), (314, 254, 394, 294))


def test_on_a_tiny_rendition(nginx):
    assert nginx.get("/img/photo.png?w=1&h=1&fit=cover&wm=plain").status == 200
    assert nginx.get("/img/photo.png?w=3&wm=tiled").status == 200


def test_a_changed_watermark_is_another_rendition(own_nginx):
    """A new file behind the same name: after a reload no old rendition is served."""
    def logo(color):
        return pictures.encode(pictures.solid(20, 10, color), "PNG")
    server = own_nginx(http="media_cache_path @cache@ keys_zone=z:1m;\nmedia_watermark a @pics@/logo.png size=50%;\n"
                            "add_header X-Cache $media_cache_status;",
                       server="location /img/ { media_root @pics@; media_cache z; }",
                       files={"logo.png": logo((255, 0, 0)),
                              "photo.png": pictures.encode(pictures.gradient(100, 80), "PNG")})
    assert server.get("/img/photo.png?wm=a").header("X-Cache") == "MISS"
    server.add("logo.png", logo((0, 255, 0)))
    server.reload()
    answer = server.get("/img/photo.png?wm=a")
    assert answer.header("X-Cache") == "MISS"
    assert pictures.close(pictures.color_at(pictures.decode(answer.body), 0.75, 0.85), (0, 255, 0), 10)
    server.reload()
    assert server.get("/img/photo.png?wm=a").header("X-Cache") == "HIT"
