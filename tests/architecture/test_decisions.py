"""Decisions have one number each, stand in the index under it, and whoever refers to one means one that is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.architecture.source import ROOT, tracked

FOLDER = ROOT / 'docs' / 'decisions'
REFERENCE = re.compile(r'decisions/(\d{4})(-[a-z0-9-]+\.md)?')


def decisions() -> list[Path]:
    """Their files, in order."""
    return sorted(path for path in FOLDER.glob('*.md') if path.name != 'README.md')


def test_numbers_are_unique_and_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in decisions()]
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    assert not twice, f'two decisions have the number {twice}: the later one takes the next free one'
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(re.fullmatch(r'\d{4}-[a-z0-9-]+\.md', path.name) for path in decisions())


def test_the_index_names_each_with_its_title() -> None:
    lines = [
        f'{int(path.name[:4])}. [{path.read_text().splitlines()[0].removeprefix("# ")}]({path.name})'
        for path in decisions()
    ]
    found = [line for line in (FOLDER / 'README.md').read_text().splitlines() if re.match(r'\d+\. ', line)]
    assert found == lines
    assert 'docs/decisions/README.md' in (ROOT / 'README.md').read_text()


def test_whoever_refers_to_one_means_one_that_is_there() -> None:
    """Also by its number in words, as in [decision 16](...)."""
    names, wrong = {path.name for path in decisions()}, []
    for path in (ROOT / name for _, name in tracked()):
        if path.suffix not in {'.py', '.pyx', '.pyi', '.pxd', '.md', '.yaml', '.toml', ''} or not path.is_file():
            continue
        text = path.read_text(errors='replace')
        for found in REFERENCE.finditer(text):
            matching = [
                name for name in names if name.startswith(found[1]) and (not found[2] or name == found[1] + found[2])
            ]
            if len(matching) != 1:
                wrong.append(f'{path.relative_to(ROOT)}: {found[0]}')
        for number, link in re.findall(r'\[decision (\d+)\]\([^)]*?(\d{4})-', text):
            if int(number) != int(link):
                wrong.append(f'{path.relative_to(ROOT)}: decision {number} leads to {link}')
    assert not wrong, wrong
