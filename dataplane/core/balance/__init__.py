"""Balancing algorithms, one per file: which server in rotation with room a stream without a wish of its own gets.

No decision scans the servers. What an algorithm must know of each is in the leaves of a tree (`tree`), the answer at its
root; `Index` keeps the trees as servers change and makes them anew when too much did. All of it is in cells and *derived*.
`choose` is called inside a hold and may not fail. Unlike HAProxy's, none ever picks a server without room; a stream that
finds none waits in the backend's queue, where the first slot anywhere serves it (`random` and `leastconn` differ on purpose).

Limits that grow with the backend's load (minconn) move with every stream for all servers at once, so a tree cannot hold
them: there, servers at their maxconn are out of the trees and the rest is asked of `room`, in a scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dataplane.core.balance.balancer import Balancer
from dataplane.core.balance.first import First
from dataplane.core.balance.leastconn import LeastConn
from dataplane.core.balance.random_draw import RandomDraw
from dataplane.core.balance.roundrobin import RoundRobin
from dataplane.core.balance.wheel import Bounded, Map, Ring, StaticRoundRobin, Sticky
from dataplane.core.layout import Algorithm

BALANCERS: Final[Mapping[Algorithm, Balancer]] = {
    Algorithm.ROUNDROBIN: RoundRobin(),
    Algorithm.LEASTCONN: LeastConn(),
    Algorithm.RANDOM: RandomDraw(),
    Algorithm.FIRST: First(),
    Algorithm.STATIC_RR: StaticRoundRobin(),
    Algorithm.MAP: Map(),
    Algorithm.RING: Ring(),
    Algorithm.BOUNDED: Bounded(),
    Algorithm.STICKY: Sticky(),
}
