"""Measures ngx_media beside its neighbours and prints the tables of bench/README.md.

usage: bench/run [--quick] [--module FILE] [--peers] [--only NAMES] [--keep] [photographs]

  photographs     a folder of pictures; default: those of Debian's mate-backgrounds
  --quick         about six minutes, coarser
  --module FILE   measure this module; default: build it in build/
  --peers         only the neighbours, without the module
  --only NAMES    some of hits,counts,misses,crowd,formats,watermarks,animation,srcset,
                  shared,latency,fairness,reloads,memory,scale,knee
  --keep          put the tables into bench/README.md, below "One run", in place of those there

Progress goes to stderr, the tables to stdout.
"""

import argparse
import pathlib
import random
import signal
import statistics
import sys
import time

import counts
import fairness
import formats
import harness
import knee
import misses
import peers
import pictures
import scale
import shared
import srcset
from harness import CORES, MARK, QUALITY, Load, Nginx, fetch, say

IMAGE_FILTER = "/usr/lib/nginx/modules/ngx_http_image_filter_module.so"
CLIENTS = 4
SMALL_FILE = 1024


class Bench:
    def __init__(self, options):
        self.quick = options.quick
        self.scratch = harness.scratch_folder()
        harness.install_missing()
        self.load_program = harness.build_tool(self.scratch, "load")
        self.floor_program = harness.build_tool(self.scratch, "vips_floor", "vips")
        self.module = None
        if not options.peers:
            self.module = pathlib.Path(options.module).resolve() if options.module else harness.build_module()
        self.sharp_home = harness.install_sharp(self.scratch)
        self.ipx_home = peers.install_ipx(self.scratch)
        self.charts = harness.BENCH / "charts" if options.keep else self.scratch / "charts"
        self.references = {}
        say("preparing originals")
        self.originals = harness.make_originals(self.scratch, options.photographs)
        self.small = harness.make_small_originals(self.scratch, options.photographs)
        self.static = self.scratch / "static"
        self.static.mkdir(exist_ok=True)
        (self.static / "small.txt").write_bytes(b"x" * (SMALL_FILE - 1) + b"\n")

    # ---- configurations ----

    def media(self, locations, main=""):
        """nginx with the module."""
        return harness.media_nginx(self.scratch, self.module, locations, main)

    def image_filter(self, locations="", main="", folder="originals"):
        """nginx with its own image filter."""
        return Nginx(self.scratch, modules=[IMAGE_FILTER], http=f"""
    {main}
    server {{
        listen 127.0.0.1:@PORT@ backlog=1024;
        location /img/ {{
            alias {self.scratch}/{folder}/;
            image_filter resize $arg_w -;
            image_filter_jpeg_quality {QUALITY["jpeg"]};
            image_filter_webp_quality {QUALITY["webp"]};
            image_filter_buffer 128m;
        }}
        {locations}
    }}
""")

    @staticmethod
    def check(report, what):
        check(report, what)

    def load(self, server, paths, **options):
        return Load(self.load_program, server.port, paths, **options)

    # ---- hits ----

    def hits(self):
        """A finished rendition from the disk tier, beside the same bytes as a file and from proxy_cache."""
        original = self.originals[6][0].name
        (self.static / "origin").mkdir(exist_ok=True)
        copy = self.static / "origin" / "rendition.jpg"
        plain = f"""
        location /static/ {{ alias {self.static}/origin/; }}
        location /static-opened/ {{ alias {self.static}/origin/; open_file_cache max=100 inactive=1h; }}
        location /proxied/ {{ proxy_pass http://unix:origin.sock:/; proxy_cache neighbour;
                              proxy_cache_valid 200 1d; }}
        location /proxied-opened/ {{ proxy_pass http://unix:origin.sock:/; proxy_cache neighbour;
                                     proxy_cache_valid 200 1d; open_file_cache max=100 inactive=1h; }}
    }}
    server {{
        listen unix:origin.sock;
        root {self.static}/origin;
"""
        ours = f"""
        location /media/ {{ media_root {self.scratch}/originals/; media_cache media; }}
        location /media-opened/ {{ media_root {self.scratch}/originals/; media_cache media;
                                   open_file_cache max=100 inactive=1h; }}
"""
        main = "proxy_cache_path neighbour keys_zone=neighbour:10m;"
        variants = {"nginx, static file": "/static/rendition.jpg",
                    "nginx, proxy_cache hit": "/proxied/rendition.jpg",
                    "nginx, static file, open_file_cache": "/static-opened/rendition.jpg",
                    "nginx, proxy_cache hit, open_file_cache": "/proxied-opened/rendition.jpg"}
        with self.media(ours + plain, main) if self.module else self.image_filter(plain, main) as server:
            if self.module:
                width = self.width_for(server, original, 20 * 1024)
                query = f"{original}?w={width}"
                variants["ngx_media, hit"] = f"/media/{query}"
                variants["ngx_media, hit, open_file_cache"] = f"/media-opened/{query}"
                copy.write_bytes(fetch(server.port, f"/media/{query}"))
            else:
                copy.write_bytes(self.originals[1.2][0].read_bytes()[:20 * 1024])
            copy.chmod(0o644)
            size = copy.stat().st_size
            for path in variants.values():
                if len(fetch(server.port, path)) != size:
                    raise RuntimeError(f"{path} has not the bytes of the others")
            # A pause of the machine spoils a round: many short ones, and what is compared side by side.
            seconds, rounds = (0.3, 9) if self.quick else (0.3, 31)
            cost = {name: [] for name in variants}
            rate = {name: [] for name in variants}
            names = sorted(variants, key=lambda name: "open_file" in name)
            for turn in range(rounds):
                for name in names[turn % len(names):] + names[:turn % len(names)]:
                    before = server.cpu()
                    report = self.load(server, [variants[name]], connections=8, duration=seconds).result()
                    check(report, name)
                    cost[name].append((server.cpu() - before) / report["good"] * 1e6)
                    rate[name].append(report["good"] / report["seconds"])
        print(f"### Hits: {size / 1024:.1f} KB from the disk cache, 8 connections kept alive\n")
        print("Static ÷ this: CPU of a static file over CPU of this row, median of "
              f"{rounds} alternating rounds; the rows with `open_file_cache` against the static file with it.\n")
        print("| | CPU µs per request | static ÷ this | requests/s |")
        print("|---|---|---|---|")
        for name in names:
            base = cost["nginx, static file" + (", open_file_cache" if "open_file" in name else "")]
            ratio = statistics.median(b / c for b, c in zip(base, cost[name]))
            print(f"| {name} | {statistics.median(cost[name]):.1f} | {ratio:.2f} | "
                  f"{statistics.median(rate[name]):,.0f} |")
        print(flush=True)

    @staticmethod
    def width_for(server, original, size):
        """The width at which a rendition has about this many bytes."""
        best = (10**9, 400)
        for width in range(200, 1000, 25):
            got = len(fetch(server.port, f"/media/{original}?w={width}"))
            best = min(best, (abs(got - size), width))
            if got > size:
                break
        return best[1]

    def reference(self, original, width, height=None):
        """What a careful resize makes of a photograph; in proportion where no height is given."""
        if (original, width, height) not in self.references:
            picture = pictures.upright_srgb(original)
            self.references[original, width, height] = pictures.reference(picture, width, height)
        return self.references[original, width, height]

    # ---- latency beside load ----

    def latency(self):
        """Small answers while large misses keep the same workers busy."""
        seconds = 3 if self.quick else 6
        cached = self.originals[6][0].name
        static = f"location /static/ {{ alias {self.static}/; }}"
        heavy = [f"/img/{file.name}?w=400" for file in self.originals[24]]
        rows = []

        def probe(label, server, rendition, load):
            fetch(server.port, rendition)
            misses = None
            if load:
                misses = self.load(server, heavy, connections=16, duration=seconds + 1.5, grace=120)
                time.sleep(1)
            probes = [self.load(server, [path], connections=2048, rate=50, duration=seconds, grace=90, close=True)
                      for path in ("/static/small.txt", rendition)]
            reports = [p.result() for p in probes]
            for report in reports:
                check(report, label)
            row = [label] + [f"{r['p50']:.1f} / {r['p99']:.1f} / {r['max']:.1f}" for r in reports]
            if misses:
                report = misses.result()
                row.append(f"{report['good'] / report['seconds']:.1f}")
                refused = report["statuses"].get("503", 0)
                row.append(str(refused))
            else:
                row += ["–", "–"]
            rows.append(row)

        if self.module:
            locations = static + f"""
        location /img/ {{ media_root {self.scratch}/originals/; }}
        location /cached/ {{ media_root {self.scratch}/originals/; media_cache media; }}
"""
            queue = f"media_threads {CORES} queue=64;"
            with self.media(locations, queue) as server:
                say("latency, ngx_media")
                probe("ngx_media, idle", server, f"/cached/{cached}?w=400", False)
                probe("**ngx_media, loaded**", server, f"/cached/{cached}?w=400", True)
        behind = static + """
        location /cached/ { proxy_pass http://unix:origin.sock:/img/; proxy_cache neighbour;
                            proxy_cache_valid 200 1d; }
    }
    server {
        listen unix:origin.sock;
        location /img/ { alias %s/originals/; image_filter resize $arg_w -;
                         image_filter_jpeg_quality %d; image_filter_buffer 128m; }
""" % (self.scratch, QUALITY["jpeg"])
        with self.image_filter(behind, "proxy_cache_path neighbour keys_zone=neighbour:10m;") as server:
            say("latency, image_filter")
            probe("image_filter, idle", server, f"/cached/{cached}?w=400", False)
            probe("image_filter, loaded", server, f"/cached/{cached}?w=400", True)
        print("### Small answers beside 24-megapixel misses on 16 connections, same two workers\n")
        print(f"p50 / p99 / max in ms of 50 requests/s each, on new connections, over {seconds} s, counted from "
              "the moment each was due. Cached: from our disk cache; for image_filter from `proxy_cache`.\n")
        print("| | 1 KB static file | cached rendition | misses/s meanwhile | of them 503 |")
        print("|---|---|---|---|---|")
        for row in rows:
            print("| " + " | ".join(row) + " |")
        print(flush=True)

    # ---- reloads ----

    def reloads(self):
        if not self.module:
            return
        seconds, pause = (6, 0.3) if self.quick else (20, 0.4)
        say("reloads")
        hit = f"/cached/{self.originals[6][0].name}?w=400"
        locations = f"location /cached/ {{ media_root {self.scratch}/originals/; media_cache media; }}"
        paths = [f"/cached/{file.name}?w={width}&v={{n}}" for file in self.originals[1.2] + self.originals[6][:1]
                 for width in (200, 320, 400)]
        with self.media(locations, f"media_threads {CORES} queue=64;") as server:
            fetch(server.port, hit)
            clients = {
                "misses, kept alive": self.load(server, paths, connections=3, duration=seconds),
                "misses, a connection each": self.load(server, [p.replace("{n}", "c{n}") for p in paths],
                                                       connections=3, duration=seconds, close=True),
                "hits, kept alive": self.load(server, [hit], connections=2, rate=200, duration=seconds),
                "hits, a connection each": self.load(server, [hit], connections=64, rate=200, duration=seconds,
                                                     close=True),
            }
            count = 0
            end = time.monotonic() + seconds - 0.5
            while time.monotonic() < end:
                server.reload()
                count += 1
                time.sleep(pause)
            reports = {name: client.result() for name, client in clients.items()}
            end = time.monotonic() + 15
            while len(server.pids()) > CORES and time.monotonic() < end:
                time.sleep(0.1)
            left, alerts = len(server.pids()) - CORES, server.alerts()
        print(f"### Reloads: {count} times `nginx -s reload` in {seconds} s\n")
        print("| | requests | failed | why |")
        print("|---|---|---|---|")
        for name, report in reports.items():
            print(f"| {name} | {report['requests']:,} | {report['requests'] - report['good']} | "
                  f"{why(report) or '–'} |")
        print(f"\nWorkers of old generations left after the last answer: {left}. "
              f"Alerts in the error log: {len(alerts)}.")
        for line in alerts[:5]:
            print(f"    {line}")
        print(flush=True)

    # ---- memory ----

    def memory(self):
        if not self.module:
            return
        steps = (100, 500, 1000) if self.quick else (1000, 5000, 10000)
        chance = random.Random(7)
        paths = []
        for _ in range(400):
            parts = [f"w={chance.randint(40, 320)}"]
            if chance.random() < 0.5:
                parts += [f"h={chance.randint(40, 320)}", "fit=" + chance.choice(("cover", "contain", "inside"))]
            form = chance.choices(("jpeg", "webp", "png", "avif"), (10, 6, 2, 1))[0]
            parts.append(f"fm={form}")
            if chance.random() < 0.3:
                parts.append("wm=logo")
            paths.append(f"/img/{chance.choice(self.small).name}?" + "&".join(parts))
        location = f"location /img/ {{ media_root {self.scratch}/small/; }}"
        rows, done = [], 0
        with self.media(location, f"media_watermark logo {MARK} position=se size=25%;") as server:
            rows.append(("at the start", server.rss(), server.peak(), "–"))
            for step in steps:
                say(f"memory, up to {step:,} requests")
                report = self.load(server, paths[done % 400:] + paths[:done % 400], connections=CLIENTS,
                                   requests=step - done).result()
                check(report, "mixed misses")
                done = step
                rows.append((f"{step:,}", server.rss(), server.peak(), f"{report['good'] / report['seconds']:.0f}"))
        print("### Memory over mixed small misses (cache off; JPEG, WebP, PNG, AVIF; fits; watermarks)\n")
        print("| requests | RSS of the workers MB | peak MB | requests/s |")
        print("|---|---|---|---|")
        for label, rss, peak, rate in rows:
            print(f"| {label} | {rss:.0f} | {peak:.0f} | {rate} |")
        print(flush=True)


