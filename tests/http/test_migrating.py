"""module/migrating.md: what it says of our own side, asked of a running nginx."""

import re
from pathlib import Path

import pytest

import pictures

PAGE = (Path(__file__).resolve().parents[2] / "module/migrating.md").read_text()
QUERIES = re.findall(r"^\| `(\?[^`]+)` \|", PAGE, re.M)
REWRITES = re.search(r"^```nginx\n(.*?)^```$", PAGE, re.M | re.S)[1]
SIZE = (600, 450)


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(
        files={"a.jpg": pictures.encode(pictures.gradient(*SIZE), "JPEG", quality=90),
               "small.jpg": pictures.encode(pictures.gradient(40, 30), "JPEG", quality=90),
               "logo.png": pictures.encode(pictures.solid(60, 60, pictures.RED), "PNG")},
        http='media_preset card "w=48&h=32&fit=cover"; media_watermark logo @pics@/logo.png;',
        server=REWRITES + "location /img/ { media_root @pics@/; media_signature key=" + "5c" * 16 + "; }")


def test_the_page_compares_every_server_in_every_row():
    rows = [line for line in PAGE.split("## What is different")[0].splitlines() if line.startswith("| ")]
    assert len(rows) == len(QUERIES) + 2  # the head, and the signature
    assert all(len(re.split(r"(?<!\\)\|", row)) == 8 for row in rows)


@pytest.mark.parametrize("query", QUERIES)
def test_our_spelling_is_understood(nginx, query):
    answer = nginx.get(f"/img/a.jpg{query}")
    assert answer.status == 200, answer.body
    assert answer.json()["width"] == SIZE[0] if "json" in query else pictures.decode(answer.body).size


@pytest.mark.parametrize("link, size, form", [
    ("/unsafe/300x200/a.jpg", (300, 200), "JPEG"), ("/unsafe/fit-in/300x200/a.jpg", (267, 200), "JPEG"),
    ("/unsafe/80x80/small.jpg", (80, 80), "JPEG"), ("/unsafe/fit-in/300x200/small.jpg", (40, 30), "JPEG"),
    ("/unsafe/rs:fill:300:200/g:sm/plain/local:///a.jpg@webp", (300, 200), "WEBP"),
])
def test_old_links_live_on(nginx, link, size, form):
    answer = nginx.get(link)
    assert answer.status == 200, answer.body
    picture = pictures.decode(answer.body)
    assert (picture.size, picture.format) == (size, form)
