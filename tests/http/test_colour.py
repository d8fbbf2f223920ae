"""Colours and metadata: what a profile says, what inks look like, and what strip leaves."""

import io
import json
import struct
import subprocess

import numpy
import pytest
from PIL import Image, ImageCms

import odd
import pictures

COLOURS = [(200, 60, 40), (40, 160, 70), (60, 80, 200), (128, 128, 128), (240, 230, 90), (10, 10, 10)]
SRGB = ImageCms.createProfile("sRGB")


def matrix_profile(primaries, white, gamma):
    """An ICC v2 profile by hand (ICC.1:2001-04, section 6.3.1.2): primaries as xy, white D65 adapted to D50 by Bradford."""
    def xyz(x, y):
        return numpy.array([x / y, 1, (1 - x - y) / y])
    columns = numpy.array([xyz(*p) for p in primaries]).T
    columns = columns * numpy.linalg.solve(columns, xyz(*white))
    bradford = numpy.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50 = numpy.array([0.9642, 1.0, 0.8249])
    gain = (bradford @ d50) / (bradford @ xyz(*white))
    columns = numpy.linalg.inv(bradford) @ numpy.diag(gain) @ bradford @ columns

    def fixed(values):
        return b"".join(struct.pack(">i", round(v * 65536)) for v in values)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"A wide one\0"
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78), b"cprt": b"text\0\0\0\0none\0\0\0\0",
            b"wtpt": b"XYZ \0\0\0\0" + fixed(d50), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    for letter, column in zip(b"rgb", columns.T):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(column)
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        body += bytes(-len(body) % 4)
        table += tag + struct.pack(">II", at + len(data), len(body))
        data += body
    header = struct.pack(">I4sI4s4s4s", at + len(data), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp" \
        + bytes(28) + fixed(d50) + bytes(48)
    assert len(header) == 128
    return header + struct.pack(">I", len(tags)) + table + data


D65 = (0.3127, 0.3290)
WIDE = {"Display P3": matrix_profile(((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65, 2.2),
        "Adobe RGB": matrix_profile(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65, 2.19921875),
        "ProPhoto-like": matrix_profile(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (0.3457, 0.3585), 1.8)}


def swatches(mode="RGB"):
    picture = Image.new("RGB", (30 * len(COLOURS), 30))
    for i, colour in enumerate(COLOURS):
        picture.paste(colour, (30 * i, 0, 30 * i + 30, 30))
    return picture.convert(mode)


def seen_swatches(body):
    picture = pictures.decode(body).convert("RGB")
    assert picture.size == (30 * len(COLOURS), 30)
    return [picture.getpixel((30 * i + 15, 15)) for i in range(len(COLOURS))]


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(server="location /img/ { media_root @pics@; }", http="""
        media_watermark mark @pics@/mark.png;""", files={"mark.png": pictures.encode(pictures.solid(9, 9, (1, 2, 3)), "PNG")})


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("name", WIDE)
def test_wide_profiles_become_srgb(nginx, name, form):
    """Within 5 of 255 of what LittleCMS makes of it here; 10 after a lossy original. Both differ from the bare numbers."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(WIDE[name]))
    wanted = ImageCms.profileToProfile(swatches(), profile, SRGB, renderingIntent=0)
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"quality": 100}}.get(form, {})
    nginx.add("wide", pictures.encode(swatches(), form, icc_profile=WIDE[name], **options))
    body = nginx.get("/img/wide?fm=png").body
    assert b"iCCP" not in body
    tolerance = 10 if form in ("JPEG", "WEBP") else 5
    seen = seen_swatches(body)
    for i, colour in enumerate(seen):
        assert pictures.close(colour, wanted.getpixel((30 * i + 15, 15)), tolerance), (name, COLOURS[i], colour)
    assert not pictures.close(seen[0], COLOURS[0], 8)


@pytest.mark.parametrize("query", ["w=90&fm=png", "fm=jpeg&q=98", "fm=webp&lossless=1", "fm=png&strip=none", "fm=tiff&strip=none",
                                   "fm=png&wm=mark"])
def test_no_profile_is_left(nginx, query):
    """Whatever is kept else: pixels are sRGB, and nothing says otherwise."""
    nginx.add("wide.png", pictures.encode(swatches(), "PNG", icc_profile=WIDE["Display P3"]))
    picture = pictures.decode(nginx.get("/img/wide.png?" + query).body)
    assert picture.info.get("icc_profile") is None
    assert picture.convert("RGB").getpixel((15 * picture.width // 180, 15 * picture.height // 30))[0] > 205


def test_an_srgb_profile_changes_nothing(nginx):
    nginx.add("srgb.png", pictures.encode(swatches(), "PNG", icc_profile=ImageCms.ImageCmsProfile(SRGB).tobytes()))
    for seen, wanted in zip(seen_swatches(nginx.get("/img/srgb.png?fm=png").body), COLOURS):
        assert pictures.close(seen, wanted, 1)


INKS = [((0, 0, 0, 0), (255, 255, 255), 12), ((0, 0, 0, 255), (35, 31, 32), 30), ((0, 255, 255, 0), (237, 28, 36), 40),
        ((255, 0, 255, 0), (0, 166, 81), 60), ((255, 255, 0, 0), (46, 49, 146), 50), ((255, 0, 0, 0), (0, 174, 239), 60),
        ((0, 255, 0, 0), (236, 0, 140), 50), ((0, 0, 255, 0), (255, 242, 0), 40)]  # as press inks look


@pytest.mark.parametrize("kind", ["JPEG inverted by Adobe", "TIFF", "TIFF LZW"])
def test_inks(nginx, kind):
    """CMYK without a profile: the colours of offset inks, within 12 (paper) to 60."""
    array = numpy.repeat(numpy.repeat(numpy.array([ink for ink, _, _ in INKS], numpy.uint8)[None], 30, 0), 30, 1)
    picture = Image.fromarray(array, "CMYK")
    nginx.add("inks", pictures.encode(picture, "JPEG", quality=98) if "JPEG" in kind else
              pictures.encode(picture, "TIFF", compression="tiff_lzw" if "LZW" in kind else None))
    seen = pictures.decode(nginx.get("/img/inks?fm=png").body).convert("RGB")
    for i, (ink, wanted, tolerance) in enumerate(INKS):
        assert pictures.close(seen.getpixel((30 * i + 15, 15)), wanted, tolerance), (ink, seen.getpixel((30 * i + 15, 15)))


def test_16_bit_colours_are_rounded(nginx):
    """257 x the 8-bit value, and half a step around it."""
    rows = b""
    for _ in range(4):
        rows += b"\0" + b"".join(struct.pack(">HHH", *(v * 257 + d for v in (10, 100, 250))) for d in (-100, 0, 100) for _ in range(8))
    nginx.add("16.png", pictures.png_bytes(24, 4, 16, 2, rows))
    seen = numpy.asarray(pictures.decode(nginx.get("/img/16.png?fm=png").body).convert("RGB")).astype(int)
    assert numpy.abs(seen - (10, 100, 250)).max() <= 1


@pytest.mark.parametrize("mode, colours", [("LA", [(76, 255), (30, 0), (200, 128)]), ("L", [(76,), (30,), (200,)]), ("1", [(0,), (255,), (0,)]),
                                           ("P", [(200, 10, 10, 255), (0, 0, 0, 0), (10, 200, 10, 255)])])
def test_modes(nginx, mode, colours):
    """Every pixel exactly, as PNG without resizing."""
    picture = Image.new("RGBA" if mode == "P" else mode, (30, 10))
    for i, colour in enumerate(colours):
        picture.paste(colour if len(colour) > 1 else colour[0], (10 * i, 0, 10 * i + 10, 10))
    wanted = numpy.asarray(picture.convert("RGBA")).astype(int)
    nginx.add("mode.png", pictures.encode(picture.quantize() if mode == "P" else picture, "PNG"))
    seen = numpy.asarray(pictures.decode(nginx.get("/img/mode.png?fm=png").body).convert("RGBA")).astype(int)
    visible = wanted[..., 3:] > 0
    assert numpy.abs(numpy.where(visible, seen - wanted, 0)).max() <= 1
    assert (seen[..., 3] == wanted[..., 3]).all()


# Metadata

XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:drone="http://example.com/drone/" photoshop:Credit="Kept credit"
 exif:GPSLatitude="52,31.2N" exif:GPSLongitude="13,24.6E" drone:GpsLongtitude="13.41"><exif:GPSAltitude>40/1</exif:GPSAltitude>
 </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def described(form="JPEG"):
    exif = Image.Exif()
    exif[0x8298], exif[0x010F], exif[0x0112] = "Kept copyright", "Kept maker", 1
    exif[0x8769] = {0x9003: "2020:02:02 02:02:02"}
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)}
    # What Pillow does not write itself:
    body = pictures.encode(pictures.gradient(60, 40), form, exif=exif.tobytes(), **({"xmp": XMP} if form == "WEBP" else {}))
    return odd.with_segment(body, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP) if form == "JPEG" else body


def read_back(body):
    """What exiftool finds, by group and name."""
    done = subprocess.run(["exiftool", "-json", "-G1", "-n", "-a", "-"], input=body, capture_output=True, check=True, timeout=60)
    found = json.loads(done.stdout)[0]
    return {k: v for k, v in found.items() if k.split(":")[0] not in ("File", "System", "ExifTool", "Composite")}


def test_what_is_read_back_is_there(nginx):
    found = read_back(described())
    assert found["GPS:GPSLatitude"] > 52 and found["IFD0:Copyright"] == "Kept copyright"
    assert "XMP-exif:GPSLatitude" in found and found["XMP-photoshop:Credit"] == "Kept credit"


FORMATS = ["jpeg", "png", "webp", "avif", "tiff", "jxl", "gif"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("original", ["JPEG", "WEBP"])
@pytest.mark.parametrize("strip", ["", "all", "gps", "none"])
def test_strip(nginx, form, original, strip):
    nginx.add("described", described(original))
    answer = nginx.get(f"/img/described?w=30&fm={form}" + (f"&strip={strip}" if strip else ""))
    if form == "jxl" and answer.status == 415:
        pytest.skip("this libvips was built without JPEG XL")
    found = read_back(answer.body)
    text = json.dumps(found)
    keeps = form not in ("gif",) and strip in ("gps", "none")
    places = [k for k in found if "GPS" in k.upper()]
    if not keeps:
        assert "Kept" not in text and not places and b"Kept" not in answer.body, found
        return
    if original == "JPEG" and form not in ("jxl", "avif"):
        assert found.get("XMP-photoshop:Credit") == "Kept credit", found
    if form not in ("jxl", "tiff"):  # libvips writes no EXIF into TIFF; exiftool cannot unpack what libjxl compresses
        assert found.get("IFD0:Copyright") == "Kept copyright", found
        assert found.get("ExifIFD:DateTimeOriginal") == "2020:02:02 02:02:02", found
    assert bool(places) == (strip == "none") or form == "jxl", places
    if strip == "gps":
        assert b"GPSLat" not in answer.body and b"GpsLon" not in answer.body and struct.pack("<II", 52, 1) not in answer.body
