"""media_client_hints: what a client says of its screen and connection, and what is said about it in Vary."""

import base64
import hashlib
import hmac
import random

import pytest

import client
import origin as o
import pictures

ORIGINAL = pictures.encode(pictures.gradient(1200, 900), "JPEG")
PLAIN_VARY = "Sec-CH-DPR, DPR, Save-Data"
WIDE_VARY = "Sec-CH-Width, Width, Save-Data"
KEY = "00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    return make_nginx(origin=origin.port, files={
        "a.jpg": ORIGINAL, "tall.jpg": pictures.encode(pictures.gradient(100, 800), "JPEG"),
        "small.png": pictures.encode(pictures.gradient(60, 40), "PNG"), "bad.jpg": ORIGINAL[:30],
    }, http=f"""
        media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
        media_preset card "w=200&h=150&fit=cover";
        media_preset grey "gray=1";
        media_watermark mark @pics@/small.png;
        add_header X-Cache $media_cache_status always;
        add_header X-Key $media_key always;
        media_client_hints on;
        media_cache z;
        """, server=f"""
        location /img/ {{ media_root @pics@; }}
        location /off/ {{ media_root @pics@; media_client_hints off; }}
        location /presets/ {{ media_root @pics@; media_presets_only on; }}
        location /low/ {{ media_root @pics@; media_max_width 300; media_max_height 400; media_cache_valid any 1m; }}
        location /uncached/ {{ media_root @pics@; media_max_width 300; media_max_height 400; media_cache off; }}
        location /signed/ {{ media_root @pics@; media_signature key={KEY} required; }}
        location /marked/ {{ media_root @pics@; media_watermark_force mark; }}
        location /o/ {{ media_pass /origin/; media_max_height 400; }}
        location /origin/ {{ internal; proxy_pass http://127.0.0.1:@origin@/; }}
        """)


def size(answer):
    assert answer.status == 200, answer.body
    return pictures.decode(answer.body).size


@pytest.mark.parametrize("query, hints, width", [
    ("w=200", {"Sec-CH-DPR": "2"}, 400),
    ("w=200", {"DPR": "2"}, 400),
    ("w=200", {"sec-ch-dpr": "1.5", "DPR": "3"}, 300),
    ("w=200", {"Sec-CH-DPR": "2.625"}, 525),
    ("w=200", {"Sec-CH-DPR": "9"}, 1000),
    ("w=200", {"Sec-CH-DPR": "0.1"}, 100),
    ("w=200&dpr=1", {"Sec-CH-DPR": "2"}, 200),
    ("w=200", {"Sec-CH-DPR": "2", "Save-Data": "on"}, 200),
    ("w=200&dpr=2", {"Sec-CH-DPR": "3", "Save-Data": "on"}, 400),
    ("w=200", {"Sec-CH-Width": "700"}, 200),
    ("fm=webp", {"Sec-CH-Width": "700"}, 700),
    ("fm=webp", {"Width": "700", "Sec-CH-DPR": "2"}, 700),
    ("fm=webp", {"Sec-CH-Width": "5000"}, 1200),
    ("p=grey", {"Sec-CH-Width": "310"}, 310),
    ("p=card", {"Sec-CH-DPR": "2", "Sec-CH-Width": "310"}, 400),
])
def test_hints_fill_in(nginx, query, hints, width):
    for _ in range(2):
        answer = nginx.get(f"/img/a.jpg?{query}", hints)
        assert size(answer)[0] == width
    plain = nginx.get(f"/off/a.jpg?{query}", hints)
    assert plain.header("Vary") is None and "q=economy" not in plain.header("X-Key")


def test_hints_lead_to_the_same_entry_as_the_query(nginx):
    written = nginx.get("/img/a.jpg?w=444&round=8")
    hinted = nginx.get("/img/a.jpg?w=222&round=4", {"Sec-CH-DPR": "2"})
    assert (written.header("X-Cache"), hinted.header("X-Cache")) == ("MISS", "HIT")
    assert written.header("X-Key") == hinted.header("X-Key") and written.header("ETag") == hinted.header("ETag")
    assert nginx.get("/img/a.jpg?round=8&gray=0", {"Sec-CH-Width": "444"}).header("X-Cache") == "HIT"
    assert nginx.get("/img/a.jpg?w=444&fm=webp&q=60").header("X-Cache") == "MISS"
    assert nginx.get("/img/a.jpg?w=444&fm=webp", {"Save-Data": "on"}).header("X-Cache") == "HIT"


