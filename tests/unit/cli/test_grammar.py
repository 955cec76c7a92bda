from __future__ import annotations

import pytest

from dataplane.cli.grammar import LINE_TOO_BIG, PAYLOAD_TOO_BIG, Command, Reader, TooBig, split_commands, words


@pytest.mark.parametrize(
    'line,expected',
    [
        ('', ['']),
        ('show stat', ['show stat']),
        ('a;b', ['a', 'b']),
        ('a;', ['a', '']),
        (';a', ['', 'a']),
        (r'a\;b;c', [r'a\;b', 'c']),
        (r'a\\;b', [r'a\\', 'b']),
        ('a\\', ['a\\']),
    ],
)
def test_commands_of_a_line(line: str, expected: list[str]) -> None:
    assert split_commands(line) == expected


@pytest.mark.parametrize(
    'command,expected',
    [
        ('', ('',)),
        (' \t ', ('',)),
        ('  show\t  stat  ', ('show', 'stat')),
        (r'show\ env HO\;ME', ('show env', 'HO;ME')),
        (r'a\\b', ('a\\b',)),
        (r'\ ', (' ',)),
        ('a\\', ('a',)),
    ],
)
def test_words_of_a_command(command: str, expected: tuple[str, ...]) -> None:
    assert words(command) == expected


def test_words_beyond_64_are_dropped() -> None:
    assert len(words('x ' * 70)) == 64


def test_a_command_knows_its_words() -> None:
    command = Command(('show', 'stat'))
    assert (command.word(1), command.word(2)) == ('stat', '')


def lines_of(data: bytes, reader: Reader | None = None) -> list[list[Command]]:
    reader = reader or Reader()
    reader.feed(data)
    found = []
    while (line := reader.take()) is not None:
        found.append(line)
    return found


def test_lines_arrive_in_any_pieces() -> None:
    reader = Reader()
    for byte in b'show info\r\nshow stat;sh':
        reader.feed(bytes([byte]))
    assert reader.take() == [Command(('show', 'info'))]
    assert reader.take() is None
    assert reader.pending
    assert reader.finish()
    assert reader.take() == [Command(('show', 'stat')), Command(('sh',))]
    assert not reader.finish()
    assert not reader.pending


def test_a_finished_line_is_not_finished_twice() -> None:
    reader = Reader()
    reader.feed(b'quit\n')
    assert reader.finish()
    assert reader.take() == [Command(('quit',))]
    assert reader.take() is None


def test_what_follows_a_zero_byte_is_ignored_and_bytes_survive() -> None:
    assert lines_of(b'help\0junk\n') == [[Command(('help',))]]
    assert lines_of(b'echo \xff\n')[0][0].words[1].encode(errors='surrogateescape') == b'\xff'


def test_a_payload_goes_to_the_last_command() -> None:
    assert lines_of(b'show version;echo x <<\none\ntwo\n\nquit\n') == [
        [], [], [],
        [Command(('show', 'version')), Command(('echo', 'x'), 'one\ntwo\n')],
        [Command(('quit',))],
    ]  # fmt: skip


def test_a_payload_ends_at_its_pattern() -> None:
    assert lines_of(b'echo <<EOF\n\nEO\nEOF\n')[-1] == [Command(('echo',), '\nEO\n')]


def test_a_mark_needs_a_blank_before_it() -> None:
    assert lines_of(b'echo x<<\n') == [[Command(('echo', 'x<<'))]]


def test_while_collecting_nothing_is_run() -> None:
    reader = Reader()
    assert lines_of(b'echo <<\none\n', reader) == [[], []]
    assert reader.collecting
    assert reader.pending
    assert not reader.finish()


@pytest.mark.parametrize('data', [b'x' * 101, b'x' * 101 + b'\n'])
def test_a_line_is_bounded(data: bytes) -> None:
    reader = Reader(line_limit=100)
    reader.feed(data)
    assert reader.full
    with pytest.raises(TooBig, match=LINE_TOO_BIG[:30]):
        reader.take()


def test_a_payload_is_bounded() -> None:
    with pytest.raises(TooBig, match=PAYLOAD_TOO_BIG[:20]):
        lines_of(b'echo <<\n' + b'12345678\n' * 4 + b'\n', Reader(payload_limit=30))
    with pytest.raises(TooBig, match=PAYLOAD_TOO_BIG[:20]):
        lines_of(b'echo <<\n' + b'x' * 200, Reader(line_limit=100))


def test_a_pattern_is_bounded() -> None:
    with pytest.raises(TooBig, match='pattern'):
        lines_of(b'echo <<' + b'x' * 65 + b'\n')
