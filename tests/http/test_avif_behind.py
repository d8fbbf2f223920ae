"""media_avif_behind: whoever would wait for an AVIF gets the next format at once, and the AVIF is made behind."""

import time

import pytest

import client
import origin as o
import pictures
import redis_server
from nginx_server import wait_until

HTTP = """
media_cache_path @cache@ levels=1:2 keys_zone=z:4m;
add_header X-Cache $media_cache_status always;
add_header X-Behind $media_behind always;
add_header X-Time $media_render_time always;
media_threads 2 queue=100;
media_preset card "w=90&fm=auto";
media_cache z;
media_avif_behind on from=0;
"""
BOTH = {"Accept": "image/avif,image/webp,*/*"}
AVIF = {"Accept": "image/avif"}
WEBP = {"Accept": "image/webp"}
PHOTO = pictures.photograph("LadyBird").read_bytes()
SMALL = pictures.encode(pictures.gradient(300, 200), "JPEG")
SLOWLY = "media_effort avif=6;"  # a second or more for 800 pixels


def told(answer):
    return answer.status, answer.type, answer.header("X-Behind"), answer.header("Cache-Control")


def becomes_avif(server, target, headers=BOTH):
    def ask():
        answer = server.get(target, headers)
        assert answer.status == 200
        return answer if answer.type == "image/avif" else None
    return wait_until(ask, 60, "the AVIF")


@pytest.fixture(scope="module")
def nginx(make_nginx, origin):
    return make_nginx(http=HTTP, origin=origin.port, server=f"""
        location /img/ {{ media_root @pics@; media_purge on; }}
        location /slow/ {{ media_root @pics@; media_purge on; {SLOWLY} }}
        location /off/ {{ media_root @pics@; media_avif_behind off; }}
        location /default/ {{ media_root @pics@; media_avif_behind on; }}
        location /uncached/ {{ media_root @pics@; media_cache off; }}
        location /patient/ {{ media_root @pics@; media_purge on; media_avif_behind on effort=4; }}
        location /patient-webp/ {{ media_root @pics@; media_avif_behind on effort=4 from=0; }}
        location /in-vain/ {{ media_root @pics@; media_avif_behind on effort=9; media_timeout 1s; }}
        location /dear-in-vain/ {{ media_root @pics@; media_avif_behind on effort=9 from=0; media_timeout 1s; }}
        location /no-second/ {{ media_root @pics@; media_avif_behind on effort=4; media_effort avif=4; }}
        location /patient-pass/ {{ media_pass /origin/; media_avif_behind on effort=4; media_cache_valid 200 404 422 1h; }}
        location /by4/ {{ media_root @pics@; media_effort avif=4; media_cache off; }}
        location /hour/ {{ media_root @pics@; media_avif_behind on from=0 lifetime=1h; }}
        location /month/ {{ media_root @pics@; expires 30d; add_header Cache-Control "private, immutable"; }}
        location /never/ {{ media_root @pics@; add_header Cache-Control "no-store"; }}
        location /late/ {{ media_root @pics@; media_effort avif=9; media_timeout 700ms; }}
        location /presets/ {{ media_root @pics@; media_presets_only on; }}
        location /pass/ {{ media_pass /origin/; media_purge on; media_cache_valid 200 404 422 1h; }}
        location /origin/ {{ internal; proxy_pass http://127.0.0.1:@origin@/; }}
        """, files={"photo.jpg": PHOTO, "small.jpg": SMALL, "broken.jpg": SMALL[:400],
                    "clear.png": pictures.encode(pictures.half_transparent(120, 90), "PNG"),
                    "moving.gif": pictures.animation("GIF")})


@pytest.mark.parametrize("accept, type_", [(BOTH, "image/webp"), (AVIF, "image/jpeg")])
def test_next_format_first_then_avif(nginx, accept, type_):
    target = f"/img/small.jpg?w={50 + len(accept['Accept'])}&fm=auto"
    first = nginx.get(target, accept)
    assert told(first) == (200, type_, "queued", "max-age=10")
    assert (first.header("Vary"), first.header("X-Cache")) == ("Accept", "MISS")
    assert "image/" + pictures.sniff(first.body) == type_
    then = becomes_avif(nginx, target, accept)
    assert told(then) == (200, "image/avif", None, None)
    assert (then.header("Vary"), then.header("X-Cache"), then.header("X-Time")) == ("Accept", "HIT", None)
    assert pictures.sniff(then.body) == "avif" and pictures.decode(then.body).size == pictures.decode(first.body).size
    assert then.header("ETag") != first.header("ETag")


