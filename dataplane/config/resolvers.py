"""config: `resolvers` sections (configuration manual 5.3), and what they are for: the names of servers that name one.

A name gets its first address when the file is read, as `init-addr` says, from the system's resolver or not at all; after that the
nameservers of the section are asked for it, again and again. A server without `resolvers` is looked up for every connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dataplane.config.address import parse_server
from dataplane.config.lookups import first_address
from dataplane.config.naming import check_name
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.config.values import parse_int, parse_time
from dataplane.core.lookup import Hold, Nameserver, Resolvers, is_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataplane.config.address import LookUp
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.errorfiles import ReadFile
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line

_PATH: Final = '/etc/resolv.conf'
_MOST: Final = 65_536
_PORT: Final = 53
_BUILT_IN: Final = 'default'
"""A section that is there without being written: it has the nameservers of the file."""
_TRANSPORTS: Final = {'udp@': ('', False), 'udp4@': ('ipv4@', False), 'udp6@': ('ipv6@', False)} | {
    'tcp@': ('', True), 'tcp4@': ('ipv4@', True), 'tcp6@': ('ipv6@', True),
}  # fmt: skip
_TIMES: Final = {
    'hold': ('nx', 'refused', 'timeout', 'other', 'valid', 'obsolete'),
    'timeout': ('resolve', 'retry'),
}
_KNOWN: Final = ('accepted_payload_size', 'hold', 'nameserver', 'parse-resolv-conf', 'resolve_retries', 'timeout')
_PAYLOADS: Final = (12, 65_535)


@dataclass(slots=True)
class _Section:
    name: str
    file: str = ''
    line: int = 0
    nameservers: dict[str, tuple[Nameserver, str]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    hold: dict[str, int] = field(default_factory=dict)

    def compiled(self) -> Resolvers:
        nameservers = tuple(nameserver for nameserver, _ in self.nameservers.values())
        return Resolvers(name=self.name, nameservers=nameservers, hold=Hold(**self.hold), **self.settings)


class ResolversSections:
    """Reads all `resolvers` sections. `look_up` says what a host name means to the system."""

    def __init__(self, read_file: ReadFile, look_up: LookUp, report: Report) -> None:
        self._read_file, self._look_up, self._report = read_file, look_up, report
        self._sections: dict[str, _Section] = {}
        self._open = _Section('')
        self._built_in_is_wanted = False

    def open(self, line: Line) -> None:
        """A line `resolvers NAME`. Raises Rejected."""
        name = line.word(1)
        if not name:
            msg = 'missing name for resolvers section.'
            raise Rejected(msg)
        check_name(name, "'resolvers'")
        line.at_most(1)
        self._open = _Section(name, line.file, line.number)
        if name in self._sections:
            other = self._sections[name]
            msg = f"resolvers '{name}' has same name as another resolvers (declared at {other.file}:{other.line})."
            raise Rejected(msg)
        self._sections[name] = self._open

    def parse(self, line: Line) -> None:
        """A line of the section that was opened last. Raises Rejected."""
        word = line.words[0]
        if word not in _KNOWN:
            msg = f"unknown keyword '{shown(word)}' in 'resolvers' section{did_you_mean(word, _KNOWN)}"
            raise Rejected(msg)
        if word == 'parse-resolv-conf':
            line.at_most(0)
            self._of_the_system(self._open)
        elif word == 'nameserver':
            self._nameserver(line)
        elif word in _TIMES:
            self._time(line, word)
        elif word == 'resolve_retries':
            self._open.settings['retries'] = parse_int(line.word(1), word, 1, 65_535)
            line.at_most(1)
        else:
            self._open.settings['payload'] = parse_int(line.word(1), word, *_PAYLOADS)
            line.at_most(1)

    def _nameserver(self, line: Line) -> None:
        name, address = line.word(1), line.word(2)
        if not name or not address:
            msg = "'nameserver' expects <name> and <addr>[:<port>] as arguments."
            raise Rejected(msg)
        check_name(name, 'server')
        prefix = next((known for known in _TRANSPORTS if address.startswith(known)), '')
        family, tcp = _TRANSPORTS.get(prefix, ('', False))
        place = parse_server(family + address.removeprefix(prefix))
        if place.path is not None or not place.low:
            msg = f"'nameserver {name}' : missing port specification in '{shown(address)}'"
            raise Rejected(msg)
        line.at_most(2)
        if name in self._open.nameservers:
            where = self._open.nameservers[name][1]
            msg = f"nameserver '{name}' has same name as another nameserver (declared at {where})."
            raise Rejected(msg)
        host = place.host
        if not is_address(host):
            try:
                host = self._look_up(host)
            except OSError as error:
                msg = f"'nameserver {name}' : could not resolve address '{shown(host)}'."
                raise Rejected(msg) from error
        self._open.nameservers[name] = Nameserver(name=name, host=host, port=place.low, tcp=tcp), line.where

    def _of_the_system(self, section: _Section) -> None:
        """Add the nameservers of the file, called by their addresses. Raises Rejected when it cannot be read."""
        try:
            text = self._read_file(_PATH, _MOST).decode('utf-8', 'replace')
        except OSError as error:
            msg = f'failed to open {_PATH}.'
            raise Rejected(msg) from error
        for words in (line.split() for line in text.splitlines()):
            if words[:1] == ['nameserver'] and len(words) > 1 and is_address(words[1]):
                found = Nameserver(name=words[1], host=words[1], port=_PORT)
                section.nameservers.setdefault(found.name, (found, _PATH))

    def _time(self, line: Line, word: str) -> None:
        which = line.word(1)
        if which not in _TIMES[word]:
            expected = ', '.join(map(repr, _TIMES[word]))
            msg = f"'{word}' expects one of {expected} (got '{shown(which)}')."
            raise Rejected(msg)
        value = parse_time(line.word(2), f'{word} {which}')
        line.at_most(2)
        if word == 'hold':
            self._open.hold[which] = value
        else:
            self._open.settings[which] = value

    def compiled(self) -> tuple[Resolvers, ...]:
        """All sections, and the one that is there without being written, unless the file it is made of is not.

        Where nobody asks nameservers of his own it is not there either.
        """
        found = list(self._sections.values())
        if _BUILT_IN not in self._sections and (found or self._built_in_is_wanted):
            section = _Section(_BUILT_IN)
            try:
                self._of_the_system(section)
            except Rejected:
                return tuple(one.compiled() for one in found)
            found.append(section)
        return tuple(one.compiled() for one in found)

    def settle(self, proxies: Iterable[ProxyDraft]) -> None:
        """Give the servers of all proxies what they ask for, and their first addresses. What cannot be is noted."""
        for section in self._sections.values():
            if not section.nameservers:
                text = f"resolvers '{section.name}' has no nameservers configured!"
                self._report.warning(section.file, section.line, text)
        known: dict[str, str] = {}
        for proxy in proxies:
            for server in proxy.servers:
                prefix = f"'server {proxy.name}/{server.name}' : "
                wanted = server.lookup.resolvers
                self._built_in_is_wanted |= wanted == _BUILT_IN
                if wanted and wanted not in self._sections and wanted != _BUILT_IN:
                    text = f"unable to find required resolvers '{shown(wanted)}'"
                    self._report.error(server.file, server.line, prefix + text)
                    continue
                try:
                    warning = first_address(server, known, self._look_up)
                except Rejected as problem:
                    self._report.error(server.file, server.line, f'{prefix}{problem}')
                else:
                    if warning:
                        self._report.warning(server.file, server.line, prefix + warning)
