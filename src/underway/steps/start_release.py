from __future__ import annotations

import msgspec

from underway.journal.events.releases import EnvironmentGiven, SlotFreed, SlotTaken
from underway.manifest.model import Process
from underway.ports.drivers import Drivers
from underway.steps.build_release import find_build
from underway.steps.environment import PLATFORM, EnvAsk, environment
from underway.steps.step import Act, Did
from underway.terms.count import counted
from underway.terms.environment import fingerprint
from underway.terms.process import InstanceSpec, InstanceState
from underway.terms.release import Slot
from underway.terms.route import SlotTarget
from underway.terms.secret import Secret


def web_specs(
    app: str, release: str, slot: Slot, ports: tuple[int, ...], web: Process | None, tree_dir: str
) -> tuple[InstanceSpec, ...]:
    """One spec per port for the web process; none for an app of static files."""
    if web is None:
        return ()
    return tuple(_spec(app, release, slot, "web", number, web, tree_dir, port) for number, port in enumerate(ports))


def worker_specs(
    app: str, release: str, slot: Slot, workers: dict[str, Process], tree_dir: str
) -> tuple[InstanceSpec, ...]:
    """Every instance of every process that serves no requests."""
    return tuple(
        _spec(app, release, slot, name, number, worker, tree_dir, 0)
        for name, worker in sorted(workers.items())
        for number in range(worker.instances)
    )


def _spec(
    app: str, release: str, slot: Slot, process: str, number: int, keys: Process, tree_dir: str, port: int
) -> InstanceSpec:
    return InstanceSpec(
        id=f"{app}.{release}.{process}.{number}",
        app=app,
        release=release,
        process=process,
        number=number,
        slot=slot,
        command=keys.command,
        cwd=f"{tree_dir}/{keys.cwd}".removesuffix("/."),
        port=port,
        memory_bytes=keys.memory_bytes,
        cpus=keys.cpus,
        stop_timeout_s=keys.stop_timeout_s,
    )


class StartRelease(msgspec.Struct, frozen=True, kw_only=True, tag="start_release", tag_field="step"):
    """Start the release's web instances on the idle slot. No user reaches them yet."""

    release: str
    key: str
    slot: Slot
    ports: tuple[int, ...]
    web: Process | None
    env: EnvAsk

    id: str = "start"
    is_one_way: bool = False

    def says(self) -> str:
        if self.web is None:
            return f"put {self.release} on slot {self.slot.value}"
        count = counted(len(self.ports), "instance")
        return f"start {count} of {self.release} on slot {self.slot.value}: {self.web.command}"

    def undo_says(self) -> str:
        return "stop them"

    async def apply(self, act: Act, on: Drivers) -> Did:
        build = find_build(act.app, self.key, on)
        on.router.set_target(act.app, self.slot, SlotTarget(release=self.release, static_dir=build.static_dir))
        given: list[EnvironmentGiven] = []
        if self.web:
            env = await environment(self.env, build, on, process="web") | self.web.env
            for spec in web_specs(act.app, self.release, self.slot, self.ports, self.web, build.dir):
                await on.runtime.start(spec, env | {"PORT": str(spec.port)})
            key = on.vault.key()
            prints = {name: fingerprint(key, Secret(env[name])) for name in sorted(env) if name not in PLATFORM}
            given.append(
                EnvironmentGiven(
                    app=act.app,
                    act=act.id,
                    release=self.release,
                    environment=self.env.name,
                    fingerprints=prints,
                )
            )
        taken = SlotTaken(app=act.app, act=act.id, release=self.release, slot=self.slot, ports=self.ports)
        return Did((taken, *given))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        await drain(act.app, self.slot, UNDO_DRAIN_S, on)
        await stop_release(act.app, self.release, on)
        on.router.set_target(act.app, self.slot, None)
        return Did((SlotFreed(app=act.app, act=act.id, release=self.release, slot=self.slot),))


UNDO_DRAIN_S = 5.0
"""How long the requests of a release that is taken back may last before it is stopped."""


async def drain(app: str, slot: Slot, drain_s: float, on: Drivers) -> int:
    """Wait until the proxy has no request at the slot's instances, at most `drain_s`; return how many are left.

    The slot must get no new requests: switch traffic away first.
    """
    deadline = on.clock.monotonic() + drain_s
    while (left := await on.router.in_flight(app, slot)) and on.clock.monotonic() < deadline:
        await on.clock.sleep(0.05)
    return left


async def stop_release(app: str, release: str, on: Drivers, *, web: bool = True, workers: bool = True) -> int:
    """Stop the release's instances; return how many there were."""
    stopped = 0
    for instance in on.runtime.instances(app):
        is_web = instance.spec.process == "web"
        if instance.spec.release == release and (web if is_web else workers):
            await on.runtime.stop(instance.spec.id)
            stopped += 1
    return stopped


class SwapWorkers(msgspec.Struct, frozen=True, kw_only=True, tag="swap_workers", tag_field="step"):
    """Stop the workers of the running release and start those of the new one. Two versions never run together."""

    release: str
    key: str
    slot: Slot
    workers: dict[str, Process]
    env: EnvAsk
    was: str = ""
    was_key: str = ""
    was_slot: Slot | None = None
    was_workers: dict[str, Process] = {}
    was_env: EnvAsk | None = None

    id: str = "swap_workers"
    is_one_way: bool = False

    def says(self) -> str:
        if not self.workers:
            return f"stop the workers of {self.was}"
        return f"start {', '.join(sorted(self.workers))} of {self.release}" + (
            f" in place of {self.was}'s" if self.was_workers else ""
        )

    def undo_says(self) -> str:
        return f"put back the workers of {self.was}" if self.was_workers else "stop them"

    async def apply(self, act: Act, on: Drivers) -> Did:
        if self.was:
            await stop_release(act.app, self.was, on, web=False)
        await start_workers(act.app, self.release, self.key, self.slot, self.workers, self.env, on)
        return Did()

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        await stop_release(act.app, self.release, on, web=False)
        if self.was and self.was_slot and self.was_env:
            await start_workers(act.app, self.was, self.was_key, self.was_slot, self.was_workers, self.was_env, on)
        return Did()


async def start_workers(
    app: str, release: str, key: str, slot: Slot, workers: dict[str, Process], env: EnvAsk, on: Drivers
) -> None:
    if not workers:
        return
    build = find_build(app, key, on)
    values = {name: await environment(env, build, on, process=name) | workers[name].env for name in workers}
    running = {i.spec.id for i in on.runtime.instances(app) if i.state is InstanceState.RUNNING}
    for spec in worker_specs(app, release, slot, workers, build.dir):
        if spec.id not in running:
            await on.runtime.start(spec, values[spec.process])
