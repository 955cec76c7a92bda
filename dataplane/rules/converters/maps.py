"""Rules: the converters `map` and `map_*`, which look a sample up in a file (configuration manual 7.3.1).

Which entry counts is told in `dataplane.rules.indexes`, which also look it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from dataplane.rules.fetches.constants import encoded
from dataplane.rules.indexes import sample_of
from dataplane.rules.matching import WANTED, parse_pattern
from dataplane.rules.model import Match, Named, Use
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Sample, Type
from dataplane.rules.stores import Store, read_patterns
from dataplane.rules.table import Arguments, Check, Converter, Step

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

_BY: Final = ('str', 'beg', 'sub', 'dir', 'dom', 'end', 'reg', 'int', 'ip')
_GIVES: Final = {'str': Type.STR, 'int': Type.INT, 'ip': Type.ADDRESS, 'key': Type.STR}


def _value(text: str, gives: str) -> Sample | None:
    """The value of an entry, or a default, as its type; None where it is none of it."""
    return cast('Sample | None', sample_of(b'', encoded(text), gives))


def _check(by: Match, gives: str, use: str) -> Check:
    """Reads the file, once for all that name it, and looks at its patterns and values. `use`: what is noted as `Use.gives`."""

    def check(arguments: Arguments, scope: Scope) -> Arguments:
        written = str(arguments[0] or '')
        if not written:
            msg = 'map file name is missing'
            raise Rejected(msg)
        name = read_patterns(written, scope, pairs=True)
        for entry in scope.files[name]:
            try:
                parse_pattern(by, entry.pattern)
            except Rejected as problem:
                msg = f"'{problem}' at line {entry.line} of file '{shown(name)}'"
                raise Rejected(msg) from None
            if gives != 'key' and _value(entry.value or '', gives) is None:
                msg = f"'{shown(entry.value or '')}' is not a valid value at line {entry.line} of file '{shown(name)}'"
                raise Rejected(msg)
        if len(arguments) > 1 and gives != 'key' and _value(str(arguments[1]), gives) is None:
            msg = f"cannot parse default value '{shown(str(arguments[1]))}'"
            raise Rejected(msg)
        if scope.references is not None:
            scope.references.map(name, Use(by, gives=use))
        return (Named('map', name), *arguments[1:])

    return check


def _map(by: Match, gives: str) -> Converter:
    def build(arguments: Arguments, store: Store) -> Step:
        looking = store[str(arguments[0])].looking(Use(by, gives=gives))
        default = _value(str(arguments[1]), 'str' if gives == 'key' else gives) if len(arguments) > 1 else None

        def step(sample: Any, _view: View) -> Sample | None:
            row = looking.index.find(sample)
            answer: Sample | None = default if row is None else row[2]
            return default if answer is None else answer

        return step

    return Converter(WANTED[by], _GIVES[gives], build, 'map,str?', _check(by, gives, gives))


def _expanding(arguments: Arguments, store: Store) -> Step:
    """`map_regm`: the value with the groups of the match put in."""
    looking = store[str(arguments[0])].looking(Use(Match.REG, gives='regm'))
    default = encoded(arguments[1]) if len(arguments) > 1 else None

    def step(sample: bytes, _view: View) -> Sample | None:
        row = looking.index.find(sample)
        if row is None:
            return default
        search, expand = row[2]
        found = search(sample)
        return default if found is None else cast('bytes', expand(found))

    return step


def _all() -> dict[str, Converter]:
    found = {}
    for word in _BY:
        by = Match(word)
        for gives in _GIVES:
            found[f'map_{word}_{gives}'] = _map(by, gives)
        found[f'map_{word}'] = found[f'map_{word}_str']
    found['map'] = found['map_str']
    found['map_regm'] = Converter(Type.STR, Type.STR, _expanding, 'map,str?', _check(Match.REG, 'str', 'regm'))
    return found


MAPS: Final[dict[str, Converter]] = _all()
