"""Input that means harm: a clear answer, in bounded time and memory, and the next request is fine."""

import os
import time

import pytest

import client
import origin as o
import pictures
from nginx_server import ASAN, SLOW

PICTURE = pictures.encode(pictures.gradient(300, 200), "JPEG")
PNG = pictures.encode(pictures.gradient(300, 200), "PNG")
WEBP = pictures.encode(pictures.gradient(300, 200), "WEBP")
GIF = pictures.animation("GIF")
TIFF = pictures.encode(pictures.gradient(300, 200), "TIFF")


@pytest.fixture(scope="module")
def nginx(make_nginx):
    server = make_nginx(http="""
        media_cache_path @cache@ keys_zone=z:2m;
        media_threads 2 queue=100;
        """, server="""
        location /img/ { media_root @pics@; media_cache z; }
        location /pass/ { media_pass /files/; media_cache z; }
        location /files/ { internal; alias @pics@/; }
        location /documents/ { media_root @pics@; media_input svg pdf jpeg; }
        location /fewpixels/ { media_root @pics@; media_max_source_pixels 1m; }
        location /moreframes/ { media_root @pics@; media_max_source_pixels 1m; media_max_frames 512; }
        location /hasty/ { media_root @pics@; media_timeout 1s; }
        """, files={"good.jpg": PICTURE})
    assert server.get("/img/good.jpg?w=10").status == 200
    return server


@pytest.fixture(autouse=True)
def alive(nginx):
    """Whatever was asked: the same workers answer the next request."""
    before = sorted(p.pid for p in nginx.workers())
    yield
    assert nginx.get(f"/img/good.jpg?w=30&v={time.monotonic_ns()}").status == 200
    assert sorted(p.pid for p in nginx.workers()) == before


