"""Signed URLs, expiry, the signer, and watermarks that nobody gets around."""

import base64
import hashlib
import hmac
import os
import subprocess
import time
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

import pictures

KEY, OLD = bytes.fromhex("11" * 16), bytes.fromhex("22" * 32)
PICTURE = pictures.encode(pictures.gradient(400, 300), "JPEG", quality=95)
SIGNER = Path(os.environ.get("MEDIA_BUILD", Path(__file__).resolve().parents[2] / "build")) / "ngx-media-sign"


def sign(path, query="", key=KEY):
    """As the documents say it, without a line of the module's own code."""
    pairs = sorted((unquote(n), unquote(v)) for n, _, v in (pair.partition("=") for pair in query.split("&") if pair))
    text = unquote(path) + "?" + "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in pairs)
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return f"{path}?{query}{'&' if query else ''}s={signature}"


@pytest.fixture(scope="module")
def nginx(make_nginx):
    server = make_nginx(
        files={"a.jpg": PICTURE, "a b.jpg": PICTURE, "key": (OLD.hex() + "\n").encode(),
               "logo.png": pictures.encode(pictures.solid(60, 60, pictures.RED), "PNG")},
        http=f"""
            media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
            media_preset thumb "w=50";
            media_preset bare "w=50&fm=png";
            media_watermark logo @pics@/logo.png position=center size=50%;
            media_watermark white @pics@/logo.png position=center size=100%;
        """, server=f"""
            media_cache z;
            location /signed/ {{ media_root @pics@; media_signature key={KEY.hex()} key=file:@pics@/key required; }}
            location /may/ {{ media_root @pics@; media_signature key={KEY.hex()}; }}
            location /open/ {{ media_root @pics@; }}
            location /presets/ {{ media_root @pics@; media_signature key={KEY.hex()} required; media_presets_only on; }}
            location /pretty/ {{ rewrite ^/pretty/(.*)$ /signed/$1?w=30 last; }}
            location /forced/ {{ media_root @pics@; media_watermark_force logo; }}
            location /forced/free/ {{ media_root @pics@/; media_watermark_force off; }}
            location /forced-pass/ {{ media_pass /open/; media_watermark_force logo; }}
        """)
    return server


@pytest.mark.parametrize("query", ["w=40", "h=30&w=40", "w=%34%30", "crop=0,0,50%25,50%25&w=9", "p=thumb", "", "dl=x%20y.jpg"])
@pytest.mark.parametrize("key", [KEY, OLD])
def test_good_signatures(nginx, query, key):
    assert nginx.get(sign("/signed/a.jpg", query, key)).status == 200


def test_path_is_signed_as_sent_and_decoded(nginx):
    assert nginx.get(sign("/signed/a%20b.jpg", "w=40")).status == 200
    assert nginx.get(sign("/pretty/a.jpg", "v=1")).status == 200


@pytest.mark.parametrize("target", [
    "/signed/a.jpg?w=40", "/signed/a.jpg", sign("/signed/a.jpg", "w=40") + "A", sign("/signed/a.jpg", "w=40")[:-24],
    sign("/signed/a.jpg", "w=40").replace("w=40", "w=41"), sign("/signed/a.jpg", "w=40") + "&h=20",
    sign("/signed/b.jpg", "w=40").replace("b.jpg", "a.jpg"), sign("/signed/a.jpg", "w=40", b"3" * 16),
    "/signed/a.jpg?w=40&s=", "/may/a.jpg?w=40&s=AAAA", sign("/signed/a.jpg", "w=40") + "=",
])
def test_bad_signatures(nginx, target):
    answer = nginx.get(target)
    assert (answer.status, answer.json()["param"]) == (403, "s")


def test_signature_may_be_optional_or_unknown(nginx):
    assert nginx.get("/may/a.jpg?w=40").status == 200
    answer = nginx.get(sign("/open/a.jpg", "w=40"))
    assert (answer.status, answer.json()["param"]) == (400, "s")


def test_signed_presets(nginx):
    assert nginx.get(sign("/presets/a.jpg", f"p=thumb&exp={int(time.time()) + 60}")).status == 200
    assert nginx.get(sign("/presets/a.jpg", "p=thumb&w=40")).status == 403


def test_expiry(nginx):
    soon, past = int(time.time()) + 60, int(time.time()) - 60
    assert nginx.get(sign("/signed/a.jpg", f"w=40&exp={soon}")).status == 200
    for query in (f"w=40&exp={past}", f"exp={past}"):
        answer = nginx.get(sign("/signed/a.jpg", query))
        assert (answer.status, answer.json()["param"]) == (410, "exp")
    assert nginx.get(sign("/signed/a.jpg", "w=40&exp=tomorrow")).status == 400


def test_signatures_share_a_rendition(nginx):
    """Neither `s` nor `exp` is part of the key."""
    first = nginx.get(sign("/signed/a.jpg", f"w=44&exp={int(time.time()) + 60}"))
    second = nginx.get(sign("/signed/a.jpg", f"exp={int(time.time()) + 90}&w=44", OLD))
    assert first.header("ETag") == second.header("ETag")
    assert len([p for p in nginx.cache_files() if b"/signed/a.jpg?w=44#" in p.read_bytes()]) == 1


@pytest.mark.parametrize("url", ["/signed/a.jpg?w=40", "/signed/a.jpg", "https://example.com/signed/a.jpg?h=30&w=40", "/signed/a%20b.jpg?w=9"])
@pytest.mark.parametrize("options", [[], ["--for", "60"]])
def test_signer(nginx, url, options):
    run = subprocess.run([SIGNER, KEY.hex(), *options, url], capture_output=True, text=True, check=True)
    assert nginx.get(run.stdout.strip().removeprefix("https://example.com")).status == 200


def test_signer_complains():
    for arguments in ([], ["11", "/a"], [KEY.hex(), "a.jpg"], [KEY.hex(), "--for", "x", "/a"]):
        assert subprocess.run([SIGNER, *arguments], capture_output=True).returncode == 2


# Forced watermarks


@pytest.mark.parametrize("query", ["", "?w=100", "?p=bare", "?wm=logo&w=100", "?wm=logo,white&w=100", "?fm=png", "?strip=none", "?v=1",
                                   "?dl=a.jpg", "?page=0&n=1", "?w=100&fit=cover&h=100&g=n", "?fm=auto"])
@pytest.mark.parametrize("place", ["/forced/", "/forced-pass/"])
def test_forced_watermark_is_always_there(nginx, place, query):
    answer = nginx.get(place + "a.jpg" + query, headers={"Accept": "image/webp"})
    assert answer.status == 200
    red, green, blue = pictures.color_at(pictures.decode(answer.body), 0.5, 0.5)[:3]
    reference = pictures.RED
    assert max(abs(a - b) for a, b in zip((red, green, blue), reference)) < 40
    assert answer.body != PICTURE


def test_forced_watermark_can_be_lifted(nginx):
    assert nginx.get("/forced/free/a.jpg").body == PICTURE
