"""What the benchmark stands on: packages, tools, originals, servers that always end, and a load client."""

import contextlib
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
TICK = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))
# What everyone encodes with: the module's defaults.
QUALITY = {"jpeg": 80, "webp": 80, "avif": 60}
EFFORT = {"webp": 2, "avif": 0}
MARK = ROOT / "conf" / "watermark.png"
# The bench ends its servers itself; should it be killed, the kernel does.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "TERM"]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def scratch_folder():
    """A place for tools and originals that outlives a run, or a passing one where the checkout is not ours."""
    folder = ROOT / ".cache" / "bench"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return pathlib.Path(tempfile.mkdtemp(prefix="ngx_media-bench-"))


# ---- what must be there -------------------------------------------------------------------------------------

PACKAGES = {
    "g++": "g++",
    "pkg-config": "pkg-config",
    "vipsthumbnail": "libvips-tools",
    "nginx": "nginx",
    "node": "nodejs",
    "npm": "npm",
    "cmake": "cmake",
    "ninja": "ninja-build",
}
FILES = {
    "/usr/lib/nginx/modules/ngx_http_image_filter_module.so": "libnginx-mod-http-image-filter",
    "/usr/share/backgrounds/mate/nature": "mate-backgrounds",
    "/usr/lib/python3/dist-packages/PIL": "python3-pil",
    "/usr/lib/python3/dist-packages/matplotlib": "python3-matplotlib",
    "/usr/lib/python3/dist-packages/skimage": "python3-skimage",
    "/usr/include/vips/vips.h": "libvips-dev",
    "/usr/share/nginx/src": "nginx-dev",
    "/usr/include/hiredis/hiredis.h": "libhiredis-dev",
    "/usr/include/openssl/ssl.h": "libssl-dev",
    "/usr/include/avif/avif.h": "libavif-dev",
    "/usr/include/hwy/highway.h": "libhwy-dev",
    "/usr/include/isa-l.h": "libisal-dev",
    "/usr/include/jansson.h": "libjansson-dev",
    "/usr/include/jpeglib.h": "libjpeg-dev",
    "/usr/include/libdeflate.h": "libdeflate-dev",
    "/usr/include/webp/encode.h": "libwebp-dev",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
}


