"""The vocabulary of `cookie` lines (configuration manual 4.2); see model.py for what goes for all of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CookieMode(StrEnum):
    """What becomes of the persistence cookie on its way to the client; PASSIVE: it is read, and no other set."""

    PASSIVE = 'passive'
    REWRITE = 'rewrite'
    INSERT = 'insert'
    PREFIX = 'prefix'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """`cookie NAME ...`. `maxidle` and `maxlife` in seconds, 0: not limited. `attributes`: what stands behind `path=/`."""

    name: str
    mode: CookieMode = CookieMode.PASSIVE
    indirect: bool = False
    nocache: bool = False
    postonly: bool = False
    preserve: bool = False
    maxidle: int = 0
    maxlife: int = 0
    dynamic: bool = False
    attributes: tuple[str, ...] = ()
