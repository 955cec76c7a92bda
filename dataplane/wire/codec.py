"""Messages to JSON text frames and back, with their limits, and snapshots to several frames and back.

A frame is one WebSocket text message of at most `MAX_FRAME` bytes. What is decoded is only what the receiving side
expects (`FROM_DATAPLANE` or `FROM_CONTROLPLANE`); everything else is a ValueError that says what was wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Never

from dataplane.wire.events import (
    Ack,
    Drained,
    Event,
    Goodbye,
    Hello,
    Inventory,
    Lease,
    Message,
    Nack,
    Renew,
    Snapshot,
    Status,
)
from dataplane.wire.state import Change, State, canonical, diff, digest, empty, fold

MAX_FRAME = 4 * 1024 * 1024
MAX_CHUNKS = 64
_HEADROOM = 64 * 1024  # envelope and separators of a snapshot's frame

Expected = Mapping[str, type[Message]]
FROM_DATAPLANE: Expected = MappingProxyType(
    {kind.TYPE: kind for kind in (Hello, Inventory, Ack, Nack, Status, Drained, Renew, Goodbye)}
)
FROM_CONTROLPLANE: Expected = MappingProxyType({kind.TYPE: kind for kind in (Snapshot, Event, Lease, Goodbye)})


def encode(message: Message) -> str:
    """One frame. ValueError: it would be larger than MAX_FRAME (an event too large is sent as a snapshot instead)."""
    text = canonical(message.to_dict())  # ASCII only, so characters are bytes
    if len(text) > MAX_FRAME:
        raise ValueError(f'{message.TYPE}: {len(text)} bytes are more than a frame may hold ({MAX_FRAME})')
    return text


def decode(frame: str | bytes, expected: Expected) -> Message:
    """The message in a frame. ValueError: too large, not JSON, of a type not expected here, or a field is wrong."""
    if len(frame) > MAX_FRAME:
        raise ValueError(f'a frame of {len(frame)} is larger than {MAX_FRAME} bytes')
    try:
        document = _STRICT.decode(frame if isinstance(frame, str) else frame.decode())
    except RecursionError:
        raise ValueError('the frame is nested too deeply') from None
    except UnicodeDecodeError as error:
        raise ValueError(f'the frame is not UTF-8: {error.reason} at byte {error.start}') from None
    except json.JSONDecodeError as error:
        raise ValueError(f'the frame is not JSON: {error}') from None
    if not isinstance(document, dict):
        raise ValueError(f'a frame must be an object, not {type(document).__name__}')
    kind = expected.get(str(document.get('type')))
    if kind is None:
        raise ValueError(f'a frame of type {document.get("type")!r:.80} is not expected here')
    return kind.from_dict(document)


def _no_float(text: str) -> Never:
    raise ValueError(f'numbers must be whole: {text:.80}')


_STRICT = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)


def chunked(term: int, seq: int, state: State, limit: int = MAX_FRAME) -> Iterator[str]:
    """The frames of a snapshot, each at most `limit` bytes (at least 128 KiB, so that any one change fits)."""
    parts = list(_parts(diff(empty(), state), limit - _HEADROOM))
    state_hash = digest(state)
    for number, changes in enumerate(parts):
        yield encode(
            Snapshot(term=term, seq=seq, chunk=number, chunks=len(parts), changes=tuple(changes), state_hash=state_hash)
        )


def _parts(changes: Sequence[Change], room: int) -> Iterator[list[Change]]:
    part: list[Change] = []
    used = 0
    for change in changes:
        size = len(canonical(change)) + 1
        if part and used + size > room:
            yield part
            part, used = [], 0
        part.append(change)
        used += size
    yield part


class Assembler:
    """Collects the frames of a snapshot. Frames must arrive in order; a frame with chunk 0 begins anew."""

    __slots__ = ('_chunks', '_hash', '_next', '_state', '_version')

    def __init__(self) -> None:
        self._state: State = empty()
        self._version = (0, 0)
        self._next = 0
        self._chunks = 0
        self._hash = ''

    def add(self, part: Snapshot) -> State | None:
        """The whole state after its last frame, None before. ValueError: out of order, malformed, or the hash differs."""
        if part.chunk == 0:
            self._state, self._version, self._next = empty(), (part.term, part.seq), 0
            self._chunks, self._hash = part.chunks, part.state_hash
        if (part.term, part.seq) != self._version or part.chunk != self._next or part.state_hash != self._hash:
            raise ValueError(f'snapshot {part.term}.{part.seq}: frame {part.chunk} is out of order')
        if part.chunks != self._chunks or not part.chunk < part.chunks <= MAX_CHUNKS:
            raise ValueError(f'snapshot {part.term}.{part.seq}: frame {part.chunk} of {part.chunks} cannot be')
        self._state = fold(self._state, part.changes)
        self._next += 1
        if self._next < self._chunks:
            return None
        state, self._state, self._next = self._state, empty(), 0
        if digest(state) != part.state_hash:
            raise ValueError(f'snapshot {part.term}.{part.seq}: the state does not have the hash it was sent with')
        return state


def same(document: Any) -> bool:
    """True for the snapshot without frames: the receiver already holds this state and only takes the version."""
    return isinstance(document, Snapshot) and document.chunks == 0
