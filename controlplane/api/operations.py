"""Operations: what verbs set out to do, to be polled or waited for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse, Response

from controlplane.api import views
from controlplane.api.services import Services, services
from controlplane.api.verbs import Wait, settled, waiting

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
    operation: str, all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)]
) -> Response:
    """One operation. With `?wait=` (any goal; it has its own) it answers when its state is known, or after `timeout`."""
    found = all_.sequencer.convergence.operation(operation)
    if wait.goal is not None:
        await settled(all_, found, wait.seconds)
    return JSONResponse(views.operation(all_.sequencer, found))
