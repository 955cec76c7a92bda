"""`make fuzz`: every target for its share of the time, one after the other. What is found stays in crashes/, for test_replay.py.

Status 0: nothing found. 1: something was; its input is named. 3: atheris cannot be had here, which is said.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS
from tests.fuzz.words import words_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORPUS, CRASHES = HERE / 'corpus', HERE / 'crashes'
INSTALLED = ROOT / '.venv' / 'fuzz'
MISSING = 3
_TAIL = 3_000
_RAISED = ' === Uncaught Python exception: ==='


def _path() -> str:
    """Where modules are looked for: here, and where `make fuzz` has put atheris."""
    return os.pathsep.join((str(ROOT), str(INSTALLED), os.environ.get('PYTHONPATH', '')))


def _has_atheris() -> bool:
    sys.path.append(str(INSTALLED))
    return importlib.util.find_spec('atheris') is not None


def fuzz(target: str, seconds: int, found: Path, most: int) -> bool:
    """Search for so many seconds; what widens the search is kept in `found`. Did everything hold?"""
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        words, artifacts = Path(directory) / 'words', Path(directory) / 'artifacts'
        artifacts.mkdir()
        words.write_text(''.join(f'"{_escaped(word)}"\n' for word in words_of(target)))
        command = [
            sys.executable, '-m', 'tests.fuzz.one', target, f'-max_total_time={seconds}', '-timeout=20', '-rss_limit_mb=1500',
            f'-max_len={most}', f'-dict={words}', f'-artifact_prefix={artifacts}/', '-print_final_stats=1', '-verbosity=1',
            str(found), *(str(one) for one in (CORPUS / target, CRASHES / target) if one.is_dir()),
        ]  # fmt: skip
        environment = {**os.environ, 'PYTHONPATH': _path()}
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        text = (ran.stdout + ran.stderr).decode(errors='replace')
        executed = re.search(r'number_of_executed_units: (\d+)', text)
        covered = re.findall(r' cov: (\d+)', text)
        print(
            f'fuzz: {target}: {int(executed[1]) if executed else 0:,} inputs, {covered[-1] if covered else 0} branches'
            f', {"all held" if not ran.returncode else "FAILED"}',
            flush=True,
        )
        if not ran.returncode:
            return True
        for artifact in sorted(artifacts.iterdir()):
            _keep(target, artifact)
        print(text[text.find(_RAISED) :][:_TAIL] if _RAISED in text else text[-_TAIL:], flush=True)
        return False


def _escaped(word: bytes) -> str:
    return ''.join(chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f'\\x{byte:02x}' for byte in word)


def _keep(target: str, artifact: Path) -> None:
    data = artifact.read_bytes()
    kept = CRASHES / target / hashlib.sha256(data).hexdigest()[:16]
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(artifact, kept)
    print(f'fuzz: {target}: kept as {kept.relative_to(ROOT)}: {data[:200]!r}')


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog='python -m tests.fuzz', description=__doc__.partition('\n')[0])
    parser.add_argument('targets', nargs='*', metavar='TARGET', help=f'of {", ".join(TARGETS)}; all if none is named')
    parser.add_argument('--seconds', type=int, default=120, help='altogether (default: 120)')
    parser.add_argument(
        '--keep', type=Path, help='directory in which inputs that widen the search are kept from run to run'
    )
    parser.add_argument('--longest', type=int, default=2_048, help='bytes of an input (default: 2048)')
    parser.add_argument('--can', action='store_true', help='only say whether atheris is there, by status 0 or 3')
    given = parser.parse_args()
    targets = given.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f'no such target: {", ".join(sorted(unknown))}')
    if not _has_atheris():
        print(
            'fuzz: atheris is not installed: `.venv/bin/python -m pip install --target .venv/fuzz --no-deps -r tests/fuzz/requirements.txt`'
            ' (PyPI has it for CPython on Linux; 35 MB)',
            file=sys.stderr,
        )
        return MISSING
    if given.can:
        return 0
    each = max(1, given.seconds // len(targets))
    with tempfile.TemporaryDirectory() as directory:
        kept = given.keep or Path(directory)
        held = [fuzz(target, each, kept / target, given.longest) for target in targets]
    return 0 if all(held) else 1


if __name__ == '__main__':
    sys.exit(main())
