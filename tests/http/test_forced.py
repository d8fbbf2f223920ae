"""media_watermark_force: whatever a URL says, no picture leaves the location without the watermark."""

import base64
import hashlib
import hmac
import time
from urllib.parse import quote

import numpy
import pytest
from PIL import Image

import pictures
from pictures import close, color_at

MAGENTA, GREEN, GROUND = (255, 0, 255), (0, 255, 0), (70, 90, 110)
KEY = "11" * 16


@pytest.fixture(scope="module")
def nginx(make_nginx):
    """The forced mark fills the south-east quarter of a rendition; the originals are of one dull colour."""
    force = "media_root @pics@; media_cache z; media_watermark_force mark;"
    ground = pictures.solid(200, 160, GROUND)
    files = {"mark.png": pictures.encode(pictures.solid(50, 40, MAGENTA), "PNG"),
             "cover.png": pictures.encode(pictures.solid(50, 40, GREEN), "PNG"),
             "photo.png": pictures.encode(ground, "PNG"), "photo.jpg": pictures.encode(ground, "JPEG", quality=95),
             "regex/photo.png": pictures.encode(ground, "PNG"), "with space.png": pictures.encode(ground, "PNG"),
             "gray.png": pictures.encode(ground.convert("L"), "PNG"),
             "clear.png": pictures.encode(Image.new("RGBA", (200, 160), (0, 0, 0, 0)), "PNG"),
             "anim.gif": pictures.animation("GIF", size=(200, 160)),
             "anim.webp": pictures.animation("WEBP", size=(200, 160)),
             "pages.tiff": pictures.encode(ground, "TIFF", save_all=True, append_images=[ground, ground])}
    for orientation in (3, 6, 8):
        files[f"o{orientation}.jpg"] = pictures.oriented(orientation, ground)
    return make_nginx(files=files, http="media_cache_path @cache@ keys_zone=z:1m;" + """
        media_watermark mark @pics@/mark.png size=50% margin=0%;
        media_watermark tiles @pics@/mark.png size=10% margin=1% tile;
        media_watermark cover @pics@/cover.png size=100% margin=0% position=center;
        media_preset small "w=60";
        media_preset marked "w=60&wm=cover";
        media_preset everything "w=60&wm=mark,cover&strip=none&fm=png&n=1&page=0";
        """, server=f"""
        location /img/ {{ {force} }}
        location /presets/ {{ {force} media_presets_only on; }}
        location /signed/ {{ {force} media_signature key={KEY} required; }}
        location /original/ {{ {force} media_original on; }}
        location /no-original/ {{ {force} media_original off; }}
        location /tiled/ {{ media_root @pics@; media_watermark_force tiles; }}
        location /pass/ {{ media_pass /behind/; media_cache z; media_watermark_force mark; }}
        location /behind/ {{ internal; alias @pics@/; }}
        location /redirected/ {{ rewrite ^/redirected/(.*)$ /img/$1 last; }}
        location /tried/ {{ try_files /none @tried; }}
        location @tried {{ rewrite ^/tried/(.*)$ /img/$1 last; }}
        location /failing/ {{ return 404; error_page 404 =200 /img/photo.png; }}
        location /refused/ {{ {force} deny all; error_page 403 =200 /img/photo.png; }}
        location /intercepted/ {{ {force} media_intercept_errors on; error_page 400 404 =200 /img/photo.png; }}
        location ~ ^/regex/ {{ media_root @pics@; media_watermark_force mark; }}
        """)


def is_marked(picture, x=0.75, y=0.75, tolerance=40):
    return close(color_at(picture, x, y), MAGENTA, tolerance)


def assert_marked(body, tolerance=40):
    """Every page of it."""
    form = pictures.sniff(body)
    found = pictures.pages(body)[0] if form not in ("avif", "jxl") else [pictures.decode(body)]
    for number, page in enumerate(found):
        assert is_marked(page, tolerance=tolerance), f"page {number} of {len(found)}: {color_at(page, 0.75, 0.75)}"
    return found


ANY = [
    "", "?", "?v=1", "?dl=a.png", "?v=1&dl=a.png", "?w=80", "?w=200", "?w=1000", "?w=1000&enlarge=1", "?q=100",
    "?strip=none", "?strip=none&q=100", "?strip=gps", "?p=small", "?p=marked", "?p=everything", "?p=everything&wm=cover",
    "?crop=0,0,50,40", "?crop=0,0,10,10", "?crop=150,120,50,40", "?crop=0%25,0%25,10%25,10%25", "?crop=0,0,50,40&enlarge=1&w=400",
    "?round=max", "?round=5&bg=fff", "?w=80&h=80&fit=contain&bg=000", "?w=80&h=80&fit=contain&bg=0000",
    "?w=80&h=40&fit=cover&g=nw", "?w=80&h=40&fit=cover&g=attention", "?w=300&h=300&fit=contain", "?w=90&h=60&fit=fill",
    "?rot=90", "?rot=180&flip=h", "?flip=hv", "?trim=1", "?trim=255", "?blur=100", "?blur=20&w=60", "?bri=0", "?bri=10",
    "?con=0", "?sat=0", "?gray=1", "?hue=180", "?sharpen=10", "?wm=mark", "?wm=cover", "?wm=cover,mark", "?wm=mark,cover",
    "?page=0", "?n=1", "?n=-1", "?page=0&n=1", "?max_bytes=20k", "?dpr=2&w=40", "?rot=0", "?lossless=0",
    "?exp=4000000000", "?%77=80", "?w=%38%30",
]


