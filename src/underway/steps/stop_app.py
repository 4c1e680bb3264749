from __future__ import annotations

import msgspec

from underway.journal.events.releases import AppRemoved
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Did


class StopApp(msgspec.Struct, frozen=True, kw_only=True, tag="stop_app", tag_field="step"):
    """Stop every process of the app and its Redis. Its database, backups, releases and shared folders stay."""

    releases: tuple[str, ...]
    has_cache: bool = False

    id: str = "stop"
    is_one_way: bool = True

    def says(self) -> str:
        return f"stop {', '.join(self.releases) or 'what runs'}"

    def undo_says(self) -> str:
        return "cannot be undone by itself: deploy starts the app again"

    async def apply(self, act: Act, on: Drivers) -> Did:
        for instance in on.runtime.instances(act.app):
            await on.runtime.stop(instance.spec.id)
        if self.has_cache:
            await on.cache.stop(act.app)
        return Did((AppRemoved(app=act.app, act=act.id),))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()
