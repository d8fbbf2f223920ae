#!/usr/bin/python3 -B
"""Measures which copies of originals it pays to keep, to make renditions of later.

usage: bench/intermediate.py [--module FILE] [photographs]

  photographs     a folder of pictures; default: those of Debian's mate-backgrounds
  --module FILE   measure this module; default: build it in build/

Of progressive originals, a copy in one scan, as media_copy_progressive keeps it. Prints what the copy costs, what a rendition
costs made of the original and made of the copy (CPU of nginx, no two at a time), and after how many renditions the copy has
paid for itself.

Of baseline ones, a JPEG of 2048 pixels in quality 92, made by the module itself: the same, and how near both come to the
whole original resized by Pillow's Lanczos filter (SSIM; PNG, so that nothing but the copy's own coding shows).
"""

import argparse
import http.client
import itertools
import pathlib
import subprocess
import sys
import time

import harness
import pictures
from harness import say

COPY = "w=2048&q=92&fm=jpeg"
WIDTHS = (200, 400, 800, 1600)
ROUNDS, REQUESTS = 5, 6
PROGRESSIVE = {"24 MP": 6000, "12 MP": 4240, "6 MP": 3000, "2 MP": 1730, "1 MP": 1225}


def originals(scratch, folder):
    """{label: file} of 24 and 12 megapixels, and the same of progressive ones from 24 to 1."""
    (large,) = harness.make_originals(scratch, folder, (24,), 1)[24]
    made = {"24 MP": large, "12 MP": large.parent / "12-0.jpg"}
    if not made["12 MP"].exists():
        subprocess.run(["vips", "thumbnail", large, f"{made['12 MP']}[Q=89]", "4240", "--size", "down"], check=True)
    progressive = {}
    for label, width in PROGRESSIVE.items():
        file = progressive[label] = large.parent / f"progressive-{width}.jpg"
        if not file.exists():
            subprocess.run(["vips", "thumbnail", large, f"{file}[Q=89,interlace]", str(width), "--size", "down"], check=True)
    return made, progressive


class Asked:
    """One nginx, asked over one connection."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def ask(self, path):
        """The body, and what is said of a copy."""
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return body, answer.headers.get("X-Copy")

    def get(self, path):
        return self.ask(path)[0]

    def cost(self, path):
        """CPU of one rendition in ms: the least of several rounds."""
        return self.cost_of_each(itertools.repeat(path))

    def cost_of_each(self, paths):
        found = []
        for _ in range(ROUNDS):
            before = self.server.cpu()
            for _ in range(REQUESTS):
                self.get(next(paths))
            found.append((self.server.cpu() - before) / REQUESTS * 1000)
        return min(found)

    def until_idle(self):
        """CPU in ms that is used until nothing has been for a while."""
        before = last = self.server.cpu()
        quiet = 0
        while quiet < 5:
            time.sleep(0.1)
            now = self.server.cpu()
            quiet, last = (quiet + 1, now) if now == last else (0, now)
        return (last - before) * 1000


def misses(folder, name, width):
    """Paths of ever new renditions of one size."""
    return (f"/{folder}/{name}?w={width}&q={quality}" for quality in itertools.count(60))


def in_one_scan(server, files):
    """The table of progressive originals."""
    asked = Asked(server)
    print("| original, KB | copy: CPU ms, KB | width | of the original: CPU ms | of the copy | paid for after |")
    print("|---|---|---|---|---|---|")
    for label, file in files.items():
        say(f"{label}, progressive")
        told = [asked.ask(f"/kept/{file.name}?w={width}")[1] for width in (301, 302)]
        if told != [None, "queued"]:
            raise RuntimeError(f"{file.name}: no copy of it is made: {told}")
        made = asked.until_idle()
        if asked.ask(f"/kept/{file.name}?w=303")[1] != "used":
            raise RuntimeError(f"{file.name}: no copy of it was made")
        copy = next(each for each in (server.folder / "cache").rglob("*")
                    if each.is_file() and f"/kept/{file.name}?in one scan#".encode() in each.read_bytes()[:2000])
        for width in WIDTHS:
            original, of_copy = (asked.cost_of_each(misses(folder, file.name, width)) for folder in ("img", "kept"))
            saved = original - of_copy
            print(f"| {label}, {file.stat().st_size // 1024} | {made:.0f}, {copy.stat().st_size // 1024} | {width} | {original:.1f} | "
                  f"{of_copy:.1f} | {f'{made / saved:.1f}' if saved > 0 else 'never'} |", flush=True)
    print()


def main():
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__.strip())
        return
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("photographs", nargs="?", default="/usr/share/backgrounds/mate")
    parser.add_argument("--module")
    options = parser.parse_args()
    scratch = harness.scratch_folder()
    harness.install_missing(pictures.NEEDS)
    import numpy
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    module = pathlib.Path(options.module).resolve() if options.module else harness.build_module()
    files, progressive = originals(scratch, options.photographs)
    folder = next(iter(files.values())).parent
    copy = folder / "copy.jpg"
    locations = f"""
        add_header X-Copy $media_copy;
        location /img/ {{ media_root {folder}/; }}
        location /kept/ {{ media_root {folder}/; media_cache media; }}"""
    with harness.media_nginx(scratch, module, locations) as server:
        in_one_scan(server, progressive)
        asked = Asked(server)
        print("| original | copy: CPU ms, KB | width | of the original: CPU ms | of the copy | paid for after | SSIM | of the copy |")
        print("|---|---|---|---|---|---|---|---|")
        for label, file in files.items():
            say(label)
            whole = pictures.upright_srgb(file)
            made = asked.cost(f"/img/{file.name}?{COPY}")
            copy.write_bytes(asked.get(f"/img/{file.name}?{COPY}"))
            for width in WIDTHS:
                costs = [asked.cost(f"/img/{name}?w={width}") for name in (file.name, copy.name)]
                seen = [pictures.decode(asked.get(f"/img/{name}?w={width}&fm=png"), "png") for name in (file.name, copy.name)]
                reference = numpy.asarray(whole.resize(seen[0].shape[1::-1], Image.LANCZOS))
                # The copy's sides are whole pixels too: what is made of it may be a line higher or lower.
                shown = " | ".join(f"{pictures.compare(one, reference)[0]:.4f}" if one.shape == reference.shape
                                   else f"{one.shape[1]} x {one.shape[0]}" for one in seen)
                saved = costs[0] - costs[1]
                print(f"| {label} | {made:.0f}, {copy.stat().st_size / 1024:.0f} | {width} | {costs[0]:.1f} | {costs[1]:.1f} | "
                      f"{f'{made / saved:.1f}' if saved > 0 else 'never'} | {shown} |", flush=True)
    copy.unlink()


if __name__ == "__main__":
    main()
