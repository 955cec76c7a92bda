"""Persistence by a cookie (manual 4.2, `cookie`): which server a request asks for, and what its client is told.

One `Jar` per backend and worker knows which server has which value; one `Ticket` per request says what its cookie came to.
Nothing here decides: the server a request asks for becomes its stream's wish, and the board says whether that may be had.
Letters are those of the log (manual 8.5): of the request N I D V E O U, of the response N P D I U R.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final

from dataplane.core.cookie import Cookie, CookieMode
from dataplane.core.dyncookie import cookie_of
from dataplane.core.layout import NOBODY
from dataplane.core.model import Backend, Server
from dataplane.worker.head import Line, RequestHead, ResponseHead

_DAY: Final = 86_400
_DIGITS: Final = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
_DATE: Final = 5
"""Digits of a date: 30 bits, in units of four seconds."""
_CACHEABLE: Final = frozenset((200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501))
_PRIVATE: Final = re.compile(rb'(?i)(?:^|[,\s])(?:private|no-cache|no-store|max-age=0|s-maxage=0)(?=$|[,;\s=])')
_FRESH: Final = re.compile(rb'(?i)(?:^|[,\s])(?:s-maxage|max-age)=')
_GONE: Final = b'Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/'


class Standing(Enum):
    """May a persistent request have a server? DOWN: although it is down or in maintenance."""

    BARRED = 0
    DOWN = 1
    UP = 2


class Ticket:
    """What a request's cookie came to. `server`: the one it asks for (NOBODY: none); dates in seconds, 0: none was given."""

    __slots__ = ('direct', 'first', 'last', 'letter', 'reply', 'server')

    def __init__(self) -> None:
        self.letter = 'N'
        self.reply = 'N'
        self.server = NOBODY
        self.direct = False
        self.first = self.last = 0

    def wants(self, server: int) -> None:
        """The request is persistent on this server, for the sake of this cookie or of anything else."""
        self.server, self.direct = server, True

    def served_by(self, server: int) -> bool:
        """The request goes to `server`. Returns whether it is persistent and that is the one."""
        if self.direct and server != self.server:
            self.direct = False  # redispatched
            if self.letter == 'V':
                self.letter = 'D'
        return self.direct

    def __str__(self) -> str:
        return self.letter + self.reply


