"""media_token: who gets in, who does not, and what nobody else hears of it."""

import base64
import hashlib
import hmac
import json
import os
import re
import time

import pytest

import pictures
import tokens
from nginx_server import SLOW, wait_until
from origin import static
from tokens import bearer, token

PICTURE = pictures.encode(pictures.gradient(80, 60), "PNG")
SECRET = "correct-horse-battery-staple-01"
BASIC = "Basic " + base64.b64encode(b"me:secret").decode()
KEYS = [tokens.jwk(kind, kind) for kind in ("oct", "RSA", "P-256", "P-384", "Ed25519")]

SERVER = """
    location /bearer/ { media_root @pics@; media_token bearer @prefix@/bearer; }
    location /jwt/ { media_root @pics@; media_token jwt @prefix@/jwks; media_purge on;
                     add_header X-Sub $media_token_sub; add_header X-Role $media_token_claim_role;
                     add_header X-Tenant $media_token_claim_tenantid; }
    location /strict/ { media_root @pics@; media_token jwt jwks issuer=https://issuer.example audience=media
                        "scope=read write" max_age=1h leeway=5s revoked=@prefix@/revoked; }
    location /either/ { media_root @pics@; media_token bearer @prefix@/bearer;
                        media_token jwt @prefix@/jwks scope=admin; media_token jwt @prefix@/jwks scope=read; }
    location /static/ { alias @pics@/; media_token bearer @prefix@/bearer; }
    location /guarded/ { media_root @pics@; media_purge on; limit_except GET { media_token bearer @prefix@/bearer; } }

    location /any-basic/ { media_root @pics@; satisfy any; media_token bearer @prefix@/bearer;
                           auth_basic x; auth_basic_user_file @prefix@/users; }
    location /any-address/ { media_root @pics@; satisfy any; media_token bearer @prefix@/bearer; allow 127.0.0.0/8; deny all; }
    location /any-nobody/ { media_root @pics@; satisfy any; media_token bearer @prefix@/bearer; deny all; }
    location /all-nobody/ { media_root @pics@; media_token bearer @prefix@/bearer; deny all; }
    location /all-asked/ { media_root @pics@; media_token bearer @prefix@/bearer; auth_request /may; }
    location = /may { internal; if ($http_x_may = no) { return 403; } return 204; }

    location /paged/ { media_root @pics@; media_token jwt @prefix@/jwks scope=read;
                       error_page 401 =401 /open/sorry.txt; error_page 403 = @forbidden; }
    location @forbidden { return 403 "not you"; }
    location /open/ { alias @www@/; }

    location /outer/ { media_token bearer @prefix@/bearer; alias @pics@/;
        location /outer/inherits/ { media_root @pics@; }
        location /outer/off/ { media_token off; media_root @pics@; }
        location /outer/own/ { media_token jwt @prefix@/jwks; media_root @pics@; } }

    location /sent-on/ { rewrite ^/sent-on/(.*)$ /jwt/$1 last; }
    location = /index-of/ { media_token jwt @prefix@/jwks; index a.png; alias @pics@/; }
    location /passed/ { media_pass /origin/; media_token jwt @prefix@/jwks; }
    location /plainly/ { media_pass /plain-origin/; media_token jwt @prefix@/jwks; }
    location /plain-origin/ { internal; proxy_pass http://127.0.0.1:@origin@/; proxy_set_header X-Sub $media_token_sub; }
    location /passed-open/ { media_pass /origin/; }
    location /origin/ { media_token jwt @prefix@/jwks scope=nobody-has-this; proxy_pass http://127.0.0.1:@origin@/;
                        proxy_set_header X-Sub $media_token_sub; }
    location /limited/ { limit_req zone=subjects; media_root @pics@; media_token jwt @prefix@/jwks; }
"""

HTTP = """
    limit_req_zone $media_token_sub zone=subjects:1m rate=1r/m;
    log_format who '$uri $status "$media_token_sub" "$media_token_claim_role"';
    access_log @prefix@/who.log who;
    access_log @prefix@/access.log;
"""


