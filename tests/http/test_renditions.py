"""What is rendered: sizes, formats, colours, and which requests are the same rendition."""

import io

import numpy
import pytest
from PIL import Image

import pictures
from pictures import BLUE, GREEN, RED, YELLOW

CACHED = "media_cache_path @cache@ keys_zone=z:2m;\nadd_header X-Cache $media_cache_status always;\n"


@pytest.fixture(scope="module")
def nginx(make_nginx):
    server = make_nginx(http=CACHED + """
        media_preset thumb "w=90&h=90&fit=cover&q=70";
        media_preset small "w=60";
        media_preset wide "p=small&w=120";
        """, server="""
        location /img/ { media_root @pics@; media_cache z; media_input jpeg png webp gif avif heic tiff jxl; }
        location /presets/ { media_root @pics@; media_cache z; media_presets_only on; }
        """)
    for name in ("Wood", "LadyBird", "Storm", "GreenMeadow"):
        server.add(f"{name}.jpg", pictures.photograph(name))
    gradient = pictures.gradient(300, 200)
    server.add("g.png", pictures.encode(gradient, "PNG"))
    server.add("g.jpg", pictures.encode(gradient, "JPEG", quality=95))
    server.add("q.png", pictures.encode(pictures.quadrants(240, 160), "PNG"))
    server.add("half.png", pictures.encode(pictures.half_transparent(), "PNG"))
    server.add("anim.gif", pictures.animation("GIF"))
    server.add("anim.webp", pictures.animation("WEBP"))
    for orientation in range(1, 9):
        server.add(f"o{orientation}.jpg", pictures.oriented(orientation))
        server.add(f"o{orientation}.png", pictures.oriented(orientation, form="PNG"))
    return server


def render(nginx, target, **headers):
    answer = nginx.get("/img/" + target, headers)
    assert answer.status == 200, answer.body
    return pictures.decode(answer.body)


# Geometry


@pytest.mark.parametrize("query, size", [  # of a picture of 300x200
    ("w=150", (150, 100)),
    ("h=50", (75, 50)),
    ("w=100&h=100", (100, 67)),
    ("w=100&h=10", (15, 10)),
    ("w=100&h=100&fit=inside", (100, 67)),
    ("w=100&h=100&fit=outside", (150, 100)),
    ("w=100&h=100&fit=cover", (100, 100)),
    ("w=100&h=100&fit=contain", (100, 100)),
    ("w=100&h=100&fit=fill", (100, 100)),
    ("w=1", (1, 1)),
    ("h=1", (2, 1)),
    ("w=299", (299, 199)),
    ("w=225", (225, 150)),
    # One side: every fit acts as inside
    ("w=150&fit=cover", (150, 100)),
    ("w=150&fit=contain", (150, 100)),
    ("h=50&fit=fill", (75, 50)),
    # dpr
    ("w=50&dpr=2", (100, 67)),
    ("w=50&h=50&dpr=1.5&fit=cover", (75, 75)),
    ("w=101&dpr=0.5", (51, 34)),
    ("w=50&h=40&dpr=3&fit=contain", (150, 120)),
    # Not larger than the original
    ("w=400", (300, 200)),
    ("w=400&h=400", (300, 200)),
    ("w=400&h=150&fit=outside", (300, 200)),
    ("w=600&h=300&fit=cover", (300, 150)),
    ("w=300&h=600&fit=cover", (100, 200)),
    ("w=600&h=100&fit=fill", (300, 100)),
    ("w=100&h=600&fit=fill", (100, 200)),
    ("w=500&h=400&fit=contain", (500, 400)),
    ("w=200&dpr=3", (300, 200)),
    # Unless told so
    ("w=600&enlarge=1", (600, 400)),
    ("w=600&h=600&enlarge=1", (600, 400)),
    ("w=600&h=600&fit=outside&enlarge=1", (900, 600)),
    ("w=600&h=300&fit=cover&enlarge=1", (600, 300)),
    ("w=600&h=100&fit=fill&enlarge=1", (600, 100)),
    ("w=600&h=600&fit=contain&enlarge=1", (600, 600)),
    # No size at all
    ("fm=png", (300, 200)),
    ("q=50", (300, 200)),
])
@pytest.mark.parametrize("original", ["g.png", "g.jpg"])
def test_size(nginx, original, query, size):
    assert render(nginx, f"{original}?{query}").size == size


