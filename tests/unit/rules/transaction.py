"""A transaction as plain data, which fetches may ask: what a worker's view is to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataplane.rules.samples import Address, Sample, parse_address
from dataplane.rules.tables import Table, Tracked

FACTS: dict[str, Sample] = {
    'be_id': 3, 'be_name': b'b', 'fe_id': 2, 'fe_name': b'f', 'hostname': b'host', 'http_first_req': True, 'so_id': 1,
    'accept_us': 1_700_000_000_123_456, 'request_us': 1_700_000_001_654_321, 'unique-id': b'u-1', 'pid': 4_711, '%s': b's1',
    '%b': b'b', '%f': b'f', '%ft': b'f', '%ts': b'--', '%tsc': b'----', '%ac': 7, '%Tw': 12, '%B': 345, '%rc': b'+1',
}  # fmt: skip


@dataclass
class Transaction:
    """Everything a View is, in attributes."""

    method: bytes = b''
    uri: bytes = b''
    version: bytes = b''
    request: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b''
    body_size: int = 0
    src: Address | None = None
    src_port: int = 0
    dst: Address | None = None
    dst_port: int = 0
    status: int = 0
    response_version: bytes = b''
    response: list[tuple[bytes, bytes]] = field(default_factory=list)
    response_body: bytes = b''
    now_us: int = 1_700_000_002_000_007
    facts: dict[str, Sample] = field(default_factory=lambda: dict(FACTS))
    figures: dict[tuple[str, str, str], int] = field(default_factory=dict)
    variables: dict[tuple[str, str], Sample] = field(default_factory=dict)
    captures: dict[tuple[str, int], bytes] = field(default_factory=dict)
    draws: list[int] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    counters: dict[int, Tracked] = field(default_factory=dict)

    def random(self) -> int:
        return self.draws.pop(0) if self.draws else 0x01234567

    def variable(self, scope: str, name: str) -> Sample | None:
        return self.variables.get((scope, name))

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        if value is None:
            self.variables.pop((scope, name), None)
        else:
            self.variables[scope, name] = value

    def captured(self, where: str, slot: int) -> bytes | None:
        return self.captures.get((where, slot))

    def capture(self, where: str, slot: int, value: bytes) -> None:
        self.captures[where, slot] = value

    def fact(self, name: str) -> Sample | None:
        return self.facts.get(name)

    def tracked(self, number: int) -> Tracked | None:
        return self.counters.get(number)

    def table(self, name: str) -> Table | None:
        return self.tables.get(name)

    def figure(self, name: str, proxy: str, server: str) -> int | None:
        return self.figures.get((name, proxy, server))


def fields_of(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Header fields as a View tells them."""
    pairs = (line.partition(b':') for line in lines if line)
    return [(name.lower(), value.strip(b' \t')) for name, _, value in pairs]


def transaction(request: bytes = b'', response: bytes = b'', src: str = '10.1.2.3') -> Transaction:
    """A transaction of messages as they are on the wire."""
    made = Transaction(src=parse_address(src), src_port=4_321, dst=parse_address('192.168.0.1'), dst_port=80)
    if request:
        head, _, made.body = request.partition(b'\r\n\r\n')
        first, *lines = head.split(b'\r\n')
        made.method, made.uri, version = first.split(b' ')
        made.version, made.request = version.removeprefix(b'HTTP/'), fields_of(lines)
        made.body_size = len(made.body)
    if response:
        head, _, made.response_body = response.partition(b'\r\n\r\n')
        first, *lines = head.split(b'\r\n')
        version, status = first.split(b' ')[:2]
        made.response_version, made.status = version.removeprefix(b'HTTP/'), int(status)
        made.response = fields_of(lines)
    return made
