"""A real nginx with the module in it: its own prefix, its own ports, and an inspection when it ends."""

import atexit
import contextlib
import ctypes
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import client

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MEDIA_BUILD", REPOSITORY / "build")).resolve()
MODULE = BUILD / "module" / "ngx_http_media_module.so"
BINARY = os.environ.get("NGINX", "/usr/sbin/nginx")
ASAN = os.environ.get("MEDIA_ASAN", "") not in ("", "0")
SLOW = 5 if ASAN else 1  # what a sanitizer costs: patience is multiplied by it

# What may never stand in an error log, whoever wrote it.
GRAVE = re.compile(r"\[(?:alert|emerg|crit)\]")
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|: runtime error: ")
DIED = re.compile(r"exited on signal (\d+)|process \d+ exited with (?:fatal )?code ([1-9]\d*)")
TEMPORARY = re.compile(r"\.\d{10}$")  # how nginx names a file that it has not finished

TEMPLATE = """\
load_module @module@;
@user@
daemon off;
master_process on;
worker_processes @workers@;
pid @prefix@/nginx.pid;
error_log @prefix@/error.log info;
@main@
events {
    worker_connections 1024;
}
http {
    types {
        image/jpeg jpg jpeg;
        image/png png;
        image/gif gif;
        image/webp webp;
        image/avif avif;
        text/html html;
        text/plain txt;
    }
    default_type application/octet-stream;
    access_log @prefix@/access.log;
    client_body_temp_path @prefix@/tmp/body;
    proxy_temp_path @prefix@/tmp/proxy;
    fastcgi_temp_path @prefix@/tmp/fastcgi;
    uwsgi_temp_path @prefix@/tmp/uwsgi;
    scgi_temp_path @prefix@/tmp/scgi;
@http@
    server {
        listen 127.0.0.1:@port@;
        root @prefix@/www;
@server@
    }
    server {
        listen 127.0.0.1:@status_port@;
        access_log off;
        location / {
            stub_status;
        }
    }
}
"""

_alive = []


def _kill_leftovers():
    for server in list(_alive):
        server.kill()


atexit.register(_kill_leftovers)


def _die_with_parent():
    """In the child: a test run that is killed takes its nginx along (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def free_ports(count):
    """Ports nobody listens on at the moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def environment():
    """Environment of nginx: with a sanitizer its runtime has to be there before nginx is."""
    env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "NGINX")}
    if ASAN:
        # With the C++ library beside it, or exceptions thrown in the module would not be found.
        env["LD_PRELOAD"] = " ".join(subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True,
                                                    check=True).stdout.strip()
                                     for name in ("libasan.so", "libstdc++.so"))
        env["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=1:detect_odr_violation=0:allocator_may_return_null=1"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1:abort_on_error=1"
    return env


def wait_until(condition, seconds=10, what="condition", step=0.01):
    """Polls until `condition()` is true; its value. Fails with `what` otherwise. Where the whole machine stood still in
    between, nobody had the time that the clock says: of each turn a second counts."""
    waited = 0
    while True:
        begun = time.monotonic()
        value = condition()
        if value:
            return value
        if waited > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)
        waited += min(time.monotonic() - begun, 1)


