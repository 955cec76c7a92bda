from __future__ import annotations

from dataplane.worker.casing import Casing

CASING = Casing([('x-foo', 'X-FoO'), ('host', 'HOST'), ('x.y', 'X.Y')])


def test_names_of_the_head_are_written_as_said_whatever_they_were() -> None:
    raw = b'GET / HTTP/1.1\r\nHost: host: x-foo\r\nx-foo: 1\r\nX-FOO:2\r\nx-foo-bar: 3\r\nxzy: 4\r\nX.y: 5\r\n\r\n'
    assert CASING.of(raw) == (
        b'GET / HTTP/1.1\r\nHOST: host: x-foo\r\nX-FoO: 1\r\nX-FoO:2\r\nx-foo-bar: 3\r\nxzy: 4\r\nX.Y: 5\r\n\r\n'
    )


def test_what_follows_the_head_is_left_alone() -> None:
    body = b'\r\nx-foo: 1\r\n\r\nhost: a\r\n'
    assert CASING.of(b'HTTP/1.1 200 OK\r\nx-foo: 1\r\n\r\n' + body) == b'HTTP/1.1 200 OK\r\nX-FoO: 1\r\n\r\n' + body
