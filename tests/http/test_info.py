"""fm=json: what is told of an original is true, and told like any rendition."""

import base64
import functools
import io
import json
import subprocess

import blurhash
import numpy
import pytest
from PIL import Image

import node
import pictures
from test_signature import KEY, sign

MEMBERS = ["width", "height", "format", "pages", "alpha", "orientation", "space", "bytes", "average", "dominant",
           "blurhash", "lqip"]
PHOTOGRAPHS = ["Wood", "LadyBird", "Storm", "GreenMeadow", "Large"]
PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG", quality=95)


def clear_gradient(size=(300, 200)):
    picture = pictures.gradient(*size).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(size))
    return picture


FILES = {
    "a.jpg": PICTURE,
    "wide.png": pictures.encode(pictures.gradient(900, 200), "PNG"),
    "tall.jpg": pictures.encode(pictures.gradient(301, 807), "JPEG", quality=95),
    "square.png": pictures.encode(pictures.quadrants(240, 240), "PNG"),
    "thin.png": pictures.encode(pictures.gradient(5000, 1), "PNG"),
    "line.png": pictures.encode(pictures.gradient(1, 5000), "PNG"),
    "dot.png": pictures.encode(pictures.solid(1, 1, pictures.BLUE), "PNG"),
    "flat.png": pictures.encode(pictures.solid(80, 60, pictures.BLUE), "PNG"),
    "gray.png": pictures.encode(pictures.gradient().convert("L"), "PNG"),
    "gray16.png": pictures.png_16_bit(pictures.gradient().convert("L")),
    "16.png": pictures.png_16_bit(pictures.gradient()),
    "cmyk.jpg": pictures.cmyk_jpeg(),
    "noise.png": pictures.encode(pictures.gradient(200, 200).effect_spread(80), "PNG"),
    "half.png": pictures.encode(pictures.half_transparent(), "PNG"),
    "clear.png": pictures.encode(clear_gradient(), "PNG"),
    "clear.webp": pictures.encode(clear_gradient((1600, 1200)), "WEBP", quality=95, exact=True),
    "palette.png": pictures.palette_png(),
    "anim.gif": pictures.animation("GIF"),
    "anim.webp": pictures.animation("WEBP"),
    "shape.svg": pictures.SVG,
    "broken.jpg": pictures.photograph("LadyBird").read_bytes()[:30_000],
    "text.jpg": pictures.HTML,
    "logo.png": pictures.encode(pictures.solid(60, 60, (255, 0, 255)), "PNG"),
    **{f"o{i}.jpg": pictures.oriented(i, pictures.gradient(320, 200)) for i in range(1, 9)},
    **{f"{name}.jpg": pictures.photograph(name).read_bytes() for name in PHOTOGRAPHS},
}


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(
        files=FILES,
        http="""
            media_cache_path @cache@ keys_zone=z:4m;
            media_watermark logo @pics@/logo.png position=nw size=40% margin=0%;
            media_preset card "w=48&h=32&fit=cover&fm=auto&q=60&wm=logo";
            media_preset left "crop=0,0,50%25,100%25&w=9&round=max";
            media_preset about "fm=json";
            media_threads 2 queue=200;
            add_header X-Cache $media_cache_status always;
            add_header X-Facts "$media_format $media_width $media_height $media_bytes $media_source_bytes" always;
        """, server=f"""
            media_cache z;
            location /img/ {{ media_root @pics@; }}
            location /forced/ {{ media_root @pics@; media_watermark_force logo; }}
            location /closed/ {{ media_root @pics@; media_original off; }}
            location /pass/ {{ media_pass /files/; }}
            location /files/ {{ internal; alias @pics@/; }}
            location /presets/ {{ media_root @pics@; media_presets_only on; }}
            location /signed/ {{ media_root @pics@; media_signature key={KEY.hex()} required; }}
            location /late/ {{ media_root @pics@; media_timeout 1ms; }}
            location /few/ {{ media_root @pics@; media_max_source_pixels 10000; media_max_source_size 100k; }}
            location /small/ {{ media_root @pics@; media_max_width 10; media_max_height 10; }}
            location /pngonly/ {{ media_root @pics@; media_input png; }}
            location /vectors/ {{ media_root @pics@; media_input svg; }}
            location /damaged/ {{ media_root @pics@; media_fail_on none; }}
            location /auto/ {{ media_root @pics@; media_auto_format off; }}
        """)


