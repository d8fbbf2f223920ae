"""media_copy_progressive: later sizes of a progressive original are made of a copy in one scan, which nobody can tell."""

import concurrent.futures
import itertools
import os
import re
import time
from pathlib import Path

import pytest

import origin as o
import pictures
from nginx_server import wait_until

HTTP = """
media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
add_header X-Cache $media_cache_status always;
add_header X-Copy $media_copy always;
add_header X-Shared $media_shared always;
add_header X-Source-Bytes $media_source_bytes always;
media_cache z;
media_threads 2 queue=200;
media_preset card "w=333";
"""


def photo(width=1300, height=900, **options):
    picture = pictures.decode(pictures.photograph("LadyBird").read_bytes()).convert("RGB").resize((width, height))
    return pictures.encode(picture, "JPEG", quality=90, **{"progressive": True, **options})


PROGRESSIVE = photo()
widths = itertools.count(300)  # each asked for the first time


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    return make_nginx(http=HTTP, origin=origin.port, workers=1, server="""
        location /img/ { media_root @pics@; media_purge on; }
        location /off/ { media_root @pics@; media_copy_progressive off; media_cache off; }
        location /uncached/ { media_root @pics@; media_cache off; }
        location /mild/ { media_root @pics@; media_fail_on none; }
        location /pass/ { media_pass /origin/; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }
        """)


def put(server, name, body):
    (server.pics / name).write_bytes(body)
    return name


def copies(server):
    """Cache files that hold copies."""
    found = []
    for file in Path(server.cache).rglob("*"):
        if file.is_file() and b"?in one scan#" in file.read_bytes()[:2000]:
            found.append(file)
    return found


def ask(server, name, more="", where="/img/"):
    answer = server.get(f"{where}{name}?w={next(widths)}{more}")
    assert answer.status == 200
    return answer.header("X-Copy")


def until_used(server, name, where="/img/"):
    """Asks for new sizes until one is made of the copy; what was said on the way there."""
    said = []

    def used():
        said.append(ask(server, name, where=where))
        return said[-1] == "used"
    wait_until(used, 30, "a copy", step=0.05)
    return said


def test_second_size_has_it_copied(nginx):
    name = put(nginx, "a.jpg", PROGRESSIVE)
    before = len(copies(nginx))
    assert [ask(nginx, name), ask(nginx, name)] == [None, "queued"]
    said = until_used(nginx, name)
    assert set(said[:-1]) <= {None, "queued"}  # the second of these finds it there
    assert ask(nginx, name, "&fm=webp") == "used"
    assert len(copies(nginx)) == before + 1
    hit = nginx.get(f"/img/{name}?w={next(widths) - 1}&fm=webp")
    assert (hit.header("X-Cache"), hit.header("X-Copy")) == ("HIT", None)


@pytest.mark.parametrize("query", [
    "w=1300", "w=700", "w=210", "w=90", "w=20", "w=400&h=400&fit=cover", "w=400&h=300&fit=contain&bg=fff", "crop=100,50,801,333&w=500",
    "w=320&gray=1", "w=320&rot=90", "w=300&fm=png", "w=300&fm=webp", "w=301&fm=avif", "w=200&blur=3", "w=300&trim=10",
])
def test_same_rendition_of_either(nginx, query):
    """Byte for byte: in one scan or in several, a JPEG has the same coefficients, and we make the same of them."""
    name = put(nginx, "same.jpg", PROGRESSIVE)
    if not copies(nginx) or ask(nginx, name) != "used":
        until_used(nginx, name)
    of_copy = nginx.get(f"/img/{name}?{query}&q=71")
    of_original = nginx.get(f"/off/{name}?{query}&q=71")
    assert (of_copy.status, of_copy.header("X-Copy")) == (200, "used")
    assert (of_original.status, of_original.header("X-Copy")) == (200, None)
    assert of_copy.header("X-Source-Bytes") == of_original.header("X-Source-Bytes") == str(len(PROGRESSIVE))
    if "blur" in query or "trim" in query:  # through libvips, whose decoder has its own way with several scans
        assert pictures.ssim(pictures.decode(of_copy.body), pictures.decode(of_original.body)) > 0.99
    else:
        assert of_copy.body == of_original.body


def test_metadata_and_orientation_come_along(nginx):
    picture = pictures.decode(PROGRESSIVE)
    exif = picture.getexif()
    exif[0x0112], exif[0x8298] = 6, "somebody"
    name = put(nginx, "turned.jpg", pictures.encode(picture, "JPEG", quality=90, progressive=True, exif=exif))
    until_used(nginx, name)
    kept = nginx.get(f"/img/{name}?w=200&strip=none")
    assert kept.header("X-Copy") == "used" and b"somebody" in kept.body
    assert pictures.decode(kept.body).size == (200, 289)


