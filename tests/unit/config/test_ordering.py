"""Rules that are processed before what stands above them: who wrote them so is told, in HAProxy's words."""

from __future__ import annotations

import pytest

from tests.unit.config.loading import HTTP, warnings

DENY, SWITCH, GO = (
    'http-request deny if { path /a }',
    'use_backend b if { path /b }',
    'redirect prefix /c if { path /c }',
)
REJECT = 'tcp-request content reject if { src 192.0.2.1 }'


@pytest.mark.parametrize(
    'lines,said',
    [
        ((SWITCH, DENY), "a 'http-request' rule placed after a 'use_backend' rule will still be processed before."),
        ((SWITCH, GO), "a 'redirect' rule placed after a 'use_backend' rule will still be processed before."),
        ((GO, DENY), "a 'http-request' rule placed after a 'redirect' rule will still be processed before."),
        ((SWITCH, REJECT), "a 'tcp-request' rule placed after a 'use_backend' rule will still be processed before."),
        ((REJECT, DENY, GO, GO, SWITCH, SWITCH), ''),
        ((SWITCH, 'acl a path /b', 'http-response del-header x'), ''),
    ],
)
def test_a_rule_behind_one_that_is_processed_later(lines: tuple[str, ...], said: str) -> None:
    text = '\n '.join(lines)
    found = warnings(f'{HTTP}backend b\n server s 127.0.0.1:1\nfrontend f\n bind :80\n {text}\n default_backend b\n')
    assert found == ([f'{9 + len(lines)}: {said}'] if said else [])
