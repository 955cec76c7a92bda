"""What the commands about checks do: `enable|disable health|agent`, and the words of `set server` that concern checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from dataplane.cli import arguments
from dataplane.cli.session import Answer, Complaint
from dataplane.core.changes import Change, ForceHealth, SetTarget, SwitchCheck
from dataplane.core.health import Verdict
from dataplane.core.ledger import ServerRecord

_VERDICTS: Final = {'up': Verdict.UP, 'stopping': Verdict.STOPPING, 'down': Verdict.DOWN}
_NO_HEALTH: Final = 'health checks are not enabled on this server'
_NO_AGENT: Final = 'agent checks are not enabled on this server'
_MOST: Final = 65_535
SET_WORDS: Final = ('health', 'agent', 'check-addr', 'check-port', 'agent-addr', 'agent-port', 'agent-send')
"""Words of `set server` that are done here."""


def switched(record: ServerRecord, *, agent: bool, enabled: bool) -> Change | None:
    """`enable|disable health|agent`; None when there is nothing to disable. Raises Complaint."""
    declared = record.server.agent if agent else record.server.check
    if declared is None:
        if enabled:
            what = 'Agent' if agent else 'Health check'
            raise Complaint(f'{what} was not configured on this server, cannot enable.')
        return None
    return SwitchCheck(record.backend, record.name, enabled, agent=agent)


def setting(record: ServerRecord, word: str, operands: tuple[str, ...]) -> Change:
    """The change that `set server B/S WORD OPERANDS` asks for. Raises Complaint."""
    first = operands[0] if operands else ''
    match word:
        case 'health':
            return _force_health(record, first)
        case 'agent':
            if not record.health.agent.enabled:
                raise Complaint(f'{_NO_AGENT}.')
            if first not in ('up', 'down'):
                raise Complaint("'set server <srv> agent' expects 'up' or 'down'.")
            return ForceHealth(record.backend, record.name, _VERDICTS[first], agent=True)
        case 'check-addr' | 'agent-addr':
            return _set_address(record, word, operands)
        case 'check-port' | 'agent-port':
            agent = _enabled(record, word)
            return SetTarget(record.backend, record.name, agent=agent, port=_port(first, word))
        case _:
            agent = _enabled(record, word)
            if not first:
                raise Complaint(f'set server <b>/<s> {word} requires a string.')
            return SetTarget(record.backend, record.name, agent=agent, send=first.encode('utf-8', 'surrogateescape'))


def _force_health(record: ServerRecord, word: str) -> Change:
    if record.server.track is not None:
        raise Complaint('cannot change health on a tracking server.')
    if word not in _VERDICTS:
        raise Complaint("'set server <srv> health' expects 'up', 'stopping', or 'down'.")
    return ForceHealth(record.backend, record.name, _VERDICTS[word])


def _enabled(record: ServerRecord, word: str) -> bool:
    """Whether it is the agent's word. Raises Complaint where there is no such check, or it is switched off."""
    agent = word.startswith('agent-')
    if not (record.health.agent if agent else record.health.check).enabled:
        raise Complaint(f'{_NO_AGENT}.' if word == 'agent-send' else _NO_AGENT if agent else _NO_HEALTH)
    return agent


def _set_address(record: ServerRecord, word: str, operands: tuple[str, ...]) -> Change:
    agent = _enabled(record, word)
    if not operands:
        raise Complaint(f'set server <b>/<s> {word} requires an address and optionally a port.')
    try:
        host, _ = arguments.address(operands[:1])
    except Complaint:
        raise Complaint(f"invalid addr '{operands[0]}'") from None
    port = _port(operands[2] if len(operands) > 2 else '', f'{word} port') if operands[1:2] == ('port',) else None
    return SetTarget(record.backend, record.name, agent=agent, addr=host, port=port)


def _port(word: str, what: str) -> int:
    if not word:
        raise Complaint(f'set server <b>/<s> {what} requires a port.')
    if not (word.isascii() and word.isdecimal()):
        raise Complaint('provided port is not an integer')
    number = int(word[:9])
    if not 0 < number <= _MOST:
        raise Complaint('provided port is invalid')
    return number


class HealthVerbs:
    """The methods of these commands; whoever has them finds servers and submits changes."""

    _server: Callable[[str], ServerRecord]
    _submit: Callable[[Change], Awaitable[Answer]]

    async def _switch(self, words: tuple[str, ...], *, agent: bool, enabled: bool) -> Answer:
        change = switched(self._server(words[0] if words else ''), agent=agent, enabled=enabled)
        return Answer() if change is None else await self._submit(change)

    async def _enable_health(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        return await self._switch(words, agent=False, enabled=True)

    async def _disable_health(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        return await self._switch(words, agent=False, enabled=False)

    async def _enable_agent(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        return await self._switch(words, agent=True, enabled=True)

    async def _disable_agent(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        return await self._switch(words, agent=True, enabled=False)
