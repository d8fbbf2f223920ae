"""Originals that are whole but out of the ordinary: what comes back for each. core/README.md has the same table."""

import functools
from collections import namedtuple

import numpy
import pytest
from PIL import Image

import odd
import pictures
from nginx_server import REPOSITORY
from pictures import BLUE, RED

Case = namedtuple("Case", "make status query size look tolerance",
                  defaults=(200, "w=60&fm=png", (60, 40), (RED, BLUE), 12))
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
GRAY_LEFT, GRAY_RIGHT = (86, 86, 86), (68, 68, 68)  # of red and blue, as Pillow weighs them
SWAPPED = (BLUE, RED)


def size(width, height):
    return pictures.encode(pictures.solid(width, height, RED), "PNG")


def refused(make, status=415):
    return Case(make, status, size=None, look=None)


def whatever(make):
    """Damaged beyond what can be promised: a picture or 422."""
    return Case(make, (200, 422), size=None, look=None)


plain = (RED, RED)
picture = odd.halves()

# What is said of them: {name: case}. The heading and the outcome are those of core/README.md.
TABLE = {
    ("tiny and narrow", "at least one pixel a side"): {
        "1x1": Case(lambda: size(1, 1), size=(1, 1), look=plain),
        "1x40": Case(lambda: size(1, 40), size=(1, 40), look=plain),
        "40x1": Case(lambda: size(40, 1), size=(40, 1), look=plain),
        "40x1, narrower": Case(lambda: size(40, 1), query="w=10&fm=png", size=(10, 1), look=plain),
        "3x5": Case(lambda: size(3, 5), query="w=2&fm=png", size=(2, 3), look=plain),
        "1x1, enlarged": Case(lambda: size(1, 1), query="w=60&enlarge=1&fm=png", size=(60, 60), look=plain),
        "1x1, covered": Case(lambda: size(1, 1), query="w=60&h=10&fit=cover&fm=png", size=(1, 1), look=plain),
        "crop of 0.01%": Case(lambda: size(50, 50), query="crop=0%25,0%25,0.01%25,0.01%25&fm=png", size=(1, 1), look=plain),
        "crop at the last pixel": Case(lambda: size(50, 50), query="crop=49,49,9,9&fm=png", size=(1, 1), look=plain),
        "trim of all": Case(lambda: size(50, 40), query="trim=10&fm=png", size=(50, 40), look=plain),
    },
    ("strips up to 65535 pixels", "at least one pixel a side; 400 where `w`, `h` or the format's own limit is exceeded"): {
        "PNG 65500x1": Case(lambda: odd.strip_png(65500, 1), query="w=100&fm=png", size=(100, 1), look=(BLACK, WHITE)),
        "PNG 65500x20": Case(lambda: odd.strip_png(65500, 20), query="w=100&fm=png", size=(100, 1), look=(BLACK, WHITE)),
        "PNG 65500x20, h": Case(lambda: odd.strip_png(65500, 20), query="h=2&fm=png", size=(6550, 2), look=(BLACK, WHITE)),
        "PNG 1x65500": Case(lambda: odd.strip_png(1, 65500), query="w=100&h=1000&fm=png", size=(1, 1000), look=None),
        "PNG 1x65500, w alone": Case(lambda: odd.strip_png(1, 65500), 400, "w=100&fm=png", None, None),
        "PNG 65500x1, covered": Case(lambda: odd.strip_png(65500, 1), 200, "w=10&h=10&fit=cover&fm=png", (1, 1), None),
        "PNG 65500x1, h=10 covered": Case(lambda: odd.strip_png(65500, 1), 400, "h=10&fit=cover&fm=png", None, None),
        "PNG 65500x1, covered and enlarged": Case(lambda: odd.strip_png(65500, 1), 200, "w=10&h=10&fit=cover&enlarge=1&fm=png",
                                                  (10, 10), None),
        "PNG 65500x1, contained": Case(lambda: odd.strip_png(65500, 1), 200, "w=100&h=100&fit=contain&fm=png", (100, 100), None),
        "PNG 65500x1, filled": Case(lambda: odd.strip_png(65500, 1), 200, "w=50&h=50&fit=fill&fm=png", (50, 1), (BLACK, WHITE)),
        "PNG 65500x1, turned": Case(lambda: odd.strip_png(65500, 1), 200, "rot=90&h=200&fm=png", (1, 200), None),
        "PNG 65500x1, blurred": Case(lambda: odd.strip_png(65500, 1), 200, "w=200&blur=90&fm=png", (200, 1), None),
        "PNG 65500x1, sharpened": Case(lambda: odd.strip_png(65500, 1), 200, "w=200&sharpen=9&fm=png", (200, 1), None),
        "PNG 65500x1, attention": Case(lambda: odd.strip_png(65500, 1), 200, "w=9&h=9&fit=cover&g=attention&fm=png", (1, 1), None),
        "PNG 65500x1, entropy, enlarged": Case(lambda: odd.strip_png(65500, 1), 200,
                                               "w=9&h=9&fit=cover&g=entropy&enlarge=1&fm=png", (9, 9), None),
        "JPEG 65500x1": Case(lambda: odd.jpeg(odd.halves(65500, 1)), query="w=100&fm=png", size=(100, 1)),
        "JPEG 65500x20": Case(lambda: odd.jpeg(odd.halves(65500, 20)), query="w=100&fm=png", size=(100, 1)),
        "JPEG 1x65500": Case(lambda: odd.jpeg(odd.halves(1, 65500)), query="h=100&fm=png", size=(1, 100), look=(BLUE, BLUE)),
        "JPEG 65500x1 as WebP": Case(lambda: odd.jpeg(odd.halves(65500, 1)), 400, "fm=webp", None, None),
    },
    ("bits and bands", "8 bits, with alpha where there was some"): {
        "PNG of gray and alpha": Case(lambda: odd.png(picture.convert("LA")), look=(GRAY_LEFT, GRAY_RIGHT)),
        "PNG of one bit": Case(lambda: odd.png(odd.halves(left=WHITE, right=BLACK).convert("1")), look=(WHITE, BLACK)),
        "PNG of 16 bits": Case(lambda: pictures.png_16_bit(picture)),
        "PNG of 16 bits, gray": Case(lambda: pictures.png_16_bit(picture.convert("L")), look=(GRAY_LEFT, GRAY_RIGHT)),
        "PNG of a palette": Case(lambda: odd.png(picture.convert("P", palette=Image.ADAPTIVE))),
        "PNG, interlaced": Case(odd.adam7, query="w=4&fm=png", size=(4, 4), look=plain),
        "APNG": Case(odd.apng),
        "TIFF of one bit": Case(lambda: odd.vips(odd.halves(left=BLACK, right=WHITE), "tiff", "[bitdepth=1]", ("colourspace", "b-w")),
                                look=(BLACK, WHITE)),
        "TIFF of one bit, 0 is white": Case(odd.min_is_white, look=(BLACK, WHITE)),
        "TIFF of 16 bits": Case(lambda: odd.vips(picture, "tiff", "", ("colourspace", "rgb16"))),
        "TIFF in Lab": Case(lambda: odd.vips(picture, "tiff", "", ("colourspace", "lab"))),
        "TIFF in Lab, 16 bits": Case(lambda: odd.vips(picture, "tiff", "", ("colourspace", "labs"))),
        "TIFF in XYZ": Case(lambda: odd.vips(picture, "tiff", "", ("colourspace", "xyz"))),
        "TIFF of floats (scRGB)": Case(lambda: odd.vips(picture, "tiff", "", ("colourspace", "scrgb"))),
        "TIFF in CMYK": Case(lambda: odd.encode(picture.convert("CMYK"), "TIFF"), look=None),
    },
    ("JPEG of every kind", "the picture; 422 for what libjpeg does not decode (12 bits, lossless)"): {
        "progressive": Case(lambda: odd.jpeg(progressive=True)),
        "gray": Case(lambda: odd.jpeg(picture.convert("L")), look=(GRAY_LEFT, GRAY_RIGHT)),
        "4:4:4": Case(lambda: odd.jpeg(subsampling=0)),
        "4:2:2": Case(lambda: odd.jpeg(subsampling=1)),
        "4:1:1": Case(lambda: odd.sampled(4, 1), size=(60, 43), look=((128,) * 3,) * 2),
        "4:4:0": Case(lambda: odd.sampled(1, 2), size=(60, 43), look=((128,) * 3,) * 2),
        "4:1:0": Case(lambda: odd.sampled(4, 2), size=(60, 43), look=((128,) * 3,) * 2),
        "3 to 1": Case(lambda: odd.sampled(3, 1), size=(60, 43), look=((128,) * 3,) * 2),
        "restart markers": Case(lambda: odd.jpeg(restart_marker_blocks=1)),
        "garbage behind its end": Case(lambda: odd.jpeg() + pictures.noise(5000)),
        "without its end": Case(lambda: odd.without_end(odd.jpeg())),
        "several in one (MPO)": Case(odd.mpo),
        "Adobe's inverted CMYK": Case(odd.adobe_cmyk, look=None),
        "12 bits": refused(odd.twelve_bits, 422),
        "lossless process": refused(odd.lossless_process, 422),
        "arithmetic coding that is none": whatever(odd.arithmetic),
    },
    ("EXIF that lies", "the picture as its own header has it; an orientation that does not exist is none"): {
        **{f"orientation {value}": Case(functools.partial(odd.oriented, value)) for value in (0, 1, 9, 255, 65535)},
        "orientation 6": Case(lambda: odd.oriented(6), size=(60, 90), look=None),
        "orientation 2": Case(lambda: odd.oriented(2), look=SWAPPED),
        "orientation 2, big-endian": Case(lambda: odd.oriented(2, ">"), look=SWAPPED),
        "orientation of another type": Case(lambda: odd.oriented(3, kind=7), look=None),
        "9999x9999": Case(odd.lying_exif),
        "a thumbnail larger than the picture": Case(odd.large_thumbnail),
        "a directory cut off": Case(lambda: odd.with_segment(odd.jpeg(), 0xE1, odd.exif([(0x112, 3, 1, b"\6\0\0\0")], count=500)),
                                    size=None, look=None),
        "a directory that follows itself": Case(lambda: odd.with_segment(odd.jpeg(), 0xE1, odd.exif([], following=8))),
        "a directory in itself": Case(lambda: odd.with_segment(odd.jpeg(), 0xE1, odd.exif([(0x8769, 4, 1, b"\x08\0\0\0")]))),
        "nothing but its name": Case(lambda: odd.with_segment(odd.jpeg(), 0xE1, b"Exif\0\0")),
        "half a name": Case(lambda: odd.with_segment(odd.jpeg(), 0xE1, b"Ex")),
        "in WebP": Case(odd.webp_with_orientation, size=(60, 90), look=None),
        "in lossless WebP": Case(lambda: odd.webp_with_orientation(2, True), look=SWAPPED),
    },
    ("broken or unfitting colour profiles", "taken for sRGB"): {
        **{f"{form}, {name}": Case(functools.partial(odd.with_profile, profile, form))
           for form in ("JPEG", "PNG", "TIFF", "WEBP")
           for name, profile in (("cut off", odd.SRGB[:200]), ("3 bytes", b"abc"), ("in Lab", odd.LAB),
                                 ("zeros", bytes(600)), ("noise", pictures.noise(3000)))},
        "gray JPEG with one of RGB": Case(lambda: odd.with_profile(odd.SRGB, picture=picture.convert("L")),
                                          look=(GRAY_LEFT, GRAY_RIGHT)),
    },
    ("TIFF of every kind", "the page asked for (the first one by default)"): {
        **{f"{compression}": Case(functools.partial(odd.tiff, compression=compression))
           for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg", "tiff_adobe_deflate")},
        **{name: Case(functools.partial(odd.vips, picture, "tiff", options)) for name, options in {
            "tiles": "[tile,tile-width=32,tile-height=16]", "BigTIFF": "[bigtiff]", "a pyramid": "[tile,pyramid,tile-width=16,"
            "tile-height=16]", "JPEG in tiles": "[tile,compression=jpeg,Q=95]", "LZW with a predictor":
            "[compression=lzw,predictor=horizontal]", "WebP within": "[tile,compression=webp,Q=95]"}.items()},
        "pages of different sizes": Case(odd.pages_of_different_sizes),
        "its second page": Case(odd.pages_of_different_sizes, query="page=1&fm=png", size=(60, 90)),
        "all of them": Case(odd.pages_of_different_sizes, 422, "n=3&fm=tiff", None, None),
        "as many as there are, of different sizes": Case(odd.pages_of_different_sizes, query="n=-1&fm=tiff&w=60"),
    },
    ("GIF of every kind", "the picture; 422 without a frame"): {
        "no global palette": Case(lambda: odd.gif([((0, 0, 60, 80), 0, 0, 0)], own_palette=True), size=(60, 40), look=None),
        "no frame": refused(lambda: odd.gif([]), 422),
        "version 87a": Case(lambda: pictures.encode(picture, "GIF").replace(b"GIF89a", b"GIF87a")),
        "interlaced": Case(lambda: pictures.encode(picture, "GIF", interlace=1)),
        "a frame smaller than the screen": Case(lambda: odd.gif([((60, 0, 60, 80), 1, 0, 0)]), look=((0, 0, 0), BLUE)),
        "a frame beyond the screen": Case(lambda: odd.gif([((60, 0, 120, 80), 1, 0, 0)]), size=(60, 27), look=None),
        "a screen of 0x0": Case(lambda: odd.gif([((0, 0, 120, 80), 1, 0, 0)], screen=(0, 0)), look=(BLUE, BLUE)),
    },
    ("not read", "415"): {
        "BMP": refused(lambda: odd.pillow("BMP")), "ICO": refused(lambda: odd.pillow("ICO")), "TGA": refused(lambda: odd.pillow("TGA")),
        "JPEG 2000": refused(lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100)), "Photoshop": refused(lambda: odd.PSD),
        "PPM": refused(lambda: odd.pillow("PPM")), "Radiance": refused(odd.hdr), "OpenEXR": refused(lambda: odd.EXR),
        "PCX": refused(lambda: odd.pillow("PCX")), "DDS": refused(lambda: b"DDS " + bytes(124)),
        "a TIFF of another version": refused(lambda: b"II\x55\0\x08\0\0\0" + bytes(50)),
    },
}
CASES = {f"{heading}: {name}": case for (heading, _), cases in TABLE.items() for name, case in cases.items()}


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(server="location /img/ { media_root @pics@; }", files={"good.png": odd.png()})


