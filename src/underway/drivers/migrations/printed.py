"""The SQL of pending migrations, printed by the app's own tool with the new release's code and environment."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from underway.drivers.migrations.back import back_by_alembic, back_by_django
from underway.drivers.migrations.sql_files import new_scripts, sql_files
from underway.drivers.migrations.squawk import squawk
from underway.ports.commands import Commands
from underway.ports.migrations import MigrationsAsk, Pending
from underway.terms.home import Home
from underway.terms.migration import Script, Spotted
from underway.terms.process import Task

_MOST_BYTES = 20_000_000
_ALEMBIC = re.compile(
    r"(?:^|[;&|(]|\bexec)\s*(?P<lead>(?:\w+=\S*\s+)*(?:\S*/)?(?:(?:uv|poetry|pdm|pipenv)\s+run\s+)?"
    r"(?:(?:python[\d.]*\s+-m\s+)?alembic\b|flask\b)[^;&|\n]*?)\s+upgrade\b[ \t]*(?P<to>[\w@+-]*)",
    re.MULTILINE,
)
_DJANGO = re.compile(
    r"(?:^|[;&|(]|\bexec)\s*(?P<lead>(?:\w+=\S*\s+)*(?:\S*/)?(?:(?:uv|poetry|pdm|pipenv)\s+run\s+)?"
    r"(?:(?:python[\d.]*\s+)?\S*manage\.py|django-admin|python[\d.]*\s+-m\s+django)\b[^;&|\n]*?)\s+migrate\b",
    re.MULTILINE,
)
_SCRIPT = re.compile(r"^\s*(?:exec\s+)?(?:ba|da)?sh\s+(?P<file>[\w./-]+\.sh)\s*$")
_REVISION = re.compile(r"^(?P<id>[0-9A-Za-z_.-]+)(?:\s+\(.*\))?\s*$")
_RUNS = re.compile(r"^-- Running upgrade\s+(?P<from>[^\n]*?)\s*->\s*(?P<to>\S+)\s*$", re.MULTILINE)
_MARK = "underway-migrations:"
_DJANGO_CODE = f"""
import json
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
found = []
for migration, backwards in plan:
    sql = executor.loader.collect_sql([(migration, backwards)])
    found.append(dict(name=migration.app_label + "." + migration.name, sql="\\n".join(sql), is_atomic=migration.atomic))
