"""What the actions of `dataplane.rules.steps` do, made into functions of a transaction; those of the others are in acting.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.core.termination import BAD_REQUEST
from dataplane.rules.closures import compiled_expression, compiled_format
from dataplane.rules.fetches.request import path_and_query
from dataplane.rules.model import Expression
from dataplane.rules.normalizing import BadTarget, normalized
from dataplane.rules.samples import Type, type_of
from dataplane.rules.steps import (
    EarlyHint,
    End,
    ExpectProxy,
    NormalizeUri,
    Nothing,
    Pause,
    SetAddress,
    SetTos,
    Step,
    StrictMode,
    WaitBody,
)
from dataplane.worker.replies import Made
from dataplane.worker.rewriting import clean
from dataplane.worker.verdicts import Act, Then, Verdict

if TYPE_CHECKING:
    from dataplane.rules.stores import Store
    from dataplane.worker.arrival import Arrival
    from dataplane.worker.transaction import Transaction

_MOST: Final = 86_400_000
"""A pause ends after a day, whatever its expression yields (ms)."""
_ADDRESSES: Final = (Type.IPV4, Type.IPV6)


def _wait_body(action: WaitBody, _: Store) -> Act:
    verdict = Verdict(Then.BODY, time=action.time, least=action.at_least)
    return lambda _transaction: verdict


def _pause(action: Pause, store: Store) -> Act:
    if not isinstance(action.time, Expression):
        verdict = Verdict(Then.PAUSE, time=action.time)
        return lambda _transaction: verdict
    time_of = compiled_expression(action.time, store, Type.INT)

    def act(transaction: Transaction) -> Verdict | None:
        value = time_of(transaction)
        if not isinstance(value, int) or value <= 0:
            return None
        return Verdict(Then.PAUSE, time=min(value, _MOST))

    return act


def _early_hint(action: EarlyHint, store: Store) -> Act:
    name, write = action.name.encode(), compiled_format(action.value, store)

    def act(transaction: Transaction) -> None:
        transaction.hint(b'%b: %b\r\n' % (name, clean(write(transaction))))

    return act


def _normalize_uri(action: NormalizeUri, _: Store) -> Act:
    normalizer, option = action.normalizer, action.option
    refused = Verdict(Then.ANSWER, BAD_REQUEST, lambda _transaction: Made(400))

    def act(transaction: Transaction) -> Verdict | None:
        uri = transaction.uri
        shown = path_and_query(uri)
        if not shown:
            return None
        try:
            changed = normalized(shown, normalizer, option=option)
        except BadTarget:
            return refused
        if changed != shown:
            transaction.set_uri(uri[: len(uri) - len(shown)] + changed, whole=False)
        return None

    return act


def _strict_mode(action: StrictMode, _: Store) -> Act:
    strict = action.on

    def act(transaction: Transaction) -> None:
        transaction.strict = strict

    return act


def _set_address(action: SetAddress, store: Store) -> Act:
    end = action.end
    ports = end in (End.SRC_PORT, End.DST_PORT)
    value_of = compiled_expression(action.value, store, Type.INT if ports else Type.ADDRESS)

    def act(transaction: Transaction | Arrival) -> None:
        value = value_of(transaction)
        if value is not None and (ports or type_of(value) in _ADDRESSES):
            transaction.move(end, value)

    return act


def _expect_proxy(_action: ExpectProxy, _store: Store) -> Act:
    def act(arrival: Arrival) -> None:
        arrival.announced = True

    return act


def _set_tos(action: SetTos, store: Store) -> Act:
    given = action.value
    if isinstance(given, Expression):
        value_of = compiled_expression(given, store, Type.INT)
    else:
        fixed = given
        value_of = lambda _: fixed  # noqa: E731 - a constant beside an expression

    def act(transaction: Transaction) -> None:
        value = value_of(transaction)
        if isinstance(value, int) and 0 <= value <= 255:
            transaction.set_tos(value)

    return act


def _nothing(_action: Nothing, _store: Store) -> Act:
    return _do_nothing


def _do_nothing(_transaction: Transaction) -> None:
    """What has no effect here."""


_MAKERS: Final[dict[type[Step], Callable[..., Act]]] = {
    WaitBody: _wait_body,
    Pause: _pause,
    EarlyHint: _early_hint,
    NormalizeUri: _normalize_uri,
    StrictMode: _strict_mode,
    SetAddress: _set_address,
    ExpectProxy: _expect_proxy,
    SetTos: _set_tos,
    Nothing: _nothing,
}


def step_of(action: Step, store: Store) -> Act:
    """What a step does."""
    return _MAKERS[type(action)](action, store)
