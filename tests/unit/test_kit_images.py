"""The kit's storage of images: what the kernel can, and nothing of builds that were killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.kit.images import Builder
from tests.cluster.kit.packages import CannotHave

# notes its words, and can keep a storage in some drivers only; begins no image
BUILDAH = """#!/bin/sh
echo "$@" >> {place}/said
[ "$1" != from ] || exit 1
[ "$1" = info ] || exit 0
for driver in {drivers}; do
  grep -q "driver = \\"$driver\\"" "$CONTAINERS_STORAGE_CONF" && exit 0
done
exit 125
"""


def stand_in(place: Path, monkeypatch: pytest.MonkeyPatch, drivers: str) -> None:
    """A buildah that can these drivers, and no docker engine."""
    for name, text in (
        ('buildah', BUILDAH.format(place=place, drivers=drivers)),
        ('docker', '#!/bin/sh\nexit 1\n'),
        ('debootstrap', '#!/bin/sh\nexit 1\n'),
    ):
        program = place / name
        program.write_text(text)
        program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{place}:{os.environ["PATH"]}')


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='buildah of the kit is for root')


@needs_root
@pytest.mark.parametrize('drivers, chosen', [('overlay vfs', 'overlay'), ('vfs', 'vfs')])
def test_images_are_kept_in_the_best_way_there_is(
    drivers: str, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, drivers)
    Builder(tmp_path / 'images')
    settings = {path.stem: path.read_text() for path in (tmp_path / 'images').glob('*.conf')}
    assert f'graphroot = "{tmp_path}/images/{chosen}"' in settings[chosen]


@needs_root
def test_what_can_keep_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, '')
    with pytest.raises(CannotHave, match='buildah info says why'):
        Builder(tmp_path / 'images')


@needs_root
def test_containers_of_killed_builds_are_removed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, 'overlay')
    builder = Builder(tmp_path / 'images')
    with pytest.raises(CannotHave):  # there is no base here, and no way to make one
        builder.build('test', tmp_path)
    assert (tmp_path / 'said').read_text().splitlines()[:2] == ['info', 'rm --all']
