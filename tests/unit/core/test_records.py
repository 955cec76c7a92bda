"""Records go from process to process as what they are: equal, as immutable as before, what is one object stays one."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field

import pytest

from dataplane.config import load
from dataplane.core.model import Backend, Balance, Frontend, Timeouts
from dataplane.core.records import by_fields
from dataplane.core.tables import Tables

CONFIGURATION = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    log 127.0.0.1:514 local0 info

listen www
    bind 127.0.0.1:8080
    option forwardfor
    balance uri whole
    server one 127.0.0.1:9001 weight 3 maxconn 2
    server two 127.0.0.1:9002 backup
"""


@dataclass(frozen=True, slots=True)
class Derives:
    """A record with a field that it makes itself."""

    number: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'twice', 2 * self.number)


by_fields(Derives)


def test_a_configuration_arrives_as_it_left() -> None:
    snapshot = load([('haproxy.cfg', CONFIGURATION)], {}, cores=1).snapshot
    arrived = pickle.loads(pickle.dumps(snapshot, pickle.HIGHEST_PROTOCOL))
    assert arrived == snapshot
    assert arrived.backends[0].timeouts.connect == 5000
    assert copy.copy(snapshot) == snapshot


def test_tables_arrive_with_their_indexes() -> None:
    frontend = Frontend(name='www', id=1, binds=(), maxconn=10)
    backend = Backend(name='app', id=2, balance=Balance(algorithm='first'))
    tables = Tables(7, frontends={3: frontend}, backends={5: backend}, members={5: ()}, listeners={2: ('www', ':80')})
    arrived = pickle.loads(pickle.dumps(tables))
    assert arrived == tables
    assert (arrived.frontend_of('www'), arrived.backend_of('app'), arrived.listener_of('www', ':80')) == (3, 5, 2)


def test_what_is_one_object_stays_one() -> None:
    one = Backend(name='app', id=2)
    first, second = pickle.loads(pickle.dumps((one, one)))
    assert first is second


def test_what_arrived_is_immutable() -> None:
    arrived = pickle.loads(pickle.dumps(Timeouts(client=3)))
    with pytest.raises(FrozenInstanceError):
        arrived.client = 4


def test_what_a_record_derives_is_derived_again() -> None:
    assert pickle.loads(pickle.dumps(Derives(4))).twice == 8


def test_only_dataclasses_have_fields() -> None:
    with pytest.raises(TypeError):
        by_fields(int)
