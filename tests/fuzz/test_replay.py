"""What fuzzing once found, and the seeds it begins with, through the targets: without atheris, in `make test`.

Seeds are also changed a little, the same way each time, so that a target which checks nothing any more is found out.
"""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from dataplane.worker.framing import ChunkedBody
from tests.architecture.source import ROOT
from tests.fuzz.guides import INSTRUMENTED
from tests.fuzz.targets import TARGETS
from tests.fuzz.words import words_of

HERE = Path(__file__).resolve().parent
SEEDS = sorted((HERE / 'corpus').glob('*/*'))
CRASHES = sorted((HERE / 'crashes').glob('*/*'))
SECONDS = 10.0
CHANGES = 40


def name(path: Path) -> str:
    return f'{path.parent.name}/{path.name}'


@pytest.mark.parametrize('path', [*SEEDS, *CRASHES], ids=name)
def test_it_holds(path: Path) -> None:
    began = time.process_time()
    TARGETS[path.parent.name](path.read_bytes())
    assert time.process_time() - began < SECONDS


def changed(data: bytes, words: list[bytes], rng: random.Random) -> bytes:
    """An input a little different."""
    for _ in range(rng.randint(1, 4)):
        at, what = rng.randint(0, len(data)), rng.randrange(4)
        if what == 0:
            data = data[:at] + rng.choice(words) + data[at:]
        elif what == 1:
            data = data[:at] + data[at + rng.randint(1, 8) :]
        elif what == 2:
            data = data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :]
        else:
            start = rng.randint(0, len(data))
            data = data[:at] + data[start : start + rng.randint(1, 30)] + data[at:]
    return data


@pytest.mark.parametrize('target', TARGETS)
def test_what_is_like_a_seed_holds_too(target: str) -> None:
    rng, words = random.Random(target), words_of(target)
    for path in SEEDS:
        if path.parent.name == target:
            for _ in range(CHANGES):
                data = changed(path.read_bytes(), words, rng)
                try:
                    TARGETS[target](data)
                except BaseException as failed:
                    raise AssertionError(f'{target} with {data!r}') from failed


def test_every_target_has_seeds_and_guides() -> None:
    assert {path.parent.name for path in SEEDS} == set(TARGETS) == set(INSTRUMENTED)
    assert {path.parent.name for path in CRASHES} <= set(TARGETS)
    assert all(path.stat().st_size <= 4_096 for path in (*SEEDS, *CRASHES))


def test_a_target_notices_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: a decoder that takes a sign before a size must not get away with it."""
    import dataplane.worker.framing as framing

    loose = re.compile(rb'\+?([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?')
    monkeypatch.setattr(framing, '_SIZE_LINE', loose)
    assert ChunkedBody().feed(b'+1\r\nx\r\n') == b'x'
    with pytest.raises(AssertionError, match='nobody else would take'):
        TARGETS['bodies'](b'\0+1\r\nx\r\n0\r\n\r\n')


def test_atheris_is_asked_for_as_it_is_locked() -> None:
    project = (ROOT / 'pyproject.toml').read_text()
    assert 'fuzz = ["atheris' in project
    locked = (HERE / 'requirements.txt').read_text()
    assert re.search(r'^atheris==[0-9.]+ ', locked, re.MULTILINE)
    assert '--hash=sha256:' in locked