def write(server, name, content):
    """As careful people do: no reader sees half of it."""
    path = server.prefix / name
    new = path.with_name(name + ".new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    new.chmod(0o644)
    new.rename(path)


def with_files(server):
    write(server, "bearer", f"# ours\n{tokens.sha256(SECRET)}  # ann\n")
    write(server, "jwks", tokens.jwks(*KEYS))
    write(server, "revoked", "# nobody yet\njti stolen\nsub mallory 4000000000\n")
    write(server, "users", "me:{PLAIN}secret\n")
    server.add("sorry.txt", b"sorry", server.www)
    return server.start()


@pytest.fixture(scope="module")
def server(make_nginx, origin):
    return with_files(make_nginx(start=False, http=HTTP, server=SERVER, files={"a.png": PICTURE}, origin=origin.port))


def status(server, place, headers=None, method="GET", query="?w=20"):
    return server.get(f"/{place}/a.png{query}", headers, method).status


# Bearer files


def test_bearer(server):
    answer = server.get("/bearer/a.png?w=20", bearer(SECRET))
    assert answer.status == 200 and pictures.decode(answer.body).size == (20, 15)
    assert server.get("/static/a.png", bearer(SECRET)).body == PICTURE
    assert server.get("/static/a.png").status == 401


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": BASIC},
    {"Authorization": SECRET}, {"Authorization": f"Basic {SECRET}"}, {"Authorization": f"Bearer{SECRET}"},
    {"Authorization": f"Bearer\t{SECRET}"}, {"X-Authorization": f"Bearer {SECRET}"},
    {"Authorization": f"Bearer {SECRET}, Bearer {SECRET}"}, bearer(SECRET[:-1]), bearer(SECRET + "x"), bearer(SECRET.upper()),
    bearer(tokens.sha256(SECRET)), bearer("# ours"), bearer("x" * 4000),
])
def test_bad_bearers(server, headers):
    for query in ("?w=20", "", "?w=20&access_token=" + SECRET[::-1]):
        answer = server.get(f"/bearer/a.png{query}", headers)
        assert answer.status == 401, query
        assert answer.type == "application/problem+json" and answer.json()["status"] == 401
        assert answer.header("WWW-Authenticate").startswith('Bearer realm="media"')


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_has_no_case(server, scheme):
    assert status(server, "bearer", {"Authorization": f"{scheme} {SECRET}"}) == 200


def test_two_authorizations_are_refused(own_nginx):
    """By nginx itself, which writes both to a log of level info: the reason for a server of its own."""
    server = with_files(own_nginx(start=False, server="location /bearer/ { media_root @pics@; media_token bearer bearer; }"))
    answer = server.raw(f"GET /bearer/a.png?w=20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {SECRET}\r\n"
                        f"Authorization: Bearer {SECRET}\r\n\r\n".encode())
    assert b" 400 " in answer.splitlines()[0]


def test_giant_fields(server):
    assert status(server, "bearer", bearer("x" * 20000)) == 400  # nginx' own limit
    assert status(server, "jwt", bearer("x." * 3000)) == 401


# JSON Web Tokens


@pytest.mark.parametrize("algorithm", tokens.ALGORITHMS)
def test_algorithms(server, algorithm):
    answer = server.get("/jwt/a.png?w=20", bearer(token(algorithm, sub="ann", role="editor", tenantId=7)))
    assert answer.status == 200
    assert [answer.header(name) for name in ("X-Sub", "X-Role", "X-Tenant")] == ["ann", "editor", "7"]
    other = token(algorithm, name="somebody else")
    assert status(server, "jwt", bearer(other)) == 401


def forged(header, claims=None, key=b"", digest=hashlib.sha256):
    """A token with an HMAC (empty: no signature at all), whatever its header says."""
    text = ".".join(tokens.b64(part if isinstance(part, bytes) else json.dumps(part).encode())
                    for part in (header, claims or {"exp": int(time.time()) + 60, "sub": "mallory"}))
    return text + "." + (tokens.b64(hmac.new(key, text.encode(), digest).digest()) if key else "")


