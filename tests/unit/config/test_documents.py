"""Every configuration that the documentation shows can be loaded as it is shown, but for the files and backends it leaves to the reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataplane.config import load
from tests.unit.config.loading import HTTP

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r'(?:global|defaults|frontend|backend|listen|userlist|http-errors)\b')
BLOCK = re.compile(r'^```\w*\n(.*?)^```$', re.MULTILINE | re.DOTALL)
NAMED = re.compile(r'^\s*(?:default_backend|use_backend) ([A-Za-z0-9_.-]+)(?: |$)', re.MULTILINE)
KNOWN = re.compile(r'^(?:backend|listen) (\S+)', re.MULTILINE)
SECTIONS = re.compile(r'^(?:frontend|backend|listen) (\S+)', re.MULTILINE)
PAGE = b'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'


def configurations() -> list[tuple[str, str]]:
    """Where each one is shown, and its text."""
    found = []
    for document in (ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))):
        for block in BLOCK.findall(document.read_text(encoding='utf-8')):
            if SECTION.match(block.lstrip()):
                found.append((f'{document.name}: {block.splitlines()[0]}', block))
    return found


SHOWN = configurations()


def read_file(path: str, size: int) -> bytes:
    return (PAGE if path.endswith('.http') else b'')[:size]


def test_the_small_complete_example_stands_by_itself() -> None:
    """`make run` sets its variables; who has set none can check it all the same."""
    text = (ROOT / 'deploy' / 'demo' / 'sluice.cfg').read_text(encoding='utf-8')
    loaded = load([('sluice.cfg', text)], {}, cores=1)
    assert [bind.port for frontend in loaded.snapshot.frontends for bind in frontend.binds] == [8080]
    assert not loaded.warnings


def test_the_documentation_shows_configurations() -> None:
    assert len(SHOWN) >= 8


@pytest.mark.parametrize(
    'text', [text for _, text in SHOWN], ids=[f'{at}-{place}' for at, (place, _) in enumerate(SHOWN)]
)
def test_what_is_shown_is_accepted(text: str) -> None:
    missing = set(NAMED.findall(text)) - set(KNOWN.findall(text))
    whole = f'{HTTP}{text}' + ''.join(f'backend {name}\n' for name in sorted(missing))
    snapshot = load([('shown.cfg', whole)], {}, cores=1, read_file=read_file).snapshot
    found = {frontend.name for frontend in snapshot.frontends} | {backend.name for backend in snapshot.backends}
    found |= {listener.name for listener in snapshot.stats_listeners}
    assert set(SECTIONS.findall(text)) <= found
