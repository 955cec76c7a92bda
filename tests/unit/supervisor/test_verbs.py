from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Answer, Session, Severity, SeverityOutput
from dataplane.core.changes import AdoptFile, Change, SetAdmin
from dataplane.core.cookie import Cookie, CookieMode
from dataplane.core.model import AdminState, Backend, Level, Origin, StatsSocket
from dataplane.supervisor.aids import Surroundings
from dataplane.supervisor.verbs import SET_SERVER_USAGE, Verbs
from dataplane.supervisor.wait import Patience
from tests.inprocess import SNAPSHOT, Outcome, Plane


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.fixture
def verbs(plane: Plane) -> Verbs:
    return plane.verbs()


@pytest.fixture
def session() -> Session:
    return Session(Level.ADMIN, 10_000)


async def say(verbs: Verbs, session: Session, line: str) -> Answer:
    return await verbs.run(Command(words(line)), session, Patience())


# as a real HAProxy 2.6 answers, and where it differs from the development tree, as that one does
ERRORS = [
    ('disable server', "Require 'backend/server'."),
    ('disable server px', "Require 'backend/server'."),
    ('disable server px/x', 'No such server.'),
    ('enable server foo/s1', 'No such backend.'),
    ('get weight', "Require 'backend/server'."),
    ('get weight #3/#9', 'No such server.'),
    ('get weight #9/#1', 'No such backend.'),
    ('set server', "Require 'backend/server'."),
    ('set server px/s1', SET_SERVER_USAGE),
    ('set server px/s1 foo', SET_SERVER_USAGE),
    ('set server px/s1 health', "'set server <srv> health' expects 'up', 'stopping', or 'down'."),
    ('set server px/s1 health foo', "'set server <srv> health' expects 'up', 'stopping', or 'down'."),
    ('set server px/s1 agent up', 'agent checks are not enabled on this server.'),
    ('set server px/s1 check-port 5', 'health checks are not enabled on this server'),
    ('set server px/s1 check-addr 1.2.3.4', 'health checks are not enabled on this server'),
    ('set server px/s1 agent-addr 1.2.3.4', 'agent checks are not enabled on this server'),
    ('set server px/s1 agent-send x', 'agent checks are not enabled on this server.'),
    ('enable health px/s1', 'Health check was not configured on this server, cannot enable.'),
    ('enable agent px/s1', 'Agent was not configured on this server, cannot enable.'),
    ('enable health', "Require 'backend/server'."),
    ('set server px/s1 state', "'set server <srv> state' expects 'ready', 'drain' and 'maint'."),
    ('set server px/s1 state bad', "'set server <srv> state' expects 'ready', 'drain' and 'maint'."),
    ('set server px/s1 weight', 'Require <weight> or <weight%>.'),
    ('set server px/s1 weight 300', 'Absolute weight can only be between 0 and 256 inclusive.'),
    ('set server px/s1 weight 3x', 'Trailing garbage in weight string'),
    ('set server px/s1 weight abc', 'Empty weight string empty or preceded by garbage'),
    ('set weight px/s1', 'Require <weight> or <weight%>.'),
    ('set weight px/s1 -1', 'Absolute weight can only be between 0 and 256 inclusive.'),
    ('set weight px/s1 -5%', 'Relative weight must be positive.'),
    ('set server px/s1 addr', 'set server <b>/<s> addr requires an address and optionally a port.'),
    ('set server px/s1 addr foo', "Invalid addr 'foo' by 'stats socket command'"),
    ('set maxconn server', "Require 'backend/server'."),
    ('set maxconn server px/s1', 'Require <maxconn>.'),
    ('set maxconn server px/s1 abc', 'maxconn string empty or preceded by garbage'),
    ('set maxconn frontend', 'A frontend name is expected.'),
    ('set maxconn frontend foo 5', 'No such frontend.'),
    ('set maxconn frontend px 5', 'No such frontend.'),
    ('set maxconn frontend fe', 'Integer value expected.'),
    ('set maxconn frontend fe -1', 'Value out of range.'),
    ('set maxconn global', 'Expects an integer value.'),
    ('set maxconn global 1001', 'Value out of range.'),
    ('shutdown session', "Session pointer expected (use 'show sess')."),
    ('shutdown session abc', "Session pointer expected (use 'show sess')."),
    ('shutdown session 0x123', "No such session (use 'show sess')."),
    ('shutdown sessions server', "Require 'backend/server'."),
    ('show servers conn foo', "Can't find backend."),
    ('show servers state foo', "Can't find backend."),
    ('show sess 0x1', 'Session not found.'),
    ('show env NOPE', 'Variable not found'),
    ('show stat foo -1 -1', 'No such proxy.'),
    ('show stat domain foo', 'Invalid statistics domain.'),
    ('show sess backend foo', 'No such backend.'),
    ('show sess frontend foo', 'No such frontend.'),
    ('show sess server px/foo', 'No such server.'),
    ('show sess older', 'Expects a minimum age (in seconds by default).'),
    ('show errors foo', 'No such proxy.'),
    ('show events foo', 'No such event sink'),
    ('show events buf0 -x', 'unknown option'),
    ('show fd x', 'Expects a file descriptor number.'),
    ('show default-server foo', "Can't find backend."),
    ('clear counters server px', "Require 'backend/server'."),
    ('clear counters server px/foo', 'No such server.'),
    ('disable frontend', 'A frontend name is expected.'),
    ('enable frontend px', 'No such frontend.'),
    ('shutdown frontend foo', 'No such frontend.'),
    ('set severity-output', "one of 'none', 'number', 'string' is a required argument"),
    ('set severity-output foo', "one of 'none', 'number', 'string' is a required argument"),
    ('set timeout', "'set timeout' only supports 'cli'."),
    ('set timeout cli', 'Expects an integer value.'),
    ('set timeout cli x', 'Invalid timeout value.'),
    ('wait', 'Expects a duration in milliseconds.'),
    ('wait 5 srv-removable px/s1', 'Failed. Only servers in maintenance mode can be deleted.'),
    ('wait 5 srv-removable px/x', 'Failed. No such server.'),
]


