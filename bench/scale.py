"""How cost grows: with clients and workers, with entries in the cache, with the size of originals. measure.py calls
this."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import charts
import harness
from harness import CORES, fetch, say

LONGEST_FILLING = 900  # seconds
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
MEGAPIXELS = (0.1, 0.3, 1.2, 6, 12, 24, 50, 100)


def scale(bench):
    if not bench.module:
        return
    hits, renders = crowds(bench)
    entries = zone(bench)
    sizes = originals(bench)
    charts.curves(bench.charts / "scale-clients.svg", [
        {"title": "hits", "x": "clients", "y": "requests/s", "series": series(hits, "rps"), "logarithmic": "x",
         "low": {"y": 0}},
        {"title": "hits", "x": "clients", "y": "CPU µs per request", "series": series(hits, "cpu", 1000),
         "logarithmic": "x", "low": {"y": 0}},
        {"title": "misses, 6 MP → 400 px", "x": "clients", "y": "requests/s", "series": series(renders, "rps"),
         "logarithmic": "x", "low": {"y": 0}}])
    charts.curves(bench.charts / "scale-entries.svg", [
        {"title": "any entry", "x": "entries in the cache", "y": "CPU µs per hit",
         "series": {"": [(row["entries"], row["cpu"] * 1000) for row in entries]}, "logarithmic": "x", "low": {"y": 0}},
        {"title": "any entry", "x": "entries in the cache", "y": "requests/s",
         "series": {"": [(row["entries"], row["rps"]) for row in entries]}, "logarithmic": "x", "low": {"y": 0}}])
    charts.curves(bench.charts / "scale-originals.svg", [
        {"title": "JPEG → 400 px", "x": "megapixels", "y": "CPU ms",
         "series": {"baseline": [(row["mp"], row["cpu"]) for row in sizes]}, "logarithmic": "xy"},
        {"title": "JPEG → 400 px", "x": "megapixels", "y": "peak RSS MB, all workers",
         "series": {"baseline": [(row["mp"], row["peak"]) for row in sizes]}, "logarithmic": "x", "low": {"y": 0}}])


def series(found, what, factor=1):
    return {f"{workers} worker{'s' if workers > 1 else ''}": [(clients, row[what] * factor)
                                                              for (at, clients), row in found.items() if at == workers]
            for workers in sorted({workers for workers, _ in found})}


def ask(bench, server, paths, seconds, **options):
    before = server.cpu()
    report = bench.load(server, paths, duration=seconds, **options).result()
    bench.check(report, paths[0])
    return {"cpu": (server.cpu() - before) / report["good"] * 1000, "rps": report["good"] / report["seconds"],
            "p50": report["p50"], "p99": report["p99"]}


def crowds(bench):
    """Clients × workers, for hits and for misses."""
    seconds = 0.5 if bench.quick else 1
    hits, renders = {}, {}
    location = f"""
        location /img/ {{ media_root {bench.scratch}/originals/; }}
        location /cached/ {{ media_root {bench.scratch}/originals/; media_cache media; }}
