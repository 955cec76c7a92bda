"""Messages: what is asked, and what answers of all kinds say. Whatever comes, nothing is raised."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.naming import Target
from dataplane.supervisor.naming.messages import Fault, question, read
from dataplane.supervisor.naming.question import Answer


def answer(
    *sets: dns.rrset.RRset, name: str = 'a.example', kind: str = 'A', rcode: int = 0, flags: int = 0,
    additional: tuple[dns.rrset.RRset, ...] = (),
) -> bytes:  # fmt: skip
    made = dns.message.make_response(dns.message.make_query(name, kind, id=7))
    made.answer += list(sets)
    made.additional += list(additional)
    made.set_rcode(dns.rcode.Rcode(rcode))
    made.flags |= flags
    return made.to_wire()


def rrset(name: str, kind: str, *values: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(f'{name}.', 60, 'IN', kind, *values)


def test_a_question_announces_what_it_takes() -> None:
    asked = dns.message.from_wire(b'\x12\x34' + question('_http._tcp.a.example', 'SRV', 8_192))
    assert (asked.id, asked.payload, asked.edns) == (0x1234, 8_192, 0)
    assert asked.flags == dns.flags.RD
    assert [one.to_text() for one in asked.question] == ['_http._tcp.a.example. IN SRV']


def test_addresses_and_where_aliases_lead() -> None:
    both = rrset('a.example', 'A', '10.0.0.1', '10.0.0.2')
    assert read(answer(both), 'A.example', {'A'}) == Answer(frozenset(('10.0.0.1', '10.0.0.2')))
    six = rrset('a.example', 'AAAA', '::1')
    assert read(answer(six, kind='AAAA'), 'a.example.', {'A', 'AAAA'}) == Answer(frozenset(('::1',)))
    alias, address = rrset('a.example', 'CNAME', 'b.example.'), rrset('b.example', 'A', '10.0.0.3')
    assert read(answer(alias, address), 'a.example', {'A'}) == Answer(frozenset(('10.0.0.3',)))
    assert read(answer(alias), 'a.example', {'A'}) is Fault.CNAME
    circle = rrset('b.example', 'CNAME', 'a.example.')
    assert read(answer(alias, circle), 'a.example', {'A'}) is Fault.CNAME
    assert read(answer(address), 'a.example', {'A'}) is Fault.NOTHING


def test_records_of_a_service() -> None:
    name = '_http._tcp.a.example'
    records = rrset(name, 'SRV', '1 65535 8001 W1.example.', '1 0 8002 w2.example.')
    also = (rrset('w1.example', 'A', '10.0.0.1'), rrset('w1.example', 'AAAA', '::1'), rrset('x', 'A', '10.0.0.9'))
    found = read(answer(records, name=name, kind='SRV', additional=also), name, {'SRV'})
    assert isinstance(found, Answer)
    assert set(found.targets) == {
        Target('w1.example', 8_001, 65_535, frozenset(('10.0.0.1', '::1'))), Target('w2.example', 8_002, 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    'wire, fault',
    [
        (answer(rcode=3), Fault.NX),
        (answer(rcode=5), Fault.REFUSED),
        (answer(rcode=2), Fault.OTHER),
        (answer(), Fault.NOTHING),
        (answer(flags=dns.flags.TC), Fault.TRUNCATED),
        (answer(rrset('b.example', 'A', '10.0.0.1'), name='b.example'), Fault.FOREIGN),
        (answer(kind='SRV'), Fault.FOREIGN),
        (dns.message.make_query('a.example', 'A', id=7).to_wire(), Fault.INVALID),
        (answer(rrset('a.example', 'A', '10.0.0.1'))[:-1], Fault.INVALID),
        (b'\0\0\x80\x00' + bytes(8), Fault.INVALID),
        (b'\0\0\x80\x05' + bytes(8), Fault.REFUSED),
        (b'', Fault.INVALID),
    ],
)
def test_what_is_wrong_has_a_name(wire: bytes, fault: Fault) -> None:
    assert read(wire, 'a.example', {'A'}) is fault


@given(st.binary(max_size=200))
def test_no_bytes_are_too_much(wire: bytes) -> None:
    assert isinstance(read(wire, 'a.example', {'A'}), Answer | Fault)


@given(st.data())
def test_nor_are_damaged_messages(data: st.DataObject) -> None:
    name = '_http._tcp.a.example'
    whole = bytearray(
        answer(
            rrset(name, 'SRV', '1 2 3 w.example.'),
            name=name,
            kind='SRV',
            additional=(rrset('w.example', 'A', '10.0.0.1'),),
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(read(bytes(whole), name, {'SRV'}), Answer | Fault)
