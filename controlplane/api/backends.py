"""Backends: what all their servers have in common, and - in one PUT - the set of their servers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from controlplane.api import schemas, views
from controlplane.api.services import Services, services
from controlplane.api.verbs import Expected, Plan, Wait, etag, expected, one, run, waiting
from controlplane.domain.desired import SCOPE, Desired, Key, Spec, Write, scope_labels
from controlplane.domain.operations import Target
from controlplane.domain.sequencer import Decision, Sequencer

router = APIRouter(prefix='/v1/backends', tags=['backends'])


@router.get('')
async def list_backends(all_: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """Every backend, by name."""
    names = sorted(all_.sequencer.desired.state['backends'])
    return {'items': [views.backend(all_.sequencer, Key('backend', name)) for name in names]}


@router.get('/{backend}')
async def get_backend(backend: str, all_: Annotated[Services, Depends(services)]) -> Response:
    """One backend."""
    desired, key = all_.sequencer.desired, Key('backend', backend)
    desired.require(key)
    return JSONResponse(views.backend(all_.sequencer, key), headers=etag(desired, key))


@router.put('/{backend}')
async def put_backend(
    request: Request, backend: str, body: schemas.Backend,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
    confirm: Annotated[bool, Query(description='yes, remove that many servers at once')] = False,
) -> Response:  # fmt: skip
    """Create or replace. With `servers` the set of servers becomes exactly that; adminState not sent is kept."""
    key, whole, sent = Key('backend', backend), body.whole(), body.sent()
    servers, labels = whole.pop('servers'), scope_labels(whole.pop(SCOPE))

    def decide(desired: Desired) -> Decision:
        condition.check(desired, key)
        writes, targets = [Write(key, whole, labels)], [Target(key, whole)]
        for name, spec in (servers or {}).items():
            server = Key('server', name, backend)
            wire_spec = {field: value for field, value in spec.items() if field != 'labels'}
            merged = kept_state(desired, server, wire_spec, sent['servers'][name])
            writes.append(Write(server, merged, spec['labels']))
            targets.append(Target(server, merged))
        if servers is not None and key in desired.versions:
            gone = [server for server in desired.servers(backend) if server.name not in servers]
            writes += (Write(server, None) for server in gone)
            targets += (Target(server, None) for server in gone)
        return Decision(tuple(writes), tuple(targets), sweeping=not confirm)

    return await run(request, all_, wait, Plan('put backend', decide, lambda _: _shown(all_.sequencer, key), puts=key))


def kept_state(desired: Desired, key: Key, spec: dict[str, Any], sent: Spec) -> dict[str, Any]:
    """A server's spec as it is to be stored: generation kept, and the admin state too unless the body spoke of it."""
    current = desired.spec(key) or {'adminState': 'ready', 'sessionGeneration': 0}
    admin = spec['adminState'] if 'adminState' in sent else current['adminState']
    return {**spec, 'adminState': admin, 'sessionGeneration': current['sessionGeneration']}


def _shown(sequencer: Sequencer, key: Key) -> tuple[int, Any, dict[str, str]]:
    desired = sequencer.desired
    if key not in desired.versions:
        return 204, None, {}  # somebody removed it right after
    return 200, views.backend(sequencer, key), etag(desired, key)


@router.patch('/{backend}')
async def patch_backend(
    request: Request, backend: str, body: schemas.BackendPatch,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Change the fields that are sent."""
    key, sent = Key('backend', backend), body.sent()
    labels = scope_labels(sent.pop(SCOPE)) if SCOPE in sent else None

    def decide(desired: Desired) -> Decision:
        current = desired.require(key)
        condition.check(desired, key)
        values = {**sent}
        if 'timeouts' in sent:
            values['timeouts'] = {**current['timeouts'], **sent['timeouts']}
        return one(key, {**current, **values}, labels, values=values)

    return await run(request, all_, wait, Plan('patch backend', decide, lambda _: _shown(all_.sequencer, key)))


@router.delete('/{backend}')
async def delete_backend(
    request: Request, backend: str,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Remove the backend with its servers."""
    key = Key('backend', backend)

    def decide(desired: Desired) -> Decision:
        desired.require(key)
        condition.check(desired, key)
        return one(key, None)

    return await run(request, all_, wait, Plan('delete backend', decide, lambda _: (204, None, {})))
