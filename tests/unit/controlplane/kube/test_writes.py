from __future__ import annotations

from controlplane.domain.desired import Desired, Key, Scope
from controlplane.domain.version import Version
from controlplane.kube.outcome import Translation
from controlplane.kube.world import Thing
from controlplane.kube.writes import plan, targets
from tests.unit.controlplane.kube.things import endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import HTTP, translated

SERVED: list[Thing] = [service(), policy(spec={'hosts': ['a.example.com']})]
PODS = slice_('a', endpoint('10.0.0.1', 'p1'), endpoint('10.0.0.2', 'p2', zone='z1'))


def after(desired: Desired, translation: Translation) -> Desired:
    return desired.after(desired.effective(plan(desired, translation)), Version(1, 1))


def names(desired: Desired, translation: Translation) -> list[str]:
    return [f'{"-" if write.spec is None else "+"}{write.key}' for write in plan(desired, translation)]


def test_from_nothing_to_something_and_back() -> None:
    found = translated(*SERVED, PODS)
    whole = [f'+backend {HTTP}', f'+server {HTTP}/p1', f'+server {HTTP}/p2', '+route a.example.com']
    assert names(Desired(), found) == whole
    there = after(Desired(), found)
    assert plan(there, found) == ()
    assert names(there, Translation()) == [f'-backend {HTTP}', '-route a.example.com']
    empty = after(there, Translation())
    assert (empty.state, empty.labels) == (Desired().state, {})


def test_only_what_differs_is_written() -> None:
    there = after(Desired(), translated(*SERVED, PODS))
    fewer = translated(*SERVED, slice_('a', endpoint('10.0.0.1', 'p1')))
    assert names(there, fewer) == [f'-server {HTTP}/p2']
    drained = translated(*SERVED, PODS, override('o', pod='p2', spec={'adminState': 'Drain'}))
    assert names(there, drained) == [f'+server {HTTP}/p2']
    moved = translated(*SERVED, slice_('a', endpoint('10.0.0.1', 'p1'), endpoint('10.0.0.2', 'p2', zone='z2')))
    assert names(there, moved) == [f'+server {HTTP}/p2']
    assert after(there, moved).labels[Key('server', 'p2', HTTP)]['zone'] == 'z2'
    slower = translated(service(), policy(spec={'hosts': ['a.example.com'], 'retries': {'attempts': 1}}), PODS)
    assert names(there, slower) == [f'+backend {HTTP}']
    renamed = translated(service(), policy(spec={'hosts': ['b.example.com']}), PODS)
    assert names(there, renamed) == ['-route a.example.com', '+route b.example.com']


def test_a_host_that_changes_hands_is_no_conflict() -> None:
    there = after(Desired(), translated(*SERVED, PODS))
    other = translated(service('api'), policy(service='api', spec={'hosts': ['a.example.com']}))
    assert after(there, other).state['routes']['a.example.com']['backend'] == 'shop.api.http'


def test_a_session_generation_never_falls() -> None:
    key = Key('server', 'p1', HTTP)
    shut = override('o', pod='p1', spec={'sessionGeneration': 7, 'adminState': 'Drain'})
    there = after(Desired(), translated(*SERVED, PODS, shut))
    assert there.require(key)['sessionGeneration'] == 7
    without = after(there, translated(*SERVED, PODS))
    assert (without.require(key)['sessionGeneration'], without.require(key)['adminState']) == (7, 'ready')
    assert plan(without, translated(*SERVED, PODS)) == ()
    higher = override('o', pod='p1', spec={'sessionGeneration': 9})
    assert after(without, translated(*SERVED, PODS, higher)).require(key)['sessionGeneration'] == 9


def test_an_operation_waits_for_all_that_is_written() -> None:
    writes = plan(Desired(), translated(*SERVED, PODS))
    assert [(target.key, target.values) for target in targets(writes)] == [(write.key, write.spec) for write in writes]
    assert not any(target.contradicted(after(Desired(), translated(*SERVED, PODS))) for target in targets(writes))


def test_the_scope_of_a_limit_goes_with_its_backend() -> None:
    shared = translated(
        service(), policy(spec={'hosts': ['a.example.com'], 'maxConn': 3, 'limitScope': 'divided'}), PODS
    )
    there = after(Desired(), shared)
    assert there.scope(HTTP) is Scope.DIVIDED
    assert there.divided == (HTTP,)
    assert plan(there, shared) == ()
    own = translated(service(), policy(spec={'hosts': ['a.example.com'], 'maxConn': 3}), PODS)
    assert names(there, own) == [f'+backend {HTTP}']
    assert after(there, own).divided == ()
