"""What prepares the database of a Python app: its own release line, Django, alembic, Flask-Migrate, aerich."""

from __future__ import annotations

import posixpath
import re
import shlex

from underway.detect.django import Django, migration_folders
from underway.detect.draft import Draft
from underway.detect.index import Index, by_depth, cwd, folder_of, join
from underway.detect.model import Evidence, Notes
from underway.detect.python_app import WebApp
from underway.detect.python_code import PythonCode
from underway.detect.python_project import PythonProject
from underway.detect.shell import Simple, simple_commands
from underway.detect.starts import Starts
from underway.detect.tables import DESTROYS, make_tables
from underway.manifest.migrate import Migrate

_UPGRADES = re.compile(r"migrate|alembic .*upgrade|db upgrade|aerich upgrade")
_MOST_FOLDERS = 8


def find_migration(
    index: Index,
    code: PythonCode,
    starts: Starts,
    project: PythonProject | None,
    app: WebApp,
    django: Django | None,
    draft: Draft,
    notes: Notes,
) -> None:
    """Fill `draft.migrate` with the first of: a Procfile's release line, a prestart script, the framework's way.

    What could drop data is never chosen.
    """
    lock = _lock_paths(index, project)
    own = _framework_way(index, project, app, django, lock, has_postgres=draft.postgres is not None)
    is_set_up_only = own is not None and own[0] is None
    if (own is None or is_set_up_only) and (draft.postgres is not None or draft.shared):
        made = make_tables(code, app)
        if made is not None:
            command, says, at = made
            if command:
                draft.migrate = Migrate(command, cwd(app.folder))
            notes.claim("migrate", says, at, "migrate" if command else "")
            return
    if own is None:
        return
    found, claim, evidence = own
    if found is None:
        notes.claim("migrate", claim, evidence)
        return
    for start in starts.found:
        if start.name == "release" and _only_prepares(index, start.commands):
            folder = app.folder if app.folder and not start.folder else start.folder
            found = Migrate(re.sub(r"\s+", " ", start.line), cwd(folder), found.paths)
            claim, evidence = "the release line of the Procfile", start.evidence
            break
    else:
        script = _prestart(index, app)
        if script is not None:
            command, folder, files = script
            found = Migrate(command, cwd(folder), (*found.paths, *files) if found.paths else ())
            claim, evidence = f"{files[0]} migrates and prepares what the app expects", Evidence(files[0])
    draft.migrate = found
    notes.claim("migrate", claim, evidence, "migrate")


def _framework_way(
    index: Index,
    project: PythonProject | None,
    app: WebApp,
    django: Django | None,
    lock: list[str],
    *,
    has_postgres: bool,
) -> tuple[Migrate | None, str, Evidence] | None:
    if django is not None and app.framework.startswith("django"):
        folders = migration_folders(index, django.folder)
        paths = (*folders, *django.files[:10], *lock)
        if len(folders) > _MOST_FOLDERS:  # too many to list: it runs at every deploy, and changes nothing twice
            paths = ()
        migrate = Migrate("python manage.py migrate --noinput", cwd(django.folder), paths)
        return migrate, "Django's migrations", Evidence(join(django.folder, "manage.py"))
    if project is not None and project.has("flask-migrate"):
        found = by_depth(f for f in index.folders if f.endswith("migrations/versions") or f == "migrations/versions")
        if found:
            target = app.target.partition("(")[0]
            held = folder_of(found[0])
            inner = held[len(app.folder) + 1 if app.folder else 0 :] if f"{held}/".startswith(app.folder) else held
            where = "" if inner == "migrations" else f" --directory {shlex.quote(inner)}"
            branches = " heads" if _head(index, found[0]) == "heads" else ""
            command = f"PYTHONPATH=. FLASK_APP={shlex.quote(target)} flask db upgrade{where}{branches}"
            migrate = Migrate(command, cwd(app.folder), (found[0], *lock))
            return migrate, "Flask-Migrate", project.where("flask-migrate")
    if project is None or project.has("alembic", "advanced-alchemy", "sqlmodel", "sqlalchemy") or not project.names:
        alembic = _alembic(index, project, app, lock, has_postgres=has_postgres)
        if alembic is not None:
            return alembic
    if project is not None and project.has("piccolo") and (conf := index.named("piccolo_conf.py")):
        folder = folder_of(conf[0])
        made = by_depth(f for f in index.folders if f.endswith("piccolo_migrations") and f.startswith(folder))
        migrate = Migrate("piccolo migrations forwards all", cwd(folder), (*made[:_MOST_FOLDERS], *lock))
        return migrate, "Piccolo's migrations", Evidence(conf[0])
    if project is not None and project.has("aerich"):
        found = by_depth(f for f in index.folders if re.search(r"(^|/)migrations/models$", f))
        if found:
            return Migrate("aerich upgrade", cwd(project.folder), (found[0], *lock)), "aerich", project.where("aerich")
    return None


