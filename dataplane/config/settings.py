"""config: the words behind the address of `bind` and `server` lines: a table of keywords, each with its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.keywords import Status
from dataplane.config.keywords.table import HOW_TLS
from dataplane.config.problems import Rejected, Report, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dataplane.config.keywords import Keyword
    from dataplane.config.reader import Line


def read_settings(
    words: Sequence[str],
    table: Mapping[str, Keyword],
    apply: Callable[[str, str], None],
    prefix: str,
    line: Line,
    report: Report,
) -> None:
    """Have `apply(name, value)` done for each setting. All that are wrong are named at once; the last one is raised.

    Words that are refused for the same reason share one error. An unknown word ends it: how many arguments would follow it is
    unknown, too.
    """
    wrong: list[str] = []
    refused: dict[str, list[str]] = {}
    at = 0
    while at < len(words):
        name = words[at]
        known = table.get(name)
        if known is None:
            wrong.append(f"{prefix} : unknown keyword '{shown(name)}'{did_you_mean(name, table) or '.'}")
            break
        values = words[at + 1 : at + 1 + known.arguments]
        at += 1 + known.arguments
        if len(values) < known.arguments or (known.arguments and not values[0]):
            wrong.append(f"{prefix} : '{name}' expects an argument.")
        elif known.status is Status.REFUSED:
            refused.setdefault(known.note, []).append(name)
        elif known.status is Status.ACCEPTED:
            if known.note == HOW_TLS and 'ssl' in words:
                continue  # `ssl` itself is refused
            report.warning(line.file, line.number, f"{prefix} : '{name}' has no effect: {known.note}.")
        else:
            try:
                apply(name, values[0] if values else '')
            except Rejected as problem:
                wrong.append(f'{prefix} : {problem}')
    wrong[:0] = [_not_supported(prefix, names, note) for note, names in refused.items()]
    for text in wrong[:-1]:
        report.error(line.file, line.number, text)
    if wrong:
        raise Rejected(wrong[-1])


def _not_supported(prefix: str, names: Sequence[str], note: str) -> str:
    named = ', '.join(f"'{name}'" for name in dict.fromkeys(names))
    return f'{prefix} : {named} {"is" if len(names) == 1 else "are"} not supported: {note}.'