def test_same_avif_as_with_a_wait(nginx):
    """Behind or not: it is the one rendition, byte for byte."""
    waited = nginx.get("/off/small.jpg?w=77&fm=auto", BOTH)
    assert told(waited) == (200, "image/avif", None, None)
    assert becomes_avif(nginx, "/img/small.jpg?w=77&fm=auto").body == waited.body


@pytest.mark.parametrize("target, headers, type_", [
    ("/slow/small.jpg?w=61&fm=avif", BOTH, "image/avif"),  # asked for in so many words
    ("/img/small.jpg?w=61&fm=auto", WEBP, "image/webp"),
    ("/img/small.jpg?w=62&fm=auto", {}, "image/jpeg"),
    ("/img/small.jpg?w=62", BOTH, "image/jpeg"),
    ("/off/small.jpg?w=63&fm=auto", BOTH, "image/avif"),
    ("/uncached/small.jpg?w=63&fm=auto", BOTH, "image/avif"),  # there is nowhere to put it
    ("/default/small.jpg?w=400&h=300&fm=auto", BOTH, "image/avif"),  # cheap
])
def test_others_get_what_they_ask_for(nginx, target, headers, type_):
    answer = nginx.get(target, headers)
    assert told(answer) == (200, type_, None, None)


def test_default_defers_what_is_dear(nginx):
    assert nginx.get("/default/photo.jpg?w=3000&enlarge=1&fm=auto", BOTH).header("X-Behind") == "queued"
    assert nginx.get("/default/photo.jpg?fm=auto&w=900", BOTH).header("X-Behind") is None


def test_what_is_ready_is_not_made_again(nginx):
    """The format that stands in comes from the cache where it is there."""
    nginx.get("/slow/photo.jpg?w=500&fm=auto", WEBP)
    answer = nginx.get("/slow/photo.jpg?w=500&fm=auto", BOTH)
    assert told(answer) == (200, "image/webp", "queued", "max-age=10")
    assert answer.header("X-Cache") == "HIT" and answer.header("X-Time") is None
    becomes_avif(nginx, "/slow/photo.jpg?w=500&fm=auto")


def test_many_at_once_are_one(nginx):
    """Nobody waits for it, and it is made once: the CPU says so."""
    nginx.get("/slow/photo.jpg?w=799&fm=auto", BOTH)
    before = nginx.cpu()
    becomes_avif(nginx, "/slow/photo.jpg?w=799&fm=auto")
    one = nginx.cpu() - before
    before = nginx.cpu()
    answers = client.at_once([lambda: nginx.get("/slow/photo.jpg?w=800&fm=auto", BOTH)] * 40)
    assert {a.type for a in answers} == {"image/webp"}
    assert {a.header("X-Behind") for a in answers} == {"queued", "pending"}
    becomes_avif(nginx, "/slow/photo.jpg?w=800&fm=auto")
    assert nginx.cpu() - before < 2 * one + 1


def test_room_is_bounded(nginx):
    """What there is no room for is asked for again."""
    targets = [f"/slow/photo.jpg?w={600 + n}&fm=auto" for n in range(40)]
    answers = client.at_once([lambda t=t: nginx.get(t, BOTH) for t in targets])
    assert {told(a)[:2] for a in answers} == {(200, "image/webp")}
    assert 16 <= [a.header("X-Behind") for a in answers].count("queued") <= 38
    # Work that somebody waits for is done meanwhile.
    assert client.fetch(nginx.port, "/img/small.jpg?w=33").status == 200
    nginx.get("/slow/photo.jpg", method="PURGE")


