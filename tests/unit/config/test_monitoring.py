from __future__ import annotations

import pytest

from tests.unit.config.loading import HTTP, errors, snapshot

LISTEN = f'{HTTP}listen l\n bind :80\n server s 127.0.0.1:1\n'


def test_conditions_and_a_rate() -> None:
    text = f'{LISTEN} acl dead nbsrv lt 1\n monitor fail if dead\n monitor fail unless {{ path /x }}\n rate-limit sessions 7\n'
    (frontend,) = snapshot(text).frontends
    assert len(frontend.rules.monitor_fail) == 2
    assert frontend.rate_limit == 7
    assert snapshot(LISTEN).frontends[0].rate_limit == 0


@pytest.mark.parametrize(
    'line,text',
    [
        ('monitor fail', "'monitor fail' requires either 'if' or 'unless' followed by a condition."),
        ('monitor fail if nothing', "no such ACL : 'nothing'"),
        ('rate-limit sessions x', "'rate-limit sessions'"),
        ('rate-limit sessions 1 2', "'rate-limit sessions' expects one argument."),
    ],
)
def test_what_is_wrong(line: str, text: str) -> None:
    (found,) = errors(f'{LISTEN} {line}\n')
    assert found.startswith('9: ')
    assert text in found
