from __future__ import annotations

from controlplane.domain.desired import Key
from controlplane.domain.sequencer import restored
from controlplane.domain.store import Loaded
from controlplane.domain.version import Version
from controlplane.kube.beginning import grown, rows, stored
from controlplane.kube.bootstrap import Kept
from controlplane.kube.objects import Override, Policy, Service, Slice
from controlplane.kube.outcome import Translation
from controlplane.kube.translate import Translator
from controlplane.kube.world import World
from controlplane.kube.writes import plan
from dataplane.wire.state import State
from tests.unit.controlplane.kube.things import endpoint, override, policy, service, slice_

NAME = 'shop.web.http'
AT = Version(7, 1)


def translated(*things: Service | Slice | Policy | Override) -> Translation:
    world = World()
    for thing in (service(), policy(spec={'hosts': ['web.example.com']}), *things):
        world.put(thing, 0)
    return Translator(world).translate()


def state_of(found: Translation) -> State:
    return restored(Loaded(7, tuple(stored(found, AT)))).state


def test_a_translation_and_a_state_come_back_as_what_they_were() -> None:
    found = translated(slice_('s', endpoint('10.0.0.1', 'web-1'), endpoint('10.0.0.2', 'web-2')))
    state = state_of(found)
    assert set(state['backends'][NAME]['servers']) == {'web-1', 'web-2'}
    kept = Kept(AT, state, (NAME,))
    again = restored(Loaded(7, tuple(rows(kept, AT))))
    assert (again.state, again.divided) == (state, (NAME,))
    assert {row.version for row in rows(kept, AT)} == {AT}


def test_a_term_that_finds_nothing_new_begins_with_nothing_to_write() -> None:
    """Labels are not in the snapshot, and are no change all the same."""
    found = translated(slice_('s', endpoint('10.0.0.1', 'web-1'), endpoint('10.0.0.2', 'web-2')))
    kept = grown(Kept(AT, state_of(found)), found)
    begun = restored(Loaded(7, tuple(rows(kept, AT, found))))
    assert any(begun.labels.values())
    assert plan(begun, found) == ()


def test_what_is_added_or_changed_since_is_there_at_once_and_what_is_gone_is_left_for_the_brake() -> None:
    before = state_of(translated(slice_('s', endpoint('10.0.0.1', 'web-1'), endpoint('10.0.0.2', 'web-2'))))
    drained = override('o', pod='web-1', spec={'adminState': 'Drain'})
    after = translated(slice_('s', endpoint('10.0.0.1', 'web-1'), endpoint('10.0.0.3', 'web-3')), drained)
    servers = grown(Kept(AT, before), after).state['backends'][NAME]['servers']
    assert {name: spec['adminState'] for name, spec in servers.items()} == {
        'web-1': 'drain', 'web-2': 'ready', 'web-3': 'ready',
    }  # fmt: skip


def test_a_session_generation_that_was_pushed_does_not_fall() -> None:
    found = translated(slice_('s', endpoint('10.0.0.1', 'web-1')))
    before = restored(Loaded(7, tuple(stored(found, AT))))
    key = Key('server', 'web-1', NAME)
    raised = {**before.require(key), 'sessionGeneration': 9}
    state = {
        **before.state,
        'backends': {NAME: {**before.state['backends'][NAME], 'servers': {'web-1': raised}}},
    }
    assert grown(Kept(AT, state), found).state['backends'][NAME]['servers']['web-1']['sessionGeneration'] == 9
