"""System calls and instructions of a hit, which no noise of a machine changes. measure.py calls this."""

import collections
import re
import signal
import subprocess
import time

import harness
from harness import fetch, say

TOOLS = {"/usr/bin/strace": "strace", "/usr/bin/valgrind": "valgrind"}
ROWS = {"nginx, static file": "/static/{file}", "nginx, static file, open_file_cache": "/static-opened/{file}",
        "ngx_media, hit": "/media/{query}", "ngx_media, hit, open_file_cache": "/media-opened/{query}"}


def counts(bench):
    if not bench.module:
        return
    harness.install_missing(TOOLS)
    original = bench.originals[6][0].name
    folder = bench.static / "counted"
    folder.mkdir(exist_ok=True)
    opened = "open_file_cache max=100 inactive=1h;"
    locations = f"""
        location /static/ {{ alias {folder}/; }}
        location /static-opened/ {{ alias {folder}/; {opened} }}
        location /media/ {{ media_root {bench.scratch}/originals/; media_cache media; }}
        location /media-opened/ {{ media_root {bench.scratch}/originals/; media_cache media; {opened} }}
"""
    start = lambda tool=(): harness.media_nginx(bench.scratch, bench.module, locations, workers=1, tool=tool)
    query = f"{original}?w=400"
    with start() as server:
        (folder / "rendition.jpg").write_bytes(fetch(server.port, f"/media/{query}"))
    (folder / "rendition.jpg").chmod(0o644)
    print("### Counts: one hit on a connection that is kept alive\n")
    print("Instructions of the worker's own code, without the kernel's, by valgrind; system calls by strace.\n")
    print("| | instructions | system calls | |")
    print("|---|---|---|---|")
    for name, pattern in ROWS.items():
        say(f"counts, {name}")
        path = pattern.format(file="rendition.jpg", query=query)
        calls = system_calls(bench, start, path)
        print(f"| {name} | {instructions(bench, start, path):,.0f} | {sum(calls.values())} | "
              + ", ".join(f"{call} × {count}" if count > 1 else call for call, count in calls.items()) + " |")
    print(flush=True)


def warm(bench, server, path):
    """Asks until everything that is kept is kept."""
    bench.check(bench.load(server, [path], connections=1, requests=20).result(), path)


def system_calls(bench, start, path):
    """Of one request in the middle of others."""
    record = bench.scratch / "calls.txt"
    with start() as server:
        warm(bench, server, path)
        (worker,) = server.pids()
        with subprocess.Popen(["strace", "-o", record, "-p", str(worker)], stderr=subprocess.PIPE, text=True) as tracer:
            tracer.stderr.readline()  # "attached"
            warm(bench, server, path)
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=20)
    requests = re.split(r"^(?=epoll_wait\(.*= 1$)", record.read_text(), flags=re.MULTILINE)
    calls = [collections.Counter(re.findall(r"^(\w+)\(", request, re.MULTILINE)) for request in requests
             if "GET " in request]
    return max(calls, key=calls.count)  # the usual one


def instructions(bench, start, path):
    """Between a short run and a long one."""
    found = []
    for requests in (200, 2200):
        with start(("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file=callgrind.txt")) as server:
            warm(bench, server, path)
            time.sleep(0.5)
            bench.check(bench.load(server, [path], connections=1, requests=requests).result(), path)
            server.process.send_signal(signal.SIGQUIT)
            server.process.wait(60)
            found.append(int(re.search(r"Collected : (\d+)", (server.folder / "callgrind.txt").read_text())[1]))
    return (found[1] - found[0]) / 2000
