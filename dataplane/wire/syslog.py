"""What goes before the text of a log line: levels, facilities and formats (RFC 3164, RFC 5424, HAProxy's manual 3.1, `log`).

The supervisor and every worker write to the same targets, so what they write is framed here for all of them.
"""

from __future__ import annotations

from time import localtime, strftime
from typing import Final

LEVELS: Final = ('emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug')
FACILITIES: Final = (
    'kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'auth2', 'ftp', 'ntp', 'audit',
    'alert', 'cron2', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7',
)  # fmt: skip
FORMATS: Final = ('local', 'rfc3164', 'rfc5424', 'priority', 'short', 'timed', 'iso', 'raw')
MONTHS: Final = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')


def level_at(level: str, most: str, least: str) -> str | None:
    """The level a message of `level` has at a target: None when it is beyond its `level`, never above its `minlevel`."""
    rank = LEVELS.index(level)
    if rank > LEVELS.index(most):
        return None
    return LEVELS[max(rank, LEVELS.index(least))]


class Stamps:
    """Time stamps of syslog. What is the same for a whole second is formatted once."""

    __slots__ = ('_iso', '_iso_second', '_syslog', '_syslog_second', '_zone')

    def __init__(self) -> None:
        self._iso_second = self._syslog_second = -1
        self._iso = self._syslog = self._zone = ''

    def syslog(self, now: float) -> str:
        """`Mon dd HH:MM:SS` in local time, the day padded with a space, for a wall clock in seconds."""
        second = int(now)
        if second != self._syslog_second:
            t = localtime(second)
            self._syslog = f'{MONTHS[t.tm_mon - 1]} {t.tm_mday:2} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}'
            self._syslog_second = second
        return self._syslog

    def iso(self, now: float) -> str:
        """`2026-11-23T19:43:32.123456+00:00` in local time."""
        second = int(now)
        if second != self._iso_second:
            t = localtime(second)
            zone = strftime('%z', t) or '+0000'
            self._iso, self._zone = strftime('%Y-%m-%dT%H:%M:%S', t), f'{zone[:3]}:{zone[3:]}'
            self._iso_second = second
        return f'{self._iso}.{int((now - second) * 1_000_000):06}{self._zone}'


class Framing:
    """One `log` line of the configuration, for messages of one level. `host` None: the name is left out."""

    __slots__ = ('_form', '_host', '_level', '_pid', '_priority', '_stamps', '_tag')

    def __init__(
        self, form: str, facility: str, level: str, tag: str, pid: int, host: str | None, stamps: Stamps
    ) -> None:
        self._form = form
        self._level = LEVELS.index(level)
        self._priority = FACILITIES.index(facility) * 8 + self._level
        self._tag = tag
        self._pid = pid
        self._host = host
        self._stamps = stamps

    def frame(self, text: str, now: float, data: str = '-') -> str:
        """The message for `text` at a wall clock in seconds, without the final line feed; `data`: RFC 5424, 6.3."""
        form = self._form
        if form == 'raw':
            return text
        if form == 'short':
            return f'<{self._level}>{text}'
        if form == 'timed':
            return f'<{self._level}>{self._stamps.iso(now)} {text}'
        if form == 'iso':
            return f'{self._stamps.iso(now)} {text}'
        if form == 'priority':
            return f'<{self._priority}>{text}'
        if form == 'rfc5424':
            return f'<{self._priority}>1 {self._stamps.iso(now)} {self._host or "-"} {self._tag} {self._pid} - {data} {text}'
        host = f'{self._host} ' if self._host else ''
        return f'<{self._priority}>{self._stamps.syslog(now)} {host}{self._tag}[{self._pid}]: {text}'
