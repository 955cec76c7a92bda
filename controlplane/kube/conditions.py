"""The status of BackendPolicies and ServerOverrides, as pure functions of what is known. Times come in as text (RFC 3339).

Conditions are positive, keep their `lastTransitionTime` while their status stays, and speak of the generation they are about.
A status that says nothing new equals the previous one, so that the caller can leave it unwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controlplane.kube.objects import Target
from controlplane.kube.outcome import ACCEPTED, RESOLVED, OverrideView, PolicyView, Say, Verdict, no, yes

CONTROLLER: Final = 'sluice.dev/control-plane'
MAX_ANCESTORS: Final = 16
MAX_LOCAL: Final = 16
_LONGEST: Final = 1_024  # characters of a message; the API allows 32,768
_NAMED: Final = 5
_SHARES: Final = 16
_WORDS: Final = {'ready': 'Ready', 'drain': 'Drain', 'maint': 'Maint'}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the known data planes are: `acked` of `desired` have the newest state of the thing, since `version` (term.seq).

    `waiting` and `refused` name data planes that have not acknowledged, and that said they cannot.
    """

    desired: int = 0
    acked: int = 0
    version: str = ''
    waiting: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """Requests in flight and queued, summed over the data planes' last reports."""

    in_flight: int = 0
    queued: int = 0


