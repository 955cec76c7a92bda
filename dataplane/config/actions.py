"""config: one action of `http-request`, `http-response` or `http-after-response` from its words (configuration manual 4.3).

Every parser takes the words behind the action and says how many of them are its own; what follows is a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPMethod
from typing import TYPE_CHECKING, Final

from dataplane.config import steps
from dataplane.config.draft import Side
from dataplane.config.naming import is_token
from dataplane.config.problems import Rejected, shown
from dataplane.config.replies import CONDITIONS, parse_reply
from dataplane.config.retrying import RETRYING, parse_set_timeout
from dataplane.config.ruling import header_format
from dataplane.config.services import parse_service
from dataplane.config.values import parse_int
from dataplane.rules.actions import (
    Action,
    Allow,
    ChangeMap,
    DelHeader,
    Deny,
    Keep,
    Map,
    Part,
    PutHeader,
    Redirect,
    Reject,
    ReplaceHeader,
    ReplacePart,
    Return,
    SetLogLevel,
    SetPart,
    SetPriority,
    SetStatus,
    SetVar,
    Tarpit,
    Unless,
    UnsetVar,
    Where,
)
from dataplane.rules.arguments import variable_of
from dataplane.rules.expressions import parse_expression
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Match
from dataplane.rules.noting import Slot
from dataplane.rules.phases import Phase
from dataplane.rules.regexes import compile_regex
from dataplane.rules.steps import Auth
from dataplane.rules.stores import bare_name
from dataplane.wire.syslog import LEVELS

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.ruling import Ruling
    from dataplane.rules.model import Format, Variable
    from dataplane.rules.scope import Scope

REDIRECTS: Final = (301, 302, 303, 307, 308)
_MATCHES: Final = {'str': Match.STR, 'beg': Match.BEG, 'end': Match.END, 'sub': Match.SUB, 'reg': Match.REG}
_HOP_BY_HOP: Final = frozenset(('connection', 'upgrade', 'keep-alive', 'te', 'trailer', 'proxy-connection'))
_FRAMING: Final = _HOP_BY_HOP | {'content-length', 'transfer-encoding'}
_METHODS: Final = frozenset((HTTPMethod.CONNECT, HTTPMethod.TRACE))


@dataclass(frozen=True, slots=True)
class Place:
    """Where an action stands: its words for messages, the scope of its expressions, and the proxy's draft."""

    what: str
    scope: Scope
    proxy: ProxyDraft
    ruling: Ruling

    def refuse(self, text: str) -> Rejected:
        """What is raised about this rule."""
        return Rejected(f'{self.what} : {text}')

    def word(self, words: Sequence[str], at: int, meaning: str) -> str:
        """The word at a place of those behind the action; `meaning` is what has to be there. Raises Rejected."""
        if at >= len(words) or not words[at]:
            raise self.refuse(f'expects {meaning}')
        return words[at]


Parser = Callable[[Sequence[str], Place], tuple[Action, int]]
"""From the words behind an action to it, and to how many of them it took."""


def _name(words: Sequence[str], place: Place) -> str:
    """A field's name, but for those that say how long a message is and whether its connection stays: these are ours."""
    name = place.word(words, 0, 'the name of a header field')
    if not is_token(name):
        raise place.refuse(f"'{shown(name)}' is no name of a header field")
    if name.lower() in _FRAMING:
        raise place.refuse(f"'{shown(name)}' is not supported: framing and connections are the proxy's own")
    return name.lower()


def _format(words: Sequence[str], at: int, place: Place, meaning: str = 'a format string') -> Format:
    return header_format(place.word(words, at, meaning), place.scope)


def _regex(words: Sequence[str], at: int, place: Place) -> str:
    text = place.word(words, at, 'a regular expression')
    compile_regex(text, fold=False)
    return text


def _allow(words: Sequence[str], place: Place) -> tuple[Action, int]:
    return Allow(), 0


