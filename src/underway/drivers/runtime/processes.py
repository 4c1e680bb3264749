"""Instances as plain processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

from underway.drivers import listeners, proc, process_log, process_tree
from underway.drivers.cgroups import ControlGroups, Group
from underway.drivers.runtime import adoption, record
from underway.drivers.runtime.life import Life
from underway.drivers.runtime.outputs import Outputs
from underway.drivers.runtime.problems import cannot_spawn, no_folder, port_taken
from underway.drivers.runtime.record import Record
from underway.drivers.runtime.rotation import Rotation
from underway.drivers.spawn import EXIT_FILE, spawn_instance
from underway.drivers.vault.keys import Keys
from underway.guard.restarts import RestartPolicy, after_end
from underway.ports.clock import Clock
from underway.terms.environment import Environ, hidden_names
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.process import Instance, InstanceEnded, InstanceSpec, InstanceState, Limit, ProcessSample

_LOG = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TAIL_LINES = 20
_IDLE = (InstanceState.BACKING_OFF, InstanceState.CRASH_LOOP)


class LocalRuntime:
    """`Runtime` with one process group per instance. See the port for the contract.

    Nothing runs per instance in the agent: ends are noticed by pidfd, samples are taken when asked for, and one
    timer looks at the sizes of all logs.
    """

    def __init__(
        self,
        home: Home,
        clock: Clock,
        on_ended: Callable[[InstanceEnded], None] = lambda ended: None,
        *,
        restarts: RestartPolicy | None = None,
        log_bytes: int = process_log.ROTATE_BYTES,
        log_parts: int = process_log.KEPT_PARTS,
        groups: ControlGroups | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._keys = keys or Keys(home)
        self._outputs = Outputs(lambda: self._lives.values())
        self._rotation = Rotation(home, clock, lambda: self._lives.values(), log_bytes, log_parts)
        self._home = home
        self._clock = clock
        self._on_ended = on_ended
        self._policy = restarts or RestartPolicy()
        self._groups = groups or ControlGroups(home.id)
        self._lives: dict[str, Life] = {}
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._stops: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # What the port promises ---------------------------------------------------------------------------------

    async def start(self, spec: InstanceSpec, env: Mapping[str, str]) -> Instance:
        if not _ID.fullmatch(spec.id):
            raise ValueError(f"not an instance id: {spec.id!r}")
        async with self._lock(spec.id):
            there = self._lives.get(spec.id)
            if there is not None and there.has_process:
                return there.snapshot()
            _require_folder(spec)
            if spec.port and (holder := await asyncio.to_thread(listeners.taken_by, spec.port)):
                raise Failure(port_taken(spec, holder))
            if there is not None:
                there.unwatch(asyncio.get_running_loop())
            log = self._home.process_log(spec.app, spec.process, spec.number, spec.slot.value)
            kept = there.record.log_from if there is not None else process_log.size(log)
            fresh = Record(spec=spec, log_from=kept)
            environ = Environ(env, hidden_names(env))
            await asyncio.to_thread(fresh.seal, environ, self._keys)
            self._outputs.let_go(there, is_over=True)
            life = self._new_life(fresh, environ)
            self._lives[spec.id] = life
            try:
                await self._launch(life)
            except Failure:
                await self._forget(life)
                raise
            return life.snapshot()

    async def stop(self, instance_id: str) -> None:
        stopping = self._stops.get(instance_id)
        if stopping is None:
            if instance_id not in self._lives:
                return
            stopping = asyncio.create_task(self._stop(instance_id))
            self._stops[instance_id] = stopping
            stopping.add_done_callback(lambda _: self._stops.pop(instance_id, None))
        await asyncio.shield(stopping)  # a caller that goes away does not leave it half stopped

    def instances(self, app: str | None = None) -> Sequence[Instance]:
        return tuple(
            life.snapshot() for _, life in sorted(self._lives.items()) if app is None or life.record.spec.app == app
        )

    def sample(self, instance_id: str) -> ProcessSample | None:
        life = self._lives.get(instance_id)
        return None if life is None else life.sample()

    def owns_port(self, instance_id: str) -> bool:
        life = self._lives.get(instance_id)
        return life is not None and life.owns_port()

    def listens_on(self, instance_id: str) -> tuple[int, ...]:
        life = self._lives.get(instance_id)
        return () if life is None else life.listens_on()

    def log_tail(self, instance_id: str, lines: int = _TAIL_LINES) -> Sequence[str]:
        life = self._lives.get(instance_id)
        if life is not None:
            life.pump()
        return () if life is None else process_log.tail(life.log, lines, life.record.log_from)

    def written(self, instance_id: str, after: int) -> Sequence[tuple[int, str]]:
        life = self._lives.get(instance_id)
        if life is None:
            return ()
        began = life.record.log_from  # negative once what it wrote first was rotated out
        at = began + after if after >= 0 else max(began, process_log.size(life.log) + after)
        return [(byte - began, line) for byte, line in process_log.lines_after(life.log, at)]

    def log_begins(self, instance_id: str) -> int:
        life = self._lives.get(instance_id)
        return 0 if life is None else life.record.log_from

    def limits(self) -> Sequence[Limit]:
        return self._groups.limits()

    async def adopt(self) -> Sequence[Instance]:
        await self._rotation.end_interrupted()
        found = await asyncio.to_thread(adoption.survey, self._home)
        for one in found.kept:
            await self._take_over(one)
        await asyncio.gather(*(self._end_stopped(kept) for kept in found.stopped))
        await adoption.end_strays(
            self._home, self._groups, lambda: {name: life.record.spawn for name, life in self._lives.items()}
        )
        return self.instances()

    async def close(self) -> None:
        """Let go of everything without ending any instance: the agent leaves, they stay."""
        loop = asyncio.get_running_loop()
        tasks = [*self._tasks, *self._stops.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._rotation.close()
        self._outputs.close()
        for life in self._lives.values():
            life.unwatch(loop)
            self._outputs.let_go(life, is_over=False)
            if life.popen is not None:
                life.popen.returncode = 0  # it goes on; nobody here waits for it any more
        self._lives.clear()

    # One life ------------------------------------------------------------------------------------------------

    def _new_life(self, kept: Record, environ: Environ | None) -> Life:
        spec = kept.spec
        log = self._home.process_log(spec.app, spec.process, spec.number, spec.slot.value)
        self._rotation.begin()
        life = Life(kept, self._home.instances / spec.id, log, self._home.id, environ)
        self._outputs.join(life)
        return life

    async def _launch(self, life: Life) -> None:
        """Start the leader. The record is on disk before it, so a killed agent leaves no unknown process."""
        kept = life.record
        if life.environ is None:
            raise Failure(cannot_spawn(kept.spec, ValueError("the environment that was kept for it cannot be read")))
        group = self._groups.make(
            adoption.GROUP_PREFIX + kept.spec.id, memory_bytes=kept.spec.memory_bytes, cpus=kept.spec.cpus
        )
        kept.spawn = secrets.token_hex(8)
        kept.pid = kept.start_ticks = 0
        kept.boot_id = proc.boot_id()
        former = set(life.group.folders) - set(group.folders)  # of an agent that ran in another control group itself
        Group(tuple(former)).remove()
        kept.groups = tuple(str(folder) for folder in group.folders)
        kept.started_at = self._clock.now()
        life.state = InstanceState.STARTING
        marks = {
            proc.HOME_MARK: self._home.id,
            proc.INSTANCE_MARK: kept.spec.id,
            proc.SPAWN_MARK: kept.spawn,
        }
        try:
            await asyncio.to_thread(record.write, life.folder, kept)
            (life.folder / EXIT_FILE).unlink(missing_ok=True)
            life.popen = spawn_instance(
                kept.spec.command,
                kept.spec.cwd,
                {**life.environ, **marks},
                life.writes_to,
                life.folder,
                kept.spawn,
                group,
            )
        except (OSError, ValueError) as error:
            raise Failure(cannot_spawn(kept.spec, error)) from error
        found = proc.stat(life.popen.pid)
        kept.pid, kept.start_ticks = life.popen.pid, found.start_ticks if found else 0
        life.memory_kills = group.out_of_memory_kills()
        self._watch(life)
        with contextlib.suppress(OSError):  # the marks in its environment name it just as well
            await asyncio.to_thread(record.write, life.folder, kept)

    def _watch(self, life: Life) -> None:
        """Notice the leader's end, also when it is over already."""
        loop = asyncio.get_running_loop()
        life.state = InstanceState.RUNNING
        pidfd = proc.open_pidfd(life.record.leader) if life.record.leader else None
        if pidfd is None:
            self._spawn_task(self._ended(life, life.record.spawn))
            return
        life.pidfd = pidfd
        loop.add_reader(pidfd, self._on_readable, life)

    def _on_readable(self, life: Life) -> None:
        life.unwatch(asyncio.get_running_loop())
        self._spawn_task(self._ended(life, life.record.spawn))

    async def _ended(self, life: Life, spawn: str) -> None:
        """The leader ended: end what is left of its tree, tell it, and start it again when its time comes."""
        async with self._lock(life.record.spec.id):
            is_asked = life.state is not InstanceState.RUNNING or life.record.wanted == "stopped"
            if self._lives.get(life.record.spec.id) is not life or is_asked or life.record.spawn != spawn:
                return
            ran_s = proc.age_s(life.record.leader) if life.record.leader else 0.0
            life.state = InstanceState.BACKING_OFF
            try:
                await process_tree.end(life.tree, 0)
            except Failure as failure:
                _LOG.error("%s", failure)
            life.cpu_before_s = life.cpu_s
            await self._judge(life, life.reap(), ran_s)

    async def _judge(
        self, life: Life, exit_code: int | None, ran_s: float, why: str = "", *, is_late: bool = False
    ) -> None:
        """Record and tell an end and set the time of the next start; `is_late` when that is now, as the end was
        some time ago."""
        kept = life.record
        again = after_end(self._policy, kept.short_lives, ran_s)
        kept.exit_code = exit_code
        kept.short_lives = again.short_lives
        kept.is_crash_loop = again.is_crash_loop
        kept.spawn, kept.pid, kept.start_ticks = "", 0, 0
        life.state = InstanceState.CRASH_LOOP if again.is_crash_loop else InstanceState.BACKING_OFF
        if not is_late:
            self._start_later(life, again.delay_s)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(record.write, life.folder, kept)
        kills = life.group.out_of_memory_kills()
        life.end_output()
        self._tell(
            InstanceEnded(
                spec=kept.spec,
                exit_code=exit_code,
                ran_s=ran_s,
                restart_in_s=0.0 if is_late else None if again.is_crash_loop else again.delay_s,
                log_tail=(*process_log.tail(life.log, _TAIL_LINES, kept.log_from), *([why] if why else [])),
                is_out_of_memory=kills > life.memory_kills,
            )
        )

    def _start_later(self, life: Life, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        life.timer = loop.call_later(delay_s, lambda: self._spawn_task(self._start_again(life)))

    def _tell(self, ended: InstanceEnded) -> None:
        try:
            self._on_ended(ended)
        except Exception:
            _LOG.exception("the listener failed on the end of %s", ended.spec.id)

    async def _start_again(self, life: Life) -> None:
        async with self._lock(life.record.spec.id):
            if self._lives.get(life.record.spec.id) is not life or life.state not in _IDLE:
                return
            life.record.restarts += 1
            life.record.is_crash_loop = False
            try:
                _require_folder(life.record.spec)
                await self._launch(life)
            except Failure as failure:
                await self._judge(life, None, 0.0, why=f"{failure.problem.code}: {failure.problem.why}")

    async def _stop(self, instance_id: str) -> None:
        async with self._lock(instance_id):
            life = self._lives.get(instance_id)
            if life is None:
                return
            life.state = InstanceState.STOPPING
            life.unwatch(asyncio.get_running_loop())
            life.record.wanted = "stopped"
            with contextlib.suppress(OSError):  # a full disk must not keep anything from being stopped
                await asyncio.to_thread(record.write, life.folder, life.record)
            await process_tree.dissolve(life.tree, life.record.spec.stop_timeout_s)
            life.reap()
            await self._forget(life)
            port = life.record.spec.port
            if port and (holder := await asyncio.to_thread(listeners.taken_by, port)):
                _LOG.warning("%s is stopped, but its port %d is in use by %s", instance_id, port, holder)

    async def _forget(self, life: Life) -> None:
        self._outputs.let_go(life, is_over=True)
        await asyncio.to_thread(life.group.remove)
        await asyncio.to_thread(record.remove, life.folder)
        if self._lives.get(life.record.spec.id) is life:
            del self._lives[life.record.spec.id]

    # Adoption ------------------------------------------------------------------------------------------------

    async def _take_over(self, found: adoption.Kept) -> None:
        kept = found.record
        if kept.spec.id in self._lives:
            return
        async with self._lock(kept.spec.id):
            life = self._lives[kept.spec.id] = self._new_life(kept, self._environ(kept))
            if found.leader is not None:
                kept.pid, kept.start_ticks = found.leader
                life.memory_kills = life.group.out_of_memory_kills()
                self._watch(life)
                return
            if kept.boot_id == proc.boot_id() and kept.is_crash_loop:
                life.state = InstanceState.CRASH_LOOP
                self._start_later(life, self._policy.loop_retry_s)
                return
            life.state = InstanceState.BACKING_OFF
            try:
                await process_tree.end(life.tree, 0)
            except Failure as failure:
                _LOG.error("%s", failure)
            if kept.boot_id == proc.boot_id() and kept.pid:
                await self._judge(life, life.reap(), adoption.ran_s(life.folder, kept), is_late=True)
        await self._start_again(life)

    async def _end_stopped(self, kept: Record) -> None:
        """Finish a stop that a former agent had begun."""
        life = self._new_life(kept, self._environ(kept))
        try:
            await process_tree.dissolve(life.tree, kept.spec.stop_timeout_s)
        except Failure as failure:
            _LOG.error("%s", failure)
            return
        await self._forget(life)

    def _environ(self, kept: Record) -> Environ | None:
        try:
            return kept.environ(self._keys)
        except (ValueError, Failure) as error:  # msgspec's own errors are ValueErrors; none of ours quotes a value
            _LOG.error("the environment of %s cannot be read: %s", kept.spec.id, type(error).__name__)
            return None

    # Small parts ---------------------------------------------------------------------------------------------

    def _lock(self, instance_id: str) -> asyncio.Lock:
        lock = self._locks.get(instance_id)
        if lock is None:
            lock = self._locks[instance_id] = asyncio.Lock()
        return lock

    def _spawn_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _require_folder(spec: InstanceSpec) -> None:
    if not Path(spec.cwd).is_dir():
        raise Failure(no_folder(spec))
