"""The rules of all proxies, ready for use: made of the snapshot's data once per adopted table.

A list of rules runs in order until one gives a verdict; `None` means that the message goes on. Conditions and expressions are
`dataplane.rules`' closures, actions are closures over what they need; none of them remembers a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Final

from dataplane.crypting import crypt
from dataplane.rules.actions import (
    Rule,
    Rules,
    Switch,
)
from dataplane.rules.closures import compiled, compiled_format
from dataplane.rules.steps import EarlyHint, Pause, StrictMode, WaitBody
from dataplane.rules.stores import Store
from dataplane.worker.accounts import Accounts
from dataplane.worker.acting import Holds, act_of
from dataplane.worker.forwarding import ForwardedField
from dataplane.worker.logbook import LogFormats
from dataplane.worker.replies import answer_of
from dataplane.worker.statsrule import PageRules
from dataplane.worker.sticking import StickRule
from dataplane.worker.transaction import RuleFailed
from dataplane.worker.verdicts import WAITING, Act, Then, Verdict

if TYPE_CHECKING:
    from dataplane.core.model import Backend, Frontend
    from dataplane.core.tables import Tables
    from dataplane.worker.arrival import Arrival
    from dataplane.worker.transaction import Transaction

_GO_ON: Final = Then.GO_ON
Step = Sequence[Rule] | PageRules
Named = tuple[Holds | None, Callable[['Transaction'], str]]


class RuleList:
    """One list, in order."""

    __slots__ = ('_rules',)

    def __init__(self, rules: Iterable[Rule], store: Store, *, response: bool, lenient: bool = False) -> None:
        """`lenient`: a rule of the list, though perhaps not of this piece of it, sets the strict mode."""
        self._rules: list[tuple[Holds | None, Act, str]] = []
        listed = list(rules)
        for rule, following in zip_longest(listed, listed[1:]):
            holds = None if rule.condition is None else compiled(rule.condition, store)
            act = act_of(rule.action, store, response=response)
            if isinstance(rule.action, EarlyHint) and not _goes_on(following):
                act = _telling(act)
            self._rules.append((holds, _tried(act) if lenient else act, rule.where))

    def __bool__(self) -> bool:
        """Has it rules?"""
        return bool(self._rules)

    def run(self, transaction: Transaction | Arrival) -> Verdict | None:
        """Evaluate it. None: the message goes on."""
        verdict = self.verdict(transaction)
        return None if verdict is None or verdict.then is _GO_ON else verdict

    def verdict(self, transaction: Transaction | Arrival) -> Verdict | None:
        """The first verdict, GO_ON too; None where there is none."""
        for holds, act, where in self._rules:
            if holds is None or holds(transaction):
                verdict = act(transaction)
                if verdict is not None:
                    if verdict.then not in WAITING:
                        transaction.last_rule = where
                    return verdict
        return None


class Chain:
    """Lists of rules one after another, cut behind each rule that may wait: what is run when the wait is over is the next piece.

    A proxy's statistics page may stand between two of them.
    """

    __slots__ = ('_pieces',)

    def __init__(self, lists: Iterable[Step], store: Store, *, response: bool) -> None:
        self._pieces: list[tuple[RuleList | PageRules, int]] = []  # each with the place at which the next list begins
        for rules in lists:
            if isinstance(rules, PageRules):
                self._pieces.append((rules, len(self._pieces) + 1))
                continue
            pieces = _cut(rules)
            end = len(self._pieces) + len(pieces)
            lenient = any(isinstance(rule.action, StrictMode) for rule in rules)
            self._pieces += [(RuleList(piece, store, response=response, lenient=lenient), end) for piece in pieces]

    def __bool__(self) -> bool:
        """Has it rules?"""
        return bool(self._pieces)

    def run(self, transaction: Transaction, at: int) -> Verdict | None:
        """Evaluate it from a piece on. None: the message goes on; otherwise `transaction.place` says where to go on if need be."""
        pieces = self._pieces
        while at < len(pieces):
            rules, end = pieces[at]
            at += 1
            verdict = rules.verdict(transaction)
            if verdict is None:
                continue
            if verdict.then is not _GO_ON:
                transaction.place = at
                return verdict
            at = end
        return None


def _cut(rules: Sequence[Rule]) -> list[Sequence[Rule]]:
    """The list in pieces, of which each but the last ends with a rule that may wait."""
    ends = [at + 1 for at, rule in enumerate(rules) if isinstance(rule.action, WaitBody | Pause)]
    cuts = sorted({0, *ends, len(rules)})
    return [rules[start:end] for start, end in pairwise(cuts)]


def _goes_on(rule: Rule | None) -> bool:
    """Is the answer of the hint before this rule certain to have one more?"""
    return rule is not None and rule.condition is None and isinstance(rule.action, EarlyHint)


def _telling(act: Act) -> Act:
    """A hint that is the last one of its answer."""

    def tell(transaction: Transaction) -> None:
        act(transaction)
        transaction.tell_hints()

    return tell


def _tried(act: Act) -> Act:
    """An act that is passed over where it cannot be carried out, unless the strict mode is on."""

    def tried(transaction: Transaction) -> Verdict | None:
        try:
            return act(transaction)
        except RuleFailed:
            if transaction.strict:
                raise
            return None

    return tried


class ProxyRules:
    """The rules of one proxy, or of a half of it."""

    __slots__ = (
        'after', 'answer_sticks', 'connection', 'forced', 'formats', 'forwarded', 'made_of', 'monitor_fail', 'name', 'persistence', 'replies',
        'request', 'response', 'response_guard', 'servers', 'session', 'sticks', 'switches',
    )  # fmt: skip

    def __init__(self, name: str, rules: Rules, store: Store, *, backend: bool = False) -> None:
        self.name = name
        self.made_of = rules
        self.formats = LogFormats(rules.formats, store)
        self.connection = RuleList(rules.connection, store, response=False)
        self.session = RuleList(rules.session, store, response=False)
        page: Step = () if rules.page is None else PageRules(rules.page, name, store, backend=backend)
        steps: tuple[Step, ...] = (rules.content, rules.request, rules.request_guard, page, rules.redirects)
        self.request = Chain(steps, store, response=False)
        self.response = Chain((rules.response_content, rules.response), store, response=True)
        self.response_guard = RuleList(rules.response_guard, store, response=True)
        lenient = any(isinstance(rule.action, StrictMode) for rule in rules.after)
        self.after = RuleList(rules.after, store, response=True, lenient=lenient)
        self.forwarded = None if rules.forwarded is None else ForwardedField(rules.forwarded, store)
        self.replies = {reply.status: answer_of(reply, store) for reply in rules.replies}
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
    """All proxies' rules under one set of tables, by index. False where there are none at all.

    `steps` makes it; `made` does all of them at once.
    """

    __slots__ = ('_before', '_tables', 'backends', 'frontends', 'sections', 'store', 'userlists')
    frontends: dict[int, ProxyRules]
    backends: dict[int, ProxyRules]
    store: Store

    def __init__(self, tables: Tables, store: Store, before: Rulebook | None = None) -> None:
        """`before` is the last one: what tables say as they did then is not made again, unless patterns, users or pages are looked for
        elsewhere.
        """
        self.store = store
        self.userlists, self.sections = tables.snapshot.userlists, tables.snapshot.error_sections
        self._before = before if before is not None and self._asks_the_same(before) else None
        self._tables = tables
        if self._before is None:
            store.accounts = {one.name: Accounts(one, crypt) for one in self.userlists}
            store.pages = {
                (one.name, page.status): (page.closing, page.keeping) for one in self.sections for page in one.pages
            }
        self.frontends, self.backends = {}, {}

    @classmethod
    def made(cls, tables: Tables, store: Store, before: Rulebook | None = None) -> Rulebook:
        """All of it, at once."""
        book = cls(tables, store, before)
        for _ in book.steps():
            pass
        return book

    def _asks_the_same(self, before: Rulebook) -> bool:
        """Is what rules look things up in what it was?"""
        return before.store is self.store and before.userlists == self.userlists and before.sections == self.sections

    def steps(self) -> Iterator[None]:
        """Make the rules, one proxy's per step."""
        before = self._before
        known = {} if before is None else before.frontends
        yield from self._of(self._tables.frontends, known, self.frontends, backend=False)
        known = {} if before is None else before.backends
        yield from self._of(self._tables.backends, known, self.backends, backend=True)
        self._before = None  # or each would keep all that were before it

    def _of(
        self, proxies: Mapping[int, Frontend] | Mapping[int, Backend], known: Mapping[int, ProxyRules],
        made: dict[int, ProxyRules], *, backend: bool,
    ) -> Iterator[None]:  # fmt: skip
        before = {one.name: one for one in known.values()}
        for index, proxy in proxies.items():
            if proxy.rules:
                rules = before.get(proxy.name)
                if rules is None or rules.made_of != proxy.rules:
                    rules = ProxyRules(proxy.name, proxy.rules, self.store, backend=backend)
                made[index] = rules
                yield

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
