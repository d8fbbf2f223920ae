"""Every parameter alone and many together against a pipeline made with Pillow, numpy and scikit-image."""

import random
from urllib.parse import quote

import numpy
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

import pictures
import reference

NAMES = ("LadyBird", "Storm", "GreenMeadow")
SIDE = 360  # of the originals' longer side: small, so that the whole file is quick
NINE = ("center", "n", "ne", "e", "se", "s", "sw", "w", "nw")


def original(name):
    with Image.open(pictures.photograph(name)) as photograph:
        photograph.draft("RGB", (SIDE * 3, SIDE * 3))
        picture = photograph.convert("RGB")
    factor = SIDE / max(picture.size)
    return picture.resize((round(picture.width * factor), round(picture.height * factor) - (name == "Storm")), Image.LANCZOS)


@pytest.fixture(scope="module")
def originals():
    found = {name: original(name) for name in NAMES}
    framed = Image.new("RGB", (300, 260), (250, 250, 250))
    framed.paste(found["LadyBird"].resize((200, 140)), (40, 70))
    found["framed"] = framed
    return found


@pytest.fixture(scope="module")
def nginx(make_nginx, originals):
    files = {f"{name}.png": pictures.encode(picture, "PNG") for name, picture in originals.items()}
    for orientation in range(1, 9):
        files[f"o{orientation}.png"] = pictures.oriented(orientation, originals["Storm"], "PNG")
    files["mark.png"] = pictures.encode(mark(), "PNG")
    return make_nginx(server="location /img/ { media_root @pics@; }", files=files,
                      http="".join(f"media_watermark {place} @pics@/mark.png position={place} size=25% margin=4%;\n"
                                   for place in ("nw", "ne", "sw", "se")))


def mark():
    """Magenta above, cyan below: upside down shows."""
    picture = pictures.solid(80, 40, (255, 0, 255))
    picture.paste((0, 255, 255), (0, 20, 80, 40))
    return picture


def target(name, query):
    return f"/img/{name}.png?" + "&".join(f"{key}={quote(str(value))}" for key, value in query.items())


def compare(nginx, originals, name, query, least=0.985, most=3.0, source=None):
    """Sizes exactly; colour by SSIM and mean difference, where it can be seen; alpha by mean difference."""
    answer = nginx.get(target(name, query))
    assert answer.status == 200, (query, answer.body)
    form = query.get("fm", "png")
    seen = numpy.asarray(pictures.decode(answer.body).convert("RGBA")).astype(float)
    wanted = reference.render(originals[source or name], query, alpha=form != "jpeg")
    assert seen.shape == wanted.shape, (query, seen.shape, wanted.shape)
    assert numpy.abs(seen[..., 3] - wanted[..., 3]).mean() < 2, query
    if "bg" in query and form != "jpeg" and "round" not in query:
        assert numpy.abs(seen[..., 3] - wanted[..., 3]).max() < 2, query
    a, b = (numpy.where(wanted[..., 3:] > 128, array[..., :3], 0) for array in (seen, wanted))
    assert numpy.abs(a - b).mean() < most, (query, numpy.abs(a - b).mean())
    if min(a.shape[:2]) >= 7:
        likeness = structural_similarity(a, b, channel_axis=2, data_range=255)
        assert likeness > least, (query, likeness)


