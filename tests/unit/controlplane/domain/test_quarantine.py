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
