"""config: `unix-bind` (configuration manual 3.1): what `bind` lines with a unix socket have where they say nothing themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown
from dataplane.config.statssocket import parse_permissions

if TYPE_CHECKING:
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line
    from dataplane.core.model import Bind

_OWNERS: Final = ('user', 'uid', 'group', 'gid')


@dataclass(frozen=True, slots=True)
class UnixBind:
    """The words of the last `unix-bind` line."""

    prefix: str = ''
    mode: int | None = None

    def applied(self, bind: Bind) -> Bind:
        """The listener as it is with them. Abstract sockets have neither a directory nor permissions."""
        if bind.path is None or bind.path.startswith('\0'):
            return bind
        return replace(bind, path=self.prefix + bind.path, mode=self.mode if bind.mode is None else bind.mode)


def parse_unix_bind(line: Line, report: Report) -> UnixBind:
    """A line `unix-bind`. Raises Rejected."""
    found = UnixBind()
    for at in range(1, len(line.words), 2):
        word, value = line.word(at), line.word(at + 1)
        if word not in ('prefix', 'mode', *_OWNERS):
            expected = ', '.join(map(repr, ('prefix', 'mode', *_OWNERS)))
            msg = f"'unix-bind' only supports the {expected} options (got '{shown(word)}')."
            raise Rejected(msg)
        if not value:
            msg = f"'unix-bind' : '{word}' : missing value"
            raise Rejected(msg)
        if word == 'prefix':
            found = replace(found, prefix=value)
        elif word == 'mode':
            found = replace(found, mode=parse_permissions(value, 'unix-bind'))
        else:
            text = f"'unix-bind' : '{word}' has no effect: the socket belongs to the user the process runs as."
            report.warning(line.file, line.number, text)
    return found
