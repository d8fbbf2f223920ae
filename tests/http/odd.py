"""Originals that a stranger might send: whole, but out of the ordinary."""

import io
import struct
import zlib

import numpy
from PIL import Image, ImageCms

import pictures
from pictures import encode, png_bytes, png_chunk, through_vips

RED, BLUE = pictures.RED, pictures.BLUE


def halves(width=120, height=80, mode="RGB", left=RED, right=BLUE):
    """Red to the left, blue to the right."""
    picture = Image.new("RGB", (width, height), right)
    picture.paste(left, (0, 0, width // 2, height))
    return picture.convert(mode)


def jpeg(picture=None, **options):
    return encode(picture or halves(), "JPEG", **{"quality": 95, **options})


def png(picture=None, **options):
    return encode(picture or halves(), "PNG", **options)


def vips(picture, suffix, options="", operation=("copy",)):
    return through_vips(encode(picture, "PNG"), "png", suffix, operation, options)


# JPEG


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(body, marker, content):
    """A JPEG with one more segment right behind its start."""
    return body[:2] + segment(marker, content) + body[2:]


def exif(entries, order="<", count=None, following=0, extra=b""):
    """An APP1 content by hand: entries are (tag, type, count, four bytes of value)."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    body = mark + struct.pack(order + "I", 8) + struct.pack(order + "H", len(entries) if count is None else count)
    for tag, kind, number, value in entries:
        body += struct.pack(order + "HHI", tag, kind, number) + value
    return b"Exif\0\0" + body + struct.pack(order + "I", following) + extra


def oriented(value, order="<", kind=3):
    return with_segment(jpeg(), 0xE1, exif([(0x112, kind, 1, struct.pack(order + "HH", value, 0))], order))


def lying_exif():
    """EXIF that speaks of 9999x9999 pixels."""
    return with_segment(jpeg(), 0xE1, exif([(0x100, 4, 1, struct.pack("<I", 9999)), (0x101, 4, 1, struct.pack("<I", 9999)),
                                            (0xA002, 4, 1, struct.pack("<I", 9999))]))


def large_thumbnail():
    """A thumbnail larger than the picture, in the second directory."""
    small = jpeg(halves(400, 300, left=BLUE, right=RED), quality=50)
    at = 8 + 2 + 4 + 2 + 24 + 4
    second = struct.pack("<H", 2) + struct.pack("<HHII", 0x201, 4, 1, at) + struct.pack("<HHII", 0x202, 4, 1, len(small)) \
        + struct.pack("<I", 0)
    return with_segment(jpeg(), 0xE1, exif([], following=14, extra=second + small))


def without_end(body):
    assert body.endswith(b"\xff\xd9")
    return body[:-2]


def twelve_bits():
    """A JPEG that says 12 bits a sample."""
    body = bytearray(jpeg())
    at = body.index(b"\xff\xc0")
    body[at + 1], body[at + 4] = 0xC1, 12
    return bytes(body)


def arithmetic():
    """A JPEG that says arithmetic coding; its scan is Huffman's, so that no decoder can read it."""
    body = bytearray(jpeg())
    body[body.index(b"\xff\xc0") + 1] = 0xC9
    return bytes(body)


def lossless_process():
    body = bytearray(jpeg())
    body[body.index(b"\xff\xc0") + 1] = 0xC3
    return bytes(body)


def sampled(horizontal, vertical):
    """Luma sampled more often than chroma, in ways that Pillow has no name for: gray blocks by hand, DC only."""
    tables = segment(0xDB, b"\0" + bytes([16] * 64)) + segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0") \
        + segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
    frame = segment(0xC0, struct.pack(">BHHB", 8, 50, 70, 3) + bytes([1, horizontal << 4 | vertical, 0, 2, 0x11, 0, 3, 0x11, 0]))
    scan = segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0]))
    blocks = -(-70 // (8 * horizontal)) * -(-50 // (8 * vertical)) * (horizontal * vertical + 2)
    return b"\xff\xd8" + tables + frame + scan + bytes((2 * blocks + 7) // 8) + b"\xff\xd9"


def adobe_cmyk(inverted=True, marker=True):
    """CMYK, red to the left: Pillow writes it inverted with an Adobe marker, as Photoshop does."""
    array = numpy.zeros((80, 120, 4), numpy.uint8)
    array[:, :60] = (0, 255, 255, 0)
    array[:, 60:] = (255, 255, 0, 0)
    body = encode(Image.fromarray(array if inverted else 255 - array, "CMYK"), "JPEG", quality=95)
    if marker:
        return body
    at = body.index(b"\xff\xee")
    return body[:at] + body[at + 2 + struct.unpack(">H", body[at + 2:at + 4])[0]:]


def mpo():
    return encode(halves(), "MPO", save_all=True, append_images=[halves(left=BLUE, right=RED)], quality=95)


# PNG


def strip_png(width, height):
    """Black to the left (or above), white to the right (below); 8 bits, gray."""
    row = bytes(width // 2) + b"\xff" * (width - width // 2) if width > 1 else None
    rows = [b"\0" + (row if row else (b"\0" if y < height // 2 else b"\xff")) for y in range(height)]
    return png_bytes(width, height, 8, 0, b"".join(rows))


def apng():
    """Two frames; the default picture is the first of them."""
    return encode(halves(), "PNG", save_all=True, append_images=[halves(left=BLUE, right=RED)], duration=100)


def adam7():
    """Interlaced, 8x8 of one colour: seven passes by hand."""
    rows = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        rows += (b"\0" + bytes(RED) * len(range(x, 8, dx))) * len(range(y, 8, dy))
    body = bytearray(png_bytes(8, 8, 8, 2, rows))
    body[28] = 1
    body[29:33] = struct.pack(">I", zlib.crc32(body[12:29]))
    return bytes(body)


def transparent_16_bit():
    """16-bit RGB in which one exact colour is transparent: the right half; its neighbour in value is not."""
    left, right = struct.pack(">HHH", 0x1235, 0x4567, 0x89AB), struct.pack(">HHH", 0x1234, 0x4567, 0x89AB)
    rows = (b"\0" + left * 20 + right * 20) * 20
    return png_bytes(40, 20, 16, 2, rows, extra=png_chunk(b"tRNS", right))


def with_profile(profile, form="JPEG", picture=None):
    return encode(picture or halves(), form, icc_profile=profile, **({"quality": 95} if form == "JPEG" else {}))


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


# TIFF


def tiff(**options):
    return encode(halves(), "TIFF", **options)


def min_is_white(invert=True):
    """One bit a pixel, black to the left, in which 1 means black."""
    picture = halves(120, 80, "L", (0, 0, 0), (255, 255, 255)).convert("1")
    body = encode(picture, "TIFF", tiffinfo={262: 0} if invert else {})
    return body


def pages_of_different_sizes():
    return encode(halves(), "TIFF", save_all=True, append_images=[halves(60, 90), halves(30, 10)])


# GIF


def gif(frames, screen=(120, 80), palette=(RED, BLUE), loop=None, own_palette=False, background=0, version=b"GIF89a"):
    """A GIF by hand. Frames are (box, colour index or None for the transparent one, delay in 1/100 s, disposal)."""
    colours = b"".join(bytes(c) for c in palette).ljust(12, b"\0")
    out = [version + struct.pack("<HHBBB", *screen, 0x11 if own_palette else 0x91, background, 0)]
    if not own_palette:
        out.append(colours)
    if loop is not None:
        out.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0")
    for (x, y, width, height), index, delay, disposal in frames:
        clear = 3
        out.append(b"\x21\xf9\x04" + bytes([disposal << 2 | 1]) + struct.pack("<H", delay) + bytes([clear, 0]))
        out.append(b"\x2c" + struct.pack("<HHHHB", x, y, width, height, 0x81 if own_palette else 0))
        if own_palette:
            out.append(colours)
        out.append(_lzw([clear if index is None else index] * (width * height)))
    return b"".join(out) + b"\x3b"


def _lzw(indices):
    """Two-bit pixels with a clear code ahead of every second one, so that codes keep three bits."""
    bits = count = 0
    data = bytearray()
    codes = []
    for at in range(0, len(indices), 2):
        codes += [4, *indices[at:at + 2]]
    for code in codes + [5]:
        bits |= code << count
        count += 3
        while count >= 8:
            data.append(bits & 255)
            bits >>= 8
            count -= 8
    if count:
        data.append(bits & 255)
    blocks = b"".join(bytes([len(data[i:i + 255])]) + bytes(data[i:i + 255]) for i in range(0, len(data), 255))
    return b"\x02" + blocks + b"\0"


# WebP


def webp_with_orientation(value=6, lossless=False):
    mark = Image.Exif()
    mark[0x112] = value
    return encode(halves(), "WEBP", exif=mark.tobytes(), lossless=lossless, quality=95)


# Others


def hdr():
    return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 8\n" + b"\x80\x80\x80\x81" * 64


EXR = b"\x76\x2f\x31\x01\x02\0\0\0" + bytes(200)
PSD = b"8BPS\0\1\0\0\0\0\0\0\0\3\0\0\0\x08\0\0\0\x08\0\x08\0\3" + bytes(200)


def pillow(form, picture=None, **options):
    out = io.BytesIO()
    (picture or halves(32, 32)).save(out, form, **options)
    return out.getvalue()
