"""What can go wrong between us and the API server.

KubeError ── ApiError      the server answered, and the answer is no
          └─ Unreachable   no answer, or none that can be understood: network, TLS, time limit, credentials
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class KubeError(Exception):
    """Base of both; its text is for people."""


class ApiError(KubeError):
    """An answer that is not a success, in the words of its Status document.

    `status` is HTTP's, `reason` the machine's word (AlreadyExists, Conflict, Expired, Forbidden, ...), `retry_after` seconds or
    None, `causes` the reasons in the document's details.
    """

    def __init__(
        self,
        status: int,
        reason: str = '',
        message: str = '',
        retry_after: float | None = None,
        causes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f'{status} {reason}: {message}' if reason else f'{status}: {message}')
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.causes = causes

    @property
    def is_gone(self) -> bool:
        """410: the version asked for is too old to be known."""
        return self.status == 410

    @property
    def is_too_new(self) -> bool:
        """The version asked for has not been yet: the server lags behind, or its data was restored from a backup."""
        return 'ResourceVersionTooLarge' in self.causes

    @property
    def is_conflict(self) -> bool:
        """409 of an object that has changed since it was read (not: of one that exists already)."""
        return self.status == 409 and self.reason != 'AlreadyExists'


class Unreachable(KubeError):
    """The request may or may not have taken effect."""


def from_status(document: Mapping[str, Any], status: int = 0, retry_after: str | None = None) -> ApiError:
    """An error from a Status document: an answer's body, or the object of a watch's ERROR event."""
    details = document.get('details')
    details = details if isinstance(details, dict) else {}
    seconds = _seconds(retry_after)
    if seconds is None:
        seconds = _seconds(details.get('retryAfterSeconds'))
    listed = details.get('causes')
    listed = listed if isinstance(listed, list) else []
    causes = tuple(str(one.get('reason')) for one in listed if isinstance(one, dict))
    code = document.get('code')
    return ApiError(
        status or (code if isinstance(code, int) else 0),
        str(document.get('reason') or ''),
        str(document.get('message') or 'no message'),
        seconds,
        causes,
    )


def from_answer(status: int, body: bytes, retry_after: str | None) -> ApiError:
    """An error from an answer, also from one that some proxy in between gave in its own words."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get('kind') != 'Status':
        text = body[:200].decode(errors='replace').strip()
        return ApiError(status, '', text or 'no message', _seconds(retry_after))
    return from_status(document, status, retry_after)


def _seconds(text: object) -> float | None:
    """Retry-After as seconds; its other form, a date, needs a clock that agrees with the server's and is not used here."""
    if not isinstance(text, str | int | float) or text in {'', 0}:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        return None