def test_lifetimes(nginx):
    assert nginx.get("/hour/small.jpg?w=70&fm=auto", BOTH).header("Cache-Control") == "max-age=3600"
    first = nginx.get("/month/small.jpg?w=71&fm=auto", BOTH)
    assert (first.header("Cache-Control"), first.header("Expires")) == ("private, max-age=10", None)
    then = becomes_avif(nginx, "/month/small.jpg?w=71&fm=auto")
    assert then.headers.get_all("Cache-Control") == ["max-age=2592000", "private, immutable"]
    assert then.header("Expires")
    assert nginx.get("/never/small.jpg?w=72&fm=auto", BOTH).header("Cache-Control") == "no-store"


def test_conditions_heads_and_ranges(nginx):
    target = "/slow/photo.jpg?w=333&fm=auto"
    first = nginx.get(target, BOTH)
    tag = {**BOTH, "If-None-Match": first.header("ETag")}
    same = nginx.get(target, tag)
    assert (same.status, same.header("Cache-Control"), same.header("Vary")) == (304, "max-age=10", "Accept")
    head = nginx.get(target, BOTH, method="HEAD")
    assert told(head) == (200, "image/webp", "pending", "max-age=10")
    assert int(head.header("Content-Length")) == len(first.body)
    part = nginx.get(target, {**BOTH, "Range": "bytes=0-9", "If-Range": first.header("ETag")})
    assert (part.status, part.body, part.header("Cache-Control")) == (206, first.body[:10], "max-age=10")
    avif = becomes_avif(nginx, target)
    changed = nginx.get(target, tag)
    assert (changed.status, changed.type) == (200, "image/avif")
    assert nginx.get(target, {**BOTH, "If-None-Match": avif.header("ETag")}).status == 304
    whole = nginx.get(target, {**BOTH, "Range": "bytes=0-9", "If-Range": first.header("ETag")})
    assert (whole.status, whole.body) == (200, avif.body)
    assert nginx.get(target, WEBP).header("ETag") == first.header("ETag")


def test_alpha_and_presets(nginx):
    assert nginx.get("/img/clear.png?w=80&fm=auto", AVIF).type == "image/png"
    assert pictures.decode(becomes_avif(nginx, "/img/clear.png?w=80&fm=auto", AVIF).body).mode == "RGBA"
    assert nginx.get("/presets/small.jpg?p=card", BOTH).type == "image/webp"
    becomes_avif(nginx, "/presets/small.jpg?p=card")


def test_animation_stays_one(nginx):
    """There will be no AVIF: only the first answer is short-lived."""
    target = "/img/moving.gif?w=81&fm=auto"
    first = nginx.get(target, BOTH)
    assert told(first) == (200, "image/webp", "queued", "max-age=10")
    then = wait_until(lambda: (a := nginx.get(target, BOTH)).header("X-Behind") is None and a, 30, "the signpost")
    assert told(then) == (200, "image/webp", None, None) and then.body == first.body


def test_errors_are_those_of_any_format(nginx):
    for _ in range(3):
        for name, status in (("broken.jpg", 422), ("none.jpg", 404)):
            answer = nginx.get(f"/img/{name}?w=82&fm=auto", BOTH)
            assert (answer.status, answer.header("X-Behind"), answer.header("Vary")) == (status, None, "Accept")
            assert answer.header("Cache-Control") is None


def test_failure_is_not_tried_again_at_once(nginx):
    """An AVIF that takes longer than media_timeout: the other format serves, for as long as it usually may."""
    target = "/late/photo.jpg?w=1600&fm=auto"
    assert nginx.get(target, BOTH).header("X-Behind") == "queued"
    for _ in range(8):  # whichever worker it comes to
        wait_until(lambda: nginx.get(target, BOTH).header("X-Behind") is None, 60, "the failure to be known")
    answer = nginx.get(target, BOTH)
    assert answer.status == 200 and answer.type == "image/webp"


# Originals of another location


