"""Rules: converters that read or write variables and captures."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from dataplane.rules.actions import Unless
from dataplane.rules.arguments import variable_of
from dataplane.rules.fetches.constants import encoded
from dataplane.rules.fitting import fit
from dataplane.rules.model import Variable
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Sample, Type
from dataplane.rules.samples import cast as cast_to
from dataplane.rules.table import Arguments, Check, Converter, Step

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_CONDITIONS: Final = frozenset(one.value for one in Unless if one is not Unless.ALWAYS)


def _text(view: View, variable: Variable | None) -> bytes | None:
    """A variable as a string, None where it is not set."""
    value = None if variable is None else view.variable(variable.scope, variable.name)
    return None if value is None else cast('bytes | None', cast_to(value, Type.STR))


def _value(view: View, variable: Variable, kind: Type) -> bytes | None:
    """A variable as what it is compared as, None where it is not set."""
    value = view.variable(variable.scope, variable.name)
    return None if value is None else cast('bytes | None', cast_to(value, kind))


def _variable_at(place: int, missing: str) -> Check:
    """A check that makes a variable of the string at that place; '' there is none, and an error where `missing` says so."""

    def check(arguments: Arguments, _: Scope) -> Arguments:
        word = str(arguments[place]) if len(arguments) > place else ''
        if not word:
            if missing:
                raise Rejected(missing)
            return (*arguments[:place], None, *arguments[place + 1 :]) if len(arguments) > place else arguments
        try:
            variable = variable_of(word)
        except Rejected:
            msg = f"failed to register variable name '{shown(word)}'"
            raise Rejected(msg) from None
        return (*arguments[:place], variable, *arguments[place + 1 :])

    return check


def _argument(arguments: Arguments, place: int) -> bytes:
    return encoded(arguments[place]) if len(arguments) > place and arguments[place] is not None else b''


def _concat(arguments: Arguments, _: Store) -> Step:
    start, end = _argument(arguments, 0), _argument(arguments, 2)
    variable = cast('Variable | None', arguments[1]) if len(arguments) > 1 else None
    return lambda sample, view: b'%b%b%b%b' % (sample, start, _text(view, variable) or b'', end)


def _add_item(arguments: Arguments, _: Store) -> Step:
    """The delimiter only where there is something on both sides of it."""
    delimiter, suffix = _argument(arguments, 0), _argument(arguments, 2)
    variable = cast('Variable | None', arguments[1]) if len(arguments) > 1 else None

    def step(sample: bytes, view: View) -> Sample:
        value = _text(view, variable)
        if value is None and variable is not None and not suffix:
            return sample
        added = (value or b'') + suffix
        return sample + delimiter + added if sample and added else sample + added

    return step


def _comparing(compare: Callable[[bytes, bytes], Sample], takes: Type, gives: Type) -> Converter:
    def build(arguments: Arguments, _: Store) -> Step:
        variable = cast('Variable', arguments[0])

        def step(sample: bytes, view: View) -> Sample | None:
            other = _value(view, variable, takes)
            return None if other is None else compare(sample, other)

        return step

    return Converter(takes, gives, build, 'str?', _variable_at(0, 'missing variable name'))


def _order(one: bytes, other: bytes) -> int:
    """The difference of the first bytes that are not the same; else which is longer."""
    for left, right in zip(one, other, strict=False):
        if left != right:
            return left - right
    return (len(one) > len(other)) - (len(one) < len(other))


def _set_checked(arguments: Arguments, _: Scope) -> Arguments:
    for condition in arguments[1:]:
        if condition not in _CONDITIONS:
            msg = f"unsupported condition '{shown(str(condition))}'"
            raise Rejected(msg)
    return _unset_checked(arguments, _)


def _unset_checked(arguments: Arguments, _: Scope) -> Arguments:
    return (variable_of(str(arguments[0])), *arguments[1:])


def _set_var(arguments: Arguments, _: Store) -> Step:
    variable = cast('Variable', arguments[0])
    only = [Unless(str(condition)) for condition in arguments[1:]]
    scope, name = variable.scope, variable.name

    def step(sample: Sample, view: View) -> Sample:
        if not only or fit(only, scope, view.variable(scope, name), sample):
            view.set_variable(scope, name, sample)
        return sample

    return step


def _unset_var(arguments: Arguments, _: Store) -> Step:
    variable = cast('Variable', arguments[0])

    def step(sample: Sample, view: View) -> Sample:
        view.set_variable(variable.scope, variable.name, None)
        return sample

    return step


def _capturing(where: str) -> Converter:
    def build(arguments: Arguments, _: Store) -> Step:
        slot = cast('int', arguments[0])

        def step(sample: bytes, view: View) -> Sample:
            view.capture(where, slot, sample)
            return sample

        return step

    return Converter(Type.STR, Type.STR, build, 'int')


VARIABLES: Final[dict[str, Converter]] = {
    'concat': Converter(Type.STR, Type.STR, _concat, 'str?,str?,str?', _variable_at(1, '')),
    'add_item': Converter(Type.STR, Type.STR, _add_item, 'str,str?,str?', _variable_at(1, '')),
    'strcmp': _comparing(_order, Type.STR, Type.INT),
    'secure_memcmp': _comparing(hmac.compare_digest, Type.BIN, Type.BOOL),
    'set-var': Converter(Type.ANY, Type.ANY, _set_var, 'str,str?,str?,str?,str?', _set_checked),
    'unset-var': Converter(Type.ANY, Type.ANY, _unset_var, 'str', _unset_checked),
    'capture-req': _capturing('req'),
    'capture-res': _capturing('res'),
}
