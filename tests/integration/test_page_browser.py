"""The statistics page as a person has it: in a browser, in both themes, by keyboard alone, with and without scripts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.harness.browser import Browser, browser, chromium, needs_chromium
from tests.integration.harness.planes import DataPlane, Stage, stage
from tests.integration.harness.waiting import until

pytestmark = needs_chromium

PAGE = """
listen web
    bind 127.0.0.1:{port}
    description <script>document.title=1</script>
    stats uri /stats
    stats auth ann:secret
    stats admin if {{ src 127.0.0.0/8 }}
    stats refresh {refresh}
    server s1 127.0.0.1:1 maxconn 10
    server s2 127.0.0.1:1 maxconn 10 disabled
listen own
    bind 127.0.0.1:{own}
    stats enable
    stats uri /
    stats admin if TRUE
"""


class Seen:
    """A data plane with its page, and a browser in front of it."""

    def __init__(self, plane: DataPlane, page: Browser, own: int) -> None:
        self.plane, self.page = plane, page
        self.url = f'http://ann:secret@127.0.0.1:{plane.port}/stats'
        self.own = f'http://127.0.0.1:{own}/'

    async def state(self, server: str) -> str:
        return (await self.plane.cli.stat())['web', server]['status']


@pytest.fixture(scope='module')
def program() -> Iterator[str]:
    """Where Chromium is, which takes as long to start as any of these tests takes."""
    with chromium() as address:
        yield address


@asynccontextmanager
async def seen(on: Stage, program: str, refresh: str = '1h') -> AsyncIterator[Seen]:
    port, own = on.ports.take(), on.ports.take()
    plane = await on.data_plane(PAGE.format(port=port, own=own, refresh=refresh), port=port)
    async with browser(program) as page:
        yield Seen(plane, page, own)


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    parts = [int(part) / 255 for part in re.findall(r'\d+', colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2, 1.4.3 wants 4.5 of text)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


_COLOURS = """[...document.querySelectorAll('section, .s, small, .soft, a, caption, thead th, td, b')].map(function (element) {
  let behind = element;
  while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
  return [element.tagName + '.' + element.className, getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
})"""


async def test_it_can_be_read_in_both_themes(program: str) -> None:
    async with stage() as on, seen(on, program) as at:
        page = at.page
        grounds = {}
        for theme in ('light', 'dark'):
            await page.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': theme}])
            await page.go(at.url)
            grounds[theme] = await page.ask('getComputedStyle(document.body).backgroundColor')
            colours = await page.ask(_COLOURS)
            assert len(colours) > 40
            faint = [(name, ink, ground) for name, ink, ground in colours if contrast(ink, ground) < 4.5]
            assert not faint, (theme, faint)
        assert luminance(grounds['dark']) < 0.05 < 0.8 < luminance(grounds['light'])


async def test_it_asks_for_nothing_and_complains_of_nothing(program: str) -> None:
    async with stage() as on, seen(on, program) as at:
        await at.page.go(at.url)
        assert await at.page.ask('document.title') == 'Statistics'
        assert '<script>document.title=1</script>' in await at.page.ask('document.body.innerText')
        asked = [told['request']['url'] for name, told in at.page.events if name == 'Network.requestWillBeSent']
        assert {url.partition('@')[2] or url.partition('//')[2] for url in asked} <= {
            f'127.0.0.1:{at.plane.port}/stats'
        }
        said = [told for name, told in at.page.events if name in ('Log.entryAdded', 'Runtime.consoleAPICalled')]
        assert said == []


@pytest.mark.parametrize('scripts', [True, False])
async def test_a_server_is_drained_by_keyboard_alone(scripts: bool, program: str) -> None:
    async with stage() as on, seen(on, program) as at:
        page = at.page
        await page.call('Emulation.setScriptExecutionDisabled', value=not scripts)
        await page.go(at.url)
        await page.press('Tab')
        assert await page.ask('document.activeElement.innerText') == 'Skip to the proxies'
        await page.press('Enter')
        assert await page.ask('location.hash') == '#main'
        await page.tab_to('input[name=s][value=s1]', most=3)
        await page.press(' ')
        assert await page.ask("document.querySelector('input[value=s1]').checked") is True
        await page.tab_to('select[name=action]', most=4)
        await page.press('ArrowDown', 'ArrowDown')
        assert await page.ask("document.querySelector('select[name=action]').value") == 'drain'
        await page.press('Tab')
        await page.submit()
        assert (await page.ask('location.href')).endswith('/stats;st=DONE')
        assert 'Done' in await page.ask("document.querySelector('[role=status]').innerText")
        row = await page.ask("document.querySelector('input[value=s1]').closest('tr').innerText")
        assert 'DRAIN' in row
        assert await at.state('s1') == 'DRAIN'


async def test_a_supervisors_own_page_acts_as_well(program: str) -> None:
    async with stage() as on, seen(on, program) as at:
        page = at.page
        await page.go(at.own)
        await page.tab_to('input[name=s][value=s2]')
        await page.press(' ')
        await page.tab_to('select[name=action]')
        await page.press('ArrowDown', 'Tab')
        await page.submit()
        assert (await page.ask('location.href')).endswith('/;st=DONE')
        assert await at.state('s2') == 'no check'


async def test_what_is_chosen_is_shown(program: str) -> None:
    async with stage() as on, seen(on, program) as at:
        page = at.page
        await page.go(at.own)
        await page.tab_to('select[name=show]')
        await page.press('ArrowDown', 'Tab')
        await page.submit()
        assert await page.ask("document.querySelectorAll('input[name=s]').length") == 1
        assert await page.ask("document.querySelector('select[name=show]').value") == 'up'


async def test_it_comes_anew_by_itself(program: str) -> None:
    async with stage() as on, seen(on, program, refresh='1s') as at:
        await at.page.go(at.url)
        await at.page.after('Page.loadEventFired', at.page.count('Page.loadEventFired'))


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost'])
async def test_a_form_of_somebody_else_changes_nothing(host: str, program: str) -> None:
    """The browser sends the credentials that it knows; where the form comes from it says, too."""
    async with stage() as on, seen(on, program) as at:
        target = f'http://127.0.0.1:{at.plane.port}/stats'
        form = f'<form method=post action="{target}"><input name=s value=s1><input name=b value=web><input name=action value=maint><button>x'
        answer = f'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(form)}\r\nConnection: close\r\n\r\n{form}'

        async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b'\r\n\r\n')
            writer.write(answer.encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(strange, '127.0.0.1', 0)
        async with server:
            await at.page.go(at.url)
            await at.page.go(f'http://{host}:{server.sockets[0].getsockname()[1]}/')
            await at.page.tab_to('button')
            await at.page.submit()
            assert (await at.page.ask('location.href')).endswith('/stats;st=DENY')
        assert await at.state('s1') == 'no check'
        await until(lambda: 'an action from 127.0.0.1 was refused' in at.plane.printed(), within=10, what='it is told')
