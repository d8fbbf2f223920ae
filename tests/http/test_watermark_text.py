"""Watermarks of text: whose text they show, and what a client can do to them."""

import base64
import itertools

import numpy
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont
from skimage.metrics import structural_similarity

import client
import pictures
from nginx_server import ASAN, SLOW

FONTS = "/usr/share/fonts/truetype/dejavu"
ZONE = "media_cache_path @cache@ keys_zone=z:10m;\nadd_header X-Cache $media_cache_status;\n" \
       "add_header X-Key $media_key;\n"
WHITE = pictures.encode(pictures.solid(400, 300, (255, 255, 255)), "PNG")
PASSWORDS = b"alice:{PLAIN}a\nbob:{PLAIN}b\n"


@pytest.fixture(scope="module")
def nginx(make_nginx):
    with open(f"{FONTS}/DejaVuSerif-Bold.ttf", "rb") as font:
        serif = font.read()
    return make_nginx(
        files={"white.png": WHITE, "photo.png": pictures.encode(pictures.gradient(400, 300), "PNG"),
               "anim.gif": pictures.animation("GIF", size=(200, 150)), "passwords": PASSWORDS, "brand.ttf": serif},
        http=ZONE + """
            map $arg_v $empty { default ""; }
            media_watermark_text plain "Hamburg" "font=DejaVu Sans" color=000 position=center size=90%;
            media_watermark_text tag "<b>Ham&amp;</b>" "font=DejaVu Sans" color=000 position=center size=90%;
            media_watermark_text file "Hamburg" font=pics/brand.ttf color=000 position=center size=90%;
            media_watermark_text red "—" "font=DejaVu Sans Bold" color=d01020 size=50% position=n;
            media_watermark_text user "for $remote_user" color=000 size=80% position=s;
            media_watermark_text said "$http_x_say" color=000 size=80% position=center;
            media_watermark_text nothing "$empty" color=000;
            media_watermark_text tiled "$arg_v" color=00f8 size=20% tile;
            media_watermark square @pics@/white.png size=10% position=nw;
            media_preset marked "wm=red,square&w=200";
        """,
        server="""
            location /img/ { media_root @pics@; media_cache z; }
            location /private/ {
                auth_basic "x"; auth_basic_user_file @pics@/passwords;
                media_root @pics@; media_cache z;
                media_watermark_force user;
                add_header X-Cache $media_cache_status; add_header X-Key $media_key;
                add_header Cache-Control private;
            }
            location /said/ { media_root @pics@; media_cache z; media_watermark_force said; }
            location /pass/ { media_pass /origin/; media_cache z; media_watermark_force said; }
            location /origin/ { internal; alias @pics@/; }
            location /nothing/ { media_root @pics@; media_cache z; media_watermark_force nothing; }
        """)


def gray(answer):
    assert answer.status == 200, answer.body
    return numpy.asarray(pictures.decode(answer.body).convert("L")).astype(int)


def as_user(name):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{name[0]}".encode()).decode()}


