"""Which sections may begin with which defaults; HAProxy says so, too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.config.loading import errors

LIMITS = ' mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n'
FRONT = 'frontend f from d\n bind 127.0.0.1:1\n'
BACK = 'backend b from d\n server s 127.0.0.1:1\n'
GOOD = [
    (' http-request deny\n', FRONT),
    (' http-request deny\n', BACK + 'backend c from d\n'),
    (' tcp-request connection accept\n tcp-request session accept\n', FRONT),
    (' tcp-response content accept\n', BACK),
    (' acl a path /\n', 'listen l from d\n bind 127.0.0.1:1\n'),
    (' http-request capture path len 8\n', FRONT),
    (' timeout queue 1s\n', 'defaults e from d\n' + FRONT + BACK),
]
BAD = [
    (' http-request deny\n', 'listen l from d\n', 'a listen section cannot inherit from a defaults section defining TCP/HTTP rules.'),
    (' http-response deny\n', 'defaults e from d\n', 'a defaults section cannot inherit from a defaults section defining TCP/HTTP rules (defaults section at {d}).'),
    (' http-after-response set-header a b\n', FRONT + BACK,
     'frontends and backends cannot inherit from the same defaults section if it defines TCP/HTTP rules (defaults section at {d}).'),
    (' tcp-request connection accept\n', BACK,
     "a backend section cannot inherit from a defaults section defining 'tcp-request connection' or 'tcp-request session' rules (defaults section at {d})."),
    (' tcp-request session accept\n', BACK,
     "a backend section cannot inherit from a defaults section defining 'tcp-request connection' or 'tcp-request session' rules (defaults section at {d})."),
    (' tcp-response content accept\n', FRONT,
     "a frontend section cannot inherit from a defaults section defining 'tcp-response content' rules (defaults section at {d})."),
    (' http-request capture path len 8\n', BACK,
     'backend or defaults sections cannot inherit from a defaults section defining captures (defaults section at {d}).'),
]  # fmt: skip


@pytest.mark.parametrize(
    'line', ['capture cookie x len 8', 'capture request header x len 8', 'declare capture response len 8']
)
def test_a_capture_of_its_own_is_a_frontends(line: str) -> None:
    [found] = errors(f'defaults\n{LIMITS} {line}\nfrontend f\n bind 127.0.0.1:1\n')
    assert "not allowed in 'defaults' section" in found


@pytest.mark.parametrize('lines, sections', GOOD)
def test_who_may(lines: str, sections: str) -> None:
    assert errors(f'defaults d\n{LIMITS}{lines}{sections}') == []


@pytest.mark.parametrize('lines, sections, said', BAD)
def test_who_may_not(lines: str, sections: str, said: str) -> None:
    [found] = errors(f'defaults d\n{LIMITS}{lines}{sections}')
    assert said.format(d='t.cfg:1') in found


@pytest.mark.skipif(shutil.which('haproxy') is None, reason='HAProxy is not installed')
@pytest.mark.parametrize(
    'lines, sections, good', [*((*one, True) for one in GOOD), *((one[0], one[1], False) for one in BAD)]
)
def test_haproxy_says_so_too(tmp_path: Path, lines: str, sections: str, good: bool) -> None:
    front = f'defaults\n{LIMITS}frontend front\n bind 127.0.0.1:2\n'
    (tmp_path / 'h.cfg').write_text(f'{front}defaults d\n{LIMITS}{lines}{sections}')
    done = subprocess.run(['haproxy', '-c', '-f', 'h.cfg'], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ('[ALERT]' not in done.stderr) is good, done.stderr
