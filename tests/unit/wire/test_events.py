from __future__ import annotations

import json
from typing import Any

import pytest

from dataplane.wire.events import (
    PROTO,
    Ack,
    Drained,
    Event,
    Goodbye,
    Hello,
    Inventory,
    Lease,
    Message,
    Nack,
    Renew,
    Snapshot,
    Status,
)

MESSAGES: list[Message] = [
    Hello(dp_id='dp-1', term=1, seq=2, term_seen=3, state_hash='ab', workers=2, features=('x',), on_partition='stop'),
    Snapshot(term=1, seq=2, chunk=0, chunks=1, changes=({'kind': 'route'},), state_hash='ab'),
    Event(term=1, seq=2, prev_seq=1, ts=5, changes=(), state_hash='ab'),
    Ack(term=1, seq=2, state_hash='ab', pause_us=12, workers=(0, 1), missing=(2,)),
    Nack(term=1, seq=2, code='INVALID', detail='no', applied_term=1, applied_seq=1, backends=('app',)),
    Status(term=1, seq=2, servers=(('app', 's1', 1, 2, 'UP'),)),
    Drained(term=1, seq=2, servers=(('app', 's1', 'drain'),)),
    Inventory(lapsed=True, servers=(('app', 's1', 'share', 1, 2), ('app', 's2', 'gone', 0, 1)), chunk=1, chunks=2),
    Renew(asked=17),
    Lease(term=1, lease_ms=15_000, asked=17),
    Goodbye(reason='soft stop'),
    Status(term=1, seq=2, servers=(('app', 's1', 1, 2, 'UP'),), local=(('app', 's1', 'state', 'drain'),)),
    Status(term=1, seq=2, servers=(), queues=(('app', 7), ('b', 1))),
]


@pytest.mark.parametrize('message', MESSAGES, ids=lambda m: m.TYPE)
def test_a_message_survives_json(message: Message) -> None:
    assert type(message).from_dict(json.loads(json.dumps(message.to_dict()))) == message


@pytest.mark.parametrize('message', MESSAGES, ids=lambda m: m.TYPE)
def test_missing_and_unknown_fields_are_named(message: Message) -> None:
    document = message.to_dict()
    for field in document.keys() - {'type'} - message.OPTIONAL:
        with pytest.raises(ValueError, match=rf'^{message.TYPE}\.{field}: missing'):
            type(message).from_dict({key: value for key, value in document.items() if key != field})
    with pytest.raises(ValueError, match=rf'^{message.TYPE}\.more: unknown field'):
        type(message).from_dict({**document, 'more': 1})


@pytest.mark.parametrize(
    'message,patch,words',
    [
        (MESSAGES[0], {'dp_id': 'a b'}, 'hello.dp_id: must be a name'),
        (MESSAGES[0], {'dp_id': 7}, 'hello.dp_id'),
        (MESSAGES[0], {'term': -1}, 'hello.term: must be a whole number'),
        (MESSAGES[0], {'term': True}, 'hello.term'),
        (MESSAGES[0], {'node': 'x' * 5000}, 'hello.node: must be text'),
        (MESSAGES[0], {'features': 'x'}, 'hello.features: must be a list'),
        (MESSAGES[0], {'on_partition': 'die'}, 'hello.on_partition'),
        (MESSAGES[1], {'changes': [1]}, 'snapshot.changes: must be a list of objects'),
        (MESSAGES[5], {'servers': [['app', 's1', 1]]}, 'status.servers: must hold rows of 5'),
        (MESSAGES[5], {'servers': [['app', 's1', 1, '2', 'UP']]}, 'status.servers: must be a whole number'),
        (MESSAGES[5], {'local': [['app', 's1', 'mood', 'x']]}, "status.local: must be 'state', 'weight'"),
    ],
)
def test_an_ill_typed_field_is_named(message: Message, patch: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        type(message).from_dict({**message.to_dict(), **patch})


def test_the_protocol_has_a_number() -> None:
    assert MESSAGES[0].to_dict()['proto'] == PROTO


def test_what_came_later_is_not_sent_where_it_says_nothing() -> None:
    plain = Lease(term=1, lease_ms=5)
    assert plain.to_dict() == {'type': 'lease', 'term': 1, 'lease_ms': 5}
    assert Lease.from_dict(plain.to_dict()) == plain


def test_words_of_an_inventory_and_of_a_partition_are_few() -> None:
    with pytest.raises(ValueError, match=r"inventory\.servers: must be 'own', 'share', 'due' or 'gone'"):
        Inventory.from_dict({'lapsed': False, 'chunk': 0, 'chunks': 1, 'servers': [['b', 's', 'lent', 1, 1]]})
    with pytest.raises(ValueError, match=r'inventory\.lapsed: must be true or false'):
        Inventory.from_dict({'lapsed': 0, 'chunk': 0, 'chunks': 1, 'servers': []})
    hello = Hello(dp_id='dp', term=0, seq=0, term_seen=0, state_hash='', workers=1).to_dict()
    assert hello['on_partition'] == 'keep'
    assert Hello.from_dict({**hello, 'on_partition': 'continue'}).on_partition == 'keep'
    with pytest.raises(ValueError, match=r"hello\.on_partition: must be 'keep' or 'stop'"):
        Hello.from_dict({**hello, 'on_partition': 'go'})
