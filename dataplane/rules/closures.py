"""Rules: plain data -> closures, once per adopted table. What they are called with is a `View`.

Types are settled here: where the type of a sample is known beforehand, and is the one that is wanted, nothing is asked about
it per request. No closure remembers a request; those that look into sets of patterns hold on to the store's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dataplane.rules.acls import available
from dataplane.rules.aliases import ALIASES, SOLID
from dataplane.rules.converters import CONVERTERS
from dataplane.rules.fetches import FETCHES
from dataplane.rules.matching import WANTED, matcher
from dataplane.rules.model import Acl, Alias, Call, Condition, Expression, Format, Match, Term, Test
from dataplane.rules.phases import Phase
from dataplane.rules.samples import Type, caster
from dataplane.rules.stores import Store
from dataplane.rules.table import Arguments, Every, Getter
from dataplane.rules.writing import sample_writer

if TYPE_CHECKING:
    from dataplane.rules.samples import Sample
    from dataplane.rules.view import View

Decision = Callable[['View'], bool]
Writer = Callable[['View'], bytes]
_Chain = Callable[[Any, 'View'], 'Sample | None']
_SEPARATOR: Final = b' '


def compiled_expression(expression: Expression, store: Store | None = None, wanted: Type = Type.ANY) -> Getter:
    """The expression ready for use: its value, None where nothing is found; `wanted`: cast to that type."""
    kept = store or Store()
    get = _getter(expression.fetch, kept)
    chain = _chain(expression, kept, wanted)
    if chain is None:
        return get

    def value(view: View) -> Sample | None:
        sample = get(view)
        return None if sample is None else chain(sample, view)

    return value


def _getter(fetch: Call, store: Store) -> Getter:
    if fetch.arguments and isinstance(fetch.arguments[0], Condition):
        return compiled(fetch.arguments[0], store)
    spec = FETCHES[fetch.name]
    return spec.build(fetch.arguments) if spec.stored is None else spec.stored(fetch.arguments, store)


def _chain(expression: Expression, store: Store, wanted: Type) -> _Chain | None:
    """What happens to the fetched sample: casts and converters in turn. None where nothing does."""
    steps: list[_Chain] = []
    kind = FETCHES[expression.fetch.name].gives
    for call in expression.converters:
        spec = CONVERTERS[call.name]
        _add_cast(steps, kind, spec.takes)
        steps.append(spec.build(_decided(call.arguments, store), store))
        kind = spec.gives
    _add_cast(steps, kind, wanted)
    if not steps:
        return None
    if len(steps) == 1:
        return steps[0]

    def run(sample: Any, view: View) -> Sample | None:
        for step in steps:
            sample = step(sample, view)
            if sample is None:
                return None
        return sample  # type: ignore[no-any-return]

    return run


def _decided(arguments: Arguments, store: Store) -> Arguments:
    """The arguments of a converter; an ACL, behind which the name of a phase stands, is made ready for use."""
    if not any(isinstance(one, Acl) for one in arguments):
        return arguments
    word, acl, phase = arguments
    assert isinstance(acl, Acl)
    return word, compiled_acl(acl, store, Phase[str(phase)])


def _add_cast(steps: list[_Chain], kind: Type, wanted: Type) -> None:
    cast = caster(kind, wanted)
    if cast is not None:
        steps.append(lambda sample, _view: cast(sample))


def _compiled_test(test: Test, store: Store, phase: Phase) -> Decision:
    if not available(test, phase):
        return lambda _: False
    expression = test.expression
    spec = FETCHES[expression.fetch.name]
    wanted = WANTED[test.match]
    if test.match is Match.AUTH and spec.groups is not None:
        in_one = matcher(Match.STR, test.patterns, test.files, store)
        return _any_of(spec.groups(expression.fetch.arguments, store), None, in_one)
    matches = matcher(test.match, test.patterns, test.files, store, test.reference)
    chain = _chain(expression, store, wanted)
    every = spec.every(expression.fetch.arguments) if spec.every is not None else None
    if every is not None:
        return _any_of(every, chain, matches)
    get = _getter(expression.fetch, store)
    if chain is None:

        def plain(view: View) -> bool:
            sample = get(view)
            return sample is not None and matches(sample)

        return plain
    run = chain

    def converted(view: View) -> bool:
        sample = get(view)
        if sample is None:
            return False
        sample = run(sample, view)
        return sample is not None and matches(sample)

    return converted


def _any_of(every: Every, chain: _Chain | None, matches: Callable[[Any], bool]) -> Decision:
    if chain is None:

        def plain(view: View) -> bool:
            for sample in every(view):  # noqa: SIM110 - a generator costs 0.3 us each time
                if matches(sample):
                    return True
            return False

        return plain
    run = chain

    def converted(view: View) -> bool:
        for sample in every(view):
            value = run(sample, view)
            if value is not None and matches(value):
                return True
        return False

    return converted


def compiled_acl(acl: Acl, store: Store | None = None, phase: Phase = Phase.REQUEST) -> Decision:
    """Does one of the ACL's lines hold?"""
    tests = [_compiled_test(test, store or Store(), phase) for test in acl.tests]
    return _one_of(tests)


