"""`show sess`: which streams are asked for, and how they are written: one line each, or all that is known of each.

The rows come from the workers (`dataplane.worker.sessions`). The forms are HAProxy's; what has no meaning here is 0 or `(nil)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dataplane.cli.arguments import cli_timeout
from dataplane.cli.session import Complaint, Severity

_SESS_HELP: Final = """Usage: show sess [<id> | all | help | <options>*]
Dumps the streams of all workers, one per line. Options, which may be combined:
   <id>         all that is known of this stream
   all          all that is known of every stream
   help         this help
   backend <b>  only the streams attached to this backend
   frontend <f> only the streams of this frontend
   server <b/s> only the streams on this server
   older <age>  only the streams open for longer than <age> (seconds, or with a unit)
   show-uri     also show the request line
   susp         accepted; no stream is ever suspect"""
_EXPECTED: Final = {
    'backend': 'A backend name is expected.',
    'frontend': 'A frontend name is expected.',
    'server': "Require 'backend/server'.",
    'older': 'Expects a minimum age (in seconds by default).',
}
_MISSING: Final = ('<NONE>', '<none>', '')

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SessRequest:
    """Operands of `show sess`: '' and 0 select everything; `older` is in ms; `whole`: all that is known of each."""

    id: str = ''
    backend: str = ''
    frontend: str = ''
    server: str = ''
    older: int = 0
    uri: bool = False
    whole: bool = False


def parse_sess(words: tuple[str, ...]) -> SessRequest:
    """Read the operands of `show sess`; as in HAProxy unknown words are ignored. Raises Complaint, also for `help`."""
    values: dict[str, str] = {}
    older = 0
    for index, word in enumerate(words):
        operand = words[index + 1] if index + 1 < len(words) else ''
        if word == 'help':
            raise Complaint(_SESS_HELP, Severity.INFO)
        if word in _EXPECTED and not operand:
            raise Complaint(_EXPECTED[word])
        if word in {'backend', 'frontend', 'server'}:
            values[word] = operand
        elif word == 'older':
            older = _age_of(operand)
        elif index == 0 and word.startswith('0x'):
            values['id'] = word.lower()
    return SessRequest(**values, older=older, uri='show-uri' in words, whole='id' in values or words[:1] == ('all',))


def _age_of(word: str) -> int:
    try:
        return cli_timeout(word)
    except Complaint:
        raise Complaint('Invalid age.') from None


def session_lines(sessions: Sequence[Row], request: SessRequest, *, missing: str = '') -> Iterator[str]:
    """`show sess`, stream by stream. `missing` says whose streams are not all there, if so; it is the last line.

    Raises Complaint for an unknown id.
    """
    if request.id:
        sessions = [row for row in sessions if str(row['id']).lower() == request.id]
        if not sessions:
            raise Complaint(f'Session not found. {missing}'.rstrip())
    for row in sessions:
        if _wanted(row, request):
            yield '\n'.join(_whole(row)) if request.whole else _line(row, uri=request.uri)
    if missing:
        yield f'# {missing}'


def _wanted(row: Row, request: SessRequest) -> bool:
    place = f'{row.get("backend", "")}/{row.get("server", "")}'
    return (
        request.backend in {'', row.get('backend')}
        and request.frontend in {'', row.get('frontend')}
        and request.server in {'', place}
        and _number(row, 'age_ms') >= request.older
    )


def _number(row: Row, name: str) -> int:
    value = row.get(name, 0)
    return value if isinstance(value, int) else 0


def _line(row: Row, *, uri: bool) -> str:
    line = (
        f'{row["id"]}: proto={row.get("proto", "tcpv4")} src={row.get("src", "")} fe={row.get("frontend", "")} '
        f'be={row.get("backend") or "<NONE>"} srv={row.get("server") or "<none>"} ts=00 epoch=0 age={_age(row)} calls=0 rate=0 cpu=0 lat=0 '
        f'rq[f=0h,i=0,an=00h] rp[f=0h,i=0,an=00h] scf=[0,0h,fd=-1] scb=[0,0h,fd=-1] state={row.get("state", "")} '
        f'exp= rc={row.get("retries", 0)} c_exp='
    )
    return f'{line} uri="{row.get("request", "")}"' if uri else line


def _whole(row: Row) -> Iterator[str]:
    """All that is known of one stream. Times are ms, -1 where it never got that far."""
    wall = row.get('wall', 0.0)
    date = datetime.fromtimestamp(wall if isinstance(wall, float) else 0.0).astimezone()
    times = row.get('times', ())
    yield (
        f'{row["id"]}: [{date.strftime("%d/%b/%Y:%H:%M:%S.%f")}] id={_number(row, "number")} proto={row.get("proto", "tcpv4")} '
        f'source={row.get("src", "")}'
    )
    waiting = int(row.get('state') == 'QUEUED')
    yield (
        f'  flags=0x0, conn_retries={_number(row, "retries")}, conn_exp=<NEVER> conn_et=0x000 srv_conn=(nil), pend_pos=(nil) '
        f'waiting={waiting} epoch=0'
    )
    yield (
        f'  frontend={row.get("frontend", "")} (id={_number(row, "frontend_id")} mode=http), listener=? (id=0) '
        f'addr={row.get("local", "")}'
    )
    if row.get('backend') in _MISSING:
        yield '  backend=<NONE> (id=-1 mode=-)'
    else:
        yield f'  backend={row.get("backend")} (id={_number(row, "backend_id")} mode=http)'
    if row.get('server') in _MISSING:
        yield '  server=<NONE> (id=-1)'
    else:
        yield f'  server={row.get("server")} (id={_number(row, "server_id")}) addr={row.get("server_addr", "")}'
    yield f'  task=worker {_number(row, "worker") + 1} (state={row.get("state", "")} age={_age(row)})'
    shown = '/'.join(map(str, times)) if isinstance(times, (list, tuple)) else ''
    yield f'  txn=request {_number(row, "requests")} of its connection, times={shown} uri="{row.get("request", "")}"'
    yield f'  req=(total={_number(row, "received")})'
    yield f'  res=(total={_number(row, "sent")})'


def _age(row: Row) -> str:
    """HAProxy's shortest two units: `5s`, `2m5s`, `3h2m`, `4d3h`."""
    seconds = _number(row, 'age_ms') // 1000
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not minutes:
        return f'{seconds}s'
    if not hours:
        return f'{minutes}m{seconds % 60}s'
    return f'{days}d{hours % 24}h' if days else f'{hours}h{minutes % 60}m'
