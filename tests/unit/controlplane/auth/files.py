"""Tokens files for tests."""

from __future__ import annotations

from pathlib import Path

from controlplane.auth import new_token


def write(path: Path, *names: str) -> dict[str, str]:
    """A tokens file with one token per NAME:ROLE. Returns the tokens by name."""
    made = {name.partition(':')[0]: new_token(*name.split(':')) for name in names}
    path.write_text('# who may what\n\n' + '\n'.join(line for _, line in made.values()) + '\n')
    return {name: token for name, (token, _) in made.items()}