# name: (file name, content, statuses allowed). One status wherever the contract leaves no choice.
BAD = {
    "empty": ("a.jpg", lambda: b"", {415}),
    "one byte": ("a.jpg", lambda: b"\xff", {415}),
    "random bytes": ("a.jpg", lambda: pictures.noise(50_000), {415}),
    "zeros": ("a.png", lambda: bytes(50_000), {415}),
    "HTML": ("a.jpg", lambda: pictures.HTML, {415}),
    "SVG": ("a.svg", lambda: pictures.SVG, {415}),
    "SVG named PNG": ("a.png", lambda: pictures.SVG, {415}),
    "PDF": ("a.pdf", lambda: pictures.PDF, {415}),
    "PostScript": ("a.jpg", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", {415}),
    "ImageMagick script": ("a.jpg", lambda: b"push graphic-context\nimage over 0,0 0,0 'label:@/etc/passwd'\n"
                                            b"pop graphic-context\n", {415}),
    "Netpbm": ("a.jpg", lambda: b"P6 2 2 255\n" + bytes(12), {415}),
    "BMP": ("a.jpg", lambda: pictures.encode(pictures.gradient(60, 40), "BMP"), {415}),
    "Windows icon": ("a.ico", lambda: pictures.encode(pictures.gradient(32, 32), "ICO"), {415}),
    "zip": ("a.jpg", lambda: pictures.with_zip_behind(b""), {415}),
    "start of a JPEG": ("a.jpg", lambda: b"\xff\xd8\xff\xe0", {415, 422}),
    "start of a PNG": ("a.png", lambda: PNG[:8], {415, 422}),
    "start of a GIF": ("a.gif", lambda: b"GIF89a", {415, 422}),
    "start of a WebP": ("a.webp", lambda: WEBP[:16], {415, 422}),
    "half a JPEG": ("a.jpg", lambda: PICTURE[:len(PICTURE) // 2], {422}),
    "JPEG without its last 100 bytes": ("a.jpg", lambda: PICTURE[:-100], {422}),
    "half a progressive JPEG": ("a.jpg", lambda: pictures.photograph("GreenMeadow").read_bytes()[:90_000], {422}),
    "half a PNG": ("a.png", lambda: PNG[:len(PNG) // 2], {422}),
    "half a WebP": ("a.webp", lambda: WEBP[:len(WEBP) // 2], {422}),
    "half a GIF": ("a.gif", lambda: GIF[:300], {422}),
    "half a TIFF": ("a.tiff", lambda: TIFF[:len(TIFF) // 2], {422}),
    "JPEG header only": ("a.jpg", lambda: PICTURE[:PICTURE.index(b"\xff\xda")], {422}),
    "PNG without pixels": ("a.png", lambda: pictures.png_bytes(100, 100, 8, 2, b""), {422}),
    "PNG of 0x0": ("a.png", lambda: pictures.png_bytes(0, 0, 8, 2, b""), {422}),
    "PNG with a bad checksum": ("a.png", lambda: pictures.png_bytes(9, 9, 8, 2, bytes(9 * 28), crc_error=True), {422}),
    "PNG with garbage for pixels": ("a.png", lambda: pictures.png_bytes(99, 99, 8, 2, b"",
                                                                        compressed=pictures.noise(5000)), {422}),
    "PNG of 30000x30000": ("a.png", lambda: pictures.huge_png(), {422}),
    "PNG of 30000x30000, whole": ("a.png", lambda: pictures.huge_png(whole=True), {422}),
    "PNG of 1x100000001": ("a.png", lambda: pictures.huge_png(1, 100_000_001), {422}),
    "PNG of 2^31 sides": ("a.png", lambda: pictures.huge_png(2**31 - 1, 2**31 - 1), {422}),
    "PNG of 10001x10000": ("a.png", lambda: pictures.huge_png(10001, 10000), {422}),
    "JPEG of 65500x65500": ("a.jpg", pictures.huge_jpeg, {422}),
    "GIF of 65535x65535": ("a.gif", pictures.huge_gif, {422}),
    "WebP of 16383x16383": ("a.webp", pictures.huge_webp, {422}),
    "GIF header and JavaScript": ("a.gif", lambda: b"GIF89a/*" + b"x" * 100 + b"*/=1;alert(1)//", {415, 422}),
    "TIFF directory in the void": ("a.tiff", lambda: b"II*\0\xff\xff\xff\x7f" + bytes(100), {422}),
    "HEIF of nonsense": ("a.heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + pictures.noise(3000), {422}),
    "AVIF of nonsense": ("a.avif", lambda: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + pictures.noise(3000), {422}),
    "JPEG XL of nonsense": ("a.jxl", lambda: b"\xff\x0a" + pictures.noise(3000), {415, 422}),
}


@pytest.mark.parametrize("location", ["img", "pass"])
@pytest.mark.parametrize("name", BAD)
def test_bad_input(nginx, name, location):
    file, content, statuses = BAD[name]
    nginx.add(file, content())
    before = nginx.cpu()
    answer = nginx.get(f"/{location}/{file}?w=100&v={abs(hash(name))}")
    assert answer.status in statuses, (answer.status, answer.body[:300])
    assert answer.type == "application/problem+json"
    assert nginx.cpu() - before < 2 * SLOW


@pytest.mark.parametrize("name, content", [
    ("JPEG with a zip behind", lambda: pictures.with_zip_behind(PICTURE)),
    ("PNG with HTML behind", lambda: PNG + pictures.HTML),
    ("GIF with HTML behind", lambda: GIF + pictures.HTML),
    ("JPEG with HTML in a comment", lambda: pictures.encode(pictures.gradient(), "JPEG", comment=pictures.HTML)),
    ("PNG with HTML in a text", lambda: PNG[:33] + pictures.png_chunk(b"tEXt", b"Comment\0" + pictures.HTML) + PNG[33:]),
])
@pytest.mark.parametrize("fm", ["", "&fm=jpeg", "&fm=png", "&fm=webp"])
def test_polyglot_is_a_picture_afterwards(nginx, name, content, fm):
    nginx.add("poly.jpg", content())
    answer = nginx.get(f"/img/poly.jpg?w=100{fm}&v={abs(hash(name))}")
    assert answer.status == 200
    assert pictures.decode(answer.body).size[0] == 100
    for trace in (b"PK\x03\x04", b"script", b"evil"):
        assert trace not in answer.body


def test_name_that_lies(nginx):
    """A PNG named .jpg is a PNG; what the name says does not matter."""
    nginx.add("lie.jpg", PNG)
    answer = nginx.get("/img/lie.jpg?w=100")
    assert (answer.status, answer.type) == (200, "image/png")


def test_animation_of_1000_frames(nginx):
    """Its first 256 frames, at a bounded price."""
    nginx.add("long.gif", pictures.long_animation())
    before = nginx.cpu()
    answer = nginx.get("/img/long.gif?w=32")
    assert answer.status == 200
    seen, _ = pictures.pages(answer.body)
    assert len(seen) == 256
    assert nginx.cpu() - before < 8 * SLOW


@pytest.mark.parametrize("location, status", [("fewpixels", 200), ("moreframes", 422)])
def test_frames_beyond_the_limit_do_not_count_as_pixels(nginx, location, status):
    """1000 frames of 64x48 are 3.1 megapixels; the first 256 are 0.8, the first 512 are 1.6."""
    nginx.add("counted.gif", pictures.long_animation())
    answer = nginx.get(f"/{location}/counted.gif?w=16")
    assert answer.status == status
    if status == 200:
        assert len(pictures.pages(answer.body)[0]) == 256


def test_jpeg_of_many_scans(nginx):
    """150 KB that cost seconds of CPU: media_timeout has the last word, where what the scans say is wanted at all."""
    nginx.add("scans.jpg", pictures.many_scans_jpeg())
    before = nginx.cpu()
    answer = nginx.get("/hasty/scans.jpg?w=1600")
    assert answer.status in (504, 422)
    assert nginx.cpu() - before < 3 * SLOW
    assert nginx.get("/hasty/scans.jpg?w=100").status == 200


def test_comment_that_unpacks_to_much(nginx):
    before = nginx.peak_rss()
    nginx.add("text.png", pictures.text_bomb_png())
    answer = nginx.get("/img/text.png?w=1")
    assert answer.status in (200, 422)
    if not ASAN:
        assert nginx.peak_rss() - before < 100 << 20


def test_directory_that_names_itself(nginx):
    nginx.add("loop.tiff", pictures.tiff_loop())
    before = nginx.cpu()
    answer = nginx.get("/img/loop.tiff?w=8")
    assert answer.status in (200, 422)
    assert nginx.cpu() - before < 5 * SLOW


@pytest.mark.parametrize("name", ["a.svg", "a.pdf"])
def test_documents_reach_nothing(nginx, name):
    """Where an operator allows them: no file of the server comes through."""
    nginx.add(name, pictures.SVG if name.endswith("svg") else pictures.PDF)
    answer = nginx.get(f"/documents/{name}?w=50")
    assert answer.status in (200, 415, 422)
    if answer.status == 200:
        assert pictures.sniff(answer.body) == "png"


@pytest.mark.parametrize("target", [
    "w=8192&h=8192&fit=contain", "w=8192&h=8192&fit=fill&enlarge=1", "w=8192&enlarge=1&fm=png",
    "w=1&h=8192&fit=fill&enlarge=1"])
def test_expensive_requests(nginx, target):
    """As large as the limits allow: a rendition or a deadline."""
    before = nginx.cpu()
    answer = nginx.get(f"/img/good.jpg?{target}")
    assert answer.status in (200, 504)
    assert nginx.cpu() - before < 15 * SLOW


@pytest.mark.parametrize("query", [
    "&".join(f"a{i}=1" for i in range(500)), "w=" + "1" * 3000, "p=" + ",".join(["x"] * 1000), "=" * 500,
    "%" * 500, "w=1" + "&h=1" * 300, "wm=" + "," * 500],
    ids=["many", "long", "presets", "equals", "percents", "repeated", "watermarks"])
def test_hostile_queries(nginx, query):
    assert nginx.get("/img/good.jpg?" + query).status == 400


FORMATS = {"jpeg": PICTURE, "progressive": pictures.encode(pictures.gradient(300, 200), "JPEG", progressive=True),
           "png": PNG, "gif": GIF, "webp": WEBP, "awebp": pictures.animation("WEBP"), "tiff": TIFF,
           "palette": pictures.palette_png(), "cmyk": pictures.cmyk_jpeg(), "exif": pictures.oriented(6)}


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_pictures(nginx, form):
    """Damage of every kind: a rendition or a clear 4xx, never a 5xx, never a dead worker."""
    seconds = float(os.environ.get("MEDIA_FUZZ_SECONDS", 0)) / len(FORMATS)
    seed = int.from_bytes(os.urandom(4), "big") if seconds else 1
    end = time.monotonic() + seconds
    count = 24 // (2 if ASAN else 1)
    while True:
        for i in range(count):
            nginx.add(f"damaged-{i}.bin", pictures.mutated(FORMATS[form], f"{form}{seed}-{i}"))
        answers = client.at_once([lambda i=i: nginx.get(f"/img/damaged-{i}.bin?w=50&fm=png&v={seed}")
                                  for i in range(count)], 4)
        for i, answer in enumerate(answers):
            assert answer.status in (200, 415, 422), f"damage {form}{seed}-{i}: {answer.status}"
            if answer.status == 200:
                assert pictures.sniff(answer.body) == "png"
        seed += 1
        if time.monotonic() >= end:
            break


@pytest.mark.skipif(ASAN, reason="a sanitizer needs memory of its own")
def test_memory_stays_bounded(nginx):
    """After all of the above, and all of it again at once."""
    calls = []
    for number, (name, (file, content, _)) in enumerate(BAD.items()):
        nginx.add(f"m{number}-{file}", content())
        calls.append(lambda t=f"/img/m{number}-{file}?w=101": nginx.get(t).status)
    assert all(status in (415, 422) for status in client.at_once(calls, 16))
    assert nginx.peak_rss() < 900 << 20, f"{nginx.peak_rss() >> 20} MB"