def why(report):
    reasons = {**report["failures"], **({"unfinished": report["unfinished"]} if report["unfinished"] else {})}
    return ", ".join(f"{count} × {what}" for what, count in reasons.items())


def check(report, what):
    """Figures of requests that failed are no figures; say so aloud."""
    if report["good"] == 0 or report["good"] < 0.99 * report["requests"]:
        say(f"{what}: {report['good']} of {report['requests']} answered well ({why(report)})")
    if report["good"] == 0:
        raise RuntimeError(f"{what}: nothing was answered well")


class Said:
    """Standard output that remembers."""

    def __init__(self, stream):
        self.stream, self.parts = stream, []

    def write(self, text):
        self.parts.append(text)
        return self.stream.write(text)

    def flush(self):
        self.stream.flush()

    def text(self):
        return "".join(self.parts)


def keep(tables, page):
    """Puts the tables of this run below the page's heading for them, which is its last."""
    head, heading, _ = page.read_text().partition("\n## One run\n\n")
    page.write_text(head + heading + tables)


def main():
    parts = {
        "hits": Bench.hits,
        "counts": counts.counts,
        "misses": misses.misses,
        "crowd": misses.crowd,
        "formats": formats.formats,
        "watermarks": formats.watermarks,
        "animation": formats.animation,
        "srcset": srcset.srcset,
        "shared": shared.shared,
        "latency": Bench.latency,
        "fairness": fairness.fairness,
        "reloads": Bench.reloads,
        "memory": Bench.memory,
        "scale": scale.scale,
        "knee": knee.knee,
    }
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__.strip())
        return
    parser = argparse.ArgumentParser(add_help=False, usage=__doc__.partition("usage: ")[2].partition("\n")[0])
    parser.add_argument("photographs", nargs="?", default="/usr/share/backgrounds/mate")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--module")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(parts))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.keep and (options.quick or options.peers or options.only != list(parts)):
        parser.error("--keep wants a whole run")
    for name in options.only:
        if name not in parts:
            parser.error(f"nothing is called {name}")
    # Whatever hangs, the run ends, and its servers with it.
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("bench: over time, given up"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))
    signal.alarm(60 * 60)
    start = time.monotonic()
    bench = Bench(options)
    sys.stdout = said = Said(sys.stdout)
    print(f"{harness.machine()}; {harness.versions(bench.sharp_home)}.\n", flush=True)
    others = harness.Neighbours()
    for name in options.only:
        say(f"{name} ({time.monotonic() - start:.0f} s so far)")
        parts[name](bench)
    print(f"Other programs took {others.share():.0%} of the machine meanwhile.")
    if options.keep:
        keep(said.text(), harness.BENCH / "README.md")
    say(f"{time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
