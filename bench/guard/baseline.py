"""The committed figures and the verdict on new ones. Pure: figures in, words out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BAND: Final = 0.10
"""How far a figure may be from its baseline. Two runs of the same code differ by less than a hundredth of this."""

UPDATE: Final = 'if that is meant, write the baseline anew and commit it: .venv/bin/python -m bench.guard --update'


class BadBaseline(Exception):
    """The file is no baseline; says what is wrong with it."""


@dataclass(frozen=True)
class Baseline:
    """`made_with`: what the figures depend on besides our code; `instructions`: per request, by stage."""

    made_with: Mapping[str, str]
    instructions: Mapping[str, int]

    @classmethod
    def from_text(cls, text: str) -> Baseline:
        """The reverse of to_text; raises BadBaseline."""
        try:
            read = json.loads(text)
            made_with, instructions = read['made_with'], read['instructions_per_request']
            baseline = cls(
                {str(name): str(version) for name, version in made_with.items()},
                {str(stage): int(figure) for stage, figure in instructions.items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadBaseline(f'{type(error).__name__}: {error}') from error
        if wrong := {stage: figure for stage, figure in baseline.instructions.items() if figure <= 0}:
            raise BadBaseline(f'not positive: {wrong}')
        return baseline

    def to_text(self) -> str:
        """JSON that a person can read and compare."""
        whole = {'made_with': dict(self.made_with), 'instructions_per_request': dict(self.instructions)}
        return json.dumps(whole, indent=2) + '\n'


def differences(baseline: Baseline, made_with: Mapping[str, str]) -> list[str]:
    """What is not as it was when the baseline was written; the figures cannot be compared then."""
    names = dict.fromkeys([*baseline.made_with, *made_with])
    there = [(name, baseline.made_with.get(name, 'unknown'), made_with.get(name, 'unknown')) for name in names]
    return [f'{name} {now} instead of {was}' for name, was, now in there if was != now]


def line(stage: str, was: int | None, now: int) -> str:
    """One stage of the table that is printed, good or bad."""
    if was is None:
        return f'{stage:<14} {"-":>9} {now:>9,}'
    return f'{stage:<14} {was:>9,} {now:>9,}  {now / was:.3f}'


def complaints(baseline: Baseline, figures: Mapping[str, int]) -> list[str]:
    """What is not as it should be, a sentence per stage; none when all is well."""
    found = []
    for stage in dict.fromkeys([*baseline.instructions, *figures]):
        was, now = baseline.instructions.get(stage), figures.get(stage)
        if was is None:
            found.append(f'{stage}: the baseline has no such stage; {UPDATE}')
        elif now is None:
            found.append(f'{stage}: in the baseline, but there is no such stage; {UPDATE}')
        elif abs(now / was - 1) > BAND:
            what = 'a request became dearer' if now > was else 'a request became cheaper, which is to be recorded'
            found.append(
                f'{stage}: {now:,} instructions per request, baseline {was:,}: ratio {now / was:.3f}, '
                f'allowed {1 - BAND:.2f} to {1 + BAND:.2f}; {what}; {UPDATE}'
            )
    return found
