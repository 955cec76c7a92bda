"""Whose sockets are accepted from by whom: own ones, and those of who is away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dataplane.core.model import Bind, Frontend
from dataplane.supervisor.accepting import Accepting
from dataplane.supervisor.listeners import Listener, Listeners
from dataplane.wire.framing import Message


class Post:
    """What each worker was told, in its order."""

    def __init__(self, tmp_path: Path) -> None:
        self.listeners = Listeners(3)
        self.told: list[tuple[int, str, str]] = []
        self.accepting = Accepting(self.listeners, self.send)
        self.tmp_path = tmp_path

    def send(self, worker: int, message: Message, fds: Sequence[int]) -> None:
        if message['op'] == 'listen':
            (fd,) = fds
            owner = [n for listener in self.listeners.all for n in range(3) if listener.of(n).fileno() == fd]
            self.told.append((worker, message['key'], f'{message["frontend"]} {owner[0]}'))
        else:
            assert message['question'] == 0
            self.told += [(worker, key, 'no more') for key in message['keys']]

    def take(self) -> list[tuple[int, str, str]]:
        told, self.told = self.told, []
        return told

    def open(self, name: str, *binds: Bind) -> list[Listener]:
        return self.listeners.open_missing([Frontend(name=name, id=1, binds=binds, maxconn=10)])


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    yield made
    made.listeners.close_all()


def tcp(port: int) -> Bind:
    return Bind(name='b', host='127.0.0.1', port=port)


def test_each_accepts_in_its_own_socket_and_all_in_one_that_is_shared(post: Post, port: int) -> None:
    path = str(post.tmp_path / 's')
    opened = post.open('f', tcp(port), Bind(name='u', path=path))
    own, shared = opened
    post.accepting.listen(opened, (0, 2))
    assert post.take() == [
        (0, own.key, 'f 0'), (0, shared.key, 'f 0'), (2, own.key, 'f 2'), (2, shared.key, 'f 0'),
    ]  # fmt: skip


def test_sockets_of_the_absent_are_lent_and_taken_back(post: Post, port: int) -> None:
    (listener,) = post.open('f', tcp(port), Bind(name='u', path=str(post.tmp_path / 's')))[:1]
    lent = f'{listener.key} of worker 2'
    post.accepting.adjust((0, 1), (0, 1), {2})
    assert post.take() == [(0, lent, 'f 2')]
    post.accepting.adjust((0, 1), (0, 1), {2})
    assert post.take() == [], 'once is enough'
    assert set(post.accepting.keys([listener])) == {listener.key, lent}
    assert repr(post.accepting) == '<Accepting lent={2: 0}>'
    post.accepting.adjust((0, 1, 2), (0, 1, 2), ())
    assert (0, lent, 'no more') in post.take()
    assert post.accepting.keys([listener]) == [listener.key]


def test_what_was_lent_to_who_died_or_retires_is_lent_to_another(post: Post, port: int) -> None:
    (listener,) = post.open('f', tcp(port))
    lent = f'{listener.key} of worker 2'
    post.accepting.adjust((0, 1), (0, 1), {2})
    post.accepting.left(0)
    post.accepting.adjust((1,), (1,), {2})
    assert post.take() == [(0, lent, 'f 2'), (1, lent, 'f 2')]
    post.accepting.adjust((0,), (0,), {1, 2})
    assert sorted(post.take()) == [(0, f'{listener.key} of worker 1', 'f 1'), (0, lent, 'f 2')]
    post.accepting.adjust((0,), (), {1, 2})
    post.accepting.adjust((0,), (0,), {1, 2})
    assert len(post.take()) == 2, 'nobody served in between'


def test_a_bind_that_is_new_or_moves_is_lent_too_and_one_that_goes_is_not(post: Post, port: int) -> None:
    post.accepting.adjust((0, 1), (0, 1), {2})
    (listener,) = post.open('f', tcp(port))
    lent = f'{listener.key} of worker 2'
    post.accepting.listen([listener], (0, 1))
    assert post.take() == [(0, listener.key, 'f 0'), (1, listener.key, 'f 1'), (0, lent, 'f 2')]
    listener.frontend = 'g'
    post.accepting.listen([listener], (1,))
    assert post.take() == [(1, listener.key, 'g 1')], 'who has it on loan is told when it is told'
    listener.turn_away()
    post.accepting.listen([listener], (0, 1))
    post.accepting.adjust((1,), (1,), {0, 2})
    assert post.take() == []
