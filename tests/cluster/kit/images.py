"""Container images without a registry: a base image by debootstrap, images by docker or buildah, all as archives for a node."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.kit.packages import IMAGE, ROOT, CannotHave, need, program
from tests.cluster.kit.parts import inside

BASE = 'debian:bookworm-slim'
_CERTIFICATES = 'etc/ssl/certs/ca-certificates.crt'
_UNNEEDED = ('var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale', 'usr/share/man')


def program_image(executable: Path, tag: str) -> bytes:
    """An image archive, as `docker save` writes it, that holds one static program and runs it as nobody in particular."""
    layer = _tar({executable.name: executable.read_bytes()})
    configuration = json.dumps(
        {
            'architecture': 'amd64',
            'os': 'linux',
            'config': {'Entrypoint': [f'/{executable.name}'], 'User': '65535:65535'},
            'rootfs': {'type': 'layers', 'diff_ids': [f'sha256:{hashlib.sha256(layer).hexdigest()}']},
        }
    ).encode()
    manifest = json.dumps([{'Config': 'config.json', 'RepoTags': [tag], 'Layers': ['layer.tar']}]).encode()
    return _tar({'layer.tar': layer, 'config.json': configuration, 'manifest.json': manifest})


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def run(command: Sequence[str | Path], **options: object) -> str:
    """Run to its end and return what it printed. CannotHave: it failed, with the end of that."""
    done = subprocess.run(
        [str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        **options,  # type: ignore[call-overload]
    )  # fmt: skip
    if done.returncode:
        tail = '\n'.join(str(done.stdout).splitlines()[-20:])
        raise CannotHave(f'{" ".join(map(str, command))}: exit status {done.returncode}\n{tail}')
    return str(done.stdout)


def docker_answers() -> bool:
    """Is there a docker client with a running engine?"""
    return (
        shutil.which('docker') is not None
        and subprocess.run(['docker', 'version'], capture_output=True, check=False).returncode == 0
    )


class Builder:
    """Builds images from Dockerfiles, by docker where its engine runs, else by buildah (root, no daemon).

    `place` keeps the base image's files and buildah's storage, so that a second build is short. Nothing is ever pulled:
    `FROM debian:bookworm-slim` finds what debootstrap made, with Python and this machine's certificates in it, so that pip
    in a Dockerfile reaches what pip reaches here.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._docker = docker_answers()
        if not self._docker:
            need(IMAGE, 'building an image without a docker engine')
            if os.geteuid():
                raise CannotHave('building an image needs a running docker engine, or root for buildah')
        place.mkdir(parents=True, exist_ok=True)
        self._storage = None if self._docker else self._choose_storage()

    def _buildah(self, *arguments: str | Path) -> str:
        return run(['buildah', *arguments], env=self._environment())

    def _environment(self) -> dict[str, str]:
        """For buildah: its storage is ours, and its steps run in a plain chroot."""
        if self._storage is None:
            return dict(os.environ)
        return {**os.environ, 'CONTAINERS_STORAGE_CONF': str(self._storage), 'BUILDAH_ISOLATION': 'chroot'}

    def _choose_storage(self) -> Path:
        """The settings of a storage: overlay where the kernel has it for this directory, else vfs. That needs nothing of the kernel,
        but copies the whole image for every step of a build, which takes minutes and half a gigabyte each."""
        for driver in ('overlay', 'vfs'):
            settings = self._place / f'{driver}.conf'
            places = f'graphroot = "{self._place}/{driver}"\nrunroot = "{self._place}/{driver}-run"\n'
            settings.write_text(f'[storage]\ndriver = "{driver}"\n{places}')
            environment = {**os.environ, 'CONTAINERS_STORAGE_CONF': str(settings)}
            if subprocess.run(['buildah', 'info'], env=environment, capture_output=True, check=False).returncode == 0:
                return settings
        raise CannotHave(f'buildah can keep nothing in {self._place}: buildah info says why')

    def base(self) -> None:
        """Make `BASE`, about a minute, unless it is there."""
        name = f'docker.io/library/{BASE}'
        if self._docker:
            if subprocess.run(['docker', 'image', 'inspect', BASE], capture_output=True, check=False).returncode:
                run(['docker', 'import', '--change', 'CMD ["bash"]', self._base_files(), BASE])
            return
        if name in self._buildah('images', '--format', '{{.Name}}:{{.Tag}}').splitlines():
            return
        container = self._buildah('from', 'scratch').split()[-1]
        self._buildah('add', container, self._base_files(), '/')
        self._buildah('config', '--cmd', 'bash', container)
        self._buildah('commit', '--rm', container, name)

    def _base_files(self) -> Path:
        """The files of the base image, as an archive made once."""
        archive = self._place / 'bookworm.tar'
        if archive.exists():
            return archive
        if os.geteuid() or program('debootstrap') is None:
            need({'debootstrap': 'debootstrap'}, 'making a base image')
        with tempfile.TemporaryDirectory(prefix='base-', dir=self._place) as root:
            with_python = '--include=ca-certificates,python3,python3-venv'
            run([program('debootstrap') or 'debootstrap', '--variant=minbase', with_python, 'bookworm', root])
            certificates = Path('/') / _CERTIFICATES
            if certificates.exists():
                shutil.copyfile(certificates, Path(root) / _CERTIFICATES)
            for unneeded in _UNNEEDED:
                shutil.rmtree(Path(root) / unneeded, ignore_errors=True)
            Path(root).chmod(0o755)
            half = archive.with_suffix('.half')
            run(
                ['tar', '--create', '--file', half, '--directory', root, '--exclude=./dev/*', '--exclude=./proc/*', '.']
            )
            half.rename(archive)
        return archive

    def build(self, tag: str, directory: Path, *, compiled: bool = True) -> list[Path]:
        """Build the project's images as `make image` does, and save each to a file in `directory`.

        Not `compiled`: with the data plane's request path as it is written, minutes sooner.
        """
        # Two builds at once would give their images the same names. The second one waits, and finds most steps done.
        with (self._place / 'lock').open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._docker:
                # a build that was killed leaves the container of its step, which nobody enters again
                self._buildah('rm', '--all')
            self.base()
            return self._build(tag, directory, compiled=compiled)

    def _build(self, tag: str, directory: Path, *, compiled: bool) -> list[Path]:
        options = ['--network', 'host', '--build-arg', f'COMPILE={int(compiled)}']
        options += [] if self._docker else ['--pull-never', '--layers']
        base = BASE if self._docker else f'docker.io/library/{BASE}'
        printed = run(
            [ROOT / 'deploy/image/build', *options], env={**self._environment(), 'TAG': tag, 'BASE_IMAGE': base}
        )
        archives = []
        for name in (line.removeprefix('image: ') for line in printed.splitlines() if line.startswith('image: ')):
            archives.append(directory / f'{name.rpartition("/")[2].replace(":", "-")}.tar')
            archives[-1].unlink(missing_ok=True)
            if self._docker:
                run(['docker', 'save', '--output', archives[-1], name])
            else:
                self._buildah('push', name, f'docker-archive:{archives[-1]}:{name}')
        return archives


def load(work: Path, archive: Path) -> None:
    """Bring the images of an archive into the containerd of the node in `work`. Pods then name them as they were tagged;
    a name without a host, or with the tag latest, would be pulled, and there is nowhere to pull from."""
    run([*inside(work), 'ctr', '--namespace', 'k8s.io', 'images', 'import', archive])
