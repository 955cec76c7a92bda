"""Data planes: which are known, how far each one is, and what its last barrier cost."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from controlplane.api import views
from controlplane.api.services import Services, services
from controlplane.domain.refusals import NotFound

router = APIRouter(prefix='/v1/dataplanes', tags=['data planes'])


@router.get('')
async def list_dataplanes(all_: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """Every known data plane, connected or not; `head` is what all of them are to reach, `tail` the oldest event's base."""
    planes = sorted(all_.sequencer.convergence.planes.values(), key=lambda plane: plane.id)
    log = all_.sequencer.log
    items = [views.dataplane(all_.sequencer, plane) for plane in planes]
    return {'head': str(log.head), 'tail': str(log.tail), 'items': items}


@router.post(':release')
async def release(all_: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """Your word that what is desired here is meant, although data planes hold what this store knows nothing of: they lose it."""
    return {'released': await asyncio.shield(all_.sequencer.release())}


@router.get('/{dataplane}')
async def get_dataplane(dataplane: str, all_: Annotated[Services, Depends(services)]) -> Response:
    """One data plane."""
    plane = all_.sequencer.convergence.planes.get(dataplane)
    if plane is None:
        raise NotFound(f'There is no data plane {dataplane}.')
    return JSONResponse(views.dataplane(all_.sequencer, plane))


@router.delete('/{dataplane}')
async def forget_dataplane(dataplane: str, all_: Annotated[Services, Depends(services)]) -> Response:
    """Your word that it is gone and carries no traffic: nobody waits for it any more. Refused while it is connected."""
    await asyncio.shield(all_.sequencer.dismiss(dataplane))
    return Response(status_code=204)
