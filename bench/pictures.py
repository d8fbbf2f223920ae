#!/usr/bin/python3 -B
"""Compares renditions of ngx_media and of sharp with what a careful resize makes of the same photographs.

usage: bench/pictures.py [--module FILE] [photographs]

  photographs     a folder of pictures; default: the nature of Debian's mate-backgrounds
  --module FILE   look at this module; default: build it in build/

The reference: the whole picture, decoded at full size, converted to sRGB, resized by Pillow's Lanczos filter. Nothing of it
is encoded. Prints the table of core/README.md: means over all photographs of SSIM (7 × 7 windows, RGB), PSNR and
bytes, at the same quality; and ours once more at the highest quality that fits into the bytes of sharp's file (max_bytes).
Ends with 1 where a mean SSIM of ours lies more than 0.01 below sharp's.
"""

import argparse
import concurrent.futures
import io
import pathlib
import statistics
import subprocess
import sys
import tempfile

import harness
from harness import Sharp, fetch, say

WIDTHS = (200, 800, 1600)
FORMATS = ("jpeg", "webp", "avif", "png")
SAME_BYTES = "ngx_media, in sharp's bytes"
CLOSE = 0.01
NEEDS = {"/usr/lib/python3/dist-packages/PIL": "python3-pil", "/usr/lib/python3/dist-packages/skimage": "python3-skimage"}


def decode(body, form):
    """Pixels of a rendition. AVIF goes through libvips, for Debian's Pillow has none."""
    import numpy
    from PIL import Image

    if form == "avif":
        with tempfile.TemporaryDirectory() as folder:
            avif, png = pathlib.Path(folder) / "a.avif", pathlib.Path(folder) / "a.png"
            avif.write_bytes(body)
            subprocess.run(["vips", "copy", avif, f"{png}[compression=1]"], check=True, capture_output=True)
            return numpy.asarray(Image.open(png).convert("RGB"))
    return numpy.asarray(Image.open(io.BytesIO(body)).convert("RGB"))


def upright_srgb(path):
    from PIL import Image, ImageCms, ImageOps

    picture = ImageOps.exif_transpose(Image.open(path))
    profile = picture.info.get("icc_profile")
    if profile:
        picture = ImageCms.profileToProfile(picture, ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                                            ImageCms.createProfile("sRGB"), outputMode="RGB")
    return picture.convert("RGB")


def reference(picture, width, height=None):
    """Its pixels at this size; in proportion where no height is given."""
    import numpy
    from PIL import Image

    height = height or int(picture.height * width / picture.width + 0.5)
    return numpy.asarray(picture.resize((width, height), Image.LANCZOS))


def compare(pixels, reference):
    """(SSIM, PSNR in dB)"""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    return (structural_similarity(reference, pixels, channel_axis=2, data_range=255),
            peak_signal_noise_ratio(reference, pixels, data_range=255))


def measure(path, ports):
    """{(width, format, who): (ssim, psnr, bytes)} of one photograph; nothing where it is narrower."""
    picture, found = upright_srgb(path), {}
    for width in WIDTHS:
        if picture.width <= width:
            continue  # nothing is resized
        wanted = reference(picture, width)
        for form in FORMATS:
            for who, port in ports.items():
                body = fetch(port, f"/img/{path.name}?w={width}&fm={form}")
                found[width, form, who] = (*compare(decode(body, form), wanted), len(body))
            if form != "png" and "sharp" in ports:
                limit = found[width, form, "sharp"][2]
                body = fetch(ports["ngx_media"], f"/img/{path.name}?w={width}&fm={form}&q=95&max_bytes={limit}")
                found[width, form, SAME_BYTES] = (*compare(decode(body, form), wanted), len(body))
    return found


def table(found):
    """Prints it; how far the mean SSIM of ours lies below sharp's at most."""
    print("| width | format | | SSIM | PSNR dB | bytes | SSIM less sharp's: mean, worst photograph |")
    print("|---|---|---|---|---|---|---|")
    behind = 0.0
    for width in WIDTHS:
        for form in FORMATS:
            of = {who: [one[width, form, who] for one in found if (width, form, who) in one]
                  for who in ("ngx_media", SAME_BYTES, "sharp")}
            for who, values in of.items():
                if not values:
                    continue
                ssim, psnr, size = (statistics.mean(value[i] for value in values) for i in range(3))
                beside = "–"
                if who != "sharp" and of["sharp"]:
                    differences = [ours[0] - theirs[0] for ours, theirs in zip(values, of["sharp"])]
                    beside = f"{statistics.mean(differences):+.4f}, {min(differences):+.4f}"
                    behind = max(behind, -statistics.mean(differences))
                shown = f"**{who}**" if who == "ngx_media" else who
                print(f"| {width} | {form} | {shown} | {ssim:.4f} | {psnr:.1f} | {size:,.0f} | {beside} |")
    return behind


def main():
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__.strip())
        return
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("photographs", nargs="?", default="/usr/share/backgrounds/mate/nature", type=pathlib.Path)
    parser.add_argument("--module")
    options = parser.parse_args()
    scratch = harness.scratch_folder()
    harness.install_missing(NEEDS)
    module = pathlib.Path(options.module).resolve() if options.module else harness.build_module()
    sharp = harness.install_sharp(scratch)
    files = [path for path, _ in harness.photographs(options.photographs)]
    folders = {path.parent for path in files}
    if len(folders) != 1:
        sys.exit(f"pictures: wants the photographs of one folder, not of {len(folders)}")
    (folder,) = folders
    location = f"location /img/ {{ media_root {folder.resolve()}/; }}"
    with harness.media_nginx(scratch, module, location, "media_timeout 60s;") as nginx:
        ports, servers = {"ngx_media": nginx.port}, [nginx]
        if sharp:
            servers.append(Sharp(sharp, folder.resolve()))
            ports["sharp"] = servers[-1].port
        try:
            with concurrent.futures.ProcessPoolExecutor(harness.CORES) as pool:
                found = []
                for path, one in zip(files, pool.map(measure, files, [ports] * len(files))):
                    say(path.name)
                    found.append(one)
        finally:
            for server in servers[1:]:
                server.stop()
    print(f"{harness.versions(sharp)}; {len(files)} photographs.\n")
    behind = table(found)
    if behind > CLOSE:
        sys.exit(f"pictures: {behind:.4f} of SSIM behind sharp")


if __name__ == "__main__":
    main()