@pytest.mark.parametrize("name", CASES)
def test_odd_original(nginx, name):
    case = CASES[name]
    nginx.add("odd.bin", case.make())
    workers = {p.pid for p in nginx.workers()}
    answer = nginx.get(f"/img/odd.bin?{case.query}")
    assert {p.pid for p in nginx.workers()} == workers
    assert answer.status in (case.status if isinstance(case.status, tuple) else (case.status,)), (answer.status, answer.body[:200])
    if answer.status != 200:
        assert answer.type == "application/problem+json"
        return
    seen = pictures.decode(answer.body).convert("RGB")
    if case.size:
        assert seen.size == case.size
    for x, wanted in zip((0.2, 0.8), case.look or ()):
        middle = seen.getpixel((int(seen.width * x), seen.height // 2))
        assert pictures.close(middle, wanted, case.tolerance), (x, middle, wanted)


def test_the_table_is_documented():
    text = (REPOSITORY / "core" / "README.md").read_text()
    for heading, outcome in TABLE:
        assert f"| {heading} | {outcome} |" in text


def test_one_colour_of_16_bits_is_transparent(nginx):
    nginx.add("trns.png", odd.transparent_16_bit())
    seen = numpy.asarray(pictures.decode(nginx.get("/img/trns.png?fm=png").body).convert("RGBA"))
    assert (seen[:, :20, 3] == 255).all() and (seen[:, 20:, 3] == 0).all()
    assert abs(seen[10, 5, :3].astype(int) - (0x12, 0x45, 0x89)).max() <= 1


@pytest.mark.parametrize("inverted, marker", [(True, True), (False, True)])
def test_cmyk_with_adobes_marker(nginx, inverted, marker):
    nginx.add("cmyk.jpg", odd.adobe_cmyk(inverted, marker))
    seen = pictures.decode(nginx.get("/img/cmyk.jpg?w=60&fm=png").body).convert("RGB")
    left, right = seen.getpixel((10, 20)), seen.getpixel((50, 20))
    if inverted:
        assert left[0] > 180 and max(left[1:]) < 90 and right[2] > 90 and max(right[:2]) < 90
    else:
        assert left[0] < 90 and right[2] < 120


@pytest.mark.parametrize("width, height", [(1, 65500), (65500, 1), (3, 7), (2, 9000), (9000, 2), (1, 1)])
def test_no_side_ever_becomes_0(nginx, width, height):
    """Extreme ratios under every fit: a pixel at least, or a 400 that names what is too much."""
    nginx.add("strip.png", pictures.encode(pictures.solid(width, height, RED, "L" if max(width, height) > 99 else "RGB")
                                           if max(width, height) <= 99 else Image.new("L", (width, height), 90), "PNG"))
    for query in ["w=1", "h=1", "w=1&h=1", "w=100", "h=10", "w=7&h=3"] + [
            f"w={w}&h={h}&fit={fit}{enlarge}" for w, h in ((1, 1), (100, 1), (1, 100), (33, 44))
            for fit in ("inside", "outside", "cover", "contain", "fill") for enlarge in ("", "&enlarge=1")] + [
            "crop=0,0,1,1&w=5", "crop=0.01%25,0.01%25,0.01%25,0.01%25", "w=1&dpr=0.5", "h=2&rot=90&round=max",
            "w=1&h=1&fit=cover&g=attention", "w=3&h=3&fit=cover&g=fp&fx=1&fy=1", "trim=200&w=1"]:
        answer = nginx.get(f"/img/strip.png?{query}&fm=png")
        assert answer.status in (200, 400), (query, answer.body)
        if answer.status == 200:
            assert min(pictures.decode(answer.body).size) >= 1
        else:
            assert answer.json()["detail"], query
