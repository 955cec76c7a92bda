"""A server-state file: what `show servers state` wrote, read back (management manual 9.3; configuration manual, server-state-file).

Version 1: a line `1`, comments, and 25 fields a line. A line with fewer fields was cut off, so the file is good for nothing;
one whose values cannot be is passed over. What of a state still counts for a server that may be declared differently by now is
`core.restored`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from dataplane.core.state import OpState
from dataplane.core.weight import UWEIGHT_MAX

VERSION: Final = '1'
FIELDS: Final = 25
CONFIGURED: Final = 2
ENABLED: Final = 4
"""Bits of the state of a check."""
_MOST_DIGITS: Final = 10
_PORT_MAX: Final = 65_535
# field -> name, least, most
_NUMBERS: Final = {
    5: ('srv_op_state', 0, int(max(OpState))),
    6: ('srv_admin_state', 0, 0x7F),
    7: ('srv_uweight', 0, UWEIGHT_MAX),
    8: ('srv_iweight', 0, UWEIGHT_MAX),
    9: ('srv_time_since_last_change', 0, 2**31 - 1),
    10: ('srv_check_status', 0, 20),
    11: ('srv_check_result', 0, 4),
    12: ('srv_check_health', 0, 2**31 - 1),
    13: ('srv_check_state', 0, 0x1F),
    14: ('srv_agent_state', 0, 0x1F),
    18: ('srv_port', 0, _PORT_MAX),
    21: ('srv_check_port', 0, _PORT_MAX),
    24: ('srv_agent_port', 0, _PORT_MAX),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """One server of the file. `admin`: flags; `age`: ms in that state; `check` and `agent`: bits; '' and 0 where nothing was."""

    backend: str
    server: str
    host: str
    port: int
    opstate: OpState
    admin: int
    uweight: int
    iweight: int
    age: int
    check: int
    agent: int
    check_port: int = 0
    check_addr: str = ''
    agent_port: int = 0
    agent_addr: str = ''
    fqdn: str = ''
    srvrecord: str = ''

    @property
    def check_disabled(self) -> bool:
        """Was its health check switched off on the stats socket?"""
        return self.check & (CONFIGURED | ENABLED) == CONFIGURED

    @property
    def agent_disabled(self) -> bool:
        """Was its agent switched off on the stats socket?"""
        return self.agent & (CONFIGURED | ENABLED) == CONFIGURED


class Unreadable(Exception):
    """The file is no state file, or was cut off; the text says where."""


def read(text: str, path: str) -> tuple[list[SavedState], list[str]]:
    """The states in a file, and a warning for each line that is passed over. `path` is for those. Raises Unreadable."""
    lines = text.split('\n')
    if lines[0].strip() != VERSION:
        raise Unreadable(f"[{path}:1] : Can't get version of the server state file.")
    states, warnings = [], []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split()
        if not fields or fields[0].startswith('#'):
            continue
        if len(fields) < FIELDS:
            raise Unreadable(f'[{path}:{number}] : corrupted server state file: {len(fields)} fields of {FIELDS}.')
        try:
            states.append(_state(fields))
        except ValueError as problem:
            name = f'{fields[1]}/{fields[3]}'
            warnings.append(f"[{path}:{number}] : server-state application failed for server '{name}', {problem}")
    return states, warnings


def _state(fields: list[str]) -> SavedState:
    """One line. Raises ValueError naming the field at fault."""
    numbers = {at: _number(fields[at], *known) for at, known in _NUMBERS.items()}
    return SavedState(
        backend=fields[1],
        server=fields[3],
        host=fields[4],
        port=numbers[18],
        opstate=OpState(numbers[5]),
        admin=numbers[6],
        uweight=numbers[7],
        iweight=numbers[8],
        age=numbers[9] * 1_000,
        check=numbers[13],
        agent=numbers[14],
        check_port=numbers[21],
        check_addr=_address(fields[22], 'srv_check_addr'),
        agent_port=numbers[24],
        agent_addr=_address(fields[23], 'srv_agent_addr'),
        fqdn='' if fields[17] == '-' else fields[17],
        srvrecord='' if fields[19] == '-' else fields[19],
    )


def _number(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and least <= int(text) <= most):
        raise ValueError(f"invalid {name} value '{text[:64]}'")
    return int(text)


def _address(text: str, name: str) -> str:
    """An address, '' for none; a name, which nobody could have set at run time, is none either."""
    if text == '-':
        return ''
    try:
        return str(ip_address(text))
    except ValueError:
        if text.replace('.', '').isdecimal() or ':' in text:
            raise ValueError(f"invalid {name} value '{text[:64]}'") from None
        return ''
