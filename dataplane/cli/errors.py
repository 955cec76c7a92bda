"""`show errors`: the last faulty request of each frontend and response of each backend, as HAProxy writes them for people.

Workers keep a fault per proxy; of several workers' the newest counts. Bytes are shown a line of the message at a time, at most 70
characters of it in a row, and what is not printable as an escape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dataplane.cli.session import Complaint

_WIDTH: Final = 70
_ESCAPES: Final = {'\t': r'\t', '\n': r'\n', '\r': r'\r', '\x1b': r'\e', '\\': r'\\'}
_PRINTABLE: Final = range(0x20, 0x7F)

Fault = Mapping[str, Any]
"""A row as a worker gives it: see `dataplane.worker.faults`."""


@dataclass(frozen=True, slots=True)
class ErrorsRequest:
    """Operands of `show errors`: a proxy's number or -1 for all, and 'request', 'response' or '' for both."""

    proxy: int = -1
    side: str = ''


def parse(words: tuple[str, ...], numbers: Mapping[str, int]) -> ErrorsRequest:
    """Read `[PROXY|ID] [request|response]`; `numbers` are those of the proxies by name. Raises Complaint."""
    if not words:
        return ErrorsRequest()
    proxy = numbers.get(words[0])
    if proxy is None:
        proxy = int(words[0]) if words[0].removeprefix('-').isdecimal() and len(words[0]) < 10 else 0
    if not proxy:
        raise Complaint('No such proxy.')
    side = words[1] if len(words) > 1 and words[1] in ('request', 'response') else ''
    return ErrorsRequest(proxy, side)


def select(faults: Iterable[Fault], request: ErrorsRequest) -> list[Fault]:
    """The newest faults of those asked for, by the number of their proxy; a proxy is either side of what it has relayed."""
    newest: dict[tuple[int, str, str], Fault] = {}
    for fault in faults:
        name, number = fault['proxy']
        if request.side not in {'', fault['side']}:
            continue
        if request.proxy >= 0 and request.proxy not in {number, fault['other'][1]}:
            continue
        key = (number, fault['side'], name)
        if key not in newest or newest[key]['when'] < fault['when']:
            newest[key] = fault
    return [newest[key] for key in sorted(newest)]


def show_errors(faults: Iterable[Fault], total: int, wall: float, workers: int) -> Iterator[str]:
    """The answer line by line. `total`: all that were ever caught; `wall`: now, in seconds; `workers`: how many there may be."""
    yield f'Total events captured on [{_date(wall)}] : {total}'
    for fault in faults:
        yield ' '
        yield from _fault(fault, workers)


def _fault(fault: Fault, workers: int) -> Iterator[str]:
    data, limit = fault['data'], fault['limit']
    name, number = fault['proxy']
    event = fault['number'] * workers + fault['worker']
    yield f'[{_date(fault["when"])}] {"frontend" if fault["side"] == "request" else "backend"} {name} (#{number}): invalid {fault["side"]}'
    other, server = ('backend' if fault['side'] == 'request' else 'frontend'), fault['server']
    yield (
        f'  {other} {fault["other"][0]} (#{fault["other"][1]}), server {server[0]} (#{server[1]}), event #{event}, '
        f'src {fault["source"]}'
    )
    yield f'  buffer starts at 0 (including 0 out), {limit - len(data)} free,'
    yield f'  len {len(data)}, wraps at {limit}, error at position {fault["position"]}'
    yield f'  worker {fault["worker"] + 1}, {fault["reason"]} :'
    yield '  '
    yield from (f'  {line}' for line in text_lines(data))


def text_lines(data: str) -> Iterator[str]:
    """Bytes (as latin-1) in rows: offset, `+` where a line of the message goes on, and what stands there."""
    start, row, goes_on = 0, '', False
    for offset, character in enumerate(data):
        shown = _ESCAPES.get(character) or (character if ord(character) in _PRINTABLE else f'\\x{ord(character):02X}')
        if len(row) + len(shown) > _WIDTH:
            yield f'{start:05}{"+" if goes_on else " "} {row}'
            start, row, goes_on = offset, '', True
        row += shown
        if character == '\n':
            yield f'{start:05}{"+" if goes_on else " "} {row}'
            start, row, goes_on = offset + 1, '', False
    if row:
        yield f'{start:05}{"+" if goes_on else " "} {row}'


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime('%d/%b/%Y:%H:%M:%S.%f')[:-3]
