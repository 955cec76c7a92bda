"""What rules keep of a request: its variables and its captures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.worker.places import Places

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.rules.noting import Slot
    from dataplane.rules.samples import Sample
    from dataplane.worker.context import Context
    from dataplane.worker.halves import ClientEnd


class Keeping(Places):
    """`slots` are the captures its frontend declares, for the request and for the response; `variables` those that end with it."""

    __slots__ = ('_captured', '_session', 'context', 'slots', 'variables')

    def __init__(self, context: Context, client: ClientEnd, frontend: Frontend) -> None:
        super().__init__(client)
        self.context = context
        self.slots: dict[str, tuple[Slot, ...]] = {
            'req': frontend.rules.request_slots, 'res': frontend.rules.response_slots,
        }  # fmt: skip
        self._captured: dict[tuple[str, int], bytes] = {}
        if client.variables is None:
            client.variables = {}
        self._session = client.variables
        self.variables: dict[tuple[str, str], Sample] = {}

    def variable(self, scope: str, name: str) -> Sample | None:
        """A variable; those of a session outlive the request."""
        if scope == 'proc':
            value: Sample | None = self.context.contents.store.variable(name)
            return value
        return self._session.get(name) if scope == 'sess' else self.variables.get((scope, name))

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        """Give a variable a value, or take it away."""
        allowance = self.context.allowance
        value = allowance.cut(value)
        if allowance.limited:
            store = self.context.contents.store
            value = allowance.admit(scope, self.variable(scope, name), value, self.variables, self._session, store)
        if scope == 'sess':
            if value is None:
                self._session.pop(name, None)
            else:
                self._session[name] = value
        elif scope == 'proc':
            self.context.contents.store.set_variable(name, value)
        elif value is None:
            self.variables.pop((scope, name), None)
        else:
            self.variables[scope, name] = value

    def forget(self, scope: str) -> None:
        """The variables of a scope have had their time."""
        if self.context.allowance.limited:
            self.context.allowance.give_back([value for key, value in self.variables.items() if key[0] == scope])
        for key in [key for key in self.variables if key[0] == scope]:
            del self.variables[key]

    def captured(self, where: str, slot: int) -> bytes | None:
        """What a slot keeps."""
        return self._captured.get((where, slot))

    def capture(self, where: str, slot: int, value: bytes) -> None:
        """Keep a value, as much of it as the slot has room for."""
        slots = self.slots[where]
        if slot < len(slots):
            self._captured[where, slot] = value[: slots[slot].length]
