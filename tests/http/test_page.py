"""conf/nginx.conf and its page, as conf/quickstart runs them: in a headless Chromium."""

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import requests
from PIL import Image

import node
import pictures
from nginx_server import ASAN, BUILD, REPOSITORY, SLOW, free_ports

TOKEN = "correct-horse-battery-staple"

HEAD = """\
@user@
daemon off;
"""
INSIDE = """\
    server {
        listen 127.0.0.1:@status_port@;
        access_log off;
        location / { stub_status; }
    }
"""


def as_it_stands():
    """conf/nginx.conf, with the places and ports of a test."""
    text = (REPOSITORY / "conf/nginx.conf").read_text()
    for old, new in {"modules/ngx_http_media_module.so": "@module@", "worker_processes auto": "worker_processes @workers@",
                     "listen 127.0.0.1:8080;": "listen 127.0.0.1:@port@;", "error_log logs/error.log warn": "error_log error.log info",
                     "access_log logs/": "access_log ", "http {\n": "http {\n" + INSIDE}.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    return HEAD + text


@pytest.fixture
def nginx(own_nginx):
    server = own_nginx(template=as_it_stands(), start=False)
    (server.prefix / "photos").symlink_to(pictures.PHOTOGRAPHS)
    shutil.copy(REPOSITORY / "conf/watermark.png", server.prefix)
    shutil.copytree(REPOSITORY / "conf/www", server.www, dirs_exist_ok=True)
    (server.prefix / "tokens").write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + "\n")
    return server.start()


@pytest.mark.timeout(180 * SLOW)
def test_a_person_with_a_photograph(nginx, tmp_path):
    url = f"http://127.0.0.1:{nginx.port}/"
    notes = tmp_path / "notes.txt"
    notes.write_text("This is no picture.")
    photographs = [pictures.photograph("Storm"), pictures.photograph("LadyBird")]
    seen = node.browse("page.mjs", {"url": url, "token": TOKEN, "photographs": photographs, "notes": notes,
                                    "screenshot": os.environ.get("MEDIA_SCREENSHOT", "")})

    key = hashlib.sha256(photographs[0].read_bytes()).hexdigest()
    original = f"{url}originals/{key[:2]}/{key[2:4]}/{key}.jpg"
    assert seen["url"] == url, "the token is gone from the address"
    assert seen["focus"] == "files"
    assert seen["refused"].startswith("415: ")
    assert seen["first"] == f"{original}?w=800&fm=auto"
    assert seen["facts"]["format"] == "avif"
    with Image.open(photographs[0]) as photograph:
        wanted = pictures.reference(photograph.convert("RGB"), (800, 533))
    shown = pictures.decode(base64.b64decode(seen["pixels"])).convert("RGB")
    assert pictures.ssim(shown, wanted) > 0.9

    assert seen["knobs"] == f"{original}?w=300&h=300&fit=cover&fm=webp"
    answer = requests.get(seen["knobs"], timeout=60 * SLOW)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")
    assert pictures.decode(answer.content).size == (300, 300)
    assert seen["download"] == "picture.webp"
    assert seen["problem"].startswith("400: ")
    assert (seen["guilty"], seen["guiltyAfter"]) == ("Blur", 0)
    assert seen["html"] == (f'<img src="{original}?w=800&amp;fm=auto" srcset="{original}?w=800&amp;fm=auto&amp;dpr=2 2x" '
                            'width="800" height="533" alt="">')
    assert seen["clipboard"] == seen["first"]
    assert (seen["again"], seen["count"]) == ("again.jpg: was stored before", 2)
    assert requests.get(seen["deleted"], timeout=60 * SLOW).status_code == 404

    assert seen["nameless"] == []
    assert seen["textless"] == 0
    assert seen["light"] == seen["chosen"] != seen["dark"]
    assert seen["problems"] == [], "what the page may not do, or what it failed at"


