"""Watch streams are one JSON document per line: cutting bytes into lines, however they arrive.

Not the HTTP library's readline, whose limit of 4 MiB an object may exceed: annotations, managed fields and a thousand
endpoints add up. The limit here only says that no line may eat the memory: etcd takes 1.5 MiB for an object by default, and
an API server's own limit for a request is 3 MiB.
"""

from __future__ import annotations

from typing import Final

MAX_LINE: Final = 64 * 1024 * 1024


class LineTooLong(ValueError):
    """A line is longer than MAX_LINE bytes."""


class Lines:
    """`feed` bytes, get the lines that they complete, without their line ends and without empty ones."""

    def __init__(self, longest: int = MAX_LINE) -> None:
        self._longest = longest
        self._begun: list[bytes] = []
        self._size = 0

    @property
    def begun(self) -> int:
        """Bytes of a line whose end has not come. Above 0 when a stream ends: it was cut off."""
        return self._size

    def feed(self, data: bytes) -> list[bytes]:
        """LineTooLong: and nothing of it may be used. Each byte is looked at once, whatever the line's length."""
        first, *more = data.split(b'\n')
        self._begun.append(first)
        self._size += len(first)
        if self._size > self._longest or any(len(line) > self._longest for line in more):
            raise LineTooLong(f'a line of more than {self._longest} bytes')
        if not more:
            return []
        lines = [b''.join(self._begun), *more[:-1]]
        self._begun = [more[-1]]
        self._size = len(more[-1])
        return [line for line in lines if line.strip()]
