"""Operations: what verbs set out to do, to be polled or waited for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from controlplane.api import views
from controlplane.api.services import Services, permit, services
from controlplane.api.verbs import Wait, settled, waiting
from controlplane.domain.access import Access, namespace_of
from controlplane.domain.operations import Operation

_MAX_ACCESSES = 8
router = APIRouter(prefix='/v1/operations', tags=['operations'])


@router.get('')
async def list_operations(
    all_: Annotated[Services, Depends(services)], limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """The newest operations, newest first."""
    newest = list(reversed(all_.sequencer.convergence.operations.values()))[:limit]
    return {'items': [views.operation(all_.sequencer, found) for found in newest]}


@router.get('/{operation}')
async def get_operation(
    request: Request, operation: str, all_: Annotated[Services, Depends(services)],
    wait: Annotated[Wait, Depends(waiting)],
) -> Response:  # fmt: skip
    """One operation. With `?wait=` (any goal; it has its own) it answers when its state is known, or after `timeout`."""
    found = all_.sequencer.convergence.operation(operation)
    await permit(request, _accesses(found))
    if wait.goal is not None:
        await settled(all_, found, wait.seconds)
    return JSONResponse(views.operation(all_.sequencer, found))


def _accesses(found: Operation) -> set[Access]:
    """What lets one look at an operation: what lets one look at its targets, or at everything when they are all over the place."""
    kinds = {'server': ('get', 'serveroverrides'), 'backend': ('get', 'backendpolicies')}
    asked = set()
    for key in (target.key for target in found.targets):
        verb, resource = kinds.get(key.kind, ('list', 'backendpolicies'))
        asked.add(Access(verb, resource, '' if key.kind == 'route' else namespace_of(key.backend or key.name)))
    if len(asked) > _MAX_ACCESSES:
        return {Access(access.verb, access.resource) for access in asked}
    return asked
