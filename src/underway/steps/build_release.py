from __future__ import annotations

import msgspec

from underway.journal.events.releases import ReleaseMade
from underway.ports.builds import BuildAsk
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Did
from underway.terms.problem import Failure, Problem
from underway.terms.release import Build, Release


class BuildRelease(msgspec.Struct, frozen=True, kw_only=True, tag="build_release", tag_field="step"):
    """Copy the source and build it, or take the finished build of the same source, lock and configuration."""

    release: str
    ask: BuildAsk
    key: str
    manifest: str
    migrations: str = ""
    is_reused: bool = False
    shared: tuple[str, ...] = ()
    is_release: bool = True
    """False when the build is only tried."""

    id: str = "build"
    is_one_way: bool = False

    def says(self) -> str:
        if self.is_reused:
            return f"take build {self.key[:7]} of {self.ask.source.says()}, made before"
        return f"build {self.ask.source.says()} as release {self.release}"

    def undo_says(self) -> str:
        return "nothing to undo: the build is kept for a next try and pruned with the others"

    async def apply(self, act: Act, on: Drivers) -> Did:
        build = await on.builds.make(self.ask, lambda line: None)
        carried: tuple[str, ...] = ()
        if self.shared:
            carried = on.machine.link_shared(act.app, build.dir, self.shared, self.ask.source.path)
        if not self.is_release:
            return Did((), "reused" if build.was_reused else f"{build.size_bytes / 1e6:.1f} MB")
        made = Release(
            id=self.release, app=act.app, created_at=on.clock.now(), source=self.ask.source, build_key=build.key
        )
        result = "reused" if build.was_reused else f"{build.size_bytes / 1e6:.1f} MB"
        if carried:
            result += f", carried in {', '.join(carried)}"
        return Did((ReleaseMade(app=act.app, act=act.id, release=made, manifest=self.manifest,
                                migrations=self.migrations),), result)  # fmt: skip

    async def verify(self, act: Act, on: Drivers) -> None:
        find_build(act.app, self.key, on)

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def find_build(app: str, key: str, on: Drivers) -> Build:
    """The finished build. Raises `Failure` (`build.gone`) when it is not there."""
    build = on.builds.find(app, key)
    if build is None:
        raise Failure(
            Problem(
                code="build.gone",
                where=str(on.home.builds(app) / key),
                why="the build of this release is not on disk any more",
                remedy="deploy the source again",
                command="underway deploy",
            )
        )
    return build
