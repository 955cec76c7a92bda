from __future__ import annotations

import pytest

from controlplane.domain.version import NOTHING, Version


def test_versions_are_ordered_by_term_then_seq() -> None:
    assert NOTHING < Version(1, 9) < Version(1, 10) < Version(2, 1)
    assert Version(1, 9).following() == Version(1, 10)


def test_text_and_back() -> None:
    assert Version.from_text(str(Version(3, 14))) == (3, 14)


@pytest.mark.parametrize('text', ['', '1', '1.', '1.2.3', '01.2', '-1.2', '1.2\n', '\u0661.2', '1' * 30 + '.1'])
def test_what_is_not_a_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match='not a version'):
        Version.from_text(text)