def test_origin_is_asked_once(nginx, origin):
    """The AVIF is made of the bytes that the other format was made of."""
    origin.at("/once.jpg", o.static(SMALL, Cache_Control="max-age=3000, stale-if-error=60", Age="1000"))
    first = nginx.get("/pass/once.jpg?w=60&fm=auto", BOTH)
    assert told(first) == (200, "image/webp", "queued", "max-age=10") and first.header("Age") is None
    then = becomes_avif(nginx, "/pass/once.jpg?w=60&fm=auto")
    assert origin.count("/once.jpg") == 1
    assert then.header("Cache-Control") == "max-age=3000, stale-if-error=60"


def test_short_life_of_the_origin_stays_shorter(nginx, origin):
    origin.at("/brief.jpg", o.static(SMALL, Cache_Control="max-age=103", Age="100"))
    assert nginx.get("/pass/brief.jpg?w=60&fm=auto", BOTH).header("Cache-Control") == "max-age=3"


@pytest.mark.parametrize("control", ["no-store", "private"])
def test_what_is_not_kept_has_no_avif(nginx, origin, control):
    origin.at(f"/{control}.jpg", o.static(SMALL, Cache_Control=control))
    for _ in range(2):
        answer = nginx.get(f"/pass/{control}.jpg?w=60&fm=auto", BOTH)
        assert told(answer) == (200, "image/webp", None, control)
    assert origin.count(f"/{control}.jpg") == 2


def test_missing_origin(nginx, origin):
    origin.at("/gone.jpg", o.status(404))
    for _ in range(3):
        assert nginx.get("/pass/gone.jpg?w=60&fm=auto", BOTH).status == 404
    assert origin.count("/gone.jpg") == 1


def test_purge_drops_what_is_made_behind(nginx, origin):
    """What was begun of the old original never answers."""
    old, new = (pictures.encode(pictures.solid(1600, 1200, color), "JPEG") for color in (pictures.RED, pictures.BLUE))
    origin.at("/turns.jpg", o.one_after_another(o.static(old), o.static(new)))
    assert nginx.get("/pass/turns.jpg?w=90&fm=auto", BOTH).header("X-Behind") == "queued"
    assert nginx.get("/pass/turns.jpg", method="PURGE").status == 200
    first = nginx.get("/pass/turns.jpg?w=90&fm=auto", BOTH)
    assert first.type == "image/webp" and first.header("X-Behind") == "queued"
    for answer in (first, becomes_avif(nginx, "/pass/turns.jpg?w=90&fm=auto")):
        red, _, blue = pictures.decode(answer.body).convert("RGB").getpixel((10, 10))
        assert blue > 150 > red


# What befalls the server


SERVER = f"location /slow/ {{ media_root @pics@; {SLOWLY} }}\nlocation /img/ {{ media_root @pics@; }}\n"


def test_reload_and_restart(own_nginx):
    server = own_nginx(http=HTTP, server=SERVER, files={"photo.jpg": PHOTO})
    targets = [f"/slow/photo.jpg?w={400 + n}&fm=auto" for n in range(12)]
    answers = client.at_once([lambda t=t: server.get(t, BOTH) for t in targets])
    assert {told(a)[:2] for a in answers} == {(200, "image/webp")}
    server.reload()  # ends, though twelve were to be made
    bodies = [becomes_avif(server, target).body for target in targets[:3]]
    server.restart()
    again = [server.get(target, BOTH) for target in targets[:3]]
    assert [a.header("X-Cache") for a in again] == ["HIT"] * 3
    assert [a.body for a in again] == bodies


def test_one_thread(own_nginx):
    """Spare work has it only where nobody waits."""
    server = own_nginx(workers=1, http=HTTP.replace("media_threads 2", "media_threads 1"), server=SERVER,
                       files={"photo.jpg": PHOTO})
    for n in range(6):
        assert server.get(f"/slow/photo.jpg?w={400 + n}&fm=auto", BOTH).type == "image/webp"
    client.at_once([lambda n=n: server.get(f"/img/photo.jpg?w={700 + n}") for n in range(10)])
    # Those that somebody waited for are done; of the others at least the last is not.
    assert server.get("/slow/photo.jpg?w=405&fm=auto", BOTH).type == "image/webp"
    becomes_avif(server, "/slow/photo.jpg?w=405&fm=auto")


