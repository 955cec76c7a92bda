"""One target under libFuzzer: `python -m tests.fuzz.one TARGET [libFuzzer's arguments]`. Ends with libFuzzer's own status."""

from __future__ import annotations

import importlib
import sys

import atheris

from tests.fuzz.guides import INSTRUMENTED


def main() -> None:
    """Fuzz until libFuzzer has had enough."""
    name = sys.argv[1]
    with atheris.instrument_imports(include=INSTRUMENTED[name], enable_loader_override=False):
        targets = importlib.import_module('tests.fuzz.targets')
    atheris.Setup([sys.argv[0], *sys.argv[2:]], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == '__main__':
    main()
