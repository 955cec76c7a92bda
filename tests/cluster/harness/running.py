"""The cluster of the test session: its programs, and its parts that a test may take away and give back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kit import parts
from tests.cluster.kit.build import Bin
from tests.cluster.kit.cluster import api_port, api_server_is_ready
from tests.integration.harness.waiting import until


@dataclass(frozen=True)
class Done:
    """What a program printed and how it ended."""

    status: int
    out: str
    err: str

    def must(self) -> str:
        """What it printed, when it succeeded."""
        assert self.status == 0, f'exit status {self.status}\n{self.err}\n{self.out}'
        return self.out


@dataclass(frozen=True)
class Running:
    """A running cluster."""

    work: Path
    kubeconfig: Path
    programs: Bin

    async def kubectl(self, *words: str, document: object = None, within: float = 60.0) -> Done:
        """kubectl as the administrator; `document` is its standard input, as JSON, or as it is when it is text."""
        text = document if isinstance(document, str) or document is None else json.dumps(document)
        return await self.run(str(self.programs.kubectl), *words, text=text, within=within)

    async def helm(self, *words: str, within: float = 120.0) -> Done:
        """helm as the administrator."""
        return await self.run(str(self.programs.helm), *words, within=within)

    async def run(self, *words: str, text: str | None = None, within: float = 60.0) -> Done:
        """A program with this cluster's kubeconfig. TimeoutError: it was ended after `within` seconds."""
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
        )
        try:
            async with asyncio.timeout(within):
                out, err = await process.communicate(None if text is None else text.encode())
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return Done(process.returncode or 0, out.decode(), err.decode())

    def environment(self) -> dict[str, str]:
        """For programs that talk to this cluster; helm's own files stay in the work directory."""
        homes = {f'HELM_{kind}_HOME': str(self.work / 'helm' / kind.lower()) for kind in ('CACHE', 'CONFIG', 'DATA')}
        path = f'{self.programs.path}:{os.environ["PATH"]}'
        return {**os.environ, **homes, 'KUBECONFIG': str(self.kubeconfig), 'PATH': path}

    async def kill(self, part: str) -> None:
        """SIGKILL."""
        await asyncio.to_thread(parts.kill, self.work, part)

    async def start(self, part: str) -> None:
        """Start a part again, the API server until it is ready.

        The controllers are then begun anew: by themselves they would ask again after as much as half a minute.
        """
        await asyncio.to_thread(parts.start_again, self.work, part)
        if part == 'kube-apiserver':
            await until(self._is_ready, within=60, what='the API server is ready again', every=0.1)
            await self.kill('kube-controller-manager')
            await asyncio.to_thread(parts.start_again, self.work, 'kube-controller-manager')

    @asynccontextmanager
    async def without(self, part: str) -> AsyncIterator[None]:
        """The cluster while a part was killed; it is there again at the end, whatever happens inside."""
        await self.kill(part)
        try:
            yield
        finally:
            await self.start(part)

    async def _is_ready(self) -> bool:
        return await asyncio.to_thread(api_server_is_ready, self.work, api_port(self.work))