def box_of(gravity, source, box):
    """Where `cover` cuts, in pixels of the source."""
    (width, height), (w, h) = source, box
    scale = max(w / width, h / height)
    bw, bh = w / scale, h / scale
    x = {"w": 0, "e": 1}.get(gravity[-1], 0.5) * (width - bw) if gravity != "center" else (width - bw) / 2
    y = {"n": 0, "s": 1}.get(gravity[0], 0.5) * (height - bh) if gravity != "center" else (height - bh) / 2
    return x, y, x + bw, y + bh


@pytest.mark.parametrize("gravity", ["center", "n", "ne", "e", "se", "s", "sw", "w", "nw"])
@pytest.mark.parametrize("box", [(100, 100), (150, 50)])
def test_cover_keeps_what_gravity_says(nginx, gravity, box):
    seen = render(nginx, f"g.png?w={box[0]}&h={box[1]}&fit=cover&g={gravity}&fm=png")
    wanted = pictures.reference(pictures.gradient(300, 200), box, box_of(gravity, (300, 200), box))
    assert pictures.difference(seen, wanted) < 2.5


@pytest.mark.parametrize("fx, fy, box", [
    (0.5, 0.5, (50, 0, 250, 200)), (0, 0, (0, 0, 200, 200)), (1, 1, (100, 0, 300, 200)), (0.4, 0.9, (20, 0, 220, 200))])
def test_cover_centres_on_a_focus_point(nginx, fx, fy, box):
    seen = render(nginx, f"g.png?w=100&h=100&fit=cover&g=fp&fx={fx}&fy={fy}&fm=png")
    assert pictures.difference(seen, pictures.reference(pictures.gradient(300, 200), (100, 100), box)) < 2.5


@pytest.mark.parametrize("gravity", ["attention", "entropy"])
def test_cover_finds_what_matters(nginx, gravity):
    """A dull picture with one busy place, far from the centre."""
    picture = pictures.solid(600, 200, (128, 128, 128))
    picture.paste(pictures.quadrants(100, 100), (490, 50))
    nginx.add("dull.png", pictures.encode(picture, "PNG"))
    seen = render(nginx, f"dull.png?w=200&h=200&fit=cover&g={gravity}&fm=png")
    assert seen.size == (200, 200)
    assert pictures.difference(seen, pictures.solid(200, 200, (128, 128, 128))) > 10


def test_contain_pads_with_the_background(nginx):
    seen = render(nginx, "g.png?w=100&h=100&fit=contain&bg=00ff00&fm=png")
    assert pictures.close(pictures.color_at(seen, 0.5, 0.05), (0, 255, 0), 2)
    assert pictures.close(pictures.color_at(seen, 0.5, 0.95), (0, 255, 0), 2)
    wanted = pictures.reference(pictures.gradient(300, 200), (100, 67))
    assert pictures.difference(seen.crop((0, 17, 100, 83)), wanted.crop((0, 0, 100, 66))) < 4


@pytest.mark.parametrize("form, color", [("png", (0, 0, 0, 0)), ("webp", (0, 0, 0, 0)), ("jpeg", (255, 255, 255, 255))])
def test_contain_pads_by_default(nginx, form, color):
    """Transparent where the format can, white where it cannot."""
    seen = render(nginx, f"g.png?w=100&h=100&fit=contain&fm={form}").convert("RGBA").getpixel((50, 3))
    assert seen[3] == color[3] and (color[3] == 0 or pictures.close(seen, color, 4))


def test_contain_does_not_enlarge(nginx):
    seen = render(nginx, "g.png?w=400&h=300&fit=contain&bg=000&fm=png")
    assert seen.size == (400, 300)
    assert pictures.difference(seen.crop((50, 50, 350, 250)), pictures.gradient(300, 200)) < 1


@pytest.mark.parametrize("bg, rgba", [("f00", (255, 0, 0, 255)), ("00f8", (0, 0, 255, 136)),
                                      ("102030", (16, 32, 48, 255)), ("10203040", (16, 32, 48, 64))])
def test_background_spellings(nginx, bg, rgba):
    seen = render(nginx, f"g.png?w=100&h=100&fit=contain&bg={bg}&fm=png").convert("RGBA").getpixel((50, 2))
    assert pictures.close(seen, rgba, 2)


