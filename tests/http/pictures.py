"""Pictures to test with: real photographs, edge cases made on the spot, and references to compare against."""

import functools
import io
import random
import shutil
import struct
import subprocess
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy
from PIL import Image, ImageDraw
from skimage.metrics import structural_similarity

PHOTOGRAPHS = Path("/usr/share/backgrounds/mate")
Image.MAX_IMAGE_PIXELS = None

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 50), (30, 60, 210), (240, 220, 40)


def photograph(name):
    """Path of a real photograph of Debian's mate-backgrounds: 'Wood' is 2560x1920, 'LadyBird' 2560x1600,
    'Storm' 1920x1280, 'GreenMeadow' 1280x1024 (progressive), 'Large' 5640x3172 (progressive)."""
    if name == "Large":
        return PHOTOGRAPHS / "abstract" / "Elephants_5640x3172.jpg"
    return PHOTOGRAPHS / "nature" / f"{name}.jpg"


# Making


def encode(picture, form, **options):
    """A Pillow picture as bytes."""
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


@functools.lru_cache(None)
def vips_can(suffix):
    """Whether the vips command of this machine writes such files (avif, heic, jxl)."""
    try:
        through_vips(encode(solid(64, 64, RED), "PNG"), "png", suffix)
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


def through_vips(body, suffix_in, suffix_out, operation=("copy",), options=""):
    """Converts bytes with the vips command line, an encoder and decoder that Pillow does not have."""
    with tempfile.TemporaryDirectory() as folder:
        a, b = f"{folder}/a.{suffix_in}", f"{folder}/b.{suffix_out}"
        Path(a).write_bytes(body)
        subprocess.run([shutil.which("vips") or "vips", operation[0], a, b + options, *operation[1:]],
                       check=True, capture_output=True, timeout=120)
        return Path(b).read_bytes()


def solid(width, height, color, mode="RGB"):
    return Image.new(mode, (width, height), color)


def quadrants(width=240, height=160, mode="RGB"):
    """Red, green, blue, yellow, from the top left in reading order: any turn or flip shows."""
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    w, h = width // 2, height // 2
    for x, y, color in ((0, 0, RED), (w, 0, GREEN), (0, h, BLUE), (w, h, YELLOW)):
        draw.rectangle((x, y, x + w, y + h), fill=color)
    return picture.convert(mode)


def gradient(width=400, height=300):
    """Smooth in both directions, with some detail: every place looks different."""
    y, x = numpy.mgrid[0:height, 0:width]
    waves = 20 * numpy.sin(x / 7.0) * numpy.cos(y / 9.0)
    planes = [x * 200 / width + 25 + waves, y * 200 / height + 25 + waves, 230 - x * 200 / width - waves]
    return Image.fromarray(numpy.clip(numpy.stack(planes, -1), 0, 255).astype(numpy.uint8))


def oriented(orientation, picture=None, form="JPEG"):
    """A file that looks like `picture` once its EXIF orientation is applied."""
    picture = picture or quadrants()
    turn = {1: None, 2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
            6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270}[orientation]
    stored = picture if turn is None else picture.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if form == "JPEG" else {}
    return encode(stored, form, exif=exif, **options)


def cmyk_jpeg():
    """Four stripes in CMYK: white, black, red, blue."""
    picture = Image.new("CMYK", (400, 100))
    draw = ImageDraw.Draw(picture)
    for i, ink in enumerate(((0, 0, 0, 0), (0, 0, 0, 255), (0, 255, 255, 0), (255, 255, 0, 0))):
        draw.rectangle((i * 100, 0, i * 100 + 99, 99), fill=ink)
    return encode(picture, "JPEG", quality=95)


