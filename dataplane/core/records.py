"""How records travel between processes: as their class and the values of its fields, from which they are made again.

A frozen dataclass that is compiled (docs/decisions/0016-a-compiled-twin.md) has no state that pickle could give back to it: its
attributes are C, and refuse to be set. Made anew it is what it was, compiled or not; what a record derives from its
fields it derives again.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from dataclasses import fields
from typing import Any

_NAMES: dict[type, tuple[str, ...]] = {}


def by_fields(*kinds: Any) -> None:
    """Have these dataclasses pickled and copied so. Fields that are no arguments (`init=False`) do not travel.

    To be called where they are made: whoever can name one can then send and receive it. TypeError: one is no dataclass.
    """
    for kind in kinds:
        _NAMES[kind] = tuple(item.name for item in fields(kind) if item.init)
        copyreg.pickle(kind, _parts)


def _parts(record: object) -> tuple[Callable[..., object], tuple[type, tuple[object, ...]]]:
    kind = type(record)
    return _made, (kind, tuple(getattr(record, name) for name in _NAMES[kind]))


def _made(kind: type, values: tuple[object, ...]) -> object:
    return kind(**dict(zip(_NAMES[kind], values, strict=True)))
