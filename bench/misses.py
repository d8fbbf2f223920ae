"""JPEG originals into renditions of several sizes, beside everyone who can. measure.py calls these."""

import json
import statistics
import subprocess

import charts
import harness
import peers
import pictures
from harness import CORES, EFFORT, QUALITY, Sharp, fetch, say

CLIENTS = 4
JOBS = [(24, 400, "jpeg"), (24, 800, "jpeg"), (24, 1600, "jpeg"), (24, 400, "webp"),
        (12, 400, "jpeg"), (12, 1600, "jpeg"), (12, 400, "webp"),
        (6, 400, "jpeg"), (6, 800, "jpeg"), (6, 1600, "jpeg"), (6, 400, "webp"),
        (1.2, 400, "jpeg"), (1.2, 800, "jpeg"), (1.2, 400, "webp")]
FLOORS = ("floor", "floor, vector code")
ORDER = (*FLOORS, "ngx_media", "sharp", "ipx", "Pillow", "image_filter")


def label(job):
    return "{} MP → {} {}".format(*job)


def misses(bench):
    seconds, rounds = (0.6, 1) if bench.quick else (1.2, 1)
    results = {}
    for turn in range(rounds):
        for number, job in enumerate(JOBS):
            say(f"misses, round {turn + 1}/{rounds}, {number + 1}/{len(JOBS)}")
            for name, measure in contestants(bench, job).items():
                results.setdefault((job, name), []).append(measure(seconds))
    rows = {key: {what: statistics.median(one[what] for one in found) for what in found[0]}
            for key, found in results.items()}
    sizes = {mp: sum(f.stat().st_size for f in files) / len(files) / 1e6 for mp, files in bench.originals.items()}
    print(f"### Misses: cache off, {CLIENTS} clients, quality {QUALITY['jpeg']}, WebP effort {EFFORT['webp']}\n")
    print("Originals: " + ", ".join(f"{mp} MP ({len(bench.originals[mp])} × {size:.1f} MB)" for mp, size in sizes.items())
          + ". Ours ÷ this: CPU of ngx_media over that of the row. Floor: libvips' thumbnail and save in a bare loop, one "
            "process a core, no server; without and with libvips' vector code, which threads cannot use here. p99 of few "
            "requests is their slowest. SSIM against the original decoded at full size and resized by Pillow's Lanczos.\n")
    print("| rendition | | CPU ms | ours ÷ this | requests/s | p50 ms | p99 ms | peak RSS MB | bytes | SSIM |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for job in JOBS:
        ours = rows.get((job, "ngx_media"))
        for name in ORDER:
            row = rows.get((job, name))
            if not row:
                continue
            ratio = f"{ours['cpu'] / row['cpu']:.2f}" if ours else "–"
            latency = "– | –" if name in FLOORS else f"{row['p50']:.1f} | {row['p99']:.1f}"
            ssim = f"{row['ssim']:.4f}" if row.get("ssim") else "–"
            shown = f"**{name}**" if name == "ngx_media" else name
            print(f"| {label(job)} | {shown} | {row['cpu']:.1f} | {ratio} | {row['rps']:.1f} | {latency} | "
                  f"{row['peak']:.0f} | {row['bytes']:,.0f} | {ssim} |")
    print(flush=True)
    if rows and bench.charts:
        shown = [name for name in ORDER if any((job, name) in rows for job in JOBS)]
        charts.bars(bench.charts / "misses.svg", "CPU of a miss", "CPU ms per rendition", [label(job) for job in JOBS],
                    {name: [rows.get((job, name), {}).get("cpu") for job in JOBS] for name in shown})


def starters(bench, form):
    """name -> what starts the server, for all who can write the format."""
    folder = bench.scratch / "originals"
    found = {}
    if bench.module:
        location = f"location /img/ {{ media_root {folder}/; }}"
        found["ngx_media"] = lambda: bench.media(location, f"media_threads {CORES} queue=64;")
    if bench.sharp_home:
        found["sharp"] = lambda: Sharp(bench.sharp_home, folder)
    if bench.ipx_home:
        found["ipx"] = lambda: peers.Ipx(bench.ipx_home, folder)
    found["Pillow"] = lambda: peers.Pillow(folder)
    if form == "jpeg":
        found["image_filter"] = bench.image_filter
    return found


def contestants(bench, job):
    """name -> what measures it for so many seconds."""
    mp, width, form = job
    files = bench.originals[mp]
    paths = [f"/img/{file.name}?w={width}&fm={form}" for file in files]
    found = {name: lambda seconds, vectors=vectors: floor(bench, files, width, form, seconds, vectors)
             for vectors, name in enumerate(FLOORS)}
    for name, start in starters(bench, form).items():
        found[name] = lambda seconds, start=start: miss(bench, start, paths, seconds,
                                                        lambda server: likeness(bench, server, paths[0], files[0], form))
    return found


def likeness(bench, server, path, original, form):
    """SSIM of a rendition; of a pixel more or less, as some round heights, against such a one."""
    pixels = pictures.decode(fetch(server.port, path), form)
    return pictures.compare(pixels, bench.reference(original, pixels.shape[1], pixels.shape[0]))[0]


def floor(bench, files, width, form, seconds, vectors):
    command = [bench.floor_program, "--seconds", str(seconds), "--width", str(width), "--format", form,
               "--quality", str(QUALITY[form]), "--effort", str(EFFORT["webp"]), "--vectors", str(vectors), *files]
    loops = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(CORES)]
    found = [json.loads(loop.communicate(timeout=120)[0]) for loop in loops]
    return {"cpu": sum(f["cpu"] for f in found) / sum(f["count"] for f in found) * 1000,
            "rps": sum(f["count"] / f["seconds"] for f in found),
            "peak": sum(f["peak_kb"] for f in found) / 1024, "bytes": found[0]["bytes"]}


