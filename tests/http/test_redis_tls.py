"""Redis behind TLS, through the tunnel of module/redis.md: taken from the page."""

import re
import subprocess
from pathlib import Path

import pytest

import pictures
import redis_server
from nginx_server import SLOW, free_ports, wait_until

PAGE = (Path(__file__).resolve().parents[2] / "module/redis.md").read_text()
STREAM = re.search(r"^```nginx\n(load_module modules/ngx_stream_module.so;\n.*?)^```$", PAGE, re.M | re.S)[1]
STUNNEL = re.search(r"^```ini\n(.*?)^```$", PAGE, re.M | re.S)[1]
FOLDER = "/usr/lib/nginx/modules/"


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Certificates of two authorities; redis.key and redis.crt are of the first."""
    folder = tmp_path_factory.mktemp("keys")
    for parent in [folder, *folder.parents]:
        if parent != parent.parent and parent.owner() == folder.owner():
            parent.chmod(parent.stat().st_mode | 0o055)
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "stranger"):
        openssl(folder, "req", "-x509", *new, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", 2, "-subj", f"/CN={name}")
    openssl(folder, "req", *new, "-keyout", "redis.key", "-out", "redis.csr", "-subj", "/CN=redis",
            "-addext", "subjectAltName=DNS:redis.example.com")
    openssl(folder, "x509", "-req", "-in", "redis.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", 2,
            "-copy_extensions", "copy", "-out", "redis.crt")
    return folder


@pytest.fixture
def tls_redis(keys):
    port, = free_ports(1)
    with redis_server.running(lambda: redis_server.Redis(
            tls_port=port, tls_cert_file=keys / "redis.crt", tls_key_file=keys / "redis.key",
            tls_ca_cert_file=keys / "ca.crt", tls_auth_clients="no")) as server:
        server.tls_port = port
        yield server


@pytest.fixture
def node(own_nginx, tls_redis):
    def make(authority, name="redis.example.com"):
        tunnel = STREAM.replace("modules/ngx_stream_module.so", FOLDER + "ngx_stream_module.so")
        for written, meant in {"worker_shutdown_timeout 1m;": "worker_shutdown_timeout 2s;",
                               "/run/redis-tls.sock": "@prefix@/redis.sock", "redis.example.com:6380": f"127.0.0.1:{tls_redis.tls_port}",
                               "/etc/ssl/certs/ca-certificates.crt": authority, "redis.example.com;": f"{name};"}.items():
            assert written in tunnel
            tunnel = tunnel.replace(written, str(meant))
        return own_nginx(main=tunnel, files={"a.jpg": pictures.encode(pictures.gradient(300, 200), "JPEG")},
                         http="media_cache_path @cache@ keys_zone=z:1m;\nadd_header X-Cache $media_cache_status;",
                         server="location /img/ { media_root @shared@; media_cache z;\n"
                                "media_redis unix:@prefix@/redis.sock timeout=1s; }", shared=shared)
    shared = tls_redis.folder / "pics"
    shared.mkdir()
    (shared / "a.jpg").write_bytes(pictures.encode(pictures.gradient(300, 200), "JPEG"))
    return make


def test_through_the_tunnel(node, keys, tls_redis):
    first, second = node(keys / "ca.crt"), node(keys / "ca.crt")
    assert first.get("/img/a.jpg?w=90").headers["x-cache"] == "MISS"
    wait_until(lambda: len(tls_redis.keys()) == 1, 10 * SLOW, "the rendition in redis")
    assert second.get("/img/a.jpg?w=90").headers["x-cache"] == "REDIS"


def test_a_reload_is_not_held_up(node, keys, tls_redis):
    """Old workers hold one another's tunnels open, and those of their successors; they have to let go."""
    server = node(keys / "ca.crt")
    server.expect_log(r"media: redis at")
    for width in range(20, 60):
        assert server.get(f"/img/a.jpg?w={width}").status == 200
    server.reload()
    wait_until(lambda: not any("shutting down" in process.title for process in server.children()), 10 * SLOW, "old workers end")
    before, widths = len(tls_redis.keys()), iter(range(100, 290))
    wait_until(lambda: server.get(f"/img/a.jpg?w={next(widths)}").status == 200 and len(tls_redis.keys()) > before, 10 * SLOW,
               "redis is used after the reload", step=0.1)


@pytest.mark.parametrize("authority, name", [("stranger.crt", "redis.example.com"), ("ca.crt", "other.example.com")])
def test_an_impostor_gets_nothing(node, keys, tls_redis, authority, name):
    server = node(keys / authority, name)
    server.expect_log(r"media: redis at")
    assert server.get("/img/a.jpg?w=90").headers["x-cache"] == "MISS"
    assert tls_redis.keys() == []


def test_stunnel_is_told_to_verify():
    assert {"verifyChain = yes", "checkHost = redis.example.com"} <= set(STUNNEL.splitlines())
