"""Debian's Chromium, driven over the DevTools Protocol: pages opened and used by keyboard, as a person would.

No driver is installed for it: the protocol is JSON over a websocket, and aiohttp speaks that. Every wait is for something that
the browser tells, never for time to pass.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.harness.procs import _die_with_parent

CHROMIUM = shutil.which('chromium')
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason='chromium is not installed: no page is looked at in a browser'
)
_START = 60.0
_ANSWER = 30.0
_KEYS = {
    'Tab': (9, ''), 'Enter': (13, '\r'), ' ': (32, ' '), 'ArrowDown': (40, ''), 'ArrowUp': (38, ''), 'End': (35, ''),
}  # fmt: skip


class Browser:
    """One page that shares nothing with any other. Use `browser()`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._open: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._listening = asyncio.create_task(self._listen())
        self._changed = asyncio.Event()
        self.events: list[tuple[str, dict[str, Any]]] = []

    async def _listen(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if 'id' in told:
                answered = self._open.pop(told['id'])
                if 'error' in told:
                    answered.set_exception(AssertionError(told['error']))
                else:
                    answered.set_result(told['result'])
            else:
                self.events.append((told['method'], told['params']))
                self._changed.set()

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        self._open[number] = answered = asyncio.get_running_loop().create_future()
        session = {} if self._session is None else {'sessionId': self._session}
        await self._socket.send_json({'id': number, 'method': method, 'params': parameters, **session})
        return await asyncio.wait_for(answered, _ANSWER)

    async def attach(self) -> None:
        """Make a page with cookies, cache and credentials of its own, gone with this conversation; hear of what happens in it."""
        made = await self.call('Target.createBrowserContext', disposeOnDetach=True)
        target = await self.call(
            'Target.createTarget', url='about:blank', browserContextId=made['browserContextId'], width=1400, height=900
        )
        attached = await self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Network', 'Log', 'Runtime'):
            await self.call(f'{domain}.enable')

    def count(self, method: str) -> int:
        """How often that event has come."""
        return sum(name == method for name, _ in self.events)

    async def after(self, method: str, before: int) -> None:
        """Return when the event has come more often than `before`."""
        async with asyncio.timeout(_ANSWER):
            while self.count(method) <= before:
                self._changed.clear()
                await self._changed.wait()

    async def go(self, url: str) -> None:
        """Open an address; returns when the page is there."""
        loaded = self.count('Page.loadEventFired')
        result = await self.call('Page.navigate', url=url)
        assert 'errorText' not in result, result
        await self.after('Page.loadEventFired', loaded)

    async def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = await self.call('Runtime.evaluate', expression=expression, returnByValue=True)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            code, text = _KEYS[key]
            common = {'key': key, 'code': 'Space' if key == ' ' else key, 'windowsVirtualKeyCode': code}
            await self.call('Input.dispatchKeyEvent', type='keyDown', **common, **({'text': text} if text else {}))
            await self.call('Input.dispatchKeyEvent', type='keyUp', **common)

    async def tab_to(self, selector: str, most: int = 60) -> None:
        """Press Tab until what the selector finds has the focus."""
        for _ in range(most):
            if await self.ask(f'document.activeElement.matches({json.dumps(selector)})'):
                return
            await self.press('Tab')
        raise AssertionError(f'{selector} cannot be reached by Tab')

    async def submit(self, key: str = 'Enter') -> None:
        """Press a key that leads to another page; returns when that is there."""
        loaded = self.count('Page.loadEventFired')
        await self.press(key)
        await self.after('Page.loadEventFired', loaded)

    async def close(self) -> None:
        """End the conversation."""
        await self._socket.close()
        await asyncio.gather(self._listening, return_exceptions=True)


@contextmanager
def chromium() -> Iterator[str]:
    """The program, for the pages of many tests; ended when the block is left. Yields its address."""
    assert CHROMIUM is not None
    home = Path(tempfile.mkdtemp(prefix='chromium-'))
    port, printed = home / 'DevToolsActivePort', home / 'chromium.log'
    argv = [
        CHROMIUM, '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--remote-debugging-port=0',
        '--disable-background-networking', '--disable-component-update', f'--user-data-dir={home}', '--window-size=1400,900', 'about:blank',
    ]  # fmt: skip
    with printed.open('wb') as sink:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=home, start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it makes one call
        )  # fmt: skip
    try:
        deadline = time.monotonic() + _START
        while not (port.exists() and port.read_text().count('\n') >= 1):
            assert process.poll() is None, printed.read_text(errors='replace')
            assert time.monotonic() < deadline, printed.read_text(errors='replace')
            time.sleep(0.01)
        number, path = port.read_text().splitlines()[:2]
        yield f'ws://127.0.0.1:{number}{path}'
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def browser(address: str) -> AsyncIterator[Browser]:
    """A page of the Chromium at this address, closed when the block is left."""
    async with aiohttp.ClientSession() as client, client.ws_connect(address, max_msg_size=1 << 26) as socket:
        made = Browser(socket)
        await made.attach()
        try:
            yield made
        finally:
            await made.close()
