"""Start a release on a database that is not the live one, ask it what its smoke tests ask, and end it."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from underway.manifest.model import Manifest
from underway.plan.parts import env_of, host_of
from underway.ports.drivers import Drivers
from underway.ports.schemas import Login
from underway.ports.smokes import Dial
from underway.steps.build_release import find_build
from underway.steps.check_health import accepts
from underway.steps.environment import environment, probe_values
from underway.terms.count import counted
from underway.terms.problem import Failure, Problem
from underway.terms.process import Task
from underway.terms.smoke import Walked

_LONGEST_S = 3600.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How it went. `ready_s` is the time from its start until it was healthy; `walked` what the smoke requests and
    journeys found, none when the manifest has none."""

    ready_s: float
    walked: tuple[Walked, ...] = ()

    @property
    def failed(self) -> Walked | None:
        return next((each for each in self.walked if not each.passed), None)

    def says(self) -> str:
        if not self.walked:
            return ""
        requests, took_ms = sum(len(each.asked) for each in self.walked), sum(each.took_ms for each in self.walked)
        return f"{counted(requests, 'smoke request')} passed in {took_ms / 1000:.2f} s"


async def try_release(manifest: Manifest, release: str, key: str, through: Login, on: Drivers) -> Trial | None:
    """Run one instance of `web` with the database of `through`, no user near it. None for an app without `web`.

    Everything else of its environment is that of the live release (its Redis too); its workers are not started.
    Raises `Failure` (`trial.health`) when it does not become healthy, with the last lines it wrote.
    """
    web = manifest.processes.get("web")
    if web is None:
        return None
    app, build = manifest.app, find_build(manifest.app, key, on)
    env = await environment(env_of(manifest, release), build, on, through, process="web") | web.env
    port = on.machine.free_block(1, ())
    log = on.home.logs(app) / f"trial-{release}.log"
    task = Task(
        id=f"{app}.{release}.trial",
        argv=("sh", "-c", web.command),
        cwd=f"{build.dir}/{web.cwd}".removesuffix("/."),
        env=env | {"PORT": str(port), "UNDERWAY_TRIAL": "1"},
        log_path=str(log),
        timeout_s=_LONGEST_S,
        memory_bytes=web.memory_bytes,
    )
    running = asyncio.create_task(on.commands.run(task))
    try:
        ready_s = await _until_healthy(manifest, port, running, on)
        at = Dial(port=port, host=manifest.health.host or host_of(manifest))
        values = probe_values(env_of(manifest, release), app, on)
        walked = [await on.smokes.ask(smoke, at, values) for smoke in manifest.smokes]
        walked += [await on.smokes.walk(journey, at, values) for journey in manifest.journeys]
        return Trial(ready_s=ready_s, walked=tuple(walked))
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, Failure):
            await running


async def _until_healthy(manifest: Manifest, port: int, running: asyncio.Task[object], on: Drivers) -> float:
    began = on.clock.monotonic()
    health, said = manifest.health, "no answer yet"
    while on.clock.monotonic() - began < health.timeout_s:
        if running.done():
            await running  # a `Failure` of its own says more
            said = "it ended by itself"
            break
        host = health.host or host_of(manifest)
        probe = await on.prober.get(port, health.path, host=host, timeout_s=health.request_timeout_s)
        if accepts(health.status, probe.status):
            return on.clock.monotonic() - began
        said = probe.error or f"it answered {probe.status}"
        await on.clock.sleep(health.interval_s)
    lines = [line.line async for line in on.logs.lines(manifest.app, "trial", 20, False)]
    raise Failure(
        Problem(
            code="trial.health",
            where=f"{manifest.app} {health.path}",
            why=f"the release did not become healthy on the restored data: {said}",
            remedy="read what it wrote; the live release was not touched",
            command=f"underway logs {manifest.app} --process trial",
        ),
        lines,
    )
