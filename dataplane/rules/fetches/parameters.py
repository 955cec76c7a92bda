"""Rules: fetches of parameters, of the query (`urlp`, `url_param`) and of a form in the request's body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.constants import encoded
from dataplane.rules.phases import Use
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Sample, Type, leading_integer
from dataplane.rules.table import Arguments, Every, Fetch, Getter

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

Text = Callable[['View'], bytes]


def _values(text: bytes, wanted: bytes, cut: re.Pattern[bytes], *, fold: bool) -> list[bytes]:
    """The values of all parameters of a name, of all where none is wanted in particular."""
    found = []
    for piece in cut.split(text):
        name, equals, value = piece.partition(b'=')
        if equals and (not wanted or name == wanted or (fold and name.lower() == wanted.lower())):
            found.append(value)
    return found


def _delimiter(arguments: Arguments) -> bytes:
    return encoded(arguments[1])[:1] if len(arguments) > 1 and arguments[1] else b'?'


def _query_reader(arguments: Arguments) -> Callable[[View], list[bytes]]:
    wanted, delimiter = encoded(arguments[0]) if arguments else b'', _delimiter(arguments)
    fold = len(arguments) > 2 and arguments[2] == 'i'
    cut = re.compile(b'[&;' + re.escape(delimiter) + b']')
    return lambda view: _values(view.uri.partition(delimiter)[2], wanted, cut, fold=fold)


def _body_reader(arguments: Arguments) -> Callable[[View], list[bytes]]:
    wanted = encoded(arguments[0]) if arguments else b''
    fold = len(arguments) > 1 and arguments[1] == 'i'
    cut = re.compile(b'[&;]')
    return lambda view: _values(view.body, wanted, cut, fold=fold)


Reader = Callable[[Arguments], Callable[['View'], list[bytes]]]


def _first(reader: Reader, parse: Callable[[bytes], Sample] | None) -> Callable[[Arguments], Getter]:
    def build(arguments: Arguments) -> Getter:
        read = reader(arguments)

        def fetch(view: View) -> Sample | None:
            found = read(view)
            if not found:
                return None
            return parse(found[0]) if parse else found[0]

        return fetch

    return build


def _every(reader: Reader, parse: Callable[[bytes], Sample] | None) -> Callable[[Arguments], Every | None]:
    def build(arguments: Arguments) -> Every:
        read = reader(arguments)
        if parse is None:
            return read
        return lambda view: [parse(value) for value in read(view)]

    return build


def _checked(arguments: Arguments, _: Scope) -> Arguments:
    if len(arguments) > 1 and len(str(arguments[1])) > 1:
        msg = 'delimiter must be a single character'
        raise Rejected(msg)
    return _folded(arguments, 2)


def _checked_body(arguments: Arguments, _: Scope) -> Arguments:
    return _folded(arguments, 1)


def _folded(arguments: Arguments, place: int) -> Arguments:
    if len(arguments) > place and arguments[place] not in ('', 'i'):
        msg = "the only modifier is 'i', for names regardless of case"
        raise Rejected(msg)
    return arguments


def _query(gives: Type, parse: Callable[[bytes], Sample] | None) -> Fetch:
    build, every = _first(_query_reader, parse), _every(_query_reader, parse)
    return Fetch(gives, Use.REQUEST, build, 'str?,str?,str?', _checked, every)


PARAMETERS: Final[dict[str, Fetch]] = {
    'url_param': _query(Type.STR, None),
    'urlp': _query(Type.STR, None),
    'urlp_val': _query(Type.INT, leading_integer),
    'req.body_param': Fetch(
        Type.STR, Use.REQUEST_BODY, _first(_body_reader, None), 'str?,str?', _checked_body, _every(_body_reader, None)
    ),
}
