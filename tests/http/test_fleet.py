"""A fleet: three machines with one Redis under load, while machines are reloaded, killed and started again, and
Redis forgets everything."""

import collections
import itertools
import threading
import time
import zlib

import numpy
import pytest

import client
import pictures
import redis_server
from nginx_server import ASAN, SLOW, wait_until

ORIGINALS = 1000
WIDTHS = range(8, 40, 4)
STEP = 24  # between two values of a colour channel: more than JPEG takes away
REQUESTS = 1500 if ASAN else 3000
CLIENTS = 12

HTTP = """
media_cache_path @cache@ levels=1:2 keys_zone=z:8m;
media_threads 2 queue=256;
add_header X-Time $media_render_time always;
"""
SERVER = "location /img/ { media_root @originals@; media_cache z; media_redis @redis@ timeout=1s; }\n"


def colour(number):
    """The digits of a number as a colour."""
    return tuple(10 + STEP * (number // 10 ** digit % 10) for digit in range(3))


def number_of(pixel):
    return sum(min(9, max(0, round((value - 10) / STEP))) * 10 ** digit for digit, value in enumerate(pixel))


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    for parent in [folder, *folder.parents]:
        if parent != parent.parent and parent.owner() == folder.owner():
            parent.chmod(parent.stat().st_mode | 0o055)
    for number in range(ORIGINALS):
        (folder / f"{number}.jpg").write_bytes(pictures.encode(pictures.solid(40, 30, colour(number)), "JPEG", quality=90))
    return folder


def wishes(seed):
    """(original, width), original number n about 1/n as often as the first."""
    random = numpy.random.default_rng(seed)
    weights = 1 / numpy.arange(1, ORIGINALS + 1)
    names = random.permutation(ORIGINALS)[random.choice(ORIGINALS, REQUESTS, p=weights / weights.sum())]
    return list(zip(names.tolist(), random.choice(list(WIDTHS), REQUESTS).tolist()))


class Load:
    """Asks machines in turn, and looks at every picture."""

    def __init__(self, machines):
        self.machines = machines
        self.bodies = {}  # of each rendition, the checksum of the only body it may have
        self.made = collections.Counter()
        self.failures = []
        self.lost = []  # machines and targets that got no answer
        self.excused = set()  # machines that are being killed
        self.guard = threading.Lock()

    def ask(self, at, number, width):
        machine = self.machines[at]
        before = machine in self.excused
        try:
            answer = machine.get(f"/img/{number}.jpg?w={width}", timeout=20)
        except Exception as error:  # whatever a client may meet
            if not (before or machine in self.excused):
                self.failures.append(f"machine {at}, {number} at {width}: {error!r}")
                self.lost.append((machine, f"/img/{number}.jpg?w={width}"))
            return
        if answer.status != 200:
            self.failures.append(f"machine {at}, {number} at {width}: {answer.status} {answer.body}")
            return
        with self.guard:
            known = self.bodies.get((number, width))
            if answer.headers.get("x-time"):
                self.made[number, width] += 1
        if known is None:
            picture = pictures.decode(answer.body)
            shown = number_of(numpy.asarray(picture.convert("RGB")).reshape(-1, 3).mean(axis=0))
            if picture.size != (width, width * 3 // 4) or shown != number:
                self.failures.append(f"machine {at}, {number} at {width}: shows {shown} at {picture.size}")
            with self.guard:
                known = self.bodies.setdefault((number, width), zlib.crc32(answer.body))
        if zlib.crc32(answer.body) != known:
            self.failures.append(f"machine {at}, {number} at {width}: another body than before")

    def told(self):
        """The failures, and what the machines' logs say of requests without an answer."""
        said = [line for machine, target in self.lost for line in (machine.prefix / "access.log").read_text().splitlines()
                if f" {target} " in line]
        errors = [line for machine in {m for m, _ in self.lost} for line in machine.log().splitlines()
                  if "[notice]" not in line]
        return "\n".join(self.failures[:10] + said + errors[-20:])

    def run(self, seed):
        at = itertools.cycle(range(len(self.machines)))
        client.at_once([lambda n=number, w=width, m=next(at): self.ask(m, n, w) for number, width in wishes(seed)], CLIENTS)


def test_fleet(own_nginx, originals):
    with redis_server.running(redis_server.Redis) as redis:
        machines = [own_nginx(http=HTTP, server=SERVER, originals=originals, redis=redis.address) for _ in range(3)]
        for machine in machines:
            machine.expect_log(r"media: redis at")
        load = Load(machines)

        load.run(1)
        assert not load.failures, load.told()
        assert load.made.total() <= 1.05 * len(load.bodies)

        done = threading.Event()

        def ask_on():
            for seed in itertools.count(2):
                load.run(seed)
                if done.is_set():
                    return
        asking = threading.Thread(target=ask_on)
        asking.start()
        try:
            troubles(machines, redis, load)
        finally:
            done.set()
            asking.join()
        assert not load.failures, load.told()

        # What one of them makes now, the others take again.
        wait_until(lambda: shared_again(machines), 10 * SLOW, "renditions are shared again", step=0.2)


def troubles(machines, redis, load):
    """In their order, each while requests go on."""
    stable, mortal, reloaded = machines
    reloaded.reload()
    load.excused.add(mortal)
    mortal.signals_expected.add(9)
    mortal.kill()
    time.sleep(0.3)
    mortal.start()
    load.excused.discard(mortal)
    stable.reload(wait=False)
    redis.kill()
    time.sleep(0.3)
    redis.start()
    reloaded.reload()


fresh = itertools.count(100)


def shared_again(machines):
    target = f"/img/7.jpg?w=24&v={next(fresh)}"
    answers = [machine.get(target) for machine in machines]
    assert {a.status for a in answers} == {200}
    return len([a for a in answers if a.headers.get("x-time")]) == 1
