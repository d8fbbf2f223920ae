"""fm=auto: whatever clients accept, an original has no more cache entries than formats come of it."""

import random
import time

import pytest

import client
import origin as o
import pictures
from nginx_server import wait_until

ZONE = ("media_cache_path @cache@ levels=1:2 keys_zone=z:4m;\n"
        "add_header X-Cache $media_cache_status always;\nadd_header X-Key $media_key always;\n"
        "add_header X-Time \"$media_render_time\" always;\n")
MIME = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp", "AVIF": "image/avif"}

ORIGINALS = {
    "still.jpg": ("JPEG", False, pictures.encode(pictures.gradient(120, 90), "JPEG")),
    "clear.png": ("PNG", False, pictures.encode(pictures.half_transparent(120, 90), "PNG")),
    "moving.gif": ("GIF", True, pictures.animation("GIF")),
    "moving.webp": ("WEBP", True, pictures.animation("WEBP")),
}

BROWSERS = [
    None,
    "",
    "*/*",
    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",  # Chrome
    "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",  # Firefox
    "image/avif,image/webp,*/*",
    "image/webp,*/*",
    "image/webp,image/apng,image/*,*/*;q=0.8",
    "image/webp,image/avif,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",  # Safari
    "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "image/*",
    "image/avif",
    "image/jxl,image/avif;q=0.9",
]


class Accepts:
    """Accept headers at random, each with the set of preferred formats that it names."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def spelled(self, text):
        return "".join(self.random.choice((c.upper(), c.lower())) for c in text)

    def part(self):
        kind = self.random.randrange(10)
        blank = lambda: self.random.choice(["", "", " ", "\t", "  "])  # noqa: E731
        if kind < 6:
            name = self.random.choice(["avif", "webp"])
            weight, counts = self.random.choice([
                ("", True), (";q=1", True), (";q=0.5", True), (" ; Q=0.001", True), (";q=1.000", True),
                (";q=0", False), ("; q=0.000", False), (";q=none", False), (";q=", False), (";v=\"a,b\";q=0.3", True)])
            return blank() + self.spelled("image/" + name) + weight + blank(), {name} if counts else set()
        return blank() + self.random.choice([
            "*/*", "image/*", "*/*;q=0.1", "image/png", "image/jpeg;q=0.2", "text/html", "image/gif", "image/jxl",
            "image/webpx", "ximage/avif", "image/ webp", "webp", "avif", "", ";", "=", "q=1", "\"", "\"image/webp\"",
            "image/heic", "\x80\xff"]) + blank(), set()

    def header(self):
        named, parts, open_quote = set(), [], False
        for _ in range(self.random.randrange(7)):
            text, names = self.part()
            parts.append(text)
            if not open_quote:
                named |= names
            open_quote = open_quote != (text.count('"') % 2 == 1)
        return ",".join(parts), named


