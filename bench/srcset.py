"""All sizes of one picture at once, as a browser's `srcset` or a page builder asks for them. measure.py calls it."""

import http.client
import json
import os
import statistics
import subprocess
import time

import harness
from harness import BENCH, Sharp, say

WIDTHS = (320, 480, 640, 800, 1024, 1280, 1600, 1920)
FORMATS = ("jpeg", "webp")
QUERIES = [f"w={width}&fm={form}" for width in WIDTHS for form in FORMATS]


def srcset(bench):
    """8 widths in 2 formats of one original: the CPU of the whole set."""
    rounds = 3 if bench.quick else 7
    rows = []
    for megapixels, file in originals(bench).items():
        found = {}
        for name, start, ask in contestants(bench):
            say(f"srcset, {megapixels} MP, {name}")
            with start() as server:
                sets = [ask(server, file) for _ in range(rounds + 1)][1:]
                found[name] = {key: statistics.median(one[key] for one in sets) for key in sets[0]}
                found[name]["peak"] = server.peak()
        if bench.sharp_home:
            for name, idiom in (("sharp, clone(), no server", "clone"), ("sharp, by way of 1920 px, no server", "raw")):
                found[name] = {"cpu": in_one_program(bench, idiom, file)}
        rows += [(megapixels, name, row, found.get("sharp, at once")) for name, row in found.items()]
    print(f"### One picture in {len(WIDTHS)} widths from {WIDTHS[0]} to {WIDTHS[-1]}, as JPEG and WebP: cache off\n")
    print(f"All {len(QUERIES)} are asked at once on as many connections kept alive, or one after another on one; CPU of the "
          f"whole set, medians of {rounds} sets.\n")
    print("| original | | CPU ms | ÷ sharp, at once | first ms | last ms | peak RSS MB |")
    print("|---|---|---|---|---|---|---|")
    for megapixels, name, row, peer in rows:
        ratio = f"{row['cpu'] / peer['cpu']:.2f}" if peer else "–"
        times = f"{row['first']:.0f} | {row['last']:.0f} | {row['peak']:.0f}" if "peak" in row else "– | – | –"
        shown = f"**{name}**" if name == "ngx_media, at once" else name
        print(f"| {megapixels} MP | {shown} | {row['cpu']:.0f} | {ratio} | {times} |")
    print(flush=True)


def originals(bench):
    """{megapixels: file}; 12 megapixels are those of 24, made smaller."""
    large = bench.originals[24][0]
    middle = large.parent / "12-0.jpg"
    if not middle.exists():
        subprocess.run(["vips", "thumbnail", large, f"{middle}[Q=89]", "4240", "--size", "down"], check=True)
    return {24: large, 12: middle, 6: bench.originals[6][-1]}


def contestants(bench):
    """(name, what starts it, how it is asked)"""
    found = []
    if bench.module:
        location = f"location /img/ {{ media_root {bench.scratch}/originals/; }}"

        def ours():
            return harness.media_nginx(bench.scratch, bench.module, location,
                                       f"media_threads {harness.CORES} queue=64;")

        found += [("ngx_media, at once", ours, at_once), ("ngx_media, one after another", ours, in_turn)]
    if bench.sharp_home:
        found.append(("sharp, at once", lambda: Sharp(bench.sharp_home, bench.scratch / "originals"), at_once))
    return found


def at_once(server, file):
    return ask(server, file, len(QUERIES))


def in_turn(server, file):
    return ask(server, file, 1)


def ask(server, file, width):
    """The whole set, `width` of it at a time: CPU, and when the first and the last answer are there, in ms."""
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=120) for _ in range(width)]
    for connection in connections:
        connection.connect()
    before, start, times = server.cpu(), time.monotonic(), []
    for at in range(0, len(QUERIES), width):
        asked = list(zip(connections, QUERIES[at:at + width]))
        for connection, query in asked:
            connection.request("GET", f"/img/{file.name}?{query}")
        for connection, query in asked:
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read():
                raise RuntimeError(f"{file.name}?{query}: {answer.status}")
            times.append((time.monotonic() - start) * 1000)
    for connection in connections:
        connection.close()
    return {"cpu": (server.cpu() - before) * 1000, "first": min(times), "last": max(times)}


def in_one_program(bench, idiom, file):
    """CPU of a set, in a program of one thread a picture that knows all sizes beforehand."""
    done = subprocess.run(["node", BENCH / "srcset.mjs", idiom, ",".join(map(str, WIDTHS)), file], check=True, text=True,
                          capture_output=True, env={**os.environ, **Sharp.environment(bench.sharp_home)}, timeout=120)
    return json.loads(done.stdout)["cpu"]
