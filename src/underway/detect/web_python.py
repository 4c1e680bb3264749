"""A Python app → the Python part of the draft: environment, server, workers, migrations, services, variables."""

from __future__ import annotations

import ast
import re
import shlex
from types import MappingProxyType

from underway.detect.django import Django, find_django, setting_at
from underway.detect.django_overlay import overlay
from underway.detect.django_whole import not_deployable
from underway.detect.draft import Draft
from underway.detect.foreign import foreign_databases
from underway.detect.health import declared_health, python_health
from underway.detect.index import Index, cwd, folder_of, join
from underway.detect.interpreter import choose_python
from underway.detect.loose_packages import added_by_dockerfile, loose_projects
from underway.detect.migrations import find_migration
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.needs import Given, Variable, gather, give, places
from underway.detect.python_app import WebApp, find_web_app, web_command
from underway.detect.python_code import PythonCode, literal
from underway.detect.python_env import env_reads
from underway.detect.python_project import PythonProject, normal
from underway.detect.script_app import ScriptApp, declared_program, find_script_app
from underway.detect.script_server import script_server
from underway.detect.services import (
    POSTGRES_DRIVERS,
    has_redis_password,
    needs_postgres,
    needs_redis,
    postgres_scheme,
    with_own_schemes,
)
from underway.detect.several import refuse_several
from underway.detect.shared import add_shared, django_shared, python_shared
from underway.detect.smoke import propose_smoke
from underway.detect.sockets import hold_sockets
from underway.detect.starts import Starts
from underway.detect.too_new import hold_back
from underway.detect.workers import python_workers
from underway.manifest.model import LISTEN_SCRIPT, EnvVar, Health, Postgres, Process, PythonBuild, Redis, Static


def draft_python(
    index: Index, starts: Starts, projects: list[PythonProject], machine: Machine, draft: Draft, notes: Notes
) -> bool:
    """Fill `draft` when there is a Python web app; return whether there is."""
    code = PythonCode(index)
    projects = projects or loose_projects(index, starts)
    django = find_django(index, code, starts)
    app, others = find_web_app(index, code, starts, projects)
    if django is not None and not_deployable(index, code, django, notes):
        return True
    if django is not None and (
        app is None or app.module in (django.wsgi, django.asgi) or not _is_direct(projects, app)
    ):
        app = _django_app(index, django, app) or app
    own = (
        None
        if django is not None or (app is not None and app.is_declared)
        else declared_program(index, starts, projects)
    )
    if app is None or own is not None:
        return _draft_script(index, code, starts, projects, machine, draft, notes, own)
    if not app.framework.startswith("django"):
        django = None
        apart = [p.folder for p in projects if any(o.path.startswith(f"{p.folder}/") for o in others)]
        if refuse_several(index, app.folder, apart, notes, is_declared=app.is_declared):
            return True
    project = _project_of(projects, app.folder or app.base, app.path)
    label = {"django-asgi": "Django", "fastapi": "FastAPI", "falcon-wsgi": "Falcon", "starlette": "ASGI"}.get(
        app.framework, app.framework.capitalize() or "Python"
    )
    notes.claim("stack", f"{label}: {app.target}", app.evidence, "processes.web")
    for other in [o for o in others if not o.framework.startswith("django")][:3]:
        notes.claim("stack", f"not deployed: another app object {other.name}", Evidence(other.path, other.line))
    _build(index, code, starts, project, machine, app, draft, notes)
    _serve(project, machine, app, django, draft, notes)
    if app.framework == "flask" and project is not None and project.brings("flask-socketio"):
        hold_sockets(code, project, draft, notes)
    _variables(index, code, starts, project, app, django, draft, notes)
    if django is None:
        python_shared(index, code, app, draft, notes)
    find_migration(index, code, starts, project, app, django, draft, notes)
    if django is not None:
        overlay(index, code, project, django, draft, notes)
        _django_static(index, starts, project, django, draft, notes)
        django_shared(index, django, draft, notes)
        python_shared(index, code, app, draft, notes)
    _health(code, starts, app, draft, notes)
    propose_smoke(code, app, draft, notes)
    python_workers(index, code, starts, project, app, draft, notes)
    return True


