"""The least that must hold on a node: it installs, answers, drains and rolls over without losing a request."""

from __future__ import annotations

import sys

import httpx
import pytest

from tests.cluster.harness.kinds import override
from tests.cluster.harness.running import Running
from tests.cluster.kit.packages import ROOT
from tests.integration.harness.waiting import until
from tests.node.site import CONTROL, DATA, Site

pytestmark = pytest.mark.smoke


async def test_it_installs_and_its_own_tests_pass(site: Site) -> None:
    assert (await site.release.status())['info']['status'] == 'deployed'
    (await site.release.helm('test', site.release.name, '--timeout', '120s')).must()


async def test_drains_by_rest_and_by_hand_lose_nothing(site: Site) -> None:
    first, second, third = await site.application(replicas=3)
    async with site.load():
        answer = await site.wish(first, 'drain', 'drained')
        assert answer.status_code == httpx.codes.OK, answer.text
        assert await site.answering() == {second, third}
        by_hand = override('by-hand', await site.kube.get('pods', second, site.namespace), adminState='Drain')
        await site.kubectl('apply', '-f', '-', document=by_hand)
        await site.only(third)
        await site.kubectl('delete', 'so', '--all')
        await site.only(first, second, third)


async def test_rolling_restarts_lose_nothing(site: Site) -> None:
    """Of the application, of the data planes, of the control planes."""
    before = await site.application(replicas=2)
    async with site.load():
        await site.restart('web')
        after = await site.all_used(2)
        assert not set(before) & set(after)
        await site.restart(DATA, site.release.namespace)
        await site.restart(CONTROL, site.release.namespace)
        assert await site.answering() == set(await site.pods())


async def test_the_notes_lead_to_the_first_drain(site: Site, cluster: Running) -> None:
    """What `helm install` prints is typed as it stands, by somebody who has the application `web` in `default`."""
    site.namespace = 'default'
    first, *_ = await site.application(replicas=2)
    await site.kubectl('delete', 'backendpolicy', 'web')
    try:
        script = typed((await site.release.helm('get', 'notes', site.release.name)).must(), first)
        done = await cluster.run('bash', '-c', script, within=90)
        assert done.status == 0, f'{done.out}\n{done.err}'
        assert f'default.web.http/{first}: set adminState=drain' in done.out
        assert '"state":"done"' in done.out.replace(' ', ''), 'the drain by curl was answered'

        async def is_shown() -> bool:
            found = await site.rest('GET', f'/v1/backends/{site.backend}/servers/{first}')
            return bool(list(found.json()['status']['localOverrides'].values()) == [{'state': 'drain'}] * 2)

        await until(is_shown, within=30, what='what was set on the sockets is shown', every=0.5)
    finally:
        made = ('backendpolicy/web', 'deployment/web', 'service/web', 'configmap/web-script')
        await site.kubectl('delete', *made, '--ignore-not-found')


def typed(notes: str, pod: str) -> str:
    """The commands of the notes as a script: with a pod for POD, and with each port-forward awaited as people do."""
    sluicectl = f'PYTHONPATH={ROOT} {sys.executable} -m sluicectl "$@"'
    lines = ['set -e', 'cd "$(mktemp -d)"', "trap 'kill $(jobs -p)' EXIT", f'sluicectl() {{ {sluicectl}; }}']
    for line in notes.splitlines():
        command = line.removeprefix('   ')
        if command == line or (command[:1].isupper() and command != 'EOF'):
            continue  # prose
        if command.endswith('--watch'):
            command = command.removesuffix('--watch')
        lines.append(command.replace('POD', pod).replace('oncall', 'noted'))
        if command.endswith('&'):
            port = command.split()[-2].partition(':')[0]
            lines.append(f'until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do :; done')
    return '\n'.join(lines)
