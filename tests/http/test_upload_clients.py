"""What people send files with: the programs of module/clients.md, run as they stand there, and forms and Uppy in a browser."""

import base64
import hashlib
import json
import os
import re
import subprocess

import pytest

import node
import pictures
from nginx_server import REPOSITORY, SLOW

TOKEN = "a-token"
PICTURES = {
    "a.jpg": pictures.encode(pictures.gradient(90, 60), "JPEG"),
    "größe (1) \"x\"; y.png": pictures.encode(pictures.quadrants(80, 50), "PNG"),
    "c.webp": pictures.encode(pictures.solid(70, 40, pictures.RED), "WEBP"),
}
SIZES = [(90, 60), (80, 50), (70, 40)]
NOTES = b"This is no picture."


def program(language, holding):
    """The block of the page in `language` that holds a text."""
    text = (REPOSITORY / "module/clients.md").read_text()
    (found,) = [block for block in re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S) if holding in block]
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, content in {**PICTURES, "notes.txt": NOTES}.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def nginx(own_nginx):
    server = own_nginx(start=False, server="""
        location /upload {
            media_upload @prefix@/originals; media_upload_url /originals/; media_token bearer @prefix@/tokens;
            client_max_body_size 100m; }
        location /open { media_upload @prefix@/originals; media_upload_url /originals/; }
        location /originals/ { media_root @prefix@/originals/; }
        location = /uploader.js { types {} default_type text/javascript; }""")
    (server.prefix / "tokens").write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + "\n")
    return server.start()


def execute(command, files, nginx, *names):
    done = subprocess.run([*command, *(str(files / name) for name in names)], capture_output=True, text=True, timeout=60 * SLOW,
                          env={**os.environ, "UPLOAD": f"http://127.0.0.1:{nginx.port}/upload", "TOKEN": TOKEN})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def check(nginx, items, status="created"):
    """Items for all pictures, in their order, which are served."""
    assert [(item["status"], item["width"], item["height"]) for item in items] == [(status, *size) for size in SIZES]
    for item, content in zip(items, PICTURES.values()):
        assert item["key"] == hashlib.sha256(content).hexdigest()
        assert nginx.get(item["url"]).body == content


def is_refused(item):
    assert (item["status"], item["error"]["status"]) == ("error", 415)


def test_shell(nginx, files):
    a, b, c = PICTURES
    lines = execute(["bash", "-c", program("sh", "curl"), "bash"], files, nginx, a, c).replace("}{", "}\n{").splitlines()
    first, second, listed = map(json.loads, lines)
    assert [item["status"] for item in first["items"]] == ["created", "created"]
    assert [item["status"] for item in second["items"]] == ["exists"]
    assert sorted(item["key"] for item in listed["items"]) == sorted(item["key"] for item in first["items"])


def test_curl_as_people_use_it(nginx, files):
    def curl(*arguments):
        return json.loads(execute(["curl", "-sS", *arguments, f"http://127.0.0.1:{nginx.port}/open"], files, nginx))

    def part(name, sign="@", rest=""):
        escaped = str(files / name).replace('"', '\\"')
        return "-F", f'photo={sign}"{escaped}"{rest}'

    check(nginx, curl(*(word for name in PICTURES for word in part(name)))["items"])
    for name in PICTURES:
        path = str(files / name)
        for arguments in (["--data-binary", f"@{path}", "-H", "Content-Type: image/png"],
                          ["-X", "PUT", "--data-binary", f"@{path}", "-H", "Content-Type:"],
                          ["-T", path], ["--http1.0", "-T", path], ["-H", "Transfer-Encoding: chunked", "-T", path],
                          [*part("notes.txt", "<"), *part(name, rest=";type=text/plain")],
                          ["-H", "Transfer-Encoding: chunked", *part(name)]):
            assert [item["status"] for item in curl(*arguments)["items"]] == ["exists"], arguments
    assert curl("--data-binary", f"@{files / 'a.jpg'}")["status"] == 415, "as a form that it is not"
    is_refused(curl(*part("notes.txt"))["items"][0])


