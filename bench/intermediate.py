#!/usr/bin/python3 -B
"""Measures whether it would pay to keep a smaller copy of large originals, to make renditions of later.

usage: bench/intermediate.py [--module FILE] [photographs]

  photographs     a folder of pictures; default: those of Debian's mate-backgrounds
  --module FILE   measure this module; default: build it in build/

The copy is a JPEG of 2048 pixels in quality 92, made by the module itself. Prints what the copy costs, what a rendition costs
made of the original and made of the copy (CPU of nginx, cache off, no two at a time), after how many renditions the copy has
paid for itself, and how near both come to the whole original resized by Pillow's Lanczos filter (SSIM; PNG, so that nothing
but the copy's own coding shows).
"""

import argparse
import http.client
import pathlib
import subprocess
import sys

import harness
import pictures
from harness import say

COPY = "w=2048&q=92&fm=jpeg"
WIDTHS = (200, 400, 800, 1600)
ROUNDS, REQUESTS = 5, 6


def originals(scratch, folder):
    """{label: file}: 24 and 12 megapixels, and 24 coded progressively."""
    (large,) = harness.make_originals(scratch, folder, (24,), 1)[24]
    made = {"24 MP": large, "12 MP": large.parent / "12-0.jpg", "24 MP, progressive": large.parent / "24-0-progressive.jpg"}
    if not made["12 MP"].exists():
        subprocess.run(["vips", "thumbnail", large, f"{made['12 MP']}[Q=89]", "4240", "--size", "down"], check=True)
    if not made["24 MP, progressive"].exists():
        subprocess.run(["vips", "jpegsave", large, made["24 MP, progressive"], "--Q", "89", "--interlace"], check=True)
    return made


class Asked:
    """One nginx, asked over one connection."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return body

    def cost(self, path):
        """CPU of one rendition in ms: the least of several rounds."""
        found = []
        for _ in range(ROUNDS):
            before = self.server.cpu()
            for _ in range(REQUESTS):
                self.get(path)
            found.append((self.server.cpu() - before) / REQUESTS * 1000)
        return min(found)


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
    files = originals(scratch, options.photographs)
    folder = next(iter(files.values())).parent
    copy = folder / "copy.jpg"
    print("| original | copy: CPU ms, KB | width | of the original: CPU ms | of the copy | paid for after | SSIM | of the copy |")
    print("|---|---|---|---|---|---|---|---|")
    with harness.media_nginx(scratch, module, f"location /img/ {{ media_root {folder}/; }}") as server:
        asked = Asked(server)
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
