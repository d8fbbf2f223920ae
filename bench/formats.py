"""Misses of other kinds than JPEG to JPEG: formats, watermarks, animations. measure.py calls these."""

import subprocess

import harness
import misses
from harness import EFFORT, MARK, QUALITY, Sharp, say

GIF_SIZE, GIF_FRAMES = (480, 320), 24
OWN_EFFORT = "sharp, its default effort"


class Job:
    """One kind of rendition: what is asked of whom. `image_filter` tells whether that can do it."""

    def __init__(self, label, file, query, form, image_filter=False):
        self.label, self.file, self.query, self.form, self.image_filter = label, file, query, form, image_filter
        self.animated = file.endswith(".gif")


def originals(bench):
    """A photograph of 2 megapixels as PNG and as WebP, and a pan over one as animated GIF."""
    folder = bench.scratch / "kinds"
    folder.mkdir(exist_ok=True)
    photograph = bench.originals[6][0]
    for name in ("photo.png", "photo.webp[Q=90]"):
        subprocess.run(["vips", "thumbnail", photograph, folder / name, "1728", "--size", "both"], check=True)
    (folder / "photo.jpg").write_bytes(photograph.read_bytes())
    pan(photograph, folder)
    return folder


def pan(photograph, folder):
    """pan.gif: a window that moves over the photograph. Its frames are cut out and joined as bare pixels."""
    width, height = GIF_SIZE
    wide = 2 * width
    pixels, roll = folder / "pixels.raw", folder / "roll.v"
    subprocess.run(["vips", "thumbnail", photograph, pixels, str(wide), "--size", "both"], check=True)
    rows = pixels.read_bytes()
    with pixels.open("wb") as out:
        for frame in range(GIF_FRAMES):
            left = frame * width // GIF_FRAMES
            for row in range(frame * 4, frame * 4 + height):
                out.write(rows[(row * wide + left) * 3:(row * wide + left + width) * 3])
    subprocess.run(["vips", "rawload", pixels, roll, str(width), str(height * GIF_FRAMES), "3"], check=True)
    subprocess.run(["vips", "gifsave", roll, folder / "pan.gif", "--page-height", str(height)], check=True)
    pixels.unlink()
    roll.unlink()


def formats(bench):
    """Every output format beside the neighbours that have it."""
    measure(bench, "Formats: cache off, "
            + ", ".join(f"{form} quality {value}" for form, value in QUALITY.items())
            + ", effort " + ", ".join(f"{form} {value}" for form, value in EFFORT.items()) + ", PNG level 6", [
                Job("2 MP PNG → 400 png", "photo.png", "w=400", "png", image_filter=True),
                Job("2 MP PNG → 800 png", "photo.png", "w=800", "png", image_filter=True),
                Job("2 MP WebP → 800 webp", "photo.webp", "w=800", "webp", image_filter=True),
                Job("6 MP JPEG → 800 webp", "photo.jpg", "w=800", "webp"),
                Job("6 MP JPEG → 400 avif", "photo.jpg", "w=400", "avif"),
                Job("6 MP JPEG → 800 avif", "photo.jpg", "w=800", "avif")])


def watermarks(bench):
    """A logo of a fifth of the width in the lower right corner; image_filter has nothing of the kind."""
    measure(bench, "Watermarks: cache off, a PNG logo of 20 % of the width",
            [Job("6 MP JPEG → 800 jpeg, marked", "photo.jpg", "w=800&wm=logo", "jpeg"),
             Job("6 MP JPEG → 800 webp, marked", "photo.jpg", "w=800&wm=logo", "webp")])


def animation(bench):
    """All frames resized; image_filter keeps only the first."""
    width, height = GIF_SIZE
    measure(bench, f"Animation: cache off, GIF of {GIF_FRAMES} frames of {width} × {height}",
            [Job("animated GIF → 240 webp", "pan.gif", "w=240", "webp"),
             Job("animated GIF → 240 gif", "pan.gif", "w=240", "gif")])


def measure(bench, title, jobs):
    """Runs the jobs against everyone who can, and prints a table."""
    folder = originals(bench)
    seconds = 0.6 if bench.quick else 1.5
    results = {}
    for number, job in enumerate(jobs):
        say(f"{title.partition(':')[0].lower()}, {number + 1}/{len(jobs)}")
        for name, start in servers(bench, folder, job).items():
            path = f"/img/{job.file}?{job.query}&fm={job.form}"
            judge = None if job.animated else lambda server: misses.likeness(bench, server, path, folder / job.file, job.form)
            results[job.label, name] = misses.miss(bench, start, [path], seconds, judge)
    print(f"### {title}\n")
    print("| rendition | | CPU ms | ours ÷ this | requests/s | p50 ms | p99 ms | peak RSS MB | bytes | SSIM |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for job in jobs:
        ours = results.get((job.label, "ngx_media"))
        for name in ("ngx_media", "image_filter", "sharp", OWN_EFFORT):
            row = results.get((job.label, name))
            if not row:
                continue
            ratio = f"{ours['cpu'] / row['cpu']:.2f}" if ours else "–"
            shown = f"**{name}**" if name == "ngx_media" else name
            print(f"| {job.label} | {shown} | {row['cpu']:.1f} | {ratio} | {row['rps']:.1f} | {row['p50']:.1f} | "
                  f"{row['p99']:.1f} | {row['peak']:.0f} | {row['bytes']:,.0f} | "
                  + (f"{row['ssim']:.4f} |" if row["ssim"] else "– |"))
    print(flush=True)


def servers(bench, folder, job):
    """name -> what starts it, for all who can do the job."""
    found = {}
    if bench.module:
        location = f"location /img/ {{ media_root {folder}/; }}"
        mark = f"media_watermark logo {MARK} position=se size=20% margin=2%;"
        found["ngx_media"] = lambda: harness.media_nginx(bench.scratch, bench.module, location, mark)
    if job.image_filter:
        found["image_filter"] = lambda: bench.image_filter(folder=folder.name)
    if bench.sharp_home:
        found["sharp"] = lambda: Sharp(bench.sharp_home, folder)
        if job.form == "avif":
            found[OWN_EFFORT] = lambda: Sharp(bench.sharp_home, folder, own_effort=True)
    return found
