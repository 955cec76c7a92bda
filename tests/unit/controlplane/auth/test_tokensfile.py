from __future__ import annotations

import os
from pathlib import Path

import pytest

from controlplane.auth.principal import Principal, Role
from controlplane.auth.tokensfile import Tokens, new_token, parse
from tests.unit.controlplane.auth.files import write


async def test_tokens_are_read_again_when_the_file_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / 'tokens'
    old = write(path, 'a:admin')['a']
    tokens = Tokens(str(path))
    assert tokens.principal(old) is not None
    replaced = tmp_path / 'new'
    new = write(replaced, 'b:read')['b']
    os.replace(replaced, path)
    assert tokens.principal(old) is None
    found = tokens.principal(new)
    assert found == Principal('b', Role.READ)
    path.write_text('nonsense\n')
    assert tokens.principal(new) == found
    assert f'{path}:1: not NAME:ROLE:sha256$HEX' in caplog.text
    path.unlink()
    for _ in range(3):
        assert tokens.principal(new) == found
    assert caplog.text.count('No such file') == 1


@pytest.mark.parametrize(
    'line',
    [
        'a:admin', 'a:admin:plain', 'a:root:sha256$' + '0' * 64, 'a b:read:sha256$' + '0' * 64, 'a:root:cert',
        'a b:read:cert', ':read:cert', '*:read:cert', 'a:read:sha256$' + '0' * 63, 'a:read:cert:',
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r'^f:2: not NAME'):
        parse(f'# fine\n{line}\n', 'f')


def test_a_file_that_lists_nobody_is_wrong() -> None:
    with pytest.raises(ValueError, match='lists nobody'):
        parse('# nobody\n', 'f')


def test_new_tokens_are_long_and_their_lines_parse() -> None:
    token, line = new_token('a', 'admin')
    assert len(token) >= 43
    assert token not in line
    assert parse(line, 'f').tokens[0][1].name == 'a'
    with pytest.raises(ValueError, match='is not NAME:ROLE'):
        new_token('a', 'root')


def test_certificates_are_listed_by_name(tmp_path: Path) -> None:
    path = tmp_path / 'tokens'
    path.write_text('spiffe://c/ns/x/sa/y:dataplane:cert\nops.example.com:operate:cert\nops.example.com:admin:cert\n')
    tokens = Tokens(str(path))
    assert tokens.certified(('spiffe://c/ns/x/sa/y',)) == Principal('spiffe://c/ns/x/sa/y', Role.DATAPLANE)
    # the first line that fits
    assert tokens.certified(('other', 'ops.example.com')) == Principal('ops.example.com', Role.OPERATE)
    assert tokens.certified(('OPS.example.com', 'x')) is None
    assert tokens.certified(()) is None
