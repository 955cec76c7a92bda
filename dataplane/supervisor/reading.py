"""Reading the configuration in a process of its own: compiling a large file takes longer than a heartbeat may.

    sources, in a memfd -> child: read and compile -> what came of it, in a memfd -> the child's end

What must hold:

1. Nothing computes beside the loop in this process; the result is unpacked a part per turn of the loop.
2. It ends in bounded time, with the same configuration, warnings and errors as `Sources.read`. A child that dies or takes
   too long is an `Unusable` that says so, and nobody is left behind: it is killed and reaped, also when the caller is
   cancelled.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from dataplane.config import Loaded
from dataplane.supervisor.bundle import PART, entries_of
from dataplane.supervisor.sources import Sources, Unusable
from dataplane.supervisor.spawn import child_environment, how_it_ended
from dataplane.wire.framing import Channel, Message, pack, unpack

PROGRAM: Final = 'dataplane.supervisor.reading'
PATIENCE: Final = 60.0


async def read_beside(sources: Sources, *, patience: float = PATIENCE) -> Loaded:
    """`sources.read()`, done by a child within `patience` seconds. Raises Unusable."""
    try:
        channel, theirs = Channel.pair()
    except OSError as error:
        raise _not_begun(error) from error
    try:
        with theirs:
            process = await _started(channel, theirs.fileno(), sources)
        code = await _ended(process, patience)
        if code:
            raise Unusable((f'The configuration was not read: process {process.pid} {how_it_ended(code)}.',))
        return await _answer(channel)
    finally:
        channel.close()


def _ask(channel: Channel, sources: Sources) -> None:
    fd = pack([sources])
    try:
        channel.send({'op': 'read'}, (fd,))
    finally:
        os.close(fd)


async def _started(channel: Channel, fd: int, sources: Sources) -> asyncio.subprocess.Process:
    try:
        _ask(channel, sources)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, '-m', PROGRAM, str(fd)),
            pass_fds=(fd,),
            stdin=asyncio.subprocess.DEVNULL,
            env=child_environment(),
            start_new_session=True,  # a signal to the process group is not meant for it
        )
    except OSError as error:
        raise _not_begun(error) from error


def _not_begun(error: OSError) -> Unusable:
    return Unusable((f'The configuration was not read: no process can be started for it: {error}',))


async def _ended(process: asyncio.subprocess.Process, patience: float) -> int:
    """Its exit status, below 0 for a signal."""
    try:
        async with asyncio.timeout(patience):
            return await process.wait()
    except TimeoutError:
        text = f'The configuration was not read: process {process.pid} took longer than {patience:g} s.'
        raise Unusable((text,)) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answer(channel: Channel) -> Loaded:
    try:
        packet = channel.receive()
    except EOFError:
        packet = None
    if packet is None:
        raise Unusable(('The configuration was not read: its process ended without an answer.',))
    came: object = None
    for part in unpack(packet.fds[0]):
        came = part
        await asyncio.sleep(0)
    if isinstance(came, Loaded):
        return came
    problems, warnings = packet.message['problems'], packet.message['warnings']
    raise Unusable(problems, warnings)


# -- the child -------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the one question that waits in the channel, whose descriptor is the argument. Returns the exit status."""
    (fd,) = sys.argv[1:] if arguments is None else arguments
    channel = Channel(socket.socket(fileno=int(fd)))
    try:
        packet = channel.receive()
        if packet is None:
            return 1
        (sources,) = unpack(packet.fds[0])
        answer, parts = _read(sources)
        channel.send(answer, (parts,))
        os.close(parts)
    finally:
        channel.close()
    return 0


def _read(sources: Sources) -> tuple[Message, int]:
    try:
        return {'op': 'read'}, pack(_parts(sources.read()))
    except Unusable as unusable:
        return {'op': 'read', 'problems': unusable.problems, 'warnings': unusable.warnings}, pack(())


def _parts(loaded: Loaded) -> Iterator[object]:
    """The last part is the whole; the others make it cheap to unpack."""
    yield from entries_of(loaded.snapshot.references)
    for backend in loaded.snapshot.backends:
        for at in range(0, len(backend.servers), PART):
            yield backend.servers[at : at + PART]
    yield loaded


if __name__ == '__main__':
    raise SystemExit(main())
