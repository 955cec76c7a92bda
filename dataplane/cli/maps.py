"""The commands on maps, ACLs and variables: operands, payloads, and how entries are shown (management manual, 9.3).

`map` stands for both kinds: what differs between `add map` and `add acl` is said by `Kind`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

from dataplane.cli.session import Complaint

Words = tuple[str, ...]


class Kind(Enum):
    """What a command is about; the value is how sentences name it."""

    MAP = 'map'
    ACL = 'ACL'

    @property
    def unknown(self) -> Complaint:
        """There is no such reference of this kind."""
        return Complaint(f'Unknown {self.value} identifier. Please use #<id> or <file>.')


ADD_MAP: Final = (
    "'add map' expects three parameters (map identifier, key and value) or one parameter (map identifier) and a payload"
)
ADD_ACL: Final = "'add acl' expects two parameters: ACL identifier and pattern."
SHARED: Final = "This ACL is shared with a map containing samples. You must use the command 'add map' to add values."


def versioned(words: Words) -> tuple[int | None, Words]:
    """Take `@VERSION` from the front of the operands; None: it is not there."""
    if words and words[0].startswith('@'):
        return _leading(words[0][1:]), words[1:]
    return None, words


def _leading(text: str) -> int:
    """As C reads a number: what digits it begins with, 0 without any."""
    end = 0
    while end < len(text) and text[end] in '0123456789' and end < 10:
        end += 1
    return int(text[:end] or 0)


def added(kind: Kind, words: Words, payload: str | None) -> Iterator[tuple[str, str | None]]:
    """The entries that `add map` and `add acl` ask for, `words` being what follows the identifier. Raises Complaint."""
    if kind is Kind.ACL:
        if not words or not words[0]:
            raise Complaint(ADD_ACL)
        if payload is None:
            return iter(((words[0], None),))
        return ((line.split(' ')[0].split('\t')[0], None) for line in payload.splitlines())
    if payload is not None:
        return _pairs(payload)
    if len(words) < 2 or not words[0] or not words[1]:
        raise Complaint(ADD_MAP)
    return iter(((words[0], words[1]),))


def _pairs(payload: str) -> Iterator[tuple[str, str]]:
    """A key and the rest of the line as its value. Raises Complaint at a line without a blank; those before it stay."""
    for line in payload.split('\n')[:-1]:
        end = next((at for at, char in enumerate(line) if char in ' \t'), -1)
        if end < 0:
            raise Complaint(f"Missing value for key '{line}'.")
        yield line[:end], line[end:].lstrip(' \t')


def line_of(place: int, key: str, value: str | None) -> str:
    """An entry as `show map` and `show acl` have it; what stands first is what `#` refers to."""
    return f'0x{place:012x} {key}' if value is None else f'0x{place:012x} {key} {value}'


def summary(identity: int, name: str, shown: str, versions: tuple[int, int], count: int) -> str:
    """A reference as `show map` and `show acl` list it; `versions`: what counts, and the newest."""
    return f'{identity} ({name}) {shown}. curr_ver={versions[0]} next_ver={versions[1]} entry_cnt={count}'


def listed(lines: Iterable[str]) -> str:
    """All references."""
    return '\n'.join(('# id (file) description', *lines))


def found(kind: Kind, match: str, row: tuple[str, str | None, str] | None, *, fold: bool, tree: bool) -> str:
    """What one way of looking says of a sample (`get map`, `get acl`): the pattern, its value and the value's type."""
    text = f'type={match}, case={"in" if fold else ""}sensitive, {"found" if kind is Kind.MAP else "match"}='
    if row is None:
        return f'{text}no'
    key, value, gives = row
    text += f'yes, idx={"tree" if tree else "list"}, {"key" if kind is Kind.MAP else "pattern"}="{key}"'
    return text if value is None or kind is Kind.ACL else f'{text}, value="{value}", type="{gives}"'


def variable(name: str, kind: str, value: bytes) -> str:
    """A variable as `get var` has it: what cannot be printed is a dot."""
    text = ''.join(chr(byte) if 32 <= byte < 127 else '.' for byte in value)
    return f'{name}: type={kind} value=<{text}>'
