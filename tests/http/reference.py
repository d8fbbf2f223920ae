"""What the documents promise, made with Pillow, numpy and scikit-image: an independent pipeline to compare with."""

import math
from fractions import Fraction

import numpy
from PIL import Image, ImageFilter
from skimage import color

DEFAULTS = {"fit": "inside", "enlarge": 0, "g": "center", "dpr": 1}


def half_up(value):
    """Rounds half up, but to 1 at least."""
    return max(1, math.floor(Fraction(value) + Fraction(1, 2)))


def number(text):
    return Fraction(str(text))


def sizes(query, width, height):
    """The size that the whole is resized to, and the canvas, of a picture of width x height."""
    dpr, enlarge = number(query.get("dpr", 1)), str(query.get("enlarge", 0)) == "1"
    w, h = (half_up(number(query[name]) * dpr) if name in query else None for name in ("w", "h"))
    if w is None and h is None:
        return (width, height), (width, height)
    if w is None or h is None:
        scale = Fraction(w, width) if w else Fraction(h, height)
        if scale > 1 and not enlarge:
            return (width, height), (width, height)
        size = (w, half_up(height * scale)) if w else (half_up(width * scale), h)
        return size, size
    fit = query.get("fit", "inside")
    across, down = Fraction(w, width), Fraction(h, height)

    def scaled(scale):
        return half_up(width * scale), half_up(height * scale)
    if fit == "fill":
        size = (w, h) if enlarge else (min(w, width), min(h, height))
        return size, size
    if fit == "cover":
        box = (w, h)
        if not enlarge and (w > width or h > height):
            shrink = min(Fraction(width, w), Fraction(height, h))
            box = half_up(w * shrink), half_up(h * shrink)
        return scaled(max(Fraction(box[0], width), Fraction(box[1], height))), box
    if fit == "outside":
        scale = max(across, down)
        size = (width, height) if scale > 1 and not enlarge else scaled(scale)
        return size, size
    scale = min(across, down)
    size = (width, height) if scale > 1 and not enlarge else scaled(scale)
    return size, ((w, h) if fit == "contain" else size)


def cut_of(query, whole, box):
    """Where `cover` cuts its box out of the resized picture."""
    gravity = query.get("g", "center")
    if gravity == "fp":
        at = []
        for share, length, side in ((query.get("fx", 0.5), whole[0], box[0]), (query.get("fy", 0.5), whole[1], box[1])):
            start = number(share) * length - Fraction(side, 2)
            at.append(min(max(0, math.ceil(start)), length - side))
        return tuple(at)
    x = 0 if "w" in gravity else whole[0] - box[0] if gravity in ("ne", "e", "se") else (whole[0] - box[0]) // 2
    y = 0 if gravity in ("n", "ne", "nw") else whole[1] - box[1] if gravity in ("s", "se", "sw") else (whole[1] - box[1]) // 2
    return x, y


def crop_box(text, width, height):
    def pixels(part, whole):
        return int(half_up0(number(part[:-1]) * whole / 100)) if part.endswith("%") else int(part)
    x, y, w, h = (pixels(part, whole) for part, whole in zip(text.split(","), (width, height) * 2))
    return x, y, min(width, x + max(1, w)), min(height, y + max(1, h))


def half_up0(value):
    return math.floor(value + Fraction(1, 2))


def trim_box(picture, threshold):
    """The box of what differs from the corner by more than the threshold once single pixels are smoothed away."""
    smooth = numpy.asarray(picture.convert("RGB").filter(ImageFilter.MedianFilter(3))).astype(int)
    differs = (numpy.abs(smooth - numpy.asarray(picture.convert("RGB"))[0, 0].astype(int)) > threshold).any(axis=2)
    if not differs.any():
        return 0, 0, picture.width, picture.height
    ys, xs = numpy.where(differs)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def modulated(array, bri, sat, hue):
    """Lightness and chroma multiplied, the hue turned, in CIE LCh."""
    lab = color.rgb2lab(array / 255.0)
    angle = math.radians(hue)
    a, b = lab[..., 1] * sat, lab[..., 2] * sat
    lab = numpy.stack([lab[..., 0] * bri, a * math.cos(angle) - b * math.sin(angle),
                       a * math.sin(angle) + b * math.cos(angle)], -1)
    return numpy.clip(color.lab2rgb(lab) * 255, 0, 255)


