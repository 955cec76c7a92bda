"""Servers: what an operator turns (state, weight, limit, sessions), one by one or by selector, and what there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from controlplane.api import schemas, views
from controlplane.api.backends import kept_state
from controlplane.api.services import Services, actor, permit, services
from controlplane.api.verbs import Expected, Plan, Wait, etag, expected, one, run, waiting
from controlplane.domain.access import Access, namespace_of
from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.operations import Target
from controlplane.domain.refusals import Invalid
from controlplane.domain.selector import Selector
from controlplane.domain.sequencer import Decision

router = APIRouter(prefix='/v1', tags=['servers'])


@router.get('/servers')
async def list_all_servers(all_: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """Every server of every backend."""
    desired = all_.sequencer.desired
    keys = [key for backend in sorted(desired.state['backends']) for key in desired.servers(backend)]
    return {'items': [views.server(all_.sequencer, key) for key in keys]}


@router.get('/backends/{backend}/servers')
async def list_servers(backend: str, all_: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """The servers of one backend."""
    return {'items': [views.server(all_.sequencer, key) for key in all_.sequencer.desired.servers(backend)]}


@router.get('/backends/{backend}/servers/{server}')
async def get_server(backend: str, server: str, all_: Annotated[Services, Depends(services)]) -> Response:
    """One server."""
    desired, key = all_.sequencer.desired, Key('server', server, backend)
    desired.require(key)
    return JSONResponse(views.server(all_.sequencer, key), headers=etag(desired, key))


def shown(all_: Services, key: Key) -> tuple[int, Any, dict[str, str]]:
    """The answer of a verb about one server."""
    desired = all_.sequencer.desired
    if key not in desired.versions:
        return 204, None, {}  # somebody removed it right after
    return 200, views.server(all_.sequencer, key), etag(desired, key)


@router.put('/backends/{backend}/servers/{server}')
async def put_server(
    request: Request, backend: str, server: str, body: schemas.Server,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Create or replace. An adminState that is not sent is kept: a PUT never ends a drain by not speaking of it."""
    key, spec, sent = Key('server', server, backend), body.whole(), body.sent()
    labels = spec.pop('labels')

    def decide(desired: Desired) -> Decision:
        desired.servers(backend)
        condition.check(desired, key)
        return one(key, kept_state(desired, key, spec, sent), labels)

    return await run(request, all_, wait, Plan('put server', decide, lambda _: shown(all_, key), puts=key))


@router.patch('/backends/{backend}/servers/{server}')
async def patch_server(
    request: Request, backend: str, server: str, body: schemas.ServerPatch,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Turn adminState, weight, maxConn. `wait=drained` with drain or maint waits until nothing is in flight anywhere."""
    key, sent = Key('server', server, backend), body.sent()
    if not sent:
        raise Invalid(['give at least one of adminState, weight, maxConn'])

    def decide(desired: Desired) -> Decision:
        current = desired.require(key)
        condition.check(desired, key)
        return one(key, {**current, **sent}, values=sent)

    return await run(request, all_, wait, Plan(_named(sent), decide, lambda _: shown(all_, key), urgent=True))


def _named(sent: dict[str, Any]) -> str:
    return 'set ' + ', '.join(f'{name}={value}' for name, value in sorted(sent.items()))


@router.delete('/backends/{backend}/servers/{server}')
async def delete_server(
    request: Request, backend: str, server: str,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Remove. What is in flight there is finished; `wait=drained` waits for that."""
    key = Key('server', server, backend)

    def decide(desired: Desired) -> Decision:
        desired.require(key)
        condition.check(desired, key)
        return one(key, None)

    return await run(request, all_, wait, Plan('delete server', decide, lambda _: (204, None, {})))


def _generation(all_: Services, current: int) -> int:
    """Never falls, and is above what any other control plane of this minute would have given."""
    return max(current + 1, all_.sequencer.clock.wall())


@router.post('/backends/{backend}/servers/{server}:shutdownSessions')
async def shutdown_sessions(
    request: Request, backend: str, server: str,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """End every session that this server has now, on every data plane."""
    key = Key('server', server, backend)

    def decide(desired: Desired) -> Decision:
        current = desired.require(key)
        condition.check(desired, key)
        values = {'sessionGeneration': _generation(all_, current['sessionGeneration'])}
        return one(key, {**current, **values}, values=values)

    plan = Plan('shutdown sessions', decide, lambda _: shown(all_, key), urgent=True)
    return await all_.remembered.once(request, actor(request), lambda: run(request, all_, wait, plan))


async def _bulk(request: Request, all_: Services, wait: Wait, body: schemas.Bulk, backend: str | None) -> Response:
    sent = body.set.sent()
    if not sent and not body.shutdown_sessions:
        raise Invalid(['give something to set, or shutdownSessions'])
    await permit(request, _bulk_accesses(body, '' if backend is None else namespace_of(backend)))
    selector = Selector(body.selector.labels, body.selector.name, body.selector.address, backend)

    def values_for(desired: Desired, key: Key) -> dict[str, Any]:
        if not body.shutdown_sessions:
            return sent
        return {**sent, 'sessionGeneration': _generation(all_, desired.require(key)['sessionGeneration'])}

    def decide(desired: Desired) -> Decision:
        keys = selector.select(desired)
        values = [values_for(desired, key) for key in keys]
        writes = [Write(key, {**desired.require(key), **new}) for key, new in zip(keys, values, strict=True)]
        targets = [Target(key, new) for key, new in zip(keys, values, strict=True)]
        return Decision(tuple(writes), tuple(targets))

    if body.dry_run:
        desired = all_.sequencer.desired
        return _dry_run(all_, all_.govern(desired, decide(desired), actor(request)).writes)

    def show(desired: Desired) -> tuple[int, Any, dict[str, str]]:
        keys = [key for key in selector.select(desired) if key in desired.versions]
        return 200, {'items': [views.server(all_.sequencer, key) for key in keys]}, {}

    return await run(request, all_, wait, Plan(f'bulk {_named(sent)}', decide, show, urgent=True))


def _bulk_accesses(body: schemas.Bulk, namespace: str) -> Iterator[Access]:
    """For what would be allowed one by one. Of all backends it needs all namespaces: a refusal must not tell what was found."""
    if body.set.sent():
        yield Access('patch', 'serveroverrides', namespace)
    if body.shutdown_sessions:
        yield Access('create', 'serveroverrides', namespace, 'shutdown')


def _dry_run(all_: Services, writes: Sequence[Write]) -> Response:
    """What would change, by server, with the values before and after."""
    desired = all_.sequencer.desired
    items = []
    for write in desired.effective(writes):
        before = desired.require(write.key)
        after = write.spec or {}
        changed = {name: {'from': before[name], 'to': after[name]} for name in before if before[name] != after[name]}
        items.append({'backend': write.key.backend, 'name': write.key.name, 'changes': changed})
    return JSONResponse({'dryRun': True, 'selected': len(writes), 'items': items})


@router.post('/servers:bulk')
async def bulk(
    request: Request, body: schemas.Bulk,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
) -> Response:  # fmt: skip
    """One change for all selected servers of all backends, at one version."""
    return await all_.remembered.once(request, actor(request), lambda: _bulk(request, all_, wait, body, None))


@router.post('/backends/{backend}/servers:bulk')
async def bulk_of_backend(
    request: Request, backend: str, body: schemas.Bulk,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
) -> Response:  # fmt: skip
    """One change for all selected servers of one backend, at one version."""
    return await all_.remembered.once(request, actor(request), lambda: _bulk(request, all_, wait, body, backend))
