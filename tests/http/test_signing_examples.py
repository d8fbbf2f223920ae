"""module/signing.md: its functions are taken from the page, run, and held against nginx and the signer."""

import base64
import hmac
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

import pictures

ROOT = Path(__file__).resolve().parents[2]
SIGNER = Path(os.environ.get("MEDIA_BUILD", ROOT / "build")) / "ngx-media-sign"
KEY = "00ff10" + "5c" * 17
PICTURE = pictures.encode(pictures.gradient(120, 90), "JPEG", quality=90)
NAMES = ("a.jpg", "a b.jpg", "50%.jpg", "%41.jpg", "a+b.jpg", "é漢.jpg", "it's (1)~!*.jpg", "back\\slash.jpg", "a&b=c;d.jpg")

# language -> (suffix, what runs after the function: one target a line in, one signed target a line out, command)
LANGUAGES = {
    "python": (".py", "import sys\nfor line in sys.stdin:\n    print(sign(line.rstrip('\\n'), sys.argv[1]))\n", ["/usr/bin/python3"]),
    "js": (".mjs", "import { readFileSync } from 'node:fs';\nfor (const line of readFileSync(0, 'utf8').split('\\n').filter(Boolean))\n"
                   "  console.log(sign(line, process.argv[2]));\n", ["node"]),
    "php": (".php", "while (($line = fgets(STDIN)) !== false) echo sign(rtrim($line, \"\\n\"), $argv[1]), \"\\n\";\n", ["php"]),
    "perl": (".pl", "while (<STDIN>) { chomp; print sign($_, $ARGV[0]), \"\\n\" }\n", ["perl"]),
    "sh": (".sh", "while IFS= read -r line; do sign \"$line\" \"$1\"; done\n", ["bash"]),
}

TARGETS = [
    "/img/a.jpg", "/img/a.jpg?", "/img/a.jpg?w=40", "/img/a.jpg?h=30&w=40", "/img/a.jpg?w=40&h=30&fit=cover", "/img/a.jpg?w=%34%30",
    "/img/%61.jpg?w=40", "/img/a%20b.jpg?w=40", "/img/50%25.jpg?w=40", "/img/%2541.jpg?w=40", "/img/a+b.jpg?w=40",
    "/img/a%2Bb.jpg?w=40", "/img/%C3%A9%E6%BC%A2.jpg?w=40", "/img/%c3%a9%e6%bc%a2.jpg?w=40", "/img/it's%20(1)~!*.jpg?w=40",
    "/img/it%27s%20%281%29%7E%21%2A.jpg?w=40", "/img/back%5Cslash.jpg?w=40", "/img/a&b=c;d.jpg?w=40",
    "/img/a.jpg?crop=0,0,50%25,50%25&w=9", "/img/a.jpg?crop=0%2C0%2C50%25%2C50%25&w=9", "/img/a.jpg?dl=x%20y%26z%3D%3F%23%2B.jpg",
    "/img/a.jpg?dl=a+b=c.jpg", "/img/a.jpg?dl=%C3%A9%E6%BC%A2-._~!'()*%3B:@$,.jpg&w=40", "/img/a.jpg?p=card&w=40&exp=@soon@",
    "/img/a.jpg?v=1.0_a-B&max_bytes=50k&w=40&q=70&wm=logo",
]


def fences(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "module/signing.md").read_text(), re.M | re.S)


def targets():
    return [target.replace("@soon@", "4000000000") for target in TARGETS]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs the page's function of a language over targets, with a key."""
    folder = tmp_path_factory.mktemp("signing")

    def run(language, given, key=KEY):
        (function,) = fences(language)
        suffix, driver, command = LANGUAGES[language]
        program = folder / f"sign{suffix}"
        program.write_text(function + driver)
        done = subprocess.run([*command, str(program), key], input="".join(f"{t}\n" for t in given), capture_output=True,
                              text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()
    return run


@pytest.fixture(scope="module")
def nginx(make_nginx):
    return make_nginx(
        files={**{name: PICTURE for name in NAMES}, "logo.png": pictures.encode(pictures.solid(20, 20, pictures.RED), "PNG")},
        http='media_preset card "h=20&fit=cover"; media_watermark logo @pics@/logo.png;',
        server=f"location /img/ {{ media_root @pics@/; media_signature key={KEY} required; }}")


def test_the_page_has_one_function_for_each_language():
    found = re.findall(r"^```(\w+)$", (ROOT / "module/signing.md").read_text(), re.M)
    assert sorted(found) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_sign_as_the_signer_does(run, language):
    wanted = subprocess.run([SIGNER, KEY, *targets()], capture_output=True, text=True, check=True).stdout.splitlines()
    assert run(language, targets()) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_keep_the_vectors_of_the_readme(run, language):
    text = (ROOT / "module/README.md").read_text()
    vectors = re.findall(r"^\| (\d+) bytes `(\w\w)` \| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", text, re.M)
    assert len(vectors) >= 3
    for count, byte, target, signed_text, signature in vectors:
        digest = hmac.new(bytes.fromhex(byte * int(count)), signed_text.encode(), "sha256").digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == signature
        assert run(language, [target], byte * int(count)) == [f"{target}&s={signature}"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nginx_takes_what_the_examples_sign(run, nginx, language):
    for signed in run(language, targets()):
        assert nginx.get(signed).status == 200, signed
    late = run(language, [f"/img/a.jpg?w=40&exp={int(time.time()) - 60}"])
    assert nginx.get(late[0]).status == 410


@pytest.mark.parametrize("language", LANGUAGES)
def test_nginx_refuses_what_is_altered_afterwards(run, nginx, language):
    signed, spaced, named = run(language, ["/img/a.jpg?w=40", "/img/a%20b.jpg?w=40", "/img/a.jpg?dl=a+b.jpg"])
    for altered in (signed.replace("w=40", "w=41"), signed + "&h=9", signed.replace("a.jpg", "a%20b.jpg"),
                    spaced.replace("%20", "+"), named.replace("a+b", "a%20b"), signed.replace("w=40&", ""),
                    signed.partition("&s=")[0]):
        assert nginx.get(altered).status == 403, altered


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_key_does_not_open(run, nginx, language):
    assert nginx.get(run(language, ["/img/a.jpg?w=40"], "ab" * 16)[0]).status == 403
