"""The load generator: the script it is given, its command line, and what it says at the end.

wrk prints rounded figures; the script's `done` is handed the exact ones, and writes them as one line of JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from bench.cases import Case, headers

MARK = 'bench-result '


@dataclass(frozen=True)
class Load:
    """What one run of wrk did. Times in microseconds; `bytes_read` counts unfinished answers too."""

    requests: int
    duration_us: int
    bytes_read: int
    p50_us: float
    p99_us: float
    errors: dict[str, int]

    @property
    def failures(self) -> str:
        """The error counters that are not zero, or nothing."""
        return ', '.join(f'{count} {kind}' for kind, count in self.errors.items() if count)


def _quoted(text: str) -> str:
    return '"' + re.sub(r'[\\"\n]', lambda match: f'\\{ord(match[0]):03d}', text) + '"'


def script(case: Case) -> str:
    """Lua: the request (the same for all), and the line of results. Upload is one byte repeated: the origin counts them."""
    lines = [f'wrk.method = {_quoted(case.method)}']
    lines += [f'wrk.headers[{_quoted(name)}] = {_quoted(value)}' for name, value in headers(case)]
    if case.upload:
        lines.append(f'wrk.body = string.rep("x", {case.upload})')
    lines += [
        'done = function(summary, latency, requests)',
        '  local e = summary.errors',
        '  io.write(string.format(',
        f'    \'{MARK}{{"requests": %d, "duration": %d, "bytes": %d, "p50": %d, "p99": %d, \'',
        '    .. \'"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\\n\',',
        '    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),',
        '    e.connect, e.read, e.write, e.status, e.timeout))',
        'end',
    ]
    return '\n'.join(lines) + '\n'


def command(wrk: str, case: Case, port: int, seconds: float, script_path: str) -> list[str]:
    """The command line; whole seconds are all it knows."""
    url = f'http://127.0.0.1:{port}{case.path}'
    return [
        wrk, '-t1', f'-c{case.connections}', f'-d{max(1, round(seconds))}s', '--timeout', '10s', '-s', script_path, url
    ]  # fmt: skip


def parse(output: str) -> Load:
    """ValueError when wrk did not come to its end."""
    found = [line[len(MARK) :] for line in output.splitlines() if line.startswith(MARK)]
    if len(found) != 1:
        raise ValueError(f'wrk printed no result: {output.strip()[-300:]!r}')
    said = json.loads(found[0])
    return Load(
        requests=said['requests'],
        duration_us=said['duration'],
        bytes_read=said['bytes'],
        p50_us=said['p50'],
        p99_us=said['p99'],
        errors={kind: said[kind] for kind in ('connect', 'read', 'write', 'status', 'timeout')},
    )
