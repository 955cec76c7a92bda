"""config: `resolvers` sections (configuration manual 5.3), as far as the system's own resolver does what they ask for.

A server's name is looked up for every connection to it, and for every check, by the system's resolver. That is what a section wants
whose nameservers are those of /etc/resolv.conf - `parse-resolv-conf`, or Docker's 127.0.0.11 in a container - so such a section, and
servers that name it, are taken. A section with other nameservers is refused, since they would never be asked; so are those
uses of one that a single address cannot stand for: many servers made of one name, and SRV records.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from dataplane.config.address import parse_server
from dataplane.config.naming import check_name
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.config.values import parse_int, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataplane.config.draft import ProxyDraft, ServerDraft
    from dataplane.config.errorfiles import ReadFile
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line

_PATH: Final = '/etc/resolv.conf'
_MOST: Final = 65_536
_PORT: Final = 53
_ALONE: Final = '127.0.0.1'
"""Who is asked where the file names nobody (resolv.conf(5))."""
_BUILT_IN: Final = 'default'
"""A section that is there without being written: it has the nameservers of the file."""
_TIMES: Final = {
    'hold': ('nx', 'refused', 'timeout', 'other', 'valid', 'obsolete'),
    'timeout': ('resolve', 'retry'),
}
_KNOWN: Final = ('accepted_payload_size', 'hold', 'nameserver', 'parse-resolv-conf', 'resolve_retries', 'timeout')


@dataclass(slots=True)
class _Section:
    name: str
    where: str


class Resolvers:
    """Reads all `resolvers` sections."""

    def __init__(self, read_file: ReadFile, report: Report) -> None:
        self._read_file, self._report = read_file, report
        self._sections: dict[str, _Section] = {}
        self._system: Sequence[str] | None = None

    def open(self, line: Line) -> None:
        """A line `resolvers NAME`. Raises Rejected."""
        name = line.word(1)
        if not name:
            msg = 'missing name for resolvers section.'
            raise Rejected(msg)
        check_name(name, "'resolvers'")
        line.at_most(1)
        if name in self._sections:
            msg = f"resolvers section '{name}' has same name as another one (declared at {self._sections[name].where})."
            raise Rejected(msg)
        self._sections[name] = _Section(name, line.where)

    def parse(self, line: Line) -> None:
        """A line of the section that was opened last. Raises Rejected."""
        word = line.words[0]
        if word not in _KNOWN:
            msg = f"unknown keyword '{shown(word)}' in 'resolvers' section{did_you_mean(word, _KNOWN)}"
            raise Rejected(msg)
        if word == 'parse-resolv-conf':
            line.at_most(0)
        elif word == 'nameserver':
            self._nameserver(line)
        else:
            self._tuning(line, word)

    def _nameserver(self, line: Line) -> None:
        name, address = line.word(1), line.word(2)
        if not name or not address:
            msg = "'nameserver' expects <name> and <address>[:port] as arguments."
            raise Rejected(msg)
        place = parse_server(address.removeprefix('udp@'))
        asked = self._nameservers()
        if place.low not in (0, _PORT) or _canonical(place.host) not in asked:
            msg = (
                f"nameserver '{shown(name)}' ({shown(address)}) would never be asked: names are looked up by the system's "
                f'resolver, which asks those of {_PATH} ({", ".join(asked)}).'
            )
            raise Rejected(msg)

    def _nameservers(self) -> Sequence[str]:
        """Whom the system's resolver asks."""
        if self._system is None:
            try:
                text = self._read_file(_PATH, _MOST).decode('utf-8', 'replace')
            except OSError:
                text = ''  # as for the resolver itself, who then asks this machine
            lines = (line.split() for line in text.splitlines())
            found = [_canonical(words[1]) for words in lines if len(words) > 1 and words[0] == 'nameserver']
            self._system = found or [_ALONE]
        return self._system

    def _tuning(self, line: Line, word: str) -> None:
        """How often and how long names would be asked for: it is checked, and means nothing where they are looked up each time."""
        if word in _TIMES:
            if line.word(1) not in _TIMES[word]:
                expected = ', '.join(map(repr, _TIMES[word]))
                msg = f"'{word}' expects one of {expected} (got '{shown(line.word(1))}')."
                raise Rejected(msg)
            parse_time(line.word(2), f'{word} {line.word(1)}')
            line.at_most(2)
        else:
            parse_int(line.word(1), word, 1, 65_535)
            line.at_most(1)
        self._report.warning(
            line.file,
            line.number,
            f"'{word}' in 'resolvers' section has no effect: a name is looked up for each connection.",
        )

    def check(self, proxies: Iterable[ProxyDraft]) -> None:
        """Note what servers want of their sections that a lookup for each connection cannot give."""
        for proxy in proxies:
            for server in proxy.servers:
                problem = self._problem(server) if server.resolvers else ''
                if problem:
                    self._report.error(server.file, server.line, f"'server {proxy.name}/{server.name}' : {problem}")

    def _problem(self, server: ServerDraft) -> str:
        if server.resolvers != _BUILT_IN and server.resolvers not in self._sections:
            return f"unable to find required resolvers '{shown(server.resolvers)}'."
        if server.host.startswith('_'):
            return f"'resolvers' : SRV records like '{shown(server.host)}' are not looked up, addresses are."
        if server.of_many:
            return (
                "'resolvers' : the servers of a 'server-template' would all be at the first address of the name; "
                "one 'server' line looks the name up for each connection."
            )
        return ''


def _canonical(host: str) -> str:
    """An address as it is compared; a name, which no nameserver has, as it is."""
    try:
        return str(ip_address(host.partition('%')[0]))
    except ValueError:
        return host