def _deny(words: Sequence[str], place: Place) -> tuple[Action, int]:
    default = 403 if place.scope.phase in (Phase.REQUEST, Phase.BACKEND_REQUEST) else 502
    reply, taken = parse_reply(words, place.what, default, place.scope, place.ruling)
    return Deny(reply), taken


def _tarpit(words: Sequence[str], place: Place) -> tuple[Action, int]:
    reply, taken = parse_reply(words, place.what, 500, place.scope, place.ruling)
    return Tarpit(reply), taken


def _return(words: Sequence[str], place: Place) -> tuple[Action, int]:
    reply, taken = parse_reply(words, place.what, 200, place.scope, place.ruling)
    return Return(reply), taken


def _auth(words: Sequence[str], place: Place) -> tuple[Action, int]:
    if not words or words[0] != 'realm':
        return Auth(), 0
    realm = place.word(words, 1, "a text behind 'realm'")
    if not realm.isprintable():
        raise place.refuse(f"the realm '{shown(realm)}' has characters that cannot be printed")
    return Auth(realm), 2


def _reject(words: Sequence[str], place: Place) -> tuple[Action, int]:
    return Reject(), 0


def _silent_drop(words: Sequence[str], place: Place) -> tuple[Action, int]:
    if words and words[0] == 'rst-ttl':
        raise place.refuse("'rst-ttl' is not supported")
    return Reject(silent=True), 0


