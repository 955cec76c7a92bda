"""Variables of `proc` outside of requests: what `set-var` in the global section and `set var` on the CLI make them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.rules.blank import Blank
from dataplane.rules.closures import compiled_expression, compiled_format
from dataplane.rules.model import Expression
from dataplane.rules.patience import Patience, endless
from dataplane.rules.samples import Type
from dataplane.rules.stores import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataplane.core.model import Snapshot
    from dataplane.rules.actions import SetVar
    from dataplane.rules.model import Format
    from dataplane.rules.samples import Sample

_RANDOM: Final = random.SystemRandom()
WORDS: Final = {
    Type.BOOL: 'bool', Type.INT: 'sint', Type.IPV4: 'ipv4', Type.IPV6: 'ipv6', Type.STR: 'str', Type.BIN: 'bin',
    Type.METHOD: 'meth',
}  # fmt: skip
"""How HAProxy writes a sample's type."""


class Nobody(Blank):
    """The view of an expression that no request asks for: constants, the clock, chance and variables of `proc`."""

    def __init__(self, variable: Callable[[str], Sample | None], change: Callable[[str, Sample | None], None]) -> None:
        self._variable, self._change = variable, change

    @property
    def now_us(self) -> int:
        """The wall clock."""
        return time.time_ns() // 1_000

    def random(self) -> int:
        """32 random bits."""
        return _RANDOM.getrandbits(32)

    def variable(self, scope: str, name: str) -> Sample | None:
        """A variable of `proc`; there are no others."""
        return self._variable(name) if scope == 'proc' else None

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        """Give a variable of `proc` a value, or take it away."""
        if scope == 'proc':
            self._change(name, value)


def value_of(what: Expression | Format, view: Nobody, patience: Patience = endless) -> Sample | None:
    """What an expression or format yields here and now. `patience` watches over searches with regular expressions."""
    store = Store(patience=patience)
    if isinstance(what, Expression):
        return compiled_expression(what, store)(view)
    return compiled_format(what, store)(view)


def began(snapshot: Snapshot) -> Snapshot:
    """The snapshot with the values its variables begin with: found once, so that all workers have the same."""
    if not snapshot.declared:
        return snapshot
    values: dict[str, Sample] = {}

    def put(name: str, value: Sample | None) -> None:
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value

    view = Nobody(values.get, put)
    _run(snapshot.declared, view, put)
    return replace(snapshot, variables=tuple(values.items()))


def _run(declared: Iterable[SetVar], view: Nobody, put: Callable[[str, Sample | None], None]) -> None:
    for one in declared:
        value = value_of(one.value, view)
        if value is not None:
            put(one.variable.name, value)
