"""Words that choose what is the only choice: they are taken for what is there, and refused for anything else."""

from __future__ import annotations

import pytest

from tests.unit.config.loading import backend, backend_error, frontend, frontend_error, warnings


@pytest.mark.parametrize('word', ['proto h1', 'ws h1', 'ws auto', 'init-addr last,libc,none', 'init-addr none'])
def test_what_is_so_anyway_changes_nothing(word: str) -> None:
    assert backend(f'server s 127.0.0.1:1 {word}') == backend('server s 127.0.0.1:1')
    assert warnings(f'defaults\n mode http\nbackend b\n default-server {word}\n') == []


def test_a_bind_line_may_name_the_only_protocol() -> None:
    assert frontend('bind :81 proto h1').binds[-1].port == 81
    assert frontend_error('bind :81 proto h2') == [
        "'bind :81' in section 'frontend' : 'proto' only supports 'h1' (got 'h2'): HTTP/1.1 is the only protocol."
    ]


@pytest.mark.parametrize(
    'word, problem',
    [
        ('proto h2', "'proto' only supports 'h1' (got 'h2'): HTTP/1.1 is the only protocol."),
        ('ws h2', "'ws' only supports 'h1' and 'auto' (got 'h2'): HTTP/1.1 is the only protocol."),
    ],
)
def test_anything_else_is_refused(word: str, problem: str) -> None:
    assert backend_error(f'server s 127.0.0.1:1 {word}') == [f"'server b/s' : {problem}"]
