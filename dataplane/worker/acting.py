"""What each action of a rule does: `dataplane.rules.actions` made into functions of a transaction.

An act gives a verdict, which ends its list, or None. Acts are closures over what they need; none of them remembers a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.termination import LOCAL_ANSWER, LOCAL_RESPONSE, REJECTED, RESPONSE_REJECTED, TARPITTED
from dataplane.rules.actions import (
    Action,
    Add,
    Allow,
    ChangeMap,
    CheckCache,
    DelHeader,
    Deny,
    Keep,
    Part,
    PutHeader,
    Redirect,
    Reject,
    ReplaceHeader,
    ReplacePart,
    RestrictNames,
    Return,
    SendOnce,
    SetLogLevel,
    SetPart,
    SetPriority,
    SetRetries,
    SetStatus,
    SetTimeout,
    SetVar,
    Tag,
    Tarpit,
    Track,
    UnsetVar,
    UseService,
)
from dataplane.rules.assigning import assigning
from dataplane.rules.closures import compiled_expression, compiled_format
from dataplane.rules.fetches.headers import parts
from dataplane.rules.fetches.request import path_and_query, path_of
from dataplane.rules.model import Expression, Format, Match
from dataplane.rules.patience import patient
from dataplane.rules.regexes import compile_regex
from dataplane.rules.replacing import replacement
from dataplane.rules.samples import Type
from dataplane.rules.steps import Auth, Step
from dataplane.rules.stores import Store
from dataplane.worker.guarding import FORBIDDEN, UNSAFE, passes_caches, passes_names
from dataplane.worker.mapping import change_map
from dataplane.worker.replies import Made, answer_of, redirect_of
from dataplane.worker.services import service_act
from dataplane.worker.steps import step_of
from dataplane.worker.tracking import add_act, tag_act, track_act
from dataplane.worker.verdicts import Act, Change, Then, Verdict

if TYPE_CHECKING:
    from dataplane.rules.view import View
    from dataplane.worker.transaction import Transaction

CLASS_LIMIT: Final = 2_047
OFFSET_LIMIT: Final = 524_287


Holds = Callable[['View'], bool]
_ALLOW: Final = Verdict(Then.GO_ON)


def act_of(action: Action, store: Store, *, response: bool) -> Act:
    """What an action does."""
    if isinstance(action, Allow):
        return lambda _: _ALLOW
    if isinstance(action, Redirect) and action.ignore_empty:
        target, wanted = compiled_format(action.target, store), _verdict(action, store, response=response)
        return lambda transaction: wanted if target(transaction) else None
    if isinstance(action, Step):
        return step_of(action, store)
    if isinstance(action, Auth):
        return _auth(action)
    if isinstance(action, Deny | Tarpit | Return | Redirect | Reject):
        verdict = _verdict(action, store, response=response)
        return lambda _: verdict
    if isinstance(action, SetVar | UnsetVar):
        return assigning(action, store)
    if isinstance(action, RestrictNames | CheckCache):
        return _guard(action)
    if isinstance(action, UseService):
        return service_act(action)
    if isinstance(action, Track):
        return track_act(action, store)
    if isinstance(action, Add):
        return add_act(action, store)
    if isinstance(action, Tag):
        return tag_act(action, store)
    if isinstance(action, Keep):
        return _act(_keep(action, store, 'res' if response else 'req'))
    maker = _MAKERS[type(action)]
    return _act(maker(action, store))


def asks_who(realm: str, *, proxy: bool = False) -> Verdict:
    """Ask the client who it is (RFC 7617)."""
    challenge = f'Basic realm="{realm}"'.encode('utf-8', 'surrogateescape')
    made = Made(407 if proxy else 401)
    field = b'proxy-authenticate' if proxy else b'www-authenticate'
    return Verdict(Then.ANSWER, LOCAL_ANSWER, lambda _: made, None, (field, challenge))


def _auth(action: Auth) -> Act:
    """Ask for a password as who was asked would: a proxy, or a server (RFC 9110, 11.6 and 11.7)."""
    own, proxy = asks_who(action.realm), asks_who(action.realm, proxy=True)
    return lambda transaction: proxy if transaction.uses_proxy_fields() else own


def _act(change: Change) -> Act:
    """A change gives no verdict."""

    def act(transaction: Transaction) -> None:
        change(transaction)

    return act


def _verdict(action: Deny | Tarpit | Return | Redirect | Reject, store: Store, *, response: bool) -> Verdict:
    denied, end = (C.DRESP, RESPONSE_REJECTED) if response else (C.DREQ, REJECTED)
    local = LOCAL_RESPONSE if response else LOCAL_ANSWER
    if isinstance(action, Deny):
        return Verdict(Then.ANSWER, end, answer_of(action.reply, store), denied)
    if isinstance(action, Tarpit):
        return Verdict(Then.WAIT, TARPITTED, answer_of(action.reply, store), denied)
    if isinstance(action, Return):
        return Verdict(Then.ANSWER, local, answer_of(action.reply, store))
    if isinstance(action, Redirect):
        return Verdict(Then.ANSWER, local, redirect_of(action, store))
    return Verdict(Then.DROP if action.silent else Then.CLOSE, end, None, denied)


def _guard(action: RestrictNames | CheckCache) -> Act:
    """What an option asks for behind the rules."""
    end, status, counter = UNSAFE if isinstance(action, CheckCache) else FORBIDDEN
    made = Made(status)
    verdict = Verdict(Then.ANSWER, end, lambda _: made, counter)
    if isinstance(action, CheckCache):
        return lambda transaction: None if passes_caches(transaction) else verdict
    policy = action.policy
    return lambda transaction: None if passes_names(transaction, policy) else verdict


def _put(action: PutHeader, store: Store) -> Change:
    name, write, alone = action.name.encode(), compiled_format(action.value, store), action.alone
    return lambda transaction: transaction.put(name, write(transaction), alone=alone)


def _delete(action: DelHeader, store: Store) -> Change:
    name = action.name.encode()
    if action.match is Match.REG:
        regex = compile_regex(action.name, fold=False)  # of a name in lower case, as HAProxy's
        search = patient(regex.search, regex.pattern, store.patience)
        return lambda transaction: transaction.delete(lambda found: search(found) is not None)
    test = {
        Match.STR: lambda found: found == name,
        Match.BEG: lambda found: found.startswith(name),
        Match.END: lambda found: found.endswith(name),
        Match.SUB: lambda found: name in found,
    }[action.match]
    return lambda transaction: transaction.delete(test)


def _replacer(regex: str, value: Format, store: Store) -> Callable[[Transaction], Callable[[bytes], bytes | None]]:
    """For a transaction, what makes the new value of a value that the expression matches; None of another."""
    ready, write = compile_regex(regex, fold=False), compiled_format(value, store)
    search = patient(ready.search, ready.pattern, store.patience)

    def of(transaction: Transaction) -> Callable[[bytes], bytes | None]:
        expand = replacement(write(transaction))

        def changed(old: bytes) -> bytes | None:
            found: re.Match[bytes] | None = search(old)
            return None if found is None else expand(found)

        return changed

    return of


def _replace_header(action: ReplaceHeader, store: Store) -> Change:
    name, of = action.name.encode(), _replacer(action.regex, action.value, store)
    if not action.each:
        return lambda transaction: transaction.replace(name, of(transaction))

    def change(transaction: Transaction) -> None:
        changed = of(transaction)

        def each(old: bytes) -> bytes | None:
            values = parts(old, bare=False)  # what does not match keeps its blanks
            new = [value if (made := changed(value.strip(b' \t'))) is None else made for value in values]
            return b','.join(new) if new != values else None

        transaction.replace(name, each)

    return change


def _with_part(part: Part, uri: bytes, value: bytes) -> bytes:
    """A target with a part of it replaced."""
    if part is Part.URI:
        return value
    shown = path_and_query(uri)
    authority = uri[: len(uri) - len(shown)] if shown else b'' if uri == b'*' else uri
    path, mark, query = shown.partition(b'?')
    if part is Part.PATH:
        return authority + value + mark + query
    if part is Part.PATHQ:
        return authority + value
    return authority + path + (b'?' if mark or value else b'') + value  # nothing behind nothing needs no mark


def _set_part(action: SetPart, store: Store) -> Change:
    part, write = action.part, compiled_format(action.value, store)
    if part is Part.METHOD:
        return lambda transaction: transaction.set_method(write(transaction).upper())
    return lambda transaction: transaction.set_uri(
        _with_part(part, transaction.uri, write(transaction)), whole=part is Part.URI
    )


def _replace_part(action: ReplacePart, store: Store) -> Change:
    part, of = action.part, _replacer(action.regex, action.value, store)

    def change(transaction: Transaction) -> None:
        uri = transaction.uri
        old = {Part.PATH: path_of, Part.PATHQ: path_and_query}[part](uri) if part is not Part.URI else uri
        new = of(transaction)(old)
        if new is not None:
            transaction.set_uri(_with_part(part, uri, new), whole=part is Part.URI)

    return change


def _set_status(action: SetStatus, _: Store) -> Change:
    reason = action.reason.encode()
    return lambda transaction: transaction.set_status(action.status, reason)


def _keep(action: Keep, store: Store, where: str) -> Change:
    value_of, slot, owner = compiled_expression(action.value, store, Type.STR), action.slot, action.owner

    def change(transaction: Transaction) -> None:
        if owner and owner != transaction.frontend.name:
            return  # the slot is that of another frontend
        value = value_of(transaction)
        if isinstance(value, bytes):
            transaction.capture(where, slot, value)

    return change


def _priority(action: SetPriority, store: Store) -> Change:
    value_of, offset = compiled_expression(action.value, store, Type.INT), action.offset

    def change(transaction: Transaction) -> None:
        value = value_of(transaction)
        if not isinstance(value, int):
            return
        if offset:
            transaction.set_priority(None, max(-OFFSET_LIMIT, min(OFFSET_LIMIT, value)))
        else:
            transaction.set_priority(max(-CLASS_LIMIT, min(CLASS_LIMIT, value)), None)

    return change


def _override(name: str, value: Expression | int, store: Store) -> Change:
    if isinstance(value, int):
        number = value
        return lambda transaction: transaction.override(name, number)
    value_of = compiled_expression(value, store, Type.INT)

    def change(transaction: Transaction) -> None:
        found = value_of(transaction)
        if isinstance(found, int):
            transaction.override(name, found)

    return change


def _send_once(_: SendOnce, __: Store) -> Change:
    def change(transaction: Transaction) -> None:
        transaction.exchange.sends_once = True

    return change


def _log_level(action: SetLogLevel, _: Store) -> Change:
    level = action.level
    return lambda transaction: transaction.set_log_level(level)


_MAKERS: Final[dict[type[Action], Callable[..., Change]]] = {
    PutHeader: _put,
    DelHeader: _delete,
    ReplaceHeader: _replace_header,
    SetPart: _set_part,
    ReplacePart: _replace_part,
    SetStatus: _set_status,
    SetPriority: _priority,
    SetLogLevel: _log_level,
    SetTimeout: lambda action, store: _override(action.name, action.value, store),
    SetRetries: lambda action, store: _override('retries', action.value, store),
    SendOnce: _send_once,
    ChangeMap: change_map,
}
