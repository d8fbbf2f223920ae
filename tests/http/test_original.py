"""The untouched original: who gets it, who does not, and under which name it is saved."""

import functools

import pytest

import client
import origin as o
import pictures

ORIGINAL = pictures.encode(pictures.gradient(120, 90), "JPEG")


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    origin.at("/a.jpg", o.static(ORIGINAL))
    return make_nginx(origin=origin.port, files={"a.jpg": ORIGINAL}, http="""
        media_cache_path @cache@ levels=1:2 keys_zone=z:2m;
        media_preset thumb "w=50";
        media_preset nothing "v=1";
        media_watermark mark @pics@/a.jpg;
        add_header X-Cache $media_cache_status always;
        """, server="""
        media_cache z;
        location /open/ { media_root @pics@; }
        location /uncached/ { media_root @pics@; media_cache off; }
        location /passed/ { media_pass /origin/; }
        location /closed/ { media_root @pics@; media_original off; }
        location /closed/open/ { alias @pics@/; }
        location /closedpass/ { media_pass /origin/; media_original off; }
        location /presets/ { media_root @pics@; media_original off; media_presets_only on; }
        location /marked/ { media_root @pics@; media_original off; media_watermark_force mark; }
        location /shown/ { media_root @pics@; media_original off; media_intercept_errors on; error_page 403 /why.html; }
        location = /why.html { return 403 "ask for less"; }
        location /outer/ {
            media_original off;
            location /outer/closed/ { media_root @pics@; }
            location /outer/open/ { media_root @pics@; media_original on; }
        }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
        """)


CLOSED = ["/closed/", "/closedpass/", "/presets/", "/outer/closed/"]


@pytest.mark.parametrize("where", CLOSED)
@pytest.mark.parametrize("query", ["", "?", "?&", "?v=1", "?dl=b.jpg", "?v=1&dl=b.jpg", "?exp=9999999999"])
def test_original_off(nginx, where, query):
    if where == "/presets/" and ("v=" in query or "dl=" in query):
        query = ""
    for method in "GET", "HEAD":
        answer = nginx.get(f"{where}a.jpg{query}", method=method)
        assert (answer.status, answer.type) == (403, "application/problem+json")
        assert answer.header("Content-Disposition") is None and answer.header("ETag") is None
        assert ORIGINAL[:20] not in answer.body


@pytest.mark.parametrize("where", CLOSED)
def test_no_condition_or_range_opens_it(nginx, where):
    tag, date = (nginx.get("/open/a.jpg").header(name) for name in ("ETag", "Last-Modified"))
    for headers in {"If-None-Match": tag}, {"If-None-Match": "*"}, {"If-Modified-Since": date}, {"Range": "bytes=0-9"}:
        assert nginx.get(where + "a.jpg", headers).status == 403


def test_closed_originals_are_not_fetched(nginx, origin):
    before = origin.count("/a.jpg")
    assert nginx.get("/closedpass/a.jpg").status == 403
    assert origin.count("/a.jpg") == before


@pytest.mark.parametrize("where", CLOSED)
def test_renditions_of_closed_originals(nginx, where):
    for query in ("p=thumb",) if where == "/presets/" else ("w=50", "p=thumb", "q=80", "w=50&dl=b.jpg"):
        answer = nginx.get(f"{where}a.jpg?{query}")
        assert answer.status == 200 and answer.body != ORIGINAL


def test_a_preset_asks_for_a_rendition(nginx):
    answer = nginx.get("/closed/a.jpg?p=nothing")
    assert answer.status == 200 and answer.body != ORIGINAL


def test_forced_watermark_is_no_original(nginx):
    answer = nginx.get("/marked/a.jpg")
    assert answer.status == 200 and answer.body != ORIGINAL
    assert pictures.decode(answer.body).size == (120, 90)


def test_original_off_is_inherited_and_overridden(nginx):
    assert nginx.get("/outer/closed/a.jpg").status == 403
    assert nginx.get("/outer/open/a.jpg").body == ORIGINAL
    assert nginx.get("/closed/open/a.jpg").body == ORIGINAL  # nginx' own location


def test_error_page_of_a_closed_original(nginx):
    answer = nginx.get("/shown/a.jpg")
    assert (answer.status, answer.body) == (403, b"ask for less")


# dl


NAMES = [
    ("a.jpg", 'attachment; filename="a.jpg"'),
    ("my%20photo%20(1).jpg", 'attachment; filename="my photo (1).jpg"'),
    ("a%3Bb%3D'c'%2C.jpg", "attachment; filename=\"a;b='c',.jpg\""),
    ("%C3%A9t%C3%A9.jpg", "attachment; filename=\"_t_.jpg\"; filename*=UTF-8''%C3%A9t%C3%A9.jpg"),
    ("100%25.jpg", "attachment; filename=\"100_.jpg\"; filename*=UTF-8''100%25.jpg"),
]


