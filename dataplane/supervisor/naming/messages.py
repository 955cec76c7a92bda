"""How a question and an answer look on the wire (RFC 1035, 2782, 6891), by dnspython: see docs/decisions/0033-names-by-dnspython.md."""

from __future__ import annotations

import struct
from collections.abc import Collection
from enum import StrEnum
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from dataplane.core.naming import Target
from dataplane.supervisor.naming.question import MOST, Answer

_LONGEST_CHAIN: Final = 16
"""CNAMEs that are followed."""
_BROKEN: Final = (dns.exception.DNSException, ValueError, IndexError, KeyError, struct.error)


class Fault(StrEnum):
    """What is wrong with an answer, as HAProxy counts it. `FOREIGN`: it answers something else."""

    NX = 'nx'
    REFUSED = 'refused'
    OTHER = 'other'
    FOREIGN = 'foreign'
    NOTHING = 'any_err'
    CNAME = 'cname_error'
    INVALID = 'invalid'
    TRUNCATED = 'truncated'


_RCODES: Final = {dns.rcode.NXDOMAIN: Fault.NX, dns.rcode.REFUSED: Fault.REFUSED}


def question(name: str, kind: str, payload: int) -> bytes:
    """What is sent, behind the two bytes of the number."""
    query = dns.message.make_query(name, kind, use_edns=0, payload=payload, id=0)
    return query.to_wire()[2:]


def read(wire: bytes, name: str, kinds: Collection[str]) -> Answer | Fault:
    """What a message says that answers a question for one of these kinds of records."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
        return _read(message, dns.name.from_text(name), kinds)
    except _BROKEN:
        return Fault.INVALID


def _read(message: dns.message.Message, name: dns.name.Name, kinds: Collection[str]) -> Answer | Fault:
    if not message.flags & dns.flags.QR or len(message.question) > 1:
        return Fault.INVALID
    rcode = message.rcode()
    if not message.question:  # who does not understand a question need not repeat it
        return Fault.INVALID if rcode == dns.rcode.NOERROR else _RCODES.get(rcode, Fault.OTHER)
    asked = message.question[0]
    kind = dns.rdatatype.to_text(asked.rdtype)
    if asked.name != name or asked.rdclass != dns.rdataclass.IN or kind not in kinds:
        return Fault.FOREIGN
    if rcode != dns.rcode.NOERROR:
        return _RCODES.get(rcode, Fault.OTHER)
    if message.flags & dns.flags.TC:
        return Fault.TRUNCATED
    return _records(message, name, asked.rdtype)


def _records(message: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Answer | Fault:
    """The records of the name, or of the one that CNAMEs lead to."""
    for followed in range(_LONGEST_CHAIN):
        found = _of(message.answer, name, kind)
        if found is not None and kind == dns.rdatatype.SRV:
            return Answer(targets=tuple(_target(record, message) for record in list(found)[:MOST]))
        if found is not None:
            return Answer(frozenset(record.address for record in list(found)[:MOST]))
        alias = _of(message.answer, name, dns.rdatatype.CNAME)
        if alias is None:
            return Fault.CNAME if followed else Fault.NOTHING
        name = alias[0].target
    return Fault.CNAME


def _target(record: object, message: dns.message.Message) -> Target:
    host, port, weight = record.target, record.port, record.weight  # type: ignore[attr-defined]
    sets = (_of(message.additional, host, kind) for kind in (dns.rdatatype.A, dns.rdatatype.AAAA))
    addresses = frozenset(one.address for found in sets if found is not None for one in list(found)[:MOST])
    return Target(host.to_text(omit_final_dot=True).lower(), port, weight, addresses)


def _of(section: list[dns.rrset.RRset], name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    wanted = (one for one in section if one.name == name and one.rdtype == kind)
    return next((one for one in wanted if one.rdclass == dns.rdataclass.IN), None)
