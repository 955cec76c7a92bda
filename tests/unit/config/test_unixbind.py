"""`unix-bind`: what unix sockets of `bind` lines have where the lines say nothing."""

from __future__ import annotations

import pytest

from tests.unit.config.loading import HTTP, errors, snapshot, warnings

FRONT = f'{HTTP}frontend f\n bind /a\n bind unix@/b mode 660\n bind abns@c\n bind :80\n'


def test_lines_have_what_they_do_not_say_themselves() -> None:
    for text in (
        f'global\n unix-bind prefix /run/x mode 600\n{FRONT}',
        f'{FRONT}global\n unix-bind mode 600 prefix /run/x\n',
    ):
        first, second, abstract, tcp = snapshot(text).frontends[0].binds
        assert (first.path, first.mode) == ('/run/x/a', 0o600)
        assert (second.path, second.mode) == ('/run/x/b', 0o660)
        assert ((abstract.path or '')[:2], abstract.mode) == ('\0c', None)
        assert (tcp.path, tcp.mode) == (None, None)


def test_owners_have_no_effect() -> None:
    assert warnings('global\n unix-bind user x gid 5\n') == [
        f"2: 'unix-bind' : '{word}' has no effect: the socket belongs to the user the process runs as."
        for word in ('user', 'gid')
    ]


@pytest.mark.parametrize(
    'words, problem',
    [
        ('mode', "'unix-bind' : 'mode' : missing value"),
        ('mode x', "'unix-bind' : 'mode' : missing or invalid mode 'x' (octal integer expected)"),
        (
            'owner x',
            "'unix-bind' only supports the 'prefix', 'mode', 'user', 'uid', 'group', 'gid' options (got 'owner').",
        ),
    ],
)
def test_what_is_wrong_is_named(words: str, problem: str) -> None:
    assert errors(f'global\n unix-bind {words}\n') == [f'2: {problem}']
