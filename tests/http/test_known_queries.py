"""The same query again and again: what a worker remembers of it never answers another question."""

import http.client
import itertools
import time

import pytest

import pictures

HTTP = """
    media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
    media_avif_behind off;
    media_preset card "w=120";
    media_watermark mark @pics@/mark.png;
    media_cache z;
    add_header X-Cache $media_cache_status always;
    add_header X-Key $media_key always;
"""
FILES = {"a.jpg": pictures.encode(pictures.gradient(400, 300), "JPEG"),
         "b.jpg": pictures.encode(pictures.gradient(300, 400), "JPEG"),
         "still.png": pictures.encode(pictures.gradient(80, 60), "PNG"), "anim.gif": pictures.animation("GIF"),
         "mark.png": pictures.encode(pictures.solid(30, 30, pictures.RED), "PNG")}
ROUNDS = 4  # from the second time on a query is remembered, from the third on a file is kept open


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(workers=1, files=FILES, http=HTTP, server="""
        location /img/ { media_root @pics@; }
        location /low/ { media_root @pics@; media_quality jpeg=30; }
        location /narrow/ { media_root @pics@; media_max_width 100; }
        location /presets/ { media_root @pics@; media_presets_only on; }
        location /marked/ { media_root @pics@; media_watermark_force mark; }
        location /hints/ { media_root @pics@; media_client_hints on; }
        location /webp/ { media_root @pics@; media_auto_format webp; }
        """)


def size(answer):
    assert answer.status == 200, answer.body
    return pictures.decode(answer.body).size


def test_every_original_has_its_own(nginx):
    for _ in range(ROUNDS):
        assert size(nginx.get("/img/a.jpg?w=80")) == (80, 60)
        assert size(nginx.get("/img/b.jpg?w=80")) == (80, 107)


def test_every_location_reads_it_in_its_own_way(nginx):
    bodies = set()
    for _ in range(ROUNDS):
        plain, low, marked = (nginx.get(f"/{place}/a.jpg?w=120") for place in ("img", "low", "marked"))
        assert size(plain) == size(low) == size(marked) == (120, 90)
        assert pictures.decode(marked.body).tobytes() != pictures.decode(plain.body).tobytes()
        assert len(low.body) < len(plain.body)
        for place, status in (("narrow", 400), ("presets", 403)):
            assert nginx.get(f"/{place}/a.jpg?w=120").status == status
        assert size(nginx.get("/presets/a.jpg?p=card")) == (120, 90)
        bodies.add((plain.body, low.body, marked.body))
    assert len(bodies) == 1


def test_every_accept_gets_its_format(nginx):
    wanted = [("/img/a.jpg?w=70&fm=auto", {"Accept": "image/avif,image/webp"}, "image/avif"),
              ("/img/a.jpg?w=70&fm=auto", {"Accept": "image/webp"}, "image/webp"),
              ("/img/a.jpg?w=70&fm=auto", {}, "image/jpeg"),
              ("/webp/a.jpg?w=70&fm=auto", {"Accept": "image/avif,image/webp"}, "image/webp"),
              ("/img/a.jpg?w=70", {"Accept": "image/avif,image/webp"}, "image/jpeg"),
              # What moves keeps moving, though the same question has been asked of a still picture.
              ("/img/still.png?w=40&fm=auto", {"Accept": "image/avif,image/webp"}, "image/avif"),
              ("/img/anim.gif?w=40&fm=auto", {"Accept": "image/avif,image/webp"}, "image/webp"),
              ("/img/still.png?w=40&fm=auto", {"Accept": "image/avif,image/webp"}, "image/avif")]
    for target, fields, mime in wanted * ROUNDS:
        answer = nginx.get(target, fields)
        assert (answer.status, answer.type) == (200, mime), (target, fields)
        assert answer.header("Vary") == ("Accept" if "auto" in target else None)


