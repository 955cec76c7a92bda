"""Configuration files from the disk to a snapshot: which files are meant, what they say, and how their problems are told."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dataplane.config import ConfigErrors, Loaded, load
from dataplane.core.model import Snapshot
from dataplane.crypting import is_known
from dataplane.supervisor.options import Options
from dataplane.supervisor.variables import began

NO_LISTENER: Final = "No enabled listener found (check for 'bind' directives) !"


class Unusable(Exception):
    """No configuration could be made of the files. `problems`: every reason, in HAProxy's words."""

    def __init__(self, problems: Sequence[str], warnings: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__('\n'.join(self.problems))


@dataclass(frozen=True, slots=True)
class Sources:
    """What the command line said about the configuration. `read` is done at the start and at every reload."""

    files: tuple[str, ...]
    maxconn: int | None
    environment: Mapping[str, str]

    @classmethod
    def of(cls, options: Options, environment: Mapping[str, str]) -> Sources:
        """Paths are made absolute, since a daemon works elsewhere later."""
        return cls(tuple(os.path.abspath(path) for path in options.files), options.maxconn, dict(environment))

    def read(self) -> Loaded:
        """Read and compile the files. Raises Unusable with every problem found."""
        texts = []
        for path in self._paths():
            try:
                with open(path, encoding='utf-8', errors='surrogateescape', newline='') as file:
                    texts.append((path, file.read()))
            except OSError as error:
                raise Unusable((f'Could not open configuration file {path} : {error.strerror}',)) from error
        cores = len(os.sched_getaffinity(0))
        try:
            loaded = load(
                texts,
                self.environment,
                cores=cores,
                maxconn=self.maxconn,
                hostname=socket.gethostname(),
                read_file=read_file,
                known_hash=is_known,
                look_up=look_up,
            )
            return replace(loaded, snapshot=began(loaded.snapshot))
        except ConfigErrors as errors:
            raise Unusable([str(e) for e in errors.errors], [str(w) for w in errors.warnings]) from errors

    def _paths(self) -> list[str]:
        """A directory stands for its `*.cfg` files in the order of their names (manual: -f)."""
        paths: list[str] = []
        for path in self.files:
            if os.path.isdir(path):
                names = sorted(name for name in os.listdir(path) if name.endswith('.cfg') and not name.startswith('.'))
                paths += [os.path.join(path, name) for name in names]
            else:
                paths.append(path)
        return paths


def read_file(path: str, size: int) -> bytes:
    """The first `size` bytes of a file that the configuration names. Raises OSError; never waits for a pipe's writer."""
    with open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        return file.read(size) or b''  # None of a pipe that somebody may still write to


def look_up(host: str) -> str:
    """The first address of a host name, by the system's resolver, which may take its time. Raises OSError."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4][0])
    except UnicodeError as error:  # a label that is empty or too long can be no name
        raise OSError(str(error)) from error


def listens(snapshot: Snapshot) -> bool:
    """Would anything be listened on? A configuration without is no error by itself, but cannot be run."""
    fronts = any(frontend.binds and not frontend.disabled for frontend in snapshot.frontends)
    stats = any(listener.binds for listener in snapshot.stats_listeners)
    return fronts or stats or bool(snapshot.globals.stats_sockets)


def tell(loaded: Loaded, say: Callable[[str, str], None]) -> None:
    """Say what was found beside the configuration. `say(level, text)`."""
    for warning in loaded.warnings:
        say('WARNING', str(warning))
    for notice in loaded.notices:
        say('NOTICE', str(notice))


def startup_lines(loaded: Loaded) -> tuple[str, ...]:
    """The same as lines, for `show startup-logs`."""
    lines: list[str] = []
    tell(loaded, lambda level, text: lines.append(f'{f"[{level}]":<10} ({os.getpid()}) : {text}'))
    return tuple(lines)


def tell_diags(loaded: Loaded, say: Callable[[str, str], None]) -> None:
    """Say what `.diag` lines say, which is done in diagnostic mode (-dD) only."""
    for diag in loaded.diags:
        say('DIAG', str(diag))
