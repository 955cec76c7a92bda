"""What is counted: the stages, each a way that a request can take through a worker. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.cases import Case, headers, payload


@dataclass(frozen=True)
class Stage:
    """A case of the bench, with everything on or bare, whose requests go through one worker in memory."""

    case: Case
    everything: bool = False

    @property
    def name(self) -> str:
        return self.case.name

    def request(self, number: int) -> bytes:
        """The request of client `number`; no two clients ask for the same target, as no two people do."""
        case = self.case
        fields = [f'{name}: {value}' for name, value in headers(case)]
        fields += [f'Content-Length: {case.upload}'] if case.upload else []
        head = '\r\n'.join([f'{case.method} {case.path}?n={number} HTTP/1.1', *fields])
        return f'{head}\r\n\r\n'.encode() + payload(case.upload)

    def answer(self) -> bytes:
        """The server's answer, as nginx words it."""
        head = (
            'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n'
            f'Content-Type: text/plain\r\nContent-Length: {self.case.body}\r\nConnection: keep-alive\r\n\r\n'
        )
        return head.encode() + payload(self.case.body)


STAGES: Final = (
    Stage(Case('everything-on', 'browser-like headers, 1 KiB; httplog, forwardfor, leastconn, maxconn'), everything=True),
    Stage(Case('tiny', 'tiny headers, empty body, bare', browser=False, body=0)),
    Stage(Case('post', 'tiny headers, POST of 1 KiB, bare', browser=False, body=0, upload=1024)),
    Stage(
        Case(
            'queued', 'tiny headers, one server with maxconn 1: all but one of 40 requests wait for their slot',
            browser=False, body=0, servers=1, maxconn=1, queue=True,
        )
    ),
)  # fmt: skip


def stage(name: str) -> Stage:
    """The stage of that name; ValueError when there is none."""
    for one in STAGES:
        if one.name == name:
            return one
    raise ValueError(f'no such stage: {name}; there are {", ".join(one.name for one in STAGES)}')