def test_uploads_take_the_token(nginx):
    url = f"http://127.0.0.1:{nginx.port}/upload"
    body = pictures.encode(pictures.gradient(64, 48), "PNG")
    given = {"Authorization": f"Bearer {TOKEN}"}
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = requests.post(url, body, headers={"Content-Type": "image/png", **headers}, timeout=60 * SLOW)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert requests.get(url, headers=headers, timeout=60 * SLOW).status_code == 401
    assert list((nginx.prefix / "originals").rglob("*.png")) == []
    answer = requests.post(url, body, headers={"Content-Type": "image/png", **given}, timeout=60 * SLOW)
    assert answer.status_code == 201
    (item,) = answer.json()["items"]
    assert nginx.get(item["url"] + "?w=16").status == 200
    assert [record["key"] for record in requests.get(url, headers=given, timeout=60 * SLOW).json()["items"]] == [item["key"]]


def test_the_page_runs_nothing_but_its_files(nginx):
    answer = nginx.get("/")
    policy = answer.header("Content-Security-Policy")
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
    for name in ["index.html", *re.findall(r'(?:src|href)="([^"]+)"', answer.body.decode())]:
        assert nginx.get(f"/{name}").header("Content-Security-Policy") == policy, name
    assert not re.search(rb"<(script|style)>|\son\w+=|\sstyle=|//", answer.body.replace(b"<!doctype html>", b""))


@contextlib.contextmanager
def quickstart(port):
    """What it says until it is ready, and its folder; stopped in the end, as by Ctrl-C in another terminal."""
    process = subprocess.Popen([REPOSITORY / "conf/quickstart"], env={**os.environ, "PORT": str(port)}, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("Stop with"):
            break
    found = re.search(rf"^Configuration.*: (/\S+/{port})$", said, re.M)
    try:
        assert found, said
        yield said, Path(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        said += process.communicate(timeout=60 * SLOW)[0]
        if found:
            shutil.rmtree(found[1])
            with contextlib.suppress(OSError):  # of another port
                Path(found[1]).parent.rmdir()
    assert process.returncode == 0, said


@pytest.mark.skipif(ASAN or BUILD != REPOSITORY / "build", reason="quickstart runs a build of its own, not the one that is tested")
def test_quickstart_prints_a_page_and_its_token():
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}/"
    with quickstart(port) as (text, folder):
        (token,) = re.findall(rf"^  {url}#token=(\S{{32}})$", text, re.M)
        command = re.search(r"^  (curl .*)$", text, re.M)[1].replace("photo.jpg", str(pictures.photograph("Wood")))
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60 * SLOW)
        assert json.loads(done.stdout)["items"][0]["status"] in ("created", "exists")
        assert "ngx_media" in requests.get(url, timeout=60 * SLOW).text
        assert requests.post(f"{url}upload", b"x", timeout=60 * SLOW).status_code == 401
        for path in (folder / "tokens", folder / "nginx.conf", *folder.glob("logs/*.log")):
            assert token not in path.read_text(errors="replace"), path
        pictures_to_try = re.findall(rf"{url}(?:img|elsewhere)/\S+", text)
        assert len(pictures_to_try) >= 9
        for picture in pictures_to_try:
            answer = requests.get(picture, timeout=60 * SLOW)
            assert (answer.status_code, answer.headers["Content-Type"].split("/")[0]) == (200, "image"), picture
    with pytest.raises(OSError):  # nothing is left running
        socket.create_connection(("127.0.0.1", port), 5)


@pytest.mark.parametrize("taken, says", [(True, "port {port} is taken. Choose another"), (False, "PORT=seven is not a port")])
def test_quickstart_says_what_is_wrong_with_a_port(taken, says):
    """Before it installs or builds anything."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1] if taken else "seven"
        done = subprocess.run([REPOSITORY / "conf/quickstart"], env={**os.environ, "PORT": str(port)}, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60 * SLOW)
    assert done.returncode == 1 and done.stdout == "" and says.format(port=port) in done.stderr