def _alembic(
    index: Index, project: PythonProject | None, app: WebApp, lock: list[str], *, has_postgres: bool
) -> tuple[Migrate | None, str, Evidence] | None:
    inis = [p for p in index.named("alembic.ini") if "template" not in p]
    if not inis:
        return None
    top = project.folder if project is not None else ""
    ini = min(inis, key=lambda p: (not p.startswith(f"{top}/".lstrip("/")), p.count("/"), p))
    folder = folder_of(ini)
    found = re.search(r"^[ \t]*script_location[ \t]*=[ \t]*(\S+)", index.text(ini), re.MULTILINE)
    location = (found[1] if found else "alembic").replace("%(here)s/", "").replace(":", "/")
    run_in = folder
    versions = ""
    for base in dict.fromkeys((folder, app.folder, app.base, top, "")):
        if join(join(base, location), "versions") in index.folders:
            versions, run_in = join(join(base, location), "versions"), base
            break
    else:
        if join(folder, "versions") in index.folders:
            versions = join(folder, "versions")
    evidence = Evidence(ini)
    if not versions or not any(p.startswith(f"{versions}/") and p.endswith(".py") for p in index.paths):
        return None, "alembic is set up without a migration: nothing is run", evidence
    is_its_own = app.framework == "litestar" and _ADVANCED_ALCHEMY.search(
        index.text(join(folder_of(versions), "env.py"))
    )
    if project is not None and project.has("advanced-alchemy", "litestar-alchemy") and is_its_own:
        inner = app.base[len(app.folder) :].strip("/")
        where = f"--app-dir {shlex.quote(inner)} " if inner else ""
        command = f"litestar {where}--app {shlex.quote(app.target)} database upgrade --no-prompt"
        return Migrate(command, cwd(app.folder), (versions, *lock)), "Advanced Alchemy's migrations", evidence
    inner = ini[len(run_in) + 1 if run_in else 0 :]
    head = _head(index, versions)
    fixed = _fixed_address(index, ini, versions) if has_postgres else None
    if fixed is not None:
        scheme, at = fixed
        command = f"python -c {shlex.quote(_GIVEN_ADDRESS.format(ini=inner, scheme=scheme, head=head))}"
        return Migrate(command, cwd(run_in), (versions, *lock)), "alembic's migrations, at the address given", at
    path = _imported_from(index, folder_of(versions), run_in, app)
    lead = f"PYTHONPATH={path} " if path else "" if _finds_the_app(index, ini, run_in) else "PYTHONPATH=. "
    command = f"alembic upgrade {head}" if inner == "alembic.ini" else f"alembic -c {shlex.quote(inner)} upgrade {head}"
    return Migrate(lead + command, cwd(run_in), (versions, *lock)), "alembic's migrations", evidence


_ADVANCED_ALCHEMY = re.compile(r"AlembicCommandConfig|metadata_registry|orm_registry|advanced_alchemy\.alembic")
"""What the env.py that `litestar database init` writes has, and one of alembic's own has not."""


def _head(index: Index, versions: str) -> str:
    """`heads` when the revisions end in several, which `head` refuses (alembic's manual, "Branches")."""
    made, built_on = set(), set()
    for path in [p for p in index.paths if p.startswith(f"{versions}/") and p.endswith(".py")][:500]:
        text = index.text(path)
        made.update(re.findall(r"""^revision\b[^=\n]*=\s*['"](\w+)['"]""", text, re.MULTILINE))
        for stated in re.findall(r"^down_revision\b[^=\n]*=\s*(.{1,300})", text, re.MULTILINE):
            built_on.update(re.findall(r"""['"](\w+)['"]""", stated))
    return "heads" if len(made - built_on) > 1 else "head"


