"""What a Node app keeps in a database: Prisma's datasource, and the command that migrates."""

from __future__ import annotations

import re
import shlex

from underway.detect.draft import Draft
from underway.detect.index import Index, cwd, join
from underway.detect.model import Evidence, Notes
from underway.detect.node import NodeProject, running
from underway.detect.node_scripts import followed
from underway.detect.node_workers import DESTROYS, declared_migration
from underway.detect.shared import add_shared
from underway.detect.starts import Starts
from underway.detect.variables import Variable
from underway.manifest.env_keys import EnvVar
from underway.manifest.migrate import Migrate


def prisma_variable(index: Index) -> str:
    """The variable of a PostgreSQL datasource in schema.prisma."""
    for path in index.named("schema.prisma"):
        text = index.text(path)
        if re.search(r'provider\s*=\s*"postgres', text):
            found = re.search(r'url\s*=\s*env\("(\w+)"\)', text)
            return found[1] if found else "DATABASE_URL"
    return ""


def prisma_file(index: Index, project: NodeProject, draft: Draft, variables: dict[str, Variable], notes: Notes) -> None:
    """A SQLite datasource of Prisma's: the file is kept, and the variable that names it is set."""
    for path in index.named("schema.prisma"):
        text = index.text(path)
        if not re.search(r'provider\s*=\s*"sqlite"', text):
            continue
        found = re.search(r'url\s*=\s*(?:env\("(\w+)"\)|"(file:[^"]+)")', text)
        if not found:
            continue
        known = variables[found[1]].known_values if found[1] in variables else []
        value = found[2] or next((v for v in known if v.startswith("file:")), "file:./data.db")
        file = value.removeprefix("file:").partition("?")[0]
        at = Evidence.at(path, text, found.start())
        if not file.startswith("/"):  # relative to the schema (prisma.io/docs, SQLite connector)
            add_shared(draft, notes, join(path.rpartition("/")[0], file), "Prisma's SQLite database", at)
        if found[1]:
            draft.env[found[1]] = EnvVar(value=value)
            variables.pop(found[1], None)
            notes.claim("database", f"SQLite: {found[1]} names the file", at, f"env.{found[1]}")
        return


_SCRIPTS = ("migrate:deploy", "db:migrate:deploy", "db:migrate", "migrate", "migrations:run", "migration:run")
_SCRIPT = re.compile(
    r"(?:(?:db|database|typeorm|knex|drizzle|sequelize|orm|pg|mikro-orm)[:-])?migrat(?:e|ions?)"
    r"(?:[:-](?:run|up|latest|deploy|prod|production|all))?"
)
_RUNS_MIGRATIONS = re.compile(r"migrat|sequelize|drizzle|typeorm|mikro-orm|knex")