# One at a time. (query, least SSIM, most mean difference): tight where nothing is left to a filter's taste.
ALONE = [
    ({"fm": "png"}, 0.9999, 0.001), ({"rot": 90}, 0.9999, 0.001), ({"rot": 180}, 0.9999, 0.001), ({"rot": 270}, 0.9999, 0.001),
    ({"flip": "h"}, 0.9999, 0.001), ({"flip": "v"}, 0.9999, 0.001), ({"flip": "hv"}, 0.9999, 0.001),
    ({"rot": 90, "flip": "h"}, 0.9999, 0.001), ({"rot": 270, "flip": "v"}, 0.9999, 0.001),
    ({"crop": "10,20,100,50"}, 0.9999, 0.001), ({"crop": "300,100,999,999"}, 0.9999, 0.001),
    ({"crop": "12.5%,33.3%,50%,20.1%"}, 0.9999, 0.001), ({"crop": "50%,10,25%,40"}, 0.9999, 0.001),
    ({"rot": 90, "crop": "10,20,100,50"}, 0.9999, 0.001), ({"flip": "h", "crop": "0,0,100,50"}, 0.9999, 0.001),
    ({"w": 180}, 0.99, 1), ({"h": 77}, 0.99, 1), ({"w": 100, "h": 100}, 0.99, 1), ({"w": 720, "enlarge": 1}, 0.99, 1),
    ({"w": 720}, 0.9999, 0.001), ({"w": 90, "dpr": 1.5}, 0.99, 1), ({"w": 60, "h": 200, "fit": "fill"}, 0.985, 1.5),
    ({"w": 500, "h": 50, "fit": "fill", "enlarge": 1}, 0.98, 2), ({"w": 90, "h": 90, "fit": "outside"}, 0.99, 1),
    ({"w": 200, "h": 200, "fit": "contain", "bg": "20406080"}, 0.985, 1.5), ({"w": 400, "h": 500, "fit": "contain"}, 0.999, 0.1),
    ({"w": 200, "h": 200, "fit": "contain", "bg": "246"}, 0.985, 1.5),
    ({"w": 200, "h": 200, "fit": "contain", "enlarge": 1, "bg": "fff"}, 0.985, 1.5),
    *[({"w": 120, "h": 120, "fit": "cover", "g": g}, 0.985, 1.5) for g in NINE],
    *[({"w": 120, "h": 120, "fit": "cover", "g": "fp", "fx": fx, "fy": fy}, 0.985, 1.5)
      for fx, fy in ((0, 0), (0.31, 0.9), (1, 0.5), (0.77, 0.123))],
    ({"w": 300, "h": 900, "fit": "cover"}, 0.999, 0.1), ({"gray": 1}, 0.998, 1), ({"bri": 1.3}, 0.99, 2), ({"bri": 0.6}, 0.99, 2),
    ({"bri": 0}, 0.999, 0.5), ({"sat": 0}, 0.99, 2), ({"sat": 0.5}, 0.99, 2), ({"sat": 1.2}, 0.98, 2.5), ({"hue": 90}, 0.97, 4),
    ({"hue": 180}, 0.97, 4), ({"hue": 360}, 0.9999, 0.001), ({"con": 1.5}, 0.999, 0.6), ({"con": 0.5}, 0.999, 0.6),
    ({"con": 0}, 0.999, 0.6), ({"con": 10}, 0.98, 3), ({"blur": 0.5}, 0.99, 1), ({"blur": 3}, 0.99, 1), ({"blur": 12}, 0.99, 1.5),
    ({"blur": 40}, 0.98, 2.5), ({"round": 30}, 0.9999, 0.1), ({"round": "max"}, 0.9999, 0.1), ({"round": 10, "dpr": 2}, 0.9999, 0.1),
    ({"round": 30, "bg": "f00", "fm": "jpeg", "q": 100}, 0.97, 2.5), ({"w": 150, "fm": "jpeg", "q": 95}, 0.97, 2.5),
    ({"w": 200, "h": 200, "fit": "contain", "fm": "jpeg", "q": 95, "bg": "00ff0080"}, 0.97, 2.5),
    ({"w": 150, "fm": "webp", "q": 95}, 0.96, 3), ({"w": 150, "fm": "webp", "lossless": 1}, 0.99, 1),
    ({"w": 150, "fm": "tiff"}, 0.99, 1), ({"page": 0}, 0.9999, 0.001), ({"n": 1}, 0.9999, 0.001), ({"strip": "none"}, 0.9999, 0.001),
    ({"v": "a.b-c_1"}, 0.9999, 0.001), ({"w": 150, "dl": "x.png"}, 0.99, 1),
]


@pytest.mark.parametrize("query, least, most", ALONE, ids=[quote(str(q)) for q, _, _ in ALONE])
def test_alone(nginx, originals, query, least, most):
    if set(query) <= {"v", "dl"}:
        query = {**query, "fm": "png"}
    compare(nginx, originals, "Storm", query, least, most)


@pytest.mark.parametrize("query", [{"trim": 10}, {"trim": 10, "w": 100}, {"trim": 40, "rot": 90}, {"crop": "10,10,270,240", "trim": 20},
                                   {"trim": 10, "w": 80, "h": 80, "fit": "cover"}, {"trim": 10, "flip": "h", "round": 9}])
def test_trim(nginx, originals, query):
    compare(nginx, originals, "framed", query, 0.98, 2)


def test_sharpen_adds_contrast_at_edges_only(nginx, originals):
    """Sharpening has no formula in the documents: more of it is more, gray stays gray, flat areas stay as they are."""
    plain = pictures.pixels(nginx.get(target("Storm", {"fm": "png"})).body)
    before = 0
    for sigma in 0.5, 1, 2, 4:
        sharp = pictures.pixels(nginx.get(target("Storm", {"sharpen": sigma})).body)
        edges = numpy.abs(numpy.diff(sharp, axis=0)).mean()
        assert edges > before and structural_similarity(plain, sharp, channel_axis=2, data_range=255) > 0.6
        assert numpy.abs(sharp.mean() - plain.mean()) < 3
        before = edges
    nginx.add("flat.png", pictures.encode(pictures.solid(50, 50, (90, 120, 30)), "PNG"))
    flat = pictures.pixels(nginx.get("/img/flat.png?sharpen=5").body)
    assert numpy.abs(flat - (90, 120, 30)).max() <= 1


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_max_bytes_is_the_best_that_fits(nginx, form):
    limit = len(nginx.get(target("Storm", {"fm": form, "q": 40})).body)
    body = nginx.get(target("Storm", {"fm": form, "q": 90, "max_bytes": limit})).body
    assert limit * 0.9 < len(body) <= limit
    assert nginx.get(target("Storm", {"fm": form, "max_bytes": 300})).status == 422


