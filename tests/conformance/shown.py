"""How messages look in a transcript: one line each for start, fields and body; what may differ between any two runs is taken out."""

from __future__ import annotations

import re
import zlib

from tests.oracle.wire import Fields, Request, Response

_LONG = 300
_DATE = re.compile(r'\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d(?:\.\d{3})?\]')
_TIMERS = re.compile(r'(?<= )(\+?-?\d+(?:/\+?-?\d+){2,4})( -?\d+)? (\+?\d+)(?= )')
_CLIENT = re.compile(r'(?<=127\.0\.0\.1:)\d{4,5}\b')
_SYSLOG = re.compile(r'^(<\d+>)(?:\w{3} [ \d]\d \d\d:\d\d:\d\d)')
_SYSLOG_5424 = re.compile(r'^(<\d+>1) \S+ (\S+ \S+) \d+')
_POINTER = re.compile(r'0x[0-9a-f]+')
_DURATION = re.compile(r'(?<=check duration: )\d+(?=ms)')
_PID = re.compile(r'(?<=\[)\d+(?=\]: )')


class Shown:
    """Bytes as text: printable ones as they are, line ends as \\r\\n, long ones by length and checksum."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __str__(self) -> str:
        if len(self._data) > _LONG:
            return f'({len(self._data)} bytes, crc {zlib.crc32(self._data):08x})'
        return escaped(self._data)


def escaped(data: bytes) -> str:
    """Bytes so that they can be told apart."""
    return data.decode('latin-1').encode('unicode_escape').decode()


def shown_request(request: Request) -> list[str]:
    """A request as it was received."""
    start = f'{escaped(request.method)} {escaped(request.target)} HTTP/1.{request.version}'
    return [start, *_fields(request.fields), *_body(request.body)]


def shown_response(response: Response) -> list[str]:
    """A response as it was received."""
    start = f'{response.status} {escaped(response.reason)} HTTP/1.{response.version}'
    tail = [] if response.whole else ['(cut)']
    tail += ['(until the end of the connection)'] if response.until_close else []
    return [start, *_fields(response.fields), *_body(response.body), *tail]


def _fields(fields: Fields) -> list[str]:
    """By name, in the order they have within a name; a date is any date."""
    out = []
    for name, value in sorted(fields, key=lambda field: field[0].lower()):
        key = name.decode().lower()
        out.append(f'{key}: {"DATE" if key == "date" else escaped(value)}')
    return out


def _body(body: bytes) -> list[str]:
    return [f'body {Shown(body)}'] if body else []


def shown_log(line: str) -> str:
    """A log line without dates, client ports, times and sizes; a time that was never reached stays -1, no bytes stay 0."""
    line = _SYSLOG_5424.sub(r'\1 DATE \2 PID', _SYSLOG.sub(r'\1DATE', _DATE.sub('[DATE]', line)))
    line = _DURATION.sub('N', _PID.sub('PID', line))
    return _CLIENT.sub('PORT', _TIMERS.sub(_timers, line))


def _timers(match: re.Match[str]) -> str:
    parts = match[1].split('/')
    times = '/'.join(part if part == '-1' else ('+N' if part.startswith('+') else 'N') for part in parts)
    return f'{times}{match[2] or ""} {match[3] if match[3] == "0" else "BYTES"}'


def shown_cli(line: str) -> str:
    """A line of the CLI without addresses in memory and client ports."""
    return _CLIENT.sub('PORT', _POINTER.sub('POINTER', line))
