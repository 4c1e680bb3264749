"""What a Python app reads from its environment → services, variables, and what only its owner knows."""

from __future__ import annotations

import ast
import re
from types import MappingProxyType

from underway.detect.django import Django
from underway.detect.draft import Draft
from underway.detect.env_names import postgres_part
from underway.detect.foreign import foreign_databases
from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence, Notes
from underway.detect.needs import give
from underway.detect.python_app import WebApp
from underway.detect.python_code import PythonCode, literal
from underway.detect.python_env import env_reads
from underway.detect.python_project import PythonProject
from underway.detect.services import (
    POSTGRES_DRIVERS,
    has_redis_password,
    needs_postgres,
    needs_redis,
    postgres_scheme,
    with_own_schemes,
)
from underway.detect.shared import add_shared
from underway.detect.starts import Starts
from underway.detect.variables import Given, Variable, gather, places
from underway.manifest.build import PythonBuild
from underway.manifest.env_keys import EnvVar
from underway.manifest.services import Postgres, Redis


def python_needs(
    index: Index,
    code: PythonCode,
    starts: Starts,
    project: PythonProject | None,
    app: WebApp,
    django: Django | None,
    draft: Draft,
    notes: Notes,
) -> None:
    """Fill `draft` with the services and variables that the sources ask for, and note what only the owner knows."""
    reads = env_reads(code, _wanted(code, app, django, project))
    variables = gather(index, reads)
    draft.reads += places(variables)
    asked = (r.evidence for r in reads if r.name == "PORT" and r.is_required and not r.is_conditional)
    draft.port_at = str(next(asked, ""))
    with_postgres = needs_postgres(project, starts, variables, django, notes)
    with_redis = needs_redis(project, starts, variables, notes)
    given: Given = give(
        index,
        variables,
        notes,
        with_postgres=with_postgres,
        with_redis=with_redis,
        is_django=django is not None,
        has_fernet=_has_fernet(index, code),
        kind="password" if _wants_short_secrets(index, code, project) else "urlsafe",
    )
    draft.env.update(given.env)
    if with_postgres:
        if project is not None and not project.brings(*POSTGRES_DRIVERS):
            add_server(project, _driver(project), draft, notes)
        scheme, why = postgres_scheme(index, code, starts, project, variables, given.postgres)
        named = with_own_schemes(variables, given.postgres, scheme)
        draft.postgres = Postgres(scheme=scheme, env=MappingProxyType(named))
        if scheme != "postgresql":
            notes.claim("database", f"addresses begin with {scheme}://: {why}", key="services.postgres.scheme")
    if with_redis:
        has_password = has_redis_password(variables, given.redis, notes)
        draft.redis = Redis(env=MappingProxyType(given.redis), has_password=has_password)
    foreign_databases(
        index,
        list(code.files),
        set(project.names) if project is not None else set(),
        variables,
        draft.env,
        notes,
        is_node=False,
        has_own=draft.postgres is not None,
    )
    is_asked = app.framework == "flask" and project is not None and project.has("flask-sqlalchemy")
    _sqlite_of_example(variables, app, draft, notes, is_asked=is_asked)
    if draft.postgres is not None and django is None:
        _fixed_address(code, variables, given, notes)
    if django is not None and project is not None and project.has("django-recaptcha", "django-recaptcha3"):
        for name in ("RECAPTCHA_PUBLIC_KEY", "RECAPTCHA_PRIVATE_KEY"):
            if name in variables and not variables[name].is_required and not variables[name].known_values:
                draft.env.setdefault(name, EnvVar(value=""))
                says = f"{name} must be a text, so it is empty until you set it: forms with a captcha refuse till then"
                notes.claim("env", says, variables[name].evidence, f"env.{name}")
    if django is not None and django.names_settings:
        draft.env["DJANGO_SETTINGS_MODULE"] = EnvVar(value=django.settings)
        notes.claim("env", f"the settings in use are {django.settings}", django.evidence, "env.DJANGO_SETTINGS_MODULE")


def _driver(project: PythonProject) -> str:
    """The driver of a project without one. Django before 3.1 misreads time zones of psycopg2 2.9 (its ticket 32856)."""
    found = re.match(r"(\d+)\.(\d+)", project.pins.get("django", ""))
    is_old = found is not None and (int(found[1]), int(found[2])) < (3, 1)
    return "psycopg2-binary<2.9" if is_old and project.manager == "pip" else "psycopg2-binary"


