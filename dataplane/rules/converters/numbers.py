"""Rules: converters that calculate. Results beyond 64 bits stay at the nearest number that fits."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from dataplane.rules.arguments import operand_of
from dataplane.rules.model import Variable
from dataplane.rules.samples import MAX_INT, Address, Binary, IPv4, IPv6, Sample, Type, clamped, mapped_v4, wrapped
from dataplane.rules.samples import cast as cast_to
from dataplane.rules.table import Arguments, Converter, Step, plain

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

Operation = Callable[[int, int], int]


def _divided(one: int, other: int) -> int:
    """Towards zero; by zero the largest number."""
    if not other:
        return MAX_INT
    value = abs(one) // abs(other)
    return value if (one < 0) == (other < 0) else -value


def _remainder(one: int, other: int) -> int:
    """With the sign of what is divided; by zero it is zero."""
    value = abs(one) % abs(other) if other else 0
    return -value if one < 0 else value


def operand(arguments: Arguments) -> Callable[[View], int | None]:
    """What to calculate with: a number, or a variable's value, which may be missing or no number."""
    argument = arguments[0] if arguments else 0
    if not isinstance(argument, Variable):
        number = cast('int', argument or 0)
        return lambda _: number
    scope, name = argument.scope, argument.name

    def value(view: View) -> int | None:
        found = view.variable(scope, name)
        return None if found is None else cast('int | None', cast_to(found, Type.INT))

    return value


def _operand_checked(arguments: Arguments, _: Scope) -> Arguments:
    return tuple(operand_of(str(word)) for word in arguments)


def _calculating(operation: Operation) -> Converter:
    def build(arguments: Arguments, _: Store) -> Step:
        if not arguments or isinstance(arguments[0], int):
            fixed = cast('int', arguments[0]) if arguments else 0
            return lambda sample, _view: clamped(operation(sample, fixed))
        other = operand(arguments)

        def step(sample: int, view: View) -> Sample | None:
            value = other(view)
            return None if value is None else clamped(operation(sample, value))

        return step

    return Converter(Type.INT, Type.INT, build, 'str?', _operand_checked)


def _mask(arguments: Arguments, _: Store) -> Step:
    """Keeps the network of an address. An IPv6 one without a mask of its own has to stand for an IPv4 one."""
    mask4 = cast('int', arguments[0])
    mask6 = cast('int', arguments[1]) if len(arguments) > 1 else None

    def step(sample: int, _view: View) -> Sample | None:
        short = mapped_v4(cast(Address, sample))
        if short is not None:
            return IPv4(short & mask4)
        return None if mask6 is None else IPv6(sample & mask6)

    return step


NUMBERS: Final[dict[str, Converter]] = {
    'add': _calculating(operator.add),
    'sub': _calculating(operator.sub),
    'mul': _calculating(operator.mul),
    'div': _calculating(_divided),
    'mod': _calculating(_remainder),
    'and': _calculating(operator.and_),
    'or': _calculating(operator.or_),
    'xor': _calculating(operator.xor),
    'cpl': plain(Type.INT, Type.INT, operator.invert),
    'neg': plain(Type.INT, Type.INT, lambda sample: clamped(-sample)),
    'bool': plain(Type.INT, Type.BOOL, bool),
    'not': plain(Type.INT, Type.BOOL, operator.not_),
    'odd': plain(Type.INT, Type.BOOL, lambda sample: bool(sample & 1)),
    'even': plain(Type.INT, Type.BOOL, lambda sample: not sample & 1),
    'htonl': plain(Type.INT, Type.BIN, lambda sample: Binary((wrapped(sample) & 0xFFFFFFFF).to_bytes(4, 'big'))),
    'ipmask': Converter(Type.ADDRESS, Type.ADDRESS, _mask, 'mask4,mask6?'),
}
