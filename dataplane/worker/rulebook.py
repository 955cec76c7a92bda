"""The rules of all proxies, ready for use: made of the snapshot's data once per adopted table.

A list of rules runs in order until one gives a verdict; `None` means that the message goes on. Conditions and expressions are
`dataplane.rules`' closures, actions are closures over what they need; none of them remembers a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dataplane.rules.actions import (
    Rule,
    Rules,
    Switch,
)
from dataplane.rules.closures import compiled, compiled_format
from dataplane.rules.stores import Store
from dataplane.worker.acting import Act, Holds, Then, Verdict, act_of
from dataplane.worker.logbook import LogFormats
from dataplane.worker.sticking import StickRule

if TYPE_CHECKING:
    from dataplane.core.model import Backend, Frontend
    from dataplane.core.tables import Tables
    from dataplane.worker.arrival import Arrival
    from dataplane.worker.transaction import Transaction

Named = tuple[Holds | None, Callable[['Transaction'], str]]


class RuleList:
    """One list, in order."""

    __slots__ = ('_rules',)

    def __init__(self, rules: Iterable[Rule], store: Store, *, response: bool) -> None:
        self._rules: list[tuple[Holds | None, Act]] = [
            (
                None if rule.condition is None else compiled(rule.condition, store),
                act_of(rule.action, store, response=response),
            )
            for rule in rules
        ]

    def __bool__(self) -> bool:
        """Has it rules?"""
        return bool(self._rules)

    def run(self, transaction: Transaction | Arrival) -> Verdict | None:
        """Evaluate it. None: the message goes on."""
        for holds, act in self._rules:
            if holds is None or holds(transaction):
                verdict = act(transaction)
                if verdict is not None:
                    return None if verdict.then is Then.GO_ON else verdict
        return None


class ProxyRules:
    """The rules of one proxy, or of a half of it."""

    __slots__ = (
        'after', 'answer_sticks', 'connection', 'content', 'forced', 'formats', 'made_of', 'monitor_fail', 'name', 'persistence',
        'redirects', 'request', 'request_guard', 'response', 'response_guard', 'servers', 'session', 'sticks', 'switches',
    )  # fmt: skip

    def __init__(self, name: str, rules: Rules, store: Store) -> None:
        self.name = name
        self.made_of = rules
        self.formats = LogFormats(rules.formats, store)
        self.connection = RuleList(rules.connection, store, response=False)
        self.session = RuleList(rules.session, store, response=False)
        self.content = RuleList(rules.content, store, response=False)
        self.request = RuleList(rules.request, store, response=False)
        self.request_guard = RuleList(rules.request_guard, store, response=False)
        self.redirects = RuleList(rules.redirects, store, response=False)
        self.response = RuleList(rules.response, store, response=True)
        self.response_guard = RuleList(rules.response_guard, store, response=True)
        self.after = RuleList(rules.after, store, response=True)
        self.switches = [_switch(switch, store) for switch in rules.switches]
        self.servers = [_switch(switch, store) for switch in rules.servers]
        self.forced = [_switch(switch, store) for switch in rules.forced]
        self.sticks = [StickRule(one, store) for one in rules.sticks]
        self.answer_sticks = [StickRule(one, store) for one in rules.answer_sticks]
        self.monitor_fail = [compiled(condition, store) for condition in rules.monitor_fail]
        self.persistence = [
            (None if rule.condition is None else compiled(rule.condition, store), rule.ignore)
            for rule in rules.persistence
        ]

    def fails(self, transaction: Transaction) -> bool:
        """Does `monitor-uri` answer that this proxy is not well?"""
        return any(holds(transaction) for holds in self.monitor_fail)

    def asked(self, transaction: Transaction) -> Verdict | None:
        """A request is here."""
        for rules in (self.content, self.request, self.request_guard, self.redirects):
            verdict = rules.run(transaction) if rules else None
            if verdict is not None:
                return verdict
        return None

    def backend(self, transaction: Transaction, passed_over: Callable[[str], bool]) -> str | None:
        """The name of the backend that the first `use_backend` whose condition holds says, None where none does.

        One that names a backend which is passed over counts for nothing.
        """
        return next((name for name in _named(self.switches, transaction) if not passed_over(name)), None)

    def forces(self, transaction: Transaction) -> bool:
        """Does a `force-be-switch` hold, so that no backend is passed over?"""
        return next(_named(self.forced, transaction), None) is not None

    def server(self, transaction: Transaction, usable: Callable[[str], bool]) -> str | None:
        """Likewise of `use-server`; one that cannot be used is passed over."""
        return next((name for name in _named(self.servers, transaction) if usable(name)), None)


class Rulebook:
    """All proxies' rules under one set of tables, by index. False where there are none at all."""

    __slots__ = ('backends', 'frontends', 'store')
    frontends: dict[int, ProxyRules]
    backends: dict[int, ProxyRules]
    store: Store

    def __init__(self, tables: Tables, store: Store, before: Rulebook | None = None) -> None:
        """`before` is the last one: what tables say as they did then is not made again, unless patterns are looked for elsewhere."""
        self.store = store
        same = before is not None and before.store is store
        known = [] if before is None or not same else [*before.frontends.values(), *before.backends.values()]
        self.frontends = self._of(tables.frontends, known)
        self.backends = self._of(tables.backends, known)

    def _of(
        self, proxies: Mapping[int, Frontend] | Mapping[int, Backend], known: Sequence[ProxyRules]
    ) -> dict[int, ProxyRules]:
        made = {}
        for index, proxy in proxies.items():
            if proxy.rules:
                old = next((one for one in known if one.name == proxy.name and one.made_of == proxy.rules), None)
                made[index] = old or ProxyRules(proxy.name, proxy.rules, self.store)
        return made

    def __bool__(self) -> bool:
        """Has any proxy rules?"""
        return bool(self.frontends or self.backends)


def _named(switches: list[Named], transaction: Transaction) -> Iterator[str]:
    """The names of those whose condition holds, in order; the next one is asked only when it is wanted."""
    for holds, name in switches:
        if holds is None or holds(transaction):
            yield name(transaction)


def _switch(switch: Switch, store: Store) -> Named:
    holds = None if switch.condition is None else compiled(switch.condition, store)
    if isinstance(switch.name, str):
        name = switch.name
        return holds, lambda _: name
    write = compiled_format(switch.name, store)
    return holds, lambda transaction: write(transaction).decode('utf-8', 'replace')