@pytest.mark.parametrize('line,text', ERRORS)
async def test_errors(verbs: Verbs, session: Session, plane: Plane, line: str, text: str) -> None:
    assert await say(verbs, session, line) == Answer(text, Severity.ERROR)
    assert plane.revision == 1


async def test_admin_states(verbs: Verbs, session: Session, plane: Plane) -> None:
    server = plane.server('px', 's1')
    for line, expected in [
        ('disable server px/s1', AdminState.MAINT),
        ('enable server px/s1', AdminState.READY),
        ('set server px/s1 state drain', AdminState.DRAIN),
        ('set server px/s1 state maint', AdminState.MAINT),
        ('set server #3/#1 state ready', AdminState.READY),
    ]:
        assert await say(verbs, session, line) == Answer()
        assert plane.ledger.records[server].effective is expected
    assert set(plane.sources) == {'cli'}


@pytest.mark.parametrize(
    'pushed,line,text',
    [
        (AdminState.MAINT, 'enable server px/s1', 'px/s1 stays in maint, as the control plane asks.'),
        (AdminState.DRAIN, 'set server px/s1 state ready', 'px/s1 stays in drain, as the control plane asks.'),
        (AdminState.DRAIN, 'disable server px/s1', ''),
        (AdminState.READY, 'enable server px/s1', ''),
    ],
)
async def test_a_stricter_wish_of_the_control_plane_is_named(
    verbs: Verbs, session: Session, plane: Plane, pushed: AdminState, line: str, text: str
) -> None:
    plane.make(SetAdmin('px', 's1', pushed, Origin.PUSH))
    assert (await say(verbs, session, line)).text == text


class Overtaken(Plane):
    """The control plane's wish comes in just before each change."""

    async def submit(self, changes: Sequence[Change], *, source: str) -> Outcome:
        self.make(SetAdmin('px', 's1', AdminState.MAINT, Origin.PUSH))
        return await super().submit(changes, source=source)


async def test_the_wish_that_is_named_is_the_one_in_force_when_the_change_is(session: Session) -> None:
    answer = await say(Overtaken().verbs(), session, 'enable server px/s1')
    assert answer.text == 'px/s1 stays in maint, as the control plane asks.'


async def test_workers_that_did_not_confirm_are_named(verbs: Verbs, session: Session, plane: Plane) -> None:
    plane.missing = (1, 3)
    expected = 'Applied, but not confirmed by worker 1, 3.'
    assert (await say(verbs, session, 'disable server px/s1')) == Answer(expected, Severity.WARNING)
    moved = await say(verbs, session, 'set server px/s1 addr 127.0.0.9')
    assert moved.text == f"IP changed from '127.0.0.1' to '127.0.0.9' by 'stats socket command'\n{expected}"


async def test_weights(verbs: Verbs, session: Session) -> None:
    for line, shown in [
        ('set weight px/s1 5', '5'),
        ('set server px/s1 weight 50%', '5'),
        ('set weight px/s1 300%', '30'),
        ('set weight px/s1 0', '0'),
    ]:
        assert await say(verbs, session, line) == Answer()
        assert await say(verbs, session, 'get weight px/s1') == Answer(f'{shown} (initial 10)')


