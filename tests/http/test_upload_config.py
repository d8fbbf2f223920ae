"""The directives of upload locations: what nginx -t takes and refuses, what is inherited, what is made."""

import os
import pwd

import pytest

import pictures
import uploads
from uploads import JPEG, error, item, make, problem, unique

PNG = pictures.encode(pictures.quadrants(), "PNG")


def location(text, name="/upload"):
    return f"location {name} {{\n{text}\n}}\n"


ACCEPTED = {
    "alone": location("media_upload @prefix@/store;"),
    "with a slash": location("media_upload @prefix@/store/;"),
    "relative": location("media_upload store;"),
    "exact": location("media_upload @prefix@/store;", "= /upload"),
    "first prefix": location("media_upload @prefix@/store;", "^~ /upload"),
    "two of one folder": location("media_upload @prefix@/store;") + location("media_upload @prefix@/store/;", "/other"),
    "all": location("media_upload @prefix@/store; media_upload_url https://cdn.example.com/img/; media_upload_max 1g;"
                    "media_upload_types image/jpeg image/png image/svg+xml application/pdf; media_upload_claims a b c;"
                    "media_upload_moderate /judge;"),
    "moderation off": location("media_upload @prefix@/store; media_upload_moderate off;"),
    "inherited": location("media_upload_max 1m; media_upload_url /img/;" + location("media_upload @prefix@/store;", "/upload/in")),
}

REFUSED = {
    "beside a root": (location("media_root @pics@;\nmedia_upload @prefix@/store;"), "a location has one of"),
    "before a root": (location("media_upload @prefix@/store;\nmedia_root @pics@;"), "a location has one of"),
    "twice": (location("media_upload @prefix@/store;\nmedia_upload @prefix@/store;"), "duplicate"),
    "variables": (location("media_upload @prefix@/$host;"), "without variables"),
    "empty": (location('media_upload "";'), "without variables"),
    "regex": (location("media_upload @prefix@/store;", "~ ^/upload"), "given by a prefix"),
    "named": (location("media_upload @prefix@/store;", "@upload"), "given by a prefix"),
    "in a server": ("media_upload @prefix@/store;\n", "not allowed here"),
    "no such parent": (location("media_upload @prefix@/none/store;"), "failed"),
    "url without slash": (location("media_upload_url img/;"), "invalid prefix"),
    "url without end": (location("media_upload_url /img;"), "invalid prefix"),
    "url of another scheme": (location("media_upload_url ftp://example.com/;"), "invalid prefix"),
    "url without host": (location("media_upload_url https:///img/;"), "invalid prefix"),
    "url without path": (location("media_upload_url https://example.com;"), "invalid prefix"),
    "max": (location("media_upload_max big;"), "invalid value"),
    "unknown type": (location("media_upload_types image/jpeg image/bmp;"), 'unknown type "image/bmp"'),
    "name of a format": (location("media_upload_types jpeg;"), 'unknown type "jpeg"'),
    "type twice": (location("media_upload_types image/jpeg image/jpeg;"), "duplicate type"),
    "empty claim": (location('media_upload_claims "";'), "empty name"),
    "moderation elsewhere": (location("media_upload_moderate http://127.0.0.1/;"), "invalid URI"),
}


@pytest.fixture(scope="module")
def unstarted(make_nginx):
    return make_nginx(start=False)


@pytest.mark.parametrize("server", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(unstarted, server):
    unstarted.configure(server=server)
    code, said = unstarted.test()
    assert code == 0, said


@pytest.mark.parametrize("server, what", REFUSED.values(), ids=REFUSED.keys())
def test_refused(unstarted, server, what):
    unstarted.configure(server=server)
    code, said = unstarted.test()
    assert code == 1 and what in said, said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_folder_is_made(own_nginx):
    server = make(own_nginx, user="www-data")
    assert pwd.getpwuid(server.store.stat().st_uid).pw_name == "www-data"
    told = item(server.send("/upload", unique()))
    assert server.get(told["url"]).status == 200


def test_inherited(own_nginx):
    server = make(own_nginx, """
        location /outer/ {
            media_upload_types image/png;
            media_upload_max 20k;
            media_upload_url /deep/;
            location /outer/in { media_upload @prefix@/store; }
            location /outer/own { media_upload @prefix@/store; media_upload_types image/jpeg; media_upload_url /own/; }
        }
        location /narrow { media_input jpeg svg; media_upload @prefix@/store; }
        """)
    assert item(server.send("/outer/in", PNG))["url"].startswith("/deep/")
    assert error(server.send("/outer/in", JPEG), 415)
    assert item(server.send("/outer/own", unique()))["url"].startswith("/own/")
    problem(server.send("/outer/own", JPEG + bytes(20 << 10)), 413)
    assert item(server.send("/narrow", unique()))
    assert error(server.send("/narrow", PNG), 415)
    assert error(server.send("/narrow", pictures.SVG), 415)  # by default never, whatever is decoded here
    assert server.get("/outer/").status in (403, 404)


def test_guarded_by_method(own_nginx):
    """`limit_except` and `if` are locations without a name: what they let through is the same location."""
    server = make(own_nginx, """
        location /upload {
            media_upload @prefix@/store; media_upload_url /img/;
            limit_except POST PUT { deny all; }
        }
        location /flag {
            media_upload @prefix@/store; media_upload_url /img/;
            if ($arg_limit) { add_header X-Seen yes; }
        }
        """)
    told = item(server.send("/upload", unique()))
    assert server.get("/upload/" + told["key"]).status == 403
    assert server.get("/upload/" + told["key"], method="DELETE").status == 403
    assert server.get("/flag/" + told["key"]).status == 200
    assert len(server.get("/flag?limit=1").json()["items"]) == 1


def test_delete_where_the_url_names_a_host(own_nginx):
    """The renditions lie at the path of that URL."""
    server = make(own_nginx, """
        location /upload { media_upload @prefix@/store; media_upload_url http://localhost:@port@/my%20img/; }
        location "/my img/" { media_pass /files/; media_cache z; media_cache_valid 200 1h; }
        location /files/ { internal; alias @prefix@/store/; }
        """)
    told = item(server.send("/upload", unique()))
    target = told["url"].split(str(server.port), 1)[1] + "?w=40"
    assert target.startswith("/my%20img/") and server.get(target).status == 200
    assert server.get("/upload/" + told["key"], method="DELETE").status == 204
    assert server.get(target).status == 404


def test_listening_twice_on_one_store(own_nginx):
    """Locations and servers may share a folder."""
    server = make(own_nginx, uploads.SERVER + location("media_upload @prefix@/store; media_upload_url /img/;", "/second"))
    body = unique()
    item(server.send("/upload", body))
    told = item(server.send("/second", body), 200, "exists")
    assert server.get("/second/" + told["key"]).json() == server.get("/upload/" + told["key"]).json()
