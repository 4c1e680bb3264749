"""An app's environment here and at a place outside: what differs, and making it not differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from underway.environment.drift import Difference, Kind, Move, Way, drift, move
from underway.ports.place_memory import PlaceMemory
from underway.ports.places import Place, Told
from underway.terms.environment import Held, fingerprint
from underway.terms.place import Memo, PlaceAddress
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

KeepHere = Callable[[Mapping[str, Secret], Sequence[str]], None]
"""Put values into the environment here and remove names from it; raises `Refusal` or `Failure`."""


@dataclass(frozen=True)
class SyncAsk:
    """Which way, between which environment of which app and which place."""

    way: Way
    app: str
    environment: str
    address: PlaceAddress
    is_pruning: bool = False


@dataclass(frozen=True)
class Compared:
    """Both sides, what differs, and what would be done."""

    here: Mapping[str, Secret]
    there: Mapping[str, Held]
    differences: tuple[Difference, ...]
    move: Move


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A name that could not be set or removed at the place."""

    name: str
    problem: Problem


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, name by name; no value is in it. Run again, it does what is left."""

    set_there: tuple[str, ...] = ()
    unset_there: tuple[str, ...] = ()
    set_here: tuple[str, ...] = ()
    unset_here: tuple[str, ...] = ()
    failed: tuple[Failed, ...] = ()


async def compare(ask: SyncAsk, here: Mapping[str, Secret], place: Place, memory: PlaceMemory) -> Compared:
    """Look at both sides; change nothing. Raises `Failure` where the place cannot be asked."""
    there = await place.held()
    known = memory.load(ask.app, ask.environment, ask.address.text)
    differences = drift(here, there, known.memos, known.key, ask.address.traits)
    return Compared(here, there, differences, move(ask.way, differences, there, is_pruning=ask.is_pruning))


async def carry_over(ask: SyncAsk, seen: Compared, place: Place, memory: PlaceMemory, keep_here: KeepHere) -> Synced:
    """Do what was shown. Here first: it is all or nothing, while a place may take some names and refuse others."""
    todo = seen.move
    if todo.set_here or todo.unset_here:
        values = {name: seen.there[name].value for name in todo.set_here}
        keep_here({name: value for name, value in values.items() if value is not None}, todo.unset_here)
    told: list[Told] = []
    if todo.set_there:
        told += await place.set({name: seen.here[name] for name in todo.set_there})
    if todo.unset_there:
        told += await place.unset(todo.unset_there)
    failed = {each.name: each.problem for each in told if each.problem is not None}
    done = Synced(
        set_there=tuple(name for name in todo.set_there if name not in failed),
        unset_there=tuple(name for name in todo.unset_there if name not in failed),
        set_here=todo.set_here,
        unset_here=todo.unset_here,
        failed=tuple(Failed(name=name, problem=problem) for name, problem in failed.items()),
    )
    await _remember(ask, seen, done, place, memory)
    return done


async def _remember(ask: SyncAsk, seen: Compared, done: Synced, place: Place, memory: PlaceMemory) -> None:
    """What is now equal on both sides, with the digests that the place has for it after the change."""
    key = memory.load(ask.app, ask.environment, ask.address.text).key
    equal = {name: seen.here[name] for name in done.set_there}
    equal |= {each.name: seen.here[each.name] for each in seen.differences if each.kind is Kind.SAME}
    equal |= {name: value for name in done.set_here if (value := seen.there[name].value) is not None}
    try:
        there = await place.held() if done.set_there else seen.there
    except Failure:
        return  # what was set stays set and was told; only it is not known by its digest the next time
    digests = {name: there[name].digest for name in equal if name in there}
    memos = {name: Memo(fingerprint(key, value), digests.get(name, "")) for name, value in equal.items()}
    memory.keep(ask.app, ask.environment, ask.address.text, memos, frozenset((*done.unset_there, *done.unset_here)))
