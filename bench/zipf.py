#!/usr/bin/env python3
"""How often a fleet has to render, by simulation: every request draws an original by Zipf's law and one of its
widths; each machine keeps the renditions asked for last, and so may a Redis that all of them share.

usage: bench/zipf.py [--originals N] [--widths N] [--exponent S] [--requests N] [--machines N]
                     [--disk SHARE ...] [--redis SHARE] [--seed N]

Caches are given as a share of all renditions, for it is the share that counts: what is simulated with 400,000
renditions holds for as many more as the caches are larger. Half of the requests fill the caches, the other half are
counted. Prints a Markdown table."""

import argparse
import time
from collections import OrderedDict

import numpy


class Recent:
    """The things asked for last."""

    def __init__(self, size):
        self.size = size
        self.things = OrderedDict()

    def has(self, thing):
        """Whether it was there; it is from now on."""
        if thing in self.things:
            self.things.move_to_end(thing)
            return True
        if self.size > 0:
            self.things[thing] = None
            if len(self.things) > self.size:
                self.things.popitem(last=False)
        return False


def requests(options):
    """(number of the original, number of the rendition) of each request."""
    random = numpy.random.default_rng(options.seed)
    weights = numpy.arange(1, options.originals + 1, dtype=float) ** -options.exponent
    ends = numpy.cumsum(weights / weights.sum())
    original = numpy.minimum(numpy.searchsorted(ends, random.random(options.requests)), options.originals - 1)
    # The widths of an original are not asked for alike either: that of most phones more than that of one tablet.
    shares = 1 / numpy.arange(1, options.widths + 1)
    width = random.choice(options.widths, options.requests, p=shares / shares.sum())
    return original, original * options.widths + width


def simulate(original, rendition, machine, disks, redis, count_from):
    """Of the counted requests the shares found on disk, found in Redis, and rendered."""
    found = [0, 0, 0]
    caches = [Recent(size) for size in disks]
    shared = Recent(redis)
    for i, (thing, at) in enumerate(zip(rendition, machine)):
        where = 0 if caches[at].has(thing) else 1 if shared.has(thing) else 2
        if i >= count_from:
            found[where] += 1
    total = sum(found)
    return [n / total for n in found]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("--originals", type=int, default=50_000)
    parser.add_argument("--widths", type=int, default=8)
    parser.add_argument("--exponent", type=float, default=0.9)
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--machines", type=int, default=4)
    parser.add_argument("--disk", type=float, nargs="+", default=[0.01, 0.05, 0.2], help="of one machine")
    parser.add_argument("--redis", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    original, rendition = requests(options)
    everything = options.originals * options.widths
    half = options.requests // 2
    firsts = (numpy.unique(rendition, return_index=True)[1] >= half).mean() * len(numpy.unique(rendition)) / half
    random = numpy.random.default_rng(options.seed + 1)
    nowhere = numpy.zeros(options.requests, dtype=int)
    anywhere = random.integers(options.machines, size=options.requests)
    by_hash = random.permutation(options.originals)[original] % options.machines
    print(f"{options.originals:,} originals × {options.widths} widths, exponent {options.exponent}, "
          f"{options.requests:,} requests. Redis holds {options.redis:.0%} of all renditions. {firsts:.1%} of the requests "
          "are the first ever for their rendition, which no cache can help.\n")
    print("| disk of a machine | machines | requests go | Redis | from disk | from Redis | rendered |")
    print("|--:|--:|---|---|--:|--:|--:|")
    fleets = [(1, "to the one", nowhere), (options.machines, "anywhere", anywhere),
              (options.machines, "by `hash $uri`", by_hash)]
    thing_list = rendition.tolist()
    for share in options.disk:
        size = round(share * everything)
        for machines, way, at in fleets:
            for redis in ((0,) if machines == 1 else (0, round(options.redis * everything))):
                disk, shared, rendered = simulate(original, thing_list, at.tolist(), [size] * machines, redis,
                                                  half)
                print(f"| {share:.0%} | {machines} | {way} | {'yes' if redis else 'no'} | {disk:.1%} | "
                      f"{f'{shared:.1%}' if redis else '–'} | {rendered:.1%} |")
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
