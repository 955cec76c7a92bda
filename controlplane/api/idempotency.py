"""Idempotency-Key on POST: the same key gives the same answer, and the verb happens once.

Answers are kept for the last `KEPT` keys of this process, as far as `KEPT_BYTES` hold them (the newest always). The same key with another request is refused, and so is a key
whose first request is still under way.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from controlplane.domain.refusals import Conflict, Invalid

KEPT = 1_000
KEPT_BYTES = 16 * 1024 * 1024
MAX_KEY = 255


class Remembered:
    """Answers by (who, key). A request's fingerprint stands with its answer; None: it is still under way."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept, self._kept_bytes, self._bytes = kept, kept_bytes, 0
        self._answers: OrderedDict[tuple[str, str], tuple[str, Response | None]] = OrderedDict()

    async def once(self, request: Request, who: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """Do `work`, or answer as before. Conflict: under way. Invalid: the key was used for another request."""
        key = request.headers.get('idempotency-key')
        if key is None:
            return await work()
        if not 0 < len(key) <= MAX_KEY:
            raise Invalid([f'Idempotency-Key must have 1 to {MAX_KEY} characters'])
        body = hashlib.sha256(await request.body()).hexdigest()
        asked = f'{request.method} {request.url.path}?{request.url.query} {body}'
        known = self._answers.get((who, key))
        if known is not None:
            return self._again(known, asked)
        self._answers[who, key] = (asked, None)
        try:
            answer = await work()
        except BaseException:
            del self._answers[who, key]  # nothing happened, so it may be tried again
            raise
        self._answers[who, key] = (asked, answer)
        self._answers.move_to_end((who, key))  # as old as its answer
        self._bytes += len(answer.body)
        self._trim()
        return answer

    @staticmethod
    def _again(known: tuple[str, Response | None], asked: str) -> Response:
        if known[0] != asked:
            raise Invalid(['Idempotency-Key: it was used for another request'])
        if known[1] is None:
            raise Conflict('The first request with this Idempotency-Key is still under way.')
        answer = Response(known[1].body, known[1].status_code, dict(known[1].headers))
        answer.headers['Idempotency-Replayed'] = 'true'
        return answer

    def _trim(self) -> None:
        for key, (_, answer) in tuple(self._answers.items())[:-1]:
            if len(self._answers) <= self._kept and self._bytes <= self._kept_bytes:
                return
            if answer is not None:
                self._bytes -= len(answer.body)
                del self._answers[key]
