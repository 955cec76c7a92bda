"""The log line of a request in the format of its proxy (`log-format`), and its unique id.

`Entry` is what formats see (`dataplane.rules.view`): the exchange's story, what its client and its rules know, and, once it has
ended, how. A request that was never served - it was none, or took too long - has an entry as well, of which little is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.core.termination import REJECTED
from dataplane.rules.closures import compiled_format
from dataplane.rules.samples import parse_address
from dataplane.worker.bareview import BareView
from dataplane.worker.entryfacts import ENTRY_FACTS
from dataplane.worker.facts import FACTS, figure_of
from dataplane.worker.tracking import tracked_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.core.model import Frontend
    from dataplane.core.termination import Termination
    from dataplane.rules.aliases import Writer
    from dataplane.rules.model import Format
    from dataplane.rules.noting import Formats
    from dataplane.rules.samples import Address, Sample
    from dataplane.rules.stores import Store
    from dataplane.rules.view import Fields
    from dataplane.stick import StickTable
    from dataplane.worker.context import Context
    from dataplane.worker.ending import Story
    from dataplane.worker.halves import ClientEnd
    from dataplane.worker.transaction import Transaction

_VERSIONS: Final = (b'1.0', b'1.1')
_SEPARATORS: Final = re.compile(rb'[;,]')


class LogFormats:
    """A proxy's formats, ready for use. `written` counts its log lines."""

    __slots__ = ('cookie', 'data', 'error', 'line', 'unique_header', 'unique_id', 'written')

    def __init__(self, formats: Formats, store: Store) -> None:
        def ready(format_: Format | None) -> Writer | None:
            return None if format_ is None else compiled_format(format_, store)

        self.line = ready(formats.line)
        self.data = ready(formats.data)
        self.error = ready(formats.error)
        self.unique_id = ready(formats.unique_id)
        self.unique_header = formats.unique_header.encode()
        self.cookie = formats.cookie
        self.written = 0

    def cookie_of(self, values: Sequence[bytes]) -> bytes | None:
        """What is kept of the first cookie in these Cookie fields whose name begins as it should."""
        if self.cookie is None:
            return None
        name = self.cookie.header.encode()
        for value in values:
            for part in _SEPARATORS.split(value):
                cookie = part.strip(b' \t')
                if cookie.startswith(name):
                    return cookie[: self.cookie.length]
        return None


def formats_of(context: Context, frontend: int) -> LogFormats | None:
    """The formats of a frontend under the tables in force."""
    rules = None if context.rulebook is None else context.rulebook.frontends.get(frontend)
    return None if rules is None else rules.formats


