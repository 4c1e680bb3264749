from __future__ import annotations

from typing import Protocol


class Snapshots(Protocol):
    """Small states that must survive the agent and change too often for the journal: a rollout's evidence, the counts
    of requests. An empty app stands for the home."""

    def load(self, app: str, name: str) -> bytes | None:
        """The latest whole snapshot, None when there is none."""
        ...

    def save(self, app: str, name: str, text: bytes) -> None:
        """Replace it in one step: a crash leaves either the former one or this one."""
        ...

    def drop(self, app: str, name: str) -> None: ...