def written_by_pillow(text, font, width, size):
    """The same text in the middle of a white picture, as Pillow draws it at the size that makes it so wide."""
    large = ImageFont.truetype(f"{FONTS}/{font}", 400)
    mask = Image.new("L", (int(large.getlength(text)) + 400, 800), 255)
    ImageDraw.Draw(mask).text((200, 200), text, font=large, fill=0)
    mask = mask.crop(ImageChops.invert(mask).getbbox())
    height = round(width * mask.height / mask.width)
    page = Image.new("L", size, 255)
    page.paste(mask.resize((width, height), Image.LANCZOS), ((size[0] - width) // 2, (size[1] - height) // 2))
    return numpy.asarray(page).astype(int)


@pytest.mark.parametrize("name, text, font", [("plain", "Hamburg", "DejaVuSans.ttf"),
                                              ("tag", "<b>Ham&amp;</b>", "DejaVuSans.ttf"),
                                              ("file", "Hamburg", "DejaVuSerif-Bold.ttf")])
@pytest.mark.parametrize("width", [400, 160])
def test_looks_like_the_same_text_by_another_hand(nginx, name, text, font, width):
    seen = gray(nginx.get(f"/img/white.png?wm={name}&w={width}&fm=png"))
    wanted = written_by_pillow(text, font, round(width * 0.9), (width, width * 3 // 4))
    # Halves of a pixel are rounded one way or the other.
    assert max(structural_similarity(numpy.roll(seen, by, (0, 1)), wanted, data_range=255)
               for by in itertools.product((-1, 0, 1), repeat=2)) > 0.95
    # It is not blurred: strokes are as dark, paper as bright.
    assert abs((seen < 60).mean() - (wanted < 60).mean()) < 0.02


def test_beside_pictures_and_in_presets(nginx):
    plain, marked = (numpy.asarray(pictures.decode(nginx.get(f"/img/photo.png?{q}&fm=png").body).convert("RGB")).astype(int)
                     for q in ("w=200", "p=marked"))
    assert marked.shape == plain.shape
    box = pictures.changed_box(plain[..., :3], marked[..., :3])
    assert box[0] <= 5 and abs(box[2] - 150) <= 2  # the square at the left, the bar up to three quarters
    bar = (numpy.abs(marked - (0xD0, 0x10, 0x20)).max(axis=2) <= 1).sum(axis=0)
    assert 95 <= (bar > 0).sum() <= 101


def test_pixels_outside_are_untouched(nginx):
    plain, marked = (numpy.asarray(pictures.decode(nginx.get(f"/img/photo.png?w=200&fm=png{q}").body)).astype(int)
                     for q in ("", "&wm=red"))
    left, top, right, bottom = pictures.changed_box(plain, marked, 0)
    assert right - left <= 101
    marked[top:bottom, left:right] = plain[top:bottom, left:right]
    assert (marked == plain).all()


@pytest.mark.parametrize("output", ["gif", "webp"])
def test_every_frame_is_marked(nginx, output):
    seen, _ = pictures.pages(nginx.get(f"/img/anim.gif?wm=red&fm={output}").body)
    assert len(seen) == 4
    for page in seen:
        found = numpy.abs(numpy.asarray(page.convert("RGB")).astype(int) - (0xD0, 0x10, 0x20)).max(axis=2) < 40
        assert found[:30].sum() > 100


def test_tiles(nginx):
    changed = numpy.asarray(pictures.decode(nginx.get("/img/white.png?wm=tiled&v=draft&fm=png").body).convert("RGB"))[..., 0] < 250
    for row in range(3):
        for column in range(3):
            part = changed[row * 100:row * 100 + 100, column * 133:column * 133 + 133]
            assert 0.02 < part.mean() < 0.6, (row, column)


# Whose text


def test_each_user_sees_the_own_text(nginx):
    """Two users, one URL: two renditions, two cache entries, each found again by its user alone."""
    first = {name: nginx.get("/private/white.png?w=200&fm=png", as_user(name)) for name in ("alice", "bob")}
    again = {name: nginx.get("/private/white.png?w=200&fm=png", as_user(name)) for name in ("alice", "bob")}
    assert {a.header("X-Cache") for a in first.values()} == {"MISS"}
    assert {a.header("X-Cache") for a in again.values()} == {"HIT"}
    assert first["alice"].header("X-Key") != first["bob"].header("X-Key")
    assert first["alice"].header("ETag") != first["bob"].header("ETag")
    assert first["alice"].header("Cache-Control") == "private"
    for name in ("alice", "bob"):
        assert first[name].body == again[name].body
        assert name not in first[name].header("X-Key")
    alice, bob = gray(first["alice"]), gray(first["bob"])
    assert (numpy.abs(alice - bob) > 100).any()
    # What one has is of no use to the other.
    conditional = {**as_user("bob"), "If-None-Match": first["alice"].header("ETag")}
    assert nginx.get("/private/white.png?w=200&fm=png", conditional).status == 200
    assert nginx.get("/private/white.png?w=200&fm=png").status == 401


def test_users_at_once(nginx):
    """All at the same moment, on a rendition that nobody has made yet: no lock, no cache mixes them up."""
    texts = [f"user {n}" for n in range(24)]
    answers = client.at_once([lambda t=t: nginx.get("/said/white.png?w=120&fm=png", {"X-Say": t}) for t in texts * 3])
    bodies = {}
    for text, answer in zip(texts * 3, answers):
        assert answer.status in (200, 503), answer.body
        if answer.status == 200:
            bodies.setdefault(text, set()).add(answer.body)
    assert all(len(same) == 1 for same in bodies.values())
    assert len({next(iter(same)) for same in bodies.values()}) == len(bodies) > 4


@pytest.mark.parametrize("place", ["/said/", "/pass/"])
def test_forced_on_the_untouched_original(nginx, place):
    answer = nginx.get(f"{place}white.png", {"X-Say": "mine"})
    assert answer.body != WHITE
    assert (gray(answer) < 100).sum() > 100
    assert nginx.get(f"{place}white.png?p=marked", {"X-Say": "mine"}).status == 200


@pytest.mark.parametrize("place, headers", [("/nothing/", {}), ("/said/", {}), ("/said/", {"X-Say": "\t"}), ("/pass/", {})])
def test_an_empty_text_is_still_a_rendition(nginx, place, headers):
    """Nothing is drawn, and the original's bytes stay out of reach."""
    answer = nginx.get(f"{place}white.png", headers)
    assert (gray(answer) == 255).all()
    assert answer.body != WHITE
    assert answer.header("X-Cache") in ("MISS", "HIT")


HOSTILE = {
    "spaces": b"a b  c", "separators": b"a?b#c&d=e+f:g%00%0a", "markup": b"<span size='999999'>x</span>&lt;&#x41;",
    "broken markup": b"<b>&", "invalid UTF-8": b"a\xff\xfe\xc3(\xe2\x82", "overlong": b"\xc0\xaf\xed\xa0\x80",
    "right to left": "שלום مرحبا".encode(), "overrides": "\u202eabc\u2066def".encode(), "emoji": "😀👨‍👩‍👧 ✓".encode(),
    "no characters": "\ufffe\uffff\U0010ffff".encode(), "controls": b"a\x01\x02\x1b[31m\x7fb", "tab": b"a\tb",
    "line separators": "a\u2028b\u2029c\x85d".encode(), "format": b"%s%n%x%d", "marks": ("a" + "\u0301" * 3000).encode(),
    "joiners": ("\u200d" * 2000 + "x").encode(), "8 KB": b"W" * 8000, "8 KB without a blank": "漢".encode() * 2500,
    "8 KB of lines": "\u2028".encode() * 2500 + b"x", "8 KB of spaces": b"a" + b" " * 7900 + b"b", "8 KB of bytes": b"\xff" * 7900,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [300, 7])
def test_hostile_texts(nginx, name, width):
    """Whatever a client writes is drawn, kept and found again, and stays within the picture."""
    request = b"GET /said/white.png?fm=png&w=%d HTTP/1.1\r\nHost: x\r\nX-Say: %s\r\nConnection: close\r\n\r\n" % (
        width, HOSTILE[name])
    answers = [nginx.raw(request, timeout=20 * SLOW) for _ in range(2)]
    for answer, status in zip(answers, (b"MISS", b"HIT")):
        head, body = answer.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200"), head
        assert b"X-Cache: " + status in head
        key = next(line for line in head.split(b"\r\n") if line.startswith(b"X-Key: "))[7:]
        assert all(33 <= byte < 127 for byte in key) and key.count(b"?") == 1 and key.count(b"#") == 2, key
        assert pictures.decode(body).size == (width, round(width * 3 / 4 + 0.001))
    assert answers[0].split(b"\r\n\r\n", 1)[1] == answers[1].split(b"\r\n\r\n", 1)[1]


def test_long_texts_are_cut(nginx):
    """200 characters count, with an ellipsis for what is missing."""
    def key(text):
        return nginx.get("/said/white.png?fm=png&w=100", {"X-Say": text}).header("X-Key")
    assert key("x" * 201) == key("x" * 5000)
    assert key("x" * 200) != key("x" * 201)
    assert key("x" * 199 + "…".encode().decode("latin-1")) == key("x" * 300)


def test_memory_stays_bounded(nginx):
    """A text of its own for each of many requests, at many sizes."""
    def ask(first, count):
        for n in range(first, first + count):
            answer = nginx.get(f"/said/white.png?w={100 + n % 300}&fm=jpeg", {"X-Say": f"visitor {n * 7919} " + chr(0xC0 + n % 60)})
            assert answer.status == 200
    ask(0, 300)
    before = nginx.rss()
    ask(300, 600)
    if not ASAN:  # which keeps what was freed
        assert nginx.rss() - before < 24 << 20


# Fonts


def test_a_font_file_that_is_broken(own_nginx):
    """nginx -t looks at its first bytes only; whatever comes later is a 500 and a line in the log, never a bare rendition."""
    with open(f"{FONTS}/DejaVuSans.ttf", "rb") as font:
        broken = font.read(2000)
    server = own_nginx(files={"broken.ttf": broken, "white.png": WHITE},
                       http="media_watermark_text a text font=pics/broken.ttf;\nmedia_watermark_text b text color=000;",
                       server="location /img/ { media_root @pics@; }\n"
                              "location /forced/ { media_root @pics@; media_watermark_force a; }")
    for target in ("/img/white.png?wm=a", "/forced/white.png", "/forced/white.png?w=10"):
        assert server.get(target).status == 500
    assert server.get("/img/white.png?wm=b").status == 200
    assert 'watermark "a": the file is no font' in server.log()


def test_without_any_font(own_nginx):
    empty = b'<?xml version="1.0"?><fontconfig></fontconfig>'
    server = own_nginx(files={"fonts.conf": empty, "white.png": WHITE}, main="env FONTCONFIG_FILE=@pics@/fonts.conf;",
                       http="media_watermark_text a text color=000;\n"
                            f"media_watermark_text b text color=000 font={FONTS}/DejaVuSans.ttf;",
                       server="location /img/ { media_root @pics@; }")
    answer = server.get("/img/white.png?wm=a")
    assert answer.status == 500 and b"/" not in answer.json()["detail"].encode()
    assert 'watermark "a": no font is installed' in server.log()
    assert (gray(server.get("/img/white.png?wm=b")) < 100).any()


def test_a_font_file_is_read_with_the_configuration(own_nginx):
    """As root, before the workers are somebody else; what becomes of the file does not matter until the next reload."""
    with open(f"{FONTS}/DejaVuSans.ttf", "rb") as font:
        sans = font.read()
    server = own_nginx(files={"a.ttf": sans, "white.png": WHITE}, user="www-data", http=ZONE + "media_watermark_text a Hamburg font=pics/a.ttf color=000;",
                       server="location /img/ { media_root @pics@; media_cache z; }", start=False)
    (server.pics / "a.ttf").chmod(0o600)
    server.start()
    before = server.get("/img/white.png?wm=a&w=300")
    server.add("a.ttf", sans[:5000])
    after = server.get("/img/white.png?wm=a&w=301")
    assert (before.status, after.status) == (200, 200)
    with open(f"{FONTS}/DejaVuSerif.ttf", "rb") as font:
        server.add("a.ttf", font.read())
    server.reload()
    fresh = server.get("/img/white.png?wm=a&w=300")
    assert fresh.header("X-Cache") == "MISS" and fresh.body != before.body
