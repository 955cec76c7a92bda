"""What requests and connections track in stick tables, and what is counted there for them (configuration manual, 11.1 and 4.3).

A session tracks from its `tcp-request connection` and `session` rules on for as long as the client's connection is there, a request
until it has ended. Counter for counter a request's own goes before its session's.

    connection counted   when it is tracked            request counted   when it is tracked, or comes on a session that tracks
    session counted      when the session begins       error counted     a 4xx of the server, a request refused or not understood
    failure counted      a 5xx of the server but 501 and 505, a server that fails,     bytes counted   when the request has ended
                         an answer that is none in its body

Which statuses these are `http-err-codes` and `http-fail-codes` may say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dataplane.core.termination import REJECTED, TARPITTED, Phase, Termination, Who
from dataplane.rules.closures import compiled_expression
from dataplane.rules.fetches.tables import COUNTERS
from dataplane.rules.model import Expression
from dataplane.rules.samples import Type

if TYPE_CHECKING:
    from dataplane.rules.actions import Add, Tag, Track
    from dataplane.rules.stores import Store
    from dataplane.stick import StickTable
    from dataplane.worker.context import Context
    from dataplane.worker.halves import ClientEnd
    from dataplane.worker.transaction import Transaction
    from dataplane.worker.verdicts import Verdict

Amounts = tuple[tuple[str, int], ...]
SESSION: Final[Amounts] = (('sess_cnt', 1), ('sess_rate', 1))
REQUEST: Final[Amounts] = (('http_req_cnt', 1), ('http_req_rate', 1))
ERROR: Final[Amounts] = (('http_err_cnt', 1), ('http_err_rate', 1))
FAILURE: Final[Amounts] = (('http_fail_cnt', 1), ('http_fail_rate', 1))
_SERVERS_FAULT: Final = (Who.SERVER, Who.SERVER_TIMEOUT, Who.PROXY)


class Tracking:
    """The counters of one session or one request."""

    __slots__ = ('_found',)

    def __init__(self) -> None:
        self._found: list[tuple[StickTable, bytes] | None] = [None] * COUNTERS

    def get(self, number: int) -> tuple[StickTable, bytes] | None:
        """What a counter tracks; one that is not there tracks nothing."""
        return self._found[number] if 0 <= number < COUNTERS else None

    def start(self, number: int, table: StickTable, key: bytes) -> bool:
        """Track an entry, which is made where there is none; False where there is no room for it."""
        if not table.track(key):
            return False
        self._found[number] = table, key
        return True

    def count(self, *amounts: tuple[str, int]) -> None:
        """Count for all that is tracked."""
        for found in self._found:
            if found is not None:
                found[0].count(found[1], *amounts)

    def release(self) -> None:
        """Track nothing any more."""
        for number, found in enumerate(self._found):
            if found is not None:
                self._found[number] = None
                found[0].untrack(found[1])


def tracked_by(client: ClientEnd, ruled: Transaction | None, number: int) -> tuple[StickTable, bytes] | None:
    """What counter `number` tracks for a request, by itself or by its session."""
    own = ruled.tracking.get(number) if ruled is not None and ruled.tracking is not None else None
    if own is not None or client.tracking is None:
        return own
    return client.tracking.get(number)


# -- actions -------------------------------------------------------------------------------------------------------------

Act = Callable[..., None]
"""On a `Transaction` or an `Arrival`."""


def track_act(action: Track, store: Store) -> Act:
    """`track-scN KEY`: what is tracked already stays; a key that is not there tracks nothing."""
    key_of, number, name, asked = compiled_expression(action.key, store), action.number, action.table, action.asked

    def act(view: Any) -> None:
        table: StickTable | None = view.table(name)
        tracking: Tracking | None = view.tracking
        if table is None or (tracking is not None and tracking.get(number) is not None):
            return
        sample = key_of(view)
        key = None if sample is None else table.key_of(sample)
        if key is None:
            return
        if tracking is None:
            view.tracking = tracking = Tracking()
        if tracking.start(number, table, key) and asked:
            table.count(key, *REQUEST, *_answered(view.context, view.status))

    return act


def _answered(context: Context, status: int) -> Amounts:
    """What an answer of the server counts; 0: there is none yet."""
    errors, failures = context.counted_codes
    if errors >> status & 1:
        return ERROR + FAILURE if failures >> status & 1 else ERROR
    return FAILURE if failures >> status & 1 else ()


def add_act(action: Add, store: Store) -> Act:
    """`sc-inc-gpc` and `sc-add-gpc`."""
    number, data, element, amount_of = action.number, action.data, action.element, _value(action.amount, store)

    def act(view: Any) -> None:
        found: tuple[StickTable, bytes] | None = view.tracked(number)
        amount = None if found is None else amount_of(view)
        if found is not None and amount is not None:
            found[0].add(found[1], data, element, amount, make=False)

    return act


def tag_act(action: Tag, store: Store) -> Act:
    """`sc-set-gpt`."""
    number, data, element, value_of = action.number, action.data, action.element, _value(action.value, store)

    def act(view: Any) -> None:
        found: tuple[StickTable, bytes] | None = view.tracked(number)
        value = None if found is None else value_of(view)
        if found is not None and value is not None:
            found[0].put(found[1], ((data, element, value),), make=False)

    return act


def _value(value: int | Expression, store: Store) -> Callable[[Any], int | None]:
    """A number, or what makes one of a view."""
    if isinstance(value, int):
        number = value
        return lambda _: number
    get = compiled_expression(value, store, Type.INT)

    def read(view: Any) -> int | None:
        found = get(view)
        return int(found) if isinstance(found, int) else None

    return read


# -- events --------------------------------------------------------------------------------------------------------------


def count_all(ruled: Transaction, *amounts: tuple[str, int]) -> None:
    """Count for all that a request tracks, itself or by its session."""
    for number in range(COUNTERS):
        found = ruled.tracked(number)
        if found is not None:
            found[0].count(found[1], *amounts)


def count_refused(ruled: Transaction, verdict: Verdict) -> None:
    """Rules have ended a request: one that was refused with an answer is the client's error."""
    if verdict.end in (REJECTED, TARPITTED) and verdict.answer is not None:
        count_all(ruled, *ERROR)


def count_answered(ruled: Transaction, status: int) -> None:
    """The server's answer is here, and no rule has seen it."""
    amounts = _answered(ruled.context, status)
    if amounts:
        count_all(ruled, *amounts)


def count_unserved(tracking: Tracking, end: Termination) -> None:
    """What came on a session that tracks was no request: an error, unless it did not come in time."""
    tracking.count(*REQUEST)
    if end.phase is Phase.REQUEST and end.who in (Who.PROXY, Who.CLIENT):
        tracking.count(*ERROR)


def count_ended(ruled: Transaction, end: Termination, received: int, sent: int) -> None:
    """The request has ended: its bytes are counted, a server that failed too, and it tracks nothing any more."""
    amounts: Amounts = (
        ('bytes_in_cnt', received), ('bytes_in_rate', received), ('bytes_out_cnt', sent), ('bytes_out_rate', sent),
    )  # fmt: skip
    if ruled.server_status:
        failed = (
            end.phase is Phase.DATA and end.who is Who.PROXY
        )  # its body could not be understood; cut or late is no failure to HAProxy
    else:
        failed = end.phase is Phase.HEADERS and end.who in _SERVERS_FAULT
    if failed:
        amounts += FAILURE
    count_all(ruled, *amounts)
    if ruled.tracking is not None:
        ruled.tracking.release()