def test_killed_worker_leaves_it_to_others(own_nginx):
    server = own_nginx(http=HTTP, server=SERVER, files={"photo.jpg": PHOTO})
    assert server.get("/slow/photo.jpg?w=800&fm=auto", BOTH).header("X-Behind") == "queued"
    server.kill_workers()
    becomes_avif(server, "/slow/photo.jpg?w=800&fm=auto")


def test_fleet_makes_it_once(own_nginx):
    with redis_server.running(redis_server.Redis) as redis:
        server = f"location /slow/ {{ media_root @folder@; media_redis @redis@ timeout=1s; {SLOWLY} }}"
        nodes = [own_nginx(http=HTTP, server=server, redis=redis.address, folder=pictures.PHOTOGRAPHS / "nature")
                 for _ in range(2)]
        for node in nodes:
            node.expect_log(r"media: redis at")
        target = "/slow/LadyBird.jpg?w=800&fm=auto"
        answers = client.at_once([lambda n=n: n.get(target, BOTH) for n in nodes for _ in range(4)])
        assert {a.type for a in answers} == {"image/webp"}
        before = [node.cpu() for node in nodes]
        bodies = [becomes_avif(node, target).body for node in nodes]
        used = sorted(node.cpu() - was for node, was in zip(nodes, before))
        assert bodies[0] == bodies[1]
        assert used[0] < used[1] / 2, used
        # A node that comes later finds it in Redis, and nobody waits.
        late = own_nginx(http=HTTP, server=server, redis=redis.address, folder=pictures.PHOTOGRAPHS / "nature")
        answer = late.get(target, BOTH)
        assert (answer.header("X-Cache"), answer.type, answer.body) == ("REDIS", "image/avif", bodies[0])
        assert late.get(target, BOTH).header("X-Cache") == "HIT"


def test_without_redis_each_makes_its_own(own_nginx):
    port = redis_server.Redis(start=False).port
    server = own_nginx(http=HTTP, server=f"location /img/ {{ media_root @pics@; media_redis 127.0.0.1:{port}; }}",
                       files={"small.jpg": SMALL})
    server.expect_log(r"media: redis")
    assert server.get("/img/small.jpg?w=60&fm=auto", BOTH).type == "image/webp"
    becomes_avif(server, "/img/small.jpg?w=60&fm=auto")


def test_stale_stand_in_and_stale_avif(own_nginx, origin):
    """Both are renewed as anything is: behind, where that is allowed."""
    origin.at("/stale.jpg", o.static(SMALL, ETag='"1"'))
    server = own_nginx(http=HTTP, origin=origin.port, server="""
        location /pass/ { media_pass /origin/; media_cache_valid 200 1s; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }""")
    target = "/pass/stale.jpg?w=60&fm=auto"
    assert server.get(target, BOTH).type == "image/webp"
    body = becomes_avif(server, target).body
    time.sleep(2.1)
    stale = server.get(target, BOTH)
    assert (stale.type, stale.header("X-Cache"), stale.body) == ("image/avif", "UPDATING", body)
    wait_until(lambda: server.get(target, BOTH).header("X-Cache") == "HIT", 20, "the entry renewed")


def test_texts_of_each_request(own_nginx):
    """Where a text is another one each time, an AVIF of later would be for nobody."""
    server = own_nginx(http=HTTP + 'media_watermark_text own "$arg_v";\nmedia_watermark_text same "brand";\n',
                       server="location /img/ { media_root @pics@; }", files={"small.jpg": SMALL})
    assert server.get("/img/small.jpg?w=90&fm=auto&wm=own&v=1", BOTH).type == "image/avif"
    assert server.get("/img/small.jpg?w=90&fm=auto&wm=same", BOTH).type == "image/webp"
    becomes_avif(server, "/img/small.jpg?w=90&fm=auto&wm=same")


def test_signed_urls_and_hints(own_nginx):
    server = own_nginx(http=HTTP, files={"small.jpg": SMALL}, server="""
        location /img/ { media_root @pics@; media_client_hints on; }
        location /signed/ { media_root @pics@; media_signature key=11111111111111111111111111111111 required; }""")
    hints = {**BOTH, "Sec-CH-DPR": "2"}
    first = server.get("/img/small.jpg?w=45&fm=auto", hints)
    assert first.type == "image/webp" and pictures.decode(first.body).size[0] == 90
    then = becomes_avif(server, "/img/small.jpg?w=45&fm=auto", hints)
    assert pictures.decode(then.body).size[0] == 90
    assert server.get("/signed/small.jpg?w=45&fm=auto", BOTH).status == 403


