"""Building against another nginx tree: what would not load, or would load and misread, is refused."""

import re
import shutil
import subprocess

import pytest

from nginx_server import REPOSITORY, SLOW

DEBIAN = "/usr/share/nginx/src"


def configure(tmp_path, tree):
    done = subprocess.run(["cmake", "-S", REPOSITORY, "-B", tmp_path / "build", "-G", "Ninja", "-DMEDIA_TESTS=OFF", f"-DNGINX_SRC={tree}"],
                          capture_output=True, text=True, timeout=120 * SLOW)
    return done.returncode, re.sub(r"\s+", " ", done.stderr)


@pytest.fixture
def tree(tmp_path):
    """What of Debian's tree is looked at, to be changed; as if it were configured."""
    folder = tmp_path / "nginx"
    (folder / "objs").mkdir(parents=True)
    (folder / "objs/ngx_auto_config.h").write_text("#define NGX_THREADS 1\n")
    (folder / "src/core").mkdir(parents=True)
    for name in ("nginx.h", "ngx_connection.h"):
        shutil.copy(f"{DEBIAN}/src/core/{name}", folder / "src/core")
    return folder


def change(path, pattern, by):
    text, count = re.subn(pattern, by, path.read_text())
    assert count > 0
    path.write_text(text)


def test_a_tree_that_fits(tmp_path, tree):
    assert configure(tmp_path, tree)[0] == 0


def test_another_version(tmp_path, tree):
    change(tree / "src/core/nginx.h", r'(define NGINX_VERSION +)"[^"]+"', r'\1"1.99.1"')
    code, said = configure(tmp_path, tree)
    assert code != 0 and "is 1.99.1: a module built from it would not load" in said


def test_a_tree_without_debians_field(tmp_path, tree):
    """It has the version and the signature, and fields in other places."""
    change(tree / "src/core/ngx_connection.h", r"unsigned +pipeline:1;", "")
    code, said = configure(tmp_path, tree)
    assert code != 0 and "would load and misread connections" in said


def test_no_tree(tmp_path):
    code, said = configure(tmp_path, tmp_path)
    assert code != 0 and f"no nginx tree in {tmp_path}" in said