def _draft_script(
    index: Index,
    code: PythonCode,
    starts: Starts,
    projects: list[PythonProject],
    machine: Machine,
    draft: Draft,
    notes: Notes,
    own: ScriptApp | None,
) -> bool:
    """Fill `draft` with an app that is started as a script; return whether there is one."""
    script = own or find_script_app(index, starts, projects) or script_server(index, starts, projects)
    if script is None:
        return False
    project = _project_of(projects, script.folder, script.path)
    label = {"python": "Python"}.get(script.framework, script.framework.capitalize())
    notes.claim("stack", f"{label}: {script.path}", script.evidence, "processes.web")
    app = WebApp(script.framework, script.path, script.folder, script.folder, script.path, script.evidence)
    _build(index, code, starts, project, machine, app, draft, notes)
    draft.processes["web"] = Process(command=script.command, cwd=cwd(script.folder))
    for folder in script.kept:
        add_shared(draft, notes, join(script.folder, folder), "where it is told to keep its files", script.evidence)
    if script.server:
        _add_server(project, script.server, draft, notes)
    if script.opens_port:
        says = f"it opens its port itself: {LISTEN_SCRIPT} gives it its own in place of that, on loopback"
        notes.claim("server", says, script.evidence)
    _variables(index, code, starts, project, app, None, draft, notes)
    python_shared(index, code, app, draft, notes)
    if script.health:
        draft.health = Health(path=script.health)
        notes.claim("health", f"{label} answers {script.health}", script.evidence, "health.path")
    else:
        _health(code, starts, app, draft, notes)
    python_workers(index, code, starts, project, app, draft, notes)
    return True


def _is_direct(projects: list[PythonProject], app: WebApp) -> bool:
    """True when the app's framework is a dependency somebody wrote down."""
    return any(p.has(app.framework) for p in projects)


def _django_app(index: Index, django: Django, declared: WebApp | None) -> WebApp | None:
    if (
        declared is not None
        and declared.is_declared
        and declared.module in (django.wsgi, django.asgi)
        and ((declared.module == django.asgi and not django.sockets) or not django.has_sockets)
    ):
        framework = "django-asgi" if ".asgi" in declared.target else "django"
        return WebApp(**{**declared.__dict__, "framework": framework, "folder": django.folder, "base": django.folder})
    if django.sockets:
        path = join(django.folder, django.sockets.partition(":")[0].replace(".", "/") + ".py")
        target, at = f"{_SOCKETS}:application", index.line(path, "ProtocolTypeRouter")
        return WebApp("django-asgi", target, django.folder, django.folder, path, at)
    module = django.asgi if django.has_sockets else django.wsgi or django.asgi
    if not module:
        return None
    path = join(django.folder, module.replace(".", "/") + ".py")
    return WebApp(
        framework="django-asgi" if module == django.asgi else "django",
        target=f"{module}:application",
        folder=django.folder,
        base=django.folder,
        path=path,
        evidence=index.line(path, "application"),
    )


def _project_of(projects: list[PythonProject], folder: str, path: str) -> PythonProject | None:
    """The project whose folder holds the app; the innermost one that locks anything."""
    holding = [p for p in projects if not p.folder or path.startswith(p.folder + "/") or folder == p.folder]
    holding.sort(key=lambda p: (bool(p.names) or p.manager == "uv", p.is_locked, len(p.folder)), reverse=True)
    return holding[0] if holding else (projects[0] if projects else None)


def _build(
    index: Index,
    code: PythonCode,
    starts: Starts,
    project: PythonProject | None,
    machine: Machine,
    app: WebApp,
    draft: Draft,
    notes: Notes,
) -> None:
    if project is None or project.unknown:
        _nothing_written_down(project, app, notes)
        return
    if project.requirements or not project.is_guessed:
        added_by_dockerfile(starts, project)
    version = choose_python(index, starts, project, machine, notes)
    draft.python = PythonBuild(
        manager=project.manager,
        dir=cwd(project.folder),
        requirements=project.requirements,
        version=version,
        groups=project.groups,
        extra=project.extra,
    )
    what = {"pip": "pip with " + ", ".join(project.requirements or project.extra)}.get(project.manager, project.manager)
    if project.is_guessed:
        what += ": nothing names them, they are what its sources import"
    notes.claim("build", f"dependencies by {what}{_unlocked(index, project)}", project.evidence, "build.python")
    if project.extra and project.requirements:
        says = f"{', '.join(project.extra)} besides, as the Dockerfile installs"
        notes.claim("build", says, project.where(normal(project.extra[0])), "build.python.extra")
    hold_back(index, project, draft, notes)