# The second pass


def settles(server, target, headers=BOTH):
    """The answer once nothing is made behind it."""
    def ask():
        answer = server.get(target, headers)
        assert answer.status == 200
        return answer if answer.header("X-Behind") is None else None
    return wait_until(ask, 60, "the last answer")


def quick(server, query, name="photo.jpg"):
    return server.get(f"/uncached/{name}?{query}&fm=avif").body


def slow(server, query, name="photo.jpg"):
    return server.get(f"/by4/{name}?{query}&fm=avif").body


def test_quick_avif_then_a_smaller_one(nginx):
    target = "/patient/photo.jpg?w=500&fm=auto"
    first = nginx.get(target, BOTH)
    assert told(first) == (200, "image/avif", "queued", "max-age=10")
    assert first.body == quick(nginx, "w=500")
    then = settles(nginx, target)
    assert told(then) == (200, "image/avif", None, None) and then.header("X-Cache") == "HIT"
    assert then.body == slow(nginx, "w=500") and len(then.body) < len(first.body)
    # Who cannot wait any better has it from the cache, and explicit AVIFs are what they were.
    assert nginx.get("/patient/photo.jpg?w=500&fm=avif").body == first.body
    assert nginx.get(target, WEBP).type == "image/webp"


def test_quick_avif_that_is_dear(nginx):
    """The next format, and then at once the one of more effort."""
    target = "/patient-webp/photo.jpg?w=500&fm=auto"
    assert told(nginx.get(target, BOTH)) == (200, "image/webp", "queued", "max-age=10")
    answer = becomes_avif(nginx, target)
    assert told(answer) == (200, "image/avif", None, None) and answer.body == slow(nginx, "w=500")


def test_many_wait_for_the_quick_one_only(nginx):
    """It is made once, and so is the other."""
    target = "/patient/photo.jpg?w=640&fm=auto"
    answers = client.at_once([lambda: nginx.get(target, BOTH)] * 24)
    assert {a.body for a in answers} == {quick(nginx, "w=640")}
    assert {a.header("X-Behind") for a in answers} == {"queued", "pending"}
    assert settles(nginx, target).body == slow(nginx, "w=640")


def test_second_pass_in_vain(nginx):
    """What cannot be made is done without: the first pass has its whole life then, or is made behind if that is dear."""
    target = "/in-vain/photo.jpg?w=1600&fm=auto"
    assert told(nginx.get(target, BOTH))[:3] == (200, "image/avif", "queued")
    for _ in range(8):  # whichever worker it comes to
        assert settles(nginx, target).body == quick(nginx, "w=1600")
    target = "/dear-in-vain/photo.jpg?w=1601&fm=auto"
    assert told(nginx.get(target, BOTH))[:3] == (200, "image/webp", "queued")
    assert becomes_avif(nginx, target).body == quick(nginx, "w=1601")


def test_no_second_pass_of_no_more_effort(nginx):
    target = "/no-second/photo.jpg?w=200&fm=auto"
    assert told(nginx.get(target, BOTH)) == (200, "image/avif", None, None)


def test_second_pass_of_an_animation_and_of_damage(nginx):
    target = "/patient/moving.gif?w=81&fm=auto"
    first = nginx.get(target, BOTH)
    assert told(first)[:3] == (200, "image/webp", "queued")
    assert settles(nginx, target).body == first.body
    answer = nginx.get("/patient/broken.jpg?w=82&fm=auto", BOTH)
    assert (answer.status, answer.header("X-Behind")) == (422, None)


def test_second_pass_after_a_purge(nginx):
    target = "/patient/small.jpg?w=130&fm=auto"
    nginx.get(target, BOTH)
    settles(nginx, target)
    assert nginx.get("/patient/small.jpg", method="PURGE").status == 200
    again = nginx.get(target, BOTH)
    assert told(again)[:3] == (200, "image/avif", "queued") and again.header("X-Cache") == "MISS"
    settles(nginx, target)


