"""REST calls, and what can go wrong with them in words. Knows no terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

HEARTBEAT_S = 15.0  # the server says at least so often that it is still there
GRACE_S = 10.0  # beyond what the server was asked to wait


class Failed(Exception):
    """The control plane said no, or did not answer; the text is for people."""


class Client:
    """One control plane at `url`. `transport` is how it is reached (None: over the network)."""

    def __init__(self, url: str, token: str | None, transport: httpx.BaseTransport | None = None) -> None:
        if token is not None and not (token.isascii() and token.isprintable()):
            raise Failed('the token holds characters that no token has')
        headers = {} if token is None else {'Authorization': f'Bearer {token}'}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=GRACE_S, transport=transport)
        except (httpx.InvalidURL, ValueError) as error:
            raise Failed(f'{url!r} is not a URL: {error}') from error
        self._url = url

    def call(self, method: str, path: str, *, wait_s: float = 0.0, **more: Any) -> Any:
        """The answer's document. Failed: a problem document, or no connection."""
        try:
            answer = self._http.request(method, path, timeout=GRACE_S + wait_s, **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failed(f'{self._url} cannot be reached: {error}') from error
        if answer.is_error:
            raise Failed(_problem(answer))
        return answer.json() if answer.content else None

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
            raise Failed(f'{self._url}: the stream of events ended: {error}') from error

    def close(self) -> None:
        """Let go of its connections."""
        self._http.close()


def _problem(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        return f'{document["title"]}: {document["detail"]}'
    except (ValueError, KeyError, TypeError):
        return f'{answer.request.method} {answer.request.url}: {answer.status_code} {answer.reason_phrase}'
