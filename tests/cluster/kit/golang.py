"""The Go that builds kubekit: one that is installed and new enough, or else the release that go.mod names.

That release is a module too (golang.org/toolchain), which any Go that knows modules can download and whose sum it checks; so
the old one that Debian has is enough to begin with. Modules hold neither executable files nor other modules' go.mod, so what
was downloaded is copied, and both are put right in the copy.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.cluster.kit import packages
from tests.cluster.kit.packages import CannotHave

_USUAL = ('/usr/local/go/bin/go', '/usr/lib/go/bin/go')
_MACHINES = {'x86_64': 'amd64', 'aarch64': 'arm64'}
_DOWNLOAD_S = 600
_ITSELF = {'GOTOOLCHAIN': 'local'}  # whatever a go.mod says


def wanted(module: Path) -> str:
    """The release that a go.mod names, such as 1.26.0."""
    found = re.search(r'^go (\S+)$', module.read_text(), re.MULTILINE)
    assert found is not None, f'{module} names no release of Go'
    return found[1]


def find(release: str, place: Path) -> Path | None:
    """A Go of that release or a later one: installed, or downloaded to `place` before."""
    own = _downloaded(release, place)
    for path in (*_installed(), own):
        version = version_of(path) if path.exists() else ''
        if version and _numbers(version) >= _numbers(release):
            return path
    return None


def have(release: str, place: Path) -> Path:
    """The same, downloaded when it has to be, by a Go that is installed when it has to be. CannotHave: why it cannot."""
    found = find(release, place)
    if found is not None:
        return found
    if not _installed():
        packages.need({'go': 'golang-go'}, f'the download of Go {release}')
    any_go = next(iter(_installed()))
    print(f'downloading Go {release} as a module, once', flush=True)
    _copy(_download(any_go, release), place / f'go-{release}')
    path = _downloaded(release, place)
    if not version_of(path):
        raise CannotHave(f'the Go {release} that was downloaded does not run here')
    return path


def version_of(path: Path) -> str:
    """What it says it is, such as 1.26.0; '' when it does not run."""
    try:
        done = subprocess.run(
            [path, 'env', 'GOVERSION'], cwd='/', env={**os.environ, **_ITSELF}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ''
    return done.stdout.strip().removeprefix('go') if done.returncode == 0 else ''


def _installed() -> list[Path]:
    on_path = shutil.which('go')
    return [Path(one) for one in (on_path, *_USUAL) if one is not None and Path(one).exists()]


def _downloaded(release: str, place: Path) -> Path:
    return place / f'go-{release}' / 'bin' / 'go'


def _numbers(version: str) -> tuple[int, ...]:
    """1.26.0 -> (1, 26, 0); 1.27rc1 -> (1, 27), which is before 1.27.0."""
    return tuple(int(one) for one in re.findall(r'\d+', re.split(r'[^\d.]', version)[0]))


def _download(go: Path, release: str) -> Path:
    """The module's directory in Go's own cache."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise CannotHave(f'no Go {release} for this machine ({platform.machine()}): install it')
    module = f'golang.org/toolchain@v0.0.1-go{release}.linux-{machine}'
    with tempfile.TemporaryDirectory(prefix='sluice-go-') as nowhere:  # in no module
        try:
            done = subprocess.run(
                [go, 'mod', 'download', '-json', module], cwd=nowhere, env={**os.environ, **_ITSELF, 'GOFLAGS': ''},
                capture_output=True, text=True, check=False, timeout=_DOWNLOAD_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CannotHave(f'Go {release} was not downloaded within {_DOWNLOAD_S} s') from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = {'Error': done.stderr.strip()}
    if done.returncode or 'Dir' not in found:
        raise CannotHave(f'Go {release} cannot be downloaded here: {found.get("Error", done.stderr.strip())}')
    return Path(found['Dir'])


def _copy(source: Path, target: Path) -> None:
    """Beside `target`, and renamed, so that it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix='building-', dir=target.parent))
    try:
        for here, _, names in os.walk(source):
            there = half / Path(here).relative_to(source)
            there.mkdir(exist_ok=True)
            executable = there.is_relative_to(half / 'bin') or there.is_relative_to(half / 'pkg' / 'tool')
            for name in names:
                path = there / ('go.mod' if name == '_go.mod' else name)
                shutil.copyfile(Path(here) / name, path)
                path.chmod(0o755 if executable else 0o644)
        half.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)  # one that does not run
        half.rename(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)