def ask(server, target, accept, method="GET", extra=()):
    """A request whose Accept is absent (None), one field, or several (a list)."""
    fields = [] if accept is None else accept if isinstance(accept, list) else [accept]
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close",
             *(f"Accept: {f}" for f in fields), *extra]
    return parse(server.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"))


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in fields:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return int(status.split()[1]), headers, body


def named_by(accept):
    text = "" if accept is None else accept
    return {name for name in ("avif", "webp") if f"image/{name}" in text}


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(http=ZONE, server="""
        media_cache z;
        location /img/ { media_root @pics@; }
        location /uncached/ { media_root @pics@; media_cache off; }
        location /webp-first/ { media_root @pics@; media_auto_format webp avif; }
        location /still/ { media_root @pics@; media_auto_format jxl avif; }
        location /one-frame/ { media_root @pics@; media_max_frames 1; }
        """, files={name: body for name, (_, _, body) in ORIGINALS.items()})


def entries(server):
    return len(server.cache_files())


@pytest.mark.parametrize("name", ORIGINALS)
def test_entries_do_not_outnumber_formats(own_nginx, name):
    own, moves, body = ORIGINALS[name]
    server = own_nginx(http=ZONE, server="location /img/ { media_root @pics@; media_cache z; }", files={name: body})
    accepts = Accepts(5)
    cases = [(text, named_by(text)) for text in BROWSERS]
    for _ in range(500):
        text, named = accepts.header()
        if accepts.random.random() < 0.2:
            more, names = accepts.header()
            if text.count('"') % 2 == 0:
                text, named = [text, more], named | names
        cases.append((text, named))
    bodies = {}

    def check(case):
        accept, named = case
        status, headers, content = ask(server, f"/img/{name}?w=40&fm=auto", accept)
        assert status == 200, (accept, status)
        assert headers["vary"] == ["Accept"]
        type_ = headers["content-type"][0]
        usable = [f for f in ("avif", "webp") if f in named and not (moves and f == "avif")]
        assert type_ == (f"image/{usable[0]}" if usable else MIME[own]), accept
        bodies.setdefault(type_, set()).add(content)

    client.at_once([lambda case=case: check(case) for case in cases], width=8)
    assert entries(server) <= 3, [p.name for p in server.cache_files()]
    for type_, same in bodies.items():
        assert len(same) == 1 and "image/" + pictures.sniff(*same) == type_
        assert (getattr(pictures.decode(*same), "n_frames", 1) > 1) == moves


def test_what_a_client_did_not_name_never_comes(nginx):
    """In any order of clients: what one has made is no answer for another who cannot show it."""
    orders = [["image/avif", "image/avif,image/webp", "image/webp", ""],
              ["image/avif,image/webp", "", "image/avif", "image/webp"],
              ["", "image/webp", "image/avif,image/webp", "image/avif"]]
    for number, order in enumerate(orders):
        for accept in order:
            for name, (own, moves, _) in ORIGINALS.items():
                answer = nginx.get(f"/img/{name}?w={50 + number}&fm=auto", {"Accept": accept})
                named = [f"image/{f}" for f in ("avif", "webp") if f in accept and not (moves and f == "avif")]
                assert answer.type == (named or [MIME[own]])[0], (accept, name)


@pytest.mark.parametrize("accept, key, type_", [
    ("image/avif", "fm=auto", "image/gif"),
    ("image/avif,image/webp", "fm=auto.webp", "image/webp"),
])
def test_signpost_leads_on(nginx, accept, key, type_):
    target = f"/img/moving.gif?w={60 + len(key)}&fm=auto"
    before = entries(nginx)
    first, second = nginx.get(target, {"Accept": accept}), nginx.get(target, {"Accept": accept})
    assert [a.header("X-Cache") for a in (first, second)] == ["MISS", "HIT"]
    assert first.body == second.body and first.type == second.type == type_
    assert f"?{key}&w=" in first.header("X-Key") and first.header("X-Key") == second.header("X-Key")
    assert first.header("X-Time") and not second.header("X-Time")
    assert entries(nginx) == before + 2
    for _ in range(5):  # from an open file, too
        assert nginx.get(target, {"Accept": accept}).body == first.body


def test_signpost_to_what_is_there_renders_nothing(nginx):
    nginx.get("/img/moving.gif?w=71&fm=auto", {"Accept": "image/webp"})
    answer = nginx.get("/img/moving.gif?w=71&fm=auto", {"Accept": "image/avif,image/webp"})
    assert (answer.header("X-Cache"), answer.header("X-Time"), answer.type) == ("HIT", None, "image/webp")


def test_signpost_is_never_the_answer(nginx):
    """Heads, conditions and ranges are about the picture behind it."""
    target, accept = "/img/moving.gif?w=72&fm=auto", {"Accept": "image/avif"}
    head = nginx.get(target, accept, method="HEAD")
    whole = nginx.get(target, accept)
    assert int(head.header("Content-Length")) == len(whole.body) > 0
    assert head.header("ETag") == whole.header("ETag") and len(whole.header("ETag")) > 10
    for _ in range(4):
        part = nginx.get(target, {**accept, "Range": "bytes=3-9"})
        assert (part.status, part.body) == (206, whole.body[3:10])
        same = nginx.get(target, {**accept, "If-None-Match": whole.header("ETag")})
        assert (same.status, same.body, same.header("Vary")) == (304, b"", "Accept")
        since = nginx.get(target, {**accept, "If-Modified-Since": whole.header("Last-Modified")})
        assert since.status == 304
        assert nginx.get(target, {**accept, "Range": f"bytes={len(whole.body)}-"}).status == 416


@pytest.mark.parametrize("query, type_", [("n=1", "image/avif"), ("page=3", "image/avif"), ("page=2", "image/webp"),
                                          ("n=2", "image/webp"), ("lossless=1", "image/webp"), ("q=30", "image/webp")])
def test_one_frame_needs_no_signpost(nginx, query, type_):
    before = entries(nginx)
    answer = nginx.get(f"/img/moving.gif?w=73&fm=auto&{query}", {"Accept": "image/avif,image/webp"})
    assert answer.type == type_
    assert entries(nginx) - before == (1 if type_ == "image/avif" else 2)


def test_one_frame_by_configuration(nginx):
    answer = nginx.get("/one-frame/moving.gif?w=73&fm=auto", {"Accept": "image/avif,image/webp"})
    assert answer.type == "image/avif"


@pytest.mark.parametrize("where, accept, type_", [
    ("/webp-first/", "image/avif,image/webp", "image/webp"), ("/webp-first/", "image/avif", "image/gif"),
    ("/still/", "image/avif,image/webp", "image/gif"), ("/uncached/", "image/avif,image/webp", "image/webp"),
    ("/uncached/", "image/avif", "image/gif"), ("/uncached/", "", "image/gif")])
def test_animations_by_location(nginx, where, accept, type_):
    for _ in range(2):
        answer = nginx.get(where + "moving.gif?w=74&fm=auto", {"Accept": accept})
        assert answer.type == type_
        assert pictures.decode(answer.body).n_frames > 1


def test_many_at_once_are_one_rendition(nginx):
    nginx.add("crowd.gif", ORIGINALS["moving.gif"][2])
    before = entries(nginx)
    answers = client.at_once([lambda i=i: nginx.get("/img/crowd.gif?w=75&fm=auto", {
        "Accept": ("image/avif,image/webp", "image/avif, image/webp;q=0.5")[i % 2]}) for i in range(40)])
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    assert sum(a.header("X-Time") is not None for a in answers) == 1
    assert entries(nginx) == before + 2


@pytest.mark.parametrize("name, status", [("broken.gif", 422), ("text.gif", 415), ("none.gif", 404)])
def test_errors_vary(nginx, name, status):
    nginx.add("broken.gif", ORIGINALS["moving.gif"][2][:20])
    nginx.add("text.gif", b"no picture")
    before = entries(nginx)
    for accept in BROWSERS * 2:
        code, headers, _ = ask(nginx, f"/img/{name}?w=76&fm=auto", accept)
        assert (code, headers["vary"], headers["content-type"]) == (status, ["Accept"], ["application/problem+json"])
    assert entries(nginx) - before <= 3


def test_error_behind_a_signpost(nginx):
    """Too many frames for their pixels: seen only when the animation is to be made."""
    for _ in range(2):
        answer = nginx.get("/img/moving.gif?w=8000&h=8000&fit=contain&fm=auto", {"Accept": "image/avif"})
        assert (answer.status, answer.json()["param"], answer.header("Vary")) == (400, "n", "Accept")


def test_signpost_survives_reload_and_restart(own_nginx):
    server = own_nginx(http=ZONE, server="location /img/ { media_root @pics@; media_cache z; }",
                       files={"a.gif": ORIGINALS["moving.gif"][2]})
    accept = {"Accept": "image/avif"}
    first = server.get("/img/a.gif?w=50&fm=auto", accept)
    server.reload()
    second = server.get("/img/a.gif?w=50&fm=auto", accept)
    server.restart()
    third = server.get("/img/a.gif?w=50&fm=auto", accept)
    assert [a.header("X-Cache") for a in (first, second, third)] == ["MISS", "HIT", "HIT"]
    assert first.body == second.body == third.body


def test_changed_file(own_nginx):
    server = own_nginx(http=ZONE, server="location /img/ { media_root @pics@; media_cache z; }",
                       files={"a.gif": ORIGINALS["moving.gif"][2]})
    accept = {"Accept": "image/avif"}
    assert server.get("/img/a.gif?w=50&fm=auto", accept).type == "image/gif"
    server.add("a.gif", pictures.encode(pictures.solid(60, 40, pictures.RED).convert("P"), "GIF"))
    assert server.get("/img/a.gif?w=50&fm=auto", accept).type == "image/avif"


# Originals of another location


@pytest.fixture(scope="module")
def passing(make_nginx, origin):
    return make_nginx(origin=origin.port, http=ZONE, server="""
        location /o/ { media_pass /origin/; media_cache z; media_cache_valid 200 1m; }
        location /brief/ { media_pass /origin/; media_cache z; media_cache_valid 200 1s; media_cache_use_stale error; }
        location /behind/ { media_pass /origin/; media_cache z; media_cache_valid 200 1s; media_client_hints on; }
        location /any/ { media_pass /origin/; media_cache z; media_cache_valid any 1m; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_read_timeout 700ms; }
        """)


MOVING = ORIGINALS["moving.gif"][2]
STILL = ORIGINALS["still.jpg"][2]
AVIF = {"Accept": "image/avif"}
WIDE = "Accept, Sec-CH-DPR, DPR, Save-Data"
BOTH = {"Accept": "image/avif,image/webp"}


def test_animation_is_fetched_once(passing, origin):
    origin.at("/once.gif", o.static(MOVING))
    answers = [passing.get("/o/once.gif?w=40&fm=auto", BOTH) for _ in range(3)]
    assert [a.header("X-Cache") for a in answers] == ["MISS", "HIT", "HIT"]
    assert len({a.body for a in answers}) == 1 and answers[0].type == "image/webp"
    assert origin.count("/once.gif") == 1
    assert passing.get("/o/once.gif?w=40&fm=auto", AVIF).type == "image/gif"
    assert origin.count("/once.gif") == 2


def test_header_fields_of_the_original_come_along(passing, origin):
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    origin.at("/fields.gif", o.static(MOVING, Cache_Control="max-age=77", Last_Modified=date))
    for _ in range(2):
        answer = passing.get("/o/fields.gif?w=40&fm=auto", BOTH)
        assert (answer.header("Cache-Control"), answer.header("Last-Modified")) == ("max-age=77", date)


def test_many_at_once_fetch_once(passing, origin):
    origin.at("/crowd.gif", o.slow(0.2, o.static(MOVING)))
    answers = client.at_once([lambda: passing.get("/o/crowd.gif?w=40&fm=auto", BOTH)] * 30)
    assert {(a.status, a.type) for a in answers} == {(200, "image/webp")}
    assert origin.count("/crowd.gif") == 1


@pytest.mark.parametrize("control", ["no-store", "private", "max-age=0"])
def test_no_signpost_is_kept_of_what_is_not_kept(passing, origin, control):
    name = f"/{control}.gif"
    origin.at(name, o.static(MOVING, Cache_Control=control))
    before = entries(passing)
    for _ in range(2):
        answer = passing.get(f"/o{name}?w=40&fm=auto", BOTH)
        assert (answer.status, answer.type, answer.header("X-Cache")) == (200, "image/webp", "MISS")
    assert origin.count(name) == 2
    assert entries(passing) == before


def test_signpost_is_as_fresh_as_its_original(passing, origin):
    """The animation becomes a still, and the signpost goes; and the other way round."""
    origin.at("/turns", o.one_after_another(o.static(MOVING), o.static(STILL), o.static(MOVING)))
    types = []
    for _ in range(3):
        types.append(passing.get("/brief/turns?w=40&fm=auto", BOTH).type)
        time.sleep(2.1)
    assert types == ["image/webp", "image/avif", "image/webp"]


def test_stale_animation_when_the_origin_fails(passing, origin):
    origin.at("/fails.gif", o.one_after_another(o.static(MOVING), o.status(500)))
    first = passing.get("/brief/fails.gif?w=40&fm=auto", BOTH)
    time.sleep(2.1)
    second = passing.get("/brief/fails.gif?w=40&fm=auto", BOTH)
    assert (second.status, second.header("X-Cache"), second.header("Vary")) == (200, "STALE", "Accept")
    assert second.body == first.body
    assert origin.count("/fails.gif") == 2  # the failure is that of both entries
    other = passing.get("/brief/fails.gif?w=40&fm=auto", AVIF)  # nothing stale there
    assert (other.status, other.header("Vary")) == (502, "Accept")


def test_stale_animation_is_renewed_behind_its_answer(passing, origin):
    """Signpost and animation, each by a request of its own, though both belong to one URL."""
    other = pictures.animation("GIF", durations=[70] * 4)
    origin.at("/behind.gif", o.one_after_another(o.static(MOVING, ETag='"1"'), *[o.static(other, ETag='"2"')] * 9))
    first = passing.get("/behind/behind.gif?w=40&fm=auto", BOTH)
    time.sleep(2.1)
    second = passing.get("/behind/behind.gif?w=40&fm=auto", BOTH)
    assert (second.body, second.header("X-Cache"), second.header("Vary")) == (first.body, "UPDATING", WIDE)
    wait_until(lambda: origin.count("/behind.gif") == 3, what="two requests behind the answer")
    wait_until(lambda: passing.get("/behind/behind.gif?w=40&fm=auto", BOTH).body != first.body, what="the new animation")
    third = passing.get("/behind/behind.gif?w=40&fm=auto", BOTH)
    assert third.type == "image/webp" and pictures.decode(third.body).info["duration"] == 70


def test_unchanged_animation_stays(passing, origin):
    """304 of the origin: a signpost that holds on stays one."""
    origin.at("/same.gif", o.static(MOVING, ETag='"1"'))
    first = passing.get("/brief/same.gif?w=40&fm=auto", BOTH)
    for _ in range(2):
        time.sleep(2.1)
        again = passing.get("/brief/same.gif?w=40&fm=auto", BOTH)
        assert (again.status, again.body, again.header("X-Cache")) == (200, first.body, "REVALIDATED")
        assert again.header("ETag") == first.header("ETag")
    assert passing.get("/brief/same.gif?w=40&fm=auto", BOTH).header("X-Cache") == "HIT"


def test_hinted_size_is_renewed_too(passing, origin):
    tall = [pictures.encode(pictures.gradient(20, 9000).rotate(turn), "JPEG") for turn in (0, 180)]
    origin.at("/tall", o.one_after_another(o.static(tall[0], ETag='"1"'), *[o.static(tall[1], ETag='"2"')] * 9))
    hints = {"Sec-CH-DPR": "2"}
    first = passing.get("/behind/tall?w=10&n=1", hints)
    assert first.status == 200 and pictures.decode(first.body).size == (10, 4500)
    time.sleep(2.1)
    assert passing.get("/behind/tall?w=10&n=1", hints).status == 200
    wait_until(lambda: passing.get("/behind/tall?w=10&n=1", hints).body != first.body, what="the new picture")


def test_origin_that_fails_at_first(passing, origin):
    origin.at("/later.gif", o.one_after_another(o.status(500), o.static(MOVING)))
    assert passing.get("/o/later.gif?w=40&fm=auto", BOTH).status == 502
    assert passing.get("/o/later.gif?w=40&fm=auto", BOTH).type == "image/webp"


def test_client_that_leaves_at_a_signpost(passing, origin):
    origin.at("/left.gif", o.slow(0.3, o.static(MOVING)))
    client.abandon(passing.port, "/o/left.gif?w=40&fm=auto", 0.1, "Accept: image/avif,image/webp\r\n")
    assert passing.get("/o/left.gif?w=40&fm=auto", BOTH).type == "image/webp"