@pytest.mark.parametrize("form", ["jpeg", "webp", "auto", None])
def test_save_data_saves_data(nginx, form):
    target = "/img/a.jpg?w=600" + (f"&fm={form}" if form else "")
    accept = {"Accept": "image/webp"}
    full, less = nginx.get(target, accept), nginx.get(target, {**accept, "Save-Data": "on"})
    assert size(full) == size(less) and full.type == less.type
    assert len(less.body) < 0.9 * len(full.body)
    reference = nginx.get(target.replace("&fm=auto", "&fm=webp") + "&q=60")
    assert less.body == reference.body
    assert nginx.get(target + "&q=80", {**accept, "Save-Data": "on"}).body == full.body


@pytest.mark.parametrize("path, vary", [
    ("/img/a.jpg", None),
    ("/img/a.jpg?v=3", None),
    ("/img/a.jpg?w=30", PLAIN_VARY),
    ("/img/a.jpg?fm=json", None),
    ("/img/a.jpg?p=card&fm=json", None),
    ("/img/a.jpg?w=30&dpr=2", "Save-Data"),
    ("/img/a.jpg?w=30&dpr=2&q=40", None),
    ("/img/a.jpg?w=30&dpr=2&fm=png", None),
    ("/img/a.jpg?w=30&fm=png", PLAIN_VARY),
    ("/img/a.jpg?gray=1", WIDE_VARY),
    ("/img/a.jpg?w=30&fm=auto", "Accept, " + PLAIN_VARY),
    ("/img/a.jpg?w=30&fm=auto&dpr=1&q=50", "Accept"),
    ("/img/none.jpg?w=30", PLAIN_VARY),
    ("/img/bad.jpg?w=30", PLAIN_VARY),
    ("/img/bad.jpg?gray=1&fm=auto", "Accept, " + WIDE_VARY),
    ("/presets/a.jpg?p=grey", "Save-Data"),
    ("/presets/a.jpg?p=card", PLAIN_VARY),
    ("/presets/a.jpg?w=3", None),
    ("/off/a.jpg?w=30", None),
    ("/off/a.jpg?w=30&fm=auto", "Accept"),
    ("/marked/a.jpg", None),
    ("/marked/a.jpg?w=30", PLAIN_VARY),
    ("/img/a.jpg?w=30&x=1", None),
])
def test_vary(nginx, path, vary):
    for hints in {}, {"Sec-CH-DPR": "2"}, {"Sec-CH-Width": "50", "Save-Data": "on"}, {"DPR": "junk"}:
        for _ in range(2):
            answer = nginx.get(path, hints)
            assert answer.header("Vary") == vary, hints
        if answer.status == 200:
            again = nginx.get(path, {**hints, "If-None-Match": answer.header("ETag")})
            assert (again.status, again.header("Vary")) == (304, vary)
            assert nginx.get(path, {**hints, "Range": "bytes=0-1"}).header("Vary") == vary
            assert nginx.get(path, hints, method="HEAD").header("Vary") == vary


def test_no_parameter_is_the_original(nginx):
    hints = {"Sec-CH-DPR": "2", "Sec-CH-Width": "100", "Save-Data": "on"}
    assert nginx.get("/img/a.jpg", hints).body == ORIGINAL
    assert nginx.get("/img/a.jpg?v=1&dl=b.jpg", hints).body == ORIGINAL
    assert size(nginx.get("/marked/a.jpg", hints)) == (1200, 900)


def test_presets_only_fix_the_widths(nginx):
    assert size(nginx.get("/presets/a.jpg?p=grey", {"Sec-CH-Width": "100"})) == (1200, 900)
    assert size(nginx.get("/presets/a.jpg?p=card", {"Sec-CH-Width": "100", "Sec-CH-DPR": "2"})) == (400, 300)


@pytest.mark.parametrize("where", ["/low/", "/uncached/"])
@pytest.mark.parametrize("target, hints, expected", [
    ("a.jpg?w=200", {"Sec-CH-DPR": "3"}, (300, 225)),
    ("a.jpg?w=200&h=200&fit=contain", {"Sec-CH-DPR": "5"}, (300, 300)),
    ("a.jpg?gray=1", {"Sec-CH-Width": "2000"}, (300, 225)),
    ("a.jpg?w=40&h=40&fit=fill&fm=jpeg&max_bytes=1k", {"Sec-CH-DPR": "5"}, (40, 40)),  # no quality fits
    ("tall.jpg?w=50", {"Sec-CH-DPR": "2"}, (50, 400)),  # its height would be too large
    ("tall.jpg?w=50&fm=auto", {"Sec-CH-DPR": "2", "Accept": "image/webp"}, (50, 400)),
])
def test_hints_give_way_to_the_limits(nginx, where, target, hints, expected):
    """Never an error, also where the error that a query deserves is stored."""
    if target.startswith("tall"):
        assert nginx.get(where + target.replace("w=50", "w=100")).status == 400
    for _ in range(3):
        answer = nginx.get(where + target, hints)
        assert size(answer) == expected
        assert "Save-Data" in answer.header("Vary")


