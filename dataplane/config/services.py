"""config: `http-request use-service` (configuration manual 4.3): what answers in place of a server. There is one, the exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.problems import shown
from dataplane.rules.actions import EXPORTER, UseService
from dataplane.rules.model import Match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.config.actions import Place
    from dataplane.rules.actions import Action, Rule
    from dataplane.rules.model import Condition


def parse_service(words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`use-service prometheus-exporter`."""
    name = words[0] if words else ''
    if name != EXPORTER:
        raise place.refuse(f"'{shown(name)}' is not supported, only '{EXPORTER}' is.")
    return UseService(name), 1


def exporter_path(rules: Sequence[Rule]) -> str | None:
    """Where these rules have the exporter answer, if one that asks for no more than a path is all there are: that path, or '' for
    every one. None: they have to be asked request by request.
    """
    if len(rules) != 1 or not isinstance(rules[0].action, UseService):
        return None
    condition = rules[0].condition
    return '' if condition is None else _path(condition)


def _path(condition: Condition) -> str | None:
    """PATH of `if { path PATH }`; None of every other condition."""
    if condition.unless or len(condition.groups) != 1 or len(condition.groups[0]) != 1:
        return None
    (term,) = condition.groups[0]
    if term.negated or term.acl.name or len(term.acl.tests) != 1:
        return None
    (test,) = term.acl.tests
    if test.expression.converters or test.expression.fetch.name != 'path' or test.match is not Match.STR:
        return None
    if test.files or len(test.patterns) != 1 or test.patterns[0].fold:
        return None
    return test.patterns[0].text