def migrate_node(index: Index, project: NodeProject, starts: Starts, draft: Draft, notes: Notes) -> None:
    """What brings the database to the release: the repository's own line for it, else its tool's usual one."""
    folder = project.folder
    inside = f"{folder}/" if folder else ""
    schema = next((p for p in index.named("schema.prisma") if p.startswith(inside)), "")
    if schema and project.has("prisma"):
        migrations = join(schema.rpartition("/")[0], "migrations")
        if migrations in index.folders:
            draft.migrate = Migrate("node_modules/.bin/prisma migrate deploy", cwd(folder), (migrations,))
            notes.claim("migrate", "prisma migrate deploy", Evidence(schema), "migrate")
        return
    knexfiles = [p for p in index.matching(r"knexfile\.[cm]?[jt]s") if p.startswith(inside)]
    if project.has("knex") and knexfiles:
        stage = "development" if _always_develops(index, inside) else "production"
        command = f"node_modules/.bin/knex migrate:latest --env {stage}"
        if "cli.js" in project.scripts.get("knex", ""):  # how a knexfile in TypeScript is loaded
            command = f"npm run knex -- migrate:latest --env {stage}"
        draft.migrate = Migrate(command, cwd(folder))
        notes.claim("migrate", "knex migrate:latest", Evidence(knexfiles[0]), "migrate")
        return
    names = [*_SCRIPTS, *(name for name in project.scripts if name not in _SCRIPTS and _SCRIPT.fullmatch(name))]
    for script in names:
        line = project.scripts.get(script, "")
        whole = followed(project, line)
        if not line or DESTROYS.search(whole) or (script not in _SCRIPTS and not _RUNS_MIGRATIONS.search(whole)):
            continue
        without = re.sub(r"^(?:env-cmd(?: -f \S+)?|dotenv(?: -e \S+)*)(?: --)? ", "", whole)
        direct = without if without != whole or whole.startswith("node_modules/.bin/") else ""
        command = direct or running(project, script)
        draft.migrate = Migrate(command, cwd(folder))
        notes.claim("migrate", f"the script {script}", index.line(project.path, f'"{script}"'), "migrate")
        return
    if draft.postgres is None:
        return
    if (declared := declared_migration(index, project, starts)) is not None:
        draft.migrate = Migrate(declared[0], cwd(folder))
        notes.claim("migrate", f"{declared[0][:120]}, as the repository's own release does", declared[1], "migrate")
        return
    if project.has("typeorm") and (source := _data_source(index, project)) is not None:
        built = re.sub(r"^(?:src/)?(.*)\.[cm]?ts$", r"dist/\1.js", source.path[len(inside) :])
        draft.migrate = Migrate(f"node_modules/.bin/typeorm migration:run -d {shlex.quote(built)}", cwd(folder))
        notes.claim("migrate", "typeorm migration:run, with the data source that the code exports", source, "migrate")
        return
    if project.has("drizzle-kit") and (found := [p for p in index.matching(r"drizzle\.config\.[cm]?[jt]s")
                                                if p.startswith(inside)]):  # fmt: skip
        journal = [p for p in index.named("_journal.json") if p.startswith(inside)]
        if journal:
            draft.migrate = Migrate("node_modules/.bin/drizzle-kit migrate", cwd(folder))
            notes.claim("migrate", "drizzle-kit migrate", Evidence(found[0]), "migrate")
    elif project.has("sequelize-cli") and (folder_at := _sequelize(index, inside)):
        draft.migrate = Migrate("node_modules/.bin/sequelize-cli db:migrate", cwd(folder), (folder_at,))
        notes.claim("migrate", "sequelize-cli db:migrate", Evidence(folder_at), "migrate")


_DEVELOPS = re.compile(r"""knex\w*\(\s*\w+(?:\.development|\[\s*['"]development['"]\s*\])\s*\)""", re.IGNORECASE)


def _always_develops(index: Index, inside: str) -> bool:
    """True where the code takes the section for development of its knexfile, whatever NODE_ENV says."""
    sources = [p for p in index.ending(".js", ".ts", ".mjs", ".cjs") if p.startswith(inside)][:1500]
    return any(_DEVELOPS.search(index.text(path)) for path in sources if "knexfile" in index.text(path))


def _data_source(index: Index, project: NodeProject) -> Evidence | None:
    """Where a project that is built into `dist` exports TypeORM's data source, beside migrations of its own
    (typeorm.io, migrations: they are named by their time)."""
    inside = f"{project.folder}/" if project.folder else ""
    if not project.scripts.get("build") or not any(
        p.startswith(inside) and re.search(r"/\d{10,}-[\w-]+\.ts$", p) for p in index.paths
    ):
        return None
    for path in index.ending(".ts"):
        text = index.text(path) if path.startswith(f"{inside}src/") else ""
        found = re.search(r"\bexport\s+(?:default\s+|const\s+\w+[^=\n]{0,40}=\s*)new\s+DataSource\(", text)
        if found and "migrations" in text:
            return Evidence.at(path, text, found.start())
    return None


def _sequelize(index: Index, inside: str) -> str:
    """The folder of Sequelize's migrations, which are named by their time."""
    return next(
        (
            p.rpartition("/")[0]
            for p in index.paths
            if p.startswith(inside) and re.search(r"(^|/)migrations/\d{8,}-[\w-]+\.c?js$", p)
        ),
        "",
    )
