"""A Python app → the Python part of the draft: environment, server, workers, migrations, services, variables."""

from __future__ import annotations

import re
from types import MappingProxyType

from underway.detect.django import Django, find_django, migration_folders
from underway.detect.draft import Draft
from underway.detect.health import declared_health, python_health
from underway.detect.index import Index, by_depth, cwd, folder_of, join
from underway.detect.interpreter import choose_python
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.needs import Given, gather, give
from underway.detect.python_app import WebApp, find_web_app, web_command
from underway.detect.python_code import PythonCode
from underway.detect.python_env import env_reads
from underway.detect.python_project import PythonProject
from underway.detect.services import needs_postgres, needs_redis, postgres_scheme
from underway.detect.shared import django_shared, python_shared
from underway.detect.starts import Starts
from underway.detect.workers import python_workers
from underway.manifest.model import EnvVar, Health, Migrate, Postgres, Process, PythonBuild, Redis, Static


def draft_python(
    index: Index, starts: Starts, projects: list[PythonProject], machine: Machine, draft: Draft, notes: Notes
) -> bool:
    """Fill `draft` when there is a Python web app; return whether there is."""
    code = PythonCode(index)
    django = find_django(index, code, starts)
    app, others = find_web_app(index, code, starts, projects)
    if django is not None and (
        app is None or app.framework in ("django", "django-asgi", "") or not _is_direct(projects, app)
    ):
        app = _django_app(index, django, app)
    if app is None:
        return False
    project = _project_of(projects, app.folder or app.base, app.path)
    label = {"django-asgi": "Django", "fastapi": "FastAPI", "falcon-wsgi": "Falcon"}.get(
        app.framework, app.framework.capitalize() or "Python"
    )
    notes.claim("stack", f"{label}: {app.target}", app.evidence, "processes.web")
    for other in others[:3]:
        notes.claim("stack", f"not deployed: another app object {other.name}", Evidence(other.path, other.line))
    _build(index, code, starts, project, machine, app, draft, notes)
    _serve(project, machine, app, draft, notes)
    _variables(index, code, starts, project, app, django, draft, notes)
    _migrate(index, code, starts, project, app, django, draft, notes)
    if django is not None:
        _django_static(index, project, django, draft, notes)
        django_shared(index, django, draft, notes)
    python_shared(index, code, app, draft, notes)
    _health(code, starts, app, draft, notes)
    python_workers(index, code, starts, project, app, draft, notes)
    return True


def _is_direct(projects: list[PythonProject], app: WebApp) -> bool:
    """True when the app's framework is a dependency somebody wrote down."""
    return any(p.has(app.framework) for p in projects)