async def test_addresses(verbs: Verbs, session: Session) -> None:
    by = "by 'stats socket command'"
    for line, text in [
        ('addr 127.0.0.1', 'nothing changed'),
        ('addr 127.0.0.1 port 18472', 'nothing changed'),
        ('addr 127.0.0.2', f"IP changed from '127.0.0.1' to '127.0.0.2' {by}"),
        ('addr 127.0.0.2 port 80', f"port changed from '18472' to '80' {by}"),
        ('addr ::1 port 81', f"IP changed from '127.0.0.2' to '::1', port changed from '80' to '81' {by}"),
    ]:
        assert await say(verbs, session, f'set server px/s1 {line}') == Answer(text, Severity.WARNING)


async def test_limits(verbs: Verbs, session: Session, plane: Plane) -> None:
    for line in (
        'set maxconn server px/s1 4',
        'set maxconn frontend fe 50',
        'set maxconn frontend #2 51',
        'set maxconn global 200',
    ):
        assert await say(verbs, session, line) == Answer()
    assert plane.ledger.server('px', 's1').maxconn == 4
    assert plane.ledger.frontend_maxconn('fe') == 51
    assert plane.ledger.maxconn == 200
    await say(verbs, session, 'set maxconn global 0')
    assert plane.ledger.maxconn == 1000


async def test_session_generations_rise(verbs: Verbs, session: Session, plane: Plane) -> None:
    seen = []
    for _ in range(3):
        assert await say(verbs, session, 'shutdown sessions server px/s1') == Answer()
        seen.append(plane.ledger.server('px', 's1').generation)
    assert seen == [5_000, 5_001, 5_002]


async def test_one_session_is_shut_down(verbs: Verbs, session: Session, plane: Plane) -> None:
    plane.rows = [{'id': '0xab', 'src': '10.0.0.1:5', 'frontend': 'fe', 'age_ms': 0}]
    assert (await say(verbs, session, 'show sess')).text.startswith('0xab: ')
    assert await say(verbs, session, 'shutdown session 0xAB') == Answer()
    assert plane.killed == ['0xab']


async def test_workers_that_do_not_answer_are_named(verbs: Verbs, session: Session, plane: Plane) -> None:
    plane.rows = [{'id': '0xab'}]
    plane.silent = (1, 3)
    listed = await say(verbs, session, 'show sess')
    assert listed.severity is Severity.WARNING
    assert listed.text.splitlines()[1:] == ['# Not answered by worker 1, 3.']
    assert await say(verbs, session, 'shutdown session 0xab') == Answer()
    assert await say(verbs, session, 'shutdown session 0x1') == Answer('Not answered by worker 1, 3.', Severity.ERROR)


async def test_wait_until_removable(verbs: Verbs, session: Session, plane: Plane) -> None:
    server = plane.server('px', 's1')
    await say(verbs, session, 'disable server px/s1')
    plane.cells[plane.layout.served(0, server)] = 1
    answer = await say(verbs, session, 'wait 20ms srv-removable px/s1')
    assert answer.text == 'Wait delay expired. Server still has connections attached to it, cannot remove it.'
    plane.cells[plane.layout.served(0, server)] = 0
    assert (await say(verbs, session, 'wait 20ms server-removable px/s1')).text == 'Done.'


async def test_a_disabled_proxy(session: Session) -> None:
    backend = dataclasses.replace(SNAPSHOT.backends[0], disabled=True)
    verbs = Plane(dataclasses.replace(SNAPSHOT, backends=(backend,))).verbs()
    assert (await say(verbs, session, 'disable server px/s1')).text == 'Proxy is disabled.'


async def test_lists(verbs: Verbs, session: Session) -> None:
    verbs.sockets = (StatsSocket(path='/run/s', level=Level.ADMIN),)
    for line, text in [
        ('show backend', '# name\npx\nempty'),
        ('show version', '1.2.3'),
        ('show version extra', '1.2.3'),
        ('show env', 'HOME=/root'),
        ('show env HOME', 'HOME=/root'),
        ('show startup-logs', '[WARNING]  (1) : careful'),
        ('show defaults', '# name'),
        ('show default-server', '* px\n* empty'),
        ('show default-server #3', '* px'),
        ('show cli sockets', '# socket lvl processes\nunix@/run/s admin all'),
        ('echo a  b', 'a b'),
    ]:
        assert (await say(verbs, session, line)).text == text


async def test_dumps(verbs: Verbs, session: Session) -> None:
    assert len((await say(verbs, session, 'show stat')).text.split('\n')) == 7
    assert len((await say(verbs, session, 'show stat px 4 -1')).text.split('\n')) == 4
    assert (await say(verbs, session, 'show info')).text.startswith('Name: Sluice\n')
    assert 'Uptime_sec: 10\n' in (await say(verbs, session, 'show info float')).text
    state = (await say(verbs, session, 'show servers state px')).text
    assert (state[:2], len(state.split('\n'))) == ('1\n', 5)
    connections = (await say(verbs, session, 'show servers conn #3')).text.split('\n')
    assert connections[1].startswith('px/s1 3/1 127.0.0.1 18472 - 5000 0 ')
    assert (await say(verbs, session, 'help')).text.startswith('The following commands')
    assert (await say(verbs, session, 'nonsense')).text.startswith("Unknown command: 'nonsense'")