def grayed(array):
    """Luminance of linear light, as a gray of sRGB."""
    linear = numpy.where(array <= 10.31475, array / 255 / 12.92, ((array / 255 + 0.055) / 1.055) ** 2.4)
    y = linear @ (0.2126, 0.7152, 0.0722)
    gray = numpy.where(y <= 0.0031308, y * 12.92, 1.055 * y ** (1 / 2.4) - 0.055) * 255
    return numpy.repeat(gray[..., None], 3, axis=2)


def blurred(array, sigma):
    from scipy.ndimage import gaussian_filter
    return gaussian_filter(array, (sigma, sigma, 0), mode="nearest")


def background(text):
    """Of `bg`, as RGBA."""
    if len(text) in (3, 4):
        text = "".join(c * 2 for c in text)
    return tuple(int(text[i:i + 2], 16) for i in range(0, 6, 2)) + (int(text[6:] or "ff", 16),)


def rounded(size, radius):
    """Cover of a rectangle with round corners, by sampling each pixel 8x8."""
    width, height = size
    y, x = (numpy.mgrid[0:height * 8, 0:width * 8] + 0.5) / 8
    dx = numpy.maximum(numpy.maximum(radius - x, x - (width - radius)), 0)
    dy = numpy.maximum(numpy.maximum(radius - y, y - (height - radius)), 0)
    inside = (dx * dx + dy * dy <= radius * radius).astype(float)
    return inside.reshape(height, 8, width, 8).mean(axis=(1, 3))


TURNS = {90: Image.ROTATE_270, 180: Image.ROTATE_180, 270: Image.ROTATE_90}


def render(picture, query, alpha=True):
    """A rendition of an upright RGB picture as an RGBA array of floats. `query`: names and values, unencoded.
    `alpha`: whether the output format has it."""
    picture = picture.convert("RGB")
    if int(query.get("rot", 0)):
        picture = picture.transpose(TURNS[int(query["rot"])])
    if "h" in query.get("flip", ""):
        picture = picture.transpose(Image.FLIP_LEFT_RIGHT)
    if "v" in query.get("flip", ""):
        picture = picture.transpose(Image.FLIP_TOP_BOTTOM)
    if "crop" in query:
        picture = picture.crop(crop_box(query["crop"], *picture.size))
    if "trim" in query:
        picture = picture.crop(trim_box(picture, int(query["trim"])))
    resized, canvas = sizes(query, *picture.size)
    if resized != picture.size:
        picture = picture.resize(resized, Image.LANCZOS)
    if canvas[0] <= resized[0] and canvas[1] <= resized[1] and canvas != resized:
        x, y = cut_of(query, resized, canvas)
        picture = picture.crop((x, y, x + canvas[0], y + canvas[1]))
    array = numpy.asarray(picture).astype(float)
    bri, sat, hue, con = (float(query.get(name, default)) for name, default in
                          (("bri", 1), ("sat", 1), ("hue", 0), ("con", 1)))
    if (bri, sat, hue % 360) != (1, 1, 0):
        array = modulated(array, bri, sat, hue)
    if con != 1:
        array = numpy.clip((array - 128) * con + 128, 0, 255)
    if str(query.get("gray", 0)) == "1":
        array = grayed(array)
    if "blur" in query:
        array = blurred(array, float(query["blur"]))
    array = numpy.dstack([array, numpy.full(array.shape[:2], 255.0)])
    fill = background(query["bg"]) if "bg" in query else (0, 0, 0, 0) if alpha else (255, 255, 255, 255)
    opaque = tuple(c * fill[3] / 255 + 255 - fill[3] for c in fill[:3]) + (255,)
    if canvas != (array.shape[1], array.shape[0]):
        ground = numpy.empty((canvas[1], canvas[0], 4))
        ground[:] = fill if alpha else opaque
        x, y = (canvas[0] - array.shape[1]) // 2, (canvas[1] - array.shape[0]) // 2
        ground[y:y + array.shape[0], x:x + array.shape[1]] = array
        array = ground
    if query.get("round", "0") not in ("0", 0):
        half = min(canvas) / 2
        radius = half if query["round"] == "max" else min(half, half_up(number(query["round"]) * number(query.get("dpr", 1))))
        cover = rounded(canvas, radius)
        if alpha:
            array[..., 3] *= cover
        else:
            array = array * cover[..., None] + numpy.array(opaque) * (1 - cover[..., None])
    return array
