"""Rules: how values are written in a format: quoted, escaped, encoded, or a dash where there is none."""

from __future__ import annotations

import re
from typing import Any, Final

from dataplane.rules.model import Flags

_ESCAPED: Final = re.compile(rb'["\\\]]')
_NOT_IN_URIS: Final = re.compile(rb'[\x00-\x08\x0a-\x1f\x7f]')
_NOT_IN_LOGS: Final = re.compile(rb'[\x00-\x1f"#\x7f-\xff]')
_NOT_IN_CAPTURES: Final = re.compile(rb'[\x00-\x1f"#{|}\x7f-\xff]')


def write_sample(sample: Any, flags: Flags) -> bytes:
    """The value of a `%[...]`."""
    if flags is Flags.NONE:
        return sample or b''
    if Flags.ENCODED in flags:
        text: bytes = sample or b''
        if Flags.ESCAPED in flags:
            text = _ESCAPED.sub(rb'\\\g<0>', text)
        return _NOT_IN_URIS.sub(lambda found: b'%%%02X' % found[0][0], text)
    return write_text(sample, flags)


def write_text(text: bytes | None, flags: Flags) -> bytes:
    """A string: quoted also where it is empty; else a dash stands for nothing, where that is asked for."""
    if not text:
        if Flags.QUOTED in flags:
            return b'""'
        return b'-' if Flags.MANDATORY in flags else b''
    if Flags.ESCAPED in flags:
        text = _ESCAPED.sub(rb'\\\g<0>', text)
    return b'"%b"' % text if Flags.QUOTED in flags else text


def for_log(text: bytes) -> bytes:
    """What clients wrote, as a log shows it: what is not printable, and what could end a quote, as `#` and two digits."""
    return _NOT_IN_LOGS.sub(_hash, text)


def for_capture(text: bytes) -> bytes:
    """As `for_log`, also for what separates captured fields."""
    return _NOT_IN_CAPTURES.sub(_hash, text)


def _hash(found: re.Match[bytes]) -> bytes:
    return b'#%02X' % found[0][0]
