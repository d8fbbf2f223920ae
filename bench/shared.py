"""The shared tier: what an answer from Redis costs, what the tier costs where it has nothing, and what clients
notice of a Redis that is ill. measure.py calls these."""

import contextlib
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import harness
from harness import Server, fetch, free_port, say

sys.path.append(str(harness.ROOT / "tests" / "http"))
from listening import Impostor, slowly  # noqa: E402

CLIENTS = 4


class Redis(Server):
    """A Redis that keeps nothing on disk."""

    def __init__(self, scratch):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="redis-", dir=scratch))
        self.port = free_port()
        self.start()

    def start(self):
        super().__init__([shutil.which("redis-server", path="/usr/sbin:/usr/bin"), "--port", str(self.port), "--bind",
                          "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder)], self.port,
                         log=subprocess.DEVNULL)
        self.wait_ready()

    def __call__(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w)
                                                         for w in (str(word).encode() for word in words)))
            return s.recv(65536)

    def number(self, section, field):
        text = self("INFO", section).decode()
        return int(text.partition(f"{field}:")[2].partition("\r")[0])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def nginx(bench, redis, cache=True, main=""):
    """A node: its originals are the small ones; `redis` is the value of media_redis, or None."""
    location = f"location /img/ {{ media_root {bench.scratch}/small/; " + ("media_cache media; " if cache else "") \
        + (f"media_redis {redis}; " if redis else "") + "}"
    return harness.media_nginx(bench.scratch, bench.module, location, main)


def shared(bench):
    if not bench.module:
        return
    harness.install_missing({"/usr/bin/redis-server": "redis-server"})
    costs(bench)
    stopped_hits(bench)
    faults(bench)


def costs(bench):
    """One small rendition, from everywhere it can come from."""
    say("shared tier, costs")
    name = bench.small[0].name
    count = 300 if bench.quick else 1000
    fresh = [f"/img/{name}?w=300&v={{n}}"]
    rows = []

    def measure(label, server, paths, requests):
        before = server.cpu()
        report = bench.load(server, paths, connections=CLIENTS, requests=requests).result()
        if report["good"] != report["requests"]:
            raise RuntimeError(f"{label}: {report}")
        rows.append((label, (server.cpu() - before) / requests * 1000, report["p50"], report["p99"]))

    with Redis(bench.scratch) as redis:
        address = f"127.0.0.1:{redis.port}"
        with nginx(bench, None) as server:
            measure("miss, without `media_redis`", server, fresh, count)
        with nginx(bench, address) as server:
            measure("miss, Redis has it not; stored there", server, fresh, count)
            body = len(fetch(server.port, f"/img/{name}?w=300&v=0"))
            measure("disk hit", server, [f"/img/{name}?w=300&v=0"], 5 * count)
        keys = int(redis("DBSIZE").decode().strip()[1:])
        each = redis.number("memory", "used_memory_dataset") / max(1, keys)
        with nginx(bench, address) as server:
            measure("Redis hit, put on disk", server, fresh, count)
        with nginx(bench, address, cache=False) as server:
            measure("Redis hit, no disk tier", server, fresh, count)
        few, many = memory(bench, redis, 1), memory(bench, redis, 33)
        redis.kill()
        with nginx(bench, address) as server:
            measure("miss, Redis stopped", server, fresh, count)
    base = rows[0][1]
    print(f"### Shared tier: one rendition of {body / 1024:.1f} KB, {CLIENTS} clients\n")
    print("| | CPU ms of nginx | ÷ miss without | p50 ms | p99 ms |")
    print("|---|---|---|---|---|")
    for label, cpu, p50, p99 in rows:
        print(f"| {label} | {cpu:.3f} | {cpu / base:.2f} | {p50:.2f} | {p99:.2f} |")
    ours, theirs = ((b - a) / 32 / harness.CORES for a, b in zip(few, many))
    # What an idle connection holds is small beside what the allocator happens to keep.
    ours = f"{ours:.1f}" if ours >= 1 else "less than 1"
    print(f"\nA connection costs a worker {ours} KB and Redis {theirs:.1f} KB. "
          f"A rendition of {body:,} bytes takes {each:,.0f} bytes of Redis' memory.\n", flush=True)