def told(nginx, target):
    """What fm=json says; its form is looked at each time."""
    answer = nginx.get(target)
    assert answer.status == 200, answer.body
    assert answer.type == "application/json"
    facts = json.loads(answer.body)
    assert list(facts) == MEMBERS
    assert len(lqip_bytes(facts)) <= 400
    assert blurhash.is_valid_blurhash(facts["blurhash"])
    return facts


def lqip_bytes(facts):
    head, _, text = facts["lqip"].partition(",")
    assert head == "data:image/webp;base64"
    return base64.b64decode(text, validate=True)


def placeholder(facts, mode="RGB"):
    picture = Image.open(io.BytesIO(lqip_bytes(facts)))
    assert picture.format == "WEBP"
    return picture.convert(mode)


def colour(text):
    assert len(text) == 7 and text[0] == "#" and text == text.lower()
    return tuple(bytes.fromhex(text[1:]))


@functools.lru_cache(None)
def original(name):
    """The upright original as Pillow sees it, over white."""
    picture = Image.open(io.BytesIO(FILES[name]))
    turned = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
              6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}.get(picture.getexif().get(0x0112))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("RGB")
    return picture.transpose(turned) if turned is not None else picture


def mean_of(name):
    picture = Image.open(io.BytesIO(FILES[name]))
    pixels = numpy.asarray(picture.convert("RGBA")).astype(float)
    return (pixels[..., :3] * pixels[..., 3:]).sum(axis=(0, 1)) / pixels[..., 3].sum()


# What is told


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs(nginx, name):
    facts = told(nginx, f"/img/{name}.jpg?fm=json")
    picture = original(f"{name}.jpg")
    assert (facts["width"], facts["height"]) == picture.size
    assert facts["bytes"] == len(FILES[f"{name}.jpg"])
    assert (facts["format"], facts["pages"], facts["alpha"], facts["space"]) == ("jpeg", 1, False, "srgb")
    assert pictures.close(colour(facts["average"]), mean_of(f"{name}.jpg"), 1.01)


@pytest.mark.parametrize("name", ["a.jpg", "wide.png", "tall.jpg", "thin.png", "line.png", "dot.png", "flat.png",
                                  "gray.png", "noise.png", "half.png", "clear.png", "palette.png", "clear.webp"])
def test_the_average_is_that_of_all_pixels(nginx, name):
    facts = told(nginx, f"/img/{name}?fm=json")
    assert (facts["width"], facts["height"]) == original(name).size
    assert pictures.close(colour(facts["average"]), mean_of(name), 1.01)


@pytest.mark.parametrize("name, format, space, alpha, pages", [
    ("16.png", "png", "rgb16", False, 1), ("gray.png", "png", "gray", False, 1), ("gray16.png", "png", "gray16", False, 1),
    ("cmyk.jpg", "jpeg", "cmyk", False, 1), ("half.png", "png", "srgb", True, 1), ("palette.png", "png", "srgb", True, 1),
    ("anim.gif", "gif", "srgb", None, 4), ("anim.webp", "webp", "srgb", False, 4)])
def test_kind_of_original(nginx, name, format, space, alpha, pages):
    facts = told(nginx, f"/img/{name}?fm=json")
    assert (facts["format"], facts["space"], facts["pages"]) == (format, space, pages)
    assert alpha is None or facts["alpha"] == alpha


