from __future__ import annotations

from typing import Any

import pytest

from dataplane.cli.errors import ErrorsRequest, parse, select, show_errors, text_lines
from dataplane.cli.session import Complaint

NUMBERS = {'fe': 2, 'be': 3}


def fault(side: str = 'request', when: float = 10.0, worker: int = 0, number: int = 4) -> dict[str, Any]:
    request = side == 'request'
    return {
        'side': side, 'number': number, 'when': when, 'proxy': ['fe', 2] if request else ['be', 3],
        'other': ['<NONE>', -1] if request else ['fe', 2], 'server': ['<NONE>', -1] if request else ['a', 1], 'source': '10.0.0.1:5',
        'data': 'GET / HTTP/1.1\r\nX Y: z\x01\r\n', 'position': 17, 'reason': 'malformed request head', 'limit': 100, 'worker': worker,
    }  # fmt: skip


def test_a_request() -> None:
    lines = list(show_errors([fault()], 5, 12.0, 1))
    assert lines[0].startswith('Total events captured on [01/Jan/1970:')
    assert lines[0].endswith('.000] : 5')
    assert lines[1] == ' '
    assert lines[2].endswith('] frontend fe (#2): invalid request')
    assert lines[3:] == [
        '  backend <NONE> (#-1), server <NONE> (#-1), event #4, src 10.0.0.1:5',
        '  buffer starts at 0 (including 0 out), 75 free,',
        '  len 25, wraps at 100, error at position 17',
        '  worker 1, malformed request head :',
        '  ',
        r'  00000  GET / HTTP/1.1\r\n',
        r'  00016  X Y: z\x01\r\n',
    ]
    assert not any(line == '' for line in lines)  # an empty line would end the answer


def test_a_response() -> None:
    lines = list(show_errors([fault('response', worker=1)], 1, 12.0, 2))
    assert lines[2].endswith('] backend be (#3): invalid response')
    assert lines[3] == '  frontend fe (#2), server a (#1), event #9, src 10.0.0.1:5'


def test_long_lines_go_on() -> None:
    assert list(text_lines('a' * 75 + '\n' + '\x00' * 18 + 'b')) == [
        f'00000  {"a" * 70}', r'00070+ aaaaa\n', '00076  ' + r'\x00' * 17, r'00093+ \x00b',
    ]  # fmt: skip
    assert list(text_lines('\t\\\x1b\xe9')) == [r'00000  \t\\\e\xE9']
    assert list(text_lines('')) == []


@pytest.mark.parametrize(
    'words,expected',
    [
        ((), ErrorsRequest()),
        (('fe',), ErrorsRequest(2)),
        (('3', 'response'), ErrorsRequest(3, 'response')),
        (('be', 'request'), ErrorsRequest(3, 'request')),
        (('-1', 'bogus'), ErrorsRequest()),
        (('9',), ErrorsRequest(9)),
    ],
)
def test_operands(words: tuple[str, ...], expected: ErrorsRequest) -> None:
    assert parse(words, NUMBERS) == expected


@pytest.mark.parametrize('word', ['x', '0', '1x', '-'])
def test_a_proxy_there_is_none_of(word: str) -> None:
    with pytest.raises(Complaint, match='No such proxy'):
        parse((word,), NUMBERS)


def test_what_is_asked_for() -> None:
    request, response = fault(), fault('response')
    both = [response, request]
    assert select(both, ErrorsRequest()) == [request, response]
    assert select(both, ErrorsRequest(2)) == [request, response]  # the response was for it
    assert select(both, ErrorsRequest(3)) == [response]
    assert select(both, ErrorsRequest(2, 'response')) == [response]
    assert select(both, ErrorsRequest(3, 'request')) == []
    assert select(both, ErrorsRequest(9)) == []


def test_of_several_workers_faults_the_newest_counts() -> None:
    old, new = fault(when=1.0, worker=0), fault(when=2.0, worker=1)
    assert select([new, old], ErrorsRequest()) == select([old, new], ErrorsRequest()) == [new]