def test_hints_are_read_anew(nginx):
    hints = [({}, 60), ({"Sec-CH-DPR": "2"}, 120), ({"DPR": "3"}, 180), ({"Sec-CH-DPR": "2", "Save-Data": "on"}, 60)]
    for fields, width in hints * ROUNDS:
        answer = nginx.get("/hints/a.jpg?w=60", fields)
        assert size(answer)[0] == width
        assert ("q=economy" in answer.header("X-Key")) == ("Save-Data" in fields)
    # A width that gives way where it cannot be had.
    for fields, width in [({"Sec-CH-Width": "90"}, 90), ({}, 400), ({"Sec-CH-Width": "40"}, 40)] * ROUNDS:
        assert size(nginx.get("/hints/a.jpg?fm=webp", fields))[0] == width


def test_a_link_that_is_known_expires(nginx):
    end = int(time.time()) + 3
    answers = []
    while time.time() < end + 1.5:
        answers.append(nginx.get(f"/img/a.jpg?w=50&exp={end}").status)
        time.sleep(0.1)
    assert [status for status, _ in itertools.groupby(answers)] == [200, 410]


def test_a_file_name_and_errors_are_those_of_the_query(nginx):
    for _ in range(ROUNDS):
        assert "first.jpg" in nginx.get("/img/a.jpg?w=50&dl=first.jpg").header("Content-Disposition")
        assert "second.jpg" in nginx.get("/img/a.jpg?w=50&dl=second.jpg").header("Content-Disposition")
        assert nginx.get("/img/a.jpg?w=50").header("Content-Disposition") is None
        answer = nginx.get("/img/a.jpg?w=0")
        assert (answer.status, answer.json()["param"]) == (400, "w")


def test_the_key_in_the_log(own_nginx):
    """Of a hit that needed none, of an error that error_page answers elsewhere, of what was never looked up."""
    server = own_nginx(workers=1, files={**FILES, "bad.jpg": FILES["a.jpg"][:400]}, http=HTTP + """
        log_format key "$request_uri $status [$media_key]";
        access_log @prefix@/key.log key;""", server="""
        location /img/ { media_root @pics@; media_intercept_errors on; error_page 422 /sorry; }
        location /sorry { return 200 "sorry"; }""")
    for _ in range(6):
        assert server.get("/img/a.jpg?w=80").status == 200
        assert server.get("/img/bad.jpg?w=80").status == 422
        assert server.get("/img/none.jpg?w=80").status == 404
        assert server.get("/img/a.jpg").status == 200
    server.stop()
    lines = (server.prefix / "key.log").read_text().splitlines()
    assert len(lines) == 24 and len(set(lines)) == 4
    for line in lines:
        if line.startswith(("/img/a.jpg?", "/img/bad.jpg?")):
            assert f":0{line.split('?')[0]}?w=80#" in line
        else:
            assert line.endswith("[-]")


def test_a_replaced_original_is_seen(nginx):
    for color in (pictures.RED, pictures.BLUE) * 2:
        nginx.add("changing.png", pictures.encode(pictures.solid(90, 60, color), "PNG"))
        for _ in range(ROUNDS):
            shown = pictures.decode(nginx.get("/img/changing.png?w=45").body).convert("RGB").getpixel((20, 10))
            assert shown == color


def test_a_reload_forgets_presets(own_nginx):
    server = own_nginx(workers=1, files=FILES, http=HTTP, server="location /img/ { media_root @pics@; }")
    for _ in range(ROUNDS):
        assert size(server.get("/img/a.jpg?p=card")) == (120, 90)
    server.configure(http=HTTP.replace('"w=120"', '"w=160"'), server="location /img/ { media_root @pics@; }")
    server.reload()
    for _ in range(ROUNDS):
        assert size(server.get("/img/a.jpg?p=card")) == (160, 120)


def test_more_than_are_remembered(nginx):
    """And a few again and again among them."""
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=60)
    for i in range(4000):
        connection.request("GET", "/img/a.jpg?w=20&fm=png" if i % 3 == 0 else f"/img/a.jpg?w=30&dl=name{i}.jpg")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png" if i % 3 == 0 else "image/jpeg")
        assert (f"name{i}.jpg" in (answer.headers["Content-Disposition"] or "")) == (i % 3 != 0)
    connection.close()