class Jar:
    """The cookie of one backend. `members`: its servers by index, in the order of the configuration."""

    def __init__(self, backend: Backend, members: Iterable[tuple[int, Server]]) -> None:
        assert backend.cookie is not None
        self.cookie: Cookie = backend.cookie
        self._name = self.cookie.name.encode()
        self._values: dict[int, bytes] = {}
        self._servers: dict[bytes, list[int]] = {}
        for index, server in members:
            value = cookie_of(backend, server).encode()
            self._values[index] = value
            if value:
                self._servers.setdefault(value, []).append(index)
        self._behind = ''.join(f'; {attribute}' for attribute in self.cookie.attributes).encode()

    # -- the request -------------------------------------------------------------------------------------------------

    def read(self, head: RequestHead, now: int, may: Callable[[int], Standing] | None) -> Ticket:
        """What the request's cookie says at `now` (s). `may` tells how a server that is asked for stands; None: what the cookie
        names does not count.
        """
        ticket = Ticket()
        for line in head.lines(b'cookie'):
            for name, value in _pairs(line.value):
                if name == self._name:
                    self._look_up(ticket, value, now, may)
        return ticket

    def _look_up(self, ticket: Ticket, value: bytes, now: int, may: Callable[[int], Standing] | None) -> None:
        """One occurrence; the first that names a usable server counts."""
        if ticket.direct:
            return
        wanted = value
        if self.cookie.mode is CookieMode.PREFIX:
            wanted = value.partition(b'~')[0]
        else:
            wanted, *dates = value.split(b'|')
            ticket.last, ticket.first = (_date(dates[number]) if number < len(dates) else 0 for number in (0, 1))
            late = self._late(ticket, now)
            if late is not None:
                ticket.letter, ticket.first, ticket.last = late, 0, 0
                return
        if may is None:
            ticket.letter = 'U' if ticket.letter == 'N' else ticket.letter
            return
        found = self._servers.get(wanted, ())
        for index in found:
            standing = may(index)
            if standing is not Standing.BARRED:
                ticket.wants(index)
                ticket.letter = 'V' if standing is Standing.UP else 'D'
                return
        if found:
            ticket.letter = 'D'
        elif ticket.letter == 'N':
            ticket.letter = 'I'

    def _late(self, ticket: Ticket, now: int) -> str | None:
        """The letter for a cookie that is too old; a date beyond tomorrow is taken for one."""
        for date, most, letter in ((ticket.first, self.cookie.maxlife, 'O'), (ticket.last, self.cookie.maxidle, 'E')):
            if date and most and (now - date > most or date - now > _DAY):
                return letter
        return None

    def strip(self, head: RequestHead) -> dict[int, tuple[int, bytes]]:
        """What is changed of the Cookie fields on the way to the server: nothing of it must reach one that does not know it."""
        mode = self.cookie.mode
        if mode is not CookieMode.PREFIX and not (mode is CookieMode.INSERT and self.cookie.indirect):
            return {}
        edits = {}
        for line in head.lines(b'cookie'):
            parts = line.value.split(b';')
            kept = [part for part in map(self._stripped, parts) if part is not None]
            if kept != parts:
                text = b';'.join(kept).strip(b' \t')
                edits[line.start] = (line.end, line.name + b': ' + text + b'\r\n' if text else b'')
        return edits

    def _stripped(self, part: bytes) -> bytes | None:
        """One `name=value` as it goes on; None: it does not."""
        name, found, value = part.partition(b'=')
        if not found or name.strip(b' \t') != self._name:
            return part
        if self.cookie.mode is CookieMode.INSERT:
            return None
        _, found, own = value.partition(b'~')
        return name + b'=' + own if found else part

    # -- the response ------------------------------------------------------------------------------------------------

    def answer(self, head: ResponseHead, ticket: Ticket, method: bytes, server: int, now: int) -> bytes:
        """Change the Set-Cookie fields of `server`'s response; returns the lines to add to it."""
        value, direct = self._values.get(server, b''), ticket.served_by(server)
        for line in head.lines(b'set-cookie'):
            name, found, rest = line.value.partition(b'=')
            if found and name.strip(b' \t') == self._name:
                self._given(head, line, rest, value, ticket, direct=direct)
        if not self._inserts(ticket, method, now, direct=direct):
            return b''
        ticket.reply = 'U' if value and direct else 'I'
        out = b'Set-Cookie: ' + self._name + b'=' + self._written(value, ticket, now) + self._behind + b'\r\n'
        if self.cookie.nocache and _is_cacheable(head, method):
            out += b'Cache-Control: private\r\n'
        return out

    def _given(
        self, head: ResponseHead, line: Line, rest: bytes, value: bytes, ticket: Ticket, *, direct: bool
    ) -> None:  # fmt: skip
        """The server itself sets the cookie."""
        cookie = self.cookie
        ticket.reply = 'P'
        if cookie.preserve:
            return
        if cookie.mode is CookieMode.INSERT or (direct and cookie.indirect):
            head.drop(line.start, line.end)
            ticket.reply = 'D'
        elif value and cookie.mode is CookieMode.REWRITE:
            head.replace(line.start, line.end, line.name + b': ' + self._name + b'=' + value + _after_value(rest))
            ticket.reply = 'R'
        elif value and cookie.mode is CookieMode.PREFIX:
            head.replace(line.start, line.end, line.name + b': ' + self._name + b'=' + value + b'~' + rest)
            ticket.reply = 'R'

    def _inserts(self, ticket: Ticket, method: bytes, now: int, *, direct: bool) -> bool:
        """Is the client to be told its server, or a new date?"""
        cookie = self.cookie
        if cookie.mode is not CookieMode.INSERT or (cookie.preserve and ticket.reply == 'P'):
            return False
        if cookie.postonly and method != b'POST':
            return False
        if not direct:
            return True
        if (cookie.maxidle or ticket.last) and ticket.last < now:
            return True
        return bool(cookie.maxlife) != bool(ticket.first)

    def _written(self, value: bytes, ticket: Ticket, now: int) -> bytes:
        """The value, with its dates: when it was seen last, and - `maxlife` - when it was given first."""
        if not value:
            return b'; ' + _GONE
        if self.cookie.maxidle or self.cookie.maxlife:
            value += b'|' + _digits(now + 3)
            if self.cookie.maxlife:
                value += b'|' + _digits(ticket.first or now + 3)
        return value + b'; path=/'


def _pairs(value: bytes) -> list[tuple[bytes, bytes]]:
    """The cookies of a Cookie field (RFC 6265, 4.2.1)."""
    pairs = []
    for part in value.split(b';'):
        name, found, rest = part.partition(b'=')
        if found:
            pairs.append((name.strip(b' \t'), rest.strip(b' \t')))
    return pairs


def _after_value(rest: bytes) -> bytes:
    """What follows the value of a Set-Cookie field: its attributes."""
    _, found, attributes = rest.partition(b';')
    return found + attributes


def _date(text: bytes) -> int:
    """Seconds of a date in a cookie; 0: it is none."""
    value = 0
    if len(text) < _DATE:
        return 0
    for digit in text[:_DATE]:
        at = _DIGITS.find(digit)
        if at < 0:
            return 0
        value = value << 6 | at
    return value << 2


def _digits(seconds: int) -> bytes:
    value = seconds >> 2
    return bytes(_DIGITS[value >> shift & 63] for shift in (24, 18, 12, 6, 0))


def _is_cacheable(head: ResponseHead, method: bytes) -> bool:
    """Might a cache on the way keep it (as HAProxy judges that for `nocache`)?"""
    if method not in (b'GET', b'HEAD') or head.status not in _CACHEABLE:
        return False
    control = head.values(b'cache-control')
    if any(_PRIVATE.search(value) for value in control) or b'no-cache' in b','.join(head.values(b'pragma')).lower():
        return False
    # without a date of expiry and without a validator none keeps it
    return any(_FRESH.search(value) for value in control) or any(
        head.values(name) for name in (b'expires', b'etag', b'last-modified')
    )
