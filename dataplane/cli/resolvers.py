"""What is said of nameservers: `show resolvers`, `show stat domain resolvers`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from dataplane.cli.fields import Form, Value, described, table, to_json
from dataplane.cli.session import Complaint
from dataplane.cli.stat import StatRequest

COLUMNS: Final = table("""
id CGP str Name of the nameserver
pid CGP str Section of the nameserver
sent MGP u64 Questions sent
send_error MGP u64 Questions that could not be sent
valid MGP u64 Valid answers
update MGP u64 Answers that changed an address
cname MGP u64 Answers with an alias alone
cname_error MGP u64 Answers whose aliases lead nowhere
any_err MGP u64 Answers without records
nx MGP u64 Answers that there is no such name
timeout MGP u64 Questions without an answer
refused MGP u64 Refusals
other MGP u64 Other errors
invalid MGP u64 Answers that could not be read
too_big MGP u64 Answers longer than accepted
truncated MGP u64 Answers that were cut off
outdated MGP u64 Answers that nobody waited for
""")
_HEADER: Final = '# ' + ''.join(f'{column.name},' for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class NameserverRow:
    """One nameserver: its section, its name, and what was counted, by the names that `show resolvers` has for it."""

    section: str
    name: str
    counts: Mapping[str, int]

    def values(self) -> list[Value]:
        """In the order of the columns, two of which have other names here."""
        return [self.name, self.section, *self.counts.values()]


def show_resolvers(rows: Iterable[NameserverRow], sections: Sequence[str], wanted: str) -> str:
    """All sections, or the one that is wanted. Raises Complaint when there is none of that name."""
    if wanted and wanted not in sections:
        raise Complaint("Can't find that resolvers section")
    if not sections:
        return 'No resolvers found'
    found = {section: list(some) for section, some in groupby(rows, key=lambda row: row.section)}
    lines = []
    for section in [wanted] if wanted else sections:
        lines.append(f'Resolvers section {section}')
        for row in found.get(section, ()):
            lines.append(f' nameserver {row.name}:')
            lines += (f'  {f"{name}:":<12} {value}' for name, value in row.counts.items())
    return '\n'.join(lines)


def show_stat(rows: Iterable[NameserverRow], request: StatRequest) -> str:
    """`show stat domain resolvers`, in its three forms."""
    if request.form is Form.TEXT:
        return '\n'.join((_HEADER, *(''.join(f'{value},' for value in row.values()) for row in rows)))
    if request.form is Form.JSON:
        documents = []
        for row in rows:
            fields = [column.document(value) for column, value in zip(COLUMNS, row.values(), strict=True)]
            documents.append(
                [{'objType': 'Nameserver', **{k: v for k, v in one.items() if k != 'processNum'}} for one in fields]
            )
        return to_json(documents)
    lines = []
    for row in rows:
        for column, value in zip(COLUMNS, row.values(), strict=True):
            text = f'N.{column.position}.{column.name}:{column.tags}:{column.type}:{value}'
            lines.append(described(text, column, describe=request.describe))
    return '\n'.join(lines)
