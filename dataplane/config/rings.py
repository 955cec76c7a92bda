"""config: `ring` sections (configuration manual 3.9) and the `log` lines that name a ring.

A section may follow the lines that name it, so what they have of it - the format of its lines, and how long these may be - is put
in when all files are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from dataplane.config.address import parse_server
from dataplane.config.naming import check_name
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.config.values import parse_size, parse_time
from dataplane.core.rings import EVENTS, PREFIX, SIZE, RingSection, RingServer
from dataplane.wire.syslog import FORMATS
from dataplane.wire.unixhost import is_unix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dataplane.config.problems import Report
    from dataplane.config.reader import Line
    from dataplane.core.model import LogTarget

_EVENTS: Final = RingSection(name=EVENTS, description='in-memory ring buffer', format='timed')
_TAKEN: Final = ('stdout', 'stderr', EVENTS)
_SMALLEST: Final = 1_024
_PROTOCOLS: Final = ('legacy', 'octet-count')
_ONLY: Final = "only 'log-proto' is supported of the words of a server"


@dataclass(slots=True)
class _Draft:
    name: str
    where: str
    values: dict[str, object] = field(default_factory=dict)
    size: int = SIZE
    maxlen: int = SIZE
    servers: list[RingServer] = field(default_factory=list)


class Rings:
    """Reads all `ring` sections."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._drafts: dict[str, _Draft] = {}
        self._current = _Draft('', '')
        self._mentions: list[tuple[str, str, Line]] = []
        self._handlers: dict[str, Callable[[Line], None]] = {
            'description': self._description,
            'format': self._format,
            'maxlen': self._maxlen,
            'server': self._server,
            'size': self._size,
            'timeout': self._timeout,
        }

    def open(self, line: Line) -> None:
        """A line `ring NAME`. Raises Rejected."""
        name = line.word(1)
        self._current = _Draft(name, line.where)
        if not name:
            raise Rejected('missing ring name.')
        check_name(name, "'ring'")
        line.at_most(1)
        if name in self._drafts or name in _TAKEN:
            msg = f"sink named '{name}' already exists."
            raise Rejected(msg)
        self._drafts[name] = self._current

    def parse(self, line: Line) -> None:
        """A line of the section that was opened last. Raises Rejected."""
        word = line.words[0]
        if word == 'backing-file':
            raise Rejected("'backing-file' is not supported: what a ring keeps ends with the process.")
        handler = self._handlers.get(word)
        if handler is None:
            msg = f"unknown keyword '{shown(word)}' in 'ring' section{did_you_mean(word, self._handlers)}"
            raise Rejected(msg)
        handler(line)

    def _description(self, line: Line) -> None:
        if not line.word(1):
            raise Rejected('missing ring description text.')
        line.at_most(1)
        self._current.values['description'] = line.word(1)

    def _format(self, line: Line) -> None:
        line.at_most(1)
        if line.word(1) not in FORMATS:
            msg = f"unknown format '{shown(line.word(1))}'."
            raise Rejected(msg)
        self._current.values['format'] = line.word(1)

    def _maxlen(self, line: Line) -> None:
        line.at_most(1)
        self._current.maxlen = parse_size(line.word(1), 'maxlen', 1)

    def _size(self, line: Line) -> None:
        line.at_most(1)
        self._current.size = parse_size(line.word(1), 'size', _SMALLEST)

    def _timeout(self, line: Line) -> None:
        which = line.word(1)
        if which not in ('connect', 'server'):
            msg = f"'timeout' supports 'connect' and 'server' in 'ring' sections (got '{shown(which)}')."
            raise Rejected(msg)
        line.at_most(2)
        self._current.values[which] = parse_time(line.word(2), f'timeout {which}') or None

    def _server(self, line: Line) -> None:
        name, address = line.word(1), line.word(2)
        if not name or not address:
            raise Rejected("'server' expects <name> and <addr>[:<port>] as arguments.")
        check_name(name, 'server')
        prefix = f"'server {self._current.name}/{name}'"
        words, octets = line.words[3:], False
        while words:
            if words[0] != 'log-proto':
                msg = f"{prefix} : '{shown(words[0])}' is not supported: {_ONLY}."
                raise Rejected(msg)
            if len(words) < 2 or words[1] not in _PROTOCOLS:
                msg = f"{prefix} : 'log-proto' expects one of 'legacy' or 'octet-count' arguments."
                raise Rejected(msg)
            octets, words = words[1] == 'octet-count', words[2:]
        place = parse_server(address)
        if not place.low and not is_unix(place.host):
            msg = f'{prefix} : an address with a port, or of a unix socket, is needed.'
            raise Rejected(msg)
        if any(server.name == name for server in self._current.servers):
            msg = f"another server named '{name}' was already defined in ring '{self._current.name}', please use distinct names."
            raise Rejected(msg)
        self._current.servers.append(RingServer(name=name, host=place.host, port=place.low, octets=octets))

    def mention(self, line: Line, whose: str) -> None:
        """A `log` line names a ring; `whose`: where it stands, in HAProxy's words."""
        if name := line.word(1).removeprefix(PREFIX):
            self._mentions.append((name, whose, line))

    def settle(self, lists: Iterable[list[LogTarget]]) -> None:
        """Put into `log` lines what they have of the rings that they name, and note those that name none."""
        known = {one.name: one for one in (_EVENTS, *self.compiled())}
        for name, whose, line in self._mentions:
            if name not in known:
                text = f"{whose} log server uses unknown ring named '{shown(name)}'."
                self._report.error(line.file, line.number, text)
        for logs in lists:
            for at, target in enumerate(logs):
                ring = known.get(target.address.removeprefix(PREFIX)) if target.address.startswith(PREFIX) else None
                if ring is not None:
                    logs[at] = replace(target, format=ring.format, length=min(target.length, ring.maxlen + 1))
        for draft in self._drafts.values():
            if draft.maxlen > draft.size:
                file, _, number = draft.where.rpartition(':')
                text = f"ring '{draft.name}' event max length '{draft.maxlen}' exceeds size, forced to size '{draft.size}'."
                self._report.warning(file, int(number), text)

    def compiled(self) -> tuple[RingSection, ...]:
        """All sections."""
        return tuple(self._compiled(draft) for draft in self._drafts.values())

    @staticmethod
    def _compiled(draft: _Draft) -> RingSection:
        values: dict[str, object] = {'description': draft.name} | draft.values
        return RingSection(
            name=draft.name,
            size=draft.size,
            maxlen=min(draft.maxlen, draft.size),
            servers=tuple(draft.servers),
            **values,  # type: ignore[arg-type]
        )