def png_bytes(width, height, depth, color_type, data, extra=b"", compressed=None, crc_error=False):
    """A PNG by hand. `data`: filtered scanlines, or `compressed`: whatever shall stand in IDAT."""
    def chunk(kind, body):
        crc = zlib.crc32(kind + body) ^ (1 if crc_error and kind == b"IDAT" else 0)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    body = zlib.compress(data, 9) if compressed is None else compressed
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_16_bit(picture):
    """The picture with 16 bits a sample, noise in the lower eight."""
    array = numpy.asarray(picture).astype(numpy.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    return png_bytes(picture.width, picture.height, 16, 2 if array.ndim == 3 else 0, rows)


def palette_png(width=200, height=100):
    """Left half red, right half transparent, in a palette."""
    picture = Image.new("P", (width, height), 0)
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (width // 2, 0, width, height))
    return encode(picture, "PNG", transparency=1)


def half_transparent(width=200, height=100, color=RED, mode="RGBA"):
    """Left half opaque, right half fully transparent."""
    picture = Image.new("RGBA", (width, height), (*color, 0))
    picture.paste((*color, 255), (0, 0, width // 2, height))
    return picture.convert(mode)


def animation(form="GIF", frames=4, size=(120, 80), durations=None, loop=0):
    """Frames of different colours, each with a white bar at another place."""
    colors = (RED, GREEN, BLUE, YELLOW)
    pages = []
    for i in range(frames):
        page = solid(*size, colors[i % 4])
        left = (i * 17) % (size[0] - 10)
        ImageDraw.Draw(page).rectangle((left, 10, left + 8, size[1] - 10), fill=(255, 255, 255))
        pages.append(page)
    durations = durations or [100 + 50 * (i % 4) for i in range(frames)]
    options = {"lossless": True} if form == "WEBP" else {"optimize": False}
    return encode(pages[0], form, save_all=True, append_images=pages[1:], duration=durations, loop=loop, **options)


@functools.lru_cache(None)
def long_animation(frames=1000, size=(64, 48)):
    """A GIF of many frames, by hand: Pillow would merge what looks alike."""
    width, height = size
    out = [b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF6, 0, 0)]
    out.append(bytes(random.Random(1).randrange(256) for _ in range(3 * 128)))
    out.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    for i in range(frames):
        out.append(b"\x21\xf9\x04\x04" + struct.pack("<H", 5) + b"\0\0")
        out.append(b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x07")
        # Codes of 8 bits: clear codes keep the code size from growing.
        pixels = bytes((i + x // 8) % 128 for x in range(width)) * height
        stream = b"".join(b"\x80" + pixels[p:p + 100] for p in range(0, len(pixels), 100)) + b"\x81"
        for p in range(0, len(stream), 255):
            piece = stream[p:p + 255]
            out.append(bytes([len(piece)]) + piece)
        out.append(b"\0")
    return b"".join(out) + b"\x3b"


def huge_png(width=30000, height=30000, whole=False):
    """A small file that claims to be huge; `whole`: it really decodes (1 bit a pixel)."""
    if whole:
        packer = zlib.compressobj(9)
        row = bytes(1 + (width + 7) // 8)
        data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
        return png_bytes(width, height, 1, 0, b"", compressed=data)
    return png_bytes(width, height, 8, 2, bytes(10000))


def text_bomb_png(size=200 << 20):
    """A tiny picture whose comment unpacks to `size` bytes."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    return png_bytes(1, 1, 8, 2, b"\0\1\2\3", extra=png_chunk(b"zTXt", b"Comment\0\0" + data))


def huge_jpeg():
    """A photograph whose header claims 65500x65500."""
    body = bytearray(encode(gradient(), "JPEG"))
    at = body.index(b"\xff\xc0")
    body[at + 5:at + 9] = struct.pack(">HH", 65500, 65500)
    return bytes(body)


@functools.lru_cache(None)
def many_scans_jpeg(side=6400):
    """A small and perfectly legal progressive JPEG of 883 scans: each is a pass over every block."""
    def segment(marker, body):
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    def scan(first, last, high, low, bits):
        return segment(0xDA, bytes([1, 1, 0, first, last, high << 4 | low])) + bytes((bits + 7) // 8)
    blocks = (side // 8) ** 2
    out = [b"\xff\xd8", segment(0xDB, b"\0" + bytes([1]) * 64),
           segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0])),
           segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00"),  # DC: one code, "no difference"
           segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0"),  # AC: one code, "16384 empty blocks"
           scan(0, 0, 0, 0, blocks)]
    runs = -(-blocks // 16384)
    for coefficient in range(1, 64):
        for low in range(13, -1, -1):
            out.append(scan(coefficient, coefficient, low + 1 if low < 13 else 0, low, 15 * runs))
    return b"".join(out) + b"\xff\xd9"


def huge_gif():
    """A screen of 65535x65535 and one frame that claims to fill it."""
    body = bytearray(encode(solid(16, 16, RED).convert("P"), "GIF"))
    body[6:10] = struct.pack("<HH", 65535, 65535)
    at = body.index(b"\x2c\0\0\0\0\x10\0\x10\0")
    body[at + 5:at + 9] = struct.pack("<HH", 65535, 65535)
    return bytes(body)


def huge_webp():
    """16383x16383 in the header of a lossy WebP."""
    body = bytearray(encode(gradient(64, 64), "WEBP"))
    at = body.index(b"\x9d\x01\x2a")
    body[at + 3:at + 7] = struct.pack("<HH", 16383, 16383)
    return bytes(body)


def tiff_loop():
    """A TIFF whose directory names itself as the next one, for ever."""
    entries = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 200),
               (277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64)]
    body = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack("<HHII", tag, kind, count, value)
    body += struct.pack("<I", 8)
    return body.ljust(200, b"\0") + bytes(64)


def with_zip_behind(body):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("evil.html", "<script>alert(1)</script>")
    return body + out.getvalue()


HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>\n" * 20
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="50" height="50"><rect width="50" ' \
      b'height="50" fill="red"/><image href="file:///etc/passwd" width="10" height="10"/></svg>'
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj " \
      b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def noise(size, seed=7):
    return random.Random(seed).randbytes(size)


def mutated(body, seed):
    """The bytes with some damage: flipped, cut out, doubled or cut off."""
    r = random.Random(seed)
    body = bytearray(body)
    for _ in range(r.randrange(1, 12)):
        at = r.randrange(len(body)) if r.random() < 0.5 else r.randrange(min(len(body), 400))
        kind = r.randrange(4)
        if kind == 0:
            body[at] ^= 1 << r.randrange(8)
        elif kind == 1:
            body[at:at + r.randrange(1, 9)] = r.randbytes(r.randrange(1, 9))
        elif kind == 2:
            del body[at:at + r.randrange(1, 50)]
        else:
            body[at:at] = body[at:at + r.randrange(1, 50)]
        if len(body) < 8:
            break
    return bytes(body)


# Looking


def sniff(body):
    """Format of a picture, by its first bytes."""
    if body[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if body[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "webp"
    if body[:4] == b"GIF8":
        return "gif"
    if body[4:12] in (b"ftypavif", b"ftypavis"):
        return "avif"
    if body[:2] == b"\xff\x0a" or body[4:8] == b"JXL ":
        return "jxl"
    return None


def decode(body):
    """Any rendition as a Pillow picture; what Pillow cannot read goes through the vips command."""
    if sniff(body) in ("avif", "jxl"):
        body = through_vips(body, sniff(body), "png")
    picture = Image.open(io.BytesIO(body))
    picture.load()
    return picture


def pixels(body):
    """Pixels of a rendition as floats in RGB."""
    return numpy.asarray(decode(body).convert("RGB")).astype(float)


def pages(body):
    """Frames of an animation as RGBA pictures, and their durations in ms."""
    picture = Image.open(io.BytesIO(body))
    found, durations = [], []
    for i in range(getattr(picture, "n_frames", 1)):
        picture.seek(i)
        picture.load()
        found.append(picture.convert("RGBA"))
        durations.append(picture.info.get("duration"))
    return found, durations


def color_at(picture, x, y):
    """Mean colour of the 3x3 around a place given as shares of the sides."""
    cx, cy = int(picture.width * x), int(picture.height * y)
    patch = numpy.asarray(picture.convert("RGB").crop((cx - 1, cy - 1, cx + 2, cy + 2))).reshape(-1, 3)
    return tuple(int(round(v)) for v in patch.mean(axis=0))


def close(a, b, tolerance=12):
    return all(abs(x - y) <= tolerance for x, y in zip(a, b))


def reference(picture, size, box=None):
    """What Pillow makes of it: upright, Lanczos."""
    picture = picture.convert("RGB")
    return picture.resize(size, Image.LANCZOS, box=box)


def ssim(a, b):
    """Structural similarity of two RGB pictures of the same size, 1 being equal."""
    a, b = (numpy.asarray(p.convert("RGB")) for p in (a, b))
    assert a.shape == b.shape, f"sizes differ: {a.shape} and {b.shape}"
    return structural_similarity(a, b, channel_axis=2)


def difference(a, b):
    """Mean absolute difference of two pictures of one size."""
    a, b = (numpy.asarray(p.convert("RGB")).astype(float) for p in (a, b))
    assert a.shape == b.shape, f"sizes differ: {a.shape} and {b.shape}"
    return float(numpy.abs(a - b).mean())


def changed_box(a, b, threshold=8):
    """Left, top, right, bottom (exclusive) of the pixels in which two arrays or pictures differ, or None."""
    a, b = (numpy.asarray(p.convert("RGBA") if isinstance(p, Image.Image) else p).astype(int) for p in (a, b))
    mask = numpy.abs(a - b).max(axis=2) > threshold
    if not mask.any():
        return None
    ys, xs = numpy.where(mask)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
