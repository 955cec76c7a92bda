"""The wheels of small worlds: what a ledger would have made for a handful of servers, short enough to be looked at whole."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from dataplane.core.balance.wheel import PLACE_BITS, POINT_BITS
from dataplane.core.commit import Image
from dataplane.core.layout import Algorithm, Layout

EWEIGHT = 16
SLOTS = 8
"""Of the longest wheel of a world."""


def wheel(at: Layout, algorithm: Algorithm, serving: Sequence[bool], weights: Sequence[int]) -> list[Image]:
    """The cells of the wheel, where the algorithm has one: of a map a slot for every unit of weight of those that serve.

    Of a ring two points of each server, which count only while it serves and weighs enough.
    """
    slots: list[int] = []
    for server, serves in enumerate(serving):
        if algorithm is Algorithm.MAP and serves:
            slots += [server] * (weights[server] // EWEIGHT)
        elif algorithm in (Algorithm.RING, Algorithm.BOUNDED):
            places = (10 * server, 10 * server + 5)
            slots += [
                place << PLACE_BITS | server << POINT_BITS | point * EWEIGHT for point, place in enumerate(places)
            ]
    slots.sort()
    before = [sum(w for w, s in zip(weights[:n], serving, strict=False) if s) for n in range(len(weights))]
    elected = serving.index(True) + 1 if True in serving else 0
    return [
        Image(at.WHEEL, array('q', [at.WHEELS])),
        Image(at.WHEEL_SIZE, array('q', [len(slots)])),
        Image(at.WHEELS, array('q', slots)),
        Image(at.ELECTED, array('q', [elected])),
        Image(at.CUMULATIVE, array('q', before)),
    ]