def compiled(condition: Condition, store: Store | None = None) -> Decision:
    """The condition ready for use: does the rule it belongs to apply?"""
    kept = store or Store()
    groups = [_all_of([_term(term, kept, condition.phase) for term in group]) for group in condition.groups]
    holds = _one_of(groups)
    return _opposite(holds) if condition.unless else holds


def _term(term: Term, store: Store, phase: Phase) -> Decision:
    holds = compiled_acl(term.acl, store, phase)
    return _opposite(holds) if term.negated else holds


def _opposite(holds: Decision) -> Decision:
    return lambda view: not holds(view)


def _one_of(decisions: list[Decision]) -> Decision:
    if len(decisions) == 1:
        return decisions[0]
    if len(decisions) == 2:
        first, second = decisions
        return lambda view: first(view) or second(view)

    def one(view: View) -> bool:
        for holds in decisions:  # noqa: SIM110 - as above
            if holds(view):
                return True
        return False

    return one


def _all_of(decisions: list[Decision]) -> Decision:
    if len(decisions) == 1:
        return decisions[0]
    if len(decisions) == 2:
        first, second = decisions
        return lambda view: first(view) and second(view)

    def every(view: View) -> bool:
        for holds in decisions:  # noqa: SIM110 - as above
            if not holds(view):
                return False
        return True

    return every


def compiled_format(format_: Format, store: Store | None = None) -> Writer:
    """The format ready for use: the bytes it stands for."""
    kept = store or Store()
    parts = [part if isinstance(part, bytes) else _writer(part, kept) for part in format_.parts]
    if all(isinstance(part, bytes) for part in parts):
        text = b''.join(part for part in parts if isinstance(part, bytes))
        return lambda _: text
    if format_.merge:
        solid = {at for at, part in enumerate(format_.parts) if isinstance(part, Alias) and part.name in SOLID}
        return _merging(parts, solid)
    if len(parts) == 1 and not isinstance(parts[0], bytes):
        return parts[0]
    return lambda view: b''.join([part if isinstance(part, bytes) else part(view) for part in parts])


def _merging(parts: list[bytes | Writer], solid: set[int]) -> Writer:
    """Blanks are parts of their own; one after another, or at the beginning, counts for nothing. `solid`: parts that are never nothing."""

    def write(view: View) -> bytes:
        out: list[bytes] = []
        blank = True
        for at, part in enumerate(parts):
            if part == _SEPARATOR:
                if not blank:
                    out.append(_SEPARATOR)
                blank = True
                continue
            text = part if isinstance(part, bytes) else part(view)
            if text or at in solid:
                out.append(text)
                blank = False
        return b''.join(out)

    return write


def _writer(part: Any, store: Store) -> Writer:
    if isinstance(part, Alias):
        return ALIASES[part.name](part.flags)
    get, write = compiled_expression(part.expression, store, Type.STR), sample_writer(part.flags)
    return lambda view: write(get(view))