class Process:
    """What /proc says about one process."""

    def __init__(self, pid):
        self.pid = pid
        self.title = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()

    def _status(self, field):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    @property
    def rss(self):
        """Resident bytes."""
        return self._status("VmRSS") * 1024

    @property
    def peak_rss(self):
        return self._status("VmHWM") * 1024

    @property
    def threads(self):
        return self._status("Threads")

    @property
    def cpu(self):
        """Seconds of CPU used so far, all threads together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def files(self):
        """Paths of open descriptors."""
        found = []
        for fd in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(fd))
        return found


class Nginx:
    """One nginx. `http`, `server` and `main` are snippets of configuration, `template` is what they are put into; in all
    of them @prefix@, @pics@, @www@, @cache@, @port@ and every keyword of `names` are replaced."""

    def __init__(self, http="", server="", main="", workers=2, user="root", template=TEMPLATE, **names):
        self.template = template
        self.prefix = Path(tempfile.mkdtemp(prefix="ngx-media-"))
        self.prefix.chmod(0o755)
        self.pics = self.prefix / "pics"
        self.www = self.prefix / "www"
        self.cache = self.prefix / "cache"
        for folder in (self.pics, self.www, self.cache, self.prefix / "tmp"):
            folder.mkdir()
        self.port, self.status_port = free_ports(2)
        self.workers_wanted = workers
        self.user = user
        self.names = names
        self.process = None
        self.signals_expected = set()  # signals by which we killed workers ourselves
        self.tolerated = []  # regular expressions of grave log lines that this test provokes
        self.problems = []
        self._scanned = 0
        self.configure(http, server, main)

    # Configuration

    def configure(self, http="", server="", main=""):
        """Writes the configuration; takes effect at start() or reload()."""
        text = self.template.replace("@http@", http).replace("@server@", server).replace("@main@", main)
        values = {
            "module": MODULE, "prefix": self.prefix, "pics": self.pics, "www": self.www, "cache": self.cache,
            "port": self.port, "status_port": self.status_port, "workers": self.workers_wanted,
            "user": f"user {self.user};" if os.geteuid() == 0 else "", **self.names,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        self.config = text
        self.config_file.write_text(text)

    @property
    def config_file(self):
        return self.prefix / "nginx.conf"

    def line_of(self, snippet):
        """Number of the first line of the configuration that holds `snippet`."""
        for number, line in enumerate(self.config.splitlines(), 1):
            if snippet in line:
                return number
        raise AssertionError(f"{snippet!r} is not in the configuration")

    def _command(self, *arguments, log="error.log"):
        return [BINARY, "-p", str(self.prefix), "-c", str(self.config_file), "-e", str(self.prefix / log), *arguments]

    def test(self, env=None):
        """`nginx -t`: exit code and what it said."""
        done = subprocess.run(self._command("-t", log="test.log"), capture_output=True, text=True, errors="replace",
                              env={**environment(), **(env or {})}, timeout=60 * SLOW)
        return done.returncode, done.stderr + done.stdout

    # Life

    def start(self):
        """Starts it and waits until its workers answer."""
        with open(self.prefix / "stderr.log", "ab") as stderr:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                                            env=environment(), start_new_session=True,
                                            preexec_fn=_die_with_parent)
        _alive.append(self)
        try:
            self._wait_ready()
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"nginx did not start: {error}\n{self.log()}{self.stderr()}") from None
        return self

    def _wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}")
            return len(self.workers()) >= self.workers_wanted and self.active_connections() is not None
        wait_until(ready, 20 * SLOW, "workers that answer")

    def stop(self, gracefully=True):
        """Ends it and reports what is wrong with the way it ended. Idle connections are left to nginx."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self._inspect_idle()
            self.process.send_signal(signal.SIGQUIT if gracefully else signal.SIGTERM)
        try:
            code = self.process.wait(30 * SLOW)
            if code != 0:
                self.problems.append(f"nginx ended with exit code {code}")
        except subprocess.TimeoutExpired:
            children = [f"{p.pid} {p.title}" for p in self.children()]
            self.problems.append(f"nginx did not end within {30 * SLOW} s of SIGQUIT; left: {children}")
            self.kill()
            return
        pid = self.process.pid
        self.process = None
        if self in _alive:
            _alive.remove(self)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, 0)
            self.problems.append("processes of nginx are left behind")
            os.killpg(pid, signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def kill(self):
        """Without ceremony: the whole process group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        if self in _alive:
            _alive.remove(self)

    def reload(self, wait=True):
        """SIGHUP, then waits for a fresh set of workers."""
        before = {p.pid for p in self.workers()}
        self.process.send_signal(signal.SIGHUP)
        if wait:
            wait_until(lambda: len([p for p in self.workers() if p.pid not in before]) >= self.workers_wanted
                       and not any(p.pid in before for p in self.workers()),
                       20 * SLOW, "new workers after a reload")

    def kill_workers(self):
        """SIGKILL to every worker, as the kernel's out-of-memory killer would."""
        self.signals_expected.add(int(signal.SIGKILL))
        before = self.workers()
        for worker in before:
            os.kill(worker.pid, signal.SIGKILL)
        old = {p.pid for p in before}
        wait_until(lambda: len([p for p in self.workers() if p.pid not in old]) >= self.workers_wanted, 20 * SLOW,
                   "new workers after a kill")

    # Looking in

    def children(self):
        """Processes whose parent is the master."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError):
                    stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                    if int(stat[1]) == self.process.pid and stat[0] != "Z":
                        found.append(Process(int(entry.name)))
        return found

    def workers(self):
        """Workers that take connections: those shutting down after a reload are not among them."""
        return [p for p in self.children() if p.title.startswith("nginx: worker process")
                and "shutting down" not in p.title]

    def helpers(self):
        """Cache manager and loader."""
        return [p for p in self.children() if p.title.startswith("nginx: cache")]

    def rss(self):
        return sum(p.rss for p in self.workers())

    def peak_rss(self):
        """The largest resident size that any one worker has had."""
        return max(p.peak_rss for p in self.workers())

    def cpu(self):
        return sum(p.cpu for p in self.workers())

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.prefix / "error.log").read_text(errors="replace")
        return ""

    def stderr(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.prefix / "stderr.log").read_text(errors="replace")
        return ""

    def access_log(self, lines=1, name="access.log"):
        """Lines of an access log, once there are so many."""
        path = self.prefix / name
        wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= lines, 10,
                   f"{lines} lines in {name}")
        return path.read_text().splitlines()

    def _stub_status(self, pattern):
        """The number that `pattern` finds in stub_status, or None while nobody answers."""
        try:
            answer = client.fetch(self.status_port, "/", timeout=5 * SLOW)
        except OSError:
            return None
        return int(re.search(pattern, answer.body).group(1))

    def active_connections(self):
        """As stub_status counts them, or None while nobody answers."""
        return self._stub_status(rb"Active connections: (\d+)")

    def requests_begun(self):
        """How many requests the workers have begun to read since the start, this one included."""
        return self._stub_status(rb"\n \d+ \d+ (\d+) ")

    def wait_for_requests(self, before, count):
        """Until the workers have begun `count` requests since requests_begun() gave `before`. A request that has
        begun is worked on; of a connection that is only open nobody can say that, and one may be gone already."""
        polls = itertools.count(1)
        wait_until(lambda: self.requests_begun() - next(polls) >= before + count, 10 * SLOW, f"{count} requests")

    def cache_files(self, folder=None):
        """Finished files of a disk cache."""
        folder = folder or self.cache
        return [p for p in folder.rglob("*") if p.is_file() and not TEMPORARY.search(p.name)]

    def temporary_files(self):
        """Unfinished files: in the cache folders by their name, in nginx's own temporary folders every one."""
        found = []
        for path in self.prefix.rglob("*"):
            with contextlib.suppress(OSError):
                inside = path.relative_to(self.prefix).parts[0]
                if path.is_file() and (inside == "tmp" or (inside not in ("pics", "www")
                                                           and TEMPORARY.search(path.name))):
                    found.append(str(path.relative_to(self.prefix)))
        return found

    # Requests

    def get(self, target, headers=None, method="GET", timeout=60):
        return client.fetch(self.port, target, method, headers, timeout * SLOW)

    def send(self, target, body, type="application/octet-stream", method="POST", headers=None, timeout=60):
        """A request with a body."""
        return client.fetch(self.port, target, method, {"Content-Type": type, **(headers or {})}, timeout * SLOW, body)

    def raw(self, data, timeout=30):
        return client.raw(self.port, data, timeout * SLOW)

    def add(self, name, content, folder=None):
        """Puts an original in place: bytes, or the path of a file to copy."""
        path = (folder or self.pics) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content)
        return path

    # Inspection

    def expect_log(self, *patterns):
        """Grave log lines that the test provokes on purpose."""
        self.tolerated += [re.compile(p) for p in patterns]

    def scan_log(self):
        """Problems in the part of the error log that has not been looked at yet."""
        text = self.log()
        fresh, self._scanned = text[self._scanned:], len(text)
        for line in fresh.splitlines():
            if any(p.search(line) for p in self.tolerated):
                continue
            died = DIED.search(line)
            if died and died.group(1) and int(died.group(1)) in self.signals_expected:
                continue
            if died or GRAVE.search(line) or SANITIZER.search(line):
                self.problems.append(f"error log: {line}")
        problems, self.problems = self.problems, []
        return problems

    def _inspect_idle(self):
        """With nobody asking, nothing may be held: no connection, no file."""
        if not self.signals_expected:  # a killed worker cannot give its counters back
            try:
                wait_until(lambda: self.active_connections() == 1, 10 * SLOW, "no active connection", step=0.05)
            except AssertionError as error:
                self.problems.append(f"connections leak: {error}; {self.active_connections()} are counted")

        # Finished cache files may be kept open for the next hit, and who delivers events says so by a lock; nothing else
        # may.
        def held():
            return [f for p in self.workers() for f in p.files()
                    if f.startswith(str(self.prefix)) and not f.endswith((".log", "/.events/.dispatcher"))
                    and (not f.startswith(str(self.cache)) or TEMPORARY.search(f.removesuffix(" (deleted)")))]
        if "open_file_cache" not in self.config:
            try:
                wait_until(lambda: not held(), 10 * SLOW, "no open file", step=0.05)
            except AssertionError:
                self.problems.append(f"files are held open by idle workers: {held()}")

    def finish(self):
        """Stops it, looks at everything it leaves, removes the prefix; the list of problems."""
        self.stop()
        problems = self.scan_log()
        if SANITIZER.search(self.stderr()):
            problems.append(f"stderr: {self.stderr()}")
        if not self.signals_expected:
            problems += [f"temporary file left behind: {name}" for name in self.temporary_files()]
        if problems:
            problems.append("last lines of the error log:\n" + "\n".join(self.log().splitlines()[-15:]))
        shutil.rmtree(self.prefix, ignore_errors=True)
        return problems
