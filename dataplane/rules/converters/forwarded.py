"""Rules: converters that take Forwarded fields apart (configuration manual 7.3.1; RFC 7239)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.rules.problems import Rejected, shown
from dataplane.rules.rfc7239 import PARAMETERS, elements, node_name, node_port, parameter
from dataplane.rules.samples import Type
from dataplane.rules.table import Arguments, Converter, Step, plain

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store


def _field(arguments: Arguments, _: Store) -> Step:
    name = str(arguments[0])
    return lambda sample, _view: parameter(sample, name)


def _known(arguments: Arguments, _: Scope) -> Arguments:
    if arguments[0] not in PARAMETERS:
        msg = f"'{shown(str(arguments[0]))}' is none of {', '.join(PARAMETERS)}"
        raise Rejected(msg)
    return arguments


FORWARDED: Final[dict[str, Converter]] = {
    'rfc7239_is_valid': plain(Type.STR, Type.BOOL, lambda sample: elements(sample) is not None),
    'rfc7239_field': Converter(Type.STR, Type.STR, _field, 'str', _known),
    'rfc7239_n2nn': plain(Type.STR, Type.ANY, node_name),
    'rfc7239_n2np': plain(Type.STR, Type.ANY, node_port),
}