def test_what_the_url_asks_for_stays_its_fault(nginx):
    for target in "/low/tall.jpg?w=100", "/low/tall.jpg?gray=1", "/low/a.jpg?w=301&h=100&fit=contain":
        for hints in {}, {"Sec-CH-DPR": "2"}, {"Sec-CH-Width": "90"}:
            answer = nginx.get(target, hints)
            assert answer.status == 400, (target, hints)


def test_hints_that_give_way_ask_the_origin_once(nginx, origin):
    origin.at("/tall.jpg", o.static(pictures.encode(pictures.gradient(100, 800), "JPEG")))
    assert size(nginx.get("/o/tall.jpg?w=50", {"Sec-CH-DPR": "2"})) == (50, 400)
    assert origin.count("/tall.jpg") == 1


def test_hints_do_not_reach_the_origin(nginx, origin):
    origin.at("/plain.jpg", o.static(ORIGINAL, Vary="Save-Data, DPR"))
    for _ in range(2):
        answer = nginx.get("/o/plain.jpg?w=50", {"Sec-CH-DPR": "2", "DPR": "2", "Sec-CH-Width": "7", "Width": "7",
                                                 "Save-Data": "on", "X-Else": "1"})
        assert size(answer)[0] == 50
    seen, = origin.requests["/plain.jpg"]
    names = {name.lower() for name in seen.headers}
    assert "x-else" in names and not names & {"sec-ch-dpr", "dpr", "sec-ch-width", "width", "save-data"}


def test_signed_urls_say_nothing_of_hints(nginx):
    mac = hmac.new(bytes.fromhex(KEY), b"/signed/a.jpg?w=90", hashlib.sha256).digest()
    target = "/signed/a.jpg?w=90&s=" + base64.urlsafe_b64encode(mac).decode().rstrip("=")
    assert size(nginx.get(target))[0] == 90
    assert size(nginx.get(target, {"Sec-CH-DPR": "2"}))[0] == 180
    assert nginx.get(target.replace("w=90", "w=180"), {"Sec-CH-DPR": "2"}).status == 403


HOSTILE = ["", " ", "2,3", "1e9", "-1", "nan", "inf", "0", "0.0000001", "9" * 300, "9" * 20, "9" * 4000, "1." + "3" * 900,
           "\xff\xfe", "\"2\"", "?1", "2;2;2", ";", "2 ; q=\"", "0x10", "on", "1\t", "%32", "../../etc", "<b>", "2.5.5"]


def test_hints_are_never_an_error(nginx):
    rng = random.Random(4)
    names = ["Sec-CH-DPR", "DPR", "Sec-CH-Width", "Width", "Save-Data"]

    def ask(value, name, query):
        lines = [f"GET /img/a.jpg?{query} HTTP/1.1", "Host: localhost", "Connection: close", f"{name}: {value}"]
        lines += [f"{rng.choice(names)}: {rng.choice(HOSTILE)}" for _ in range(rng.randrange(3))]
        answer = nginx.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), (lines, answer[:200])

    client.at_once([lambda v=v, n=n, q=q: ask(v, n, q) for v in HOSTILE for n in names
                    for q in ("w=20", "fm=png", "w=9&h=9&fit=cover&round=3")], width=8)


def test_nonsense_makes_no_entries(nginx):
    nginx.add("quiet.jpg", ORIGINAL)
    nginx.get("/img/quiet.jpg?w=20")
    before = len(nginx.cache_files())
    for value in "x", "", "-2", "2,2", "1e3", "\"2\"":
        for name in "Sec-CH-DPR", "DPR", "Sec-CH-Width", "Width", "Save-Data":
            assert nginx.get("/img/quiet.jpg?w=20", {name: value}).header("X-Cache") == "HIT"
    for value in "5", "5.0", "6", "77", "5;a=b", " 5 ":
        assert size(nginx.get("/img/quiet.jpg?w=20", {"Sec-CH-DPR": value}))[0] == 100
    assert len(nginx.cache_files()) == before + 1