_GIVEN_ADDRESS = (
    "import os; from alembic import command, config; c = config.Config({ini!r}); "
    "c.set_main_option('sqlalchemy.url', '{scheme}://' + "
    "os.environ['DATABASE_URL'].partition('://')[2].replace('%', '%%')); command.upgrade(c, '{head}')"
)
"""`alembic upgrade head` with another address than alembic.ini's, which only Python can give it."""


def _fixed_address(index: Index, ini: str, versions: str) -> tuple[str, Evidence] | None:
    """The scheme of the address that alembic.ini fixes and where, when env.py does not replace it."""
    text = index.text(ini)
    found = re.search(r"^[ \t]*sqlalchemy\.url[ \t]*=[ \t]*(postgres(?:ql)?(?:\+\w+)?)://", text, re.MULTILINE)
    env = index.text(join(folder_of(versions), "env.py"))
    if (
        found is None
        or not env
        or re.search(
            r"set_main_option|environ|getenv|sqlalchemy\.url['\"]\]\s*=|create_(async_)?engine\(|settings|connectable\s*=\s*+(?!async_engine_from|engine_from)",
            env,
        )
    ):
        return None
    scheme = "postgresql" if found[1] == "postgres" else found[1]  # SQLAlchemy 1.4 no longer takes the short one
    return scheme, Evidence.at(ini, text, found.start())


def _imported_from(index: Index, location: str, run_in: str, app: WebApp) -> str:
    """The folder that env.py imports the app's modules from, where it is not the one that alembic runs in."""
    env = index.text(join(location, "env.py"))
    if app.base == run_in or "sys.path" in env:
        return ""
    for name in re.findall(r"^(?:from|import)[ \t]+(\w+)", env, re.MULTILINE):
        is_there = [
            index.has(join(base, f"{name}.py")) or join(base, name) in index.folders for base in (run_in, app.base)
        ]
        if is_there == [False, True]:
            return shlex.quote(posixpath.relpath(app.base or ".", run_in or "."))
    return ""


def _finds_the_app(index: Index, ini: str, run_in: str) -> bool:
    """False when alembic.ini is of before 1.5.5, which put nothing before the path, and env.py imports the app.

    A folder of the name alembic that is a package would then hide alembic itself.
    """
    if "prepend_sys_path" in index.text(ini) or index.has(join(run_in, "alembic/__init__.py")):
        return True
    env = "\n".join(index.text(p) for p in index.named("env.py") if not run_in or p.startswith(f"{run_in}/"))
    return "sys.path" in env or "from " not in env


def _only_prepares(index: Index, commands: list[Simple]) -> bool:
    """True for lines that migrate and run nothing that drops data."""
    words = " ".join(" ".join(c.words) for c in commands)
    return bool(_UPGRADES.search(words)) and not DESTROYS.search(words)


def _prestart(index: Index, app: WebApp) -> tuple[str, str, tuple[str, ...]] | None:
    """`scripts/prestart.sh`, when all it does is migrate and run Python files of the tree that drop nothing."""
    for path in index.named("prestart.sh"):
        folder = folder_of(path)
        run_in = folder_of(folder) if folder.rpartition("/")[2] in ("scripts", "bin") else folder
        if app.folder != run_in:
            continue
        commands: list[Simple] = []
        for number, line in enumerate(index.text(path).split("\n")[:60], 1):
            commands += simple_commands(line, Evidence(path, number), index, run_in)
        files: list[str] = []
        for command in commands:
            if command.name in ("set", "echo", "alembic", "#!"):
                continue
            target = _python_file(index, command)
            if not target or DESTROYS.search(index.text(target)):
                files = []
                break
            files.append(target)
        if files and any(c.name == "alembic" and "upgrade" in c.words for c in commands):
            return f"bash {shlex.quote(path[len(run_in) + 1 if run_in else 0 :])}", run_in, (path, *files)
    return None


def _python_file(index: Index, command: Simple) -> str:
    if not re.fullmatch(r"python[0-9.]*", command.name) or len(command.words) < 2:
        return ""
    words = command.words[1:]
    named = words[1].replace(".", "/") + ".py" if words[0] == "-m" and len(words) > 1 else words[0]
    path = join(command.folder, named)
    return path if path.endswith(".py") and index.has(path) else ""


def _lock_paths(index: Index, project: PythonProject | None) -> list[str]:
    """Files whose change may bring migrations of a dependency."""
    if project is None:
        return []
    if project.requirements:
        return list(project.requirements)
    names = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
    return next(([join(f, n)] for f in (project.folder, "") for n in names if index.has(join(f, n))), [])
