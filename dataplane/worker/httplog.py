"""The text of a log line in HAProxy's HTTP format (manual, 8.2.3), and the syslog framing around it (8.1, `log`)."""

from __future__ import annotations

import re
from time import localtime, strftime
from typing import Final

_MONTHS: Final = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')
_UNSAFE: Final = re.compile(rb'[^ !$-~]')
LEVELS: Final = ('emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug')
FACILITIES: Final = (
    'kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'auth2', 'ftp', 'ntp', 'audit',
    'alert', 'cron2', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7',
)  # fmt: skip


class Dates:
    """Dates of log lines. The part down to the second is formatted once per second."""

    __slots__ = ('_http', '_http_second', '_syslog', '_syslog_second')

    def __init__(self) -> None:
        self._http_second = self._syslog_second = -1
        self._http = self._syslog = ''

    def http(self, wall: float) -> str:
        """`dd/Mon/yyyy:HH:MM:SS.mmm` in local time, for a wall clock in seconds."""
        second = int(wall)
        if second != self._http_second:
            t = localtime(second)
            self._http = (
                f'{t.tm_mday:02}/{_MONTHS[t.tm_mon - 1]}/{t.tm_year}:{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}'
            )
            self._http_second = second
        return f'{self._http}.{int((wall - second) * 1000):03}'

    def syslog(self, second: int) -> str:
        """`Mon dd HH:MM:SS` in local time, the day padded with a space."""
        if second != self._syslog_second:
            t = localtime(second)
            self._syslog = f'{_MONTHS[t.tm_mon - 1]} {t.tm_mday:2} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}'
            self._syslog_second = second
        return self._syslog


def iso(second: int) -> str:
    """`2026-11-23T19:43:32+00:00` in local time."""
    zone = strftime('%z', localtime(second)) or '+0000'
    return f'{strftime("%Y-%m-%dT%H:%M:%S", localtime(second))}{zone[:3]}:{zone[3:]}'


def request_line(method: bytes, target: bytes, version: int) -> str:
    """The request line as it is quoted in the log: `"`, `#` and what is not printable become `#` and two digits."""
    line = b'%b %b HTTP/1.%d' % (method, target, version)
    if _UNSAFE.search(line) is not None:
        line = _UNSAFE.sub(lambda match: b'#%02X' % match[0][0], line)
    return line.decode('ascii')


def http_line(
    client: str, date: str, names: tuple[str, str, str], timers: tuple[int, int, int, int, int], status: int, sent: int,
    flags: str, counts: tuple[int, int, int, int, int], redispatched: bool, ahead: tuple[int, int], request: str,
) -> str:  # fmt: skip
    """One line of `option httplog`.

    `client` is address:port; `names` frontend, backend, server; `timers` TR, Tw, Tc, Tr, Ta in ms (-1: not reached);
    `flags` the four termination characters; `counts` actconn, feconn, beconn, srv_conn, retries; `ahead` server, backend.
    """
    frontend, backend, server = names
    request_ms, wait, connect, response, active = timers
    process, front, back, srv, retries = counts
    return (
        f'{client} [{date}] {frontend} {backend}/{server} {request_ms}/{wait}/{connect}/{response}/{active} '
        f'{status} {sent} - - {flags} {process}/{front}/{back}/{srv}/{"+" if redispatched else ""}{retries} '
        f'{ahead[0]}/{ahead[1]} "{request}"'
    )


def is_wanted(level: str, most: str) -> bool:
    """Does a target whose `level` is `most` take messages of `level`?"""
    return LEVELS.index(level) <= LEVELS.index(most)


class Framing:
    """What goes before the text for one `log` line of the configuration; `frame` makes one message of it."""

    __slots__ = ('_dates', '_form', '_host', '_level', '_pid', '_priority', '_tag')

    def __init__(
        self, form: str, facility: str, level: str, tag: str, pid: int, host: str | None, dates: Dates
    ) -> None:
        self._form = form
        self._level = LEVELS.index(level)
        self._priority = FACILITIES.index(facility) * 8 + self._level
        self._tag = tag
        self._pid = pid
        self._host = host
        self._dates = dates

    def frame(self, text: str, second: int) -> str:
        """The message for `text` at a wall-clock second, without the final line feed."""
        form = self._form
        if form == 'raw':
            return text
        if form == 'short':
            return f'<{self._level}>{text}'
        if form == 'timed':
            return f'<{self._level}>{iso(second)} {text}'
        if form == 'iso':
            return f'{iso(second)} {text}'
        if form == 'priority':
            return f'<{self._priority}>{text}'
        if form == 'rfc5424':
            return f'<{self._priority}>1 {iso(second)} {self._host or "-"} {self._tag} {self._pid} - - {text}'
        host = f'{self._host} ' if self._host else ''
        return f'<{self._priority}>{self._dates.syslog(second)} {host}{self._tag}[{self._pid}]: {text}'
