"""Lines with rules, beside one real HAProxy: what it refuses is refused, and what it takes is taken."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.integration.harness.haproxy import needs_haproxy
from tests.integration.rule_lines import BACKEND, DIFFERENT, FRONTEND, LISTEN
from tests.unit.config.loading import HTTP, errors

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_haproxy

SECTIONS = {
    'frontend': 'frontend f\n bind 127.0.0.1:1\n declare capture request len 3\n acl named path /a\n{}default_backend b\n',
    'backend': 'backend b\n{}server s 127.0.0.1:1\n',
    'listen': 'listen l\n bind 127.0.0.1:2\n{}server s 127.0.0.1:1\n',
}
LINES = [
    *(('frontend', line) for line in FRONTEND), *(('backend', line) for line in BACKEND), *(('listen', line) for line in LISTEN),
]  # fmt: skip
CHUNK = 24


def configuration(section: str, line: str) -> str:
    return HTTP + ''.join(text.format(f' {line}\n ' if name == section else ' ') for name, text in SECTIONS.items())


def refused_by_haproxy(folder: Path, text: str) -> bool:
    config = folder / 'cfg'
    config.write_text(text, encoding='utf-8')
    return subprocess.run(['haproxy', '-c', '-f', str(config)], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize('start', range(0, len(LINES), CHUNK))
def test_both_refuse_the_same_lines(tmp_path: Path, start: int) -> None:
    wrong = []
    for section, line in LINES[start : start + CHUNK]:
        text = configuration(section, line)
        theirs, ours = refused_by_haproxy(tmp_path, text), errors(text)
        if (theirs is bool(ours)) is (line in DIFFERENT):
            wrong.append(f'{line}: HAProxy {"refuses" if theirs else "takes"} it, Sluice says {ours}')
    assert not wrong, '\n'.join(wrong)


def test_what_differs_is_asked() -> None:
    assert DIFFERENT.keys() <= {line for _, line in LINES}