def install_missing(also=None):
    """Packages of the tables above, and those of `also`: file -> package."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [package for command, package in PACKAGES.items() if not shutil.which(command, path=path)]
    missing += [package for file, package in {**FILES, **(also or {})}.items() if not os.path.exists(file)]
    if not missing:
        return
    say("installing " + " ".join(missing))
    root = [] if os.geteuid() == 0 else ["sudo"]
    if root and not shutil.which("sudo"):
        sys.exit("bench: install these as root first: " + " ".join(missing))
    # Debian starts a freshly installed nginx as a service, which would be one more that nobody ends.
    script = """
        set -e
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap "rm -f $policy" EXIT
            printf '#!/bin/sh\\nexit 101\\n' >$policy
            chmod 755 $policy
        fi
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends "$@"
    """
    subprocess.run([*root, "bash", "-c", script, "install", *missing], check=True, stdin=subprocess.DEVNULL,
                   stdout=sys.stderr)


def build_tool(scratch, name, *libraries):
    source, program = BENCH / f"{name}.cpp", scratch / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        flags = []
        if libraries:
            found = subprocess.run(["pkg-config", "--cflags", "--libs", *libraries], check=True, text=True,
                                   capture_output=True)
            flags = found.stdout.split()
        say(f"compiling {name}")
        subprocess.run(["g++", "-std=c++20", "-O2", str(source), "-o", str(program), *flags], check=True)
    return program


def build_module():
    build = ROOT / "build"
    if not (build / "build.ninja").exists():
        subprocess.run(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DMEDIA_TESTS=OFF"], check=True,
                       stdout=sys.stderr)
    subprocess.run(["cmake", "--build", build, "--target", "ngx_http_media_module"], check=True,
                   stdout=sys.stderr)
    return build / "module" / "ngx_http_media_module.so"


def install_npm(scratch, name, versions):
    """The folder of the newest version of a package that this node can load; None where there is none."""
    home = scratch / name
    home.mkdir(exist_ok=True)
    complaint = ""
    for version in versions:
        if not (home / "node_modules" / name).exists():
            say(f"installing {name}@{version}")
            # Install scripts are not needed: sharp brings its binaries as packages.
            npm = subprocess.run(["npm", "install", "--prefix", home, "--no-audit", "--no-fund",
                                  "--ignore-scripts", f"{name}@{version}"], capture_output=True, text=True)
            complaint = npm.stderr.strip()
        loads = subprocess.run(["node", "-e", f"import('{name}').catch(() => process.exit(1))"], cwd=home,
                               stderr=subprocess.DEVNULL)
        if loads.returncode == 0:
            return home
        shutil.rmtree(home / "node_modules", ignore_errors=True)
    say(f"going on without {name}, which cannot be installed:\n{complaint}")
    return None


def install_sharp(scratch):
    return install_npm(scratch, "sharp", ("latest", "0.34", "0.33"))


# ---- originals ----------------------------------------------------------------------------------------------

def picture_size(path):
    found = subprocess.run(["vipsheader", path], capture_output=True, text=True)
    match = re.search(r": (\d+)x(\d+) ", found.stdout)
    return (int(match[1]), int(match[2])) if match else None


def photographs(folder):
    """(path, megapixels) of every picture that can be read, in a settled order."""
    found = []
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            size = picture_size(path)
            if size:
                found.append((path, size[0] * size[1] / 1e6))
    return found


def make_originals(scratch, folder, wanted=(24, 12, 6, 1.2), each=3):
    """{megapixels: [paths]}: JPEGs of 4:2:0 and quality 89, of the photographs that are near the size.

    They are brought to one size, so that the rows compare; only a photograph with at least 7/10 of the pixels
    is blown up, but for want of any such the largest there is.
    """
    jpegs = [p for p in photographs(folder) if p[0].suffix.lower() in (".jpg", ".jpeg")]
    if not jpegs:
        sys.exit(f"bench: no JPEG photographs in {folder}")
    originals = {}
    for megapixels in wanted:
        near = sorted((p for p in jpegs if p[1] >= 0.7 * megapixels),
                      key=lambda p: abs(math.log(p[1] / megapixels)))
        near = near[:each] or [max(jpegs, key=lambda p: p[1])]
        width = round(math.sqrt(megapixels * 1e6 * 3 / 2) / 8) * 8
        height = round(width * 2 / 3)
        target = scratch / "originals"
        target.mkdir(exist_ok=True)
        originals[megapixels] = []
        for number, (path, _) in enumerate(near):
            file = target / f"{megapixels}-{number}.jpg"
            subprocess.run(["vips", "thumbnail", path, f"{file}[Q=89,strip]", str(width), "--height", str(height),
                            "--crop", "centre", "--size", "both"], check=True)
            file.chmod(0o644)
            originals[megapixels].append(file)
    return originals


def make_small_originals(scratch, folder, count=16):
    """Pictures of up to half a megapixel, for many cheap misses: JPEG, PNG and WebP."""
    target = scratch / "small"
    target.mkdir(exist_ok=True)
    files = []
    for number, (path, _) in enumerate(photographs(folder)[:count]):
        suffix = ".png" if path.suffix == ".png" else ".webp" if number % 5 == 4 else ".jpg"
        file = target / f"{number}{suffix}"
        subprocess.run(["vips", "thumbnail", path, file, "900", "--height", "600", "--size", "down"], check=True)
        files.append(file)
    return files


# ---- servers ------------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def status_field(pid, field):
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
    return 0


def command_line(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().strip("\0 ")
    return ""


class Server:
    """A process of ours and its children, as the operating system sees them."""

    def __init__(self, command, port, environment=None, log=None, folder=None):
        self.port = port
        self.process = subprocess.Popen(ENDS_WITH_US + command, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, start_new_session=True,
                                        env={**os.environ, **(environment or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_ready(self, seconds=15):
        """Until it listens; what does not is ended."""
        try:
            self._wait_until_it_listens(seconds)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_listens(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"server ended at once:\n{self.complaint()}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"server does not listen:\n{self.complaint()}")

    def complaint(self):
        return ""

    def stop(self):
        for stop in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    self.process.send_signal(stop)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)

    def pids(self):
        """Those that do the work."""
        return [self.process.pid]

    def children(self):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            return [int(pid) for pid in text.split()]
        return []

    def cpu(self):
        """Seconds of user and system time of the workers, threads that ended included."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / TICK

    def rss(self):
        return sum(status_field(pid, "VmRSS") for pid in self.pids()) / 1024

    def peak(self):
        return sum(status_field(pid, "VmHWM") for pid in self.pids()) / 1024