@pytest.mark.parametrize(
    'level,line',
    [
        (Level.USER, 'show sess'),
        (Level.USER, 'show env'),
        (Level.USER, 'show errors'),
        (Level.USER, 'show fd'),
        (Level.USER, 'show startup-logs'),
        (Level.USER, 'clear counters'),
        (Level.OPERATOR, 'clear counters all'),
        (Level.OPERATOR, 'clear counters server px/s1'),
        (Level.OPERATOR, 'disable frontend fe'),
        (Level.OPERATOR, 'enable frontend fe'),
        (Level.OPERATOR, 'shutdown frontend fe'),
        (Level.OPERATOR, 'disable server px/s1'),
        (Level.OPERATOR, 'set server px/s1 foo'),
        (Level.OPERATOR, 'shutdown sessions server px/s1'),
        (Level.OPERATOR, 'wait 1h'),
        (Level.USER, 'operator'),
    ],
)
async def test_levels(verbs: Verbs, level: Level, line: str) -> None:
    assert await say(verbs, Session(level, 1000), line) == Answer('Permission denied', Severity.ERROR)


async def test_users_do_not_see_addresses(verbs: Verbs) -> None:
    assert '127.0.0.1' not in (await say(verbs, Session(Level.USER, 1000), 'show stat')).text


async def test_what_a_session_sets(verbs: Verbs, session: Session) -> None:
    assert (await say(verbs, session, 'expert-mode')).text == 'expert-mode is OFF'
    for line in (
        'set severity-output string', 'set timeout cli 3s', 'expert-mode on', 'experimental-mode on', 'prompt i',
    ):  # fmt: skip
        assert await say(verbs, session, line) == Answer()
    assert (await say(verbs, session, 'expert-mode')).text == 'expert-mode is ON'
    assert (await say(verbs, session, 'experimental-mode')).text == 'experimental-mode is ON'
    assert (session.severity, session.timeout_ms, session.mode) == (SeverityOutput.STRING, 3000, 'i')
    await say(verbs, session, 'operator')
    assert await say(verbs, session, 'show cli level') == Answer('operator', Severity.INFO)
    await say(verbs, session, 'user')
    assert session.level is Level.USER
    await say(verbs, session, 'quit')
    assert session.ended


async def test_a_refusal_of_the_ledger_is_the_answer(session: Session) -> None:
    plane = Plane()

    class Closed:
        ledger = plane.ledger

        async def submit(self, _changes: object, *, source: str) -> object:
            from dataplane.core.ledger import Refused

            raise Refused((f'no {source} today', 'come back tomorrow'))

    verbs = Verbs(
        publisher=Closed(),  # type: ignore[arg-type]
        workers=plane,
        figures=plane.figures,
        counters=plane.counters,
        doors=plane.doors,
        around=Surroundings(plane.rings, (), plane),
        pools=list,
        wall_ms=lambda: 0,
    )
    assert (await say(verbs, session, 'disable server px/s1')).text == 'no cli today\ncome back tomorrow'


async def test_dynamic_cookies(plane: Plane, verbs: Verbs, session: Session) -> None:
    cookie = Cookie(name='S', mode=CookieMode.INSERT, dynamic=True)
    backends = tuple(dataclasses.replace(backend, cookie=cookie, cookie_key='k') for backend in SNAPSHOT.backends)
    plane.make(AdoptFile(dataclasses.replace(SNAPSHOT, backends=backends)))

    def px() -> Backend:
        index = plane.ledger.tables.backend_of('px')
        assert index is not None
        return plane.ledger.tables.backends[index]

    for line, dynamic, key in (
        ('disable dynamic-cookie backend px', False, 'k'),
        ('set dynamic-cookie-key backend #3 other', False, 'other'),
        ('enable dynamic-cookie backend px', True, 'other'),
    ):
        assert (await say(verbs, session, line)).text == ''
        assert px().cookie == dataclasses.replace(cookie, dynamic=dynamic)
        assert px().cookie_key == key
    for line, text in (
        ('enable dynamic-cookie backend', 'A backend name is expected.'),
        ('disable dynamic-cookie backend none', 'No such backend.'),
        ('set dynamic-cookie-key backend', 'A backend name is expected.'),
        ('set dynamic-cookie-key backend px', 'String value expected.'),
    ):
        assert (await say(verbs, session, line)).text == text
