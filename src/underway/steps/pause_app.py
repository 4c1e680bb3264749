from __future__ import annotations

import msgspec

from underway.manifest.model import Process
from underway.ports.drivers import Drivers
from underway.steps.build_release import find_build
from underway.steps.environment import EnvAsk, environment
from underway.steps.start_release import drain, start_workers, stop_release, web_specs
from underway.steps.step import Act, Did
from underway.terms.release import Slot

_DRAIN_S = 10.0


class PauseApp(msgspec.Struct, frozen=True, kw_only=True, tag="pause_app", tag_field="step"):
    """Stop the live release's processes while its data changes under it; visitors get the maintenance page."""

    release: str
    slot: Slot
    key: str
    ports: tuple[int, ...]
    web: Process | None
    workers: dict[str, Process]
    env: EnvAsk

    id: str = "pause"
    is_one_way: bool = False

    def says(self) -> str:
        return f"show the maintenance page and stop {self.release}"

    def undo_says(self) -> str:
        return "start it again and show it"

    async def apply(self, act: Act, on: Drivers) -> Did:
        on.router.set_maintenance(act.app, True)
        await drain(act.app, self.slot, _DRAIN_S, on)
        await stop_release(act.app, self.release, on)
        return Did()

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        await _start(self, act, on)
        on.router.set_maintenance(act.app, False)
        return Did()


class ContinueApp(msgspec.Struct, frozen=True, kw_only=True, tag="continue_app", tag_field="step"):
    """Start the live release's processes on the data that is there now. Health is checked after it."""

    release: str
    slot: Slot
    key: str
    ports: tuple[int, ...]
    web: Process | None
    workers: dict[str, Process]
    env: EnvAsk

    id: str = "continue"
    is_one_way: bool = False

    def says(self) -> str:
        return f"start {self.release} on it"

    def undo_says(self) -> str:
        return "stop it"

    async def apply(self, act: Act, on: Drivers) -> Did:
        await _start(self, act, on)
        return Did()

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        await stop_release(act.app, self.release, on)
        return Did()


class ShowApp(msgspec.Struct, frozen=True, kw_only=True, tag="show_app", tag_field="step"):
    """Take the maintenance page away, unless a person put it there."""

    stays: bool = False

    id: str = "show"
    is_one_way: bool = False

    def says(self) -> str:
        return "leave the maintenance page, which was there before" if self.stays else "show the app again"

    def undo_says(self) -> str:
        return "show the maintenance page"

    async def apply(self, act: Act, on: Drivers) -> Did:
        on.router.set_maintenance(act.app, self.stays)
        return Did()

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        on.router.set_maintenance(act.app, True)
        return Did()


async def _start(step: PauseApp | ContinueApp, act: Act, on: Drivers) -> None:
    build = find_build(act.app, step.key, on)
    if step.web:
        env = await environment(step.env, build, on, process="web") | step.web.env
        for spec in web_specs(act.app, step.release, step.slot, step.ports, step.web, build.dir):
            await on.runtime.start(spec, env | {"PORT": str(spec.port)})
    await start_workers(act.app, step.release, step.key, step.slot, step.workers, step.env, on)
