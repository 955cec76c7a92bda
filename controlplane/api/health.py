"""Whether the control plane lives, and whether it knows the world. Neither needs a token."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from controlplane.api.services import Services, services

router = APIRouter(tags=['health'])


@router.get('/healthz')
async def healthz() -> dict[str, Any]:
    """It answers, so it lives."""
    return {'status': 'ok'}


@router.get('/readyz')
async def readyz(all_: Annotated[Services, Depends(services)]) -> Response:
    """503 while it is going away. It listens only after its store was loaded, so there is no other way to be unready."""
    if all_.stopping.is_set():
        return JSONResponse({'status': 'stopping'}, 503)
    return JSONResponse({'status': 'ok', 'version': str(all_.sequencer.log.head)})
