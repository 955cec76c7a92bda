from __future__ import annotations

from controlplane.domain.planes import Plane
from controlplane.domain.quarantine import active, extended, project
from dataplane.wire import state as wire
from tests.unit.controlplane.domain.specs import BACKEND, S1, S2, app

OLD, NEW, NEWER = app(S1).state, app(S1, S2).state, app().state


def test_the_refused_definition_is_replaced_by_the_one_it_had() -> None:
    quarantine = extended({}, ['app'], NEW, OLD)
    assert project(NEW, quarantine) == OLD
    assert project(NEW, {}) is NEW


def test_another_definition_is_tried_again() -> None:
    quarantine = extended({}, ['app'], NEW, OLD)
    assert project(NEWER, quarantine) is NEWER
    assert active(quarantine, NEWER) == {}


def test_what_it_never_had_it_is_not_sent() -> None:
    quarantine = extended({}, ['app'], NEW, wire.empty())
    assert project(NEW, quarantine) == wire.empty()


def test_a_removal_can_be_refused_too() -> None:
    quarantine = extended({}, ['app'], wire.empty(), OLD)
    assert project(wire.empty(), quarantine) == OLD


def test_of_an_unknown_state_what_was_kept_before_stays() -> None:
    first = extended({}, ['app'], NEW, OLD)
    again = extended(first, ['app'], NEWER, None)
    assert project(NEWER, again) == OLD
    assert project(NEW, extended({}, ['app'], NEW, None)) == wire.empty()


def test_others_flow() -> None:
    wanted = {**NEW, 'backends': {**NEW['backends'], 'other': {**BACKEND, 'servers': {}}}}
    assert set(project(wanted, extended({}, ['app'], wanted, OLD))['backends']) == {'app', 'other'}


def test_a_planes_record_survives() -> None:
    plane = Plane('dp1', extended({}, ['app'], NEW, OLD))
    assert Plane.from_record('dp1', plane.record()) == plane


def routed(state: wire.State, **routes: str) -> wire.State:
    table = {key: {'host': '', 'pathPrefix': f'/{key}', 'backend': name} for key, name in routes.items()}
    return {**state, 'routes': table}


def test_a_backend_that_there_is_not_is_at_fault_by_its_routes() -> None:
    wanted = routed(NEW, r1='nobody', r2='app')
    quarantine = extended({}, ['nobody'], wanted, OLD)
    assert project(wanted, quarantine) == routed(NEW, r2='app')
    assert Plane.from_record('dp1', Plane('dp1', quarantine).record()).quarantine == quarantine
    for change in (routed(wanted, r1='app'), routed(wanted, r1='nobody', r3='nobody')):
        assert project(change, quarantine) is change  # other routes to it: tried again
    defined = {**wanted, 'backends': {**wanted['backends'], 'nobody': {**BACKEND, 'servers': {}}}}
    assert project(defined, quarantine) is defined


def test_routes_go_when_the_backend_is_named_again_though_it_was_kept_back() -> None:
    wanted = routed(NEW, r1='app')
    first = extended({}, ['app'], wanted, wire.empty())
    assert project(wanted, first) == routed(wire.empty(), r1='app')  # its own file may have that backend
    second = extended(first, ['app'], wanted, wire.empty())
    assert project(wanted, second) == wire.empty()
    assert extended(second, ['app'], wanted, wire.empty()) == second


def test_a_backend_whose_removal_is_refused_keeps_its_routes() -> None:
    wanted = routed(wire.empty(), r1='app')
    assert project(wanted, extended({}, ['app'], wanted, OLD)) == routed(OLD, r1='app')


def test_a_plane_kept_by_an_older_version_is_read() -> None:
    record = {'quarantine': {'app': {'kept': None, 'refused': 'x'}}}
    assert Plane.from_record('dp1', record).quarantine['app'].routed
