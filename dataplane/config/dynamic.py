"""config: the words of `add server` on the stats socket (management manual 9.3), read as those of a `server` line are.

They begin with nothing that `default-server` lines say, unless `from` asks for it. What a line may say and this command may not is refused by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.config.compile import compiled_server
from dataplane.config.draft import ServerDraft
from dataplane.config.keywords import SERVER, Status
from dataplane.config.origins import begun
from dataplane.config.problems import Rejected, Report
from dataplane.config.reader import Line
from dataplane.config.servers import parse_server_line
from dataplane.core.checks import Connect
from dataplane.wire.unixhost import is_unix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dataplane.config.origins import Settings
    from dataplane.core.checks import Probe
    from dataplane.core.model import Backend, Server

WHERE: Final = 'CLI'
_NOT_DYNAMIC: Final = frozenset((
    'from', 'init-addr', 'max-reuse', 'namespace', 'no-agent-check', 'no-check', 'non-stick', 'redir', 'resolve-net', 'resolve-opts',
    'resolve-prefer', 'resolvers', 'stick',
))  # fmt: skip


def _nobody(_: str) -> None:
    """There are no other backends."""


def read_server(
    backend: Backend, name: str, words: Sequence[str], others: Callable[[str], Settings | None] = _nobody
) -> tuple[Server, tuple[str, ...]]:
    """The server that `add server BACKEND/NAME WORDS` declares, and what is to be told of it besides.

    Its id is 0 where the words give none. `others`: see `config.origins`. Raises Rejected with every problem.
    """
    line, report = Line(WHERE, 0, ('server', name, *words)), Report()
    prefix = f"'server {backend.name}/{name}' : "
    try:
        _check_words(words[3:] if line.word(3) == 'from' else words[1:])
        line, _ = begun(line, 3, backend.default_server, others)
        draft = parse_server_line(line, backend.name, ServerDraft(), report)
    except Rejected as problem:
        texts = [*(error.text for error in report.errors), str(problem)]
        raise Rejected('\n'.join(text.removeprefix(prefix) for text in texts)) from None
    checks = draft.checks
    if checks.track and (checks.check or checks.agent):
        msg = 'unable to enable checks and tracking at the same time!'
        raise Rejected(msg)
    if checks.check and not (draft.port or checks.port or is_unix(draft.host) or _dials_elsewhere(backend.probe)):
        msg = f"server '{name}' has neither service port nor check port nor tcp_check rule 'connect' with port information."
        raise Rejected(msg)
    if checks.agent and not checks.agent_port:
        msg = f'server {name} does not have agent port. Agent check has been disabled.'
        raise Rejected(msg)
    server = replace(compiled_server(draft, draft.id, backend.name), where=WHERE)
    return server, tuple(warning.text.removeprefix(prefix) for warning in report.warnings)


def words_for_servers() -> tuple[str, ...]:
    """The words that `add server` takes."""
    return tuple(
        sorted(name for name, known in SERVER.items() if known.status is Status.SUPPORTED and name not in _NOT_DYNAMIC)
    )


def _check_words(words: Sequence[str]) -> None:
    at = 0
    while at < len(words) and (known := SERVER.get(words[at])) is not None:
        if known.name in _NOT_DYNAMIC:
            msg = f"'{known.name}' option is not accepted for dynamic server"
            raise Rejected(msg)
        at += 1 + known.arguments


def _dials_elsewhere(probe: Probe) -> bool:
    dials = [step for step in probe.steps if isinstance(step, Connect)]
    return bool(dials) and all(step.port for step in dials)
