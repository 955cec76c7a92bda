"""What is counted of each nameserver, as HAProxy counts it: `show resolvers`, `show stat domain resolvers`."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Counts:
    """Of one nameserver. `update`: addresses that changed with an answer of it; `cname`, `timeout`: HAProxy counts none, nor do we."""

    sent: int = 0
    snd_error: int = 0
    valid: int = 0
    update: int = 0
    cname: int = 0
    cname_error: int = 0
    any_err: int = 0
    nx: int = 0
    timeout: int = 0
    refused: int = 0
    other: int = 0
    invalid: int = 0
    too_big: int = 0
    truncated: int = 0
    outdated: int = 0

    def values(self) -> dict[str, int]:
        """By their names, in HAProxy's order."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def clear(self) -> None:
        """From 0 again."""
        for one in fields(self):
            setattr(self, one.name, 0)
