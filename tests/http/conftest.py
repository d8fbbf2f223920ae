"""Fixtures: nginx servers that are inspected when they end, and an origin server."""

import contextlib

import pytest

import origin as origin_server
from nginx_server import MODULE, Nginx


def pytest_sessionstart(session):
    if not MODULE.exists():
        pytest.exit(f"no module at {MODULE}: build it first, or set MEDIA_BUILD", 3)


_servers = []


@contextlib.contextmanager
def _factory():
    mine = []

    def make(start=True, files=None, **arguments):
        """An nginx of Nginx's arguments; `files` are put into pics before it starts."""
        server = Nginx(**arguments)
        mine.append(server)
        _servers.append(server)
        for name, content in (files or {}).items():
            server.add(name, content)
        return server.start() if start else server

    yield make
    problems = []
    for server in mine:
        problems += server.finish()
        _servers.remove(server)
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def make_nginx():
    """Makes servers that live as long as the module of tests."""
    with _factory() as make:
        yield make


@pytest.fixture
def own_nginx():
    """Makes servers for one test alone."""
    with _factory() as make:
        yield make


@pytest.fixture(autouse=True)
def clean_logs():
    """Blames the test during which a server of the module wrote something grave."""
    yield
    problems = [problem for server in _servers for problem in server.scan_log()]
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def origin():
    server = origin_server.Origin()
    yield server
    server.close()
