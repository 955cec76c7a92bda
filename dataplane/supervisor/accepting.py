"""Who accepts in which socket: every worker in its own, and in those of who cannot, one of those who serve.

Sockets outlive workers and are never closed while connections may wait in them (`dataplane.supervisor.listeners`). So whoever is away
for long, or for good, has its sockets *lent*: a worker that serves accepts what waits there, beside its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from dataplane.supervisor.listeners import Listener, Listeners
from dataplane.wire.framing import Message

Send = Callable[[int, Message, Sequence[int]], Any]


class Accepting:
    """One per supervisor. `send(worker, message, descriptors)` reaches the workers."""

    def __init__(self, listeners: Listeners, send: Send) -> None:
        self._listeners = listeners
        self._send = send
        self._lent: dict[int, int] = {}

    def __repr__(self) -> str:
        return f'<Accepting lent={self._lent}>'

    def listen(self, listeners: Sequence[Listener], workers: Collection[int]) -> None:
        """Have these workers accept on these listeners, for the frontends that own them: in their own sockets and in those lent to them."""
        staying = [listener for listener in listeners if not listener.is_going]
        for worker in workers:
            for listener in staying:
                self._tell(worker, listener, worker)
        for absent, worker in self._lent.items():
            if worker in workers:
                self._lend(absent, worker, staying)

    def keys(self, listeners: Sequence[Listener]) -> list[str]:
        """All names that workers know these listeners by."""
        return [_key(listener, None) for listener in listeners] + [
            _key(listener, absent) for listener in listeners for absent in self._lent
        ]

    def adjust(self, steer: Sequence[int], serving: Sequence[int], absent: Collection[int]) -> None:
        """New connections go to `steer`; those `serving` also accept in the sockets of the `absent`."""
        self._listeners.steer(steer)
        for number, worker in tuple(self._lent.items()):
            if worker not in serving:
                del self._lent[number]  # it has closed them, or is no more
            elif number not in absent:
                del self._lent[number]
                keys = [_key(listener, number) for listener in self._listeners.all]
                self._send(worker, {'op': 'unlisten', 'keys': keys, 'question': 0}, ())
        for number in sorted(absent):
            if serving and number not in self._lent:
                self._lent[number] = serving[0]
                self._lend(number, serving[0], self._listeners.all)

    def left(self, worker: int) -> None:
        """It died; what was lent to it can be lent again."""
        self._lent = {number: to for number, to in self._lent.items() if to != worker}

    def _lend(self, absent: int, worker: int, listeners: Sequence[Listener]) -> None:
        for listener in listeners:
            if not listener.shared and not listener.is_going:
                self._tell(worker, listener, absent)

    def _tell(self, worker: int, listener: Listener, owner: int) -> None:
        key = _key(listener, None if owner == worker else owner)
        message = {'op': 'listen', 'key': key, 'frontend': listener.frontend}
        self._send(worker, message, (listener.of(owner).fileno(),))


def _key(listener: Listener, absent: int | None) -> str:
    """What a worker knows its own socket by, and that of worker `absent`."""
    return listener.key if absent is None else f'{listener.key} of worker {absent}'
