from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dataplane.core.model import AdminState
from dataplane.rules.actions import EXPORTER, Rules
from dataplane.rules.statspage import StatsPage
from dataplane.supervisor.pagedesk import PageDesk
from dataplane.supervisor.workerpages import WorkerPages
from dataplane.wire.framing import Message
from tests.inprocess import SNAPSHOT, Plane

PAGE = StatsPage(uri='/s')
QUESTION: Message = {
    'op': 'page', 'question': 7, 'service': '', 'proxy': 'px', 'backend': True, 'granted': False, 'method': 'GET', 'target': '/s;csv', 'fields': {},
    'body': '', 'address': '192.0.2.7',
}  # fmt: skip


def with_pages() -> Plane:
    front = replace(SNAPSHOT.frontends[0], rules=Rules(page=replace(PAGE, scope=('fe',))))
    back = replace(SNAPSHOT.backends[0], rules=Rules(page=PAGE))
    return Plane(replace(SNAPSHOT, frontends=(front,), backends=(back,)))


async def told(plane: Plane | None = None, **changes: Any) -> tuple[Message, bytes]:
    """The message that a worker gets, and what is in the memfd that comes along."""
    plane = plane or with_pages()
    sent: list[tuple[int, Message, bytes]] = []

    def send(worker: int, message: Message, fds: Sequence[int]) -> None:
        (fd,) = fds
        sent.append((worker, message, os.pread(fd, 1 << 20, 0)))

    notes: list[str] = []
    desk = PageDesk(plane.figures, plane.verbs(), notes.append)
    pages = WorkerPages(desk, lambda: plane.ledger.tables, send)
    before = len(os.listdir('/proc/self/fd'))
    await pages.answer(3, {**QUESTION, **changes})
    assert len(os.listdir('/proc/self/fd')) == before
    ((worker, message, answer),) = sent
    assert worker == 3
    assert (message['op'], message['question']) == ('paged', 7)
    return message, answer


async def test_an_answer_is_whole() -> None:
    message, answer = await told()
    head, _, body = answer.partition(b'\r\n\r\n')
    assert message['status'] == 200
    assert head.startswith(b'HTTP/1.1 200 OK\r\ncache-control: no-store\r\n')
    assert head.endswith(b'\r\ncontent-length: %d' % len(body))
    assert body.startswith(b'# pxname')


async def test_each_half_of_a_proxy_has_a_page_of_its_own() -> None:
    _, answer = await told(proxy='fe', backend=False)
    assert b'fe,FRONTEND' in answer
    assert b'px,' not in answer


async def test_a_page_that_is_gone() -> None:
    cases: list[dict[str, Any]] = [{'proxy': 'nobody'}, {'proxy': 'fe'}, {'target': '/other'}]
    for each in cases:
        message, answer = await told(**each)
        assert message['status'] == 404
        assert answer.endswith(b'This page is no more.\n')
    message, _ = await told(Plane())
    assert message['status'] == 404


async def test_the_exporter_is_nobodys_page() -> None:
    asked: dict[str, Any] = {'service': EXPORTER, 'proxy': '', 'backend': False}
    message, answer = await told(Plane(), **asked, target='/any?scope=frontend')
    assert message['status'] == 200
    assert answer.partition(b'\r\n\r\n')[2].startswith(b'# HELP haproxy_frontend_current_sessions ')
    message, answer = await told(Plane(), **asked, target='/any?scope=x')
    assert message['status'] == 400
    assert answer.startswith(b'HTTP/1.1 400 Bad Request\r\n')


async def test_a_form_and_what_it_may_do() -> None:
    plane = with_pages()
    form: dict[str, Any] = {'method': 'POST', 'body': 's=s1&action=drain&b=px', 'target': '/s'}
    assert (await told(plane, **form))[1].startswith(b'HTTP/1.1 303 See Other\r\n')
    assert plane.ledger.records[plane.server('px', 's1')].effective is AdminState.READY
    _, answer = await told(plane, **form, granted=True)
    assert b'\r\nlocation: /s;st=DONE\r\n' in answer
    assert plane.ledger.records[plane.server('px', 's1')].effective is AdminState.DRAIN
    _, answer = await told(plane, **form, granted=True, fields={'host': 'a', 'origin': 'http://b'})
    assert b'\r\nlocation: /s;st=DENY\r\n' in answer
    _, answer = await told(plane, **{**form, 'body': None}, granted=True)
    assert b'\r\nlocation: /s;st=EXCD\r\n' in answer


async def test_a_page_for_which_no_descriptor_is_left() -> None:
    plane, sent, notes = with_pages(), list[tuple[Message, Sequence[int]]](), list[str]()
    desk = PageDesk(plane.figures, plane.verbs(), notes.append)
    pages = WorkerPages(desk, lambda: plane.ledger.tables, lambda _, message, fds: sent.append((message, fds)))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        await pages.answer(3, QUESTION)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert sent == [({'op': 'paged', 'question': 7, 'status': 503}, ())]


async def test_a_page_that_cannot_be_drawn_ends_nothing_else() -> None:
    plane = with_pages()

    def broken() -> object:
        raise ZeroDivisionError

    plane.figures.info = broken  # type: ignore[assignment, method-assign]
    message, answer = await told(plane, target='/s')
    assert message['status'] == 500
    assert answer.startswith(b'HTTP/1.1 500 Internal Server Error\r\n')
