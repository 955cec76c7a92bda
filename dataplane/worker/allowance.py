"""How much room variables may take (`tune.vars.*-max-size`): a value for which there is none is not kept.

One value never takes more than one buffer (`tune.bufsize`), where HAProxy's samples end, too: it is cut there, so that what is
appended to itself with every request does not grow for ever.

As HAProxy counts: each variable costs what its structure takes there, and a string or block its length; a scope counts the
ones within it, too. What the process has is what all workers have, each telling its own sum on the board, and the variables of
`proc`. Where nothing is limited nothing is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableSequence
from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.model import Global
from dataplane.core.tuning import VariableLimits

if TYPE_CHECKING:
    from dataplane.core.layout import Layout
    from dataplane.rules.samples import Sample
    from dataplane.rules.stores import Store

COST: Final = 80
"""Bytes of `struct var` on 64 bits."""
_OF_MESSAGES: Final = ('req', 'res')


def cost(value: Sample | None) -> int:
    """What a variable takes, 0 where there is none."""
    if value is None:
        return 0
    return COST + len(value) if isinstance(value, bytes) else COST


class Allowance:
    """One per worker. `limited`: something is, so that everybody has to ask and to give back. `longest`: bytes of one value."""

    def __init__(self, cells: MutableSequence[int], layout: Layout, worker: int) -> None:
        self.limited = False
        self.longest = Global().bufsize
        self._limits = VariableLimits()
        self._cells = cells
        self._own = layout.process_counters(worker) + C.VARIABLES
        self._all = tuple(layout.process_counters(row) + C.VARIABLES for row in range(layout.workers))

    def adopt(self, limits: VariableLimits) -> bool:
        """Follow the `global` section. Returns whether what there is must be counted, which it was not so far."""
        was, self._limits, self.limited = self.limited, limits, bool(limits)
        return self.limited and not was

    def cut(self, value: Sample | None) -> Sample | None:
        """As much of a value as one buffer holds."""
        return value[: self.longest] if isinstance(value, bytes) and len(value) > self.longest else value

    def count(self, values: Iterable[Sample]) -> None:
        """These are all that there are in this worker."""
        self._cells[self._own] = sum(cost(value) for value in values)

    def give_back(self, values: Iterable[Sample]) -> None:
        """These are gone."""
        if self.limited:
            self._cells[self._own] -= sum(cost(value) for value in values)

    def admit(
        self, scope: str, before: Sample | None, value: Sample | None, request: Mapping[tuple[str, str], Sample],
        session: Mapping[str, Sample], store: Store,
    ) -> Sample | None:  # fmt: skip
        """What a variable has from now on that had `before` and is to have `value`: that, or nothing where there is no room for it.

        `request` and `session` are all variables of where it is set.
        """
        grows = cost(value) - cost(before)
        if grows > 0 and not self._has_room(scope, grows, request, session, store):
            value, grows = None, -cost(before)
        if scope != 'proc':
            self._cells[self._own] += grows
        return value

    def _has_room(
        self,
        scope: str,
        grows: int,
        request: Mapping[tuple[str, str], Sample],
        session: Mapping[str, Sample],
        store: Store,
    ) -> bool:
        limits = self._limits
        if limits.reqres and scope in _OF_MESSAGES:
            taken = sum(cost(value) for (where, _), value in request.items() if where in _OF_MESSAGES)
            if taken + grows > limits.reqres:
                return False
        of_request = sum(cost(value) for value in request.values())
        if limits.txn and scope not in ('sess', 'proc') and of_request + grows > limits.txn:
            return False
        if limits.sess and scope != 'proc':
            if of_request + sum(cost(value) for value in session.values()) + grows > limits.sess:
                return False
        most = min(limits.proc or limits.whole, limits.whole or limits.proc)
        return not most or self._of_process(store) + grows <= most

    def _of_process(self, store: Store) -> int:
        cells = self._cells
        return sum(cells[cell] for cell in self._all) + sum(cost(held[-1][1]) for held in store.variables.held.values())