class Entry(BareView):
    """The view of one exchange for its log line; `end` is None, and much is not known, as long as it goes on."""

    __slots__ = ('client', 'context', 'end', 'formats', 'frontend', 'number', 'ruled', 'story')

    body: bytes = b''
    body_size: int = 0
    response_body: bytes = b''
    request: Fields = ()
    response: Fields = ()

    def __init__(
        self, context: Context, frontend: Frontend, client: ClientEnd, story: Story, end: Termination | None,
        ruled: Transaction | None,
    ) -> None:  # fmt: skip
        self.context = context
        self.frontend = frontend
        self.client = client
        self.story = story
        self.end = end
        self.ruled = ruled
        self.formats = formats_of(context, story.frontend)
        self.number = context.number() if ruled is None else ruled.exchange.number

    @property
    def method(self) -> bytes:
        """As it came; empty where none did."""
        return self.story.method

    @property
    def uri(self) -> bytes:
        """As it came."""
        return self.story.target

    @property
    def version(self) -> bytes:
        """The request's version."""
        return _VERSIONS[self.story.version] if self.story.method else b''

    @property
    def src(self) -> Address | None:
        """The client's address."""
        return parse_address(self.client.address) if self.ruled is None else self.ruled.src

    @property
    def src_port(self) -> int:
        """The client's port."""
        return self.client.port if self.ruled is None else self.ruled.src_port

    @property
    def dst(self) -> Address | None:
        """The address the client connected to."""
        return parse_address(self.client.local_address) if self.ruled is None else self.ruled.dst

    @property
    def dst_port(self) -> int:
        """The port the client connected to."""
        return self.client.local_port if self.ruled is None else self.ruled.dst_port

    @property
    def status(self) -> int:
        """What the client was answered, 0: nothing."""
        return max(self.story.status, 0)

    @property
    def response_version(self) -> bytes:
        """Of the server's answer."""
        return b'' if self.ruled is None else self.ruled.response_version

    def variable(self, scope: str, name: str) -> Sample | None:
        """A variable; without rules there are those of the session and the process. Those of the request are gone by now."""
        if scope == 'req':
            return None
        if self.ruled is not None:
            return self.ruled.variable(scope, name)
        if scope == 'proc':
            value: Sample | None = self.context.contents.store.variable(name)
            return value
        kept = self.client.variables
        return kept.get(name) if scope == 'sess' and kept is not None else None

    def captured(self, where: str, slot: int) -> bytes | None:
        """What a slot keeps."""
        return None if self.ruled is None else self.ruled.captured(where, slot)

    def fact(self, name: str) -> Sample | None:
        """What the story tells, else what rules could ask for."""
        own = ENTRY_FACTS.get(name)
        if own is not None:
            return own(self)
        known = None if self.ruled is None else FACTS.get(name)
        return None if known is None or self.ruled is None else known(self.ruled)

    def tracked(self, number: int) -> tuple[StickTable, bytes] | None:
        """What a counter tracks, of the request or else of its session."""
        return tracked_by(self.client, self.ruled, number)

    def table(self, name: str) -> StickTable | None:
        """A stick table."""
        return self.context.tables.get(name)

    def figure(self, name: str, proxy: str, server: str) -> int | None:
        """A number about a proxy or server."""
        return None if self.ruled is None else figure_of(self.ruled, name, proxy, server)

    def unique_id(self) -> bytes | None:
        """The request's id; what was no request has none."""
        return None if self.ruled is None else self.ruled.unique_id()


class Failure(Entry):
    """The view of a connection that has failed before it could ask for anything; `code` and `text` are HAProxy's of what went wrong."""

    __slots__ = ('code', 'text')

    def __init__(
        self, context: Context, frontend: Frontend, client: ClientEnd, story: Story, code: int, text: str
    ) -> None:
        super().__init__(context, frontend, client, story, REJECTED, None)
        self.code, self.text = code, text

    def fact(self, name: str) -> Sample | None:
        """What went wrong, or what an entry tells."""
        if name == 'fc_err':
            return self.code
        if name == 'fc_err_str':
            return self.text.encode()
        return super().fact(name)


def write_failure(failure: Failure, usual: str, level: int) -> None:
    """Write the line of what failed, as `error-log-format` has it, or in the usual words."""
    formats, line = failure.formats, usual
    if formats is not None and formats.error is not None:
        line = _text(formats.error(failure))
        formats.written += 1
    if line:
        failure.context.log.write_at(failure.frontend.log_targets, line, level)


def write_entry(entry: Entry, usual: str, level: int) -> None:
    """Write the log line; `usual` is the one of `option httplog`, for where only the structured data have a format."""
    formats, log, targets = entry.formats, entry.context.log, entry.frontend.log_targets
    line, data = usual, '-'
    if formats is not None:
        line = usual if formats.line is None else _text(formats.line(entry))
        data = '-' if formats.data is None else _text(formats.data(entry)) or '-'
        formats.written += 1
    if line:
        log.write_at(targets, line, level, data)


def _text(line: bytes) -> str:
    """Bytes as they are, but that a line is one."""
    text = line.decode('utf-8', 'surrogateescape')
    return text.replace('\n', '#0A') if '\n' in text else text