@pytest.mark.parametrize("name, body", [
    ("baseline.jpg", photo(progressive=False)),
    ("small.jpg", photo(900, 1000)),
    ("picture.png", pictures.encode(pictures.gradient(1300, 900), "PNG")),
])
def test_others_are_not_copied(nginx, name, body):
    put(nginx, name, body)
    before = len(copies(nginx))
    assert [ask(nginx, name) for _ in range(4)] == [None] * 4
    assert len(copies(nginx)) == before


def test_small_sizes_are_no_reason(nginx):
    """Of them most scans are left out anyway."""
    name = put(nginx, "icons.jpg", PROGRESSIVE)
    assert [nginx.get(f"/img/{name}?w={width}").header("X-Copy") for width in range(90, 99)] == [None] * 9
    assert ask(nginx, name) is None
    assert nginx.get(f"/img/{name}?w=99").header("X-Copy") is None
    assert ask(nginx, name) == "queued"


@pytest.mark.parametrize("where", ["/off/", "/uncached/"])
def test_not_where_it_is_off(nginx, where):
    name = put(nginx, "off.jpg", PROGRESSIVE)
    assert [ask(nginx, name, where=where) for _ in range(4)] == [None] * 4


def test_facts_and_untouched_original_are_the_originals(nginx):
    name = put(nginx, "facts.jpg", PROGRESSIVE)
    until_used(nginx, name)
    facts = nginx.get(f"/img/{name}?fm=json")
    assert facts.status == 200 and facts.header("X-Copy") is None
    assert nginx.get(f"/img/{name}").body == PROGRESSIVE


def test_nobody_gets_the_copy_itself(nginx):
    name = put(nginx, "itself.jpg", PROGRESSIVE)
    until_used(nginx, name)
    for query in ("in%20one%20scan", "in+one+scan", "copies=1"):
        assert nginx.get(f"/img/{name}?{query}").status == 400


def test_renditions_stay_what_they_are(nginx):
    """Those that were begun before the copy was there, and those made of it, answer again as they did."""
    name = put(nginx, "same-again.jpg", photo(2600, 1950))
    slow = f"/img/{name}?w=2600&fm=avif&q=90"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert ask(nginx, name) is None
        begun = pool.submit(nginx.get, slow)
        until_used(nginx, name)
        first = begun.result()
    targets = [slow] + [f"/img/{name}?w={next(widths)}" for _ in range(3)]
    bodies = [first.body] + [nginx.get(target).body for target in targets[1:]]
    for _ in range(5):
        for target, body in zip(targets, bodies):
            again = nginx.get(target)
            assert (again.header("X-Cache"), again.body == body) == ("HIT", True)


def test_another_original_of_the_same_name(nginx):
    name = put(nginx, "replaced.jpg", PROGRESSIVE)
    until_used(nginx, name)
    other = photo(1600, 800)
    put(nginx, name, other)
    os.utime(nginx.pics / name, (time.time() + 5, time.time() + 5))

    def shown():
        answer = nginx.get(f"/img/{name}?w={next(widths)}&fm=png")
        picture = pictures.decode(answer.body)
        assert abs(picture.width / 2 - picture.height) < 1
        assert pictures.ssim(picture, pictures.reference(pictures.decode(other), picture.size)) > 0.98
        return answer.header("X-Copy")
    assert [shown(), shown()] == [None, "queued"]
    until_used(nginx, name)
    assert shown() == "used"


def test_purged_with_its_original(nginx):
    name = put(nginx, "purged.jpg", PROGRESSIVE)
    until_used(nginx, name)
    assert nginx.get(f"/img/{name}", method="PURGE").status == 200
    assert [ask(nginx, name), ask(nginx, name)] == [None, "queued"]
    until_used(nginx, name)


def test_found_again_after_a_restart(nginx):
    name = put(nginx, "restart.jpg", PROGRESSIVE)
    until_used(nginx, name)
    before = copies(nginx)
    nginx.restart()
    assert ask(nginx, name) == "used"
    assert copies(nginx) == before


