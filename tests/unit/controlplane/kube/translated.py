"""What some objects come to, and what is said of it."""

from __future__ import annotations

from controlplane.kube.outcome import Translation
from controlplane.kube.translate import Translator
from controlplane.kube.world import Thing, World

WEB = ('shop', 'web')
HTTP = 'shop.web.http'


def translated(*things: Thing) -> Translation:
    world = World()
    for thing in things:
        world.put(thing, 0)
    return Translator(world).translate()


def states(found: Translation) -> dict[str, str]:
    return {server: spec['adminState'] for (_, server), (spec, _) in found.servers.items()}


def accepted(found: Translation, name: str = 'web') -> tuple[bool, str]:
    say = found.policies['shop', name].targets[0][1].accepted
    return say.holds, say.reason


def resolved(found: Translation, name: str = 'web') -> tuple[bool, str]:
    say = found.policies['shop', name].targets[0][1].resolved
    return say.holds, say.reason