@pytest.mark.parametrize("query", ["w=8193&enlarge=1", "h=8193&enlarge=1", "w=4000&dpr=3&enlarge=1",
                                   "w=9000&h=10&fit=contain"])
def test_too_large_is_refused(nginx, query):
    answer = nginx.get(f"/img/g.png?{query}")
    assert answer.status == 400
    assert answer.json()["param"] in ("w", "h", "dpr")


def test_too_large_by_the_other_side(nginx):
    """The box is allowed, what `outside` makes of it is not."""
    nginx.add("flat.png", pictures.encode(pictures.solid(4000, 40, RED), "PNG"))
    assert nginx.get("/img/flat.png?w=100&h=100&fit=outside&enlarge=1").status == 400


# Quality of the pixels


@pytest.mark.parametrize("name", ["Wood", "LadyBird", "Storm", "GreenMeadow"])
@pytest.mark.parametrize("width", [160, 400, 800])
def test_photographs_look_as_pillow_would_make_them(nginx, name, width):
    with Image.open(pictures.photograph(name)) as original:
        size = (width, int(original.height * width / original.width + 0.5))
        wanted = pictures.reference(original, size)
    seen = render(nginx, f"{name}.jpg?w={width}&q=95")
    assert seen.size == size
    assert pictures.ssim(seen, wanted) > 0.96


@pytest.mark.parametrize("form", ["webp", "avif"])
def test_photographs_in_other_formats(nginx, form):
    with Image.open(pictures.photograph("LadyBird")) as original:
        wanted = pictures.reference(original, (400, 250))
    assert pictures.ssim(render(nginx, f"LadyBird.jpg?w=400&fm={form}&q=85"), wanted) > 0.93


@pytest.mark.parametrize("fit, size, box", [
    ("cover", (300, 300), (480, 0, 2080, 1600)), ("fill", (200, 300), (0, 0, 2560, 1600))])
def test_photographs_cut_and_squeezed(nginx, fit, size, box):
    with Image.open(pictures.photograph("LadyBird")) as original:
        wanted = pictures.reference(original, size, box)
    assert pictures.ssim(render(nginx, f"LadyBird.jpg?w={size[0]}&h={size[1]}&fit={fit}&q=95"), wanted) > 0.96


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
def test_quality_costs_bytes(nginx, form):
    sizes = [len(nginx.get(f"/img/GreenMeadow.jpg?w=300&fm={form}&q={q}").body) for q in (10, 50, 90)]
    assert sizes[0] * 1.5 < sizes[1] and sizes[1] * 1.3 < sizes[2], sizes


@pytest.mark.parametrize("form", ["webp", "png"])
def test_lossless(nginx, form):
    seen = render(nginx, f"g.png?fm={form}&lossless=1") if form == "webp" else render(nginx, "g.png?fm=png")
    assert pictures.difference(seen, pictures.gradient(300, 200)) == 0


# Formats


TYPES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif", "gif": "image/gif"}


@pytest.fixture(scope="module")
def inputs(nginx):
    """One gradient in every format that can be made here."""
    picture = pictures.gradient(300, 200)
    made = {"jpeg": pictures.encode(picture, "JPEG", quality=95), "png": pictures.encode(picture, "PNG"),
            "webp": pictures.encode(picture, "WEBP", quality=95), "gif": pictures.encode(picture, "GIF"),
            "tiff": pictures.encode(picture, "TIFF")}
    for suffix in ("avif", "heic", "jxl"):
        if pictures.vips_can(suffix):
            made[suffix] = pictures.through_vips(made["png"], "png", suffix, options="[Q=90]")
    for form, body in made.items():
        nginx.add(f"in.{form}", body)
    return made


@pytest.mark.parametrize("output", TYPES)
@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "gif", "tiff", "avif", "heic", "jxl"])
def test_every_format_into_every_format(nginx, inputs, form, output):
    if form not in inputs:
        pytest.skip(f"no encoder for {form} here")
    answer = nginx.get(f"/img/in.{form}?w=150&fm={output}")
    assert answer.status == 200, answer.body
    assert answer.type == TYPES[output]
    assert pictures.sniff(answer.body) == output
    wanted = pictures.reference(pictures.gradient(300, 200), (150, 100))
    assert pictures.difference(pictures.decode(answer.body), wanted) < (12 if "gif" in (form, output) else 6)


