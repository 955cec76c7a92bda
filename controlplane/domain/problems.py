"""Problem documents (RFC 9457): what every error is answered with, whoever answers it."""

from __future__ import annotations

from typing import Any

MEDIA_TYPE = 'application/problem+json'

TITLES = {
    'bad-request': (400, 'The request cannot be understood'),
    'unauthorized': (401, 'It is not known who asks'),
    'forbidden': (403, 'This is not allowed'),
    'not-found': (404, 'There is no such thing'),
    'method-not-allowed': (405, 'The method is not for this resource'),
    'timeout': (408, 'The request did not arrive in time'),
    'conflict': (409, 'The request contradicts the present state'),
    'managed': (409, 'This is not set here but follows from what is kept elsewhere'),
    'superseded': (409, 'Something contrary was asked for meanwhile'),
    'mass-removal': (409, 'Too many servers would be removed at once'),
    'precondition-failed': (412, 'The resource is not at the expected version'),
    'too-large': (413, 'The body is too large'),
    'unsupported-media-type': (415, 'The body must be JSON'),
    'misdirected': (421, 'This host name is not served here'),
    'invalid': (422, 'The request is well-formed but wrong'),
    'internal': (500, 'The control plane failed'),
    'reviews-unavailable': (503, 'Whether this is allowed cannot be found out now'),
    'no-leader': (503, 'No control plane leads at the moment'),
    'store-unavailable': (507, 'The change could not be made durable, so it was not made'),
}


def problem(slug: str, detail: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """(status, document) of a problem named in TITLES; `more` are its extension members."""
    status, title = TITLES[slug]
    return status, {'type': f'urn:sluice:problem:{slug}', 'title': title, 'status': status, 'detail': detail, **more}
