"""Small misses beside large AVIF jobs that queue, and what the large ones get done meanwhile.

The queue of an older build is measured with `bench/run --module OLD.so --only fairness`: nothing in the module switches it.
"""

import time

from harness import CORES, say

RATE = 25
LARGE_CLIENTS = 12
WIDTH = 2400


def fairness(bench):
    seconds = 6 if bench.quick else 20
    locations = f"location /img/ {{ media_root {bench.scratch}/originals/; }}"
    small = [f"/img/{file.name}?w=400&fm=jpeg&v={{n}}" for file in bench.originals[1.2]]
    large = [f"/img/{file.name}?w={WIDTH}&fm=avif&v={{n}}" for file in bench.originals[24]]
    rows = []
    for label, with_small, with_large in (("1 MP alone", True, False), ("24 MP alone", False, True),
                                          ("both", True, True)):
        say(f"fairness, {label}")
        with bench.media(locations, f"media_threads {CORES} queue=64;\nmedia_timeout 60s;") as server:
            heavy = cheap = None
            before = server.cpu()
            if with_large:
                heavy = bench.load(server, large, connections=LARGE_CLIENTS, duration=seconds, grace=120)
                time.sleep(1)  # until they queue
            if with_small:
                cheap = bench.load(server, small, connections=512, rate=RATE, duration=seconds - 1.5, grace=120)
            reports = [load and load.result() for load in (cheap, heavy)]
            cpu = server.cpu() - before
        rows.append((label, *reports, cpu))
    print(f"### Fairness: {RATE} misses/s of 1 MP → 400 jpeg beside 24 MP → {WIDTH} avif on {LARGE_CLIENTS} connections\n")
    print(f"Cache off, {CORES} workers with `media_threads {CORES}` each, {seconds} s. Latency of the small ones counts from the "
          "moment each was due.\n")
    print("| | 1 MP: p50 / p99 / max ms | answered | 24 MP: done/s | p50 / max ms | CPU s |")
    print("|---|---|---|---|---|---|")
    for label, cheap, heavy, cpu in rows:
        one = (f"{cheap['p50']:.1f} / {cheap['p99']:.1f} / {cheap['max']:.1f} | {cheap['good']} of {cheap['requests']}"
               if cheap else "– | –")
        two = (f"{heavy['good'] / heavy['seconds']:.2f} | {heavy['p50']:.0f} / {heavy['max']:.0f}" if heavy else "– | –")
        print(f"| {label} | {one} | {two} | {cpu:.1f} |")
    print(flush=True)
