"""Server-state files: what was written comes back, and what cannot be read is told with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.cli.servers import ServerState, show_state
from dataplane.core.savedstate import SavedState, Unreadable, read
from dataplane.core.state import OpState

LINE = '3 be 1 a 127.0.0.1 2 0 5 10 100 6 3 4 6 22 0 0 - 80 - 0 81 127.0.0.2 127.0.0.3 82'


def saved(line: str = LINE) -> list[SavedState]:
    return read(f'1\n# a comment\n\n{line}\n', 'f')[0]


def changed(at: int, value: str) -> str:
    fields = LINE.split()
    fields[at] = value
    return ' '.join(fields)


def test_every_field_that_counts() -> None:
    assert saved() == [
        SavedState(
            backend='be', server='a', host='127.0.0.1', port=80, opstate=OpState.RUNNING, admin=0, uweight=5, iweight=10,
            age=100_000, check=6, agent=22, check_port=81, check_addr='127.0.0.2', agent_port=82, agent_addr='127.0.0.3',
        )
    ]  # fmt: skip


@given(st.integers(0, 3), st.integers(0, 127), st.integers(0, 256), st.integers(0, 256), st.integers(0, 65_535))
def test_what_is_shown_is_read_back(opstate: int, flags: int, uweight: int, iweight: int, port: int) -> None:
    row = ServerState(
        backend_id=3, backend='be', id=1, name='a', host='h', port=port, opstate=opstate, admin=flags, uweight=uweight,
        iweight=iweight, age=7, check=((6, 3, 4, 6), 18), places=(1, '10.0.0.1', '::1', 2),
    )  # fmt: skip
    states, warnings = read(show_state([row]), 'f')
    assert not warnings
    assert states == [
        SavedState(
            backend='be', server='a', host='h', port=port, opstate=OpState(opstate), admin=flags, uweight=uweight,
            iweight=iweight, age=7_000, check=6, agent=18, check_port=1, check_addr='10.0.0.1', agent_port=2, agent_addr='::1',
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    'check, agent, off', [('6', '22', False), ('2', '18', True), ('10', '26', True), ('0', '0', False)]
)
def test_switched_off(check: str, agent: str, off: bool) -> None:
    fields = LINE.split()
    fields[13], fields[14] = check, agent
    (state,) = saved(' '.join(fields))
    assert (state.check_disabled, state.agent_disabled) == (off, off)


@pytest.mark.parametrize(
    'at, value, name',
    [
        (5, '4', 'srv_op_state'), (5, '-1', 'srv_op_state'), (6, '128', 'srv_admin_state'), (7, '257', 'srv_uweight'),
        (8, 'x', 'srv_iweight'), (9, '-1', 'srv_time_since_last_change'), (10, '21', 'srv_check_status'),
        (11, '5', 'srv_check_result'), (12, '9' * 5_000, 'srv_check_health'), (13, '99', 'srv_check_state'),
        (14, '32', 'srv_agent_state'), (18, '65536', 'srv_port'), (21, '٣', 'srv_check_port'),
        (22, '1.2.3', 'srv_check_addr'), (23, ':', 'srv_agent_addr'), (24, '1e3', 'srv_agent_port'),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_costs_its_line_only(at: int, value: str, name: str) -> None:
    states, warnings = read(f'1\n{changed(at, value)}\n{LINE}\n', 'dir/f')
    assert len(states) == 1
    said = f"[dir/f:2] : server-state application failed for server 'be/a', invalid {name} value '{value[:64]}'"
    assert warnings == [said]


@pytest.mark.parametrize('at', [22, 23])
def test_a_name_for_a_check_is_nothing_that_was_set(at: int) -> None:
    (state,) = saved(changed(at, 'host.example'))
    assert '' in (state.check_addr, state.agent_addr)


@pytest.mark.parametrize(
    'text, said',
    [
        ('', "[f:1] : Can't get version"),
        ('2\n', "[f:1] : Can't get version"),
        (f'{LINE}\n', "[f:1] : Can't get version"),
        (f'1\n{LINE}\n3 be 1 a\n', '[f:3] : corrupted server state file: 4 fields of 25.'),
        (f'1\n\n#\n{LINE.rsplit(maxsplit=1)[0]}\n', '[f:4] : corrupted server state file: 24 fields of 25.'),
    ],
)
def test_what_was_cut_off_is_good_for_nothing(text: str, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(text, 'f')
    assert str(caught.value).startswith(said)