def parse_redirect(words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`location`, `prefix` or `scheme`, and options."""
    where: Where | None = None
    found: dict[str, object] = {}
    target = header_format('', place.scope)
    at = 0
    while at < len(words) and words[at] not in CONDITIONS:
        word = words[at]
        at += 1
        if word in ('location', 'prefix', 'scheme'):
            where, target = Where(word), _format(words, at, place, f"an argument of '{word}'")
            at += 1
        elif word == 'code':
            code = parse_int(words[at] if at < len(words) else '', f'{place.what} : code', 0)
            if code not in REDIRECTS:
                raise place.refuse(f'unsupported HTTP code <{code}>: one of 301, 302, 303, 307 or 308')
            found['code'] = code
            at += 1
        elif word == 'set-cookie':
            found['cookie'] = f'{place.word(words, at, "a cookie")}; path=/;'
            at += 1
        elif word == 'clear-cookie':
            found['cookie'] = f'{place.word(words, at, "a cookie")}; path=/; Max-Age=0;'
            at += 1
        elif word in ('drop-query', 'keep-query', 'append-slash', 'ignore-empty'):
            found[word.replace('-', '_')] = True
        else:
            known = "'code', 'prefix', 'location', 'scheme', 'set-cookie', 'clear-cookie', 'drop-query', 'ignore-empty' or 'append-slash'"
            raise place.refuse(f"expects {known} (was '{shown(word)}')")
    if where is not None and where is not Where.LOCATION and place.scope.phase is Phase.RESPONSE:
        raise place.refuse("response only supports redirect type 'location'")
    if where is None:
        raise place.refuse("redirection type expected ('prefix', 'location', or 'scheme')")
    return Redirect(where, target, **found), at  # type: ignore[arg-type]  # of those names only


def _set_header(words: Sequence[str], place: Place) -> tuple[Action, int]:
    return PutHeader(_name(words, place), _format(words, 1, place), alone=True), 2


def _add_header(words: Sequence[str], place: Place) -> tuple[Action, int]:
    return PutHeader(_name(words, place), _format(words, 1, place), alone=False), 2


def _del_header(words: Sequence[str], place: Place) -> tuple[Action, int]:
    name = place.word(words, 0, 'the name of a header field')
    if len(words) < 2 or words[1] != '-m':
        # what ends at this hop anyway may be asked to
        return DelHeader(name.lower() if name.lower() in _HOP_BY_HOP else _name(words, place)), 1
    method = place.word(words, 2, "a matching method behind '-m'")
    if method not in _MATCHES:
        raise place.refuse(f"unknown matching method '{shown(method)}': one of {', '.join(_MATCHES)}")
    if method == 'reg':
        compile_regex(name, fold=False)
    return DelHeader(name if method == 'reg' else name.lower(), _MATCHES[method]), 3


def _replacing(*, each: bool) -> Parser:
    def parse(words: Sequence[str], place: Place) -> tuple[Action, int]:
        return ReplaceHeader(_name(words, place), _regex(words, 1, place), _format(words, 2, place), each), 3

    return parse


def _set_part(part: Part) -> Parser:
    def parse(words: Sequence[str], place: Place) -> tuple[Action, int]:
        text = place.word(words, 0, 'a format string')
        if part is Part.METHOD and text.upper() in _METHODS:
            raise place.refuse(f"the method '{shown(text)}' is not supported")
        return SetPart(part, header_format(text, place.scope)), 1

    return parse


def _replace_part(part: Part) -> Parser:
    def parse(words: Sequence[str], place: Place) -> tuple[Action, int]:
        return ReplacePart(part, _regex(words, 0, place), _format(words, 1, place)), 2

    return parse


def _set_status(words: Sequence[str], place: Place) -> tuple[Action, int]:
    status = parse_int(place.word(words, 0, 'a status'), f'{place.what} : status', 200, 599)
    if status in (204, 304):
        raise place.refuse(f'{status} is not supported: it would end the response before its body')
    if len(words) > 1 and words[1] == 'reason':
        reason = place.word(words, 2, "a text behind 'reason'")
        if not reason.isprintable():
            raise place.refuse(f"the reason '{shown(reason)}' has characters that cannot be printed")
        return SetStatus(status, reason), 3
    return SetStatus(status), 1


def parse_set_var(name: str, words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`set-var(VARIABLE[,CONDITION...]) EXPRESSION` and `set-var-fmt(...) FORMAT`."""
    variable, only = _variable(name, place)
    if name.startswith('set-var-fmt'):
        text = place.word(words, 0, 'a format string')
        return SetVar(variable, parse_format(text, place.scope), only), 1
    expression, taken = parse_expression(words, 0, place.scope)
    return SetVar(variable, expression, only), taken


def parse_map(name: str, words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`set-map(FILE) KEY VALUE`, `del-map(FILE) KEY`, `add-acl(FILE) KEY` and `del-acl(FILE) KEY`."""
    what, bracket, written = name.partition('(')
    if not bracket or not written.endswith(')') or len(written) < 2:
        raise place.refuse(f"expects '{shown(what)}(<file-name>)'")
    count = 2 if what == Map.SET_MAP else 1
    given = [word for word in words[:count] if word not in ('if', 'unless')]
    if len(given) < count or '' in given:
        raise place.refuse(f'expects exactly {count} arguments')
    formats = [parse_format(word, place.scope) for word in given]
    return ChangeMap(Map(what), bare_name(written[:-1]), *formats), count


def parse_unset_var(name: str, words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`unset-var(VARIABLE)`."""
    variable, only = _variable(name, place)
    if only:
        raise place.refuse('expects one variable')
    return UnsetVar(variable), 0


def _variable(name: str, place: Place) -> tuple[Variable, tuple[Unless, ...]]:
    written = name.partition('(')[2]
    if not written.endswith(')'):
        raise place.refuse("invalid or incomplete action. Expects 'set-var(<var-name>)' or 'unset-var(<var-name>)'")
    text, *conditions = written[:-1].split(',')
    variable = variable_of(text)
    try:
        return variable, tuple(Unless(word) for word in conditions)
    except ValueError:
        raise place.refuse(f"unknown condition in '{shown(','.join(conditions))}'") from None


def _capture(words: Sequence[str], place: Place) -> tuple[Action, int]:
    expression, at = parse_expression(words, 0, place.scope)
    response = place.scope.phase is Phase.RESPONSE
    slots = place.proxy.response_slots if response else place.proxy.request_slots
    word = words[at] if at < len(words) else ''
    if word == 'len' and not response:
        if not place.proxy.side & Side.FRONTEND:
            raise place.refuse(f"proxy '{shown(place.proxy.name)}' has no frontend capability")
        length = parse_int(place.word(words, at + 1, "a length behind 'len'"), f'{place.what} : len', 1, 65_535)
        slots.append(Slot(length))
        return Keep(expression, len(slots) - 1, '' if place.proxy.kind == 'defaults' else place.proxy.name), at + 2
    if word == 'id':
        slot = parse_int(place.word(words, at + 1, "a number behind 'id'"), f'{place.what} : id', 0)
        if (
            slot >= len(slots) and place.proxy.side & Side.FRONTEND
        ):  # a backend uses those of whatever frontend is before it
            raise place.refuse(f"unable to find capture id '{slot}' referenced by this rule")
        return Keep(expression, slot), at + 2
    raise place.refuse("expects 'len' or 'id'" if not response else "expects 'id'")


def _priority(*, offset: bool) -> Parser:
    def parse(words: Sequence[str], place: Place) -> tuple[Action, int]:
        expression, taken = parse_expression(words, 0, place.scope)
        return SetPriority(expression, offset), taken

    return parse


def _log_level(words: Sequence[str], place: Place) -> tuple[Action, int]:
    word = place.word(words, 0, "a level, or 'silent'")
    if word == 'silent':
        return SetLogLevel(None), 1
    if word not in LEVELS:
        raise place.refuse(f"unknown log level '{shown(word)}'")
    return SetLogLevel(LEVELS.index(word)), 1


_BOTH: Final[dict[str, Parser]] = {
    'set-timeout': parse_set_timeout,
    'allow': _allow,
    'capture': _capture,
    'deny': _deny,
    'redirect': parse_redirect,
    'return': _return,
    'silent-drop': _silent_drop,
    'set-log-level': _log_level,
}
_HEADERS: Final[dict[str, Parser]] = {
    'set-header': _set_header,
    'add-header': _add_header,
    'del-header': _del_header,
    'replace-header': _replacing(each=False),
    'replace-value': _replacing(each=True),
}
REQUEST: Final[dict[str, Parser]] = {
    **_BOTH,
    **_HEADERS,
    **steps.REQUEST,
    'auth': _auth,
    'reject': _reject,
    'tarpit': _tarpit,
    **{f'set-{part}': _set_part(part) for part in Part},
    **{f'replace-{part}': _replace_part(part) for part in (Part.PATH, Part.PATHQ, Part.URI)},
    'set-priority-class': _priority(offset=False),
    'set-priority-offset': _priority(offset=True),
    **RETRYING,
    'use-service': parse_service,
}
RESPONSE: Final[dict[str, Parser]] = {**_BOTH, **_HEADERS, **steps.RESPONSE, 'set-status': _set_status}
_TCP: Final[dict[str, Parser]] = {'accept': _allow, 'reject': _reject, 'silent-drop': _silent_drop}
CONNECTION: Final[dict[str, Parser]] = {**_TCP, **steps.CONNECTION}
SESSION: Final[dict[str, Parser]] = {**_TCP, **steps.SESSION}
CONTENT: Final[dict[str, Parser]] = {
    **_TCP,
    **steps.CONTENT,
    'capture': _capture,
    'set-log-level': _log_level,
    'set-priority-class': _priority(offset=False),
    'set-priority-offset': _priority(offset=True),
    'set-retries': RETRYING['set-retries'],
}
RESPONSE_CONTENT: Final[dict[str, Parser]] = {**_TCP, 'set-log-level': _log_level}
AFTER: Final[dict[str, Parser]] = {'allow': _allow, **_HEADERS, **steps.AFTER, 'set-status': _set_status}
"""The actions of each list by name; `set-var` and its kind, whose names have arguments, stand beside them."""
