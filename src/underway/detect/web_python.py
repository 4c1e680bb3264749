"""A Python app → the Python part of the draft: environment, server, workers, migrations, services, variables."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from underway.detect.django import Django, find_django
from underway.detect.django_overlay import overlay
from underway.detect.django_static import django_static
from underway.detect.django_whole import not_deployable
from underway.detect.draft import Draft
from underway.detect.health import declared_health, limits_requests, python_health
from underway.detect.import_path import with_parent
from underway.detect.index import Index, cwd, join
from underway.detect.interpreter import choose_python
from underway.detect.left_out import add_pillow, leave_out
from underway.detect.left_unwritten import left_unwritten
from underway.detect.loose_packages import added_by_dockerfile, loose_projects
from underway.detect.migrations import find_migration
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.python_app import WebApp, find_web_app, web_command
from underway.detect.python_code import PythonCode
from underway.detect.python_needs import add_server, python_needs
from underway.detect.python_project import PythonProject, normal
from underway.detect.script_app import ScriptApp, declared_program, find_script_app
from underway.detect.script_server import script_server
from underway.detect.several import refuse_several
from underway.detect.shared import add_shared, django_shared, python_shared
from underway.detect.smoke import propose_smoke
from underway.detect.sockets import hold_sockets
from underway.detect.starts import Starts
from underway.detect.too_new import hold_back
from underway.detect.workers import python_workers
from underway.manifest.build import LISTEN_SCRIPT, PythonBuild
from underway.manifest.model import Health, Process


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
    _serve(index, project, machine, app, django, draft, notes)
    if app.framework == "flask" and project is not None and project.brings("flask-socketio"):
        hold_sockets(code, project, draft, notes)
    leave_out(index, code, project, django, draft, notes)
    python_needs(index, code, starts, project, app, django, draft, notes)
    if django is None:
        python_shared(index, code, app, draft, notes)
    find_migration(index, code, starts, project, app, django, draft, notes)
    if django is not None:
        add_pillow(index, project, draft, notes)
        overlay(index, code, project, django, draft, notes)
        django_static(index, starts, project, django, draft, notes)
        django_shared(index, django, draft, notes)
        python_shared(index, code, app, draft, notes)
    _health(code, starts, app, draft, notes)
    propose_smoke(code, app, draft, notes)
    python_workers(index, code, starts, project, app, draft, notes)
    if project is not None and not project.is_guessed:
        _unwritten(index, project, app, django, draft, notes)
    return True


def _unwritten(
    index: Index, project: PythonProject, app: WebApp, django: Django | None, draft: Draft, notes: Notes
) -> None:
    """Install besides what the app imports as it starts and its files of packages leave out."""
    if draft.python is None:
        return
    there = {normal(re.split(r"[\[<=>!~]", line)[0]) for line in draft.python.extra}
    found = left_unwritten(index, project, app, django)
    lines = [line for line in found if normal(re.split(r"[\[<=>!~]", line)[0]) not in there]
    for line in lines:
        says = f"{line} besides: it is imported, and no file of the packages names it"
        notes.claim("build", says, found[line], "build.python.extra")
    draft.python = replace(draft.python, extra=(*draft.python.extra, *lines))


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
        add_server(project, script.server, draft, notes)
    if script.opens_port:
        says = f"it opens its port itself: {LISTEN_SCRIPT} gives it its own in place of that, on loopback"
        notes.claim("server", says, script.evidence)
    python_needs(index, code, starts, project, app, None, draft, notes)
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
    index: Index,
    project: PythonProject | None,
    machine: Machine,
    app: WebApp,
    django: Django | None,
    draft: Draft,
    notes: Notes,
) -> None:
    workers = min(app.workers, 8) or 2
    with_granian = project is not None and project.has("granian") and not project.has("uvicorn")
    command, server = web_command(app, workers=workers, with_granian=with_granian)
    if not app.framework.startswith("django"):
        command = with_parent(index, app.base, app.folder, command)
    instances = 1
    if app.is_asgi and app.workers > 1:
        instances = max(1, min(app.workers, machine.cpus))
    draft.processes["web"] = Process(command=command, cwd=cwd(app.folder), instances=instances)
    if app.is_declared:
        notes.claim(
            "server", f"served by {server}, as the repository starts {app.target}", app.evidence, "processes.web"
        )
    add_server(project, server, draft, notes)
    if django is not None and django.has_sockets and server == "uvicorn":
        notes.claim("server", "WebSockets are routed here, which asks for ASGI", app.evidence)
        if django.sockets:
            draft.commands.append(_module_for_sockets(django))
        add_server(project, "websockets", draft, notes)


_SOCKETS = "underway_asgi"


def _module_for_sockets(django: Django) -> str:
    """Writes the module that sets Django up before it imports the routes: what `runserver` did for Channels 2."""
    module, _, name = django.sockets.partition(":")
    text = f"import os, django; os.environ.setdefault('DJANGO_SETTINGS_MODULE', {django.settings!r}); django.setup(); "
    text += f"from {module} import {name} as application"
    return f"printf '%s\\n' {shlex.quote(text)} > {shlex.quote(join(django.folder, _SOCKETS + '.py'))}"


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
        if limited := limits_requests(code, found[1]):
            draft.health = Health(path=found[0], status="200-299,429")
            notes.claim("health", "429 counts as well: how often it may be asked is limited", limited, "health.status")
        return
    draft.health = Health(path="/", status="below-500")
    notes.claim("health", "no health route was found: any answer of / below 500 counts", key="health.status")
