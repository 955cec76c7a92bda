"""User lists at work: who is let in, and how often that is calculated."""

from __future__ import annotations

from dataplane.crypting import crypt, is_known
from dataplane.rules.model import User, UserList
from dataplane.worker.accounts import REMEMBERED, Accounts

ENCRYPTED = crypt(b'secret', b'$5$abc$') or b''


class Counting:
    """crypt(3), and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, phrase: bytes, setting: bytes) -> bytes | None:
        self.asked += 1
        return b'!' + phrase if setting.startswith(b'!') else None


def accounts(*users: User, crypt: Counting | None = None) -> Accounts:
    return Accounts(UserList('u', users), crypt or Counting())


def test_the_system_knows_the_usual_methods() -> None:
    assert ENCRYPTED.startswith(b'$5$abc$')
    assert is_known(ENCRYPTED.decode())
    assert crypt(b'secret', ENCRYPTED) == ENCRYPTED != crypt(b'other', ENCRYPTED)
    assert not is_known('*')
    assert not is_known('$nothing$')


def test_real_hashes_are_checked() -> None:
    found = Accounts(UserList('u', (User('a', ENCRYPTED.decode()),)), crypt)
    assert found.admits(b'a', b'secret')
    assert not found.admits(b'a', b'wrong')


def test_who_has_no_password_is_never_let_in() -> None:
    found = accounts(User('a'), User('b', '', insecure=True))
    assert not found.admits(b'a', b'')
    assert found.admits(b'b', b'')
    assert not found.admits(b'c', b'')


def test_plain_passwords_are_compared_as_they_are() -> None:
    found = accounts(User('ä', 'ü', insecure=True))
    assert found.admits('ä'.encode(), 'ü'.encode())
    assert not found.admits('ä'.encode(), b'u')


def test_each_password_is_calculated_once() -> None:
    counting = Counting()
    found = accounts(User('a', '!right'), User('b', '!right'), crypt=counting)
    for _ in range(3):
        assert found.admits(b'a', b'right')
        assert not found.admits(b'a', b'wrong')
    assert counting.asked == 2
    assert found.admits(b'b', b'right')
    assert counting.asked == 3


def test_wrong_passwords_do_not_push_out_what_is_right() -> None:
    counting = Counting()
    found = accounts(User('a', '!right'), crypt=counting)
    assert found.admits(b'a', b'right')
    for number in range(REMEMBERED + 1):
        assert not found.admits(b'a', b'%d' % number)
    asked = counting.asked
    assert found.admits(b'a', b'right')
    assert not found.admits(b'a', b'%d' % REMEMBERED)
    assert counting.asked == asked
    assert not found.admits(b'a', b'0')
    assert counting.asked == asked + 1


def test_a_hash_that_is_not_known_any_more_lets_nobody_in() -> None:
    assert not accounts(User('a', '?')).admits(b'a', b'x')


def test_groups() -> None:
    found = accounts(User('a', groups=('g', 'h')))
    assert found.groups(b'a') == (b'g', b'h')
    assert found.groups(b'b') == ()