def _django_app(index: Index, django: Django, declared: WebApp | None) -> WebApp | None:
    if declared is not None and declared.is_declared and declared.framework in ("django", "django-asgi", ""):
        framework = "django-asgi" if ".asgi" in declared.target else "django"
        return WebApp(**{**declared.__dict__, "framework": framework, "folder": django.folder, "base": django.folder})
    module = django.wsgi or django.asgi
    if not module:
        return None
    path = join(django.folder, module.replace(".", "/") + ".py")
    return WebApp(
        framework="django" if django.wsgi else "django-asgi",
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
    if project is None:
        notes.problem(
            "detect.no-dependencies",
            app.evidence,
            "the app's dependencies are not written down anywhere: no uv.lock, poetry.lock, pdm.lock, Pipfile, "
            "requirements.txt, pyproject.toml or setup.py",
            "add a requirements.txt or a pyproject.toml with a lock",
            "uv init --bare && uv add " + (app.framework or "PACKAGE"),
        )
        return
    version = choose_python(index, starts, project, machine, notes)
    draft.python = PythonBuild(
        manager=project.manager,
        dir=cwd(project.folder),
        requirements=project.requirements,
        version=version,
        groups=project.groups,
    )
    what = {"pip": "pip with " + ", ".join(project.requirements)}.get(project.manager, project.manager)
    unlocked = "" if project.is_locked else "; nothing locks the versions, so they may change between builds"
    notes.claim("build", f"dependencies by {what}{unlocked}", project.evidence, "build.python")


def _serve(project: PythonProject | None, machine: Machine, app: WebApp, draft: Draft, notes: Notes) -> None:
    workers = min(app.workers, 8) or 2
    command, server = web_command(app, workers=workers)
    instances = 1
    if app.is_asgi and app.workers > 1:
        instances = max(1, min(app.workers, machine.cpus))
    draft.processes["web"] = Process(command=command, cwd=cwd(app.folder), instances=instances)
    if app.is_declared:
        notes.claim(
            "server", f"served by {server}, as the repository starts {app.target}", app.evidence, "processes.web"
        )
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
    with_postgres = needs_postgres(project, starts, variables, django, notes)
    with_redis = needs_redis(project, starts, variables, notes)
    given: Given = give(
        variables, notes, with_postgres=with_postgres, with_redis=with_redis, is_django=django is not None
    )
    draft.env.update(given.env)
    if with_postgres:
        scheme, why = postgres_scheme(index, code, project, variables, given.postgres)
        draft.postgres = Postgres(scheme=scheme, env=MappingProxyType(given.postgres))
        if scheme != "postgresql":
            notes.claim("database", f"addresses begin with {scheme}://: {why}", key="services.postgres.scheme")
    if with_redis:
        draft.redis = Redis(env=MappingProxyType(given.redis))
    if django is not None and django.names_settings:
        draft.env.setdefault("DJANGO_SETTINGS_MODULE", EnvVar(value=django.settings))
        notes.claim("env", f"the settings in use are {django.settings}", django.evidence, "env.DJANGO_SETTINGS_MODULE")


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


def _migrate(
    index: Index,
    code: PythonCode,
    starts: Starts,
    project: PythonProject | None,
    app: WebApp,
    django: Django | None,
    draft: Draft,
    notes: Notes,
) -> None:
    lock = _lock_paths(index, project)
    if django is not None and app.framework.startswith("django"):
        folders = migration_folders(index, django.folder)
        paths = (*folders[:60], *django.files[:10], *lock)
        draft.migrate = Migrate("python manage.py migrate --noinput", cwd(django.folder), paths)
        notes.claim("migrate", "Django's migrations", Evidence(join(django.folder, "manage.py")), "migrate")
        return
    inis = [p for p in index.named("alembic.ini", aside=True) if "template" not in p]
    if inis:
        ini = min(inis, key=lambda p: (not p.startswith(app.folder), p.count("/")))
        folder = folder_of(ini)
        found = re.search(r"^\s*script_location\s*=\s*(.+?)\s*$", index.text(ini), re.MULTILINE)
        location = (found[1] if found else "alembic").replace("%(here)s/", "").replace(":", "/")
        versions = join(join(folder, location), "versions")
        if versions not in index.folders:
            notes.claim("migrate", f"alembic is set up, but {versions} has no migration: nothing is run", Evidence(ini))
            return
        command = "alembic upgrade head"
        run_in = folder
        if app.folder != folder and not _is_from_folder(index, ini) and folder.startswith(f"{app.folder}/".lstrip("/")):
            command, run_in = f"alembic -c {ini[len(app.folder) + 1 if app.folder else 0 :]} upgrade head", app.folder
        draft.migrate = Migrate(command, cwd(run_in), (versions, *lock))
        notes.claim("migrate", "alembic upgrade head", Evidence(ini), "migrate")
        return
    if project is not None and project.has("flask-migrate"):
        envs = [p for p in index.named("alembic.ini", "env.py") if "/migrations/" in f"/{p}"]
        found_in = by_depth(f for f in index.folders if f.endswith("migrations/versions"))
        if found_in or envs:
            target = app.target.partition("(")[0] if app.is_factory else app.target
            folder = found_in[0] if found_in else folder_of(envs[0])
            draft.migrate = Migrate(f"flask --app {target} db upgrade", cwd(app.folder), (folder, *lock))
            notes.claim("migrate", "Flask-Migrate", project.where("flask-migrate"), "migrate")
            return
    if (
        project is not None
        and project.has("aerich")
        and (folders := by_depth(f for f in index.folders if re.search(r"(^|/)migrations/models$", f)))
    ):
        draft.migrate = Migrate("aerich upgrade", cwd(project.folder), (folders[0], *lock))
        notes.claim("migrate", "aerich", project.where("aerich"), "migrate")


def _is_from_folder(index: Index, ini: str) -> bool:
    """True when alembic.ini itself says where imports come from."""
    return bool(re.search(r"^\s*prepend_sys_path\s*=\s*\.\s*$", index.text(ini), re.MULTILINE))


def _lock_paths(index: Index, project: PythonProject | None) -> list[str]:
    """Files whose change may bring migrations of a dependency."""
    if project is None:
        return []
    if project.requirements:
        return list(project.requirements)
    names = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
    folders = [project.folder, ""]
    return next(([join(f, n)] for f in folders for n in names if index.has(join(f, n))), [])


def _django_static(index: Index, project: PythonProject | None, django: Django, draft: Draft, notes: Notes) -> None:
    if not django.has_static_root:
        return
    manage = "python manage.py" if not django.folder else f"cd {django.folder} && python manage.py"
    made_up = " ".join(
        f"{name}=for-the-build"
        for name, variable in draft.env.items()
        if variable.generate or (variable.required and not variable.value)
    )
    settings = f"DJANGO_SETTINGS_MODULE={django.settings} " if django.names_settings else ""
    plain = " ".join(
        f"{n}={v.value}"
        for n, v in draft.env.items()
        if re.fullmatch(r"[\w./:-]+", v.value) and n != "DJANGO_SETTINGS_MODULE"
    )
    database = "DATABASE_URL=postgres://build:build@127.0.0.1:1/build " if draft.postgres is not None else ""
    before = f"{settings}{database}{made_up} {plain}".strip()
    manage = manage.replace("python manage.py", f"{before} python manage.py".strip())
    draft.commands.append(f"{manage} collectstatic --noinput")
    where = django.files[0] if django.files else ""
    notes.claim("static", "collectstatic gathers the static files", index.line(where, "STATIC_ROOT"), "build.commands")
    if project is not None and project.has("whitenoise"):
        notes.claim("static", "whitenoise serves them", project.where("whitenoise"))
    elif django.static_root:
        draft.static = Static(dir=django.static_root, url=django.static_url)
        notes.claim(
            "static",
            f"{django.static_url} is served from {django.static_root}",
            index.line(where, "STATIC_ROOT"),
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
