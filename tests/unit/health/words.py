"""Variables and format strings of checks, for tests: a process with a variable or two, and a server with a name."""

from __future__ import annotations

from dataplane.health.wording import CheckView, Wording
from dataplane.rules.patience import Patience, endless
from dataplane.rules.samples import Sample


class Process:
    """The variables of `proc`."""

    def __init__(self) -> None:
        self.kept: dict[str, Sample] = {}
        self.patience: Patience = endless

    def variable(self, name: str) -> Sample | None:
        return self.kept.get(name)

    def set_variable(self, name: str, value: Sample | None) -> None:
        if value is None:
            self.kept.pop(name, None)
        else:
            self.kept[name] = value


def wording(process: Process | None = None, **facts: Sample) -> Wording:
    return Wording(lambda: CheckView(facts, process or Process(), 1_700_000_000_000_000, lambda bits: bits))