print("\\n{_MARK}" + json.dumps(found))
"""
_scripts = msgspec.json.Decoder(tuple[Script, ...])


class PrintedMigrations:
    """Driver of `Migrations`: alembic's `--sql`, Django's `sqlmigrate`, and files of SQL."""

    def __init__(self, home: Home, commands: Commands) -> None:
        self._home = home
        self._commands = commands

    async def pending(self, ask: MigrationsAsk) -> Pending:
        """See the port."""
        lines = await asyncio.to_thread(_lines, ask)
        if (found := _DJANGO.search(lines)) and ask.is_new:
            return Pending(why_not="there is no database yet that could say which of Django's migrations are pending")
        if found:
            return await self._django(found["lead"].strip(), ask)
        if found := _ALEMBIC.search(lines):
            return await self._alembic(found["lead"].strip(), found["to"] or "head", ask)
        now = await asyncio.to_thread(sql_files, ask.tree_dir, ask.migrate.paths)
        if now:
            before = await asyncio.to_thread(sql_files, ask.was_dir, ask.migrate.paths) if ask.was_dir else {}
            return Pending(tool="SQL files", scripts=new_scripts(now, before))
        return Pending(why_not=f"nothing prints the SQL of `{ask.migrate.command}`")

    async def way_back(self, ask: MigrationsAsk, was: str, now: str) -> str:
        """See the port."""
        if ask.migrate.back:
            return f"export UNDERWAY_MIGRATE_TO={shlex.quote(was.partition(' ')[2])}\n{ask.migrate.back}"
        lines = await asyncio.to_thread(_lines, ask)
        if found := _DJANGO.search(lines):
            return back_by_django(found["lead"].strip(), was, now)
        if found := _ALEMBIC.search(lines):
            return back_by_alembic(found["lead"].strip(), was, now)
        return ""

    async def spot(self, scripts: Sequence[Script], major: int = 0) -> Mapping[str, tuple[Spotted, ...]]:
        return await squawk(scripts, major)

    async def _alembic(self, lead: str, to: str, ask: MigrationsAsk) -> Pending:
        current = ""
        if not ask.is_new:
            code, current, tail = await self._output(f"{lead} current", ask)
            if code:
                return Pending(why_not=f"`alembic current` failed: {tail}")
        heads = [found["id"] for line in current.splitlines() if (found := _REVISION.match(line.strip()))]
        if len(heads) > 1:
            return Pending(why_not=f"the database is at several heads ({', '.join(heads)}): alembic prints no SQL then")
        span = f"{heads[0]}:{to}" if heads else to
        code, sql, tail = await self._output(f"{lead} upgrade {shlex.quote(span)} --sql", ask)
        if code:
            return Pending(why_not=f"`alembic upgrade --sql` failed: {tail}")
        return Pending(tool="alembic", scripts=_of_alembic(sql))

    async def _django(self, lead: str, ask: MigrationsAsk) -> Pending:
        code, printed, tail = await self._output(f"{lead} shell -c {shlex.quote(_DJANGO_CODE)}", ask)
        line = next((it for it in printed.splitlines() if it.startswith(_MARK)), "")
        if code or not line:
            return Pending(why_not=f"Django's migrations could not be printed: {tail}")
        try:
            return Pending(tool="django", scripts=_scripts.decode(line[len(_MARK) :]))
        except msgspec.MsgspecError:
            return Pending(why_not="what Django printed is no list of migrations")

    async def _output(self, command: str, ask: MigrationsAsk) -> tuple[int, str, str]:
        """Exit code, standard output, and the last line that explains a failure."""
        folder = self._home.logs(ask.app)
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        log, out = folder / f"lint-{ask.release}.log", folder / f".lint-{ask.release}.sql"
        try:
            end = await self._commands.run(
                Task(
                    id=f"{ask.app}.{ask.release}.lint",
                    argv=("sh", "-c", f"umask 077\n( {command}\n) >{shlex.quote(str(out))}"),
                    cwd=f"{ask.tree_dir}/{ask.migrate.cwd}",
                    env=ask.env,
                    log_path=str(log),
                    timeout_s=ask.timeout_s,
                )
            )
            printed = await asyncio.to_thread(_head_of, out)
        finally:
            out.unlink(missing_ok=True)
        tail = next((line.strip() for line in reversed(end.log_tail) if line.strip()), "")
        if end.timed_out:
            return 1, printed, f"it took longer than {ask.timeout_s:g} s"
        return end.exit_code, printed, (tail or f"exit code {end.exit_code}")[:300]


def _lines(ask: MigrationsAsk) -> str:
    """The command, and the text of the script that it runs where it is nothing else."""
    command = ask.migrate.command
    if found := _SCRIPT.match(command):
        root = Path(ask.tree_dir).resolve()
        path = (root / ask.migrate.cwd / found["file"]).resolve()
        if path.is_relative_to(root) and path.is_file() and path.stat().st_size < _MOST_BYTES:
            return path.read_bytes().decode(errors="replace")
    return command


def _head_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _of_alembic(sql: str) -> tuple[Script, ...]:
    """One script per revision. BEGIN and COMMIT are alembic's own and stay in the text."""
    marks = list(_RUNS.finditer(sql))
    found = []
    is_open = False
    for number, mark in enumerate(marks):
        begin = 0 if not number else mark.start()
        end = marks[number + 1].start() if number + 1 < len(marks) else len(sql)
        text = sql[begin:end]
        found.append(Script(name=mark["to"], sql=text, is_atomic=is_open))
        is_open = _ends_open(text, is_open)
    return tuple(found)


def _ends_open(text: str, is_open: bool) -> bool:
    """Whether a transaction is open after the text (alembic writes BEGIN; and COMMIT; on lines of their own)."""
    for line in text.splitlines():
        if line.strip() in ("BEGIN;", "COMMIT;"):
            is_open = line.strip() == "BEGIN;"
    return is_open