def _nothing_written_down(project: PythonProject | None, app: WebApp, notes: Notes) -> None:
    """Tell the packages that have to be written down, as far as the imports say."""
    unknown = project.unknown if project is not None else {}
    named = [f'"{line}"' if re.search(r"[\[<>]", line) else line for line in project.extra] if project else []
    words = [*named, *(normal(name) for name in unknown)]
    asks = f"; which package {', '.join(list(unknown)[:5])} is from, nothing says" if unknown else ""
    notes.problem(
        "detect.no-dependencies",
        next(iter(unknown.values()), app.evidence),
        "the app's dependencies are not written down anywhere: no uv.lock, poetry.lock, pdm.lock, Pipfile, "
        f"requirements.txt, pyproject.toml or setup.py{asks}",
        "write them down and commit pyproject.toml and uv.lock; what the sources import:",
        "uv init --bare && uv add " + " ".join(words or [app.framework or "PACKAGE"]),
    )


def _unlocked(index: Index, project: PythonProject) -> str:
    """What to do where the versions of today break the app, when nothing says which ones it was made with."""
    loose = [name for name in project.names if name not in project.pins]
    if project.is_locked and (project.manager != "pip" or not loose):
        return ""
    day = f'as_of = "{index.tree.day}", the day of the commit' if index.tree.day else "as_of to a day"
    what = "nothing locks the versions" if not project.is_locked else f"{len(loose)} of {len(project.names)} unpinned"
    return f"; {what}: where today's break it, set {day}"


def _serve(
    project: PythonProject | None, machine: Machine, app: WebApp, django: Django | None, draft: Draft, notes: Notes
) -> None:
    workers = min(app.workers, 8) or 2
    with_granian = project is not None and project.has("granian") and not project.has("uvicorn")
    command, server = web_command(app, workers=workers, with_granian=with_granian)
    instances = 1
    if app.is_asgi and app.workers > 1:
        instances = max(1, min(app.workers, machine.cpus))
    draft.processes["web"] = Process(command=command, cwd=cwd(app.folder), instances=instances)
    if app.is_declared:
        notes.claim(
            "server", f"served by {server}, as the repository starts {app.target}", app.evidence, "processes.web"
        )
    _add_server(project, server, draft, notes)
    if django is not None and django.has_sockets and server == "uvicorn":
        notes.claim("server", "WebSockets are routed here, which asks for ASGI", app.evidence)
        if django.sockets:
            draft.commands.append(_module_for_sockets(django))
        _add_server(project, "websockets", draft, notes)


_SOCKETS = "underway_asgi"


def _module_for_sockets(django: Django) -> str:
    """Writes the module that sets Django up before it imports the routes: what `runserver` did for Channels 2."""
    module, _, name = django.sockets.partition(":")
    text = f"import os, django; os.environ.setdefault('DJANGO_SETTINGS_MODULE', '{django.settings}'); django.setup(); "
    text += f"from {module} import {name} as application"
    return f"printf '%s\\n' {shlex.quote(text)} > {shlex.quote(join(django.folder, _SOCKETS + '.py'))}"


def _add_server(project: PythonProject | None, server: str, draft: Draft, notes: Notes) -> None:
    if project is not None and draft.python is not None and not project.has(server):
        draft.python = PythonBuild(**{**draft.python.__dict__, "extra": (*draft.python.extra, server)})
        notes.claim(
            "server",
            f"{server} is added: the project's own dependencies lack it",
            project.evidence,
            "build.python.extra",
        )


def _variables(
    index: Index,
    code: PythonCode,
    starts: Starts,
    project: PythonProject | None,
    app: WebApp,
    django: Django | None,
    draft: Draft,
    notes: Notes,
) -> None:
    reads = env_reads(code, _wanted(code, app, django, project))
    variables = gather(index, reads)
    draft.reads += places(variables)
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
    )
    draft.env.update(given.env)
    if with_postgres:
        if project is not None and not project.brings(*POSTGRES_DRIVERS):
            _add_server(project, "psycopg2-binary", draft, notes)
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
    _sqlite_of_example(variables, app, draft, notes)
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


