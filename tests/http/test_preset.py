"""A preset whose query cannot be served: whoever sees ?p=name refused is told which preset it is."""

import pytest

import pictures

FIRST = "in preset \"{}\": "


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(http="""
        media_preset huge "w=2000&enlarge=1";
        media_preset tall "h=2000&fit=cover&w=10&enlarge=1";
        media_preset small "w=50";
        media_preset exact "lossless=1";
        media_preset late "page=3";
        media_preset tiny "max_bytes=40";
        media_preset corner "crop=900,900,10,10";
        media_preset retina "w=40000";
        media_preset outer "p=huge&q=50";
        media_preset many "n=3&fm=jpeg";
        """, server="""
        location /img/ { media_root @pics@; media_max_width 1000; media_max_height 1000; }
        location /only/ { media_root @pics@; media_max_width 1000; media_presets_only on; }
        """, files={"a.png": pictures.encode(pictures.gradient(100, 80), "PNG"), "anim.gif": pictures.animation("GIF"),
                    "a.jpg": pictures.encode(pictures.gradient(100, 80), "JPEG"),
                    "tall.png": pictures.encode(pictures.solid(10, 400, pictures.RED), "PNG")})


@pytest.mark.parametrize("target, status, param, preset", [
    ("a.png?p=huge", 400, "w", "huge"), ("a.png?p=tall", 400, "h", "tall"), ("a.jpg?p=exact", 400, "lossless", "exact"),
    ("a.png?p=exact&fm=jpeg", 400, "lossless", "exact"), ("a.png?p=late", 400, "page", "late"), ("a.png?p=tiny", 422, "max_bytes", "tiny"),
    ("a.png?p=corner", 422, "crop", "corner"), ("a.png?p=retina&dpr=2", 400, "w", "retina"), ("a.png?p=outer", 400, "w", "huge"),
    ("anim.gif?p=many", 400, "n", "many"), ("tall.png?p=small&enlarge=1", 400, "h", "small"), ("a.png?p=small,huge", 400, "w", "huge"),
])
def test_refused_by_what_a_preset_says(nginx, target, status, param, preset):
    answer = nginx.get("/img/" + target)
    assert (answer.status, answer.json()["param"]) == (status, param), answer.body
    assert answer.json()["detail"].startswith(FIRST.format(preset)), answer.body
    assert answer.type == "application/problem+json"


def test_presets_only(nginx):
    assert nginx.get("/only/a.png?p=huge").json()["detail"].startswith(FIRST.format("huge"))


@pytest.mark.parametrize("target, param", [
    ("a.png?w=2000&enlarge=1", "w"), ("a.png?p=small&w=2000&enlarge=1", "w"), ("a.jpg?p=small&lossless=1", "lossless"),
    ("a.png?p=small&page=5", "page"), ("a.png?p=huge&w=0", "w"), ("a.png?p=none", "p"), ("a.png?p=huge&x=1", "x"),
    ("tall.png?p=huge&w=900", "h"), ("a.png?p=small&max_bytes=30", "max_bytes")])
def test_refused_by_what_the_url_says(nginx, target, param):
    """A preset that has nothing to do with it is not named."""
    answer = nginx.get("/img/" + target)
    assert answer.json()["param"] == param, answer.body
    assert "preset \"" not in answer.json()["detail"]