def _sqlite_of_example(
    variables: dict[str, Variable], app: WebApp, draft: Draft, notes: Notes, *, is_asked: bool
) -> None:
    """An app without a driver of PostgreSQL that is told its database: the SQLite file of its example.

    `is_asked` is true with Flask-SQLAlchemy, which does not start without an address, and since 3.0 takes the file
    from the instance folder (its manual, "Configuration").
    """
    for one in variables.values() if draft.postgres is None else ():
        found = re.fullmatch(r"sqlite(?:\+\w+)?:///(\.?/?[\w-][\w./-]*)", one.example or "")
        if found is None or ".." in found[1] or (one.name != "DATABASE_URL" and postgres_part(one.name) != "url"):
            continue
        if not one.is_required and not (is_asked and one.default is None):
            continue
        draft.env[one.name] = EnvVar(value=one.example or "")
        says = f"{one.name} is required; the example's value"
        notes.claim("env", says, one.example_at or "", f"env.{one.name}")
        path = join(join(app.folder, "instance" if is_asked else ""), found[1].removeprefix("./"))
        add_shared(draft, notes, path, "the SQLite database", one.example_at or app.evidence)
        return


def _wants_short_secrets(index: Index, code: PythonCode, project: PythonProject | None) -> bool:
    """True for Litestar's sessions in cookies, whose secret has 16, 24 or 32 characters (`CookieBackendConfig`)."""
    with_users = project is not None and project.has("litestar-users", "starlite-users")
    return with_users or any("CookieBackendConfig(" in index.text(path) for path in code.files)


def _has_fernet(index: Index, code: PythonCode) -> bool:
    paths = [*code.files, *index.matching(r".*(crypt|fernet|security).*\.py")[:50]]
    return any("Fernet" in index.text(path) for path in paths)


def _wanted(code: PythonCode, app: WebApp, django: Django | None, project: PythonProject | None) -> set[str] | None:
    """The files whose reading of the environment counts: for Django the settings in use, not their siblings."""
    root = project.folder if project is not None and project.folder else ""
    own = {p for p in code.files if not root or p.startswith(root + "/")} or set(code.files)
    own = {
        p
        for p in own
        if not re.search(r"(^|/)(migrations|scripts?|tools|management|alembic)/|(^|/)test_|_test\.py$|conftest\.py$", p)
    }
    if django is None or not django.files:
        return own
    siblings = {folder_of(p) for p in django.files if re.search(r"settings|config", folder_of(p).rpartition("/")[2])}
    return {p for p in own if p in django.files or (folder_of(p) not in siblings and not p.endswith("/settings.py"))}


_FIXED_PORT = re.compile(r"postgres(?:ql)?(?:\+\w+)?://[^@]*@[^@:]*:5432/")
_ADDRESS = re.compile(r"postgres(?:ql)?(?:\+\w+)?://\S*@\S+")


def _fixed_address(code: PythonCode, variables: dict[str, Variable], given: Given, notes: Notes) -> None:
    """Say so when the database's address, or its port, is a constant of the code and nothing reads another one."""
    parts = set(given.postgres.values())
    if parts & {"url", "port"} or "DATABASE_URL" in variables or any(name.startswith("PG") for name in variables):
        return
    for path, file in code.files.items():
        if re.search(r"(^|/)(alembic|migrations|tests?|scripts?)/|(^|/)test_", path):
            continue
        for each in file.nodes:
            if isinstance(each, ast.JoinedStr) and _FIXED_PORT.match("".join(literal(v) or "*" for v in each.values)):
                notes.problem(
                    "detect.database-fixed",
                    Evidence(path, each.lineno),
                    "the database's port 5432 is written here, and the app's database listens at a port of its own",
                    'read it beside the rest of the address: os.environ["PGPORT"]',
                )
                return
            if parts or not isinstance(each, ast.Constant) or not isinstance(each.value, str):
                continue
            if _ADDRESS.fullmatch(each.value):
                notes.problem(
                    "detect.database-fixed",
                    Evidence(path, each.lineno),
                    "the database's address is written here, so the app cannot be given one",
                    'read it: os.environ["DATABASE_URL"]',
                )
                return


def add_server(project: PythonProject | None, server: str, draft: Draft, notes: Notes) -> None:
    """Add the package of `server` to what is installed, where the project does not bring it."""
    if project is not None and draft.python is not None and not project.has(server):
        draft.python = PythonBuild(**{**draft.python.__dict__, "extra": (*draft.python.extra, server)})
        notes.claim(
            "server",
            f"{server} is added: the project's own dependencies lack it",
            project.evidence,
            "build.python.extra",
        )
