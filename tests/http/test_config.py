"""Directives: what nginx -t takes, what it refuses and how it says so, what is inherited."""

import io
import os
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

import pictures
from nginx_server import Process, environment, wait_until

LOGO = pictures.encode(pictures.solid(40, 20, pictures.RED), "PNG")
ZONE = "media_cache_path @cache@ keys_zone=z:1m;\n"


@pytest.fixture(scope="module")
def unstarted(make_nginx):
    server = make_nginx(start=False, files={"a.png": LOGO, "logo.png": LOGO, "text.png": pictures.HTML,
                                            "empty.png": b"", "shape.svg": pictures.SVG,
                                            "font.ttf": Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")})
    server.add("gradient.jpg", pictures.encode(pictures.gradient(), "JPEG", quality=95))
    return server


def in_http(text):
    return {"http": text}


def in_location(text, http=""):
    return {"http": http, "server": "location /img/ {\nmedia_root @pics@;\n" + text + "\n}\n"}


ACCEPTED = {
    "root": in_location(""),
    "pass": {"server": "location /img/ { media_pass /origin/; }\nlocation /origin/ { alias @pics@/; }"},
    "in a regex location": {"server": r"location ~ ^/img/ { media_root @pics@; }"},
    "in an exact location": {"server": "location = /img/a.png { media_root @pics@; }"},
    "original off": in_location("media_original off;"),
    "one input": in_location("media_input jpeg;"),
    "all inputs": in_location("media_input jpeg png webp gif avif heic tiff jxl svg pdf;"),
    "cache": in_location("media_cache z;", ZONE),
    "cache off below on": {"http": ZONE + "media_cache z;",
                           "server": "location /img/ { media_root @pics@; media_cache off; }"},
    "cache before its path": {"http": "media_cache z;\n" + ZONE, "server": "location /img/ { media_root @pics@; }"},
    "all of media_cache_path": in_http("media_cache_path @cache@ levels=1:2 use_temp_path=off keys_zone=z:1m "
                                       "inactive=1h max_size=1g min_free=1m loader_files=50 loader_sleep=10ms "
                                       "loader_threshold=100ms manager_files=50 manager_sleep=10ms "
                                       "manager_threshold=100ms;"),
    "two cache zones": in_http("media_cache_path @cache@/a keys_zone=a:1m;\nmedia_cache_path @cache@/b keys_zone=b:1m;"),
    "valid for codes": in_location("media_cache_valid 200 404 1h;\nmedia_cache_valid 422 1m;\nmedia_cache_valid any 5s;"),
    "valid for all": in_location("media_cache_valid 10m;"),
    "purge": in_location("media_purge on;"),
    "purge of an origin's": {"server": "location /img/ { media_purge on; media_pass /origin/; }"},
    "purge off": {"server": "location /img/ { media_purge off; }"},
    "lock timeout": in_location("media_cache_lock_timeout 500ms;"),
    "watermark": in_http("media_watermark logo @pics@/logo.png;"),
    "all of media_watermark": in_http("media_watermark logo @pics@/logo.png position=nw size=30% opacity=0.25 "
                                      "margin=5% tile;"),
    "two watermarks": in_http("media_watermark a @pics@/logo.png;\nmedia_watermark b @pics@/logo.png;"),
    "watermark of a relative path": in_http("media_watermark a pics/logo.png;"),
    "preset": in_http('media_preset thumb "w=100&h=100&fit=cover";'),
    "preset of a preset": in_http('media_preset a "w=100";\nmedia_preset b "p=a&q=50";'),
    "preset of facts": in_http('media_preset a "w=100";\nmedia_preset b "p=a&crop=0,0,9,9&fm=json";'),
    "preset with a watermark": in_http('media_watermark logo @pics@/logo.png;\nmedia_preset a "w=100&wm=logo";'),
    "preset before its watermark": in_http('media_preset a "w=100&wm=logo";\nmedia_watermark logo @pics@/logo.png;'),
    "text": in_http('media_watermark_text t "(c) 2024";'),
    "all of media_watermark_text": in_http(
        'media_watermark_text t "$host ${remote_user} $http_x $arg_y $cookie_z $1" "font=DejaVu Sans Bold" color=fff8 position=nw '
        "size=30% opacity=0.25 margin=0% tile;"),
    "text in a font of a file": in_http("media_watermark_text t text font=@pics@/font.ttf;"),
    "text in a font of a relative path": in_http("media_watermark_text t text font=pics/font.ttf;"),
    "text in a font that nobody has": in_http('media_watermark_text t text "font=No Such Family 12";'),
    "text with a variable of a later map": in_http("media_watermark_text t $later;\nmap $uri $later { default x; }"),
    "text with a variable of a location": {"http": "media_watermark_text t $mine;",
                                           "server": "location /i/ { set $mine x; media_root @pics@; }"},
    "text and picture": in_http("media_watermark a @pics@/logo.png;\nmedia_watermark_text b text;\n"
                                'media_preset p "wm=a,b";\nmedia_watermark_force b;'),
    "quality": in_location("media_quality jpeg=75 webp=70 avif=50;"),
    "effort": in_location("media_effort webp=4 avif=3;"),
    "limits": in_location("media_max_source_size 10m;\nmedia_max_source_pixels 24m;\nmedia_max_frames 10;\n"
                          "media_max_width 2000;\nmedia_max_height 2000;"),
    "pixels as a number": in_location("media_max_source_pixels 24000000;"),
    "timeout": in_location("media_timeout 500ms;"),
    "avif behind": in_http("media_avif_behind on from=0 lifetime=1h effort=6;\nmedia_auto_format avif;"),
    "avif not behind": in_location("media_avif_behind off;"),
    "threads": in_http("media_threads 4;"),
    "threads and queue": in_http("media_threads 4 queue=7;"),
    "no queue at all": in_http("media_threads 4 queue=0;"),
    "intercept errors": in_location("media_intercept_errors on;"),
    "presets only": in_location("media_presets_only on;"),
    "client hints": in_location("media_client_hints on;"),
    "client hints at http": in_http("media_client_hints on;"),
    "auto format": in_location("media_auto_format webp;"),
    "auto format off": in_location("media_auto_format off;"),
    "fail on": in_location("media_fail_on warning;"),
    "use stale": in_location("media_cache_use_stale error updating http_403 http_404;"),
    "use stale off": in_location("media_cache_use_stale off;"),
    "everything at http": in_http(
        ZONE + "media_cache z;\nmedia_cache_valid 200 1h;\nmedia_cache_lock_timeout 1s;\nmedia_original on;\n"
        "media_input jpeg png;\nmedia_quality jpeg=70;\nmedia_effort webp=2;\nmedia_max_source_size 1m;\n"
        "media_max_source_pixels 1m;\nmedia_max_frames 1;\nmedia_max_width 100;\nmedia_max_height 100;\n"
        "media_timeout 1s;\nmedia_intercept_errors off;"),
    "everything at server": {"http": ZONE, "server":
        "media_cache z;\nmedia_cache_valid 200 1h;\nmedia_cache_lock_timeout 1s;\nmedia_original on;\n"
        "media_input jpeg png;\nmedia_quality jpeg=70;\nmedia_effort webp=2;\nmedia_max_source_size 1m;\n"
        "media_max_source_pixels 1m;\nmedia_max_frames 1;\nmedia_max_width 100;\nmedia_max_height 100;\n"
        "media_timeout 1s;\nmedia_intercept_errors off;"},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(unstarted, name):
    unstarted.configure(**ACCEPTED[name])
    code, said = unstarted.test()
    assert code == 0, said
    assert "[warn]" not in said, said


# name: configuration, the line at fault (the one that holds this text), what the message has to say of it
REFUSED = {
    # media_root, media_pass
    "root and pass": (in_location("media_pass /origin/;"), "media_pass", "media_root|media_pass"),
    "pass and root": ({"server": "location /img/ {\nmedia_pass /origin/;\nmedia_root @pics@;\n}"}, "media_root",
                      "media_root|media_pass"),
    "root twice": (in_location("media_root /elsewhere;"), "media_root /elsewhere", "duplicate"),
    "pass twice": ({"server": "location /i/ {\nmedia_pass /a/;\nmedia_pass /b/;\n}"}, "media_pass /b/", "duplicate"),
    "root without a path": ({"server": "location /i/ {\nmedia_root;\n}"}, "media_root", "number of arguments"),
    "root at server": ({"server": "media_root @pics@;"}, "media_root", "not allowed here"),
    "pass at http": ({"http": "media_pass /o/;"}, "media_pass", "not allowed here"),
    "pass to a relative URI": ({"server": "location /i/ {\nmedia_pass origin/;\n}"}, "media_pass", "origin/"),
    # flags
    "client hints maybe": (in_location("media_client_hints maybe;"), "media_client_hints", "maybe"),
    "client hints twice": (in_location("media_client_hints on;\nmedia_client_hints off;"), "media_client_hints off", "duplicate"),
    "original maybe": (in_location("media_original maybe;"), "media_original", "maybe"),
    "original twice": (in_location("media_original on;\nmedia_original off;"), "media_original off", "duplicate"),
    "intercept maybe": (in_location("media_intercept_errors 1;"), "media_intercept", "1"),
    "presets_only maybe": (in_location("media_presets_only yes;"), "media_presets_only", "yes"),
    # media_input
    "unknown input": (in_location("media_input jpeg bmp;"), "media_input", "bmp"),
    "no input": (in_location("media_input;"), "media_input", "number of arguments"),
    "input named twice": (in_location("media_input jpeg;\nmedia_input png;"), "media_input png", "duplicate"),
    # media_cache
    "unknown zone": (in_location("media_cache nowhere;"), "media_cache nowhere", "nowhere"),
    "unknown zone at http": (in_http("media_cache nowhere;"), "media_cache nowhere", "nowhere"),
    "cache twice": (in_location("media_cache z;\nmedia_cache off;", ZONE), "media_cache off", "duplicate"),
    "zone of another module": (in_location("media_cache other;", "limit_req_zone $uri zone=other:1m rate=1r/s;"),
                               "media_cache other", "other"),
    "zone of proxy_cache": (in_location("media_cache other;", "proxy_cache_path @cache@ keys_zone=other:1m;"),
                            "media_cache other", "other"),
    "cache_path without a zone": (in_http("media_cache_path @cache@ levels=1:2;"), "media_cache_path", "keys_zone"),
    "cache_path with a bad zone": (in_http("media_cache_path @cache@ keys_zone=z:1;"), "media_cache_path",
                                   "keys_zone|zone"),
    "cache_path with a bad level": (in_http("media_cache_path @cache@ levels=9 keys_zone=z:1m;"), "media_cache_path",
                                    "levels"),
    "cache_path with a typo": (in_http("media_cache_path @cache@ keys_zone=z:1m max_sise=1g;"), "media_cache_path",
                               "max_sise"),
    "cache_path with a bad size": (in_http("media_cache_path @cache@ keys_zone=z:1m max_size=much;"),
                                   "media_cache_path", "max_size"),
    "cache_path twice one zone": (in_http("media_cache_path @cache@/a keys_zone=z:1m;\n"
                                          "media_cache_path @cache@/b keys_zone=z:1m;"), "@cache@/b", "z"),
    "cache_path in a location": (in_location(ZONE), "media_cache_path", "not allowed here"),
    "valid with a bad code": (in_location("media_cache_valid 99 1m;"), "media_cache_valid", "99"),
    "valid with a bad time": (in_location("media_cache_valid 200 soon;"), "media_cache_valid", "soon"),
    "lock timeout": (in_location("media_cache_lock_timeout x;"), "media_cache_lock", "invalid"),
    # media_watermark
    "watermark not there": (in_http("media_watermark logo @pics@/none.png;"), "media_watermark", "none.png"),
    "watermark a folder": (in_http("media_watermark logo @pics@;"), "media_watermark", "@pics@"),
    "watermark not a picture": (in_http("media_watermark logo @pics@/text.png;"), "media_watermark", "text.png"),
    "watermark empty": (in_http("media_watermark logo @pics@/empty.png;"), "media_watermark", "empty.png"),
    "watermark an SVG": (in_http("media_watermark logo @pics@/shape.svg;"), "media_watermark", "shape.svg"),
    "watermark twice": (in_http("media_watermark logo @pics@/logo.png;\n"
                                "media_watermark logo @pics@/logo.png tile;"), "tile;", "logo"),
    "watermark at a bad position": (in_http("media_watermark logo @pics@/logo.png position=up;"), "media_watermark",
                                    "up"),
    "watermark at attention": (in_http("media_watermark logo @pics@/logo.png position=attention;"),
                               "media_watermark", "attention"),
    "watermark too large": (in_http("media_watermark logo @pics@/logo.png size=101%;"), "media_watermark", "size"),
    "watermark of no size": (in_http("media_watermark logo @pics@/logo.png size=0%;"), "media_watermark", "size"),
    "watermark without percent": (in_http("media_watermark logo @pics@/logo.png size=20;"), "media_watermark",
                                  "size"),
    "watermark too opaque": (in_http("media_watermark logo @pics@/logo.png opacity=1.5;"), "media_watermark",
                             "opacity"),
    "watermark of bad opacity": (in_http("media_watermark logo @pics@/logo.png opacity=x;"), "media_watermark",
                                 "opacity"),
    "watermark not to be seen": (in_http("media_watermark logo @pics@/logo.png opacity=0;"), "media_watermark",
                                 "opacity"),
    "watermark of bad margin": (in_http("media_watermark logo @pics@/logo.png margin=-1%;"), "media_watermark",
                                "margin"),
    "watermark with a typo": (in_http("media_watermark logo @pics@/logo.png sise=10%;"), "media_watermark", "sise"),
    "watermark without a file": (in_http("media_watermark logo;"), "media_watermark", "number of arguments"),
    "watermark with a bad name": (in_http("media_watermark 'a,b' @pics@/logo.png;"), "media_watermark", "a,b"),
    # media_watermark_text
    "text and picture of one name": (in_http("media_watermark a @pics@/logo.png;\nmedia_watermark_text a text;"),
                                     "media_watermark_text", "duplicate watermark \"a\""),
    "picture and text of one name": (in_http("media_watermark_text a text;\nmedia_watermark a @pics@/logo.png;"),
                                     "media_watermark a", "duplicate watermark \"a\""),
    "text twice": (in_http("media_watermark_text a text;\nmedia_watermark_text a other;"), "other", "duplicate"),
    "text with a bad name": (in_http("media_watermark_text 'a,b' text;"), "media_watermark_text", "a,b"),
    "text without a text": (in_http("media_watermark_text a;"), "media_watermark_text", "number of arguments"),
    "text that is empty": (in_http('media_watermark_text a "";'), "media_watermark_text", "text .*\"a\" is empty"),
    "text of blanks": (in_http('media_watermark_text a " \\n\\t";'), "media_watermark_text", "text .*\"a\" is empty"),
    "text too long": (in_http(f"media_watermark_text a {'x' * 201};"), "media_watermark_text", "text .*\"a\" is too long"),
    "text with an unknown variable": (in_http('media_watermark_text a "by $nobody";'), "media_watermark_text",
                                      "unknown variable \"\\$nobody\".*\"a\""),
    "text with an unknown variable in braces": (in_http('media_watermark_text a "$host${no_body}x";'), "media_watermark_text",
                                                "no_body"),
    "text with a malformed variable": (in_http('media_watermark_text a "${host";'), "media_watermark_text", "host"),
    "text with a lone dollar": (in_http('media_watermark_text a "5 $";'), "media_watermark_text", "invalid variable name"),
    "text in a bad colour": (in_http("media_watermark_text a text color=blue;"), "media_watermark_text", "color"),
    "text in a colour of five digits": (in_http("media_watermark_text a text color=12345;"), "media_watermark_text", "12345"),
    "text in no colour": (in_http("media_watermark_text a text color=;"), "media_watermark_text", "color="),
    "text of a bad size": (in_http("media_watermark_text a text size=101%;"), "media_watermark_text", "size"),
    "text of bad opacity": (in_http("media_watermark_text a text opacity=2;"), "media_watermark_text", "opacity"),
    "text at a bad position": (in_http("media_watermark_text a text position=fp;"), "media_watermark_text", "fp"),
    "text with a typo": (in_http("media_watermark_text a text fnot=Sans;"), "media_watermark_text", "fnot=Sans"),
    "text without quotes": (in_http("media_watermark_text a some text;"), "media_watermark_text", "\"text\""),
    "text in no font": (in_http("media_watermark_text a text font=;"), "media_watermark_text", "font="),
    "text in a font file that is not there": (in_http("media_watermark_text a text font=@pics@/none.ttf;"),
                                              "media_watermark_text", "none.ttf"),
    "text in a font file that is none": (in_http("media_watermark_text a text font=@pics@/text.png;"),
                                         "media_watermark_text", "text.png.*not a font"),
    "text in an empty font file": (in_http("media_watermark_text a text font=pics/empty.png;"),
                                   "media_watermark_text", "@pics@/empty.png.*not a font"),
    "text in a folder of fonts": (in_http("media_watermark_text a text font=@pics@/;"), "media_watermark_text", "not a file"),
    "text of a relative font file": (in_http("media_watermark_text a text font=missing.otf;"), "media_watermark_text",
                                     "missing.otf"),
    "picture with a colour": (in_http("media_watermark a @pics@/logo.png color=fff;"), "media_watermark", "color"),
    "text in a location": (in_location("media_watermark_text a text;"), "media_watermark_text", "not allowed here"),
    "preset of an unknown text": (in_http('media_watermark_text a text;\nmedia_preset p "wm=b";'), "media_preset", "wm"),
    # media_preset
    "preset with an unknown name": (in_http('media_preset a "width=100";'), "media_preset", "width"),
    "preset with a bad value": (in_http('media_preset a "w=100&fit=zoom";'), "media_preset", "fit|zoom"),
    "preset of facts with a size": (in_http('media_preset a "w=100&fm=json";'), "media_preset", "w: .*fm=json"),
    "preset out of range": (in_http('media_preset a "q=101";'), "media_preset", "q"),
    "preset repeating a name": (in_http('media_preset a "w=1&w=2";'), "media_preset", "w"),
    "preset malformed": (in_http('media_preset a "w=1&&%zz";'), "media_preset", "a"),
    "preset twice": (in_http('media_preset a "w=1";\nmedia_preset a "w=2";'), '"w=2"', "a"),
    "preset of an unknown preset": (in_http('media_preset a "p=b";'), "media_preset", "p: "),
    "preset of itself": (in_http('media_preset a "p=a";'), "media_preset", "a"),
    "preset of an unknown watermark": (in_http('media_preset a "wm=logo";'), "media_preset", "logo|wm"),
    "preset without a query": (in_http("media_preset a;"), "media_preset", "number of arguments"),
    "preset in a location": (in_location('media_preset a "w=1";'), "media_preset", "not allowed here"),
    # media_quality, media_effort
    "quality 0": (in_location("media_quality jpeg=0;"), "media_quality", "jpeg=0|1.*100"),
    "quality 101": (in_location("media_quality webp=101;"), "media_quality", "webp=101|1.*100"),
    "quality of nothing": (in_location("media_quality jpeg=;"), "media_quality", "jpeg"),
    "quality of letters": (in_location("media_quality jpeg=high;"), "media_quality", "high"),
    "quality without a format": (in_location("media_quality 80;"), "media_quality", "80"),
    "quality of an unknown format": (in_location("media_quality bmp=80;"), "media_quality", "bmp"),
    "quality of PNG": (in_location("media_quality png=80;"), "media_quality", "png"),
    "quality of one format twice": (in_location("media_quality jpeg=80 jpeg=90;"), "media_quality", "jpeg"),
    "quality twice": (in_location("media_quality jpeg=80;\nmedia_quality jpeg=90;"), "jpeg=90", "duplicate"),
    "effort too high": (in_location("media_effort webp=7;"), "media_effort", "webp=7|range|between|0"),
    "effort too low": (in_location("media_effort avif=-1;"), "media_effort", "avif"),
    "effort of JPEG": (in_location("media_effort jpeg=4;"), "media_effort", "jpeg"),
    "effort of an unknown format": (in_location("media_effort bmp=4;"), "media_effort", "bmp"),
    # media_max_*
    "max_source_size": (in_location("media_max_source_size big;"), "media_max_source_size", "invalid"),
    "max_source_pixels": (in_location("media_max_source_pixels -1;"), "media_max_source_pixels", "-1|invalid"),
    "max_source_pixels 0": (in_location("media_max_source_pixels 0;"), "media_max_source_pixels", "0|invalid"),
    "max_frames 0": (in_location("media_max_frames 0;"), "media_max_frames", "0|at least"),
    "max_frames of letters": (in_location("media_max_frames many;"), "media_max_frames", "many|invalid"),
    "max_width 0": (in_location("media_max_width 0;"), "media_max_width", "0|at least"),
    "max_height of letters": (in_location("media_max_height tall;"), "media_max_height", "tall|invalid"),
    "max_width beyond anything": (in_location("media_max_width 99999999;"), "media_max_width", "99999999"),
    "max_width twice": (in_location("media_max_width 1;\nmedia_max_width 2;"), "media_max_width 2", "duplicate"),
    # others
    "timeout": (in_location("media_timeout never;"), "media_timeout", "invalid|never"),
    "timeout 0": (in_location("media_timeout 0;"), "media_timeout", "time"),
    "fail_on": (in_location("media_fail_on everything;"), "media_fail_on", "everything"),
    "use_stale": (in_location("media_cache_use_stale error timeout;"), "media_cache_use_stale", "timeout"),
    "use_stale word twice": (in_location("media_cache_use_stale error error;"), "media_cache_use_stale", "duplicate"),
    "use_stale off and more": (in_location("media_cache_use_stale off error;"), "media_cache_use_stale", "no other"),
    "use_stale twice": (in_location("media_cache_use_stale off;\nmedia_cache_use_stale error;"),
                        "media_cache_use_stale error", "duplicate"),
    "auto_format": (in_location("media_auto_format bmp;"), "media_auto_format", "bmp"),
    "avif behind neither": (in_http("media_avif_behind maybe;"), "media_avif_behind", "maybe"),
    "avif behind with a typo": (in_http("media_avif_behind on form=1s;"), "media_avif_behind", "form"),
    "avif behind for no time": (in_http("media_avif_behind on lifetime=;"), "media_avif_behind", "lifetime"),
    "avif behind of letters": (in_http("media_avif_behind on from=soon;"), "media_avif_behind", "from=soon"),
    "avif behind with too much effort": (in_http("media_avif_behind on effort=10;"), "media_avif_behind", "effort=10"),
    "avif behind off with more": (in_http("media_avif_behind off from=1s;"), "media_avif_behind", "from=1s"),
    "avif behind twice": (in_http("media_avif_behind on;\nmedia_avif_behind off;"), "media_avif_behind off",
                          "duplicate"),
    "threads 0": (in_http("media_threads 0;"), "media_threads", "0|at least"),
    "threads of letters": (in_http("media_threads all;"), "media_threads", "all"),
    "threads without end": (in_http("media_threads 100000;"), "media_threads", "100000|at most"),
    "negative queue": (in_http("media_threads 1 queue=-1;"), "media_threads", "queue"),
    "threads with a typo": (in_http("media_threads 1 que=1;"), "media_threads", "que"),
    "threads twice": (in_http("media_threads 1;\nmedia_threads 2;"), "media_threads 2", "duplicate"),
    "threads in a location": (in_location("media_threads 1;"), "media_threads", "not allowed here"),
    "a directive that is none": (in_location("media_qualiti jpeg=1;"), "media_qualiti", "unknown directive"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(unstarted, name):
    configuration, fault, reason = REFUSED[name]
    unstarted.configure(**configuration)
    fault = fault.replace("@cache@", str(unstarted.cache)).replace("@pics@", str(unstarted.pics))
    reason = reason.replace("@cache@", re.escape(str(unstarted.cache))).replace("@pics@", re.escape(str(unstarted.pics)))
    code, said = unstarted.test()
    assert code != 0, "accepted"
    said = "\n".join(line for line in said.splitlines() if "[emerg]" in line)
    lines = [int(n) for n in re.findall(re.escape(str(unstarted.config_file)) + r":(\d+)", said)]
    assert lines == [unstarted.line_of(fault)], said
    message = said.split("[emerg]")[1].split(" in " + str(unstarted.config_file))[0]
    assert re.search(reason, message), said


@pytest.mark.parametrize("text", ["media_watermark logo @pics@/text.png;", 'media_preset a "w=x";'])
def test_a_bad_reload_changes_nothing(own_nginx, text):
    """A running server refuses a bad configuration and goes on with the old one."""
    good = in_location("")
    server = own_nginx(files={"a.png": LOGO, "text.png": pictures.HTML}, **good)
    before = [p.pid for p in server.workers()]
    server.configure(http=text, server=good["server"])
    server.expect_log(r"\[emerg\]")
    server.reload(wait=False)
    wait_until(lambda: "[emerg]" in server.log(), 10, "the refusal")
    assert server.get("/img/a.png?w=10").status == 200
    assert [p.pid for p in server.workers()] == before


SPY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static void note(const char *what) {
    int fd = open(getenv("SPY_FILE"), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd >= 0) { ssize_t n = write(fd, what, strlen(what)); (void) n; close(fd); }
}
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *p) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    note("thread\n");
    return real(t, a, f, p);
}
int connect(int fd, const struct sockaddr *a, socklen_t n) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    note("connect\n");
    return real(fd, a, n);
}
void *FcInitLoadConfig(void) {
    note("fonts\n");
    return NULL;
}
void *FcInitLoadConfigAndFonts(void) {
    note("fonts\n");
    return NULL;
}
"""


def test_checking_starts_nothing(unstarted, tmp_path):
    """nginx -t starts no thread, opens no connection, and looks for no fonts."""
    source, spy, notes = tmp_path / "spy.c", tmp_path / "spy.so", tmp_path / "notes"
    source.write_text(SPY)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", spy, source, "-ldl"], check=True)
    preload = " ".join(filter(None, [environment().get("LD_PRELOAD"), str(spy)]))
    unstarted.configure(http=ZONE + "media_cache z;\nmedia_threads 4;\nmedia_watermark logo @pics@/logo.png;\n"
                             "media_watermark_text a $host font=@pics@/font.ttf;\nmedia_watermark_text b '(c)' font=Serif;",
                        server="location /img/ { media_root @pics@; media_input jpeg svg pdf; }")
    code, said = unstarted.test({"LD_PRELOAD": preload, "SPY_FILE": str(notes)})
    assert code == 0, said
    assert not notes.exists(), notes.read_text()
    # That the spy sees anything at all:
    subprocess.run(["/usr/bin/python3", "-c", "import threading; threading.Thread(target=print).start()"], check=True,
                   env={"LD_PRELOAD": str(spy), "SPY_FILE": str(notes)}, capture_output=True)
    assert "thread" in notes.read_text()


def test_threads_only_in_workers(own_nginx):
    """Master, cache manager and cache loader run no thread; a worker runs those it was told to."""
    server = own_nginx(http=ZONE + "media_cache z;\nmedia_threads 3;", files={"a.png": LOGO},
                       server="location /img/ { media_root @pics@; }")
    for i in range(8):
        assert server.get(f"/img/a.png?w={i + 1}").status == 200
    helpers = server.helpers()
    assert helpers, "the cache has no manager"
    assert [p.threads for p in helpers] == [1] * len(helpers)
    assert Process(server.process.pid).threads == 1
    assert all(4 <= p.threads <= 8 for p in server.workers()), [p.threads for p in server.workers()]


def test_unprivileged_workers(own_nginx):
    """As in production: the master is root and makes the folders, the workers are somebody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    server = own_nginx(http=ZONE + "media_cache z;\nadd_header X-Cache $media_cache_status;", user="www-data",
                       files={"a.png": LOGO, "secret.png": LOGO}, server="location /img/ { media_root @pics@; }")
    os.chmod(server.pics / "secret.png", 0)
    assert server.get("/img/a.png?w=10").header("X-Cache") == "MISS"
    assert server.get("/img/a.png?w=10").header("X-Cache") == "HIT"
    server.expect_log(r"\[crit\].*Permission denied")
    assert server.get("/img/secret.png?w=10").status == 403


# Inheritance


@pytest.fixture(scope="module")
def levels(make_nginx):
    """Three levels: what http says, what a server says over it, what a location says over that."""
    server = make_nginx(
        http="""
            media_quality jpeg=20;
            media_max_width 300;
            media_original off;
            media_input jpeg;
            media_timeout 20s;
        """,
        server="""
            media_max_width 200;
            location /inherits/ { media_root @pics@; }
            location /own/ {
                media_root @pics@;
                media_quality jpeg=95;
                media_max_width 100;
                media_original on;
                media_input jpeg png;
            }
            location /nested/ {
                media_max_width 50;
                media_original on;
                location /nested/deep/ { media_root @pics@; }
            }
        """)
    server.add("g.jpg", pictures.encode(pictures.gradient(), "JPEG", quality=95))
    server.add("a.png", LOGO)
    return server


@pytest.mark.parametrize("location, width, status", [
    ("inherits", 200, 200), ("inherits", 201, 400), ("own", 100, 200), ("own", 101, 400), ("nested/deep", 50, 200),
    ("nested/deep", 51, 400)])
def test_inherited_max_width(levels, location, width, status):
    answer = levels.get(f"/{location}/g.jpg?w={width}")
    assert answer.status == status
    if status == 400:
        assert answer.json()["param"] == "w"


@pytest.mark.parametrize("location, status", [("inherits", 403), ("own", 200), ("nested/deep", 200)])
def test_inherited_original(levels, location, status):
    assert levels.get(f"/{location}/g.jpg").status == status


@pytest.mark.parametrize("location, status", [("inherits", 415), ("own", 200), ("nested/deep", 415)])
def test_inherited_input(levels, location, status):
    assert levels.get(f"/{location}/a.png?w=10").status == status


def test_inherited_quality(levels):
    def table(location):
        body = levels.get(f"/{location}/g.jpg?w=50").body
        return sum(Image.open(io.BytesIO(body)).quantization[0])
    assert table("inherits") == table("nested/deep") > 5 * table("own")


def test_root_is_not_inherited(own_nginx):
    """As with root's relatives proxy_pass and alias: a location below is its own."""
    server = own_nginx(files={"a.png": LOGO}, server="""
        location /img/ {
            media_root @pics@;
            location /img/plain/ { return 204; }
        }
    """)
    assert server.get("/img/a.png?w=10").status == 200
    assert server.get("/img/plain/a.png?w=10").status == 204


@pytest.mark.parametrize("block, method, status", [
    ("if ($arg_v = big) { set $seen 1; }", "GET", 200),
    ("if ($arg_v = big) { add_header X-Seen yes; }", "GET", 200),
    ("if ($arg_v = big) { return 418; }", "GET", 418),
    ("limit_except GET { deny all; }", "GET", 200),
    ("limit_except GET { deny all; }", "POST", 403),
    ("limit_except GET { allow all; }", "POST", 405),
])
@pytest.mark.parametrize("original", ["media_root @pics@;", "media_pass /files/;"])
def test_blocks_within_a_location(own_nginx, original, block, method, status):
    """`if` and `limit_except` are locations without a name: there too it is the same picture with the same
    settings."""
    server = own_nginx(files={"a.png": LOGO}, server="""
        location /files/ { internal; alias @pics@/; }
        location /img/ {
            %s
            media_max_width 100;
            %s
        }
    """ % (original, block))
    assert server.get("/img/a.png?w=10&v=big", method=method).status == status
    if (method, status) == ("GET", 200):
        assert server.get("/img/a.png?w=101&enlarge=1&v=big").status == 400