def test_forgeries(server):
    pem, rsa = tokens.public_pem("RSA"), tokens.jwk("RSA", "RSA")
    modulus = base64.urlsafe_b64decode(rsa["n"] + "==")
    mine = tokens.private_key("oct", "mallory")
    kid = {"kid": "RSA"}
    attempts = [
        forged({"alg": "none", **kid}), forged({"alg": "None"}), forged({"alg": "nOnE", "kid": "oct"}), forged({"alg": ""}),
        forged({"alg": "none", "kid": "oct"})[:-1], forged({}), forged({"alg": None, "kid": "oct"}),
        *[forged({"alg": "HS256", "kid": name}, key=key)
          for name in ("RSA", "oct", "P-256", "Ed25519") for key in (pem, pem.strip(), modulus, json.dumps(rsa).encode(), b"\0")],
        *[forged({"alg": "HS256", "kid": name}, key=mine) for name in ("oct", "", "../../../../dev/null", "/dev/null", "oct\u0000",
                                                                       "' OR 1=1 --", "*")],
        forged({"alg": "HS256", "kid": ["oct"]}, key=mine), forged({"alg": "HS256"}, key=mine),
        forged({"alg": "HS256", "kid": "oct", "jwk": tokens.jwk("oct", "oct", "mallory")}, key=mine),
        forged({"alg": "HS256", "kid": "oct", "jku": "http://127.0.0.1/", "x5u": "file:///dev/null"}, key=mine),
        forged(b'{"alg":"HS256","kid":"oct","alg":"none"}', key=tokens.private_key("oct")),
        forged({"alg": "HS256", "kid": "oct"}, b'{"exp":1,"exp":4000000000}', key=tokens.private_key("oct")),
        forged({"alg": "HS256", "kid": "oct", "crit": ["exp"]}, key=tokens.private_key("oct")),
        forged({"alg": "HS512", "kid": "oct"}, key=tokens.private_key("oct")),  # of another length than its name
        token("ES256", kid="P-384"), token("RS256", kid="Ed25519"), token("EdDSA", kid="RSA"),
        forged({"alg": "HS256"}, key=tokens.private_key("oct")), "..", ".", "a.b", "a.b.c.d", "eyJ.eyJ.", token() + ".", token() + "=",
    ]
    good = token("HS256", kid="oct")
    assert status(server, "jwt", bearer(good)) == 200
    for attempt in attempts:
        answer = server.get("/jwt/a.png?w=20", bearer(attempt))
        assert answer.status == 401, attempt
        assert 'error="invalid_token"' in answer.header("WWW-Authenticate") and answer.header("X-Sub") is None


def test_every_character_counts(server):
    good = token("ES256", sub="ann")
    bent = [good[:i] + ("A" if good[i] != "A" else "B") + good[i + 1:] for i in range(len(good))]
    assert {status(server, "jwt", bearer(text)) for text in bent} == {401}


class After(int):
    """So many seconds after the test begins, which may be long after its parameters were made."""


STRICT = {"iss": "https://issuer.example", "aud": "media", "scope": "write read", "iat": After(0)}


@pytest.mark.parametrize("changes, expected", [
    ({}, 200), ({"aud": ["other", "media"]}, 200), ({"scope": ["read", "write"]}, 200), ({"scope": None, "scp": "read write"}, 200),
    ({"nbf": After(-5)}, 200), ({"exp": 4000000000.5}, 200), ({"jti": "mine"}, 200),
    ({"exp": None}, 401), ({"exp": After(-60)}, 401), ({"exp": "4000000000"}, 401), ({"nbf": After(600)}, 401), ({"iat": After(600)}, 401),
    ({"iat": After(-7200)}, 401), ({"iat": None}, 401), ({"iss": None}, 401), ({"iss": "https://issuer.example.evil"}, 401),
    ({"aud": None}, 401), ({"aud": "medi"}, 401), ({"aud": []}, 401), ({"jti": "stolen"}, 401), ({"jti": 7}, 401),
    ({"sub": "mallory"}, 401), ({"sub": "a\r\nX-Evil: 1"}, 401),
    ({"scope": "read"}, 403), ({"scope": None}, 403), ({"scope": "readwrite"}, 403), ({"scope": {"read": 1, "write": 1}}, 403),
])
def test_claims(server, changes, expected):
    now = int(time.time())
    claims = {name: now + value if isinstance(value, After) else value for name, value in {**STRICT, **changes}.items()}
    answer = server.get("/strict/a.png?w=20", bearer(token(**claims)))
    assert answer.status == expected
    if expected == 403:
        assert answer.header("WWW-Authenticate") == 'Bearer realm="media", error="insufficient_scope", scope="read write"'


def test_any_line_is_enough(server):
    assert status(server, "either", bearer(SECRET)) == 200
    assert status(server, "either", bearer(token(scope="admin"))) == 200
    assert status(server, "either", bearer(token(scope="read"))) == 200
    assert status(server, "either", bearer(token(scope="other"))) == 403
    assert status(server, "either", bearer("unknown")) == 401


