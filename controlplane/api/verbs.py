"""How a verb becomes an answer: preconditions, one submission, and a wait that does not lie (G6)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header, Query, Request
from starlette.responses import JSONResponse, Response

from controlplane.api import views
from controlplane.api.errors import answer
from controlplane.api.services import Services, actor
from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.operations import Goal, Operation, Progressed, Target
from controlplane.domain.refusals import Invalid, PreconditionFailed
from controlplane.domain.sequencer import Decision, Verb
from controlplane.domain.version import Version

MAX_WAIT_S = 600.0
_SPAN = re.compile(r'([0-9]{1,9})(ms|s|m)?\Z', re.ASCII)
_UNITS = {'ms': 0.001, 's': 1.0, 'm': 60.0, None: 1.0}


@dataclass(frozen=True, slots=True)
class Wait:
    """What to wait for (None: answer at once) and for how long, in seconds."""

    goal: Goal | None
    seconds: float


def waiting(
    wait: Annotated[Goal | None, Query(description='answer only when every known data plane did it')] = None,
    timeout: Annotated[str, Query(description='how long to wait: 500ms, 30s, 2m')] = '30s',
) -> Wait:
    """Dependency: `?wait=acked|drained&timeout=30s`."""
    found = _SPAN.match(timeout)
    seconds = -1.0 if found is None else int(found[1]) * _UNITS[found[2]]
    if not 0 <= seconds <= MAX_WAIT_S:
        raise Invalid([f'timeout: {timeout!r:.40} is not a time from 0 to {MAX_WAIT_S:g}s (500ms, 30s, 2m)'])
    return Wait(wait, seconds)


@dataclass(frozen=True, slots=True)
class Expected:
    """If-Match and If-None-Match of a request; None: not sent."""

    match: str | None
    none_match: str | None

    def check(self, desired: Desired, key: Key) -> None:
        """PreconditionFailed: the resource is at another version than the caller believes."""
        current = desired.versions.get(key)
        if self.match is not None and not _matches(self.match, current):
            raise PreconditionFailed(current)
        if self.none_match is not None and _matches(self.none_match, current):
            raise PreconditionFailed(current)


def _matches(header: str, current: Version | None) -> bool:
    if current is None:
        return False
    tags = {tag.strip() for tag in header.split(',')}
    return '*' in tags or f'"{current}"' in tags


def expected(
    if_match: Annotated[str | None, Header()] = None, if_none_match: Annotated[str | None, Header()] = None
) -> Expected:
    """Dependency: the preconditions of the request."""
    return Expected(if_match, if_none_match)


def etag(desired: Desired, key: Key) -> dict[str, str]:
    """The header that names a resource's version."""
    return {'ETag': f'"{desired.versions[key]}"'}


@dataclass(frozen=True, slots=True)
class Plan:
    """A verb as a router states it. `show` makes the answer's (status, body, headers) when nobody waits.

    `puts`: what a PUT is about; the 200 becomes a 201 for the one of several that made it.
    """

    name: str
    decide: Callable[[Desired], Decision]
    show: Callable[[Desired], tuple[int, Any, dict[str, str]]]
    urgent: bool = False
    puts: Key | None = None


def one(key: Key, spec: Any, labels: Any = None, *, values: Any = None) -> Decision:
    """Set or remove one thing. `values`: those fields that the verb is about (default: all of them)."""
    return Decision((Write(key, spec, labels),), (Target(key, spec if values is None else values),))


async def run(request: Request, services: Services, wait: Wait, plan: Plan) -> Response:
    """Submit the verb and answer it. Refusals are answered by the handlers of `errors`."""
    goal, made = wait.goal or Goal.ACKED, False

    def decide(desired: Desired) -> Decision:
        nonlocal made
        decision = services.govern(desired, plan.decide(desired), actor(request))
        made = plan.puts is not None and plan.puts not in desired.versions  # nobody else has a turn until it is there
        if goal is Goal.DRAINED:
            _check_drainable(desired, decision)
        return decision

    verb = Verb(services.new_id(), plan.name, actor(request), goal, plan.urgent)
    # once the store has it, memory must follow, whatever becomes of the client
    found = await asyncio.shield(services.sequencer.submit(verb, decide))
    where = {'Sluice-Operation': f'/v1/operations/{found.id}', 'Sluice-Version': str(found.version)}
    if wait.goal is None:
        status, body, headers = plan.show(services.sequencer.desired)
        if body is None:
            return Response(status_code=204, headers=where)
        return JSONResponse(body, 201 if made else status, {**headers, **where})
    await settled(services, found, wait.seconds)
    if not services.holds():
        # who leads now may know data planes that this one does not
        detail = 'What was asked for is kept. Another control plane leads by now and knows who has done it; ask again.'
        return answer('no-leader', detail, {**where, 'Retry-After': '1'})
    return outcome(services, found, where)


def _check_drainable(desired: Desired, decision: Decision) -> None:
    for target in decision.targets:
        if target.key.kind != 'server':
            raise Invalid([f'wait=drained: {target.key} is not a server'])
        spec = desired.spec(target.key) or {}
        if target.values is not None and {**spec, **target.values}.get('adminState') == 'ready':
            raise Invalid([f'wait=drained: {target.key} is in the state ready, so it does not drain'])


async def settled(services: Services, operation: Operation, seconds: float) -> None:
    """Wait until the operation is no longer pending, the time is over, or the process is to end."""
    moved = asyncio.Event()
    stop_listening = services.sequencer.convergence.watch(operation, moved.set)
    stopping = asyncio.ensure_future(services.stopping.wait())
    try:
        async with asyncio.timeout(seconds):
            while operation.state is Progressed.PENDING and not services.stopping.is_set():
                moved.clear()
                waiter = asyncio.ensure_future(moved.wait())
                try:
                    await asyncio.wait([waiter, stopping], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiter.cancel()
    except TimeoutError:
        return
    finally:
        stopping.cancel()
        stop_listening()


def outcome(services: Services, operation: Operation, headers: dict[str, str]) -> Response:
    """200: every known data plane did it. 409: superseded. 202: not all did, and who."""
    body = views.operation(services.sequencer, operation)
    if operation.state is Progressed.SUPERSEDED:
        detail = f'Operation {operation.id} ({operation.verb}) was overtaken by a contrary change.'
        return answer('superseded', detail, headers, operation=body)
    done = operation.state is Progressed.DONE
    return JSONResponse(
        body, 200 if done else 202, headers if done else {**headers, 'Location': headers['Sluice-Operation']}
    )
