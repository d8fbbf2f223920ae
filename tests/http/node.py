"""What needs node: packages of npm, and scripts of the folder `node`, some of which drive a browser with them."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nginx_server import BUILD, SLOW

SCRIPTS = Path(__file__).resolve().parent / "node"
PREFIX = Path(os.environ.get("MEDIA_NPM", BUILD / "npm"))
PACKAGES = {"blurhash": "2", "playwright-core": "1", "esbuild": "0.28", "@uppy/core": "6", "@uppy/xhr-upload": "6"}
CHROMIUM = shutil.which("chromium")


@functools.lru_cache(None)
def _fetch():
    """Why the packages are not there, or nothing."""
    if all((PREFIX / "node_modules" / name).is_dir() for name in PACKAGES):
        return None
    if shutil.which("npm") is None:
        return "there is no npm"
    try:
        done = subprocess.run(["npm", "install", "--prefix", PREFIX, "--no-audit", "--no-fund", "--no-save", "--silent",
                               *(f"{name}@{version}" for name, version in PACKAGES.items())],
                              capture_output=True, text=True, timeout=150)
    except subprocess.TimeoutExpired:
        return "npm has not fetched its packages in time"
    return None if done.returncode == 0 else f"npm could not fetch its packages: {(done.stderr + done.stdout)[-500:]}"


def package(name):
    """Folder of a package; the test is skipped where npm cannot fetch it."""
    problem = _fetch()
    if problem:
        pytest.skip(problem)
    return PREFIX / "node_modules" / name


def run(script, *arguments, timeout=120):
    """Runs a script, a path or a name below `node`, which gets its arguments as JSON; what it prints, as JSON."""
    done = subprocess.run(["node", SCRIPTS / script, json.dumps(arguments, default=str)], capture_output=True, text=True,
                          timeout=timeout * SLOW, env={**os.environ, "SLOW": str(SLOW)})
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def browse(script, *arguments):
    """Runs a script with a browser: its first argument says how to get one."""
    return run(script, {"playwright": package("playwright-core") / "index.mjs", "chromium": CHROMIUM}, *arguments)


def bundle(source, target):
    """An ES module that imports packages, as one file that a browser takes."""
    subprocess.run([package("esbuild") / "bin" / "esbuild", source, "--bundle", "--format=esm", f"--outfile={target}",
                    "--log-level=warning"], check=True, timeout=60 * SLOW, env={**os.environ, "NODE_PATH": str(PREFIX / "node_modules")})