def test_text_of_claims_cannot_break_headers(server):
    answer = server.get("/jwt/a.png?w=20", bearer(token(sub="ann", role="x\r\nX-Evil: 1")))
    assert answer.status == 200
    assert answer.header("X-Role") is None and answer.header("X-Evil") is None


# Methods, blocks, neighbours


def test_options_need_no_token(server):
    for headers in ({}, bearer("wrong"), bearer(SECRET)):
        answer = server.get("/bearer/a.png", headers, "OPTIONS")
        assert (answer.status, answer.body, answer.header("Allow")) == (204, b"", "GET, HEAD, OPTIONS")
    assert server.get("/jwt/a.png", {}, "OPTIONS").header("Allow") == "GET, HEAD, OPTIONS, PURGE"
    assert server.get("/outer/off/a.png", {}, "OPTIONS").status == 405


def test_head_and_bodies(server):
    answer = server.get("/bearer/a.png", {}, "HEAD")
    assert (answer.status, answer.body) == (401, b"") and int(answer.header("Content-Length")) > 0
    two = server.raw(b"POST /bearer/a.png HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                     b"GET /open/sorry.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert two.count(b"HTTP/1.1 401") == 1 and two.endswith(b"sorry")


def test_purges(server):
    assert status(server, "jwt", {}, "PURGE", "") == 401
    assert status(server, "jwt", bearer(token()), "PURGE", "") == 200
    assert status(server, "guarded") == 200
    assert status(server, "guarded", {}, "PURGE", "") == 401
    assert status(server, "guarded", bearer(SECRET), "PURGE", "") == 200


def test_levels(server):
    good, jwt_ = bearer(SECRET), bearer(token())
    assert [status(server, "outer/inherits", h) for h in ({}, good, jwt_)] == [401, 200, 401]
    assert [status(server, "outer/off", h) for h in ({}, good, jwt_)] == [200, 200, 200]
    assert [status(server, "outer/own", h) for h in ({}, good, jwt_)] == [401, 401, 200]


def test_satisfy(server):
    good, basic = bearer(SECRET), {"Authorization": BASIC}
    assert status(server, "any-basic", good) == status(server, "any-basic", basic) == 200
    answer = server.get("/any-basic/a.png?w=20")
    assert answer.status == 401
    assert [c.split(" ")[0] for c in answer.headers.get_all("WWW-Authenticate")] == ["Bearer", "Basic"]
    assert server.get("/any-basic/a.png?w=20", basic).headers.get_all("WWW-Authenticate") is None
    assert status(server, "any-address") == status(server, "any-nobody", good) == 200
    assert status(server, "any-nobody") == 401
    assert status(server, "all-nobody", good) == 403
    assert status(server, "all-nobody") == 401
    assert status(server, "all-asked", good) == 200
    assert status(server, "all-asked", {**good, "X-May": "no"}) == 403
    assert status(server, "all-asked") == 401


def test_error_pages(server):
    answer = server.get("/paged/a.png?w=20")
    assert (answer.status, answer.body) == (401, b"sorry") and answer.header("WWW-Authenticate") == 'Bearer realm="media"'
    assert server.get("/paged/a.png?w=20", bearer(token())).body == b"not you"


def test_ways_inside(server, origin):
    """Rewrites and internal redirects are checked where they arrive; subrequests are the server's own."""
    good = token(sub="ann")
    assert status(server, "sent-on") == 401
    assert server.get("/sent-on/a.png?w=20", bearer(good)).header("X-Sub") == "ann"
    assert server.get("/index-of/").status == 401
    assert server.get("/index-of/", bearer(good)).status == 404  # let in, and sent to a location without that file


@pytest.mark.parametrize("query", ["?w=20", ""])
def test_origins(server, origin, query):
    """A token that let somebody in is not shown to the origin; what it says may be. Others are none of our business."""
    origin.at("/o.png", static(PICTURE, "image/png"))
    assert server.get(f"/passed/o.png{query}").status == 401 and origin.count("/o.png") == 0
    good = bearer(token(sub="ann"))
    expected = 200 if query else 403  # an untouched original comes from the origin's location, which has rules of its own
    assert server.get(f"/passed/o.png{query}", good).status == expected
    if query:
        (seen,) = origin.requests["/o.png"]
        assert seen.headers.get("Authorization") is None and seen.headers.get("X-Sub") == "ann"
        assert server.get("/passed-open/o.png?w=21", good).status == 200
        assert origin.requests["/o.png"][1].headers.get("Authorization") == good["Authorization"]
        assert origin.requests["/o.png"][1].headers.get("X-Sub") is None


def test_untouched_originals(server, origin):
    origin.at("/u.png", static(PICTURE, "image/png"))
    answer = server.get("/plainly/u.png", bearer(token(sub="ann")))
    assert (answer.status, answer.body) == (200, PICTURE)
    (seen,) = origin.requests["/u.png"]
    assert seen.headers.get("Authorization") is None and seen.headers.get("X-Sub") == "ann"


def test_limits_by_subject(server):
    """limit_req works before the token is checked, and yet knows who comes."""
    assert [status(server, "limited", bearer(token(sub=who))) for who in ("l1", "l2", "l1")] == [200, 200, 503]
    assert status(server, "limited", bearer(token(sub="l1", name="forged"))) == 401


# Files that change


def serve(own_nginx, rules, **files):
    server = own_nginx(start=False, server=f"location /img/ {{ media_root @pics@; {rules} }}", files={"a.png": PICTURE}, workers=1)
    for name, content in files.items():
        write(server, name, content)
    return server.start()


def soon(server, headers, expected):
    """Within 3 s of now, and for good; each worker looks for itself, so there is only one."""
    wait_until(lambda: status(server, "img", headers) == expected, 3 * SLOW, expected, 0.05)
    assert {status(server, "img", headers) for _ in range(4)} == {expected}


def test_keys_roll(own_nginx):
    server = serve(own_nginx, "media_token jwt jwks;", jwks=tokens.jwks(tokens.jwk("Ed25519", "1", "roll-1")))
    first, second = bearer(token(kid="1", name="roll-1")), bearer(token(kid="2", name="roll-2"))
    assert status(server, "img", first) == 200 and status(server, "img", second) == 401
    write(server, "jwks", tokens.jwks(tokens.jwk("Ed25519", "1", "roll-1"), tokens.jwk("Ed25519", "2", "roll-2")))
    soon(server, second, 200)
    assert status(server, "img", first) == 200
    write(server, "jwks", tokens.jwks(tokens.jwk("Ed25519", "2", "roll-2")))
    soon(server, first, 401)
    assert status(server, "img", second) == 200
    write(server, "jwks", tokens.jwks())
    soon(server, second, 401)


def test_a_broken_file_lets_nobody_in(own_nginx):
    server = serve(own_nginx, "media_token jwt jwks; media_token bearer list;", jwks=tokens.jwks(*KEYS), list="")
    good, listed = bearer(token()), bearer(SECRET)
    for broken in (b"", b"{", b'{"keys":[{"kty":"oct","k":"AA"}]}', b" " * (1 << 21)):
        write(server, "jwks", broken)
        soon(server, good, 401)
        write(server, "jwks", tokens.jwks(*KEYS))
        soon(server, good, 200)
    (server.prefix / "jwks").unlink()
    soon(server, good, 401)
    assert status(server, "img", listed) == 401
    write(server, "list", tokens.sha256(SECRET))
    soon(server, listed, 200)  # the other line still counts
    os.mkfifo(server.prefix / "pipe")
    (server.prefix / "pipe").rename(server.prefix / "list")
    soon(server, listed, 401)
    log = server.log()
    assert len(re.findall(r'/jwks": it cannot be read', log)) == 1
    assert "nothing in it counts until that is put right" in log


def test_a_file_changed_in_place_and_dated_back(own_nginx):
    server = serve(own_nginx, "media_token bearer list;", list=tokens.sha256("one") + "\n")
    path = server.prefix / "list"
    before = path.stat()
    soon(server, bearer("one"), 200)
    path.write_text(tokens.sha256("two") + "\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    soon(server, bearer("two"), 200)
    assert status(server, "img", bearer("one")) == 401


def test_revocation(own_nginx):
    server = serve(own_nginx, "media_token jwt jwks revoked=gone;", jwks=tokens.jwks(*KEYS), gone="")
    now = int(time.time())
    one, ann = bearer(token(jti="1", sub="x", iat=now)), bearer(token(sub="ann smith", iat=now))
    undated, later = bearer(token(sub="ann smith")), bearer(token(sub="ann smith", iat=now + 1))
    assert {status(server, "img", h) for h in (one, ann, undated, later)} == {200}
    write(server, "gone", f"jti 1\nsub ann smith {now + 1}\n")
    soon(server, one, 401)
    assert [status(server, "img", h) for h in (ann, undated, later)] == [401, 401, 200]
    write(server, "gone", "what is this")
    soon(server, later, 401)


def test_a_file_that_workers_may_not_read(own_nginx):
    if os.geteuid() != 0:
        pytest.skip("only root has workers of another user")
    server = own_nginx(start=False, server="location /img/ { media_root @pics@; media_token bearer list; }", user="nobody nogroup", workers=1,
                       files={"a.png": PICTURE})
    write(server, "list", tokens.sha256(SECRET))
    (server.prefix / "list").chmod(0o600)
    server.start()
    assert status(server, "img", bearer(SECRET)) == 401
    assert "it cannot be read: Permission denied" in server.log()
    (server.prefix / "list").chmod(0o644)
    soon(server, bearer(SECRET), 200)


# What others hear


def test_nothing_of_a_token_is_logged(server):
    """Neither of good ones nor of bad ones, in any log or answer; who it was may be."""
    texts = [SECRET, token(sub="logged-ann", role="r"), token(name="forged", sub="logged-bob"), "wrong-" + SECRET, token(exp=1)]
    answers = []
    for text in texts:
        for place in ("bearer", "jwt", "strict", "either", "any-basic", "any-nobody", "static", "paged", "passed", "limited"):
            answers.append(server.get(f"/{place}/a.png?w=20", bearer(text)))
        server.get("/bearer/a.png?w=99999", bearer(text))
        server.get("/bearer/none.png?w=9", bearer(text))
    parts = {part for text in texts for part in [text, *text.split(".")] if len(part) > 10}
    logs = "".join(path.read_text(errors="replace") for path in server.prefix.glob("*.log"))
    seen = logs + "".join(str(a.headers) + a.body.decode("latin-1") for a in answers)
    assert not [part for part in parts if part in seen]
    wait_until(lambda: '/jwt/a.png 200 "logged-ann" "r"' in (server.prefix / "who.log").read_text(), 10 * SLOW, "the log")
    assert "logged-bob" not in logs


# nginx -t


@pytest.mark.parametrize("text, reason", [
    ("media_token;", "invalid number of arguments"), ("media_token bearer;", '"media_token" takes'), ("media_token jwt;", '"media_token" takes'),
    ("media_token basic users;", '"media_token" takes'), ("media_token bearer ok more;", '"media_token" takes'),
    ("media_token off; media_token off;", "duplicate"), ("media_token off; media_token bearer ok;", "duplicate"),
    ("media_token bearer ok; media_token off;", "duplicate"),
    ("media_token bearer missing;", "it cannot be read: No such file"), ("media_token bearer pics;", "it is no regular file"),
    ("media_token bearer jwks;", "line 1 is no SHA-256 in lower-case hex"), ("media_token jwt ok;", "it is no JSON Web Key Set"),
    ("media_token jwt weak;", "key 1 is a secret of less than 32 bytes"), ("media_token jwt private;", "key 1 is a private key"),
    ("media_token jwt jwks leeway=x;", 'invalid parameter "leeway=x"'), ("media_token jwt jwks max_age=0;", 'invalid parameter "max_age=0"'),
    ("media_token jwt jwks issuer=;", 'invalid parameter "issuer="'), ("media_token jwt jwks issuer=a issuer=b;", 'invalid parameter "issuer=b"'),
    ("media_token jwt jwks 'scope=a\"b';", "invalid parameter"), ("media_token jwt jwks what=x;", 'invalid parameter "what=x"'),
    ("media_token jwt jwks revoked=jwks;", "line 1 is neither"),
])
def test_mistakes(own_nginx, text, reason):
    server = own_nginx(start=False, server=f"location /img/ {{ media_root @pics@; {text} }}")
    write(server, "ok", tokens.sha256("x"))
    write(server, "jwks", tokens.jwks(*KEYS))
    write(server, "weak", tokens.jwks({"kty": "oct", "k": "c2VjcmV0"}))
    write(server, "private", tokens.jwks({**KEYS[4], "d": "AA"}))
    code, said = server.test()
    assert code != 0 and reason in said
    assert re.search(rf"{re.escape(str(server.config_file))}:\d+", said)
    assert tokens.b64(tokens.private_key("oct")) not in said