def combinations(count, seed=20261121):
    """Random queries, seeded: what can be combined is."""
    r = random.Random(seed)
    found = []
    while len(found) < count:
        query = {}
        if r.random() < 0.3:
            query["rot"] = r.choice((90, 180, 270))
        if r.random() < 0.3:
            query["flip"] = r.choice(("h", "v", "hv"))
        if r.random() < 0.4:
            query["crop"] = ",".join(r.choice((f"{r.randrange(0, 60)}{unit}", f"{r.randrange(0, 60)}")) for unit in ("", "")) + "," \
                + ",".join(r.choice((f"{r.randrange(30, 100)}%", str(r.randrange(60, 400)))) for _ in range(2))
        if r.random() < 0.85:
            for side in r.choice((("w",), ("h",), ("w", "h"), ("w", "h"))):
                query[side] = r.randrange(16, 420)
        if len({"w", "h"} & set(query)) == 2:
            query["fit"] = r.choice(("inside", "outside", "cover", "cover", "contain", "fill"))
        if query.get("fit") == "cover":
            query["g"] = r.choice((*NINE, "fp"))
            if query["g"] == "fp":
                query |= {"fx": round(r.random(), 3), "fy": round(r.random(), 3)}
        if r.random() < 0.2:
            query["enlarge"] = 1
        if r.random() < 0.2:
            query["dpr"] = r.choice((0.5, 1.5, 2))
        if r.random() < 0.15:
            query["con"] = round(r.uniform(0.5, 1.6), 2)
        if r.random() < 0.15:
            query["bri"] = round(r.uniform(0.6, 1.2), 2)
        if r.random() < 0.15:
            query["gray"] = 1
        if r.random() < 0.15:
            query["blur"] = round(r.uniform(0.5, 6), 1)
        if r.random() < 0.25:
            query["bg"] = r.choice(("fff", "1234", "204060", "80402080"))
        if r.random() < 0.2:
            query["round"] = r.choice((4, 11, "max"))
        query["fm"] = "jpeg" if r.random() < 0.2 else "png"
        if query["fm"] == "jpeg":
            query["q"] = 97
        found.append((r.choice(NAMES), query))
    return found


@pytest.mark.parametrize("part", range(5))
def test_together(nginx, originals, part):
    for name, query in combinations(150)[part::5]:
        compare(nginx, originals, name, query, 0.96 if query["fm"] == "jpeg" else 0.97, 4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_with_all_the_rest(nginx, originals, orientation):
    """The file lies on its side; every parameter speaks of the picture as one sees it."""
    for query in ({}, {"w": 90}, {"crop": "30,20,150,90"}, {"crop": "10%,50%,30%,40%", "w": 60}, {"rot": 90, "crop": "5,9,99,88"},
                  {"flip": "h"}, {"flip": "v", "rot": 270, "w": 100}, {"w": 90, "h": 90, "fit": "cover", "g": "n"},
                  {"w": 60, "h": 120, "fit": "cover", "g": "se"}, {"w": 150, "h": 50, "fit": "cover", "g": "nw"},
                  {"w": 60, "h": 120, "fit": "cover", "g": "fp", "fx": 0.2, "fy": 0.8}, {"w": 100, "h": 130, "fit": "contain"},
                  {"w": 100, "h": 40, "fit": "fill", "rot": 90, "flip": "hv"}):
        compare(nginx, originals, f"o{orientation}", {**query, "fm": "png"}, 0.98, 2, source="Storm")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("query", [{"w": 200}, {"w": 160, "rot": 90}, {"w": 160, "flip": "hv"}, {"w": 100, "h": 140, "fit": "cover"},
                                   {"crop": "50,50,100,100"}])
def test_watermarks_are_upright_in_their_corner(nginx, orientation, query):
    for place in "nw", "ne", "sw", "se":
        plain, marked = (numpy.asarray(pictures.decode(nginx.get(target(f"o{orientation}", {**query, "fm": "png", **more})).body)
                                       .convert("RGB")).astype(int) for more in ({}, {"wm": place}))
        height, width = plain.shape[:2]
        left, top, right, bottom = pictures.changed_box(plain, marked)
        margin = min(width, height) * 0.04
        assert abs((left if "w" in place else width - right) - margin) <= 1.5
        assert abs((top if "n" in place else height - bottom) - margin) <= 1.5
        assert abs(right - left - width * 0.25) <= 1.5 and abs(bottom - top - width * 0.125) <= 1.5
        x, quarter = (left + right) // 2, (bottom - top) // 4
        assert pictures.close(marked[top + quarter, x], (255, 0, 255), 8)
        assert pictures.close(marked[bottom - 1 - quarter, x], (0, 255, 255), 8)
