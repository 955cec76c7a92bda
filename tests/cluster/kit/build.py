"""Makes kubekit and what goes with it, once for each state of its sources, under ~/.cache/sluice-cluster."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kit import golang
from tests.cluster.kit.images import program_image
from tests.cluster.kit.packages import CannotHave

SOURCES = Path(__file__).parent / 'kubekit'
PAUSE_IMAGE = 'localhost/pause:1'
_UNUSED_DAYS = 14
_BUILD_S = 1_500  # eight minutes on two cores
_UNREACHABLE = ('dial tcp', 'i/o timeout', 'no such host', 'TLS handshake', 'module lookup disabled', 'Forbidden')
_SUBCOMMANDS = ('kubectl', 'helm', 'etcd')


class BuildFailed(Exception):
    """The sources do not build: a fault of theirs, not of the machine's."""


@dataclass(frozen=True)
class Bin:
    """Where the built programs are."""

    path: Path

    @property
    def kubekit(self) -> Path:
        """The program that is all others."""
        return self.path / 'kubekit'

    @property
    def kubectl(self) -> Path:
        """kubekit by the name of kubectl."""
        return self.path / 'kubectl'

    @property
    def helm(self) -> Path:
        """kubekit by the name of helm."""
        return self.path / 'helm'

    @property
    def pause(self) -> Path:
        """Process 1 of sandboxes."""
        return self.path / 'pause'

    @property
    def pause_image(self) -> Path:
        """The archive of `PAUSE_IMAGE`."""
        return self.path / 'pause.tar'


def cache() -> Path:
    """$SLUICE_CLUSTER_CACHE, or sluice-cluster in the user's cache directory."""
    usual = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'sluice-cluster'
    return Path(os.environ.get('SLUICE_CLUSTER_CACHE') or usual)


def kubernetes_version() -> str:
    """The version in go.mod, without its v."""
    words = (SOURCES / 'go.mod').read_text().split()
    return words[words.index('k8s.io/kubernetes') + 1].removeprefix('v')


def _flags() -> list[str]:
    """Flags of the Go linker. The version that Kubernetes' parts tell each other is put in when they are linked."""
    version = kubernetes_version()
    major, minor, _ = version.split('.')
    said = {
        'gitVersion': f'v{version}', 'gitMajor': major, 'gitMinor': minor, 'gitTreeState': 'clean',
        'gitCommit': '0000000', 'buildDate': '2026-01-01T00:00:00Z',
    }  # fmt: skip
    return ['-s', '-w', *(f'-X k8s.io/component-base/version.{name}={value}' for name, value in said.items())]


def target() -> Bin:
    """Where the programs of these sources are, or will be, whatever Go builds them."""
    digest = hashlib.sha256('\n'.join(_flags()).encode())
    for path in sorted(SOURCES.rglob('*')):
        if path.is_file():
            digest.update(f'\0{path.relative_to(SOURCES)}\0'.encode() + path.read_bytes())
    return Bin(cache() / digest.hexdigest()[:16])


def built() -> Bin:
    """The programs. CannotHave: they were not built from these sources."""
    found = target()
    if not found.kubekit.exists():
        raise CannotHave('kubekit is not built: python -m tests.cluster.kit build')
    os.utime(found.path)
    return found


def build() -> Bin:
    """The programs, built first when they are not there (about eight minutes on two cores). CannotHave, BuildFailed."""
    wanted = target()
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second build waits here, and then finds it done
        if not wanted.kubekit.exists():
            go = golang.have(golang.wanted(SOURCES / 'go.mod'), cache())
            print(
                f'building Kubernetes {kubernetes_version()} with Go {golang.version_of(go)}, once; this takes minutes',
                flush=True,
            )
            _build_into(wanted.path, go)
        _forget_old()
    return built()


def _build_into(place: Path, go: Path) -> None:
    """Build beside `place` and rename, so that it is there whole or not at all."""
    half = Path(tempfile.mkdtemp(prefix='building-', dir=place.parent))
    try:
        made = Bin(half)
        _compile(go, '.', made.kubekit)
        _compile(go, './pause', made.pause)
        for name in _SUBCOMMANDS:
            (half / name).symlink_to('kubekit')
        made.pause_image.write_bytes(program_image(made.pause, PAUSE_IMAGE))
        half.chmod(0o755)
        half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _compile(go: Path, package: str, output: Path) -> None:
    command: list[str | Path] = [
        go,
        'build',
        '-trimpath',
        '-buildvcs=false',
        '-ldflags',
        ' '.join(_flags()),
        '-o',
        output,
        package,
    ]
    process = subprocess.Popen(
        command, cwd=SOURCES, env={**os.environ, 'CGO_ENABLED': '0', 'GOTOOLCHAIN': 'local'}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=_BUILD_S)
    except subprocess.TimeoutExpired:
        raise CannotHave(f'building Kubernetes takes longer than {_BUILD_S // 60} minutes here') from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with its compilers
            process.wait()
    if process.returncode:
        tail = '\n'.join(said.splitlines()[-15:])
        if any(sign in said for sign in _UNREACHABLE):
            raise CannotHave(f'the Go modules of Kubernetes cannot be downloaded here:\n{tail}')
        raise BuildFailed(f'go build {package} failed:\n{tail}')


def _forget_old() -> None:
    """Remove what nobody has used for long: each is 200 MB."""
    for place in cache().glob('[0-9a-f]' * 16):
        if time.time() - place.stat().st_mtime > _UNUSED_DAYS * 86_400:
            shutil.rmtree(place)