def memory(bench, redis, pool):
    """KB of the workers, and of Redis for its clients, where a node is connected and has worked a little."""
    with nginx(bench, f"127.0.0.1:{redis.port} pool={pool}") as server:
        bench.load(server, [f"/img/{bench.small[0].name}?w=300&v={{n}}"], connections=CLIENTS, requests=100).result()
        return server.rss() * 1024, redis.number("memory", "mem_clients_normal") / 1024


def stopped_hits(bench):
    """Disk hits where Redis is configured and stopped, beside those without the directive."""
    say("shared tier, hits")
    seconds, rounds = (0.4, 5) if bench.quick else (0.7, 9)
    path = f"/img/{bench.small[0].name}?w=300"
    with nginx(bench, None) as without, nginx(bench, f"127.0.0.1:{free_port()}") as stopped:
        figures = {server: ([], []) for server in (without, stopped)}
        for turn in range(rounds):
            for server in (without, stopped) if turn % 2 == 0 else (stopped, without):
                fetch(server.port, path)
                before = server.cpu()
                report = bench.load(server, [path], connections=8, duration=seconds).result()
                figures[server][0].append((server.cpu() - before) / report["good"] * 1e6)
                figures[server][1].append(report["good"] / report["seconds"])
    print("### Hits of one node with Redis stopped\n")
    print("| | CPU µs per hit | hits/s |")
    print("|---|---|---|")
    for label, server in (("without `media_redis`", without), ("with it, Redis stopped", stopped)):
        cost, rate = (statistics.median(values) for values in figures[server])
        print(f"| {label} | {cost:.1f} | {rate:,.0f} |")
    ratio = statistics.median(a / b for a, b in zip(figures[stopped][0], figures[without][0]))
    print(f"\nCPU of the second over the first, median of {rounds} alternating rounds: {ratio:.2f}.\n", flush=True)


def faults(bench):
    """Unseen renditions at a steady rate, through what befalls Redis and back."""
    seconds = 3 if bench.quick else 5

    def restart(redis):
        redis.kill()
        time.sleep(0.5)
        redis.start()

    def pause(redis):
        redis.process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        redis.process.send_signal(signal.SIGCONT)

    cases = {
        "well": lambda redis: None,
        "stopped": lambda redis: redis.kill(),
        "killed, back after 0.5 s": restart,
        "frozen": lambda redis: redis.process.send_signal(signal.SIGSTOP),
        "frozen for 1.5 s": pause,
        "out of memory": lambda redis: redis("CONFIG", "SET", "maxmemory", 1),
        "read-only": lambda redis: redis("REPLICAOF", "127.0.0.1", 1),
        "refusing authentication": "password",
        "slow by 1 s": "slow",
        "answering garbage": "garbage",
    }
    rows = []
    for label, fault in cases.items():
        say(f"shared tier, {label}")
        with contextlib.ExitStack() as stack:
            redis = stack.enter_context(Redis(bench.scratch))
            address = f"127.0.0.1:{redis.port}"
            if fault in ("slow", "garbage"):
                impostor = Impostor(slowly(redis.port, quiet=0.05) if fault == "slow"
                                    else lambda peer, data: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
                stack.callback(impostor.close)
                address = f"127.0.0.1:{impostor.port}"
            elif fault == "password":
                address += " password=wrong"
                redis("CONFIG", "SET", "requirepass", "right")
            server = stack.enter_context(nginx(bench, address, main="media_threads 2 queue=1024;"))
            load = bench.load(server, [f"/img/{bench.small[0].name}?w=200&v={{n}}"], connections=256, rate=60,
                              duration=seconds)
            time.sleep(0.7)
            if callable(fault):
                fault(redis)
            report = load.result()
            lines = sum("media: redis" in line for line in
                        (server.folder / "error.log").read_text(errors="replace").splitlines())
            rows.append((label, report["requests"], report["requests"] - report["good"], report["p50"], report["p99"],
                         report["max"], lines))
    print("### Clients while Redis is ill: 60 misses/s, timeout 50 ms; the fault comes after 0.7 s\n")
    print("| Redis is | requests | failed | p50 ms | p99 ms | max ms | lines in the log |")
    print("|---|---|---|---|---|---|---|")
    for label, requests, failed, p50, p99, most, lines in rows:
        print(f"| {label} | {requests} | {failed} | {p50:.1f} | {p99:.1f} | {most:.1f} | {lines} |")
    print(flush=True)