@pytest.mark.parametrize("name", ["anim.gif", "anim.webp"])
def test_colours_of_one_frame(nginx, name):
    for page, wanted in enumerate((pictures.RED, pictures.GREEN, pictures.BLUE)):
        facts = told(nginx, f"/img/{name}?fm=json&page={page}")
        assert facts["pages"] == 4
        assert pictures.close(colour(facts["dominant"]), wanted, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(nginx, orientation):
    facts = told(nginx, f"/img/o{orientation}.jpg?fm=json")
    picture = original(f"o{orientation}.jpg")
    assert facts["orientation"] == orientation
    assert (facts["width"], facts["height"]) == picture.size == (320, 200)
    seen = placeholder(facts)
    assert pictures.difference(seen, picture.resize(seen.size, Image.BOX)) < 9


def test_of_the_part_that_is_asked_for(nginx):
    facts = told(nginx, "/img/square.png?fm=json&crop=0,0,120,120")
    assert (facts["width"], facts["height"]) == (120, 120)
    assert colour(facts["average"]) == colour(facts["dominant"]) == pictures.RED
    facts = told(nginx, "/img/square.png?fm=json&rot=90&crop=0,0,120,120")
    assert colour(facts["average"]) == pictures.BLUE
    facts = told(nginx, "/img/wide.png?fm=json&rot=270&flip=h")
    assert (facts["width"], facts["height"]) == (200, 900)


def test_vectors_where_they_are_allowed(nginx):
    facts = told(nginx, "/vectors/shape.svg?fm=json")
    assert (facts["width"], facts["height"], facts["format"]) == (50, 50, "svg")
    assert colour(facts["dominant"]) == (255, 0, 0)


# Placeholders


LOOKS = [*(f"{name}.jpg" for name in PHOTOGRAPHS), "a.jpg", "wide.png", "tall.jpg", "square.png", "flat.png", "gray.png",
         "o6.jpg", "clear.png", "half.png"]


@pytest.mark.parametrize("name", LOOKS)
def test_lqip_looks_like_the_picture(nginx, name):
    seen = placeholder(told(nginx, f"/img/{name}?fm=json"), "RGBA")
    picture = original(name)
    assert seen.width / seen.height == pytest.approx(picture.width / picture.height, rel=0.06)
    assert 30 <= max(seen.size) <= 48
    seen = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    wanted = picture.resize(seen.size, Image.BOX)
    assert pictures.difference(seen, wanted) < 13
    if min(seen.size) >= 7 and name != "flat.png":
        assert pictures.ssim(seen, wanted) > 0.7


@pytest.mark.parametrize("name", ["thin.png", "line.png", "dot.png", "noise.png", "clear.png", "clear.webp", "cmyk.jpg"])
def test_lqip_of_difficult_pictures(nginx, name):
    """told() holds it to 400 bytes."""
    assert placeholder(told(nginx, f"/img/{name}?fm=json"), "RGBA").size >= (1, 1)


def test_lqip_keeps_alpha(nginx):
    seen = numpy.asarray(placeholder(told(nginx, "/img/half.png?fm=json"), "RGBA"))
    assert seen[:, :seen.shape[1] // 2 - 2, 3].min() > 250
    assert seen[:, seen.shape[1] // 2 + 2:, 3].max() < 5
    assert Image.open(io.BytesIO(lqip_bytes(told(nginx, "/img/a.jpg?fm=json")))).mode == "RGB"


def decoded_size(picture):
    """Large enough for the place within a pixel at which decoders look not to matter."""
    return tuple(max(1, round(side * 96 / max(picture.size))) for side in picture.size)


def test_blurhash_of_the_debian_package(nginx):
    for name in LOOKS:
        facts = told(nginx, f"/img/{name}?fm=json")
        picture = original(name)
        check_blur(numpy.asarray(blurhash.decode(facts["blurhash"], *decoded_size(picture))), picture, name)


def check_blur(seen, picture, name):
    """A decoded hash is the picture in a few waves of linear light, and not much else."""
    height, width = seen.shape[:2]
    wanted = numpy.asarray(picture.resize((width, height), Image.BOX)).astype(float)
    linear = numpy.where(wanted <= 10.31, wanted / 12.92 / 255, ((wanted / 255 + 0.055) / 1.055) ** 2.4)
    columns, rows = 4 if picture.width * 8 > picture.height * 7 else 3, 4 if picture.height * 8 > picture.width * 7 else 3
    across, down = (numpy.cos(numpy.pi * numpy.arange(4)[:, None] * (numpy.arange(n) + 0.5) / n) for n in (width, height))
    light = numpy.zeros_like(linear)
    for j in range(rows):
        for i in range(columns):
            wave = (down[j][:, None] * across[i][None, :])[..., None]
            light += (linear * wave).mean((0, 1)) * wave * (1 if i == j == 0 else 2)
    light = numpy.clip(light, 0, 1)
    exact = 255 * numpy.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    # Sharp halves have waves stronger than a hash can hold.
    assert numpy.abs(seen - exact).mean() < (16 if name == "half.png" else 7), name
    if name != "flat.png":  # nearer to the picture than its mean is
        assert numpy.abs(seen - wanted).mean() < numpy.abs(wanted - wanted.mean((0, 1))).mean(), name


def test_blurhash_of_the_reference_decoder(nginx):
    """The decoder of the format's authors, where npm can fetch it."""
    reference = node.package("blurhash")
    names = LOOKS + ["thin.png", "line.png", "dot.png"]
    asked = []
    for name in names:
        picture = original(name)
        asked.append([told(nginx, f"/img/{name}?fm=json")["blurhash"], *decoded_size(picture)])
    script = """
        const {decode, isBlurhashValid} = require(process.argv[1]);
        const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        console.log(JSON.stringify(asked.map(([hash, width, height]) =>
            [isBlurhashValid(hash).result, Array.from(decode(hash, width, height))])));
    """
    run = subprocess.run(["node", "-e", script, str(reference)], input=json.dumps(asked), capture_output=True, text=True,
                         timeout=60)
    assert run.returncode == 0, run.stderr
    for name, (_, width, height), (valid, pixels) in zip(names, asked, json.loads(run.stdout)):
        assert valid, name
        seen = numpy.array(pixels).reshape(height, width, 4)[..., :3]
        if name in LOOKS:
            check_blur(seen, original(name), name)


@pytest.mark.parametrize("name, first", [("a.jpg", "L"), ("tall.jpg", "T"), ("square.png", "U"), ("o6.jpg", "L"),
                                         ("thin.png", "3"), ("line.png", "R"), ("dot.png", "0")])
def test_blurhash_components(nginx, name, first):
    """4 x 3, 3 x 4, 4 x 4, 4 x 1, 1 x 4, 1 x 1: what the first character says."""
    assert told(nginx, f"/img/{name}?fm=json")["blurhash"][0] == first


# Watermarks


def marked(facts):
    """Whether the corner shows the logo."""
    seen = placeholder(facts)
    return pictures.close(seen.getpixel((seen.width // 5, seen.height // 5)), (255, 0, 255), 60)


def test_forced_watermark_lies_on_lqip(nginx):
    plain, forced = (told(nginx, f"/{location}/flat.png?fm=json") for location in ("img", "forced"))
    assert not marked(plain) and marked(forced)
    for name in "width", "height", "average", "dominant", "blurhash", "bytes":
        assert plain[name] == forced[name]
    a, b = placeholder(plain), placeholder(forced)
    assert pictures.difference(*(p.crop((p.width // 2, p.height * 2 // 3, p.width, p.height)) for p in (a, b))) < 6
    for extra in "", "&wm=logo", "&p=card", "&p=about":
        assert marked(told(nginx, f"/forced/LadyBird.jpg?fm=json{extra}"))
    assert marked(told(nginx, "/forced/clear.png?fm=json"))
    assert marked(told(nginx, "/forced/anim.gif?page=2&fm=json"))


def test_a_watermark_that_is_asked_for_lies_on_lqip(nginx):
    assert marked(told(nginx, "/img/flat.png?fm=json&wm=logo"))
    assert marked(told(nginx, "/img/flat.png?fm=json&p=card"))


# HTTP


@pytest.mark.parametrize("location", ["img", "pass", "closed", "forced"])
def test_kept_like_a_rendition(nginx, location):
    target = f"/{location}/a.jpg?fm=json&v=kept"
    first, second = nginx.get(target), nginx.get(target)
    assert (first.header("X-Cache"), second.header("X-Cache")) == ("MISS", "HIT")
    assert first.body == second.body
    assert first.header("ETag") == second.header("ETag") and first.header("ETag").startswith('"')
    for answer in first, second:
        assert answer.type == "application/json"
        assert int(answer.header("Content-Length")) == len(answer.body)
        assert answer.header("X-Facts") == f"json 400 300 {len(first.body)} {len(PICTURE)}"
        assert answer.header("Vary") is None
        assert (answer.header("Last-Modified") is None) == (nginx.get(f"/{location}/a.jpg?w=9").header("Last-Modified") is None)
    assert nginx.get(target, {"If-None-Match": first.header("ETag")}).status == 304
    part = nginx.get(target, {"Range": "bytes=0-8"})
    assert (part.status, part.body) == (206, b'{"width":')
    for version in "kept", "head":
        head = nginx.get(f"/{location}/a.jpg?fm=json&v={version}", method="HEAD")
        assert (head.status, head.body, head.type) == (200, b"", "application/json")
        assert int(head.header("Content-Length")) == len(first.body)
        assert head.header("ETag") == first.header("ETag")


def test_the_same_however_it_is_asked(nginx):
    first = nginx.get("/img/a.jpg?fm=json&v=same")
    for query in "v=same&fm=json", "fm=%6Ason&v=same&page=0&rot=0", "p=about&v=same", "fm=json&v=same&dl=a.json":
        answer = nginx.get(f"/img/a.jpg?{query}")
        assert (answer.header("X-Cache"), answer.body) == ("HIT", first.body), query
    assert nginx.get("/img/a.jpg?fm=json&v=same&dl=a.json").header("Content-Disposition") == \
        'attachment; filename="a.json"'
    assert nginx.get("/img/a.jpg?p=left&fm=json&v=same").json()["width"] == 200


def test_accept_does_not_matter(nginx):
    first = nginx.get("/img/a.jpg?fm=json&v=accept")
    for accept in "image/avif,image/webp", "text/html", "application/xml;q=1, application/json;q=0":
        answer = nginx.get("/img/a.jpg?fm=json&v=accept", {"Accept": accept})
        assert (answer.status, answer.header("X-Cache"), answer.body) == (200, "HIT", first.body)


@pytest.mark.parametrize("location", ["img", "auto"])
def test_auto_is_never_json(nginx, location):
    answer = nginx.get(f"/{location}/a.jpg?fm=auto&w=20", {"Accept": "application/json"})
    assert answer.type == "image/jpeg"
    assert answer.header("Vary") == "Accept"


def test_presets_only(nginx):
    assert told(nginx, "/presets/a.jpg?p=about")["width"] == 400
    assert nginx.get("/presets/a.jpg?fm=json").status == 403
    assert nginx.get("/presets/a.jpg?p=card&fm=json").status == 403


def test_signed(nginx):
    assert nginx.get("/signed/a.jpg?fm=json").status == 403
    assert told(nginx, sign("/signed/a.jpg", "fm=json"))["width"] == 400
    assert nginx.get(sign("/signed/a.jpg", "exp=1&fm=json")).status == 410


@pytest.mark.parametrize("query, param", [
    *((f"{name}={value}", name) for name, value in
      dict(w=9, h=9, dpr=2, fit="cover", enlarge=1, g="n", blur=1, sharpen=1, gray=1, bri=1, sat=1, hue=1, con=1, round=1,
           bg="fff", q=50, lossless=1, max_bytes="1k", n=1, strip="all").items()),
    ("p=about&w=9", "w"), ("page=1", "page"), ("x=1", "x"), ("fm=json", "fm")])
def test_parameters_that_mean_nothing(nginx, query, param):
    first = "" if "about" in query else "fm=json&"
    answer = nginx.get(f"/img/a.jpg?{first}{query}")
    assert answer.status == 400
    assert answer.type == "application/problem+json"
    assert answer.json()["param"] == param


@pytest.mark.parametrize("target, status", [
    ("/img/none.jpg", 404), ("/img/text.jpg", 415), ("/img/shape.svg", 415), ("/pngonly/a.jpg", 415),
    ("/img/broken.jpg", 422), ("/few/a.jpg", 422), ("/few/LadyBird.jpg", 413), ("/late/Large.jpg", 504),
    ("/small/a.jpg", 200), ("/damaged/broken.jpg", 200), ("/pass/none.jpg", 404), ("/pass/broken.jpg", 422)])
def test_limits_and_failures(nginx, target, status):
    for _ in range(2):
        answer = nginx.get(f"{target}?fm=json")
        assert answer.status == status
        assert answer.type == ("application/json" if status == 200 else "application/problem+json")


def test_part_that_is_not_there(nginx):
    assert nginx.get("/img/a.jpg?fm=json&crop=900,900,9,9").status == 422


def test_purged_by_its_preset(own_nginx):
    server = own_nginx(http='media_cache_path @cache@ keys_zone=z:1m; media_preset about "fm=json";\n'
                            "add_header X-Cache $media_cache_status;",
                       server="location /img/ { media_root @pics@; media_cache z; media_purge on; }",
                       files={"a.jpg": PICTURE})
    for query in "p=about", "w=9":
        server.get(f"/img/a.jpg?{query}")
    assert server.get("/img/a.jpg?p=about", method="PURGE").status == 200
    assert [server.get(f"/img/a.jpg?{query}").header("X-Cache") for query in ("p=about", "w=9")] == ["MISS", "HIT"]
