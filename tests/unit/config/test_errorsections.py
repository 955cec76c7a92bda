"""`http-errors` sections, and what proxies and rules take from them."""

from __future__ import annotations

import pytest

from dataplane.config import ConfigErrors, Loaded, load
from dataplane.core.answers import ErrorPage
from dataplane.rules.actions import Deny, Reply, Return
from dataplane.rules.model import Format
from tests.unit.config.loading import HTTP

FILES = {
    '/a': b'HTTP/1.1 403 No\r\ncontent-length: 1\r\n\r\na',
    '/b': b'HTTP/1.1 403 No\r\ncontent-length: 1\r\n\r\nb',
    '/open': b'HTTP/1.1 503 No\r\n\r\nopen',
}
SECTION = 'http-errors e\n errorfile 403 /a\n errorfile 503 /open\n'


def loaded(text: str) -> Loaded:
    def read(path: str, size: int) -> bytes:
        if path not in FILES:
            raise FileNotFoundError(2, 'No such file or directory')
        return FILES[path][:size]

    return load([('t.cfg', text)], {}, cores=1, read_file=read)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        loaded(text)
    return [f'{problem.line}: {problem.text}' for problem in raised.value.errors]


def pages(lines: str) -> dict[int, bytes | None]:
    """What a backend with these lines answers, by status."""
    found = loaded(f'{HTTP}backend b\n {lines}\n{SECTION}').snapshot.backends[0]
    return {page.status: page.keeping and page.keeping[-1:] for page in found.error_pages}


def test_the_last_line_of_a_status_counts() -> None:
    assert pages('errorfiles e') == {403: b'a', 503: None}
    assert pages('errorfiles e 403') == {403: b'a'}
    assert pages('errorfiles e\n errorfile 403 /b') == {403: b'b', 503: None}
    assert pages('errorfile 403 /b\n errorfiles e') == {403: b'a', 503: None}
    assert pages('errorfile 403 /a\n http-error status 403 errorfile /b') == {403: b'b'}
    assert pages('errorfile 403 /b\n http-error status 403 errorfiles e') == {403: b'a'}
    assert pages('errorfile 403 /b\n http-error status 403 default-errorfiles') == {403: b'b'}


def test_what_is_made_of_the_request_is_a_reply() -> None:
    text = f'{HTTP}backend b\n errorfile 403 /a\n http-error status 403 content-type a/b lf-string %[path]\n'
    found = loaded(text).snapshot.backends[0]
    assert found.error_pages == ()
    (reply,) = found.rules.replies
    assert (reply.status, reply.content_type, reply.plain) == (403, 'a/b', True)
    assert isinstance(reply.body, Format)
    assert loaded(f'{text} errorfile 403 /b\n').snapshot.backends[0].rules.replies == ()


def test_defaults_hand_their_lines_on() -> None:
    text = f'defaults d\n mode http\n errorfiles e\nbackend b from d\n errorfile 403 /b\nbackend c from d\n{SECTION}'
    first, second = loaded(text).snapshot.backends
    assert [page.closing[-1:] for page in (*first.error_pages, *second.error_pages)] == [b'n', b'b', b'a', b'n']


def test_rules_answer_from_files_and_sections() -> None:
    text = (
        f'{HTTP}backend b\n http-request deny errorfiles e\n http-request deny errorfile /a\n'
        f' http-request return status 503 errorfiles e\n{SECTION}'
    )
    found = loaded(text).snapshot
    closing = FILES['/a'].replace(b'\r\n\r\n', b'\r\nconnection: close\r\n\r\n')
    assert [rule.action for rule in found.backends[0].rules.request] == [
        Deny(Reply(403, section='e')),
        Deny(Reply(403, page=(closing, FILES['/a']))),
        Return(Reply(503, section='e')),
    ]
    (section,) = found.error_sections
    assert section.name == 'e'
    assert section.pages[0] == ErrorPage(status=403, closing=closing, keeping=FILES['/a'])


def test_what_a_file_does_not_need_is_warned_of() -> None:
    text = f'{HTTP}backend b\n http-request deny errorfile /a hdr x y content-type a/b\n errorfiles e 404\n{SECTION}'
    assert [problem.text for problem in loaded(text).warnings] == [
        "content-type 'a/b' ignored by the http reply because of 'errorfile'.",
        "hdr parameters ignored by the http reply because of 'errorfile'.",
        "proxy 'b': status '404' not declared in http-errors section 'e' of 'errorfiles'.",
    ]


def test_what_cannot_be_used() -> None:
    text = (
        f'{HTTP}backend b\n errorfiles\n errorfiles x\n errorfiles e 299\n http-request deny errorfiles y\n'
        f' http-request return status 299 errorfile /a\n http-request deny errorfile /none\n{SECTION}'
        'http-errors\nhttp-errors e\n errorfile 503\n errorloc 503 /\n errorfile 403 /none\n'
    )
    assert errors(text) == [
        "7: 'errorfiles' expects <name> as argument.",
        "8: proxy 'b': unable to find the http-errors section 'x' of 'errorfiles'.",
        "9: 'errorfiles' : status code '299' not handled.",
        "10: unable to find the http-errors section 'y' of 'http-request deny'.",
        "11: 'http-request return' : status code '299' not handled by default with 'errorfile' argument",
        "12: errorfile : error opening file '/none' (No such file or directory).",
        "16: 'http-errors' expects <name> as argument.",
        "17: http-errors section 'e' already declared at t.cfg:13.",
        '18: errorfile : expects <status_code> and <file> as arguments.',
        "19: unknown keyword 'errorloc' in 'http-errors' section; did you mean 'errorfile' maybe ?",
        "20: errorfile : error opening file '/none' (No such file or directory).",
    ]
