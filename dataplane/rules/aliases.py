"""Rules: the `%name`s of log formats (configuration manual 8.2.6).

What can be told from the transaction's line, addresses and captures is; everything else the view is asked for as a fact
under the alias's name with its `%`: times, counts, sizes, names and flags.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.request import asked_method, asked_uri, path_of
from dataplane.rules.model import Flags
from dataplane.rules.samples import IPv4, IPv6, Sample, address_text
from dataplane.rules.writing import for_capture, for_log, text_writer

if TYPE_CHECKING:
    from dataplane.rules.samples import Address
    from dataplane.rules.view import View

Writer = Callable[['View'], bytes]
Maker = Callable[[Flags], Writer]
_MONTHS: Final = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')


def _text(get: Callable[[View], bytes | None]) -> Maker:
    def make(flags: Flags) -> Writer:
        write = text_writer(flags)
        return lambda view: write(get(view))

    return make


def _fact_text(name: str) -> Maker:
    def get(view: View) -> bytes | None:
        value = view.fact(name)
        return value if value is None or isinstance(value, bytes) else b'%d' % value

    return _text(get)


def _number(name: str, missing: int, *, hexadecimal: bool = False) -> Maker:
    """A number; the view may also say it in bytes, as it is to be written (`+12`)."""

    def make(flags: Flags) -> Writer:
        layout = b'%04X' if hexadecimal and Flags.HEXADECIMAL in flags else b'%d'

        def write(view: View) -> bytes:
            value = view.fact(name)
            return value if isinstance(value, bytes) else layout % (missing if value is None else value)

        return write

    return make


def _address(get: Callable[[View], Sample | None]) -> Maker:
    def make(flags: Flags) -> Writer:
        text, hexadecimal = text_writer(flags), Flags.HEXADECIMAL in flags

        def write(view: View) -> bytes:
            address = get(view)
            if not isinstance(address, IPv4 | IPv6):
                return text(address if isinstance(address, bytes) else None)
            if hexadecimal:
                return b'%08X' % address if type(address) is IPv4 else b'%032X' % address
            return text(address_text(address))

        return write

    return make


def _own(get: Callable[[View], Address | None]) -> Callable[[View], Sample | None]:
    """The address, `unix` where the connection has none."""

    def address(view: View) -> Sample | None:
        found = get(view)
        return b'unix' if found is None else found

    return address


def _port(get: Callable[[View], Address | None], port: Callable[[View], int]) -> Maker:
    """The port; of a unix socket its listener's number."""

    def make(flags: Flags) -> Writer:
        layout = b'%04X' if Flags.HEXADECIMAL in flags else b'%d'

        def write(view: View) -> bytes:
            if get(view) is not None:
                return layout % port(view)
            listener = view.fact('so_id')
            return b'%d' % listener if isinstance(listener, int) else b''

        return write

    return make


def _request_line(view: View) -> bytes | None:
    if not view.method:
        return b'<BADREQ>'
    return for_log(b'%b %b HTTP/%b' % (asked_method(view), asked_uri(view), view.version))


def _uri(part: Callable[[bytes], bytes]) -> Maker:
    return _text(lambda view: for_log(part(asked_uri(view))) if view.method else b'<BADREQ>')


def _query(uri: bytes) -> bytes:
    _, mark, query = uri.partition(b'?')
    return mark + query


def _query_text(flags: Flags) -> Writer:
    """The query with its `?`. There is no dash for none."""
    return _uri(_query)(flags & ~Flags.MANDATORY)


def _version(view: View) -> bytes | None:
    return b'HTTP/' + view.version if view.version else b'<BADREQ>'


def _status(view: View) -> bytes:
    if view.status:
        return b'%d' % view.status
    return b'0' if view.fact('fc_err') else b'-1'  # as HAProxy where there is no request, since its connection failed


def _captures(where: str, *, listed: bool) -> Maker:
    """All slots of one side, in braces or - one word each, with the flags - for the common log format. Nothing where there are none."""

    def make(flags: Flags) -> Writer:
        text = text_writer(flags)

        def write(view: View) -> bytes:
            slots = view.fact(f'{where}.slots') or 0
            values = [view.captured(where, slot) for slot in range(slots if isinstance(slots, int) else 0)]
            if not values:
                return b''
            shown = [None if value is None else for_capture(value) for value in values]
            if listed:
                return b' '.join(text(value) for value in shown)
            return text(b'{%b}' % b'|'.join(value or b'' for value in shown))

        return write

    return make


