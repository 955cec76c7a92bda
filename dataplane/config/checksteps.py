"""config: steps of checks with variables and format strings (configuration manual 4.2): `http-check send`, `send-lf`, `send-binary-lf`,
`set-var`, `set-var-fmt` and `unset-var` of `http-check` and `tcp-check`.

An expression knows the process, its backend and its server there, and what was set before it; nothing of a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dataplane.config.actions import Place, parse_set_var, parse_unset_var
from dataplane.config.probing import Words, check_header, check_request
from dataplane.config.problems import Rejected
from dataplane.core.checks import Assign, Send
from dataplane.rules.actions import SetVar, UnsetVar
from dataplane.rules.expressions import check_phase
from dataplane.rules.fetches import FETCHES
from dataplane.rules.fetches.constants import CONSTANTS
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Expression, Flags, Format
from dataplane.rules.phases import AVAILABLE, Phase
from dataplane.rules.scope import no_files

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.rules.scope import Scope

_ANSWERED: Final = frozenset(CONSTANTS) | {
    'be_id', 'be_name', 'date', 'date_us', 'hostname', 'nbproc', 'pid', 'proc', 'quic_enabled', 'rand', 'srv_id', 'srv_name', 'uuid',
}  # fmt: skip
"""Fetches that are answered in a check."""
_WITHOUT: Final = frozenset(name for name, fetch in FETCHES.items() if Phase.CHECK in AVAILABLE[fetch.use]) - _ANSWERED
_SCOPES: Final = ('proc', 'sess', 'check')
_FIELDS: Final = {
    'meth': 'method', 'uri': 'uri', 'uri-lf': 'uri', 'ver': 'version', 'body': 'body', 'body-lf': 'body', 'comment': 'comment',
}  # fmt: skip


def _scope(proxy: ProxyDraft, ruling: Ruling) -> Scope:
    """Where these expressions stand. There are no maps, whose files nobody would follow, and no stick tables."""
    scope = ruling.scope(Phase.CHECK, proxy)
    scope.without, scope.read, scope.references = _WITHOUT, no_files, None
    return scope


def _closed(line: Line, ruling: Ruling, scope: Scope, what: str) -> None:
    """All of a line has been read."""
    if scope.tables:
        msg = f"'{what}' : stick tables are not looked into by checks."
        raise Rejected(msg)
    ruling.warn(line, scope)


def _format(text: str, scope: Scope, base: Flags = Flags.NONE) -> str | Format:
    """A format string; a text where nothing of it is to be found out."""
    made = parse_format(text, scope, base=base)
    if any(not isinstance(part, bytes) for part in made.parts):
        return made
    return b''.join(part for part in made.parts if isinstance(part, bytes)).decode('utf-8', 'surrogateescape')


def _read(words: Words, name: str, scope: Scope) -> str | Format:
    """What follows a word of `http-check send`."""
    text = words.argument(name)
    if not name.endswith('-lf'):
        return text
    try:
        return _format(text, scope, Flags.ENCODED if name == 'uri-lf' else Flags.NONE)
    except Rejected as problem:
        msg = f"'{words.what} {name}' : {problem}."
        raise Rejected(msg) from None


def parse_http_send(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`http-check send [meth M] [uri U | uri-lf F] [ver V] [hdr N F]* [body B | body-lf F] [comment C]`.

    What is left out is `option httpchk`'s.
    """
    words, scope = Words(line, 2, 'http-check send'), _scope(proxy, ruling)
    said: dict[str, Any] = {}
    headers: list[tuple[str, str | Format]] = []
    while words:
        name = words.peek()
        if name not in (*_FIELDS, 'hdr'):
            raise words.unknown((*_FIELDS, 'hdr'))
        words.take()
        if name == 'hdr':
            headers.append(_header(words, scope))
        else:
            said[_FIELDS[name]] = _read(words, name, scope)
    version = str(said.get('version', 'HTTP/1.0'))
    version = version if version.startswith('HTTP/') else f'HTTP/{version}'
    uri = said.get('uri', '/')
    check_request(said.get('method', 'OPTIONS'), uri if isinstance(uri, str) else '/', version, words.what)
    if 'version' in said:
        said['version'] = version
    if headers:
        said['headers'] = tuple(headers)
    _closed(line, ruling, scope, words.what)
    proxy.probe.add_http(said)


def _header(words: Words, scope: Scope) -> tuple[str, str | Format]:
    name, text = words.argument('hdr'), words.argument('hdr')
    try:
        value = _format(text, scope, Flags.ENCODED)
    except Rejected as problem:
        msg = f"'{words.what} hdr' : {problem}."
        raise Rejected(msg) from None
    check_header(name, value if isinstance(value, str) else '', words.what)
    return name, value


def parse_tcp_send_format(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`tcp-check send-lf FORMAT [comment C]` and `tcp-check send-binary-lf HEXFORMAT [comment C]`."""
    binary = line.word(1) == 'send-binary-lf'
    words, scope = Words(line, 2, f'tcp-check {line.word(1)}'), _scope(proxy, ruling)
    if not words.peek():
        msg = f"'{words.what}' expects a {'hexadecimal ' if binary else ''}string as argument."
        raise Rejected(msg)
    try:
        data = parse_format(words.take(), scope)
    except Rejected as problem:
        msg = f"'{words.what}' : {problem}."
        raise Rejected(msg) from None
    comment = words.comment()
    _closed(line, ruling, scope, words.what)
    proxy.probe.add_tcp(Send(data=data, comment=comment, hexadecimal=binary))


def parse_assign(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`set-var(VARIABLE[,CONDITION...]) EXPRESSION`, `set-var-fmt(...) FORMAT` and `unset-var(VARIABLE)`, of either kind of check."""
    family, name = line.words[0], line.word(1)
    what = f'{family} {name.partition("(")[0]}'
    scope = _scope(proxy, ruling)
    place = Place(f"'{what}'", scope, proxy, ruling)
    parse = parse_unset_var if name.startswith('unset') else parse_set_var
    try:
        action, taken = parse(name, line.words[2:], place)
    except Rejected as problem:
        text = str(problem)
        msg = f'{text}.' if text.startswith(place.what) else f'{place.what} : {text}.'
        raise Rejected(msg) from None
    assert isinstance(action, SetVar | UnsetVar)
    if action.variable.scope not in _SCOPES:
        raise place.refuse(f"a check has no variables of scope '{action.variable.scope}'.")
    if isinstance(action, SetVar) and isinstance(action.value, Expression):
        check_phase(action.value, scope)
    line.at_most(1 + taken)
    _closed(line, ruling, scope, what)
    if family == 'tcp-check':
        proxy.probe.add_tcp(Assign(action=action))
    else:
        proxy.probe.add_http(Assign(action=action))


RULED: Final[dict[str, Callable[[Line, ProxyDraft, Ruling], None]]] = {
    'http-check send': parse_http_send,
    'tcp-check send-lf': parse_tcp_send_format,
    'tcp-check send-binary-lf': parse_tcp_send_format,
    **{
        f'{family} {name}': parse_assign
        for family in ('http-check', 'tcp-check')
        for name in ('set-var', 'set-var-fmt', 'unset-var')
    },
}
"""These lines, by their keyword."""
