"""The hello of an agent that speaks SPOP, as a check reads it (SPOE.txt of HAProxy's documentation, 3.2.4, 3.2.5, 3.3). Pure."""

from __future__ import annotations

import re
from typing import Final

from dataplane.core.checks import SPOP_FRAME

_SMALLEST: Final = 256
_AGENT_HELLO, _AGENT_DISCONNECT = 101, 102
_WHOLE: Final = 1
_HEAD: Final = 7
"""Bytes: the type of the frame, its flags, and two identifiers, each of one byte, since they are 0."""
_NULL, _BOOL, _INTEGERS, _IPV4, _IPV6, _TEXTS = 0, 1, (2, 3, 4, 5), 6, 7, (8, 9)
_VERSION: Final = re.compile(rb'\s*([0-9]{1,6})\.([0-9]{1,6})\s*')

_INVALID: Final = 'invalid frame received'
_REASONS: Final = {
    0: 'normal', 1: 'I/O error', 2: 'a timeout occurred', 3: 'frame is too big', 4: _INVALID,
    5: 'version value not found', 6: 'max-frame-size value not found', 7: 'capabilities value not found',
    8: 'unsupported version', 9: 'max-frame-size too big or too small',
    10: 'fragmentation not supported', 11: 'invalid interlaced frames', 12: 'frame-id not found', 13: 'resource allocation error',
}  # fmt: skip
_UNKNOWN: Final = 'an unknown error occurred'


class Faulty(Exception):
    """The agent is of no use; the text says why."""


class _Items:
    """What a frame says, key by key. Everything it reads is checked against its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        if not self:
            raise Faulty(_INVALID)
        self._at += 1
        return self._data[self._at - 1]

    def number(self) -> int:
        """A number of one byte below 240, else of more, each of seven bits but the first of four."""
        value = self.byte()
        if value < 240:
            return value
        shift = 4
        while True:
            more = self.byte()
            value += more << shift
            shift += 7
            if more < 128 or shift > 60:
                return value

    def text(self) -> bytes:
        """A length and so many bytes."""
        length = self.number()
        begin, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise Faulty(_INVALID)
        return self._data[begin : self._at]

    def value(self) -> bytes | int | None:
        """A value of any type: a text, a number, or nothing of interest."""
        kind = self.byte() & 0x0F
        if kind in _TEXTS:
            return self.text()
        if kind in _INTEGERS:
            return self.number()
        if kind not in (_NULL, _BOOL, _IPV4, _IPV6):
            raise Faulty(_INVALID)
        for _ in range({_IPV4: 4, _IPV6: 16}.get(kind, 0)):
            self.byte()
        return None


def read_hello(frame: bytes) -> None:
    """Nothing of it is kept. Raises Faulty unless it is a hello with a version and a size of frames that are supported."""
    kind = frame[0] if frame else 0
    if kind == _AGENT_DISCONNECT:
        raise Faulty(_disconnected(frame))
    if kind != _AGENT_HELLO or len(frame) < _HEAD:
        raise Faulty(_INVALID)
    if not int.from_bytes(frame[1:5], 'big') & _WHOLE:
        raise Faulty(_REASONS[10])
    if frame[5] or frame[6]:
        raise Faulty(_INVALID)
    found = _items(frame)
    if 'version' not in found:
        raise Faulty(_REASONS[5])
    if 'max-frame-size' not in found:
        raise Faulty(_REASONS[6])


def _items(frame: bytes) -> set[str]:
    """The names of what it says, of which what must be right is."""
    items, found = _Items(frame[_HEAD:]), set()
    while items:
        key = items.text()
        value = items.value() if key else None
        if key.startswith(b'version'):
            if not isinstance(value, bytes):
                raise Faulty(_INVALID)
            version = _VERSION.fullmatch(value)
            if version is None or (int(version[1]), int(version[2])) != (2, 0):
                raise Faulty(_REASONS[8])
            found.add('version')
        elif key.startswith(b'max-frame-size'):
            if not isinstance(value, int):
                raise Faulty(_INVALID)
            if not _SMALLEST <= value <= SPOP_FRAME:
                raise Faulty(_REASONS[9])
            found.add('max-frame-size')
        elif not key or (key.startswith(b'capabilities') and not isinstance(value, bytes)):
            raise Faulty(_INVALID)
    return found


def _disconnected(frame: bytes) -> str:
    """Why an agent says that it leaves."""
    items, code = _Items(frame[_HEAD:]), 0
    try:
        while items:
            key, value = items.text(), items.value()
            if key == b'status-code' and isinstance(value, int):
                code = value
    except Faulty:
        return _INVALID
    return _REASONS.get(code, _UNKNOWN)
