"""Helpers of the configuration's tests: load a text, or what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config import ConfigErrors, Loaded, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataplane.core.model import Backend, Frontend, Global, Snapshot

HTTP = 'defaults\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n'


def load_text(text: str, env: Mapping[str, str] | None = None, cores: int = 2) -> Loaded:
    """Load one file called t.cfg."""
    return load([('t.cfg', text)], env or {}, cores=cores)


def snapshot(text: str, env: Mapping[str, str] | None = None) -> Snapshot:
    return load_text(text, env).snapshot


def warnings(text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """`LINE: TEXT` of each warning."""
    return [f'{problem.line}: {problem.text}' for problem in load_text(text, env).warnings]


def errors(text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """`LINE: TEXT` of each error; [] for a text that can be used."""
    try:
        load_text(text, env)
    except ConfigErrors as problems:
        return [f'{problem.line}: {problem.text}' for problem in problems.errors]
    return []


def general(lines: str, env: Mapping[str, str] | None = None) -> Global:
    """The global settings of the lines of a `global` section."""
    return snapshot(f'global\n {lines}\n', env).globals


def frontend(lines: str) -> Frontend:
    """A frontend `f` with these lines, beside a backend `b`."""
    return snapshot(f'{HTTP}backend b\nfrontend f\n bind :80\n {lines}\n').frontends[0]


def backend(lines: str) -> Backend:
    """A backend `b` with these lines."""
    return snapshot(f'{HTTP}backend b\n {lines}\n').backends[0]


def global_error(lines: str) -> list[str]:
    return errors(f'global\n {lines}\n')


def frontend_error(lines: str) -> list[str]:
    return [text.partition(': ')[2] for text in errors(f'{HTTP}backend b\nfrontend f\n bind :80\n {lines}\n')]


def backend_error(lines: str) -> list[str]:
    return [text.partition(': ')[2] for text in errors(f'{HTTP}backend b\n {lines}\n')]