def test_second_pass_asks_the_origin_once(nginx, origin):
    origin.at("/twice.jpg", o.static(PHOTO, Cache_Control="max-age=3000"))
    target = "/patient-pass/twice.jpg?w=300&fm=auto"
    assert told(nginx.get(target, BOTH))[:3] == (200, "image/avif", "queued")
    then = settles(nginx, target)
    assert then.body == slow(nginx, "w=300") and then.header("Cache-Control") == "max-age=3000"
    assert origin.count("/twice.jpg") == 1


def test_second_pass_in_a_fleet(own_nginx):
    """Whatever one has made, the other finds."""
    with redis_server.running(redis_server.Redis) as redis:
        server = "location /img/ { media_root @folder@; media_redis @redis@ timeout=1s; media_avif_behind on effort=4; }"
        one, two = (own_nginx(http=HTTP, server=server, redis=redis.address, folder=pictures.PHOTOGRAPHS / "nature")
                    for _ in range(2))
        for node in (one, two):
            node.expect_log(r"media: redis at")
        target = "/img/LadyBird.jpg?w=500&fm=auto"
        first = one.get(target, BOTH)
        assert told(first)[:3] == (200, "image/avif", "queued")
        last = settles(one, target)
        assert len(last.body) < len(first.body)
        answer = two.get(target, BOTH)
        assert (answer.header("X-Cache"), answer.body) == ("REDIS", last.body)


@pytest.mark.parametrize("control", ["max-age=2", "max-age=2, must-revalidate"])
def test_second_pass_of_an_original_that_changes(own_nginx, origin, control):
    """Whether it is renewed behind or while somebody waits: both passes are made again, the first one first."""
    origin.at("/old.jpg", o.static(PHOTO, ETag='"1"', Cache_Control=control))
    server = own_nginx(http=HTTP, origin=origin.port, server="""
        location /pass/ { media_pass /origin/; media_avif_behind on effort=4; }
        location /uncached/ { media_pass /origin/; media_cache off; }
        location /by4/ { media_pass /origin/; media_cache off; media_effort avif=4; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }""")
    target = "/pass/old.jpg?w=300&fm=auto"
    server.get(target, BOTH)
    old = wait_until(lambda: (a := server.get(target, BOTH)).body == slow(server, "w=300", "old.jpg") and a, 30, "the second pass")
    origin.at("/old.jpg", o.static(pictures.encode(pictures.gradient(900, 700), "JPEG"), ETag='"2"', Cache_Control=control))
    quick_one, slow_one = quick(server, "w=300", "old.jpg"), slow(server, "w=300", "old.jpg")
    assert old.body not in (quick_one, slow_one)
    seen = []

    def last():
        answer = server.get(target, BOTH)
        assert answer.type == "image/avif"
        if answer.body not in seen:
            seen.append(answer.body)
        return answer.body == slow_one
    wait_until(last, 60, "the second pass of the new original")
    assert seen[-2:] == [quick_one, slow_one]


def test_second_pass_that_has_become_too_dear(own_nginx, origin):
    """The new original cannot have one in that time: the old one is not shown for it."""
    origin.at("/grows.jpg", o.static(SMALL, ETag='"1"', Cache_Control="max-age=2"))
    server = own_nginx(http=HTTP, origin=origin.port, server="""
        location /pass/ { media_pass /origin/; media_avif_behind on effort=6; media_timeout 1500ms; }
        location /uncached/ { media_pass /origin/; media_cache off; }
        location /origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; }""")
    target = "/pass/grows.jpg?w=1600&fm=auto"
    server.get(target, BOTH)
    small = settles(server, target)
    assert len(small.body) < len(quick(server, "w=1600", "grows.jpg"))
    origin.at("/grows.jpg", o.static(PHOTO, ETag='"2"', Cache_Control="max-age=2"))
    large = quick(server, "w=1600", "grows.jpg")
    wait_until(lambda: server.get(target, BOTH).body == large, 30, "the new original")
