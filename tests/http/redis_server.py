"""A real Redis, or a cluster of three masters and a replica for each, on free ports."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from nginx_server import SLOW, _die_with_parent, free_ports, wait_until

BINARY = shutil.which("redis-server") or "/usr/bin/redis-server"


def command(*words):
    """Words as a command of the protocol."""
    parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class RedisError(Exception):
    """An error reply."""


class Connection:
    """As little of a client as the tests need."""

    def __init__(self, port, timeout=5 * SLOW):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.stream = self.socket.makefile("rb")

    def __call__(self, *words):
        self.socket.sendall(command(*words))
        return self._reply()

    def _reply(self):
        line = self.stream.readline()
        if not line:
            raise ConnectionError("closed")
        kind, text = line[:1], line[1:-2]
        if kind == b"+":
            return text.decode()
        if kind == b"-":
            raise RedisError(text.decode())
        if kind == b":":
            return int(text)
        if kind == b"$":
            return None if text == b"-1" else self.stream.read(int(text) + 2)[:-2]
        if kind == b"*":
            return None if text == b"-1" else [self._reply() for _ in range(int(text))]
        raise ConnectionError(f"unexpected {line!r}")

    def close(self):
        self.stream.close()
        self.socket.close()


class Redis:
    """One server. `options` are of its configuration."""

    def __init__(self, port=None, start=True, **options):
        self.port = port or free_ports(1)[0]
        self.folder = Path(tempfile.mkdtemp(prefix="ngx-media-redis-"))
        self.socket_path = self.folder / "redis.sock"
        self.options = {"save": "", "appendonly": "no", "bind": "127.0.0.1", "unixsocket": self.socket_path,
                        "unixsocketperm": "777", **options}
        self.folder.chmod(0o755)
        self.password = None
        self.process = None
        if start:
            self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, wait=True):
        arguments = [BINARY, "--port", str(self.port), "--dir", str(self.folder), "--daemonize", "no"]
        for name, value in self.options.items():
            arguments += ["--" + name.replace("_", "-"), *(str(value).split(" ") if value else [""])]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent)
        if wait:
            wait_until(self.answers, 20 * SLOW, "a redis that answers")
        return self

    def answers(self):
        with contextlib.suppress(OSError, RedisError):
            connection = Connection(self.port, timeout=1)
            try:
                if self.password:
                    connection("AUTH", self.password)
                return connection("PING") == "PONG"
            except RedisError as error:
                return "NOAUTH" in str(error)
            finally:
                connection.close()
        return False

    def __call__(self, *words):
        connection = Connection(self.port)
        try:
            if self.password:
                connection("AUTH", self.password)
            return connection(*words)
        finally:
            connection.close()

    def keys(self):
        """Those of renditions and their leases."""
        return sorted(key for key in self("KEYS", "*") if b"{purges}" not in key)

    def calls(self, name):
        """How often a command was called since CONFIG RESETSTAT."""
        for line in self("INFO", "commandstats").decode().splitlines():
            if line.startswith(f"cmdstat_{name}:calls="):
                return int(line.split("=")[1].split(",")[0])
        return 0

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """At once, without a word to its clients."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster:
    """Masters that share the slots, each with a replica."""

    def __init__(self, masters=3, replicas=1, **options):
        # The bus of a node listens 10,000 ports above the node.
        self.nodes = []
        for _ in range(masters * (1 + replicas)):
            port = self._port()
            self.nodes.append(Redis(port, cluster_enabled="yes", cluster_node_timeout="1000",
                                    cluster_config_file="nodes.conf", cluster_require_full_coverage="no",
                                    **options))
        self.masters = self.nodes[:masters]
        for node in self.nodes[1:]:
            self.nodes[0]("CLUSTER", "MEET", "127.0.0.1", node.port)
        share = 16384 // masters
        for i, node in enumerate(self.masters):
            last = 16383 if i == masters - 1 else (i + 1) * share - 1
            node("CLUSTER", "ADDSLOTSRANGE", i * share, last)
        wait_until(lambda: all(int(self._info(n)["cluster_known_nodes"]) == len(self.nodes) for n in self.nodes),
                   30 * SLOW, "nodes that know each other")
        for i, node in enumerate(self.nodes[masters:]):
            master = self.masters[i % masters]("CLUSTER", "MYID").decode()
            wait_until(lambda n=node, m=master: self._replicate(n, m), 20 * SLOW, "a replica")
        wait_until(lambda: all(self._info(n)["cluster_state"] == "ok" for n in self.nodes), 30 * SLOW,
                   "a cluster that is well", step=0.1)
        wait_until(lambda: all(b"master_link_status:up" in n("INFO", "replication") for n in self.nodes[masters:]),
                   30 * SLOW, "replicas in step", step=0.1)

    @staticmethod
    def _port():
        # Below the ports that the kernel gives to clients, which come and go while a node starts.
        while True:
            port = random.randrange(10000, 22000)
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                for wanted in (port, port + 10000):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", wanted))
                return port

    @staticmethod
    def _info(node):
        lines = node("CLUSTER", "INFO").decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    @staticmethod
    def _replicate(node, master):
        try:
            return node("CLUSTER", "REPLICATE", master) == "OK"
        except RedisError:
            time.sleep(0.1)
            return False

    @property
    def addresses(self):
        return ",".join(node.address for node in self.masters)

    def keys(self):
        found = set()
        for node in self.nodes:
            if node.process is not None and node("ROLE")[0] == b"master":
                found.update(node.keys())
        return sorted(found)

    def close(self):
        for node in self.nodes:
            node.close()


@contextlib.contextmanager
def running(make):
    """A server that ends with the block, whatever happens in it."""
    server = make()
    try:
        yield server
    finally:
        server.close()

