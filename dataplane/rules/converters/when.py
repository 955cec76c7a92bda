"""Rules: the converter `when`, which lets a sample pass under a condition only (configuration manual 7.3.1).

What is asked of a request is a fact of its view; where there is no request it is false. Of a named ACL those lines count that stand
before the expression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Type
from dataplane.rules.table import Arguments, Converter, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.rules.samples import Sample
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_FACTS: Final = {
    'error': ('when.error',), 'normal': ('when.error',), 'forwarded': ('when.forwarded',), 'toapplet': ('when.toapplet',),
    'processed': ('when.forwarded', 'when.toapplet'), 'stopping': ('stopping',),
}  # fmt: skip
"""The facts of which one has to be true; for `normal` none may be."""


def _checked(arguments: Arguments, scope: Scope) -> Arguments:
    written = str(arguments[0])
    word = written.removeprefix('!')
    if word == 'acl':
        name = str(arguments[1]) if len(arguments) > 1 else ''
        acl = scope.acls.get(name)
        if acl is None:
            msg = f"could not find ACL '{shown(name)}'"
            raise Rejected(msg)
        return written, acl, scope.phase.name
    if word not in _FACTS:
        msg = f"expects one of {', '.join((*_FACTS, 'acl'))}, but got '{shown(word)}'"
        raise Rejected(msg)
    if len(arguments) > 1:
        msg = f"condition '{word}' takes no argument"
        raise Rejected(msg)
    return arguments


def _condition(word: str, arguments: Arguments) -> Callable[[View], bool]:
    if word == 'acl':
        return cast('Callable[[View], bool]', arguments[1])
    names = _FACTS[word]
    return lambda view: any(view.fact(name) for name in names)


def _build(arguments: Arguments, _: Store) -> Step:
    word = str(arguments[0])
    opposite = word.startswith('!') is not (word.removeprefix('!') == 'normal')
    holds = _condition(word.removeprefix('!'), arguments)

    def step(sample: Any, view: View) -> Sample | None:
        passes: Sample | None = None if bool(holds(view)) is opposite else sample
        return passes

    return step


WHEN: Final[dict[str, Converter]] = {'when': Converter(Type.ANY, Type.ANY, _build, 'str,str?', _checked)}
