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


# -- what servers of other protocols say ------------------------------------------------------------------------------


def mysql(number: int, body: bytes) -> bytes:
    """A packet of MySQL."""
    return len(body).to_bytes(3, 'little') + bytes((number,)) + body


def ldap(code: int, *, long: int = 0, operation: int = 0x61) -> bytes:
    """An answer of LDAP to the first question; `long`: bytes of its lengths where the short form is not used."""

    def counted(kind: int, body: bytes) -> bytes:
        size = bytes((0x80 | long,)) + len(body).to_bytes(long, 'big') if long else bytes((len(body),))
        return bytes((kind,)) + size + body

    result = b'\x0a\x01' + bytes((code,)) + b'\x04\0\x04\0'
    return counted(0x30, b'\x02\x01\x01' + counted(operation, result))


def varint(value: int) -> bytes:
    """A number as SPOP writes it (SPOE.txt, 3.1)."""
    if value < 240:
        return bytes((value,))
    said, value = [value & 0x0F | 0xF0], (value - 240) >> 4
    while value >= 128:
        said.append(value & 0x7F | 0x80)
        value = (value - 128) >> 7
    return bytes((*said, value))


def spop(kind: int, items: dict[str, bytes | int | None], *, flags: int = 1) -> bytes:
    """A frame of an agent: texts, numbers of 32 bits, and truths."""
    body = bytes((kind,)) + flags.to_bytes(4, 'big') + b'\0\0'
    for name, value in items.items():
        body += varint(len(name)) + name.encode()
        if isinstance(value, bytes):
            body += b'\x08' + varint(len(value)) + value
        else:
            body += b'\x11' if value is None else b'\x03' + varint(value)
    return len(body).to_bytes(4, 'big') + body
