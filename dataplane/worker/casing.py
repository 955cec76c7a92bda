"""How names of fields are written for programs that take note of it, though they should not (`h1-case-adjust`, manual 3.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Casing:
    """Names in lower case, and how each is to be written; for whoever asks for it by `option h1-case-adjust-bogus-*`."""

    __slots__ = ('_names', '_search')

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._names = {name.encode(): written.encode() for name, written in names}
        known = b'|'.join(re.escape(name) for name in self._names)
        self._search = re.compile(rb'(?<=\n)(?i:' + known + rb')(?=:)')

    def of(self, message: bytes) -> bytes:
        """The message with the names in its head written so; `message` is at least a whole head."""
        end = message.index(b'\r\n\r\n')
        head = self._search.sub(lambda found: self._names[found[0].lower()], message[:end])
        return head + message[end:]
