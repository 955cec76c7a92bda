"""The vocabulary of checks: HAProxy's defaults, and data that travels."""

from __future__ import annotations

import pickle

from dataplane.core.checks import AgentCheck, Connect, InitState, Observe, OnError, Pace, Probe, ProbeKind, ServerCheck
from dataplane.core.checks import Layer as ObservedLayer


def test_the_defaults_are_haproxys() -> None:
    assert Pace() == Pace(inter=2_000, fastinter=0, downinter=0, rise=2, fall=3)
    assert ServerCheck() == ServerCheck(pace=Pace(), addr='', port=0, init_state=InitState.NONE)
    assert (AgentCheck().pace.rise, AgentCheck().pace.fall, AgentCheck().pace.inter) == (1, 1, 2_000)
    observe = Observe(layer=ObservedLayer.LAYER4)
    assert (observe.limit, observe.on_error) == (10, OnError.FAIL_CHECK)
    assert Probe() == Probe(kind=ProbeKind.CONNECT, steps=(Connect(implicit=True),), timeout=None, connect=None)


def test_it_is_pickled_to_workers() -> None:
    for thing in (Probe(), ServerCheck(), AgentCheck(send=b'x'), Observe(layer=ObservedLayer.LAYER7)):
        assert pickle.loads(pickle.dumps(thing)) == thing
