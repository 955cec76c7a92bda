from __future__ import annotations

from pathlib import Path

from dataplane.config.keywords import BIND, CONVERTERS, FETCHES, GLOBAL, PROXY, SERVER
from dataplane.config.support import document

DOCUMENT = Path(__file__).parents[3] / 'docs' / 'cfg-support.md'


def test_the_document_is_what_the_tables_say() -> None:
    assert DOCUMENT.read_text(encoding='utf-8') == document(), (
        'run: python -m dataplane.config.support > docs/cfg-support.md'
    )


def test_every_keyword_is_in_the_document() -> None:
    text = document()
    for keywords in (GLOBAL, PROXY, BIND, SERVER, FETCHES, CONVERTERS):
        for name in keywords:
            assert f'`{name}`' in text