"""
    original = bench.originals[6][0].name
    for workers in range(1, CORES + 1):
        say(f"scale, {workers} workers")
        # Renders as many at once as there are workers.
        with harness.media_nginx(bench.scratch, bench.module, location, "media_threads 1 queue=64;", workers) as server:
            hit, miss = f"/cached/{original}?w=300", f"/img/{original}?w=400"
            fetch(server.port, hit)
            for clients in CLIENTS:
                hits[workers, clients] = ask(bench, server, [hit], seconds, connections=clients)
            for clients in CLIENTS:
                renders[workers, clients] = ask(bench, server, [miss], seconds, connections=clients)
    print("### Scale: clients and workers\n")
    print("A hit of one rendition, and misses of 6 MP → 400 px with one thread a worker. The clients run on the same cores.\n")
    print("| workers | clients | hits/s | CPU µs | p99 ms | misses/s | CPU ms | p99 ms |")
    print("|---|---|---|---|---|---|---|---|")
    for at, hit in hits.items():
        miss = renders[at]
        print(f"| {at[0]} | {at[1]} | {hit['rps']:,.0f} | {hit['cpu'] * 1000:.1f} | {hit['p99']:.2f} | "
              f"{miss['rps']:.1f} | {miss['cpu']:.1f} | {miss['p99']:.1f} |")
    print(flush=True)
    return hits, renders


def zone(bench):
    """Hits of any of so many small entries."""
    steps = (1_000, 10_000) if bench.quick else (1_000, 10_000, 100_000, 1_000_000)
    seconds = 0.5 if bench.quick else 2
    memory = pathlib.Path("/dev/shm")
    room = shutil.disk_usage(memory).free if os.access(memory, os.W_OK) else 0
    steps = [step for step in steps if step * 6000 < room]
    rows = []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="media-bench-", dir=memory if steps else None))
    try:
        folder.chmod(0o755)
        dot = folder / "dot.jpg"
        subprocess.run(["vips", "black", dot, "1", "1"], check=True)
        main = f"media_threads {CORES} queue=64; " f"media_cache_path {folder}/entries levels=2:2 keys_zone=many:200m max_size=16g inactive=1d;"
        location = f"location /dot/ {{ media_root {folder}/; media_cache many; }}"
        with harness.media_nginx(bench.scratch, bench.module, location, main) as server:
            path, made, pace = "/dot/dot.jpg?w=1&v={n}", 0, 1e9
            for step in steps:
                if (step - made) / pace > LONGEST_FILLING:
                    break
                say(f"scale, {step:,} entries")
                start = time.monotonic()
                options = {"from": made, "connections": 16, "requests": step - made, "grace": LONGEST_FILLING}
                bench.check(bench.load(server, [path], **options).result(), "filling")
                pace = (step - made) / (time.monotonic() - start)
                made = step
                rows.append({"entries": step, "rss": server.rss(),
                             **ask(bench, server, [path], seconds, connections=8, among=step)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("### Scale: entries in the cache\n")
    print("Hits that hop about among all entries, of a pixel each, in a file system in memory, 8 clients.\n")
    print("| entries | hits/s | CPU µs | p50 ms | p99 ms | RSS of the workers MB |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['entries']:,} | {row['rps']:,.0f} | {row['cpu'] * 1000:.1f} | {row['p50']:.2f} | {row['p99']:.2f} | "
              f"{row['rss']:.0f} |")
    print(flush=True)
    return rows


def originals(bench):
    """One photograph in many sizes."""
    folder = bench.scratch / "sizes"
    folder.mkdir(exist_ok=True)
    rows = []
    location = f"location /img/ {{ media_root {folder}/; }}"
    for megapixels in MEGAPIXELS[:-2] if bench.quick else MEGAPIXELS:
        file = folder / f"{megapixels}.jpg"
        if not file.exists():
            width = round((megapixels * 1e6 * 1.5) ** 0.5 / 8) * 8
            subprocess.run(["vips", "thumbnail", bench.originals[24][0], f"{file}[Q=89,strip]", str(width), "--height",
                            str(round(width * 2 / 3)), "--crop", "centre", "--size", "both"], check=True)
            file.chmod(0o644)
        say(f"scale, {megapixels} MP")
        limits = "media_timeout 60s; media_max_source_pixels 200m;"
        with harness.media_nginx(bench.scratch, bench.module, location, limits) as server:
            path = f"/img/{file.name}?w=400"
            fetch(server.port, path)
            row = ask(bench, server, [path], 1 if bench.quick else 1.5, connections=4)
            rows.append({"mp": megapixels, "bytes": file.stat().st_size, "peak": server.peak(), **row})
    print("### Scale: originals\n")
    print("JPEG → 400 px, 4 clients, cache off; above 24 MP the photograph is blown up.\n")
    print("| MP | MB | CPU ms | requests/s | p50 ms | peak RSS MB |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['mp']} | {row['bytes'] / 1e6:.2f} | {row['cpu']:.2f} | {row['rps']:.1f} | {row['p50']:.1f} | "
              f"{row['peak']:.0f} |")
    print(flush=True)
    return rows
