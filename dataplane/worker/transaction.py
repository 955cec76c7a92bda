"""One request and its response as rules see and change them (`dataplane.rules.view`).

Made for a request only where there are rules. Everything is read when a rule asks for it; heads are written back when a list
of rules has run (`settle_request`, `settle_response`), so that what follows works on a head as if it had come like that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.request import path_and_query
from dataplane.rules.reasons import reason_of
from dataplane.worker.entryfacts import ENTRY_FACTS
from dataplane.worker.facts import FACTS, figure_of
from dataplane.worker.forwarding import forwarded_line
from dataplane.worker.keeping import Keeping
from dataplane.worker.logbook import Entry, formats_of
from dataplane.worker.rewriting import Rewriting, fields_of
from dataplane.worker.scan import is_host
from dataplane.worker.tracking import tracked_by

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.rules.samples import Sample
    from dataplane.rules.view import Fields
    from dataplane.stick import StickTable
    from dataplane.worker.context import Context
    from dataplane.worker.halves import ClientEnd
    from dataplane.worker.head import Head, RequestHead, ResponseHead
    from dataplane.worker.routed import Routed
    from dataplane.worker.rulebook import ProxyRules
    from dataplane.worker.tracking import Tracking
    from dataplane.worker.verdicts import Verdict

_VERSIONS: Final = (b'1.0', b'1.1')
_NOT_IN_TARGETS: Final = {byte: f'%{byte:02X}' for byte in (*range(33), 127)}
_ABSOLUTE: Final = re.compile(rb'[A-Za-z][A-Za-z0-9+.-]*://[^/]')
_BODILESS: Final = (101, 204, 304)


class RuleFailed(Exception):
    """A rule cannot be carried out; the request is answered with 500."""


class Transaction(Keeping):
    """The view of one exchange. `slots` are the captures its frontend declares, for the request and for the response."""

    __slots__ = (
        '_changed', '_fields', '_hints', '_lines', '_reason', '_unique', 'cookies', 'exchange', 'frontend', 'here', 'last_rule', 'lists',
        'log_level', 'logged', 'method', 'pending', 'place', 'response_head', 'revision', 'ruled_backends', 'server_ends', 'server_status', 'status',
        'stopped', 'stores', 'strict', 'tarpit', 'tracking', 'uri', 'waits',
    )  # fmt: skip

    def __init__(self, context: Context, client: ClientEnd, exchange: Routed, frontend: Frontend) -> None:
        head = exchange.head
        super().__init__(context, client, frontend)
        self.exchange = exchange
        self.frontend = frontend
        self.method, self.uri = head.method, head.target
        self._fields: list[tuple[bytes, bytes]] | None = None
        self._lines: Rewriting | None = None
        self._changed = False
        self.response_head: ResponseHead | None = None
        self._reason: bytes | None = None
        self.status = 0
        self.logged, self.log_level = True, -1
        self.last_rule = ''
        self.ruled_backends: tuple[str, ...] = ()
        self.tarpit: Verdict | None = None
        # where rules go on when what they wait for is there: a place in a chain, of this proxy's or, for an answer, of one of the lists
        self.place = self.stopped = 0
        self.waits: Verdict | None = None
        self.here = 0  # bytes of the body, while it is waited for
        self.pending: ProxyRules | None = None
        self.lists: list[ProxyRules] = []
        self.strict = True
        self._hints: list[bytes] = []
        self.revision = 0
        self.server_status = 0
        self.cookies: list[bytes | None] = [None, None]
        self.server_ends: tuple[tuple[str, int], tuple[str, int]] | None = None
        self._unique: bytes | None = None
        self.tracking: Tracking | None = None
        self.stores: list[tuple[StickTable, bytes]] = []
        self._capture_request()

    # -- the request -------------------------------------------------------------------------------------------------

    @property
    def version(self) -> bytes:
        """The request's version."""
        return _VERSIONS[self.exchange.head.version]

    @property
    def request(self) -> Fields:
        """The request's fields, as rules so far have left them."""
        if self._lines is not None and self.response_head is None:
            return self._lines.fields
        if self._fields is None:
            self._fields = fields_of(self.exchange.head)
        return self._fields

    @property
    def body(self) -> bytes:
        """What is here of the body: what came together with the head, and what was waited for; no more than a buffer holds."""
        return self.exchange.early_body()[: self.context.bufsize]

    @property
    def body_size(self) -> int:
        """The announced length, or what is there of one that is not announced."""
        length = self.exchange.head.length
        return length if length >= 0 else len(self.body)

    def set_tos(self, value: int) -> None:
        """The type of service of what the client is sent."""
        self._client.set_tos(value)

    def hint(self, line: bytes) -> None:
        """A line of the answer that says early what the real one will need; clients of HTTP/1.0 know no such answers."""
        if self.exchange.head.version:
            self._hints.append(line)

    def tell_hints(self) -> None:
        """Send the hints that rules have given so far, in one answer (RFC 8297)."""
        if self._hints:
            lines, self._hints = self._hints, []
            self.exchange.inform(b''.join((b'HTTP/1.1 103 Early Hints\r\n', *lines, b'\r\n')))

    def set_method(self, method: bytes) -> None:
        """Ask with another method. What changes whether the answer has a body is not possible."""
        if (
            (method == b'HEAD') is not (self.method == b'HEAD')
            or method in (b'CONNECT', b'TRACE')
            or not method.isalpha()
        ):
            raise RuleFailed(f'set-method: {self.method!r} cannot become {method!r}')
        self.method, self._changed = method, True

    def set_uri(self, uri: bytes, *, whole: bool) -> None:
        """Ask for something else; `whole`: not for another path only, so that an authority in it is the host as well.

        What would end the target is percent-encoded.
        """
        if any(byte in _NOT_IN_TARGETS for byte in uri):
            uri = uri.decode('latin-1').translate(_NOT_IN_TARGETS).encode('latin-1')
        if not uri.startswith(b'/') and uri != b'*' and _ABSOLUTE.match(uri) is None:
            raise RuleFailed(f'set-uri: {uri!r} is neither a path nor a whole URI')
        self.uri, self._changed = uri, True
        authority = uri[: len(uri) - len(path_and_query(uri))].partition(b'://')[2] if whole else b''
        if authority and is_host(authority):
            self.put(b'host', authority, alone=True)

    # -- the response ------------------------------------------------------------------------------------------------

    @property
    def response(self) -> Fields:
        """The response's fields, as rules so far have left them."""
        if self._lines is not None:
            return self._lines.fields
        return fields_of(self.response_head) if self.response_head is not None else ()

    @property
    def response_version(self) -> bytes:
        """The response's version."""
        return b'' if self.response_head is None else _VERSIONS[self.response_head.version]

    @property
    def response_body(self) -> bytes:
        """What is here of the body: what came together with the head, and what was waited for."""
        return self.exchange.answer_body()

    def answer_size(self) -> int:
        """The announced length of the response's body, or what is there of one that is not announced."""
        length = -1 if self.response_head is None else self.response_head.length
        return length if length >= 0 else len(self.response_body)

    def answered(self, head: ResponseHead) -> None:
        """The response's head is here: fields that change are its from now on."""
        self.answers(head)
        self.server_status = head.status
        self.forget('req')
        for number, slot in enumerate(self.slots['res']):
            values = head.values(slot.header.encode()) if slot.header else []
            if values:
                self.capture('res', number, values[-1])

    def answers(self, head: ResponseHead) -> None:
        """This is the head that the client is to see, its server's or the proxy's own."""
        self.response_head, self._lines, self._changed, self._reason = head, None, False, None
        self.status = head.status

    def set_status(self, status: int, reason: bytes) -> None:
        """Answer with another status; one whose message has no body keeps its own."""
        if self.status not in _BODILESS:
            self.status, self._reason, self._changed = status, reason or reason_of(status), True

    # -- fields of the message at hand -------------------------------------------------------------------------------

    def put(self, name: bytes, value: bytes, *, alone: bool) -> None:
        """Add a field to the message at hand."""
        self._rewriting().put(name, value, alone=alone)

    def delete(self, matches: Callable[[bytes], bool]) -> None:
        """Take fields from the message at hand."""
        self._rewriting().delete(matches)

    def restore(self, matches: Callable[[bytes], bool]) -> None:
        """Forward fields of the message at hand that were not to be."""
        self._rewriting().restore(matches)

    def replace(self, name: bytes, change: Callable[[bytes], bytes | None]) -> None:
        """Change values of a field of the message at hand."""
        self._rewriting().replace(name, change)

    def _rewriting(self) -> Rewriting:
        self._changed = True
        if self._lines is None:
            head: Head = self.exchange.head if self.response_head is None else self.response_head
            self._lines = Rewriting(head, head.edits)
        return self._lines

    # -- written back ------------------------------------------------------------------------------------------------

    def settle_request(self) -> None:
        """A list of request rules has run: the head is what they made of it."""
        if not self._changed:
            return
        head = self.exchange.head
        lines = self._rewriting()
        hosts = [value for name, value in lines.fields if name == b'host']
        if len(hosts) > 1:
            raise RuleFailed('a request has one Host field')
        origin = head.origin if self.uri == head.target else self._origin(head)
        raw, edits = lines.finish(b'%b %b HTTP/1.%d' % (self.method, origin, head.version))
        head.rewrite(raw, edits)
        head.method, head.target, head.origin = self.method, self.uri, origin
        if not any(name == b'upgrade' for name, _ in lines.fields):
            head.upgrade = b''  # who takes it away wants no other protocol
        if hosts and is_host(hosts[0]):
            head.authority = hosts[0]
        self._lines, self._fields, self._changed = None, None, False

    def _origin(self, head: RequestHead) -> bytes:
        """What a server is asked for: without scheme and authority where these are what the client said (RFC 9112, 3.2)."""
        path = path_and_query(self.uri)
        before = self.uri[: len(self.uri) - len(path)]
        said = head.target != head.origin and head.target.startswith(before)
        return path if said and path else self.uri

    def settle_response(self) -> None:
        """The same of the response's head."""
        head = self.response_head
        if not self._changed or head is None:
            return
        start = head.raw[: head.raw.index(b'\r\n')]
        if self._reason is not None:
            start = b'HTTP/1.%d %d %b' % (head.version, self.status, self._reason)
        raw, edits = self._rewriting().finish(start)
        head.rewrite(raw, edits)
        head.status = self.status
        self._lines, self._changed, self._reason = None, False, None

    def set_priority(self, klass: int | None, offset: int | None) -> None:
        """The request's place in queues; None: as it is."""
        exchange = self.exchange
        exchange.klass = exchange.klass if klass is None else klass
        exchange.offset = exchange.offset if offset is None else offset

    def override(self, name: str, value: int) -> None:
        """Another timeout (ms) or number of retries for this request; a timeout of 0 is none to set."""
        if value > 0 or name == 'retries':
            self.exchange.override(name, value)

    def set_log_level(self, level: int | None) -> None:
        """The level of the log line, None: there is none."""
        self.logged = level is not None
        self.log_level = -1 if level is None else level

    # -- what rules keep ---------------------------------------------------------------------------------------------

    def _capture_request(self) -> None:
        """Keep what `capture request header` lines ask for, before any rule runs."""
        for number, slot in enumerate(self.slots['req']):
            values = self.exchange.head.values(slot.header.encode()) if slot.header else []
            if values:
                self.capture('req', number, values[-1])

    def chosen(self) -> None:
        """All rules for the request have run, and its backend is known: what the log and the server are told of it."""
        formats = formats_of(self.context, self.exchange.story.frontend)
        if formats is not None and self.cookies[0] is None:
            self.cookies[0] = formats.cookie_of(self.exchange.head.values(b'cookie'))

    def accepted(self) -> None:
        """All rules for the response have run: what the log is told of it."""
        formats = formats_of(self.context, self.exchange.story.frontend)
        if formats is not None and self.response_head is not None:
            values = [value.partition(b';')[0] for value in self.response_head.values(b'set-cookie')]
            self.cookies[1] = formats.cookie_of(values)

    def unique_id(self) -> bytes | None:
        """The request's id: made when it is first asked for, and the same ever after."""
        formats = formats_of(self.context, self.exchange.story.frontend)
        if self._unique is None and formats is not None and formats.unique_id is not None:
            self._unique = b''  # what a format finds that asks for what it makes
            self._unique = formats.unique_id(self)
        return self._unique

    def added_lines(self) -> bytes:
        """The lines that a server is sent beside the fields of the request: Forwarded, and the unique id."""
        return b'\r\n'.join(filter(None, (forwarded_line(self), self._unique_line())))

    def _unique_line(self) -> bytes:
        """The line in which the server is told the id; empty where it is not."""
        formats = formats_of(self.context, self.exchange.story.frontend)
        if formats is None or not formats.unique_header or formats.unique_id is None:
            return b''
        return b'%b: %b' % (formats.unique_header, self.unique_id() or b'')

    # -- facts and figures -------------------------------------------------------------------------------------------

    def fact(self, name: str) -> Sample | None:
        """A value that few rules ask for; None where there is none, or none yet."""
        known = FACTS.get(name)
        if known is not None:
            return known(self)
        own = ENTRY_FACTS.get(name)
        if own is None:
            return None
        return own(Entry(self.context, self.frontend, self._client, self.exchange.story, None, self))

    def tracked(self, number: int) -> tuple[StickTable, bytes] | None:
        """What a counter tracks, of the request or else of its session."""
        return tracked_by(self._client, self, number)

    def table(self, name: str) -> StickTable | None:
        """A stick table."""
        return self.context.tables.get(name)

    def figure(self, name: str, proxy: str, server: str) -> int | None:
        """A number about a proxy or server; None where there is none of that name."""
        return figure_of(self, name, proxy, server)

    def uses_proxy_fields(self) -> bool:
        """Was it asked as a proxy (`option http-use-proxy-header`), which has fields of its own for who the client is?"""
        return self.frontend.use_proxy_header and self.exchange.story.target[:1] not in (b'/', b'*')
