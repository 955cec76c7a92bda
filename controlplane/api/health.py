"""Whether the control plane lives, and whether it knows the world. Neither needs a token."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from controlplane.api.services import Services, services

router = APIRouter(tags=['health'])


@router.get('/livez')
@router.get('/healthz')
async def healthz() -> dict[str, Any]:
    """It answers, so it lives."""
    return {'status': 'ok'}


@router.get('/readyz')
async def readyz(all_: Annotated[Services, Depends(services)]) -> Response:
    """503 while it is going away, or when another control plane has taken over its store. It listens only once it is loaded."""
    if all_.stopping.is_set():
        return JSONResponse({'status': 'stopping'}, 503)
    if (standing := all_.standing()) is not None:
        return JSONResponse(dict(standing[1]), standing[0])
    if all_.sequencer.fenced is not None:
        return JSONResponse({'status': 'fenced', 'detail': all_.sequencer.fenced}, 503)
    version = str(all_.sequencer.log.head)
    if all_.sequencer.holding_back:
        # ready all the same: whoever is to set it right must be able to reach it
        held = sorted(plane.id for plane in all_.sequencer.convergence.planes.values() if plane.held_back)
        return JSONResponse({'status': 'holding-back', 'version': version, 'heldBack': held})
    return JSONResponse({'status': 'ok', 'version': version})