def _sqlite_of_example(variables: dict[str, Variable], app: WebApp, draft: Draft, notes: Notes) -> None:
    """An app without a driver of PostgreSQL that is told its database: the SQLite file of its example."""
    one = variables.get("DATABASE_URL")
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///(\.?/?[\w-][\w./-]*)", (one.example or "") if one is not None else "")
    if one is None or found is None or not one.is_required or draft.postgres is not None or ".." in found[1]:
        return
    draft.env["DATABASE_URL"] = EnvVar(value=one.example or "")
    notes.claim("env", "DATABASE_URL is required; the example's value", one.example_at or "", "env.DATABASE_URL")
    path = join(app.folder, found[1].removeprefix("./"))
    add_shared(draft, notes, path, "the SQLite database", one.example_at or app.evidence)


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


_MAKES = re.compile(
    r"\bmanage(?:\.py)?\s+(tailwind(?:\s+--[\w-]+)*\s+(?:build|download_cli)|compilescss|compilejsi18n|collectstatic_js_reverse)\b"
)
"""Commands that write static files from what is in the tree, and ask no database."""


def _made_before(starts: Starts, project: PythonProject | None) -> list[tuple[str, Evidence]]:
    """What a Dockerfile of the repository has made of its sources before the static files are gathered."""
    out: dict[str, Evidence] = {}
    for each in starts.dockerfiles:
        for run, line in each.runs:
            for found in _MAKES.finditer(run):
                if not found[1].startswith("tailwind") or (project is not None and project.has("django-tailwind-cli")):
                    out.setdefault(" ".join(found[1].split()), Evidence(each.path, line))
    return list(out.items())


def _gathering(starts: Starts) -> str:
    """How a Dockerfile of the repository gathers them beyond the usual: without it a file may be missing."""
    for each in starts.dockerfiles:
        for run, _ in each.runs:
            found = re.search(r"\bcollectstatic\b([^;&|]*)", run)
            if found:
                flags = re.findall(r"(?<!\S)(--no-default-ignore|--ignore[= ][\w.*/-]+|-i [\w.*/-]+)(?!\S)", found[1])
                return "".join(f" {shlex.join(flag.split())}" for flag in flags)
    return ""


def _django_static(
    index: Index, starts: Starts, project: PythonProject | None, django: Django, draft: Draft, notes: Notes
) -> None:
    if not django.has_static_root:
        return
    if django.static_root_if:
        notes.claim(
            "static",
            f"collectstatic is not run: STATIC_ROOT is set only if {django.static_root_if[:80]}",
            setting_at(index, django, "STATIC_ROOT"),
        )
        return
    manage = "python manage.py" if not django.folder else f"cd {shlex.quote(django.folder)} && python manage.py"
    for command, at in _made_before(starts, project):
        draft.commands.append(f"{manage} {command}")
        notes.claim("static", f"{command} makes styles or scripts first, as the Dockerfile does", at, "build.commands")
    draft.commands.append(f"{manage} collectstatic --noinput{_gathering(starts)}")
    where = setting_at(index, django, "STATIC_ROOT")
    notes.claim("static", "collectstatic gathers the static files", where, "build.commands")
    if django.compresses_offline:
        draft.commands.append(f"{manage} compress --force")
        at = setting_at(index, django, "COMPRESS_OFFLINE")
        notes.claim("static", "django-compressor makes its files before the app starts", at, "build.commands")
    if project is not None and project.has("whitenoise"):
        notes.claim("static", "whitenoise serves them", project.where("whitenoise"))
    elif django.static_root:
        draft.static = Static(dir=django.static_root, url=django.static_url)
        notes.claim(
            "static",
            f"{django.static_url} is served from {django.static_root}",
            where,
            "static",
        )


def _health(code: PythonCode, starts: Starts, app: WebApp, draft: Draft, notes: Notes) -> None:
    declared = declared_health(starts)
    if declared is not None:
        path, evidence = declared
        notes.claim("health", f"the repository's own health check asks {path}", evidence, "health.path")
        draft.health = Health(path=path)
        return
    found = python_health(code, app)
    if found is not None:
        notes.claim("health", f"a route called {found[0]}", found[1], "health.path")
        draft.health = Health(path=found[0])
        return
    draft.health = Health(path="/", status="below-500")
    notes.claim("health", "no health route was found: any answer of / below 500 counts", key="health.status")
