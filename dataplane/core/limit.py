"""How many requests a server may have at once: maxconn, or with minconn a share that grows with the backend's load.

Two servers of maxconn 100 and minconn 10 in a backend of fullconn 200 take 10 each while fewer than 20 streams are in the
backend, then 5 % per ten streams more, and 100 each from 200 on. Limits do not move by themselves: the share is computed
whenever a server is looked at. Manual: `maxconn`, `minconn`, `fullconn`.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence

from dataplane.core.layout import UNLIMITED, Layout
from dataplane.core.model import Backend, Frontend


def limit(cells: MutableSequence[int], layout: Layout, server: int, beconn: int) -> int:
    """The limit in force of `server` when `beconn` streams are in its backend, queued or not; UNLIMITED (-1), or 0: none.

    `beconn` counts only where the server's limit is dynamic (DYNAMIC_LIMITS of the backend says whether any is).
    """
    top = cells[layout.LIMIT + server]
    low = cells[layout.MINLIMIT + server]
    if low == top or top <= 0:
        return top
    full = cells[layout.FULLCONN + cells[layout.BACKEND + server]]
    if beconn >= full:
        return top
    return max(low, beconn * top // full)


def below_top(cells: MutableSequence[int], layout: Layout, server: int) -> bool:
    """Has the server room as far as it alone says? Where its limit is dynamic it may have none all the same."""
    top = cells[layout.LIMIT + server]
    return top < 0 or cells[layout.TOTAL + server] < top


def declared(maxconn: int, minconn: int) -> tuple[int, int]:
    """What a server line means by its (maxconn, minconn): a minconn alone or above maxconn raises maxconn to it; none is maxconn."""
    top = max(maxconn, minconn)
    return top, minconn or top


def bounds(maxconn: int, minconn: int, share: int | None = None) -> tuple[int, int]:
    """The LIMIT and MINLIMIT cells for values set so far: equal where the limit is static, both UNLIMITED for maxconn 0.

    A maxconn lowered at run time below minconn takes minconn with it. A `share` is above none of them, whatever is set here:
    without it the limit over all data planes would hold only until somebody typed a number.
    """
    if share is not None:
        top = min(maxconn or share, share)
        return top, min(minconn or top, top)
    if maxconn == 0:
        return UNLIMITED, UNLIMITED
    return maxconn, min(minconn, maxconn)


def warming(bound: int, passed: int, slowstart: int) -> int:
    """A LIMIT or MINLIMIT of a server that has been warming up for `passed` of `slowstart`: in whole percents, at least 1."""
    if bound <= 0 or passed >= slowstart:
        return bound
    return max(1, bound * (100 * passed // slowstart) // 100)


def default_fullconn(backend: Backend, frontends: Iterable[Frontend]) -> int:
    """Give fullconn of a backend that names none: a tenth, rounded up, of the maxconn of all frontends that can reach it.

    They reach it by `default_backend` or `use_backend`, and a pushed one by `use-routes`. Never below 1.
    """
    reach = sum(
        frontend.maxconn
        for frontend in frontends
        if backend.name in (frontend.default_backend, *frontend.rules.backends)
        or (backend.pushed and frontend.use_routes)
    )
    return max(1, (reach + 9) // 10)
