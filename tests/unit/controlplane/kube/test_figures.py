from __future__ import annotations

from collections import Counter
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from controlplane.kube.figures import Standing, Told, standing
from controlplane.kube.source import Flushes

LEADS = Standing(
    leads=True, lease_term=7, reigns=2, snapshots=5, snapshots_failed=1, behind=3,
    told=Told(Counter(backendpolicies=9, events=4), Counter(serveroverrides=2)), held=1, panics=['shop.web.http', 'a.b.c'],
    flushes=Flushes(number=12, gathered_ms=640, took_ms=55),
)  # fmt: skip


def read(of: Standing) -> dict[tuple[str, ...], float]:
    families = list(text_string_to_metric_families('\n'.join(standing(of)) + '\n'))
    assert all(family.documentation for family in families)
    return {
        (one.name.removeprefix('sluice_controlplane_'), *one.labels.values()): one.value
        for family in families
        for one in family.samples
    }


def test_prometheus_reads_what_a_leader_says() -> None:
    assert read(LEADS) == {
        ('leader',): 1, ('lease_term',): 7, ('reigns_total',): 2, ('snapshot_written_total',): 5,
        ('snapshot_failed_total',): 1, ('snapshot_behind',): 3, ('status_written_total', 'backendpolicies'): 9,
        ('status_written_total', 'events'): 4, ('status_failed_total', 'serveroverrides'): 2, ('removals_held',): 1,
        ('panicking_backends',): 2, ('flushes_total',): 12,
        ('flush_gathered_seconds_total',): 0.64, ('flush_seconds_total',): 0.055, ('backend_panic', 'a.b.c'): 1, ('backend_panic', 'shop.web.http'): 1,
    }  # fmt: skip


def test_so_many_backends_are_named_and_all_are_counted() -> None:
    found = read(replace(LEADS, panics=[f'b{number:04}' for number in range(250)]))
    assert found['panicking_backends',] == 250
    assert sum(key[0] == 'backend_panic' for key in found) == 100


def test_a_follower_names_none() -> None:
    found = read(replace(LEADS, leads=False, held=0, panics=[]))
    assert (found['leader',], found['panicking_backends',]) == (0, 0)
