"""haproxy.cfg text -> snapshot: the configuration room. Pure: it is given texts and variables, and touches nothing.

    files -> reader (lexer, variables, .if) -> parser (sections, keywords) -> drafts -> checks -> compile -> Snapshot

What must hold: every keyword of HAProxy's manual is in `keywords`, and is supported, accepted with a warning or refused
by name - never silently ignored; every error is reported at once, each with file and line; whatever the text, the only
thing raised is `ConfigErrors`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dataplane.config.address import LookUp, no_names
from dataplane.config.checks import check
from dataplane.config.compile import compile_snapshot
from dataplane.config.errorfiles import ReadFile, no_files
from dataplane.config.guids import check_guids
from dataplane.config.parser import Parser
from dataplane.config.problems import ConfigErrors, Problem, Report
from dataplane.config.statefiles import check_state_files
from dataplane.config.sticktables import check_tables
from dataplane.config.userlists import KnownHash, any_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dataplane.core.model import Snapshot

__all__ = ['ConfigErrors', 'Loaded', 'Problem', 'load']


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used. `diags` are the texts of `.diag` lines, for diagnostic mode only.

    `environment`: the variables as `setenv` and its kin have left them.
    """

    snapshot: Snapshot
    warnings: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()
    diags: tuple[Problem, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def load(
    files: Sequence[tuple[str, str]],
    env: Mapping[str, str],
    *,
    cores: int,
    maxconn: int | None = None,
    hostname: str = '',
    read_file: ReadFile = no_files,
    known_hash: KnownHash = any_hash,
    look_up: LookUp = no_names,
) -> Loaded:
    """Compile `files` - pairs of name and text, in the order of the command line - to a snapshot.

    `cores` is the number of workers where `nbthread` says nothing; `maxconn` (`-n`) goes before the file's own;
    `hostname` is the machine's name, which `node` and `log-send-hostname` fall back to. Texts are decoded with
    `errors='surrogateescape'`; `read_file` reads the files that lines name, `known_hash` says which
    hashed passwords can be checked, `look_up` which address a host name of a `bind`, `log` or `stats socket` line has, or that of a
    server with `resolvers` at the start. Raises ConfigErrors with every error of all files.
    """
    report = Report()
    parser = Parser(env, report, read_file, known_hash, look_up)
    parser.parse(files)
    if parser.general.unix_bind is not None:
        for proxy in parser.proxies:
            proxy.binds = [parser.general.unix_bind.applied(bind) for bind in proxy.binds]
    check(parser.proxies, report, pushed='control_plane' in parser.general.values)
    check_tables(parser.proxies, parser.ruling.uses, report)
    check_guids(parser.proxies, report)
    check_state_files(parser.proxies, parser.general, report)
    parser.resolvers.settle(parser.proxies)
    userlists = parser.userlists.compiled()
    parser.userlists.check(parser.ruling.userlists)
    parser.error_sections.settle([*parser.proxies, *parser.named_defaults], parser.ruling.sections)
    parser.rings.settle([parser.general.logs, *(proxy.logs for proxy in parser.proxies)])
    order = {name: index for index, (name, _) in enumerate(files)}
    errors, warnings = _sorted(report.errors, order), _sorted(report.warnings, order)
    if errors:
        raise ConfigErrors(errors, warnings)
    snapshot = compile_snapshot(
        parser.general, parser.proxies, parser.ruling.references.finished(parser.ruling.files), cores=cores, maxconn=maxconn,
        hostname=hostname, defaults=parser.named_defaults,
    )  # fmt: skip
    snapshot = replace(
        snapshot, userlists=userlists, error_sections=parser.error_sections.compiled(), rings=parser.rings.compiled(),
        resolvers=parser.resolvers.compiled(),
    )  # fmt: skip
    return Loaded(snapshot, warnings, tuple(report.notices), tuple(report.diags), parser.environment)


def _sorted(problems: Iterable[Problem], order: Mapping[str, int]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (order.get(problem.file, len(order)), problem.line)))
