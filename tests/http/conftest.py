"""Fixtures: nginx servers that are inspected when they end, and an origin server."""

import contextlib
import os
from pathlib import Path

import pytest

import origin as origin_server
from nginx_server import MODULE, Nginx


def pytest_sessionstart(session):
    if not MODULE.exists():
        pytest.exit(f"no module at {MODULE}: build it first, or set MEDIA_BUILD", 3)


class ServerHarmed(AssertionError):
    """A worker died, a sanitizer spoke, or the log holds what it never may: no matter of chance."""


def _blame(problems):
    if problems:
        harmed = any(problem.startswith(("error log: ", "stderr: ")) for problem in problems)
        raise (ServerHarmed if harmed else AssertionError)("\n".join(problems))


_failed = {}  # tests, and whether they may be tried again


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        harmed = call.excinfo is not None and call.excinfo.errisinstance(ServerHarmed)
        _failed[item.nodeid] = _failed.get(item.nodeid, True) and not harmed


def pytest_sessionfinish(session):
    """Lists the tests that tests/run --again tries once more, or nothing where that would hide harm."""
    if path := os.environ.get("MEDIA_FAILED_TESTS"):
        again = _failed if all(_failed.values()) else ()
        Path(path).write_text("".join(f"{name}\n" for name in again))


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
    _blame(problems)


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
    _blame([problem for server in _servers for problem in server.scan_log()])


@pytest.fixture(scope="module")
def origin():
    server = origin_server.Origin()
    yield server
    server.close()
