"""Rules as plain data: what a proxy notes of a message, and the lines that its log has (configuration manual, 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataplane.rules.model import Format


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a captured value of at most `length` bytes; `header`: the field it is taken from, unless a rule fills it."""

    length: int
    header: str = ''


@dataclass(frozen=True, slots=True)
class Formats:
    """What a proxy's log lines look like, and what is noted for them. None: not of its own.

    `line` and `data` stand for `log-format` and `log-format-sd`, `error` for `error-log-format`; `unique_header`: where servers are told the unique id; `cookie`: the
    beginning of a cookie's name, and how much of it and its value is kept.
    """

    line: Format | None = None
    data: Format | None = None
    error: Format | None = None
    unique_id: Format | None = None
    unique_header: str = ''
    cookie: Slot | None = None


NO_FORMATS = Formats()
