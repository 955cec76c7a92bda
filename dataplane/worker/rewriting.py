"""A head as a list of fields, for rules that change it; and back into the bytes of a head that the rest of the worker knows.

What must not be forwarded (scan.py, head.py) stays seen and stays unforwarded, whatever rules do around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.rules.view import Fields
    from dataplane.worker.head import Head

Edits = dict[int, tuple[int, bytes]]
_FORWARDED: Final = True
_OURS: Final = frozenset((b'content-length', b'transfer-encoding', b'connection'))
_BLANKS: Final = bytes.maketrans(b'\r\n\0', b'   ')


class _Line:
    """One field: its line without CRLF, its name in lower case, and whether it is forwarded."""

    __slots__ = ('forwarded', 'name', 'text', 'value')

    def __init__(self, text: bytes, *, forwarded: bool) -> None:
        name, _, value = text.partition(b':')
        self.text = text
        self.name = name.lower()
        self.value = value.strip(b' \t')
        self.forwarded = forwarded


class Rewriting:
    """The fields of one head while rules change them. Nothing is written back before `finish`."""

    __slots__ = ('_fields', '_head', '_lines')

    def __init__(self, head: Head, edits: Edits) -> None:
        self._head = head
        self._lines = _lines(head.raw, edits)
        self._fields: list[tuple[bytes, bytes]] | None = None

    @property
    def fields(self) -> Fields:
        """What rules see."""
        if self._fields is None:
            self._fields = [(line.name, line.value) for line in self._lines]
        return self._fields

    def put(self, name: bytes, value: bytes, *, alone: bool) -> None:
        """Add a field behind all others; `alone`: instead of those of its name."""
        if alone:
            self._lines = [line for line in self._lines if line.name != name]
        self._lines.append(_Line(name + b': ' + clean(value), forwarded=_FORWARDED))
        self._fields = None

    def delete(self, matches: Callable[[bytes], bool]) -> None:
        """Take away every field whose name matches; those that say how long the message is are not to be had."""
        self._lines = [line for line in self._lines if line.name in _OURS or not matches(line.name)]
        self._fields = None

    def restore(self, matches: Callable[[bytes], bool]) -> None:
        """Forward the fields whose names match, also those that were not to be."""
        for line in self._lines:
            line.forwarded = line.forwarded or matches(line.name)

    def replace(self, name: bytes, change: Callable[[bytes], bytes | None]) -> None:
        """Give the fields of that name the value that `change` makes of theirs, None where it stays."""
        for line in self._lines:
            if line.name == name:
                value = change(line.value)
                if value is not None:
                    line.text, line.value = line.text.partition(b':')[0] + b': ' + clean(value), value
                    self._fields = None

    def finish(self, start: bytes) -> tuple[bytes, Edits]:
        """The bytes of the head behind this start line, and what of it is not forwarded."""
        pieces, edits, at = [start, b'\r\n'], Edits(), len(start) + 2
        for line in self._lines:
            end = at + len(line.text) + 2
            if not line.forwarded:
                edits[at] = (end, b'')
            pieces += (line.text, b'\r\n')
            at = end
        pieces.append(b'\r\n')
        return b''.join(pieces), edits


def clean(value: bytes) -> bytes:
    """A field's value without what would end its line."""
    return value.translate(_BLANKS) if value.translate(None, b'\r\n\0') != value else value


def _lines(raw: bytes, edits: Edits) -> list[_Line]:
    """The fields with what edits have made of them; what they drop is there, but not forwarded."""
    lines, at, last = [], raw.index(b'\n') + 1, len(raw) - 2
    while at < last:
        end = raw.index(b'\r\n', at) + 2
        edit = edits.get(at)
        if edit is None:
            lines.append(_Line(raw[at : end - 2], forwarded=_FORWARDED))
        elif edit[1]:
            lines.append(_Line(edit[1][:-2], forwarded=_FORWARDED))
        else:
            lines.append(_Line(raw[at : end - 2], forwarded=False))
        at = end
    if last in edits:  # a Host field of the target's own, behind all others
        lines.append(_Line(edits[last][1][:-2], forwarded=_FORWARDED))
    return lines


def fields_of(head: Head) -> list[tuple[bytes, bytes]]:
    """The fields as they came, names in lower case."""
    lines = [line.partition(b':') for line in head.raw.split(b'\r\n')[1:] if line]
    return [(name.lower(), value.strip(b' \t')) for name, _, value in lines]
