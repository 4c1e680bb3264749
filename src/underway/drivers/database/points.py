"""Points in time: pg_basebackup and pg_receivewal of the home's own server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from underway.drivers.account import let_through
from underway.drivers.database.cluster import Cluster
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.postgres import PostgresDatabase, problem, require
from underway.drivers.database.tools import ClientTools
from underway.drivers.server_process import ServerProcess, ServerSpec
from underway.drivers.whole_file import sync_folder, write_whole
from underway.keep.worth import AHEAD_S
from underway.ports.clock import Clock
from underway.terms.backup import Part
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import release_id

_SLOT = "underway_points"
_SEGMENT = re.compile(r"[0-9A-F]{24}(\.partial)?")
"""The name of a log segment (PostgreSQL manual, 30.6); pg_receivewal gives the one it writes the suffix."""
_KEPT_BASES = 2
_CATCH_UP_S = 30.0


class PostgresPoints:
    """Driver of `Points`. The log is in `services/postgres/log`, base copies in `services/postgres/bases`."""

    def __init__(self, home: Home, database: PostgresDatabase, clock: Clock) -> None:
        self._home = home
        self._database = database
        self._clock = clock
        self._receiver: ServerProcess | None = None
        self._folder = home.services / "postgres"

    async def keep(self) -> None:
        tools = await self._database.client()
        require(await tools.sql("postgres", _MAKE_SLOT), "points.start", str(self._wal))
        if self._receiver is None:
            self._receiver = self._receiver_of(tools, self._database.cluster())
        await self._receiver.start()

    async def detach(self) -> None:
        if self._receiver is not None:
            await self._receiver.detach()

    async def stop(self) -> None:
        if self._receiver is not None:
            await self._receiver.stop()
            self._receiver = None

    async def base(self) -> float:
        await self.keep()
        tools, cluster = await self._database.client(), self._database.cluster()
        cluster.own_folder(self._bases)
        at = self._clock.now()
        partial = self._bases / ".partial"
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
        process = await asyncio.create_subprocess_exec(
            tools.installation.program("pg_basebackup"),
            f"--pgdata={partial}",
            "--format=plain",
            "--wal-method=none",
            "--checkpoint=fast",
            "--no-password",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env=tools.env,
            user=cluster.account.other_uid,
            group=cluster.account.other_gid,
            extra_groups=cluster.account.other_groups,
        )
        try:
            _, said = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            tail = tuple(said.decode(errors="replace").splitlines()[-20:])
            raise Failure(problem("points.base", str(self._bases), tail[-1] if tail else "pg_basebackup failed"), tail)
        done = round(self._clock.now(), 6)
        partial.rename(self._bases / f"{done:.6f}-{release_id(at, 0)}")
        sync_folder(self._bases)
        await asyncio.to_thread(self._let_go)
        return done

    def span(self) -> tuple[float, float] | None:
        bases = [base for base in self._all() if not self._is_ahead(base)]
        return (_time_of(bases[0]), _time_of(bases[-1])) if bases else None

    async def recover(self, app: str, until: float, folder: str, recipients: tuple[str, ...]) -> Part:
        base = max((one for one in self._all() if _time_of(one) <= until), default=None)
        if base is None or until > self._clock.now():
            raise Failure(self._out_of_span(app, until))
        await self._receive_up_to_now()
        place = self._home.root / "scratch" / f"try-{secrets.token_hex(5)}"
        scratch = self._recovering(place, base, until)
        try:
            await asyncio.to_thread(self._lay_out, place, base, until)
            return await PostgresDumps(scratch).dump(app, folder, recipients)
        except Failure as failure:
            if failure.problem.code != "postgres.start":
                raise
            raise Failure(_not_recovered(app, failure.problem.why), failure.log_tail) from failure
        finally:
            await scratch.stop()
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _receive_up_to_now(self) -> None:
        """Leave a mark after the point, and wait until the log with it has been received: recovery must find
        something after its target to know that it has reached it."""
        await self.keep()
        tools = await self._database.client()
        asked = await tools.sql("postgres", _MARK)
        require(asked, "points.recover", "the server's log")
        deadline = time.monotonic() + _CATCH_UP_S
        while True:
            seen = await tools.sql("postgres", _RECEIVED.format(lsn=asked.out.split()[-1]))
            if seen.out.strip() == "t":
                return
            if time.monotonic() > deadline:
                raise Failure(_not_recovered("the server's log", "it was not received in time"))
            await asyncio.sleep(0.05)

    def _recovering(self, place: Path, base: Path, until: float) -> PostgresDatabase:
        home = Home(place, short_run=self._home.short_run)
        return PostgresDatabase(home, programs=self._folder, is_scratch=True)

    def _lay_out(self, place: Path, base: Path, until: float) -> None:
        """A data folder that recovers itself when its server starts (PostgreSQL manual, 26.3.5)."""
        account = self._database.cluster().account
        folder = Home(place).services / "postgres"
        for each in (place.parent, place, place / "services", folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            if account.is_other:
                let_through(each)
        data = folder / "data"
        shutil.copytree(base, data, symlinks=True)
        data.chmod(0o700)
        for name in ("recovery.signal",):
            (data / name).touch()
        at = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(_RECOVERY.format(wal=self._wal, at=at))
        if account.is_other:
            for path in (data, *data.rglob("*")):
                os.chown(path, *account.owner, follow_symlinks=False)
        write_whole(folder / "superuser", (self._folder / "superuser").read_text())

    def _let_go(self) -> None:
        for old in self._all()[:-_KEPT_BASES]:
            shutil.rmtree(old)
        first = _first_segment(self._all()[0])
        for path in self._wal.iterdir():
            if _SEGMENT.fullmatch(path.name) and path.name[8:24] < first[8:24]:
                path.unlink()

    def _all(self) -> list[Path]:
        """Oldest first. One from the future was made before the clock was set back: it is older than all that were
        made since."""
        try:
            found = [path for path in self._bases.iterdir() if not path.name.startswith(".")]
        except OSError:
            return []
        return sorted(found, key=lambda path: (not self._is_ahead(path), path))

    def _is_ahead(self, base: Path) -> bool:
        return _time_of(base) > self._clock.now() + AHEAD_S

    @property
    def _wal(self) -> Path:
        return self._folder / "log"

    @property
    def _bases(self) -> Path:
        return self._folder / "bases"

    def _receiver_of(self, tools: ClientTools, cluster: Cluster) -> ServerProcess:
        cluster.own_folder(self._wal)

        async def is_ready(pid: int) -> bool:
            seen = await tools.sql("postgres", _IS_RECEIVED)
            return seen.out.strip() == "t"

        async def prepare() -> None:
            await self._database.client()

        return ServerProcess(
            ServerSpec(
                home_id=self._home.id,
                name="points",
                argv=(
                    tools.installation.program("pg_receivewal"),
                    f"--directory={self._wal}",
                    f"--slot={_SLOT}",
                    "--no-password",
                    "--synchronous",
                ),
                cwd=self._wal,
                log_path=self._folder / "points.log",
                state_path=self._folder / "points.json",
                account=cluster.account,
                code="points.start",
                is_ready=is_ready,
                prepare=prepare,
                env=tools.env,
            )
        )

    def _out_of_span(self, app: str, until: float) -> Problem:
        span = self.span()
        at = _said(until)
        between = f"from {_said(span[0])} until now" if span else "none: [backup] continuous is not set, or is too new"
        return Problem(
            code="points.no-base",
            where=f"{app} {at}",
            why=f"this moment cannot be recovered; what can is {between}",
            remedy="name a moment in between, or restore a backup",
            command=f"underway db backups {app}",
        )


def _said(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _time_of(base: Path) -> float:
    return float(base.name.partition("-")[0])


def _first_segment(base: Path) -> str:
    """The first log segment that the base needs, by its `backup_label`."""
    label = (base / "backup_label").read_text()
    found = re.search(r"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)", label)
    return found[1] if found else "0" * 24


def _not_recovered(where: str, why: str) -> Problem:
    return Problem(
        code="points.recover",
        where=where,
        why=f"the moment could not be recovered: {why}",
        remedy="name another moment, or restore a backup; what is live was not touched",
    )


_MAKE_SLOT = f"""\
SELECT pg_create_physical_replication_slot('{_SLOT}', true)
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{_SLOT}');
"""  # noqa: S608 - no word of it is from outside
_MARK = "SELECT pg_logical_emit_message(true, 'underway', 'point');\nSELECT pg_current_wal_flush_lsn();"
_IS_RECEIVED = (
    "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'underway' AND state = 'streaming');"
)
_RECEIVED = (
    "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND flush_lsn >= '{lsn}'::pg_lsn);"
)
_RECOVERY = """
restore_command = 'cp "{wal}/%f" "%p" 2>/dev/null || cp "{wal}/%f.partial" "%p"'
recovery_target_time = '{at}'
recovery_target_inclusive = on
recovery_target_action = 'promote'
recovery_target_timeline = 'current'
hot_standby = off
archive_mode = off
"""
