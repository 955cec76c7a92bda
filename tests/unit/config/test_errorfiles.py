"""`errorfile`: what a file must hold, and what is made of it."""

from __future__ import annotations

import pytest

from dataplane.config import ConfigErrors, Loaded, load
from dataplane.config.errorfiles import CODES, error_page
from dataplane.config.problems import Rejected
from dataplane.core.answers import ErrorPage
from tests.unit.config.loading import HTTP

DEBIAN = (
    b'HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n'
    b'<html>away</html>\n'
)
KEPT = b'HTTP/1.1 404 Gone Fishing\r\nX-Foo:  Bar \r\nContent-Length: 5\r\n\r\nhello'
FILES = {'/debian': DEBIAN, '/kept': KEPT, '/empty': b'', '/big': b'HTTP/1.1 503 X\r\n\r\n' + b'x' * 16_367}


def read_file(path: str, size: int) -> bytes:
    if path not in FILES:
        raise FileNotFoundError(2, 'No such file or directory', path)
    return FILES[path][:size]


def loaded(text: str) -> Loaded:
    return load([('t.cfg', text)], {}, cores=1, read_file=read_file)


def error(line: str) -> str:
    with pytest.raises(ConfigErrors) as raised:
        loaded(f'{HTTP} {line}\n')
    (problem,) = raised.value.errors
    assert problem.line == 6
    return problem.text


def test_a_page_is_sent_as_haproxy_sends_it() -> None:
    page = error_page(503, KEPT)
    head = b'HTTP/1.1 404 Gone Fishing\r\nx-foo: Bar\r\ncontent-length: 5\r\n'
    assert page.keeping == head + b'\r\nhello'
    assert page.closing == head + b'connection: close\r\n\r\nhello'


def test_a_page_without_length_ends_with_its_connection() -> None:
    page = error_page(503, b'HTTP/1.1 503 X\n\nlf only')
    assert page == ErrorPage(status=503, closing=b'HTTP/1.1 503 X\r\nconnection: close\r\n\r\nlf only')


def test_an_old_page_stays_one() -> None:
    page = error_page(503, DEBIAN)
    assert page.keeping is None
    assert page.closing == (
        b'HTTP/1.0 503 Service Unavailable\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n\r\n<html>away</html>\n'
    )


def test_a_newer_version_is_spoken_as_1_1() -> None:
    assert error_page(503, b'HTTP/2.0 503 X\r\n\r\nhi').closing.startswith(b'HTTP/1.1 503 X\r\nconnection: close\r\n')


def test_an_empty_file_says_nothing() -> None:
    assert error_page(400, b'') == ErrorPage(status=400, closing=b'', keeping=None)


@pytest.mark.parametrize(
    'text, problem',
    [
        (b'hello\n', 'unable to parse headers (error in line 2)'),
        (b'hello\n\n', 'unable to parse headers (error in line 1)'),
        (b'HTTP/1.1 503 X\r\nFoo: bar\r\n', 'unable to parse headers (error in line 3)'),
        (b'HTTP/1.1 503 X\nbad header\n\n', 'unable to parse headers (error in line 2)'),
        (b'HTTP/1.1 503 X\n folded: x\n\n', 'unable to parse headers (error in line 2)'),
        (b'HTTP/1.1 103 X\r\n\r\n', 'invalid http status code for an error message (103)'),
        (b'HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'chunk-encoded payload not supported'),
        (
            b'HTTP/1.1 503 X\r\nContent-Length: 3\r\n\r\nhello',
            'payload size does not match the announced content-length (5 != 3)',
        ),
        (
            b'HTTP/1.1 503 X\r\nContent-Length: x\r\n\r\nhello',
            'payload size does not match the announced content-length (5 != x)',
        ),
    ],
)
def test_what_no_client_could_read_is_refused(text: bytes, problem: str) -> None:
    with pytest.raises(Rejected) as raised:
        error_page(503, text)
    assert str(raised.value) == problem


def test_a_proxy_has_those_of_its_defaults_and_its_own() -> None:
    text = f'{HTTP} errorfile 503 /debian\n errorfile 502 /debian\n'
    text += 'frontend f\n bind :80\n errorfile 503 /kept\nbackend b\nlisten l\n bind :81\n errorfile 403 /empty\n'
    snapshot = loaded(text).snapshot
    front, both = snapshot.frontends
    assert {page.status: page.keeping is not None for page in front.error_pages} == {503: True, 502: False}
    assert sorted(page.status for page in snapshot.backends[0].error_pages) == [502, 503]
    assert both.error_pages == snapshot.backends[1].error_pages
    assert sorted(page.status for page in both.error_pages) == [403, 502, 503]


def test_every_code_of_haproxy_is_taken() -> None:
    lines = ''.join(f' errorfile {code} /debian\n' for code in CODES)
    pages = loaded(f'{HTTP}{lines}backend b\n').snapshot.backends[0].error_pages
    assert tuple(page.status for page in pages) == CODES


def test_what_is_wrong_is_told_with_file_and_line() -> None:
    for line in ('errorfile', 'errorfile 503'):
        assert error(line) == 'errorfile : expects <status_code> and <file> as arguments.'
    for code in ('499', '414', 'abc'):
        assert error(f'errorfile {code} /debian') == f"errorfile : status code '{code}' not handled."
    assert error('errorfile 503 /none') == "errorfile : error opening file '/none' (No such file or directory)."
    assert error('errorfile 503 /kept x') == "'errorfile' cannot handle unexpected argument 'x'."
    assert error('errorfile 503 /big') == "errorfile : '/big' is larger than 16384 bytes ('tune.bufsize')."


def test_bufsize_bounds_it() -> None:
    text = f'global\n tune.bufsize 16385\n{HTTP} errorfile 503 /big\nbackend b\n'
    assert len(loaded(text).snapshot.backends[0].error_pages[0].closing) == 16_385 + len(b'connection: close\r\n')


def test_texts_alone_can_name_no_files() -> None:
    with pytest.raises(ConfigErrors, match='cannot be read here'):
        load([('t.cfg', f'{HTTP} errorfile 503 /debian\n')], {}, cores=1)
