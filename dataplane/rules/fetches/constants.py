"""Rules: fetches of constants (configuration manual 7.3.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from dataplane.rules.arguments import variable_of
from dataplane.rules.model import Variable
from dataplane.rules.phases import Use
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Binary, IPv4, IPv6, Method, Sample, Type
from dataplane.rules.table import Arguments, Fetch, Getter, simple

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

_HEX: Final = re.compile(r'[0-9A-Fa-f]*', re.ASCII)
_TRUTH: Final = {'true': True, 'false': False, '1': True, '0': False}


def encoded(argument: object) -> bytes:
    """A string of the file as the bytes it was written in."""
    return str(argument).encode('utf-8', 'surrogateescape')


def _constant(sample: Sample) -> Getter:
    return lambda _: sample


def _bool(arguments: Arguments, _: Scope) -> Arguments:
    if str(arguments[0]).lower() not in _TRUTH:
        msg = "Expects 'true', 'false', '0' or '1'"
        raise Rejected(msg)
    return arguments


def _bin(arguments: Arguments, _: Scope) -> Arguments:
    text = str(arguments[0])
    good = _HEX.match(text)
    end = good.end() if good else 0
    if end < len(text):
        msg = f"an hex digit is expected (found '{shown(text[end])}')"
        raise Rejected(msg)
    if end % 2:
        msg = 'an even number of hex digit is expected'
        raise Rejected(msg)
    return arguments


def _env(arguments: Arguments, scope: Scope) -> Arguments:
    """The value is looked up while the file is read: workers may have other variables."""
    return (arguments[0], scope.env.get(str(arguments[0])))


def _build_env(arguments: Arguments) -> Getter:
    value = None if arguments[1] is None else encoded(arguments[1])
    return lambda _: value


def _var_checked(arguments: Arguments, _: Scope) -> Arguments:
    return (variable_of(str(arguments[0])), *arguments[1:])


def _var(arguments: Arguments) -> Getter:
    variable = cast('Variable', arguments[0])
    scope, name = variable.scope, variable.name
    default = encoded(arguments[1]) if len(arguments) > 1 else None

    def fetch(view: View) -> Sample | None:
        value = view.variable(scope, name)
        return default if value is None else value

    return fetch


CONSTANTS: Final[dict[str, Fetch]] = {
    'always_true': simple(Type.BOOL, Use.CONSTANT, lambda _: True),
    'always_false': simple(Type.BOOL, Use.CONSTANT, lambda _: False),
    'bin': Fetch(Type.BIN, Use.CONSTANT, lambda args: _constant(Binary(bytes.fromhex(str(args[0])))), 'str', _bin),
    'bool': Fetch(Type.BOOL, Use.CONSTANT, lambda args: _constant(_TRUTH[str(args[0]).lower()]), 'str', _bool),
    'env': Fetch(Type.STR, Use.CONSTANT, _build_env, 'str', _env),
    'int': Fetch(Type.INT, Use.CONSTANT, lambda args: _constant(cast('int', args[0])), 'int'),
    'ipv4': Fetch(Type.IPV4, Use.CONSTANT, lambda args: _constant(IPv4(cast('int', args[0]))), 'ipv4'),
    'ipv6': Fetch(Type.IPV6, Use.CONSTANT, lambda args: _constant(IPv6(cast('int', args[0]))), 'ipv6'),
    'meth': Fetch(Type.METHOD, Use.CONSTANT, lambda args: _constant(Method(encoded(args[0]))), 'str'),
    'str': Fetch(Type.STR, Use.CONSTANT, lambda args: _constant(encoded(args[0]) if args else b''), 'str?'),
    'var': Fetch(Type.ANY, Use.INTERNAL, _var, 'str,str?', _var_checked),
}