@pytest.mark.parametrize("name, value", NAMES)
@pytest.mark.parametrize("target", ["/open/a.jpg?", "/open/a.jpg?w=40&", "/uncached/a.jpg?w=40&", "/passed/a.jpg?w=40&",
                                    "/passed/a.jpg?"])
def test_download_name(nginx, target, name, value):
    for _ in range(2):
        answer = nginx.get(target + "dl=" + name)
        assert (answer.status, answer.header("Content-Disposition")) == (200, value)
    head = nginx.get(target + "dl=" + name, method="HEAD")
    assert head.header("Content-Disposition") == value
    if target == "/passed/a.jpg?":
        return  # ranges of what is proxied are between the client and that origin
    part = nginx.get(target + "dl=" + name, {"Range": "bytes=0-4"})
    assert (part.status, part.header("Content-Disposition"), part.body) == (206, value, answer.body[:5])


def test_download_name_is_not_part_of_the_key(nginx):
    plain = nginx.get("/open/a.jpg?w=41")
    assert plain.header("Content-Disposition") is None
    for name in "b.jpg", "c.jpg":
        answer = nginx.get(f"/open/a.jpg?w=41&dl={name}")
        assert (answer.header("X-Cache"), answer.body, answer.header("ETag")) == ("HIT", plain.body, plain.header("ETag"))
    assert nginx.get("/open/a.jpg?w=41").header("Content-Disposition") is None


def test_download_leaves_the_original_untouched(nginx):
    for where in "/open/", "/passed/", "/outer/open/":
        assert nginx.get(where + "a.jpg?dl=b.jpg").body == ORIGINAL


@pytest.mark.parametrize("name", ["a%0D%0AX-Evil:%201", "a%00", "a%22b", "a%5Cb", "a/b", "..", ".", "", "%FF", "%C3", "a" * 256,
                                  "%7F", "%0A", "%E2%82"])
@pytest.mark.parametrize("target", ["/open/a.jpg?", "/open/a.jpg?w=40&"])
def test_bad_download_names(nginx, target, name):
    answer = nginx.get(target + "dl=" + name)
    assert (answer.status, answer.json()["param"]) == (400, "dl")
    assert answer.header("X-Evil") is None and answer.header("Content-Disposition") is None


@pytest.mark.parametrize("target", ["/open/none.jpg?dl=a.jpg", "/open/none.jpg?w=4&dl=a.jpg", "/passed/none.jpg?dl=a.jpg",
                                    "/open/a.jpg?w=9000&h=9000&fit=contain&dl=a.jpg"])
def test_errors_are_no_downloads(nginx, target):
    answer = nginx.get(target)
    assert answer.status in (400, 404) and answer.header("Content-Disposition") is None


# max_bytes


@pytest.fixture(scope="module")
def busy(nginx):
    nginx.add("photo.jpg", pictures.photograph("LadyBird"))
    return nginx


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif", "auto"])
@pytest.mark.parametrize("share", [0.8, 0.5, 0.3])
def test_max_bytes(busy, form, share):
    """The highest quality that fits; of those near it the next one would not."""
    accept = {"Accept": "image/webp"}
    target = f"/uncached/photo.jpg?w=300&fm={form}"
    limit = int(share * len(busy.get(target, accept).body))
    answer = busy.get(f"/open/photo.jpg?w=300&fm={form}&max_bytes={limit}", accept)
    assert answer.status == 200 and len(answer.body) <= limit
    assert pictures.decode(answer.body).width == 300
    sizes = sizes_by_quality(busy, "webp" if form == "auto" else form)
    assert len(answer.body) == next(size for size in sizes if size <= limit)


@functools.lru_cache(None)
def sizes_by_quality(server, form):
    """Downwards from the default."""
    return [len(server.get(f"/uncached/photo.jpg?w=300&fm={form}&q={quality}").body)
            for quality in range(60 if form == "avif" else 80, 0, -1)]


@pytest.mark.parametrize("query", ["fm=jpeg&max_bytes=300", "fm=png&max_bytes=3k", "fm=webp&lossless=1&max_bytes=3k",
                                   "fm=webp&max_bytes=100&q=1"])
def test_nothing_fits(busy, query):
    answer = busy.get("/open/photo.jpg?w=400&" + query)
    assert (answer.status, answer.json()["param"]) == (422, "max_bytes")


def test_max_bytes_is_part_of_the_key(busy):
    first = busy.get("/open/photo.jpg?w=401&max_bytes=20k")
    assert busy.get("/open/photo.jpg?w=401&max_bytes=20480").header("X-Cache") == "HIT"
    assert busy.get("/open/photo.jpg?w=401&max_bytes=10k").header("X-Cache") == "MISS"
    assert busy.get("/open/photo.jpg?w=401").header("X-Cache") == "MISS"
    assert len(first.body) <= 20480


def test_max_bytes_at_once(busy):
    answers = client.at_once([lambda: busy.get("/open/photo.jpg?w=402&max_bytes=15k")] * 20)
    assert len({a.body for a in answers}) == 1
