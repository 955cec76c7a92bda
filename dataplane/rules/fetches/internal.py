"""Rules: fetches of the process and of the transaction itself (configuration manual 7.3.2, 7.3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from dataplane.rules.fetches.client import fact, truth
from dataplane.rules.phases import Use
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Sample, Type, wrapped
from dataplane.rules.table import Arguments, Fetch, Getter, simple

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

_UNITS: Final = {'s': 1_000_000, 'ms': 1_000, 'us': 1}
_INTERNAL: Final[tuple[tuple[str, Type], ...]] = (
    ('hostname', Type.STR), ('pid', Type.INT), ('thread', Type.INT), ('uptime', Type.INT), ('act_conn', Type.INT),
    ('last_rule_file', Type.STR), ('last_rule_line', Type.INT), ('prio_class', Type.INT), ('prio_offset', Type.INT),
    ('cur_client_timeout', Type.INT), ('cur_server_timeout', Type.INT), ('cur_connect_timeout', Type.INT),
    ('cur_queue_timeout', Type.INT), ('cur_tarpit_timeout', Type.INT), ('cur_tunnel_timeout', Type.INT),
    ('cur_max_retries', Type.INT), ('last_entity', Type.STR), ('waiting_entity', Type.STR), ('term_events', Type.STR),
)  # fmt: skip
_OTHER: Final[tuple[tuple[str, Type, Use], ...]] = (
    ('fe_id', Type.INT, Use.FRONTEND), ('fe_name', Type.STR, Use.FRONTEND), ('fe_defbe', Type.STR, Use.FRONTEND),
    ('be_id', Type.INT, Use.BACKEND), ('be_name', Type.STR, Use.BACKEND), ('srv_id', Type.INT, Use.SERVER),
    ('srv_name', Type.STR, Use.SERVER), ('unique-id', Type.STR, Use.CLIENT), ('txn.id32', Type.INT, Use.TRANSACTION),
    ('txn.sess_term_state', Type.STR, Use.TRANSACTION), ('txn.conn_retries', Type.INT, Use.SERVER),
    ('txn.redispatched', Type.BOOL, Use.SERVER), ('bytes_in', Type.INT, Use.TRANSACTION),
    ('bytes_out', Type.INT, Use.TRANSACTION), ('req.bytes_in', Type.INT, Use.TRANSACTION),
    ('req.bytes_out', Type.INT, Use.TRANSACTION), ('res.bytes_in', Type.INT, Use.TRANSACTION),
    ('res.bytes_out', Type.INT, Use.TRANSACTION), ('req.timer.idle', Type.INT, Use.TRANSACTION),
    ('req.timer.hdr', Type.INT, Use.TRANSACTION), ('req.timer.queue', Type.INT, Use.TRANSACTION),
    ('req.timer.tq', Type.INT, Use.TRANSACTION), ('res.timer.hdr', Type.INT, Use.TRANSACTION),
    ('res.timer.data', Type.INT, Use.TRANSACTION), ('txn.timer.total', Type.INT, Use.TRANSACTION),
    ('txn.timer.user', Type.INT, Use.TRANSACTION),
)  # fmt: skip


def unit_checked(place: int) -> Callable[[Arguments, Scope], Arguments]:
    """A check that the argument at that place, if any, is a unit of time."""

    def check(arguments: Arguments, _: Scope) -> Arguments:
        if len(arguments) > place and arguments[place] not in _UNITS:
            msg = f"expects 's', 'ms' or 'us', got '{shown(str(arguments[place]))}'"
            raise Rejected(msg)
        return arguments

    return check


def _date(arguments: Arguments) -> Getter:
    offset = cast('int', arguments[0] or 0) if arguments else 0
    divisor = _UNITS[str(arguments[1])] if len(arguments) > 1 else _UNITS['s']
    return lambda view: wrapped(view.now_us // divisor + offset)


def _dated(name: str) -> Fetch:
    """A date in seconds, or in the unit of the argument, of which the view tells microseconds."""

    def build(arguments: Arguments) -> Getter:
        divisor = _UNITS[str(arguments[0])] if arguments else _UNITS['s']

        def fetch(view: View) -> Sample | None:
            moment = view.fact(name)
            return moment // divisor if isinstance(moment, int) else None

        return fetch

    return Fetch(Type.INT, Use.CLIENT, build, 'str?', unit_checked(0))


def _rand(arguments: Arguments) -> Getter:
    size = cast('int', arguments[0]) if arguments and arguments[0] is not None else 1 << 32
    return lambda view: view.random() * size >> 32


def _uuid_version(arguments: Arguments, _: Scope) -> Arguments:
    if arguments and arguments[0] not in (None, 4, 7):
        msg = f"Unsupported UUID version: '{arguments[0]}'"
        raise Rejected(msg)
    return arguments


def _uuid(arguments: Arguments) -> Getter:
    if arguments and arguments[0] == 7:
        return _uuid7
    return lambda view: str(UUID(int=_bits(view, 4), version=4)).encode()


def _uuid7(view: View) -> Sample:
    value = (view.now_us // 1_000 & 0xFFFFFFFFFFFF) << 80 | _bits(view, 3) & ((1 << 80) - 1)
    value = value & ~(0xF << 76) | 7 << 76
    return str(UUID(int=value & ~(3 << 62) | 2 << 62)).encode()


def _bits(view: View, words: int) -> int:
    value = 0
    for _ in range(words):
        value = value << 32 | view.random()
    return value


def _acls(arguments: Arguments, scope: Scope) -> Arguments:
    """The condition that all of them hold; the closure is made of that (`closures`)."""
    if scope.named is None:
        msg = 'no ACL can be named here'
        raise Rejected(msg)
    return (scope.named([str(name) for name in arguments], scope),)


INTERNAL: Final[dict[str, Fetch]] = {
    'acl': Fetch(Type.BOOL, Use.INTERNAL, lambda _: lambda _view: None, ','.join(['str', *['str?'] * 11]), _acls),
    **{name: simple(gives, Use.INTERNAL, fact(name)) for name, gives in _INTERNAL},
    **{name: simple(gives, use, fact(name)) for name, gives, use in _OTHER},
    'accept_date': _dated('accept_us'),
    'request_date': _dated('request_us'),
    'date': Fetch(Type.INT, Use.INTERNAL, _date, 'int?,str?', unit_checked(1)),
    'date_us': simple(Type.INT, Use.INTERNAL, lambda view: view.now_us % 1_000_000),
    'nbproc': simple(Type.INT, Use.INTERNAL, lambda _: 1),
    'proc': simple(Type.INT, Use.INTERNAL, lambda _: 1),
    'quic_enabled': simple(Type.BOOL, Use.INTERNAL, lambda _: False),
    'rand': Fetch(Type.INT, Use.INTERNAL, _rand, 'int?'),
    'stopping': simple(Type.BOOL, Use.INTERNAL, truth('stopping')),
    'uuid': Fetch(Type.STR, Use.INTERNAL, _uuid, 'int?', _uuid_version),
    'wait_end': simple(Type.BOOL, Use.INTERNAL, lambda view: view.fact('wait_end') is not False),
}
