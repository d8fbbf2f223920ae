"""conf/examples, of which conf/README.md speaks: nginx takes every one, and together they serve."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pictures
import redis_server
from nginx_server import SLOW, wait_until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {path.stem: path.read_text() for path in sorted((ROOT / "conf/examples").glob("*.conf"))}
PHOTO = pictures.encode(pictures.gradient(600, 400), "JPEG", quality=90)
NAMES = [f"{n}.jpg" for n in range(12)]

# What the tests put first: it stays in the foreground, in its own folder, and can be asked how it is.
HEAD = """\
daemon off;
pid @prefix@/nginx.pid;
error_log @prefix@/error.log info;
@user@
"""
INSIDE = """
    access_log @prefix@/access.log;
    add_header X-Cache $media_cache_status always;
    client_body_temp_path @prefix@/tmp/body;
    proxy_temp_path @prefix@/tmp/proxy;
    fastcgi_temp_path @prefix@/tmp/fastcgi;
    uwsgi_temp_path @prefix@/tmp/uwsgi;
    scgi_temp_path @prefix@/tmp/scgi;
    server {
        listen 127.0.0.1:@status_port@;
        access_log off;
        location / { stub_status; }
    }
"""


def example(name, **replaced):
    """An example with the places and addresses of the test, and nothing else changed."""
    text = EXAMPLES[name]
    places = {"user www-data;": "", "modules/ngx_http_media_module.so": "@module@", "worker_processes auto": "worker_processes @workers@",
              "/var/cache/nginx/media": "@cache@", "/var/cache/nginx/originals": "@prefix@/originals",
              "listen 80;": "listen 127.0.0.1:@port@;", "listen 8080;": "listen 127.0.0.1:@port@;"}
    for old, new in {**places, **replaced}.items():
        text = text.replace(old, new)
    inside = INSIDE if "media_cache_path" in text else re.sub(r".*\$media.*\n", "", INSIDE)
    return HEAD + text.replace("http {\n", "http {\n" + inside, 1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_nginx_takes_it(own_nginx, name):
    """As it stands, but for places and ports; names of hosts are looked up by nginx -t."""
    server = own_nginx(start=False, template=example(name, **{"storage.example.com": "127.0.0.1"}))
    code, text = server.test()
    assert code == 0, text


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for parent in [folder, *folder.parents]:
        if parent != parent.parent and parent.owner() == folder.owner():
            parent.chmod(parent.stat().st_mode | 0o055)
    for name in NAMES:
        (folder / name).write_bytes(PHOTO)
    return folder


def asked(server, name, width=300):
    answer = server.get(f"/img/{name}?w={width}")
    assert answer.status == 200, answer.body
    assert pictures.decode(answer.body).size == (width, width * 2 // 3)
    return answer.headers["x-cache"]


def test_one_machine(own_nginx, photos):
    server = own_nginx(template=example("one-machine", **{"/srv/photos/": f"{photos}/"}))
    assert [asked(server, "0.jpg"), asked(server, "0.jpg")] == ["MISS", "HIT"]


def test_few_machines(own_nginx, photos):
    with redis_server.running(redis_server.Redis) as redis:
        text = example("few-machines", **{"/srv/photos/": f"{photos}/", "10.0.0.5:6379": redis.address})
        first, second = own_nginx(template=text), own_nginx(template=text)
        assert asked(first, "0.jpg") == "MISS"
        wait_until(lambda: len(redis.keys()) == 1, 10 * SLOW, "the rendition in redis")
        assert [asked(second, "0.jpg"), asked(second, "0.jpg")] == ["REDIS", "HIT"]


def test_fleet_of_everything(own_nginx, photos):
    """Two machines behind their front, a cluster, originals from a storage; and then one machine less."""
    storage = own_nginx(server=f"location /pictures/ {{ alias {photos}/; }}")
    with redis_server.running(lambda: redis_server.Cluster(replicas=0)) as cluster:
        text = example("fleet-machine", **{"storage.example.com:80": f"127.0.0.1:{storage.port}",
                                           "10.0.1.1:6379,10.0.1.2:6379,10.0.1.3:6379": cluster.addresses})
        machines = [own_nginx(template=text) for _ in range(2)]
        front = own_nginx(template=example("fleet-front", **{
            f"10.0.0.1{n + 1}:8080": f"127.0.0.1:{machine.port}" for n, machine in enumerate(machines)}))
        for width in (200, 300):
            assert {asked(front, name, width) for name in NAMES} == {"MISS"}
        assert {asked(front, name) for name in NAMES} == {"HIT"}, "each at the same machine again"
        shares = [len(machine.cache_files()) for machine in machines]
        assert sum(shares) == 2 * len(NAMES) and min(shares) >= 2, "one machine each, and each has some"
        wait_until(lambda: len(cluster.keys()) == 2 * len(NAMES), 10 * SLOW, "renditions in redis")

        front.expect_log(r"connect\(\) failed")
        machines[0].signals_expected.add(9)
        machines[0].kill()
        answers = [asked(front, name) for name in NAMES]
        assert set(answers) == {"HIT", "REDIS"} and answers.count("REDIS") == shares[0] / 2
        for server in (front, machines[1]):  # which hold connections to the others
            server.stop()


def test_the_page_speaks_of_every_example():
    page = (ROOT / "conf/README.md").read_text()
    assert {f"{name}.conf" for name in EXAMPLES} == set(re.findall(r"\(examples/([\w-]+\.conf)\)", page))


def test_simulation():
    """bench/zipf.py, on a small scale: sharing and hashing are worth what they are said to be."""
    done = subprocess.run([sys.executable, "-B", ROOT / "bench/zipf.py", "--originals", "2000", "--requests", "20000",
                           "--disk", "0.05", "--redis", "0.2"], capture_output=True, text=True, check=True)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if re.match(r"\| \d", line)]
    rendered = {(row[1], row[2], row[3]): float(row[6].rstrip("%")) for row in rows}
    alone, shared = rendered["4", "anywhere", "no"], rendered["4", "anywhere", "yes"]
    hashed, both = rendered["4", "by `hash $uri`", "no"], rendered["4", "by `hash $uri`", "yes"]
    assert shared < alone and hashed < alone and both <= min(hashed, shared) + 1