def _date(fact: str, *, local: bool, layout: str) -> Maker:
    """A moment of the transaction. The text of a second is kept for those that follow within it."""

    def make(_: Flags) -> Writer:
        second, text = -1, ''

        def write(view: View) -> bytes:
            nonlocal second, text
            moment = view.fact(fact)
            micros = moment if isinstance(moment, int) else 0
            now = micros // 1_000_000
            if now != second:
                second, text = now, _day(now, local=local, zone=layout == 'zone')
            return f'{text}.{micros // 1_000 % 1_000:03}'.encode() if layout == 'ms' else text.encode()

        return write

    return make


def _day(second: int, *, local: bool, zone: bool) -> str:
    when = datetime.fromtimestamp(second, UTC)
    if local:
        when = when.astimezone()
    text = f'{when.day:02}/{_MONTHS[when.month - 1]}/{when.year:04}:{when.hour:02}:{when.minute:02}:{when.second:02}'
    return f'{text} {when:%z}' if zone else text


def _seconds(flags: Flags) -> Writer:
    layout = b'%04X' if Flags.HEXADECIMAL in flags else b'%d'

    def write(view: View) -> bytes:
        moment = view.fact('accept_us')
        return layout % (moment // 1_000_000 if isinstance(moment, int) else 0)

    return write


def _milliseconds(_: Flags) -> Writer:
    def write(view: View) -> bytes:
        moment = view.fact('accept_us')
        return b'%03d' % (moment // 1_000 % 1_000 if isinstance(moment, int) else 0)

    return write


_TIMES: Final = ('Ta', 'Tc', 'Td', 'Th', 'Ti', 'Tq', 'TR', 'Tr', 'Tt', 'Tu', 'Tw')
_COUNTS: Final = ('B', 'U', 'ac', 'bc', 'bq', 'fc', 'lc', 'rc', 'sc', 'sq')
_TEXTS: Final = ('CC', 'CS', 'OG', 'b', 'f', 'ft', 's', 'sslc', 'sslv')
_LETTERS: Final = ('ts', 'tsc')

ALIASES: Final[dict[str, Maker]] = {
    **{name: _number(f'%{name}', -1) for name in _TIMES},
    **{name: _number(f'%{name}', 0) for name in _COUNTS},
    **{name: _fact_text(f'%{name}') for name in _TEXTS},
    **{name: _number(f'%{name}', 0) for name in _LETTERS},
    'rt': _number('%rt', 0, hexadecimal=True),
    'pid': _number('pid', 0, hexadecimal=True),
    'H': _fact_text('hostname'),
    'ID': _fact_text('unique-id'),
    'ci': _address(_own(lambda view: view.src)),
    'cp': _port(lambda view: view.src, lambda view: view.src_port),
    'fi': _address(_own(lambda view: view.dst)),
    'fp': _port(lambda view: view.dst, lambda view: view.dst_port),
    'bi': _address(lambda view: view.fact('bc_src')),
    'bp': _fact_text('bc_src_port'),
    'si': _address(lambda view: view.fact('bc_dst')),
    'sp': _fact_text('bc_dst_port'),
    'HM': _text(lambda view: for_log(asked_method(view)) or b'<BADREQ>'),
    'HP': _uri(lambda uri: uri.partition(b'?')[0]),
    'HPO': _uri(path_of),
    'HQ': _query_text,
    'HU': _uri(lambda uri: uri),
    'HV': _text(_version),
    'r': _text(_request_line),
    'ST': lambda _: _status,
    'hr': _captures('req', listed=False),
    'hrl': _captures('req', listed=True),
    'hs': _captures('res', listed=False),
    'hsl': _captures('res', listed=True),
    't': _date('accept_us', local=True, layout='ms'),
    'T': _date('accept_us', local=False, layout='zone'),
    'Tl': _date('accept_us', local=True, layout='zone'),
    'tr': _date('request_us', local=True, layout='ms'),
    'trg': _date('request_us', local=False, layout='zone'),
    'trl': _date('request_us', local=True, layout='zone'),
    'Ts': _seconds,
    'ms': _milliseconds,
}
"""What writes each alias, given the flags behind its `%`."""

SOLID: Final = frozenset(('HQ',))
"""Aliases that stand between two blanks also where they are empty: the blanks do not become one."""
