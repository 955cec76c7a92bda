from __future__ import annotations

import os

from dataplane.wire.framing import Message
from dataplane.worker.inquiry import MOST, Inquiries


class Asker:
    def __init__(self) -> None:
        self.told: list[tuple[int, bytes]] = []

    def on_page(self, status: int, answer: bytes) -> None:
        self.told.append((status, answer))


def memfd(text: bytes) -> int:
    fd = os.memfd_create('t')
    os.write(fd, text)
    return fd


def test_answers_find_who_asked() -> None:
    sent: list[Message] = []
    inquiries, one, other = Inquiries(), Asker(), Asker()
    inquiries.send = sent.append
    assert inquiries.ask(one, {'proxy': 'a'})
    assert inquiries.ask(other, {'proxy': 'b'})
    assert sent == [{'proxy': 'a', 'op': 'page', 'question': 1}, {'proxy': 'b', 'op': 'page', 'question': 2}]
    fd = memfd(b'x' * 100_000)
    inquiries.told(2, 200, [fd])
    assert not os.path.exists(f'/proc/self/fd/{fd}')
    inquiries.told(1, 503, [])
    assert (one.told, other.told) == ([(503, b'')], [(200, b'x' * 100_000)])


def test_only_so_many_are_open() -> None:
    inquiries, asker = Inquiries(), Asker()
    assert not inquiries.ask(asker, {})
    inquiries.send = lambda message: None
    assert [inquiries.ask(asker, {}) for _ in range(MOST + 1)] == [True] * MOST + [False]
    inquiries.told(1, 503, [])
    assert inquiries.ask(asker, {})
    assert not inquiries.ask(asker, {})