def test_javascript_in_node(nginx, files, tmp_path):
    script = tmp_path / "upload.mjs"
    script.write_text(program("js", "FormData") + """
        import { File } from "node:buffer";
        import { readFileSync } from "node:fs";
        import { basename } from "node:path";
        const files = process.argv.slice(2).map((path) => new File([readFileSync(path)], basename(path)));
        console.log(JSON.stringify(await upload(files, process.env.UPLOAD, process.env.TOKEN)));
        await upload(files, process.env.UPLOAD, "wrong").catch((error) => console.log(JSON.stringify(error.message)));
    """)
    items, refusal = map(json.loads, execute(["node", script], files, nginx, *PICTURES, "notes.txt").splitlines())
    check(nginx, items[:-1])
    is_refused(items[-1])
    assert refusal


def test_python_requests(nginx, files, tmp_path):
    script = tmp_path / "upload.py"
    script.write_text(program("python", "requests") + """
import json, os, sys
address = os.environ["UPLOAD"], os.environ["TOKEN"]
print(json.dumps(upload(sys.argv[1:], *address)))
print(json.dumps([upload_large(path, *address) for path in sys.argv[1:-1]]))
try:
    upload(sys.argv[1:], address[0], "wrong")
except RuntimeError as error:
    print(json.dumps(str(error)))
""")
    formed, streamed, refusal = map(json.loads, execute(["/usr/bin/python3", "-W", "error", script], files, nginx, *PICTURES, "notes.txt").splitlines())
    check(nginx, formed[:-1])
    is_refused(formed[-1])
    check(nginx, streamed, "exists")
    assert refusal


def test_json(nginx, files):
    """What clients write that have a canvas or a string at hand."""
    def post(data):
        return json.loads(execute(["curl", "-sS", "-H", "Content-Type: application/json", "-d", json.dumps(data),
                                   f"http://127.0.0.1:{nginx.port}/open"], files, nginx))["items"]

    texts = [base64.b64encode(content).decode() for content in PICTURES.values()]
    check(nginx, post({"data": [{"image": text} for text in texts]}))
    check(nginx, post({"data": [{"image": f"data:image/png;base64,{text}"} for text in texts]}), "exists")
    assert post({"data": {"image": texts[0]}})[0]["status"] == "exists"
    items = post({"data": [{"image": texts[0]}, {"image": "not base 64"}, {"image": base64.b64encode(NOTES).decode()}]})
    assert [(item["status"], item.get("error", {}).get("status")) for item in items] == [("exists", None), ("error", 400), ("error", 415)]


def test_a_form_in_a_browser(nginx, files):
    page = "<!doctype html><meta charset=utf-8>" + program("html", "<form").replace("/upload", "/open")
    (nginx.www / "form.html").write_text(page)
    url = f"http://127.0.0.1:{nginx.port}/form.html"
    answer = node.browse("form.mjs", {"url": url, "files": [files / name for name in PICTURES]})
    assert answer["status"] == 201
    check(nginx, json.loads(answer["body"])["items"])
    nothing = node.browse("form.mjs", {"url": url, "files": []})
    assert (nothing["status"], "file" in json.loads(nothing["body"])["detail"]) == (400, True)


def test_uppy(nginx, files, tmp_path):
    source = tmp_path / "uploader.js"
    source.write_text(program("js", "Uppy"))
    node.bundle(source, nginx.www / "uploader.js")
    (nginx.www / "uppy.html").write_text("<!doctype html><meta charset=utf-8><title>Uppy</title>")
    given = [{"name": name, "type": "image/png", "base64": base64.b64encode(content).decode()}
             for name, content in {**PICTURES, "notes.txt": NOTES}.items()]
    seen = node.browse("uppy.mjs", {"url": f"http://127.0.0.1:{nginx.port}/uppy.html", "files": given, "token": TOKEN})
    check(nginx, [file["body"] for file in seen["successful"]])
    for file in seen["successful"]:
        assert (file["status"], file["uploadURL"].endswith(file["body"]["url"])) == (201, True)
    (failed,) = seen["failed"]
    assert failed["name"] == "notes.txt" and "picture" in failed["error"]
    assert seen["progress"] == 1
    assert seen["problems"] == []