@pytest.mark.parametrize("form, output", [("jpeg", "jpeg"), ("png", "png"), ("webp", "webp"), ("gif", "gif"),
                                          ("avif", "avif"), ("heic", "jpeg"), ("tiff", "jpeg")])
def test_format_by_default(nginx, inputs, form, output):
    if form not in inputs:
        pytest.skip(f"no encoder for {form} here")
    answer = nginx.get(f"/img/in.{form}?w=100")
    assert (answer.status, pictures.sniff(answer.body), answer.type) == (200, output, TYPES[output])


def test_format_by_default_of_a_transparent_tiff(nginx):
    nginx.add("alpha.tiff", pictures.encode(pictures.half_transparent(), "TIFF"))
    answer = nginx.get("/img/alpha.tiff?w=50")
    assert pictures.sniff(answer.body) == "png"
    assert pictures.decode(answer.body).convert("RGBA").getpixel((45, 10))[3] == 0


def test_format_is_by_content_not_by_name(nginx):
    nginx.add("really.jpg", pictures.encode(pictures.gradient(60, 40), "PNG"))
    answer = nginx.get("/img/really.jpg?w=30")
    assert (answer.status, answer.type, pictures.sniff(answer.body)) == (200, "image/png", "png")


@pytest.mark.parametrize("form", ["jpeg", "gif", "png", "webp", "avif"])
def test_metadata_is_removed(nginx, form):
    exif = Image.Exif()
    exif[0x010E] = "A secret place"
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    nginx.add("exif.jpg", pictures.encode(pictures.gradient(), "JPEG", exif=exif, comment=b"A secret remark"))
    body = nginx.get(f"/img/exif.jpg?w=100&fm={form}").body
    assert b"secret" not in body and b"Exif" not in body


# Orientation, colour


