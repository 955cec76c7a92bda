"""REST calls, and what can go wrong with them in words. Knows no terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from sluicectl.credentials import Bearer, Failed, explained, trust

HEARTBEAT_S = 15.0  # the server says at least so often that it is still there
GRACE_S = 10.0  # beyond what the server was asked to wait
LEADERLESS_S = 45.0  # a lease of 15 s runs out, somebody takes it and reads what is kept
_AGAIN_S = 1.0
_REPEATABLE = frozenset({'GET', 'PUT', 'PATCH', 'DELETE'})  # they set values: done twice is done once


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """PEM files of a connection over TLS, and a file of a token; None: not given."""

    token: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


class Client:
    """One control plane at `url`. `transport` is how it is reached (None: over the network). Failed: a file cannot be used."""

    def __init__(
        self, url: str, token: str | None, transport: httpx.BaseTransport | None = None, files: Files | None = None
    ) -> None:
        self._files = files or Files()
        trusted = trust(self._files.ca, self._files.certificate, self._files.key)
        bearer = Bearer(token, self._files.token)
        try:
            self._http = httpx.Client(base_url=url, auth=bearer, timeout=GRACE_S, transport=transport, verify=trusted)
        except (httpx.InvalidURL, ValueError) as error:
            raise Failed(f'{url!r} is not a URL: {error}') from error
        self._url = url

    def call(self, method: str, path: str, *, wait_s: float = 0.0, **more: Any) -> Any:
        """The answer's document. Failed: a problem document, or no connection.

        While no control plane leads, it is asked again, for as long as a change of leaders may take.
        """
        until = time.monotonic() + LEADERLESS_S
        while True:
            try:
                answer = self._http.request(method, path, timeout=GRACE_S + wait_s, **more)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Failed(f'{self._url} cannot be reached: {explained(error, self._files.ca)}') from error
            if not answer.is_error:
                return answer.json() if answer.content else None
            if method not in _REPEATABLE or not _is_leaderless(answer) or time.monotonic() >= until:
                raise Failed(_problem(answer))
            time.sleep(_AGAIN_S)

    def items(self, path: str) -> list[dict[str, Any]]:
        """The items of a list."""
        found: list[dict[str, Any]] = self.call('GET', path)['items']
        return found

    def events(self, after: str | None, *, follow: bool) -> Iterator[dict[str, Any]]:
        """The log's events, as they happen; without `follow`, until the server has nothing more at once."""
        params = {} if after is None else {'after': after}
        quiet = 4 * HEARTBEAT_S if follow else 1.0
        try:
            with self._http.stream(
                'GET', '/v1/events', params=params, timeout=httpx.Timeout(GRACE_S, read=quiet)
            ) as answer:
                if answer.is_error:
                    answer.read()
                    raise Failed(_problem(answer))
                for line in answer.iter_lines():
                    if line.startswith('data: '):
                        yield json.loads(line.removeprefix('data: '))
        except httpx.ReadTimeout as error:
            if follow:
                raise Failed(f'{self._url}: nothing was heard for {quiet:g} s') from error
        except httpx.HTTPError as error:
            raise Failed(f'{self._url}: the stream of events ended: {explained(error, self._files.ca)}') from error

    def close(self) -> None:
        """Let go of its connections."""
        self._http.close()


def _is_leaderless(answer: httpx.Response) -> bool:
    """Is it the answer of control planes of which none leads at the moment?"""
    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return False
    try:
        return bool(answer.json()['type'] == 'urn:sluice:problem:no-leader')
    except (ValueError, KeyError, TypeError):
        return False


def _problem(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        return f'{document["title"]}: {document["detail"]}'
    except (ValueError, KeyError, TypeError):
        return f'{answer.request.method} {answer.request.url}: {answer.status_code} {answer.reason_phrase}'