@pytest.mark.parametrize("damage", ["removed", "cut", "empty", "garbage", "another's"])
def test_original_stands_in_for_a_bad_copy(nginx, damage):
    nginx.tolerated.append(re.compile("has md5 collision|is too small"))  # when it is to be made anew
    name = put(nginx, f"{damage[:3]}.jpg", PROGRESSIVE)
    until_used(nginx, name)
    (file,) = [each for each in copies(nginx) if name.encode() in each.read_bytes()[:2000]]
    whole = file.read_bytes()
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes({"cut": whole[:-2000], "empty": b"", "garbage": whole[:5000] + bytes(3000) + whole[8000:],
                          "another's": whole.replace(name.encode(), b"x" * len(name))}[damage])
    width = next(widths)
    answer = nginx.get(f"/img/{name}?w={width}")
    assert answer.status == 200 and answer.header("X-Copy") != "used"
    assert answer.body == nginx.get(f"/off/{name}?w={width}").body
    assert "queued" in [answer.header("X-Copy"), *until_used(nginx, name)]  # made anew


def test_what_cannot_be_copied_is_not_tried_for_ever(nginx):
    """One that was cut off is shown as far as it goes, where that is wanted; a copy is of whole ones."""
    name = put(nginx, "cut.jpg", PROGRESSIVE[:len(PROGRESSIVE) * 2 // 3])
    said = [ask(nginx, name, where="/mild/")]
    for _ in range(6):
        said.append(ask(nginx, name, where="/mild/"))
        time.sleep(0.2)
    assert said == [None, "queued"] + [None] * 5


def test_asked_all_at_once(nginx):
    """Sizes that share a decode share that of the copy."""
    name = put(nginx, "together.jpg", PROGRESSIVE)
    until_used(nginx, name)
    targets = [f"{name}?w={width}&fm={form}" for width in (190, 280, 370, 460, 550) for form in ("jpeg", "webp")]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda target: nginx.get(f"/img/{target}"), targets))
    assert {(a.status, a.header("X-Copy")) for a in answers} == {(200, "used")}
    for target, answer in zip(targets, answers):
        same = pictures.decode(nginx.get(f"/off/{target}").body)
        assert pictures.ssim(pictures.decode(answer.body), same) > 0.96


def test_two_workers_share_one_copy(make_nginx):
    server = make_nginx(http=HTTP, server="location /img/ { media_root @pics@; }")
    name = put(server, "two.jpg", photo(2600, 1800))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: ask(server, name), range(24)))
    assert set(said) <= {None, "queued", "used"}
    until_used(server, name)
    assert len(copies(server)) == 1


class TestFromElsewhere:
    """Of another location, where the answer's entity tag says which content it is."""

    def test_copied_from_what_is_at_hand(self, nginx, origin):
        origin.at("/tagged.jpg", o.static(PROGRESSIVE, ETag='"v1"'))
        assert [ask(nginx, "tagged.jpg", where="/pass/") for _ in range(2)] == [None, "queued"]
        said = until_used(nginx, "tagged.jpg", "/pass/")
        assert origin.count("/tagged.jpg") == 2 + len(said)  # none for the copy
        origin.at("/tagged.jpg", o.static(photo(1301, 901), ETag='"v2"'))
        assert ask(nginx, "tagged.jpg", where="/pass/") is None
        assert ask(nginx, "tagged.jpg", where="/pass/") == "queued"

    def test_behind_an_avif(self, make_nginx, origin):
        """The AVIF that is made behind the answer takes the original over, and leaves it to the copy."""
        server = make_nginx(http=HTTP, origin=origin.port, workers=1, server="""
            location /pass/ { media_pass /origin/; media_avif_behind on from=0; }
            location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }""")
        origin.at("/auto.jpg", o.static(PROGRESSIVE, ETag='"v1"'))
        said = []

        def used():
            answer = server.get(f"/pass/auto.jpg?w={next(widths)}&fm=auto", {"Accept": "image/avif,image/webp,*/*"})
            assert (answer.status, answer.type) == (200, "image/webp")
            said.append(answer.header("X-Copy"))
            return said[-1] == "used"
        wait_until(used, 30, "a copy", step=0.2)
        assert origin.count("/auto.jpg") == len(said)

    def test_asked_all_at_once(self, nginx, origin):
        origin.at("/many.jpg", o.static(PROGRESSIVE, ETag='"v1"'))
        until_used(nginx, "many.jpg", "/pass/")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda width: nginx.get(f"/pass/many.jpg?w={width}"), range(1000, 1012)))
        assert {(a.status, a.header("X-Copy")) for a in answers} == {(200, "used")}
        assert max(int(a.header("X-Shared")) for a in answers) > 1

    @pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"v1"'}, {"ETag": '"v1"', "Cache-Control": "no-store"},
                                         {"ETag": '"v1"', "Cache-Control": "private"}])
    def test_not_copied(self, nginx, origin, headers):
        origin.at("/untagged.jpg", o.static(PROGRESSIVE, **headers))
        assert [ask(nginx, "untagged.jpg", where="/pass/") for _ in range(4)] == [None] * 4