@pytest.mark.parametrize("query", ANY)
def test_whatever_the_query_says(nginx, query):
    answer = nginx.get("/img/photo.png" + query)
    assert answer.status == 200, answer.body
    assert_marked(answer.body)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif", "gif", "tiff", "jxl", "auto"])
@pytest.mark.parametrize("more", ["", "&w=60", "&strip=none", "&q=100"])
def test_every_format(nginx, form, more):
    answer = nginx.get(f"/img/photo.jpg?fm={form}{more}", {"Accept": "image/webp"})
    if form == "jxl" and answer.status == 415:
        pytest.skip("this libvips was built without JPEG XL")
    assert answer.status == 200, answer.body
    assert_marked(answer.body)


@pytest.mark.parametrize("form", ["webp", "png", "avif", "jxl", "tiff"])
def test_lossless(nginx, form):
    answer = nginx.get(f"/img/photo.png?fm={form}&lossless=1")
    if form == "jxl" and answer.status == 415:
        pytest.skip("this libvips was built without JPEG XL")
    assert_marked(answer.body, tolerance=2)


@pytest.mark.parametrize("width", range(1, 21))
def test_tiny_renditions(nginx, width):
    """The mark is never less than a pixel."""
    for query in f"w={width}", f"w={width}&h={width}&fit=cover", f"h={width}":
        picture = pictures.decode(nginx.get(f"/img/photo.png?{query}&fm=png").body).convert("RGB")
        assert close(picture.getpixel((picture.width - 1, picture.height - 1)), MAGENTA, 40), (query, picture.size)


@pytest.mark.parametrize("original", ["anim.gif", "anim.webp", "pages.tiff"])
@pytest.mark.parametrize("query", ["", "?n=-1", "?page=2", "?page=1&n=1", "?page=1&n=2", "?n=2&w=60", "?fm=webp", "?fm=gif",
                                   "?fm=png", "?fm=png&page=1&n=1", "?fm=tiff&n=-1", "?p=small", "?w=1000&enlarge=1"])
def test_every_frame_and_page(nginx, original, query):
    answer = nginx.get(f"/img/{original}{query}")
    if original == "pages.tiff" and query in ("?n=-1", "?page=1&n=2", "?n=2&w=60"):
        assert (answer.status, answer.json()["param"]) == (400, "n")  # a JPEG by default
        return
    assert answer.status == 200, answer.body
    assert_marked(answer.body, tolerance=60)


@pytest.mark.parametrize("original", ["gray.png", "clear.png", "o3.jpg", "o6.jpg", "o8.jpg"])
@pytest.mark.parametrize("query", ["", "?w=60", "?gray=1&fm=png", "?strip=none", "?rot=90"])
def test_other_originals(nginx, original, query):
    assert_marked(nginx.get(f"/img/{original}{query}").body)


@pytest.mark.parametrize("path", [
    "/img/%70hoto.png", "/img/./photo.png", "/img/x/../photo.png", "//img//photo.png", "/img/with%20space.png",
    "/%69mg/photo.png", "/img/photo.png#x", "/redirected/photo.png", "/tried/photo.png", "/failing/photo.png", "/refused/photo.png",
    "/intercepted/none.png", "/intercepted/photo.png?w=0", "/original/photo.png", "/no-original/photo.png", "/pass/photo.png",
    "/pass/%70hoto.png", "/pass/anim.gif", "/pass/photo.jpg?v=3", "/regex/photo.png", "/presets/photo.png",
    "/presets/photo.png?p=small", "/presets/photo.png?p=everything", "/presets/photo.png?"])
def test_every_way_in(nginx, path):
    answer = nginx.get(path)
    assert answer.status == 200, answer.body
    assert_marked(answer.body, 60)


