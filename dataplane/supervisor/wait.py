"""`wait`: sleep, or until a server is removable, no longer than the client has the patience for.

As in HAProxy the condition is looked at again after half of the time already waited, and at least ten times in all. A
client that closed its side and has sent nothing more to be done is not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

from dataplane.cli.arguments import wait_delay
from dataplane.cli.session import Answer, Complaint, Severity

USAGE: Final = """Usage: wait {-h|<duration>} [condition [args...]]
  - '-h' displays this help
  - <duration> is the maximum wait time, optionally suffixed by the unit among
    'us', 'ms', 's', 'm', 'h', and 'd'. ; the default unit is milliseconds.
  - <condition> indicates what to wait for, no longer than the specified
    duration. Supported conditions are:
    - <none> : by default, just sleep for the specified duration.
    - srv-removable <px>/<sv> : wait for this server to become removable.
    - be-removable <px> : wait for this backend to become removable."""
_REMOVABLE: Final = {
    'srv-removable': 'Missing server name (<backend>/<server>).',
    'server-removable': 'Missing server name (<backend>/<server>).',
    'be-removable': 'Missing backend name.',
}


async def _to_nobody(text: str) -> None:
    """Nobody is there."""
    del text


@dataclass(slots=True)
class Patience:
    """Whether the client still waits. `closed` is set when it closed its side; `more` tells of input not yet done.

    `arrived` is set when something comes of it, and cleared by who looks for that; `write` sends it a part of an answer.
    """

    closed: asyncio.Event = field(default_factory=asyncio.Event)
    more: Callable[[], bool] = bool
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    write: Callable[[str], Awaitable[None]] = _to_nobody

    async def last(self, seconds: float) -> bool:
        """Wait; False at once when the client is gone and nothing more of it is to be done."""
        if self.more():
            await asyncio.sleep(seconds)
            return True
        try:
            async with asyncio.timeout(seconds):
                await self.closed.wait()
        except TimeoutError:
            return True
        return False

    async def until(self, something: Coroutine[None, None, None]) -> bool:
        """Wait for something; False at once when the client says anything, or is gone."""
        awaited = asyncio.ensure_future(something)
        heard = asyncio.ensure_future(self._heard())
        try:
            await asyncio.wait([awaited, heard], return_when=asyncio.FIRST_COMPLETED)
            return not heard.done()
        finally:
            awaited.cancel()
            heard.cancel()

    async def _heard(self) -> None:
        while not (self.closed.is_set() or self.more()):
            self.arrived.clear()
            await self.arrived.wait()


async def wait_for(words: tuple[str, ...], patience: Patience, hindrance: Callable[[str, str], str]) -> Answer:
    """Do `wait`. `hindrance(condition, name)` says why a server or backend cannot be removed ('' when it can) and raises
    Complaint when it never will.
    """
    if words[:1] == ('-h',):
        return Answer(USAGE, Severity.INFO)
    seconds = wait_delay(words[0] if words else '')
    condition = words[1] if len(words) > 1 else ''
    if condition in _REMOVABLE:
        if len(words) < 3:
            raise Complaint(_REMOVABLE[condition])
        return await _until_removable(lambda: hindrance(condition, words[2]), seconds, patience)
    if condition:
        return Answer(USAGE, Severity.INFO if condition == '-h' else Severity.ERROR)
    return _done() if await patience.last(seconds) else _complain('Interrupted.')


async def _until_removable(hindrance: Callable[[], str], seconds: float, patience: Patience) -> Answer:
    loop = asyncio.get_running_loop()
    start = loop.time()
    while True:
        try:
            reason = hindrance()
        except Complaint as complaint:
            return _complain(f'Failed. {complaint.answer.text}')
        if not reason:
            return _done()
        elapsed = loop.time() - start
        if elapsed >= seconds:
            return _complain(f'Wait delay expired. {reason}')
        pause = min(elapsed / 2 + 0.001, seconds / 10, seconds - elapsed)
        if not await patience.last(pause):
            return _complain(f'Interrupted. {reason}')


def _done() -> Answer:
    return Answer('Done.', Severity.INFO)


def _complain(text: str) -> Answer:
    return Answer(text, Severity.ERROR)