@pytest.mark.parametrize("form", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(nginx, orientation, form):
    seen = render(nginx, f"o{orientation}.{form}?w=120")
    assert seen.size == (120, 80)
    for x, y, color in ((0.25, 0.25, RED), (0.75, 0.25, GREEN), (0.25, 0.75, BLUE), (0.75, 0.75, YELLOW)):
        assert pictures.close(pictures.color_at(seen, x, y), color, 20)
    assert seen.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_orientation_before_gravity(nginx, orientation):
    seen = render(nginx, f"o{orientation}.jpg?w=40&h=80&fit=cover&g=w&fm=png")
    assert pictures.close(pictures.color_at(seen, 0.5, 0.25), RED, 20)
    assert pictures.close(pictures.color_at(seen, 0.5, 0.75), BLUE, 20)


@pytest.mark.parametrize("output", ["jpeg", "png", "webp", "avif"])
def test_cmyk(nginx, output):
    nginx.add("cmyk.jpg", pictures.cmyk_jpeg())
    seen = render(nginx, f"cmyk.jpg?w=200&fm={output}")
    white, black, red, blue = (pictures.color_at(seen, (i + 0.5) / 4, 0.5) for i in range(4))
    assert min(white) > 240
    assert max(black) < 60
    assert red[0] > 170 and red[1] < 90 and red[2] < 90, red
    assert blue[2] > 90 and blue[0] < 80 and blue[2] > blue[1], blue


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("output", ["png", "jpeg", "webp"])
def test_16_bit(nginx, mode, output):
    picture = pictures.gradient(300, 200).convert(mode)
    nginx.add(f"16{mode}.png", pictures.png_16_bit(picture))
    seen = render(nginx, f"16{mode}.png?w=150&fm={output}&q=95")
    assert pictures.difference(seen, pictures.reference(picture, (150, 100))) < 4


@pytest.mark.parametrize("output", ["png", "webp", "avif", "gif"])
@pytest.mark.parametrize("kind", ["palette", "LA", "RGBA"])
def test_transparency_is_kept(nginx, kind, output):
    body = {"palette": pictures.palette_png(), "RGBA": pictures.encode(pictures.half_transparent(), "PNG"),
            "LA": pictures.encode(pictures.half_transparent(color=(90, 90, 90)).convert("LA"), "PNG")}[kind]
    nginx.add(f"t-{kind}.png", body)
    seen = render(nginx, f"t-{kind}.png?w=100&fm={output}").convert("RGBA")
    assert seen.size == (100, 50)
    assert seen.getpixel((90, 25))[3] == 0
    left = seen.getpixel((20, 25))
    assert left[3] == 255 and pictures.close(left, (90, 90, 90) if kind == "LA" else RED, 20), left


def test_transparent_edges_do_not_darken(nginx):
    """Premultiplied while it is resized: the colour of what cannot be seen does not bleed."""
    picture = pictures.half_transparent(300, 100, (255, 255, 255))
    clear = Image.new("RGBA", (150, 100), (0, 0, 0, 0))
    picture.paste(clear, (150, 0))
    nginx.add("edge.png", pictures.encode(picture, "PNG"))
    seen = numpy.asarray(render(nginx, "edge.png?w=77&fm=png").convert("RGBA")).astype(int)
    visible = seen[seen[..., 3] > 20]
    assert visible[:, :3].min() > 235


@pytest.mark.parametrize("query, color", [("", (255, 255, 255)), ("&bg=00f", (0, 0, 255)),
                                          ("&bg=ff000080", (255, 127, 127))])
def test_transparent_to_jpeg(nginx, query, color):
    seen = render(nginx, "half.png?w=100&fm=jpeg&q=95" + query)
    assert pictures.close(pictures.color_at(seen, 0.85, 0.5), color, 10)
    assert pictures.close(pictures.color_at(seen, 0.15, 0.5), RED, 10)


@pytest.mark.parametrize("output", ["jpeg", "png", "webp"])
def test_colour_profile_becomes_srgb(nginx, output):
    """A picture in Display P3: the same colours, other numbers."""
    plain = pictures.encode(pictures.solid(100, 100, (200, 60, 40)), "PNG")
    wide = pictures.through_vips(plain, "png", "png", ("icc_transform", "p3", "--input-profile", "srgb"))
    assert not pictures.close(pictures.color_at(pictures.decode(wide), 0.5, 0.5), (200, 60, 40), 10)
    nginx.add("p3.png", wide)
    seen = render(nginx, f"p3.png?w=50&fm={output}&q=95")
    assert pictures.close(pictures.color_at(seen, 0.5, 0.5), (200, 60, 40), 6)


# Animations


@pytest.mark.parametrize("original", ["anim.gif", "anim.webp"])
@pytest.mark.parametrize("output", ["gif", "webp"])
def test_animations_stay_animated(nginx, original, output):
    body = nginx.get(f"/img/{original}?w=60&fm={output}").body
    seen, durations = pictures.pages(body)
    assert len(seen) == 4
    assert durations == [100, 150, 200, 250]
    for page, color in zip(seen, (RED, GREEN, BLUE, YELLOW)):
        assert page.size == (60, 40)
        assert pictures.close(pictures.color_at(page, 0.9, 0.5), color, 25)


@pytest.mark.parametrize("output", ["jpeg", "png", "avif"])
def test_animation_as_a_still(nginx, output):
    seen = render(nginx, f"anim.gif?w=60&fm={output}")
    assert seen.size == (60, 40)
    assert pictures.close(pictures.color_at(seen, 0.9, 0.5), RED, 20)


def test_animation_with_cover(nginx):
    seen, _ = pictures.pages(nginx.get("/img/anim.gif?w=40&h=40&fit=cover&g=e").body)
    assert [page.size for page in seen] == [(40, 40)] * 4
    assert pictures.close(pictures.color_at(seen[1], 0.5, 0.03), GREEN, 25)


def test_animation_loops_as_before(nginx):
    nginx.add("thrice.gif", pictures.animation("GIF", loop=3))
    assert pictures.decode(nginx.get("/img/thrice.gif?w=60").body).info.get("loop") in (3, 4)


# Presets


@pytest.mark.parametrize("query, size", [("p=thumb", (90, 90)), ("p=small", (60, 40)), ("p=wide", (120, 80)),
                                         ("p=thumb&w=50", (50, 90)), ("w=50&p=thumb", (50, 90)),
                                         ("p=small,thumb", (90, 90)), ("p=thumb&fit=inside", (90, 60))])
def test_preset(nginx, query, size):
    assert render(nginx, "g.png?" + query).size == size


@pytest.mark.parametrize("query, status", [("p=thumb", 200), ("w=100", 403), ("p=thumb&w=50", 403)])
def test_presets_only(nginx, query, status):
    answer = nginx.get("/presets/g.png?" + query)
    assert answer.status == status


# One rendition, one entry


SAME = {
    "order": ("w=70&h=60&fit=cover", "fit=cover&h=60&w=70"),
    "escaped values": ("w=71&h=60&fit=cover", "w=71&h=60&fit=%63over"),
    "case of escapes": ("w=72&v=a%2Db", "w=72&v=a%2db"),
    "needless escapes": ("w=73&v=a-b", "w=73&v=%61%2D%62"),
    "escaped names": ("w=74", "%77=74"),
    "dpr": ("w=80&h=60&fit=cover", "w=40&h=30&dpr=2&fit=cover"),
    "dpr of 1": ("w=75", "w=75&dpr=1"),
    "fit by default": ("w=76&h=60", "w=76&h=60&fit=inside"),
    "enlarge by default": ("w=77", "w=77&enlarge=0"),
    "gravity by default": ("w=78&h=60&fit=cover", "w=78&h=60&fit=cover&g=center"),
    "gravity without effect": ("w=79", "w=79&g=nw"),
    "fit of one side": ("w=82", "w=82&fit=cover"),
    "quality by default": ("w=83&fm=jpeg", "w=83&fm=jpeg&q=80"),
    "spellings of colours": ("w=84&h=90&fit=contain&bg=abc", "w=84&h=90&fit=contain&bg=AABBCCFF"),
    "numbers": ("w=85&h=60&fit=cover&g=fp&fx=0.5&fy=0.25", "w=85&h=60&fit=cover&g=fp&fx=0.50&fy=0.250"),
    "presets": ("w=60&v=preset", "p=small&v=preset"),
    "presets overridden": ("w=62", "p=small&w=62"),
}


@pytest.mark.parametrize("name", SAME)
def test_same_rendition_same_entry(nginx, name):
    first, second = (nginx.get("/img/g.jpg?" + query) for query in SAME[name])
    assert (first.status, second.status) == (200, 200), (first.body[:200], second.body[:200])
    assert (first.header("X-Cache"), second.header("X-Cache")) == ("MISS", "HIT")
    assert first.body == second.body
    assert first.header("ETag") == second.header("ETag")


@pytest.mark.parametrize("first, second", [
    ("w=91", "w=92"), ("w=93&v=1", "w=93&v=2"), ("w=94&q=50", "w=94&q=51"), ("w=95&fm=webp", "w=95&fm=png"),
    ("w=96&h=50&fit=cover&g=n", "w=96&h=50&fit=cover&g=s"), ("w=97&h=90&fit=contain&bg=000", "w=97&h=90&fit=contain"),
    ("w=700", "w=700&enlarge=1"), ("w=98", "h=98")])
def test_other_rendition_other_entry(nginx, first, second):
    first, second = (nginx.get("/img/g.jpg?" + query) for query in (first, second))
    assert (first.header("X-Cache"), second.header("X-Cache")) == ("MISS", "MISS")
    assert (first.body == second.body) == (first.header("ETag") == second.header("ETag"))


# Parameters at fault


@pytest.mark.parametrize("query, param", [
    ("x=1", "x"), ("width=100", "width"), ("W=100", "W"), ("utm_source=a&w=10", "utm_source"), ("w=10&foo", "foo"),
    ("w=0", "w"), ("w=-1", "w"), ("w=ten", "w"), ("w=1.5", "w"), ("w=", "w"), ("w", "w"), ("w=1e3", "w"),
    ("w=+10", "w"), ("w=%2010", "w"), ("w=10%00", "w"), ("w=99999999999999999999", "w"),
    ("h=0", "h"), ("w=10&w=10", "w"), ("w=10&%77=20", "w"), ("dpr=0.4", "dpr"), ("dpr=5.1", "dpr"),
    ("dpr=nan", "dpr"), ("dpr=inf", "dpr"), ("dpr=2x", "dpr"), ("w=10&fit=zoom", "fit"), ("w=10&fit=COVER", "fit"),
    ("w=10&enlarge=2", "enlarge"), ("w=10&enlarge=yes", "enlarge"), ("w=10&h=10&fit=cover&g=middle", "g"),
    ("w=10&g=fp&fx=1.1", "fx"), ("w=10&g=fp&fy=-0.1", "fy"), ("bg=red", "bg"), ("bg=12345", "bg"), ("bg=%23fff", "bg"),
    ("fm=bmp", "fm"), ("fm=svg", "fm"), ("fm=jpg", "fm"), ("q=0", "q"), ("q=101", "q"), ("q=high", "q"),
    ("lossless=2", "lossless"), ("fm=jpeg&lossless=1", "lossless"), ("v=", "v"), ("v=a%20b", "v"), ("v=a/b", "v"),
    ("v=" + "a" * 65, "v"), ("p=nothing", "p"), ("p=", "p"), ("p=thumb,nothing", "p"), ("wm=nothing", "wm"),
    ("wm=", "wm"), ("w=%zz", "w"),
])
def test_bad_parameter_is_named(nginx, query, param):
    answer = nginx.get("/img/g.png?" + query)
    assert answer.status == 400
    assert answer.type == "application/problem+json"
    assert answer.json()["param"] == param


def test_bad_parameter_of_a_missing_original(nginx):
    """What is wrong with the request is said before anything is looked for."""
    assert nginx.get("/img/none.png?x=1").status == 400


# fm=auto


@pytest.mark.parametrize("accept, form", [
    ("image/avif,image/webp,*/*;q=0.8", "avif"), ("image/webp,*/*", "webp"), ("image/webp;q=0.1,image/avif", "avif"),
    ("*/*", "jpeg"), ("image/*", "jpeg"), ("image/avif;q=0,image/webp", "webp"), ("text/html", "jpeg"),
    ("IMAGE/WEBP", "webp"), (None, "jpeg"), ("image/jpeg", "jpeg"), ("image/webpx", "jpeg")])
def test_auto_format(nginx, accept, form):
    for _ in "MISS", "HIT":
        answer = nginx.get("/img/g.jpg?w=64&fm=auto", {"Accept": accept} if accept else None)
        assert (answer.status, pictures.sniff(answer.body), answer.type) == (200, form, TYPES[form])
        assert answer.header("Vary") == "Accept"


def test_auto_format_varies_on_304(nginx):
    accept = {"Accept": "image/webp"}
    tag = nginx.get("/img/g.jpg?w=65&fm=auto", accept).header("ETag")
    answer = nginx.get("/img/g.jpg?w=65&fm=auto", {**accept, "If-None-Match": tag})
    assert answer.status == 304
    assert answer.header("Vary") == "Accept"


@pytest.mark.parametrize("query", ["w=66", "w=66&fm=webp", "p=thumb"])
def test_nothing_varies_without_auto(nginx, query):
    assert nginx.get("/img/g.jpg?" + query, {"Accept": "image/webp"}).header("Vary") is None


def test_auto_format_shares_an_entry_with_its_outcome(nginx):
    first = nginx.get("/img/g.jpg?w=67&fm=auto", {"Accept": "image/webp"})
    second = nginx.get("/img/g.jpg?w=67&fm=auto", {"Accept": "image/webp,text/html"})
    assert (first.header("X-Cache"), second.header("X-Cache")) == ("MISS", "HIT")


def test_auto_format_keeps_animations_moving(nginx):
    body = nginx.get("/img/anim.gif?w=60&fm=auto", {"Accept": "image/avif,image/webp"}).body
    assert pictures.sniff(body) == "webp"
    assert len(pictures.pages(body)[0]) == 4


def test_what_cannot_be_seen_of_a_webp_does_not_bleed(nginx):
    """Also where the decoder could scale: it knows nothing of alpha."""
    y, x = numpy.mgrid[0:1200, 0:1200]
    pixels = numpy.empty((1200, 1200, 4), numpy.uint8)
    pixels[...] = (0, 255, 0, 0)
    pixels[(x // 13 + y // 17) % 2 == 0] = (255, 0, 0, 255)
    body = pictures.encode(Image.fromarray(pixels), "WEBP", quality=95, exact=True)
    nginx.add("hidden.webp", body)
    seen = []
    for file in body, nginx.get("/img/hidden.webp?w=100&fm=png").body:
        picture = numpy.asarray(Image.open(io.BytesIO(file)).convert("RGBA")).astype(float)
        seen.append((picture[..., :3] * picture[..., 3:]).sum((0, 1)) / picture[..., 3].sum())
    assert numpy.abs(seen[0] - seen[1]).max() < 3
