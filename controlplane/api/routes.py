"""Routes: which (host, path prefix) goes to which backend, for frontends with `use-routes`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from controlplane.api import schemas, views
from controlplane.api.services import Services, services
from controlplane.api.verbs import Expected, Plan, Wait, etag, expected, one, run, waiting
from controlplane.domain.desired import Desired, Key
from controlplane.domain.sequencer import Decision

router = APIRouter(prefix='/v1/routes', tags=['routes'])


@router.get('')
async def list_routes(all_: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """Every route, by id."""
    desired = all_.sequencer.desired
    return {'items': [views.route(desired, Key('route', name)) for name in sorted(desired.state['routes'])]}


@router.get('/{route}')
async def get_route(route: str, all_: Annotated[Services, Depends(services)]) -> Response:
    """One route."""
    desired, key = all_.sequencer.desired, Key('route', route)
    desired.require(key)
    return JSONResponse(views.route(desired, key), headers=etag(desired, key))


def _shown(desired: Desired, key: Key) -> tuple[int, Any, dict[str, str]]:
    if key not in desired.versions:
        return 204, None, {}  # somebody removed it right after
    return 200, views.route(desired, key), etag(desired, key)


@router.put('/{route}')
async def put_route(
    request: Request, route: str, body: schemas.Route,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Create or replace. The backend may be one that only the data planes' own files know."""
    key = Key('route', route)

    def decide(desired: Desired) -> Decision:
        condition.check(desired, key)
        return one(key, body.whole())

    return await run(request, all_, wait, Plan('put route', decide, lambda desired: _shown(desired, key), puts=key))


@router.patch('/{route}')
async def patch_route(
    request: Request, route: str, body: schemas.RoutePatch,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Change the fields that are sent."""
    key, sent = Key('route', route), body.sent()

    def decide(desired: Desired) -> Decision:
        current = desired.require(key)
        condition.check(desired, key)
        return one(key, {**current, **sent}, values=sent)

    return await run(request, all_, wait, Plan('patch route', decide, lambda desired: _shown(desired, key)))


@router.delete('/{route}')
async def delete_route(
    request: Request, route: str,
    all_: Annotated[Services, Depends(services)], wait: Annotated[Wait, Depends(waiting)],
    condition: Annotated[Expected, Depends(expected)],
) -> Response:  # fmt: skip
    """Remove."""
    key = Key('route', route)

    def decide(desired: Desired) -> Decision:
        desired.require(key)
        condition.check(desired, key)
        return one(key, None)

    return await run(request, all_, wait, Plan('delete route', decide, lambda _: (204, None, {})))
