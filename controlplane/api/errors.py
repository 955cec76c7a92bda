"""Every error as a problem document (RFC 9457), whatever raised it. One table says which refusal is which problem."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from controlplane.domain.problems import MEDIA_TYPE, TITLES, problem
from controlplane.domain.refusals import (
    Conflict,
    Fenced,
    Forbidden,
    Held,
    Invalid,
    Managed,
    NotFound,
    PreconditionFailed,
    Refusal,
    ReviewsUnavailable,
    StoreUnavailable,
)

log = logging.getLogger('sluice.api')

SLUGS: dict[type[Refusal], str] = {
    NotFound: 'not-found',
    Invalid: 'invalid',
    Conflict: 'conflict',
    Managed: 'managed',
    Held: 'mass-removal',
    PreconditionFailed: 'precondition-failed',
    StoreUnavailable: 'store-unavailable',
    Fenced: 'store-unavailable',
    Forbidden: 'forbidden',
    ReviewsUnavailable: 'reviews-unavailable',
}


def answer(slug: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """The response of one problem. `code` and `message` repeat it for clients of the Data Plane API."""
    status, document = problem(slug, detail, **more)
    return JSONResponse({**document, 'code': status, 'message': detail}, status, headers, MEDIA_TYPE)


def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    more: dict[str, Any] = {}
    if isinstance(error, Invalid):
        more['errors'] = [{'detail': text} for text in error.problems]
    if isinstance(error, PreconditionFailed) and error.current is not None:
        more['current'] = str(error.current)
    headers = {'Retry-After': str(error.retry_s)} if isinstance(error, ReviewsUnavailable) else None
    return answer(SLUGS[type(error)], str(error), headers, **more)


def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found: Sequence[Any] = error.errors()
    if any(row['type'] == 'json_invalid' for row in found):
        return answer('bad-request', f'The body is not JSON: {found[0].get("ctx", {}).get("error", "")}')
    errors = [{'pointer': '/' + '/'.join(map(str, row['loc'])), 'detail': str(row['msg'])} for row in found]
    detail = '; '.join(f'{row["pointer"]}: {row["detail"]}' for row in errors)
    return answer('invalid', detail[:2000], errors=errors[:100])


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    slug = {404: 'not-found', 405: 'method-not-allowed'}.get(error.status_code)
    if slug is None:
        slug = next((name for name, (status, _) in TITLES.items() if status == error.status_code), 'bad-request')
        return answer(slug, str(error.detail), error.headers)
    return answer(slug, f'{request.method} {request.url.path}', error.headers)


def _failure(request: Request, error: Exception) -> Response:
    log.error('%s %s failed', request.method, request.url.path, exc_info=error)
    return answer('internal', 'The failure was logged.')


def install(app: FastAPI) -> None:
    """Answer everything with problem documents."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failure)
