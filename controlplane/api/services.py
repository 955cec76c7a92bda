"""What the routers work with, and how they get at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from controlplane.api.idempotency import Remembered
from controlplane.domain.access import Access
from controlplane.domain.desired import Desired
from controlplane.domain.sequencer import Decision, Sequencer


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """`new_id` makes ids of operations; `stopping` is set when the process is to end, and ends streams.

    `pushed` gives the counters of the link to the data planes, by name; `further` metrics of rooms that REST does not know,
    line by line. `govern` makes of what a verb wants what it may come
    to where the state follows from something else, or refuses it; who asks is its third argument. `holds` tells whether
    this control plane is still the one whose word counts, and `standing` (HTTP status, document) what it is when it leads not.
    """

    sequencer: Sequencer
    new_id: Callable[[], str]
    pushed: Callable[[], Mapping[str, int]]
    further: Callable[[], Iterable[str]] = tuple
    govern: Callable[[Desired, Decision, str], Decision] = lambda _, decision, __: decision
    holds: Callable[[], bool] = lambda: True
    standing: Callable[[], tuple[int, Mapping[str, Any]] | None] = lambda: None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    remembered: Remembered = field(default_factory=Remembered)


def services(request: Request) -> Services:
    """The services of the application the request came to, or those that were chosen for this one request."""
    found: Services = getattr(request.state, 'services', None) or request.app.state.services
    return found


def actor(request: Request) -> str:
    """Who asks, as the log names them."""
    principal = getattr(request.state, 'principal', None)
    return 'local' if principal is None else str(principal.name)


async def permit(request: Request, accesses: Iterable[Access]) -> None:
    """Return if who asks may do all of this: for requests whose path alone does not say what they are about.

    Forbidden, ReviewsUnavailable: they may not, or it cannot be found out now. No answer may depend on what was
    asked for before this has returned.
    """
    await request.state.permit(tuple(dict.fromkeys(accesses)))
