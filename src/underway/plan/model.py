"""A plan: stages of steps, written down so that it can be shown, digested, journaled and run again."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import Any

import msgspec

from underway.guard.policy import Policy
from underway.journal.events.acts import ActKind, StepLine
from underway.manifest.release import Approve, Windows
from underway.steps.every_step import EveryStep
from underway.steps.probe_release import Probing
from underway.terms.release import Slot


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """How a release is watched after a stage: for how long, on what path, and what it may not exceed."""

    for_s: float
    path: str
    status: str
    host: str
    interval_s: float
    request_timeout_s: float
    failed_health_checks: int
    memory_bytes: int


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """How a release earns its traffic: the guard's policy, who lets it go on and when, what it is probed with.

    With `is_watch` it has all traffic already and is watched there.
    """

    policy: Policy
    slot: Slot
    stable: str
    health: Watch
    approve: Approve | None = None
    windows: Windows = Windows()
    probing: Probing | None = None
    is_watch: bool = False


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that end in a state worth watching. A failure or a bad verdict undoes this and all earlier stages; where
    there is a way `back`, a bad verdict runs that instead."""

    name: str
    steps: tuple[EveryStep, ...]
    watch: Watch | None = None
    rollout: Rollout | None = None
    back: tuple[EveryStep, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be done. `notes` are lines a person should read before it is."""

    kind: ActKind
    app: str
    release: str
    was: str
    url: str
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()
    path: str = ""
    strategy: str = ""
    """canary | blue-green | instant, empty where nothing is released; and `because` why."""
    because: str = ""
    watch_s: float = 0.0
    """How long the watch lasts that follows this act, 0 for none."""

    @property
    def steps(self) -> tuple[EveryStep, ...]:
        return tuple(step for stage in self.stages for step in stage.steps)

    @property
    def digest(self) -> str:
        """Twelve hex digits that are equal for equal plans."""
        return hashlib.sha256(self.text()).hexdigest()[:12]

    def lines(self) -> tuple[StepLine, ...]:
        """The plan for people, one line per step."""
        return tuple(
            StepLine(id=s.id, says=s.says(), undo=s.undo_says(), is_one_way=s.is_one_way, stage=stage.name)
            for stage in self.stages
            for s in stage.steps
        )

    def text(self) -> bytes:
        return _encoder.encode(self)


def read_plan(text: bytes) -> Plan:
    """The plan that `Plan.text` wrote. Raises `msgspec.ValidationError`."""
    return _decoder.decode(text)


def _plain(value: Any) -> Any:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} is not part of a plan")


_encoder = msgspec.json.Encoder(enc_hook=_plain, order="deterministic")
_decoder = msgspec.json.Decoder(Plan)