def miss(bench, start, paths, seconds, judge=None, clients=CLIENTS):
    """What a fresh server does with these for so long."""
    with start() as server:
        ssim = judge(server) if judge else 0
        bench.load(server, paths, connections=clients, requests=2 * len(paths)).result()
        before = server.cpu()
        report = bench.load(server, paths, connections=clients, duration=seconds).result()
        bench.check(report, paths[0])
        return {"cpu": (server.cpu() - before) / report["good"] * 1000,
                "rps": report["good"] / report["seconds"], "p50": report["p50"], "p99": report["p99"],
                "peak": server.peak(), "bytes": report["bytes"] / report["good"], "ssim": ssim}


def crowd(bench):
    """Memory of all processes while 16 clients ask for renditions of 12 megapixels."""
    seconds, clients = (2, 16) if bench.quick else (4, 16)
    paths = [f"/img/{file.name}?w={width}" for file in bench.originals[12] for width in (400, 1600)]
    print(f"### Memory: {clients} clients, 12 MP → 400 and 1600 jpeg, cache off\n")
    print("| | peak RSS MB, all processes | requests/s | p50 ms | p99 ms |")
    print("|---|---|---|---|---|")
    for name, start in starters(bench, "jpeg").items():
        say(f"crowd, {name}")
        row = miss(bench, start, paths, seconds, clients=clients)
        shown = f"**{name}**" if name == "ngx_media" else name
        print(f"| {shown} | {row['peak']:.0f} | {row['rps']:.1f} | {row['p50']:.1f} | {row['p99']:.1f} |")
    if bench.module:
        print()
        alone(bench)
    print(flush=True)


def alone(bench):
    """What one rendition adds to the memory of one idle worker."""
    location = f"location /img/ {{ media_root {bench.scratch}/originals/; }}"
    large, small = bench.originals[24][0], bench.originals[1.2][0]
    print("| one worker, one thread | peak RSS MiB | above idle |")
    print("|---|---|---|")
    for width in (400, 800, 1600):
        with harness.media_nginx(bench.scratch, bench.module, location, "media_threads 1;", workers=1) as server:
            fetch(server.port, f"/img/{small.name}?w=16")  # what is loaded and allocated once
            idle = server.peak()
            fetch(server.port, f"/img/{large.name}?w={width}")
            print(f"| 24 MP → {width} jpeg | {server.peak():.1f} | {server.peak() - idle:.1f} |")
