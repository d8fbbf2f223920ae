#!/usr/bin/python3 -B
"""Draws core/smart-crop.jpg: photographs, and what fit=cover keeps of them.

usage: bench/contact_sheet.py [--module FILE] [--out FILE] FOLDER NAME=FX,FY...

  FOLDER         a folder of photographs
  NAME=FX,FY     a file in it, and the point that g=fp is given
  --module FILE  render with this module; default: build it in build/
  --out FILE     default: core/smart-crop.jpg

A column for each photograph: the whole picture, then a square and a wide box for each of g=center, attention, entropy and
fp. Every cell is an answer of a real nginx.
"""

import argparse
import io
import pathlib
import sys

import harness
from harness import fetch, say

BOXES = ((110, 110), (275, 110))
GRAVITIES = ("center", "attention", "entropy", "fp")
NEEDS = {"/usr/lib/python3/dist-packages/PIL": "python3-pil", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu-core"}
GAP, LABELS = 8, 80
WHOLE = (sum(width for width, _ in BOXES) + GAP, 260)


def main():
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__.strip())
        return
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--module")
    parser.add_argument("--out", default=harness.ROOT / "core" / "smart-crop.jpg")
    options = parser.parse_args()
    harness.install_missing(NEEDS)
    module = pathlib.Path(options.module).resolve() if options.module else harness.build_module()
    location = f"location /img/ {{ media_root {options.folder.resolve()}/; }}"
    with harness.media_nginx(harness.scratch_folder(), module, location) as nginx:
        sheet = draw(nginx, [name.rpartition("=")[::2] for name in options.names])
    sheet.save(options.out, quality=82, optimize=True, progressive=True)
    say(f"{options.out}: {sheet.width} × {sheet.height}, {pathlib.Path(options.out).stat().st_size:,} bytes")


def draw(nginx, photographs):
    """The sheet. Columns stand a little further apart than the two boxes of one."""
    from PIL import Image, ImageDraw, ImageFont

    def render(query):
        return Image.open(io.BytesIO(fetch(nginx.port, f"/img/{query}&fm=png"))).convert("RGB")

    font = ImageFont.truetype("DejaVuSans.ttf", 15)
    height = BOXES[0][1] + GAP
    column = WHOLE[0] + 2 * GAP
    sheet = Image.new("RGB", (LABELS + len(photographs) * column, WHOLE[1] + 2 * GAP + len(GRAVITIES) * height), "white")
    pen = ImageDraw.Draw(sheet)
    for row, gravity in enumerate(GRAVITIES):
        middle = WHOLE[1] + 2 * GAP + row * height + BOXES[0][1] // 2
        pen.text((LABELS - GAP, middle), gravity, "black", font, anchor="rm")
    for number, (name, point) in enumerate(photographs):
        say(name)
        left = LABELS + number * column
        whole = render(f"{name}?w={WHOLE[0]}&h={WHOLE[1]}")
        sheet.paste(whole, (left, GAP + WHOLE[1] - whole.height))
        fx, _, fy = point.partition(",")
        for row, gravity in enumerate(GRAVITIES):
            x = left
            for width, tall in BOXES:
                focus = f"&fx={fx}&fy={fy}" if gravity == "fp" else ""
                cell = render(f"{name}?w={width}&h={tall}&fit=cover&g={gravity}{focus}")
                sheet.paste(cell, (x, WHOLE[1] + 2 * GAP + row * height))
                x += width + GAP
    return sheet


if __name__ == "__main__":
    main()
