"""What is measured: the cases, by name, and what differs between them. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True)
class Case:
    """One kind of load. `body` is what the answer carries, `upload` what the request carries (then it is a POST)."""

    name: str
    about: str
    browser: bool = True
    body: int = KIB
    upload: int = 0
    keepalive: bool = True
    connections: int = 40
    workers: int = 1
    servers: int = 3
    maxconn: int = 34  # of each server, with everything on; `queue` has it always
    queue: bool = False  # does the case make sense for proxies with a queue only?

    @property
    def method(self) -> str:
        return 'POST' if self.upload else 'GET'

    @property
    def path(self) -> str:
        return f'/post/{self.upload}' if self.upload else f'/body/{self.body}'


CASES: Final = (
    Case('tiny-0', 'tiny headers, empty body', browser=False, body=0),
    Case('tiny-1k', 'tiny headers, 1 KiB', browser=False),
    Case('browser-0', 'browser-like headers, empty body', body=0),
    Case('browser-1k', 'browser-like headers, 1 KiB'),
    Case('browser-100k', 'browser-like headers, 100 KiB', body=100 * KIB),
    Case('browser-10m', 'browser-like headers, 10 MiB, 8 connections', body=10 * MIB, connections=8),
    Case('close-1k', 'browser-like headers, 1 KiB, one connection per request', keepalive=False),
    Case('post-1k', 'browser-like headers, POST of 1 KiB', upload=KIB),
    Case('post-1m', 'browser-like headers, POST of 1 MiB, 8 connections', upload=MIB, connections=8),
    Case('conns-1000', 'browser-like headers, 1 KiB, 1,000 connections', connections=1000, maxconn=400),
    Case('queue-400', 'one server with maxconn 4, 400 clients', connections=400, servers=1, maxconn=4, queue=True),
    Case('workers-2', 'browser-like headers, 1 KiB, two workers on the same core', workers=2),
)

TINY: Final = (('Host', 'bench.local'),)
BROWSER: Final = (
    ('Host', 'bench.local'),
    ('User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'),
    ('Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'),
    ('Accept-Language', 'en-US,en;q=0.7,de;q=0.3'),
    ('Accept-Encoding', 'gzip, deflate, br'),
    ('Referer', 'http://bench.local/shop/catalogue/index.html?page=3'),
    ('Cookie', 'session=7f3c9a4be0d14c5a8f6e2b1d9c0a7e55; theme=dark; consent=a1b2c3d4e5f6; _ga=GA1.2.1234567890.1700000000'),
    ('Upgrade-Insecure-Requests', '1'),
    ('Sec-Fetch-Dest', 'document'),
    ('Sec-Fetch-Mode', 'navigate'),
    ('Sec-Fetch-Site', 'same-origin'),
    ('Sec-Fetch-User', '?1'),
    ('Cache-Control', 'max-age=0'),
)  # fmt: skip


def headers(case: Case) -> tuple[tuple[str, str], ...]:
    """The request's header fields; Content-Length is the client's business."""
    fields = BROWSER if case.browser else TINY
    return fields if case.keepalive else (*fields, ('Connection', 'close'))


def payload(size: int) -> bytes:
    """`size` bytes that are the same on every machine, and in which a piece left out or doubled is seen."""
    lines = (f'{number:015d}\n' for number in range(-(-size // 16)))
    return ''.join(lines).encode()[:size]


def chosen(names: list[str]) -> tuple[Case, ...]:
    """The cases of these names, in the order of the list above; all for none. ValueError names an unknown one."""
    if unknown := [name for name in names if name not in {case.name for case in CASES}]:
        raise ValueError(f'no such case: {", ".join(unknown)}; there are {", ".join(case.name for case in CASES)}')
    return tuple(case for case in CASES if not names or case.name in names)
