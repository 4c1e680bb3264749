"""A release tried against a database of its own, out of everybody's reach."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from underway.manifest.model import Health, Process
from underway.manifest.smoke import Journey, Smoke
from underway.ports.copies import Scratch
from underway.ports.drivers import Drivers
from underway.ports.schemas import Login
from underway.ports.shadows import Shadow
from underway.ports.smokes import Dial
from underway.steps.build_release import find_build
from underway.steps.check_health import accepts
from underway.steps.environment import EnvAsk, environment
from underway.terms.process import Task, TaskEnd
from underway.terms.secret import Secret

_ASK_EVERY_S = 0.1
_HEALTH_TIMEOUT_S = 60.0


class CodeAsk(msgspec.Struct, frozen=True, kw_only=True):
    """A release that can be started, and how it is seen to be well."""

    release: str
    key: str
    web: Process | None
    env: EnvAsk
    health: Health
    smokes: tuple[Smoke, ...] = ()
    journeys: tuple[Journey, ...] = ()


@dataclass
class Tried:
    """A release that runs against a scratch database. `port` is its loopback port."""

    ask: CodeAsk
    port: int
    env: dict[str, str]
    on: Drivers
    running: asyncio.Task[TaskEnd]
    passed: list[str] = field(default_factory=list)

    async def trouble(self) -> str:
        """Wait for health, then make every smoke request and journey; what was wrong first, empty when all is well."""
        if wrong := await self._unhealthy():
            return wrong
        values = {name: Secret(value) for name, value in self.env.items()}
        at = Dial(port=self.port, host=self.ask.health.host or self.ask.env.host)
        self.passed = []
        for smoke in self.ask.smokes:
            walked = await self.on.smokes.ask(smoke, at, values)
            if not walked.passed:
                return walked.says()
            self.passed.append(walked.name)
        for journey in self.ask.journeys:
            walked = await self.on.smokes.walk(journey, at, values)
            if not walked.passed:
                return walked.says()
            self.passed.append(walked.name)
        return ""

    async def _unhealthy(self) -> str:
        health, on = self.ask.health, self.on
        deadline = on.clock.monotonic() + min(health.timeout_s, _HEALTH_TIMEOUT_S)
        in_a_row = 0
        said = "not asked yet"
        while in_a_row < health.successes:
            if self.running.done():
                end = self.running.result()
                tail = next((line.strip() for line in reversed(end.log_tail) if line.strip()), "")
                return f"it ended with exit code {end.exit_code}" + (f": {tail[:200]}" if tail else "")
            probe = await on.prober.get(
                self.port,
                health.path,
                host=health.host or self.ask.env.host,
                timeout_s=health.request_timeout_s,
            )
            is_good = accepts(health.status, probe.status)
            in_a_row = in_a_row + 1 if is_good else 0
            said = f"{health.path} answered {probe.status}" if probe.status else probe.error
            if not is_good and on.clock.monotonic() > deadline:
                return f"it was not healthy: {said}"
            await on.clock.sleep(_ASK_EVERY_S if not is_good else min(_ASK_EVERY_S, health.interval_s))
        return ""


@contextlib.asynccontextmanager
async def tried(ask: CodeAsk, copy: Scratch | Shadow, on: Drivers, kind: str) -> AsyncIterator[Tried]:
    """Start one instance of the release's web process against the copy; it is ended with the block.

    It is a task and no instance: nobody routes to it, nobody restarts it, and it never outlives the agent. A Redis of
    the app is one of its own, empty, so that nothing of what it does there reaches the app's queues.

    Raises the `Failure`s of a build that is gone and of services.
    """
    assert ask.web is not None, "only a release with a web process can be tried"
    app = copy.app
    build = find_build(app, ask.key, on)
    through = Login(address=copy.at, password=copy.password) if isinstance(copy, Scratch) else None
    cache = f"try-{hashlib.sha256(app.encode()).hexdigest()[:12]}" if ask.env.redis and not ask.env.redis.url else ""
    env = await environment(ask.env, build, on, through, process="web", cache_of=cache) | ask.web.env
    port = on.machine.free_block(1, ())
    task = Task(
        id=f"{app}.{ask.release}.{kind}",
        argv=("sh", "-c", ask.web.command),
        cwd=f"{build.dir}/{ask.web.cwd}",
        env=env | {"PORT": str(port)},
        log_path=str(on.home.logs(app) / f"{kind}-{ask.release}.log"),
        timeout_s=24 * 3600.0,
        memory_bytes=ask.web.memory_bytes,
        apart=copy.apart if isinstance(copy, Shadow) else None,
    )
    running = asyncio.ensure_future(on.commands.run(task))
    try:
        yield Tried(ask, port, env, on, running)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if cache:
            await on.cache.drop(cache)
