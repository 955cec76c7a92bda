"""What git tracks: files that people wrote. No link (least of all to an environment), nothing large, nothing that is made."""

from __future__ import annotations

from tests.architecture.source import ROOT, tracked

LARGEST = 1024 * 1024
MADE = ('.venv', 'build', 'dist', 'run', '__pycache__', 'node_modules')
LINK = '120000'


def test_no_link_is_tracked() -> None:
    links = [name for mode, name in tracked() if mode == LINK]
    assert not links, f'git rm --cached: {links}'


def test_nothing_that_is_made_is_tracked() -> None:
    """Not even under .gitignore's eyes: `git add -f`, or a link where it expects a folder, gets past that."""
    made = [name for _, name in tracked() if name.split('/')[0] in MADE or '/__pycache__/' in name]
    assert not made, f'git rm --cached: {made}'


def test_nothing_large_is_tracked() -> None:
    """But locks, whose hashes are many."""
    large = [
        f'{name}: {path.stat().st_size:,} bytes'
        for _, name in tracked()
        if not name.endswith('.lock') and (path := ROOT / name).is_file() and path.stat().st_size > LARGEST
    ]
    assert not large, large
