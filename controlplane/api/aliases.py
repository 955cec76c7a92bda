"""The Data Plane API's runtime servers, so that scripts written for it work: same paths, same words.

Differences that are meant: a PUT changes all its fields at one version, under the barrier, or none; it is answered once
durable, or with `?wait=acked|drained` once it is true. There is no operational state: each data plane reports its own,
in `status.states` of the server under `/v1/`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from controlplane.api import schemas
from controlplane.api.services import Services, services
from controlplane.api.verbs import Expected, Plan, Wait, etag, expected, one, run, waiting
from controlplane.domain.desired import Desired, Key
from controlplane.domain.refusals import Invalid
from controlplane.domain.sequencer import Decision

router = APIRouter(prefix='/v3/services/haproxy/runtime/backends/{backend}/servers', tags=['Data Plane API'])
_NAMES = {'admin_state': 'adminState', 'maxconn': 'maxConn'}


def _view(desired: Desired, key: Key) -> dict[str, Any]:
    spec = desired.require(key)
    names = [server.name for server in desired.servers(key.backend)]
    return {
        'id': str(names.index(key.name) + 1),
        'name': key.name,
        'backend_name': key.backend,
        'address': spec['address'],
        'port': spec['port'],
        'admin_state': spec['adminState'],
        'weight': spec['weight'],
        'uweight': spec['weight'],
        'maxconn': spec['maxConn'],
        'minconn': spec['minConn'],
        'maxqueue': spec['maxQueue'],
    }


@router.get('')
async def runtime_servers(backend: str, all_: Annotated[Services, Depends(services)]) -> list[dict[str, Any]]:
    """A plain list, as that API answers it."""
    desired = all_.sequencer.desired
    return [_view(desired, key) for key in desired.servers(backend)]


@router.get('/{server}')
async def runtime_server(backend: str, server: str, all_: Annotated[Services, Depends(services)]) -> Response:
    """One server."""
    desired, key = all_.sequencer.desired, Key('server', server, backend)
    desired.require(key)
    return JSONResponse(_view(desired, key), headers=etag(desired, key))


@router.put('/{server}')
async def replace_runtime_server(
    request: Request, backend: str, server: str, body: schemas.RuntimeServer,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Set the fields that are sent, e.g. {"admin_state": "drain"}."""
    key = Key('server', server, backend)
    sent = {_NAMES.get(name, name): value for name, value in body.sent().items()}
    if not sent:
        raise Invalid(['give at least one of admin_state, weight, address, port, maxconn'])

    def decide(desired: Desired) -> Decision:
        current = desired.require(key)
        condition.check(desired, key)
        return one(key, {**current, **sent}, values=sent)

    def show(desired: Desired) -> tuple[int, Any, dict[str, str]]:
        return (200, _view(desired, key), etag(desired, key)) if key in desired.versions else (204, None, {})

    return await run(request, all_, wait, Plan('runtime server', decide, show, urgent=True))