def policy_status(
    view: PolicyView, progress: Progress, load: Load, previous: Mapping[str, Any], now: str, shares: Sequence[int] = (),
    local: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """The status of a BackendPolicy. `shares`: of a divided limit, what each data plane has of one server. `local`: what was
    set on data planes' own sockets, in words.
    """
    accepted = _first_fault((verdict.accepted for _, verdict in view.targets), ACCEPTED)
    resolved = _first_fault((verdict.resolved for _, verdict in view.targets), RESOLVED)
    says = {
        'Accepted': accepted,
        'ResolvedRefs': resolved,
        'Programmed': _programmed(progress, None if view.backends else _blocked(accepted, resolved)),
        'Ready': view.ready,
        **({} if view.hosts is None else {'HostsAttached': view.hosts}),
    }
    counts = view.counts
    return {
        'observedGeneration': view.generation,
        'conditions': conditions(says, view.generation, previous.get('conditions') or (), now),
        'ancestors': _ancestors(view, previous.get('ancestors') or (), now),
        'appliedVersion': progress.version,
        'dataPlanes': _data_planes(progress),
        'servers': {
            'total': counts.total,
            'ready': counts.ready,
            'drain': counts.drain,
            'maint': counts.maint,
            'summary': f'{counts.ready}/{counts.total}',
        },
        'inFlight': load.in_flight,
        'queued': load.queued,
        'effectiveMaxConn': effective_max_conn(view.max_conn, view.scope, progress.desired, shares),
        'localOverrides': list(local[:MAX_LOCAL]),
    }


def override_status(
    view: OverrideView, progress: Progress, load: Load, previous: Mapping[str, Any], now: str,
    *, effective: str = 'ready', drained: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The status of a ServerOverride. `drained`: every known data plane has said so itself; `effective`: the server's state."""
    blocked = None if view.found.holds else view.found
    says = {'Programmed': _programmed(progress, blocked), 'Drained': _drained(view, progress, load, drained=drained)}
    return {
        'observedGeneration': view.generation,
        'conditions': conditions(says, view.generation, previous.get('conditions') or (), now),
        'server': ', '.join('/'.join(server) for server in view.servers[:_NAMED]),
        'state': _WORDS[effective] if view.servers else 'Unknown',
        'inFlight': load.in_flight,
        'queued': load.queued,
        'appliedVersion': progress.version,
        'dataPlanes': _data_planes(progress),
    }


def conditions(
    says: Mapping[str, Say], generation: int, previous: Sequence[Mapping[str, Any]], now: str
) -> list[dict[str, Any]]:
    """`says` by type, as a list in that order; a condition whose status has not changed keeps the time it had."""
    known = {one.get('type'): one for one in previous}
    made = []
    for kind, say in says.items():
        status = 'True' if say.holds else 'False'
        before = known.get(kind) or {}
        since = before.get('lastTransitionTime') if before.get('status') == status else None
        made.append(
            {
                'type': kind,
                'status': status,
                'observedGeneration': generation,
                'lastTransitionTime': since or now,
                'reason': say.reason,
                'message': say.message if len(say.message) <= _LONGEST else say.message[: _LONGEST - 3] + '...',
            }
        )
    return made


def _first_fault(says: Iterable[Say], otherwise: Say) -> Say:
    """All that is wrong under the first reason, or that nothing is."""
    faults = [say for say in dict.fromkeys(says) if not say.holds]
    return no(faults[0].reason, ' '.join(say.message for say in faults)) if faults else otherwise


def _blocked(accepted: Say, resolved: Say) -> Say:
    """Why a policy has no backends."""
    return next(
        (say for say in (accepted, resolved) if not say.holds), no('NoBackends', 'There is nothing to program.')
    )


def _programmed(progress: Progress, blocked: Say | None) -> Say:
    if blocked is not None:
        return no(blocked.reason, blocked.message)
    if progress.refused:
        return no('NackedBy', f'Refused by {_names(progress.refused)}; they go on with what they had.')
    if not progress.desired:
        return no('NoDataPlanes', 'No data plane is known.')
    if progress.acked < progress.desired:
        waiting = f'; waiting for {_names(progress.waiting)}' if progress.waiting else ''
        return no('Pending', f'In force on {progress.acked} of {progress.desired} data planes{waiting}.')
    # the version is not in the message: it grows with every change of anything, and would be a write each time
    return yes('Programmed', f'In force on all {progress.desired} data planes.')


def _drained(view: OverrideView, progress: Progress, load: Load, *, drained: bool) -> Say:
    if not view.found.holds:
        return no(view.found.reason, view.found.message)
    if view.admin == 'ready':
        return no('NotDraining', 'The override does not take the server out of service.')
    if drained:
        return yes('Drained', 'Nothing is in flight and nothing queued, as every known data plane says.')
    if progress.acked < progress.desired or not progress.desired:
        return no('Pending', 'Not yet in force on every data plane.')
    if load.in_flight or load.queued:
        return no('InFlight', 'Requests are in flight or queued; see inFlight and queued.')
    return no('Pending', 'Not every data plane has said yet that nothing is in flight.')


def _names(planes: Sequence[str]) -> str:
    more = f' and {len(planes) - _NAMED} more' if len(planes) > _NAMED else ''
    return ', '.join(planes[:_NAMED]) + more


def _data_planes(progress: Progress) -> dict[str, Any]:
    return {'desired': progress.desired, 'acked': progress.acked, 'summary': f'{progress.acked}/{progress.desired}'}


def _ancestors(view: PolicyView, previous: Sequence[Mapping[str, Any]], now: str) -> list[dict[str, Any]]:
    """One entry for each target, as policies of the Gateway API report them."""
    known = {_ref_key(one.get('ancestorRef') or {}): one.get('conditions') or () for one in previous}
    made = []
    for target, verdict in view.targets[:MAX_ANCESTORS]:
        ref = _ref(target)
        made.append(
            {
                'ancestorRef': ref,
                'controllerName': CONTROLLER,
                'conditions': conditions(_of_target(verdict), view.generation, known.get(_ref_key(ref)) or (), now),
            }
        )
    return made


def _of_target(verdict: Verdict) -> dict[str, Say]:
    return {'Accepted': verdict.accepted, 'ResolvedRefs': verdict.resolved}


def _ref(target: Target) -> dict[str, str]:
    ref = {'group': '', 'kind': 'Service', 'name': target.service}
    return {**ref, 'sectionName': target.port} if target.port else ref


def _ref_key(ref: Mapping[str, Any]) -> tuple[str, str]:
    return ref.get('name', ''), ref.get('sectionName', '')


def effective_max_conn(max_conn: int, scope: str, planes: int, shares: Sequence[int]) -> str:
    """The limit of one server in words, over all data planes."""
    if not max_conn:
        return 'unlimited'
    if scope == 'perReplica':
        return f'{max_conn * planes} total = {planes} x {max_conn}'
    if not shares:
        return f'{max_conn} total'
    if len(shares) > _SHARES:
        return f'{max_conn} total over {len(shares)} data planes'
    return f'{max_conn} total = {",".join(map(str, shares))}'
