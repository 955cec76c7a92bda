"""Operands of the commands: numbers, delays, names. Each reader raises Complaint with HAProxy's own words."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from dataplane.cli.session import Complaint

_MAX_INT: Final = 2**31 - 1
_RATES: Final = {'connections': 1, 'sessions': 1, 'ssl-sessions': 1, 'http-compression': 1024}
RATE_LIMITS: Final = """'set rate-limit' only supports :
   - 'connections global' to set the per-process maximum connection rate
   - 'sessions global' to set the per-process maximum session rate
   - 'ssl-sessions global' to set the per-process maximum SSL session rate
   - 'http-compression global' to set the per-process maximum compression speed in kB/s"""
_MOST_DIGITS: Final = 20
_NUMBER: Final = re.compile(r'\s*([+-]?[0-9]+)')
_DELAY: Final = re.compile(r'([0-9]+)(us|ms|s|m|h|d)?')
_UNIT_US: Final = {'us': 1, 'ms': 1_000, 's': 1_000_000, 'm': 60_000_000, 'h': 3_600_000_000, 'd': 86_400_000_000}


def server_path(word: str) -> tuple[str, str]:
    """Cut `backend/server`; each half may be a name or `#id`."""
    backend, slash, server = word.partition('/')
    if not slash or not backend or not server:
        raise Complaint("Require 'backend/server'.")
    return backend, server


def server_maxconn(word: str) -> int:
    """Read the operand of `set maxconn server`; 0 means unlimited, and so do HAProxy's negative ones."""
    if not word:
        raise Complaint('Require <maxconn>.')
    found = _NUMBER.match(word)
    if not found:
        raise Complaint('maxconn string empty or preceded by garbage')
    if found.end() != len(word):
        raise Complaint('Trailing garbage in maxconn string')
    value = _whole(found[1])
    if value > _MAX_INT:
        raise Complaint('Value out of range.')
    return max(value, 0)


def frontend_maxconn(word: str) -> int:
    """Read the operand of `set maxconn frontend`: at least 1."""
    return _integer(word, 'Integer value expected.', least=1, most=_MAX_INT)


def global_maxconn(word: str, *, most: int) -> int:
    """Read the operand of `set maxconn global`; 0 gives back the configured limit `most`, which cannot be exceeded."""
    return _integer(word, 'Expects an integer value.', least=0, most=most) or most


def _integer(word: str, expected: str, *, least: int, most: int) -> int:
    if not re.fullmatch('[+-]?[0-9]+', word):
        raise Complaint(expected)
    value = _whole(word)
    if not least <= value <= most:
        raise Complaint('Value out of range.')
    return value


def rate_limit(words: tuple[str, ...]) -> tuple[str, int]:
    """Read `SETTING global VALUE`: what is limited, and to how much per second; 0 is no limit."""
    setting, scope = words[:1], words[1:2]
    if not setting or setting[0] not in _RATES or scope != ('global',):
        raise Complaint(RATE_LIMITS)
    value = _integer(words[2] if len(words) > 2 else '', 'Expects an integer value.', least=0, most=_MAX_INT)
    return setting[0], value * _RATES[setting[0]]


def address(words: tuple[str, ...]) -> tuple[str, int | None]:
    """Read `IP [port P]`; the port is None when it is not given."""
    if not words:
        raise Complaint('set server <b>/<s> addr requires an address and optionally a port.')
    try:
        host = str(ipaddress.ip_address(words[0]))
    except ValueError:
        raise Complaint(f"Invalid addr '{words[0]}' by 'stats socket command'") from None
    if len(words) < 2 or words[1] != 'port':
        return host, None
    word = words[2] if len(words) > 2 else ''
    if not re.fullmatch('[0-9]+', word):
        raise Complaint(f"problem converting port '{word}' to an int by 'stats socket command'")
    port = _whole(word)
    if not 1 <= port <= 65535:
        raise Complaint(f"provided port '{word}' is out of range by 'stats socket command'")
    return host, port


def wait_delay(word: str) -> float:
    """Read the duration of `wait`, by default in milliseconds; the result is in seconds."""
    if not word:
        raise Complaint('Expects a duration in milliseconds.')
    milliseconds = _delay_ms(word, 'ms')
    if milliseconds is None or milliseconds < 1:
        raise Complaint('Invalid duration.')
    return milliseconds / 1000


def cli_timeout(word: str) -> int:
    """Read the operand of `set timeout cli`, by default in seconds; the result is in milliseconds."""
    if not word:
        raise Complaint('Expects an integer value.')
    milliseconds = _delay_ms(word, 's')
    if not milliseconds:
        raise Complaint('Invalid timeout value.')
    return milliseconds


def _delay_ms(word: str, unit: str) -> int | None:
    """Milliseconds, microseconds rounded up; None for what is not a delay or longer than HAProxy's clock can hold."""
    found = _DELAY.fullmatch(word)
    if not found:
        return None
    milliseconds = -(-_whole(found[1]) * _UNIT_US[found[2] or unit] // 1_000)
    return milliseconds if milliseconds <= _MAX_INT else None


def _whole(text: str) -> int:
    """A whole number, signed perhaps. One with more digits than any limit has is only known to be beyond them all, since int()
    refuses a text of thousands.
    """
    digits = text.lstrip('+-0')
    return int(f'{text[:1] if text[:1] == "-" else ""}{digits[:_MOST_DIGITS] or 0}')


def session_pointer(word: str) -> str:
    """Read the operand of `shutdown session`: a pointer as `show sess` prints it."""
    if not re.fullmatch('0x[0-9a-fA-F]+', word):
        raise Complaint("Session pointer expected (use 'show sess').")
    return word.lower()
