from __future__ import annotations

import msgspec

from underway.journal.events.releases import ReleasePruned
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Did


class PruneReleases(msgspec.Struct, frozen=True, kw_only=True, tag="prune_releases", tag_field="step"):
    """Remove the builds of old releases. What is live and what a rollback would go to always stays."""

    releases: tuple[str, ...]
    keep_builds: tuple[str, ...]

    id: str = "prune"
    is_one_way: bool = True

    def says(self) -> str:
        return f"remove the builds of {', '.join(self.releases)}"

    def undo_says(self) -> str:
        return "cannot be undone: deploying the same commit builds it again"

    async def apply(self, act: Act, on: Drivers) -> Did:
        freed = await on.builds.prune(act.app, self.keep_builds)
        for release in self.releases:
            on.snapshots.drop(act.app, release)
        gone = tuple(ReleasePruned(app=act.app, act=act.id, release=release) for release in self.releases)
        return Did(gone, f"{freed / 1e6:.1f} MB freed")

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()