@pytest.mark.parametrize("headers", [{"Range": "bytes=0-"}, {"Range": "bytes=0-99999999"}, {"Range": "bytes=0-0,1-"},
                                     {"If-Range": '"x"', "Range": "bytes=0-"}, {"If-None-Match": '"x"'},
                                     {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Accept": "*/*"},
                                     {"Accept-Encoding": "gzip, identity;q=0"}, {"X-Original-URL": "/behind/photo.png"},
                                     {"X-Accel-Redirect": "/behind/photo.png"}])
@pytest.mark.parametrize("place", ["img", "pass"])
def test_headers_do_not_lead_to_the_original(nginx, headers, place):
    original = (nginx.pics / "photo.png").read_bytes()
    answer = nginx.get(f"/{place}/photo.png", headers)
    assert answer.status in (200, 206, 304)
    assert original[-60:] not in answer.body
    if answer.status == 200 or headers.get("Range") == "bytes=0-":
        assert_marked(answer.body)


@pytest.mark.parametrize("place", ["img", "pass"])
def test_head_and_range_speak_of_the_rendition(nginx, place):
    whole = nginx.get(f"/{place}/photo.png")
    head = nginx.get(f"/{place}/photo.png", method="HEAD")
    part = nginx.get(f"/{place}/photo.png", {"Range": "bytes=8-63"})
    for answer in head, part:
        assert answer.header("ETag") == whole.header("ETag")
    assert head.body == b"" and int(head.header("Content-Length")) == len(whole.body)
    assert (part.status, part.body) == (206, whole.body[8:64])
    assert len(whole.body) != (nginx.pics / "photo.png").stat().st_size


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE", "PROPFIND"])
def test_other_methods_get_nothing(nginx, method):
    assert nginx.get("/img/photo.png", method=method).status == 405


def sign(target):
    path, _, query = target.partition("?")
    pairs = sorted(pair.split("=") for pair in query.split("&") if pair)
    text = path + "?" + "&".join(f"{k}={quote(v, safe='-._~')}" for k, v in pairs)
    mac = base64.urlsafe_b64encode(hmac.digest(bytes.fromhex(KEY), text.encode(), hashlib.sha256)).rstrip(b"=").decode()
    return target + ("&" if query else "?") + "s=" + mac


@pytest.mark.parametrize("query", ["", f"?exp={int(time.time()) + 10000}", "?v=2", "?dl=a.png", "?w=60", "?p=small"])
def test_signed_links(nginx, query):
    answer = nginx.get(sign("/signed/photo.png" + query))
    assert answer.status == 200, answer.body
    assert_marked(answer.body)


@pytest.mark.parametrize("query", ["wm=cover", "wm=mark,cover", "wm=cover,mark", "p=everything", "p=marked"])
def test_it_lies_on_top_of_others(nginx, query):
    """`cover` paints the whole rendition green, but never over the forced mark."""
    picture = pictures.decode(nginx.get(f"/img/photo.png?{query}&fm=png&w=100&h=80&fit=fill").body)
    assert close(color_at(picture, 0.25, 0.25), GREEN, 4)
    assert is_marked(picture, tolerance=4)


def test_a_crop_cannot_leave_it_out(nginx):
    """Cut out of the original before the watermark is laid: each ninth has a mark of its own."""
    for row in range(3):
        for column in range(3):
            query = f"crop={column * 60},{row * 50},60,50&fm=png"
            picture = pictures.decode(nginx.get(f"/img/photo.png?{query}").body)
            assert picture.size == (60, 50) and is_marked(picture, tolerance=4), query


def test_tiles_lie_everywhere(nginx):
    for query in "", "?w=100", "?crop=10,10,30,20", "?w=100&h=300&fit=contain":
        array = numpy.asarray(pictures.decode(nginx.get(f"/tiled/photo.png{query}").body).convert("RGB")).astype(int)
        marked = (numpy.abs(array - MAGENTA).max(axis=2) < 40).mean()
        assert marked > 0.3, query


@pytest.mark.parametrize("names", ["mark,mark", "mark,cover,mark", "none", "mark,none"])
def test_refused_names(nginx, names):
    answer = nginx.get(f"/img/photo.png?wm={names}")
    assert (answer.status, answer.json()["param"]) == (400, "wm")


def test_a_rendition_without_it_is_not_reached_through_the_cache(own_nginx):
    """The same zone, the same URI, the same file: once the location did not force the mark."""
    http = "media_cache_path @cache@ keys_zone=z:1m;\nmedia_watermark mark @pics@/mark.png size=50% margin=0%;"
    place = "location /img/ {{ media_root @pics@; media_cache z; media_watermark_force {}; }}"
    server = own_nginx(http=http, server=place.format("off"),
                       files={"mark.png": pictures.encode(pictures.solid(50, 40, MAGENTA), "PNG"),
                              "photo.png": pictures.encode(pictures.solid(200, 160, GROUND), "PNG")})
    assert not is_marked(pictures.decode(server.get("/img/photo.png?w=50").body))
    server.configure(http, place.format("mark"))
    server.reload()
    assert_marked(server.get("/img/photo.png?w=50").body)
