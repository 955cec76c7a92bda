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
    Lease,
    Message,
    Nack,
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
    Lease(term=1, lease_ms=15_000),
    Goodbye(reason='soft stop'),
]


@pytest.mark.parametrize('message', MESSAGES, ids=lambda m: m.TYPE)
def test_a_message_survives_json(message: Message) -> None:
    assert type(message).from_dict(json.loads(json.dumps(message.to_dict()))) == message


@pytest.mark.parametrize('message', MESSAGES, ids=lambda m: m.TYPE)
def test_missing_and_unknown_fields_are_named(message: Message) -> None:
    document = message.to_dict()
    for field in document.keys() - {'type'}:
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
    ],
)
def test_an_ill_typed_field_is_named(message: Message, patch: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        type(message).from_dict({**message.to_dict(), **patch})


def test_the_protocol_has_a_number() -> None:
    assert MESSAGES[0].to_dict()['proto'] == PROTO
