from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from controlplane.kube.informer import Figures
from controlplane.kube.metrics import lines
from controlplane.kube.retry import Ill, Trouble

SERVICES = Figures(
    'services', True, 3, {'start': 1, 'expired': 2}, {'ADDED': 4, 'BOOKMARK': 9}, {Ill.SILENT: 5}, 6, 7, 1_700_000_000.25,
    {'one': Trouble(Ill.SILENT, 'x', 0.0), 'two': Trouble(Ill.SILENT, 'y', 0.0)},
)  # fmt: skip
LEASES = Figures('leases.coordination.k8s.io', False, 0, {}, {}, {}, 0, 0, None, {})


def test_prometheus_reads_what_is_written() -> None:
    families = list(text_string_to_metric_families('\n'.join(lines([SERVICES, LEASES])) + '\n'))
    assert len({family.name for family in families}) == len(families) == 9
    assert all(family.documentation for family in families)
    read = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    prefix = 'sluice_controlplane_informer_'
    assert read[prefix + 'relists_total', 'services', 'expired'] == 2
    assert read[prefix + 'events_total', 'services', 'BOOKMARK'] == 9
    assert read[prefix + 'failures_total', 'services', 'silent'] == 5
    assert read[prefix + 'trouble', 'services', 'silent'] == 1
    assert read[prefix + 'last_event_timestamp_seconds', 'services'] == 1_700_000_000.25
    assert read[prefix + 'synced', 'leases.coordination.k8s.io'] == 0
    assert (prefix + 'last_event_timestamp_seconds', 'leases.coordination.k8s.io') not in read


def test_no_informers_no_samples() -> None:
    assert all(line.startswith('#') for line in lines([]))
