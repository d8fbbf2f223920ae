"""What `g=attention`, `entropy` and `fp` keep: the subject, where it is known."""

import numpy
import pytest
from PIL import ImageDraw

import pictures

SUBJECT = 120  # side of the composed subjects
# A subject in photographs, as shares of the picture: left, top, right, bottom.
PHOTOGRAPHS = {
    "Aqua": (0.55, 0.40, 0.84, 0.84),
    "LadyBird": (0.65, 0.43, 0.74, 0.60),
    "Garden": (0.50, 0.25, 0.80, 0.70),
    "TwoWings": (0.42, 0.30, 0.93, 0.75),
}


def composed(size, at):
    """A calm background, slightly graded, and on it something red, sharp and busy with its corner `at`."""
    width, height = size
    y, x = numpy.mgrid[0:height, 0:width]
    calm = numpy.stack([150 + 20 * x / width, 160 + 20 * y / height, 175 + 0 * x], -1).astype(numpy.uint8)
    picture = pictures.Image.fromarray(calm)
    draw = ImageDraw.Draw(picture)
    left, top = at
    for row in range(8):
        for column in range(8):
            cell = SUBJECT // 8
            color = (230, 20, 20) if (row + column) % 2 else (250, 215, 40)
            draw.rectangle((left + column * cell, top + row * cell, left + (column + 1) * cell - 1, top + (row + 1) * cell - 1),
                           fill=color)
    return picture


@pytest.fixture(scope="module")
def nginx(make_nginx):
    server = make_nginx(server="location /img/ { media_root @pics@/; }")
    for name in PHOTOGRAPHS:
        server.add(f"{name}.jpg", pictures.photograph(name))
    return server


def render(nginx, query):
    answer = nginx.get(f"/img/{query}")
    assert answer.status == 200, answer.body
    return pictures.decode(answer.body).convert("RGB")


def kept(nginx, name, box, query):
    """Which part of the picture a cover crop shows, as shares: the place at which it equals the whole picture."""
    cut = render(nginx, f"{name}?w={box[0]}&h={box[1]}&fit=cover&fm=png&{query}")
    whole = render(nginx, f"{name}?w={box[0]}&h={box[1]}&fit=outside&fm=png")
    assert cut.size == box
    small, large = (numpy.asarray(picture).astype(int) for picture in (cut, whole))
    places = [(x, y) for x in range(whole.width - cut.width + 1) for y in range(whole.height - cut.height + 1)]
    errors = {(x, y): numpy.abs(large[y:y + cut.height, x:x + cut.width] - small).mean() for x, y in places}
    x, y = min(errors, key=errors.get)
    assert errors[x, y] < 1.5
    return (x / whole.width, y / whole.height, (x + cut.width) / whole.width, (y + cut.height) / whole.height)


def holds(outer, inner, slack=0.01):
    return (outer[0] <= inner[0] + slack and outer[1] <= inner[1] + slack and outer[2] >= inner[2] - slack
            and outer[3] >= inner[3] - slack)


@pytest.mark.parametrize("gravity", ["attention", "entropy"])
@pytest.mark.parametrize("size, at", [((900, 400), (40, 200)), ((900, 400), (700, 60)), ((400, 900), (230, 50)),
                                      ((400, 900), (60, 720))])
@pytest.mark.parametrize("box", [(200, 200), (180, 135), (135, 180)])
def test_a_subject_on_a_calm_background_survives(nginx, gravity, size, at, box):
    name = f"{size[0]}-{at[0]}-{at[1]}.png"
    nginx.add(name, pictures.encode(composed(size, at), "PNG"))
    subject = (at[0] / size[0], at[1] / size[1], (at[0] + SUBJECT) / size[0], (at[1] + SUBJECT) / size[1])
    shown = kept(nginx, name, box, f"g={gravity}")
    assert holds(shown, subject), (shown, subject)
    assert not holds(kept(nginx, name, box, "g=center"), subject)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_attention_keeps_the_subject_of_a_photograph(nginx, name):
    shown = kept(nginx, f"{name}.jpg", (200, 200), "g=attention")
    assert holds(shown, PHOTOGRAPHS[name]), shown


@pytest.mark.parametrize("box", [(200, 200), (300, 120), (120, 180)])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_focus_point_stays_in_the_middle_of_what_is_kept(nginx, name, box):
    left, top, right, bottom = PHOTOGRAPHS[name]
    x, y = (left + right) / 2, (top + bottom) / 2
    shown = kept(nginx, f"{name}.jpg", box, f"g=fp&fx={x:.4f}&fy={y:.4f}")
    for low, high, point in ((shown[0], shown[2], x), (shown[1], shown[3], y)):
        # In the middle, but for the edges of the picture.
        assert abs((low + high) / 2 - min(max(point, (high - low) / 2), 1 - (high - low) / 2)) < 0.01
