"""What a Node app keeps in a database: Prisma's datasource, and the command that migrates."""

from __future__ import annotations

import re

from underway.detect.draft import Draft
from underway.detect.index import Index, cwd, join
from underway.detect.model import Evidence, Notes
from underway.detect.needs import Variable
from underway.detect.node import NodeProject, running
from underway.detect.shared import add_shared
from underway.manifest.migrate import Migrate
from underway.manifest.model import EnvVar


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
        at = Evidence(path, text.count("\n", 0, found.start()) + 1)
        if not file.startswith("/"):  # relative to the schema (prisma.io/docs, SQLite connector)
            add_shared(draft, notes, join(path.rpartition("/")[0], file), "Prisma's SQLite database", at)
        if found[1]:
            draft.env[found[1]] = EnvVar(value=value)
            variables.pop(found[1], None)
            notes.claim("database", f"SQLite: {found[1]} names the file", at, f"env.{found[1]}")
        return


def migrate_node(index: Index, project: NodeProject, draft: Draft, notes: Notes) -> None:
    folder = project.folder
    inside = f"{folder}/" if folder else ""
    schema = next((p for p in index.named("schema.prisma") if p.startswith(inside)), "")
    if schema and project.has("prisma"):
        migrations = join(schema.rpartition("/")[0], "migrations")
        if migrations in index.folders:
            draft.migrate = Migrate("node_modules/.bin/prisma migrate deploy", cwd(folder), (migrations,))
            notes.claim("migrate", "prisma migrate deploy", Evidence(schema), "migrate")
        return
    if project.has("knex") and (files := [p for p in index.matching(r"knexfile\.[cm]?[jt]s") if p.startswith(inside)]):
        draft.migrate = Migrate("node_modules/.bin/knex migrate:latest --env production", cwd(folder))
        notes.claim("migrate", "knex migrate:latest", Evidence(files[0]), "migrate")
        return
    for script in ("migrate:deploy", "db:migrate:deploy", "db:migrate", "migrate", "migrations:run", "migration:run"):
        line = project.scripts.get(script, "")
        whole = followed(project, line)
        if not line or re.search(r"reset|drop|--force|fresh|seed|revert|rollback", whole) or "migrate dev" in whole:
            continue
        without = re.sub(r"^(?:env-cmd(?: -f \S+)?|dotenv(?: -e \S+)*)(?: --)? ", "", whole)
        direct = without if without != whole or whole.startswith("node_modules/.bin/") else ""
        command = direct or running(project, script)
        draft.migrate = Migrate(command, cwd(folder))
        notes.claim("migrate", f"the script {script}", index.line(project.path, f'"{script}"'), "migrate")
        return
    if draft.postgres is None:
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


_TSC = r"(?:npx )?tsc(?: (?:-p|--project) [\w./-]+| --build| -b)?"
_MADE_ONCE = re.compile(rf"^(?:(?:npm|pnpm|yarn|bun) (?:run )?build|{_TSC})\s*&&\s*(?=node\s)")


def followed(project: NodeProject, line: str) -> str:
    """The script that `npm run NAME` stands for, without the build in front of it: that is made once."""
    for _ in range(5):
        found = re.fullmatch(r"(?:npm|pnpm|yarn|bun) (?:run )?([\w:.-]+)(?:(?: --)? (-[^&|;]*))?", line)
        if not found or found[1] not in project.scripts:
            break
        line = f"{project.scripts[found[1]]} {found[2] or ''}".strip()
    line = _MADE_ONCE.sub("", line)
    return _without_manager(line)


def _without_manager(line: str) -> str:
    """`yarn drizzle-kit migrate` as what it runs: where the app runs there may be no yarn."""
    found = re.fullmatch(
        r"(?:yarn(?: run)?|npx|bunx|pnpm(?: exec)?|npm exec(?: --)?) ([a-z][\w-]*)((?: [^&|;<>]*)?)", line
    )
    return line if found is None or found[1] in _VERBS else f"node_modules/.bin/{found[1]}{found[2]}"


_VERBS = frozenset(
    {"install", "add", "run", "start", "test", "build", "dlx", "exec", "workspace", "workspaces", "node"}
)