class Nginx(Server):
    """nginx with two workers and a configuration of its own, below a fresh folder."""

    def __init__(self, scratch, http, modules=(), workers=CORES, tool=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nginx-", dir=scratch))
        (self.folder / "tmp").mkdir()
        self.conf = self.folder / "nginx.conf"
        port = free_port()
        temporary = "".join(f"    {name}_temp_path tmp/{name};\n"
                            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.conf.write_text(
            "".join(f"load_module {module};\n" for module in modules)
            + ("user root;\n" if os.geteuid() == 0 else "")
            + f"worker_processes {workers};\npid nginx.pid;\nerror_log error.log warn;\n"
            + "worker_rlimit_nofile 8192;\nevents { worker_connections 4096; }\n"
            + "http {\n    include /etc/nginx/mime.types;\n    default_type application/octet-stream;\n"
            + "    sendfile on;\n    tcp_nopush on;\n    access_log off;\n    keepalive_requests 10000000;\n"
            + temporary + http.replace("@PORT@", str(port)) + "}\n")
        self.command = [shutil.which("nginx", path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", "")),
                        "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", "error.log"]
        # Below a tool, one process is all.
        alone = "master_process off; " if tool else ""
        super().__init__([*tool, *self.command, "-g", f"{alone}daemon off;"], port, log=subprocess.DEVNULL,
                         folder=self.folder)
        try:
            self.wait_ready(60 if tool else 15)
            if tool:
                return
            # The socket listens before the workers run.
            end = time.monotonic() + 10
            while len(self.pids()) < workers and time.monotonic() < end:
                time.sleep(0.01)
        except BaseException:
            self.stop()
            raise

    def complaint(self):
        with contextlib.suppress(OSError):
            return (self.folder / "error.log").read_text()[-2000:]
        return ""

    def pids(self):
        return [pid for pid in self.children() if "worker process" in command_line(pid)]

    def reload(self):
        subprocess.run(self.command + ["-s", "reload"], check=True, timeout=20)

    def alerts(self):
        """Lines of the error log that should not be there."""
        return [line for line in self.complaint().splitlines()
                if re.search(r"\[(alert|emerg|crit)\]|exited on signal", line)]

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def media_nginx(scratch, module, locations, main="", workers=CORES, keys="10m", tool=()):
    """nginx with the module, with everyone's settings and a cache zone `media`."""
    quality = " ".join(f"{form}={value}" for form, value in QUALITY.items())
    effort = " ".join(f"{form}={value}" for form, value in EFFORT.items())
    return Nginx(scratch, modules=[module], workers=workers, tool=tool, http=f"""
    media_cache_path cache levels=1:2 keys_zone=media:{keys} max_size=16g inactive=1d;
    media_quality {quality};
    media_effort {effort};
    media_max_source_size 128m;
    {main}
    server {{
        listen 127.0.0.1:@PORT@ backlog=1024;
        {locations}
    }}
""")


class Sharp(Server):
    """sharp.mjs over the files of a folder."""

    # libvips' defaults where sharp's are others: no 4:4:4 in AVIF, GIFs by the same effort.
    OUTPUT = {"jpeg": {}, "webp": {}, "avif": {"chromaSubsampling": "4:2:0"}, "png": {"compressionLevel": 6},
              "gif": {"effort": 3}}

    def __init__(self, home, folder, own_effort=False):
        port = free_port()
        environment = self.environment(home, own_effort)
        super().__init__(["node", str(BENCH / "sharp.mjs"), str(folder), str(port)], port, environment,
                         log=subprocess.DEVNULL)
        self.wait_ready()

    @classmethod
    def environment(cls, home, own_effort=False):
        """What programs around sharp are told: where it is, and everyone's quality and effort."""
        output = {form: {**options, **({"quality": QUALITY[form]} if form in QUALITY else {}),
                         **({"effort": EFFORT[form]} if form in EFFORT and not own_effort else {})}
                  for form, options in cls.OUTPUT.items()}
        return {"SHARP_HOME": str(home), "SHARP_OUTPUT": json.dumps(output), "SHARP_MARK": str(MARK)}


# ---- asking -------------------------------------------------------------------------------------------------

def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return answer.read()


class Load:
    """The load client, running; result() waits for its report."""

    def __init__(self, program, port, paths, connections=4, **options):
        command = ENDS_WITH_US + [str(program), "--port", str(port), "--connections", str(connections)]
        self.bound = 30 + options.get("grace", 30) + options.get("duration", 300)
        for name, value in options.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        self.process = subprocess.Popen(command + list(paths), stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)

    def result(self):
        try:
            out, _ = self.process.communicate(timeout=self.bound)
        except BaseException:
            self.process.kill()
            raise
        return json.loads(out)


# ---- saying what it ran on ----------------------------------------------------------------------------------

class Neighbours:
    """How much of the machine other programs took meanwhile."""

    def __init__(self):
        self.start = self.busy()

    @staticmethod
    def busy():
        user, nice, system, idle, wait, irq, softirq = map(
            int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
        ours = sum(os.times()[:4]) * TICK  # ours and that of all who have ended
        work = user + nice + system + irq + softirq
        return work - ours, work + idle + wait

    def share(self):
        (work, total), (work_now, total_now) = self.start, self.busy()
        return max(0, work_now - work) / max(1, total_now - total)


def machine():
    cpu = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return f"{cpu}, {CORES} cores, Linux {os.uname().release}, load {os.getloadavg()[0]:.2f} at the start"


def versions(sharp_home):
    def first(command, pattern):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            found = subprocess.run(command, capture_output=True, text=True, timeout=20)
            match = re.search(pattern, found.stdout + found.stderr)
            return match[1] if match else "?"
        return "?"

    parts = [
        "nginx " + first(["/usr/sbin/nginx", "-v"], r"nginx/(\S+)"),
        "libvips " + first(["vips", "--version"], r"vips-(\d+\.\d+\.\d+)"),
        "libgd " + first(["dpkg-query", "-W", "-f=${Version}", "libgd3"], r"([\d.]+)"),
    ]
    parts.append("Pillow " + first(["dpkg-query", "-W", "-f=${Version}", "python3-pil"], r"([\d.]+)"))
    if sharp_home:
        script = "const v = require('sharp').versions; console.log(`sharp ${v.sharp} (libvips ${v.vips})`)"
        found = subprocess.run(["node", "-e", script], cwd=sharp_home, capture_output=True, text=True)
        parts += [found.stdout.strip(), "node " + first(["node", "--version"], r"v(\S+)")]
    return ", ".join(parts)
