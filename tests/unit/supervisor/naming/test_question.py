"""When a name is asked for, and what its answers come to: the scenarios of the configuration manual, 5.3.2."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.lookup import Hold, Resolvers
from dataplane.core.naming import Target
from dataplane.supervisor.naming.question import CAUSES, MOST, Answer, Question, Status, Step

SECTION = Resolvers(
    name='r', retries=2, resolve=1_000, retry=100, hold=Hold(nx=500, timeout=700, other=50, obsolete=30)
)
ONE = Answer(frozenset(('10.0.0.1',)))


def asked(kind: str = 'A', nameservers: int = 2) -> Question:
    """One that was sent at 0 to so many nameservers."""
    one = Question('a.example', kind, SECTION, 0)
    assert one.due == 0
    one.start(7, 0)
    one.sent(nameservers, 0)
    assert one.due == 100
    return one


def test_the_first_valid_answer_counts() -> None:
    one = asked()
    assert one.wrong(Status.NX, 5) is Step.WAIT
    assert one.valid(ONE, 6) is Step.VALID
    assert (one.id, one.status, one.addresses, one.due) == (None, Status.VALID, ONE.addresses, 1_006)


def test_when_all_answered_and_none_validly_the_other_kind_of_address_is_asked_for() -> None:
    one = asked()
    assert [one.wrong(Status.NX, 5), one.wrong(Status.REFUSED, 6)] == [Step.WAIT, Step.SEND]
    assert (one.asking, one.kinds) == ('AAAA', {'A', 'AAAA'})
    one.sent(2, 6)
    assert [one.wrong(Status.NX, 7), one.wrong(Status.NX, 8)] == [Step.WAIT, Step.WAIT]
    assert one.due == 106
    assert (one.overdue(106), one.asking) == (Step.SEND, 'A')
    one.sent(2, 106)
    assert [one.wrong(Status.NX, 107), one.wrong(Status.NX, 108)] == [Step.WAIT, Step.SEND]
    one.sent(2, 108)
    assert [one.wrong(Status.NX, 109), one.wrong(Status.NX, 110)] == [Step.WAIT, Step.FAILED]
    assert (one.id, one.status, one.due) == (None, Status.NX, 1_110)


def test_one_error_and_one_silence_ask_for_the_other_kind_and_silence_alone_for_the_same() -> None:
    one = asked()
    one.wrong(Status.NX, 5)
    assert (one.overdue(100), one.asking) == (Step.SEND, 'AAAA')
    silent = asked()
    assert (silent.overdue(100), silent.asking) == (Step.SEND, 'A')
    silent.sent(2, 100)
    assert (silent.overdue(200), silent.status) == (Step.FAILED, Status.TIMEOUT)


def test_services_have_no_other_kind() -> None:
    one = asked('SRV', nameservers=1)
    assert one.wrong(Status.NX, 5) is Step.WAIT
    assert (one.overdue(100), one.asking) == (Step.SEND, 'SRV')
    one.sent(1, 100)
    assert one.wrong(Status.OTHER, 105) is Step.FAILED
    assert one.status is Status.OTHER


def test_nobody_could_be_asked() -> None:
    one = asked(nameservers=0)
    assert one.overdue(100) is Step.SEND
    one.sent(0, 100)
    assert one.overdue(200) is Step.FAILED


@pytest.mark.parametrize('status, hold', [(Status.NX, 500), (Status.TIMEOUT, 700), (Status.OTHER, 50)])
def test_a_valid_answer_counts_for_as_long_as_its_hold(status: Status, hold: int) -> None:
    one = asked(nameservers=1)
    one.valid(ONE, 10)
    assert not one.forgets(10_000)
    one.status = status
    assert not one.forgets(9 + hold)
    assert one.addresses
    assert one.forgets(10 + hold)
    assert not one.addresses
    assert status in CAUSES


def test_what_was_never_valid_counts_from_the_beginning() -> None:
    one = asked(nameservers=1)
    assert not one.forgets(10_000)
    one.status = Status.REFUSED
    assert not one.forgets(29_999)
    assert one.forgets(30_000)


def test_what_is_answered_no_more_is_known_for_a_while() -> None:
    one = asked()
    one.valid(ONE, 10)
    one.valid(Answer(frozenset(('10.0.0.2',))), 40)
    assert one.addresses == {'10.0.0.1', '10.0.0.2'}
    one.valid(Answer(frozenset(('10.0.0.2',))), 41)
    assert one.addresses == {'10.0.0.2'}
    service = asked('SRV')
    service.valid(Answer(targets=(Target('a', 80, 1), Target('b', 80, 1))), 10)
    service.valid(Answer(targets=(Target('b', 80, 9),)), 50)
    assert service.targets == (Target('b', 80, 9),)


def test_no_more_is_remembered_than_fits() -> None:
    one = asked()
    one.section = replace(SECTION, hold=Hold(obsolete=10**9))
    one.valid(Answer(frozenset(f'10.0.{n // 256}.{n % 256}' for n in range(MOST))), 10)
    one.valid(ONE, 20)
    assert len(one.addresses) == MOST
    assert ONE.addresses <= one.addresses
    assert 'NONE' not in repr(one)
